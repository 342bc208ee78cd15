"""Models of ONNX: the initializers of a graph as matrices.

What an initializer is to its layer comes from the graph (see `onnx_graph`). Numbers of 8 bits are read as what they stand for, by
the scale that the graph gives them.
"""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import replace

import numpy as np

from tb_embfactor.formats import Folder, MatrixInfo
from tb_embfactor.formats.onnx_graph import Graph, Use
from tb_embfactor.formats.onnx_model import DTYPES, Initializer, Model, read_model
from tb_embfactor.formats.onnx_numbers import Numbers, ScaledTensor, Unreadable
from tb_embfactor.formats.parameters import tell_skipped
from tb_embfactor.formats.state_dict import Matrices, layer_of
from tb_embfactor.formats.steps import step_in_path
from tb_embfactor.formats.stored import FileTensors, Tensor, only_our_errors

_ANONYMOUS = re.compile(r"onnx::\w+|val_\d+|\d+")
_Used = tuple[Initializer, Use | None]


def open_reader(folder: Folder, name: str) -> OnnxReader:
    with only_our_errors(folder.confinement.show(folder.path / name)), ExitStack() as opened:
        numbers = Numbers(folder, name, opened)
        reader = OnnxReader(numbers, _find_matrices(read_model(numbers.file), numbers))
        reader.opened = opened.pop_all()
        return reader


class OnnxReader(FileTensors):
    """See `tb_embfactor.formats.Reader`. opened : the files to be closed."""

    opened: ExitStack

    def __init__(self, numbers: Numbers, found: Matrices) -> None:
        super().__init__(numbers.file.name, found.matrices, found.vectors)
        self._paths = numbers.paths
        self.matrices, self.skipped = tuple(found.infos), tuple(found.skipped)
        self.step = step_in_path(self._paths[0])
        self.wall_time = os.stat(self._paths[0]).st_mtime

    def close(self) -> None:
        self.opened.close()


def _find_matrices(model: Model, numbers: Numbers) -> Matrices:
    """Every initializer with two axes once, tables first, then in the order of their use."""
    used = _find_uses(model)
    names = _names(used)
    found = Matrices()
    reasons: dict[str, list[str]] = {}
    places: dict[object, int] = {}
    for tensor, use in used:
        name, place = names[tensor.name], (numbers.place(tensor), use is not None and use.is_transposed)
        if place in places:
            first = found.infos[places[place]]
            found.infos[places[place]] = replace(first, aliases=(*first.aliases, name))
            continue
        try:
            info, matrix = _open(name, tensor, use, model, numbers)
            if info.bias is not None:
                found.vectors[info.bias] = numbers.open(model.initializers[info.bias])
        except Unreadable as reason:
            reasons.setdefault(str(reason), []).append(name)
        else:
            places[place] = len(found.infos)
            found.add(info, matrix)
    found.skipped = tell_skipped(reasons, numbers.file.name)
    return found


def _open(name: str, tensor: Initializer, use: Use | None, model: Model, numbers: Numbers) -> tuple[MatrixInfo, Tensor]:
    stored_name = tensor.name if tensor.name != name else None
    if use is None:
        plain = numbers.open(tensor)
        return MatrixInfo(name, plain.shape, plain.dtype.name, "other", layer=layer_of(name), stored_name=stored_name), plain
    if use.problem is not None:
        raise Unreadable(use.problem)
    stored = numbers.open(tensor)
    turned = stored.transposed() if use.is_transposed else stored
    matrix: Tensor = turned
    if use.scale is not None:
        scale = numbers.open(model.initializers[use.scale.name])
        zero = numbers.open(model.initializers[use.scale.zero]) if use.scale.zero is not None else None
        matrix = ScaledTensor(turned, scale, zero, use.scale.axis ^ use.is_transposed)
    elif _is_whole(tensor):
        raise Unreadable("its numbers are whole, and no scale for them was found in the graph")
    layer = layer_of(use.node.name.strip("/").replace("/", ".")) or layer_of(name)
    return MatrixInfo(name, matrix.shape, matrix.dtype.name, use.role, use.bias, layer, stored_name=stored_name), matrix


def _find_uses(model: Model) -> list[_Used]:
    """The initializers that may be matrices of a layer, each with its use."""
    graph = Graph(model.nodes, {name: tensor.shape for name, tensor in model.initializers.items()})
    order = {id(node): number for number, node in enumerate(model.nodes)}
    used: list[_Used] = []
    for tensor in model.initializers.values():
        dtype = DTYPES.get(tensor.type_code)
        use = graph.find_use(tensor.name, needs_scale=_is_whole(tensor) or (dtype is not None and dtype.itemsize == 1))
        if use is None:
            is_matrix = not _is_whole(tensor) and len(tensor.shape) == 2 and min(tensor.shape) > 1
        else:  # wide whole numbers without a scale are indices
            is_matrix = use.scale is not None or not _is_whole(tensor) or dtype is None or dtype in (np.int8, np.uint8)
        if is_matrix:
            used.append((tensor, use))
    scales = {use.scale.name for _, use in used if use is not None and use.scale is not None}
    ranks = {tensor.name: (use.role != "embedding", order[id(use.node)]) for tensor, use in used if use is not None}
    shown = (pair for pair in used if pair[0].name not in scales)
    return sorted(shown, key=lambda pair: ranks.get(pair[0].name, (True, len(order))))


def _is_whole(tensor: Initializer) -> bool:
    dtype = DTYPES.get(tensor.type_code)
    return dtype is None or dtype.kind in "iub"


def _names(used: Sequence[_Used]) -> dict[str, str]:
    """What each initializer is called: as it is stored, or, where PyTorch's exporter has numbered it, after its module.

    That stands in the name of the operation that uses it (`/encoder/query/MatMul`), or of its bias (`encoder.query.bias`).
    """
    names: dict[str, str] = {}
    taken = {tensor.name for tensor, _ in used}
    for tensor, use in used:
        name = tensor.name.removesuffix("_quantized")
        if use is not None and _ANONYMOUS.fullmatch(name):
            module = use.node.name.strip("/").rpartition("/")[0].replace("/", ".") or (use.bias or "").rpartition(".")[0]
            name = f"{module}.weight" if module else name
        names[tensor.name] = tensor.name if name in taken else name
        taken.add(name)
    return names
