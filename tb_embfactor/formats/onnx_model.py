"""What a file of ONNX holds: the operations of a graph, and its initializers (tensors), with the places of their numbers.

    model: graph (7), opset_import (8)      graph: node (1), initializer (5), sparse_initializer (15)
    node: input (1), output (2), name (3), op_type (4), attribute (5)
    tensor: dims (1), data_type (2), name (8), raw_data (9); or float_data (4), int32_data (5) …; or external_data (13)

The graphs inside of operations (the branches of `If`) are read with the one around them: they use its initializers.

    https://github.com/onnx/onnx/blob/main/onnx/onnx.proto
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

import ml_dtypes
import numpy as np

from tb_embfactor.errors import DamagedError, IncompleteError, UnsupportedError
from tb_embfactor.formats.wire_format import BYTES, Field, Wire
from tb_embfactor.sources import Source

MAX_FIELDS = 500_000
MAX_BYTES = 64 << 20
MAX_DEPTH = 8
MAX_AXES = 64
MAX_DIMENSION = 1 << 62
MAX_VARINT_BYTES = 16 << 20

DTYPES: dict[int, np.dtype] = {
    code: np.dtype(kind)
    for code, kind in {
        1: np.float32, 2: np.uint8, 3: np.int8, 4: np.uint16, 5: np.int16, 6: np.int32, 7: np.int64, 9: np.bool_, 10: np.float16,
        11: np.float64, 12: np.uint32, 13: np.uint64, 16: ml_dtypes.bfloat16, 17: ml_dtypes.float8_e4m3fn,
        18: ml_dtypes.float8_e4m3fnuz, 19: ml_dtypes.float8_e5m2, 20: ml_dtypes.float8_e5m2fnuz, 24: ml_dtypes.float8_e8m0fnu,
    }.items()
}  # fmt: skip
TYPE_NAMES = {8: "text", 14: "complex64", 15: "complex128", 21: "uint4", 22: "int4", 23: "float4_e2m1", 25: "uint2", 26: "int2"}

_GRAPH, _OPSETS = 7, 8
_NODE, _INITIALIZER, _SPARSE = 1, 5, 15
_INPUT, _OUTPUT, _NAME, _OPERATION, _ATTRIBUTE = 1, 2, 3, 4, 5
_ATTRIBUTE_NAME, _INTEGER, _TENSOR, _INNER, _INTEGERS, _INNERS = 1, 3, 5, 6, 8, 11
_DIMS, _TYPE, _SEGMENT, _TENSOR_NAME, _RAW, _EXTERNAL, _LOCATION = 1, 2, 3, 8, 9, 13, 14
_AS_THEY_LIE = {4: 1, 10: 11}  # fields of packed numbers of a fixed size, and the type that they are of
_VARINTS = (5, 7, 11)


class Node(NamedTuple):
    """An operation. integers : its attributes that are whole numbers, or lists of them."""

    operation: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    name: str
    integers: Mapping[str, list[int]]


@dataclass(frozen=True)
class Initializer:
    """A tensor. At most one of the next three tells where its numbers are.

    span : first byte and number of bytes in the file. varints : the same, of numbers that have to be decoded.
    external : what is told of another file: `location`, `offset`, `length`.
    """

    name: str
    shape: tuple[int, ...]
    type_code: int
    span: tuple[int, int] | None = None
    varints: tuple[int, int] | None = None
    external: Mapping[str, str] = field(default_factory=dict)
    problem: str | None = None


@dataclass
class Model:
    """nodes : those of inner graphs behind the one that holds them. initializers : by name, with the constants of `Constant`."""

    nodes: list[Node] = field(default_factory=list)
    initializers: dict[str, Initializer] = field(default_factory=dict)


def read_model(source: Source) -> Model:
    if source.size == 0:
        raise IncompleteError("file_incomplete", path=source.name, what="it is empty")
    if source.read_at(0, 1) != b"\x08":  # the version, which every writer puts first
        raise UnsupportedError("file_foreign", path=source.name, expected="a model of ONNX", got="it does not begin as one")
    return _Parser(source).read()


class _Parser:
    def __init__(self, source: Source) -> None:
        self._source, self._wire, self._model = source, Wire(source, MAX_FIELDS, MAX_BYTES), Model()

    def read(self) -> Model:
        found = set()
        for part in self._wire.fields(0, self._source.size):
            found.add(part.number)
            if part.number == _GRAPH and part.kind == BYTES:
                self._read_graph(part, 0)
        if _GRAPH not in found or _OPSETS not in found:  # both are demanded of every model, the graph first
            raise IncompleteError("file_incomplete", path=self._source.name, what="it ends before all of its graph is told")
        return self._model

    def _read_graph(self, graph: Field, depth: int) -> None:
        if depth > MAX_DEPTH:
            raise DamagedError("file_damaged", path=self._source.name, what=f"its graphs lie more than {MAX_DEPTH} deep")
        for part in self._wire.fields(graph.start, graph.stop):
            if part.kind != BYTES:
                continue
            if part.number == _NODE:
                self._read_node(part, depth)
            elif part.number == _INITIALIZER:
                self._add(self._read_tensor(part), depth)
            elif part.number == _SPARSE:
                values = next((inner for inner in self._wire.fields(part.start, part.stop) if inner.number == 1), None)
                if values is not None and values.kind == BYTES:
                    name = self._read_tensor(values).name
                    self._add(Initializer(name, (0, 0), 0, problem="it is sparse"), depth)

    def _add(self, tensor: Initializer, depth: int) -> None:
        """Names are unique in a graph and what encloses it; two inner graphs may use one."""
        known = self._model.initializers.setdefault(tensor.name, tensor)
        if known is not tensor and depth == 0:
            what = f"two of its tensors are called {tensor.name[:100]}"
            raise DamagedError("file_damaged", path=self._source.name, what=what)

    def _read_node(self, node: Field, depth: int) -> None:
        texts: dict[int, list[str]] = {_INPUT: [], _OUTPUT: [], _NAME: [], _OPERATION: []}
        integers: dict[str, list[int]] = {}
        graphs: list[Field] = []
        tensors: list[Field] = []
        for part in self._wire.fields(node.start, node.stop):
            if part.kind != BYTES:
                continue
            if part.number in texts:
                texts[part.number].append(self._wire.text(part))
            elif part.number == _ATTRIBUTE:
                name, values = "", list[int]()
                for inner in self._wire.fields(part.start, part.stop):
                    if inner.number == _ATTRIBUTE_NAME and inner.kind == BYTES:
                        name = self._wire.text(inner)
                    elif inner.number in (_INTEGER, _INTEGERS):
                        values += self._wire.integers(inner)
                    elif inner.kind == BYTES and inner.number in (_INNER, _INNERS):
                        graphs.append(inner)
                    elif inner.kind == BYTES and inner.number == _TENSOR:
                        tensors.append(inner)
                integers[name] = values
        operation = "".join(texts[_OPERATION][-1:])
        outputs = tuple(texts[_OUTPUT])
        self._model.nodes.append(Node(operation, tuple(texts[_INPUT]), outputs, "".join(texts[_NAME][-1:]), integers))
        if operation == "Constant" and len(tensors) == len(outputs) == 1:
            self._add(self._read_tensor(tensors[0], outputs[0]), depth)
        for graph in graphs:
            self._read_graph(graph, depth + 1)

    def _read_tensor(self, tensor: Field, name: str = "") -> Initializer:
        """A tensor; what it calls itself goes before `name`, unless that is empty."""
        dims: list[int] = []
        type_code, is_external = 0, False
        places: list[Field] = []
        external: dict[str, str] = {}
        problem = None
        for part in self._wire.fields(tensor.start, tensor.stop):
            if part.number == _DIMS:
                dims += self._wire.integers(part)
            elif part.number == _TYPE:
                type_code = part.value
            elif part.number == _TENSOR_NAME and part.kind == BYTES:
                name = name or self._wire.text(part)
            elif part.number == _RAW or part.number in _AS_THEY_LIE or part.number in _VARINTS:
                places.append(part)
            elif part.number == _EXTERNAL and part.kind == BYTES:
                pair = {inner.number: self._wire.text(inner) for inner in self._wire.fields(part.start, part.stop)}
                external[pair.get(1, "")] = pair.get(2, "")
            elif part.number == _LOCATION:
                is_external = part.value == 1
            elif part.number == _SEGMENT:
                problem = "it is cut into segments"
        if len(dims) > MAX_AXES or any(not 0 <= length <= MAX_DIMENSION for length in dims):
            return Initializer(name, (0, 0), type_code, problem=f"its shape makes no sense ({str(dims)[:80]})")
        return _place(Initializer(name, tuple(dims), type_code, problem=problem), external if is_external else {}, places)


def _place(tensor: Initializer, external: Mapping[str, str], places: list[Field]) -> Initializer:
    """The same tensor with where its numbers are."""
    told = (tensor.name, tensor.shape, tensor.type_code)
    if tensor.problem is not None:
        return tensor
    if external:
        return Initializer(*told, external=external)
    if len(places) != 1 or places[0].kind != BYTES:
        is_empty = 0 in tensor.shape and not places
        return Initializer(*told, span=(0, 0)) if is_empty else Initializer(*told, problem="its numbers do not lie side by side")
    (place,) = places
    span = place.start, place.stop - place.start
    if place.number == _RAW or _AS_THEY_LIE.get(place.number) == tensor.type_code:
        return Initializer(*told, span=span)
    if place.number in _VARINTS and span[1] <= MAX_VARINT_BYTES:
        return Initializer(*told, varints=span)
    return Initializer(*told, problem="its numbers are written in a way that is not read")
