"""What a graph of ONNX does with an initializer: rows that are looked up are those of an embedding, factors are kernels.

An initializer is followed through the operations that hand it on (`Identity`, `Cast`, `Transpose`) to those that use it. Numbers
of 8 bits have a scale, and often a zero point. These come in before the use, or behind it, as rows can be looked up and products
made of the small numbers:

    DequantizeLinear(W, scale, zero) -> Gather        Gather(W) -> DequantizeLinear(scale, zero)
    Cast(W) -> Sub(zero) -> Mul(scale) -> MatMul      Gather(W) -> Cast -> Mul(Gather(scale))
    QLinearMatMul(x, …, W, scale, zero, …)            MatMulInteger(x, W, …, zero) -> Cast -> Mul(scale of x · scale)
"""

from __future__ import annotations

import math
from collections import defaultdict, deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from tb_embfactor.formats import Role
from tb_embfactor.formats.onnx_model import Node

MAX_STEPS = 200  # operations that are looked at for one initializer

_HANDING_ON = {"Identity", "Cast", "CastLike"}
_RESHAPING = {*_HANDING_ON, "Reshape", "Unsqueeze", "Squeeze", "Expand"}
_LOOKUPS = {"Gather": (0,), "EmbedLayerNormalization": (2, 3, 4)}
_PRODUCTS = {"MatMul": None, "FusedMatMul": None, "Gemm": 2, "FusedGemm": 2, "Attention": 2}
"""Which input is the bias; the kernel is the second one, or the first, transposed."""
_SCALED_PRODUCTS = {
    "QLinearMatMul": (3, 4, 5),
    "MatMulIntegerToFloat": (1, 3, 5),
    "DynamicQuantizeMatMul": (1, 2, 3),
    "QAttention": (1, 4, 7),
}
"""Which inputs are the kernel, its scale and its zero point."""
_PACKED = {"MatMulNBits": 1, "MatMulBnb4": 1, "MatMulFpQ4": 1, "GatherBlockQuantized": 0}
_ADDING = {"Add", "BiasGelu", "FastGelu"}
_ONE_HOT = {"OneHot", "Equal"}


@dataclass(frozen=True)
class Scale:
    """The initializers that whole numbers are made numbers with: (number − zero) · scale.

    axis : the one of the stored initializer along which they vary, if they are not one number.
    """

    name: str
    zero: str | None
    axis: int


@dataclass(frozen=True)
class Use:
    """What an initializer is. node : the operation that uses it. is_transposed : it is stored (outputs, inputs)."""

    role: Role
    node: Node
    is_transposed: bool = False
    bias: str | None = None
    scale: Scale | None = None
    problem: str | None = None


@dataclass(frozen=True)
class _Path:
    """How far an initializer was followed, to the output `name`. use : the operation that uses it, if one was met."""

    name: str
    is_transposed: bool = False
    zero: str | None = None
    scale: Scale | None = None
    role: Role | None = None
    use: Node | None = None


class Graph:
    """shapes : of the initializers, by name."""

    def __init__(self, nodes: Iterable[Node], shapes: Mapping[str, tuple[int, ...]]) -> None:
        self._shapes = shapes
        self._maker: dict[str, Node] = {}
        self._users: dict[str, list[tuple[Node, int]]] = defaultdict(list)
        for node in nodes:
            self._maker |= dict.fromkeys(node.outputs, node)
            for position, name in enumerate(node.inputs):
                self._users[name].append((node, position))

    def find_use(self, name: str, needs_scale: bool) -> Use | None:
        """The use of an initializer with two axes: one with a scale, if it needs that, and a lookup before a product."""
        users = self._users.get(name, ())
        packed = next((node for node, position in users if _PACKED.get(node.operation) == position), None)
        if packed is not None:
            return Use("other", packed, problem=f"its numbers are packed in blocks ({packed.operation})")
        if len(self._shapes[name]) != 2:
            return None
        found: list[_Path] = []
        pending, n_steps = deque([_Path(name)]), 0
        while pending and n_steps < MAX_STEPS:
            path = pending.popleft()
            if path.use is not None:
                found.append(path)
                if path.scale is not None or not needs_scale:
                    continue
            for node, position in self._users.get(path.name, ())[: MAX_STEPS - n_steps]:
                n_steps += 1
                if node.outputs and (further := self._follow(path, node, position, self._shapes[name], needs_scale)) is not None:
                    pending.append(further)
        if not found:
            return None
        path = min(found, key=lambda path: (needs_scale and path.scale is None, path.role != "embedding"))
        assert path.use is not None and path.role is not None
        bias = self._find_bias(path, self._shapes[name][0 if path.is_transposed else 1])
        return Use(path.role, path.use, path.is_transposed, bias, path.scale)

    def _follow(self, path: _Path, node: Node, position: int, shape: tuple[int, ...], needs_scale: bool) -> _Path | None:
        """The path through one operation; None where it hands on something else."""
        out = replace(path, name=node.outputs[0])
        if node.operation in _HANDING_ON:
            return out if position == 0 else None
        if node.operation == "Transpose" and path.use is None:
            return replace(out, is_transposed=not path.is_transposed) if node.integers.get("perm", [1, 0]) == [1, 0] else None
        if node.operation in ("DequantizeLinear", "Sub", "Mul"):
            return self._follow_scale(path, out, node, position, shape) if needs_scale and path.scale is None else None
        return self._use(out, node, position, shape) if path.use is None else None

    def _follow_scale(self, path: _Path, out: _Path, node: Node, position: int, shape: tuple[int, ...]) -> _Path | None:
        """The path through an operation that brings in the scale or the zero point."""
        if node.operation == "DequantizeLinear":
            axis = 1 if path.use is not None else _integer(node, "axis", 1) % 2 ^ path.is_transposed
            scale = (
                None if position or _integer(node, "block_size") else self._scale(_input(node, 1), _input(node, 2), axis, shape)
            )
            return replace(out, scale=scale) if scale is not None else None
        if len(node.inputs) != 2:
            return None
        origin, is_looked_up = self._origin(node.inputs[1 - position])
        if node.operation == "Sub":
            return replace(out, zero=origin) if origin is not None and position == 0 else None
        scale = self._scale(origin, path.zero, self._axis_of_factor(path, origin, is_looked_up), shape)
        return replace(out, scale=scale) if scale is not None else None

    def _axis_of_factor(self, path: _Path, name: str | None, is_looked_up: bool) -> int:
        """The axis of the initializer along which a factor varies that something made of it is multiplied by."""
        if path.role == "embedding":
            return 0 if is_looked_up else 1
        is_of_rows = path.use is None and self._shapes.get(name or "", ())[-1:] == (1,)
        return (0 if is_of_rows else 1) ^ path.is_transposed

    def _use(self, out: _Path, node: Node, position: int, shape: tuple[int, ...]) -> _Path | None:
        used = replace(out, use=node)
        if position in _LOOKUPS.get(node.operation, ()):
            is_of_rows = _integer(node, "axis") in (0, -2) and not out.is_transposed
            return replace(used, role="embedding") if is_of_rows else None
        if node.operation in _SCALED_PRODUCTS:
            kernel, scale, zero = _SCALED_PRODUCTS[node.operation]
            told = self._scale(_input(node, scale), _input(node, zero), 1 ^ out.is_transposed, shape)
            return replace(used, role="kernel", scale=told) if position == kernel else None
        if node.operation == "MatMulInteger":
            return replace(used, role="kernel", zero=_input(node, 3)) if position == 1 else None
        if node.operation not in _PRODUCTS or position > 1:
            return None
        is_turned = bool(_integer(node, "transB" if position else "transA"))
        is_lookup = position == 1 and self._is_one_hot(node.inputs[0])
        return replace(
            used, role="embedding" if is_lookup else "kernel", is_transposed=out.is_transposed ^ is_turned ^ (position == 0)
        )

    def _scale(self, name: str | None, zero: str | None, axis: int, shape: tuple[int, ...]) -> Scale | None:
        """None where the numbers that are told of do not fit the initializer, or are none."""
        if name is None or name not in self._shapes or (zero is not None and zero not in self._shapes):
            return None
        lengths = {math.prod(self._shapes[factor]) for factor in (name, zero) if factor is not None}
        if not lengths <= {1, shape[axis]}:
            return None
        return Scale(name, zero, axis)

    def _origin(self, name: str) -> tuple[str | None, bool]:
        """The initializer that a factor is, or is made of by taking its numbers as they are; and whether they are looked up."""
        is_looked_up = False
        for _ in range(MAX_STEPS):
            node = self._maker.get(name)
            if name in self._shapes or node is None or not node.inputs:
                break
            is_looked_up |= node.operation == "Gather"
            if node.operation == "Mul":  # of the scale of what is multiplied, and that of the kernel
                name = next((factor for factor in node.inputs if factor in self._shapes), "")
            elif node.operation in _RESHAPING or node.operation == "Gather":
                name = node.inputs[0]
            else:
                break
        return (name if name in self._shapes else None), is_looked_up

    def _find_bias(self, path: _Path, n_outputs: int) -> str | None:
        """What is added to a product: by the operation itself, or by one behind it."""
        if path.use is None or path.use.operation in _LOOKUPS:
            return None
        own = _PRODUCTS.get(path.use.operation)
        added = [_input(path.use, own)] if own is not None else []
        added += [
            node.inputs[1 - position]
            for node, position in self._users.get(path.name, ())[:MAX_STEPS]
            if node.operation in _ADDING and len(node.inputs) == 2
        ]
        origins = (self._origin(name)[0] for name in added if name is not None)
        return next((name for name in origins if name is not None and self._is_bias(name, n_outputs)), None)

    def _is_bias(self, name: str, n_outputs: int) -> bool:
        shape = self._shapes[name]
        return math.prod(shape) == n_outputs and shape[-1:] == (n_outputs,)

    def _is_one_hot(self, name: str) -> bool:
        for _ in range(MAX_STEPS):
            node = self._maker.get(name)
            if node is None or node.operation != "Cast" or not node.inputs:
                return node is not None and node.operation in _ONE_HOT
            name = node.inputs[0]
        return False


def _input(node: Node, position: int) -> str | None:
    """An input that may be left out."""
    return node.inputs[position] or None if position < len(node.inputs) else None


def _integer(node: Node, attribute: str, default: int = 0) -> int:
    """An attribute that may be left out; one without a value is 0."""
    values = node.integers.get(attribute, [default]) or [0]
    return values[0] - (1 << 64) if values[0] >> 63 else values[0]
