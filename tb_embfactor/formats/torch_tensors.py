"""Tensors in a pickle of PyTorch: what each would be built from, and where its numbers lie.

A tensor is a call of `torch._utils._rebuild_tensor_v2` or one of its relatives, with a storage, a position in it, sizes and
strides. The storage is a reference: ("storage", its class, its key, the device, how many numbers it has). None of that is
believed unless the numbers it speaks of are there.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Protocol

import ml_dtypes
import numpy as np

from tb_embfactor.formats.parameters import Parameter, Shape
from tb_embfactor.formats.pickle_machine import Node, Reference, Symbol
from tb_embfactor.formats.stored import Checksum, Piece, StoredTensor
from tb_embfactor.sources import Source

MAX_AXES = 64
_MAX_WRAPPERS = 8

DTYPES: dict[str, np.dtype] = {
    "float64": np.dtype(np.float64), "float32": np.dtype(np.float32), "float16": np.dtype(np.float16),
    "bfloat16": np.dtype(ml_dtypes.bfloat16), "float8_e5m2": np.dtype(ml_dtypes.float8_e5m2),
    "float8_e4m3fn": np.dtype(ml_dtypes.float8_e4m3fn), "float8_e5m2fnuz": np.dtype(ml_dtypes.float8_e5m2fnuz),
    "float8_e4m3fnuz": np.dtype(ml_dtypes.float8_e4m3fnuz), "float8_e8m0fnu": np.dtype(ml_dtypes.float8_e8m0fnu),
    "int64": np.dtype(np.int64), "int32": np.dtype(np.int32), "int16": np.dtype(np.int16), "int8": np.dtype(np.int8),
    "uint64": np.dtype(np.uint64), "uint32": np.dtype(np.uint32), "uint16": np.dtype(np.uint16),
    "uint8": np.dtype(np.uint8), "bool": np.dtype(np.bool_),
}  # fmt: skip
_TYPE_OF_STORAGE = {
    "DoubleStorage": "float64", "FloatStorage": "float32", "HalfStorage": "float16", "BFloat16Storage": "bfloat16",
    "LongStorage": "int64", "IntStorage": "int32", "ShortStorage": "int16", "CharStorage": "int8", "ByteStorage": "uint8",
    "BoolStorage": "bool", "ComplexDoubleStorage": "complex128", "ComplexFloatStorage": "complex64",
    "QInt8Storage": "qint8", "QUInt8Storage": "quint8", "QInt32Storage": "qint32", "QUInt4x2Storage": "quint4x2",
}  # fmt: skip
_ITEMSIZES = {name: dtype.itemsize for name, dtype in DTYPES.items()} | {
    "complex128": 16, "complex64": 8, "qint8": 1, "quint8": 1, "qint32": 4, "quint4x2": 1,
}  # fmt: skip
_REBUILT = {"_rebuild_tensor": 4, "_rebuild_tensor_v2": 6, "_rebuild_tensor_v3": 7}  # how many arguments it needs
_KINDS = {
    "_rebuild_qtensor": "it is quantized",
    "_rebuild_sparse_tensor": "it is sparse",
    "_rebuild_sparse_csr_tensor": "it is sparse",
    "_rebuild_nested_tensor": "it is nested",
    "_rebuild_meta_tensor_no_storage": "it was saved without its numbers (device meta)",
}


@dataclass(frozen=True)
class Storage:
    """The bytes of one or more tensors. checksum : of all of them, where there is one."""

    source: Source
    n_bytes: int
    checksum: Checksum | None = None


class Storages(Protocol):
    """The storages of a file by the keys that its pickle gives them; None where there is none."""

    def find(self, key: str) -> Storage | None: ...


class _Senseless(Exception):  # noqa: N818
    """A tensor contradicts itself or the file; the text says how."""


def read_tensor(value: Any, storages: Storages, is_big_endian: bool = False) -> Parameter | None:
    """The tensor that a pickled value is; None if it is something else."""
    node = _unwrap(value)
    if node is None:
        return None
    if node.callee.name not in _REBUILT:
        problem = _KINDS.get(node.callee.name, f"it is of a kind that is not read ({node.callee.name})")
        return Parameter((sizes_of(node.args[2]) if len(node.args) > 2 else None) or (0, 0), problem=problem)
    try:
        shape, strides, offset = _extent(node)
    except _Senseless as problem:
        return Parameter((0, 0), problem=str(problem))
    try:
        return _stored(node, shape, strides, offset, storages, is_big_endian) if len(shape) <= 2 else Parameter(shape)
    except _Senseless as problem:
        return Parameter(shape, problem=str(problem))


def _extent(node: Node) -> tuple[Shape, Shape, int]:
    """Sizes, strides and position in the storage."""
    if len(node.args) < _REBUILT[node.callee.name]:
        raise _Senseless("it lacks what it should be built from")
    _, offset, sizes, strides = node.args[:4]
    shape, steps = sizes_of(sizes), sizes_of(strides)
    if shape is None or steps is None or len(shape) != len(steps) or type(offset) is not int or offset < 0:
        raise _Senseless("its sizes and strides make no sense")
    return shape, steps, offset


def _stored(node: Node, shape: Shape, strides: Shape, offset: int, storages: Storages, is_big_endian: bool) -> Parameter:
    type_name, key, n_bytes = _storage_of(node.args[0], node.args[6] if node.callee.name == "_rebuild_tensor_v3" else None)
    if type_name not in DTYPES:
        raise _Senseless(f"its numbers are of the type {type_name}, which is not read")
    storage, dtype = storages.find(key), DTYPES[type_name]
    if storage is None:
        raise _Senseless(f"its storage {key[:40]!r} is not in the file")
    if storage.n_bytes != n_bytes:
        raise _Senseless(f"its storage has {storage.n_bytes} bytes, not the {n_bytes} that the pickle tells of")
    piece = _piece(storage, offset, shape, strides, dtype.itemsize)
    tensor = StoredTensor(dtype, (piece.n_rows, piece.n_columns), [piece], is_big_endian and dtype.itemsize > 1)
    checksum = None
    if storage.checksum is not None and math.prod(shape) * dtype.itemsize == n_bytes:
        checksum = f"{storage.checksum.value:08x}{'t' if piece.by_columns else ''}"
    return Parameter(shape, tensor, place=(key, offset, strides), checksum=checksum)


def _unwrap(value: Any) -> Node | None:
    """The call that makes a tensor, inside of those that make it a parameter or a subclass; None if there is none."""
    for _ in range(_MAX_WRAPPERS):
        if not isinstance(value, Node) or not isinstance(value.callee, Symbol) or not isinstance(value.args, tuple):
            return None
        module, name = value.callee
        if name in ("_rebuild_parameter", "_rebuild_parameter_with_state") and value.args:
            value = value.args[0]
        elif name == "_rebuild_from_type_v2" and len(value.args) > 2:
            value = Node(value.args[0], value.args[2])
        else:
            return value if module.split(".")[0] == "torch" and name.startswith("_rebuild_") else None
    return None


def storage_key(reference: Reference) -> tuple[str, int] | None:
    """The key of the storage that is referred to, and how many bytes one of its numbers has; None if it is something else."""
    told = reference.id
    if not isinstance(told, tuple) or len(told) < 5 or not isinstance(told[1], Symbol) or not isinstance(told[2], str):
        return None
    type_name = _TYPE_OF_STORAGE.get(told[1].name, told[1].name)
    return told[2], _ITEMSIZES.get(type_name, 1)


def _storage_of(reference: Any, dtype: Any) -> tuple[str, str, int]:
    """Type of the numbers, key of the storage and how many bytes it should have."""
    found = storage_key(reference) if isinstance(reference, Reference) else None
    if found is None or type(reference.id[4]) is not int:
        raise _Senseless("it refers to no storage")
    kind = dtype if isinstance(dtype, Symbol) else reference.id[1]
    return _TYPE_OF_STORAGE.get(kind.name, kind.name), found[0], reference.id[4] * found[1]


def _piece(storage: Storage, offset: int, shape: Shape, strides: Shape, itemsize: int) -> Piece:
    """Where the numbers lie, as rows or columns of equal distance."""
    n_rows, n_columns = (*shape, 1, 1)[:2]
    row_stride, column_stride = (*strides, 1, 1)[:2]
    if 0 in shape:
        return Piece(storage.source, 0, (n_rows, n_columns))
    last = offset + (n_rows - 1) * row_stride + (n_columns - 1) * column_stride
    if (last + 1) * itemsize > storage.n_bytes:
        raise _Senseless(f"it reaches up to number {last}, past the end of its storage")
    is_by_rows = (column_stride == 1 or n_columns == 1) and (row_stride >= n_columns or n_rows == 1)
    is_by_columns = (row_stride == 1 or n_rows == 1) and (column_stride >= n_rows or n_columns == 1)
    if not is_by_rows and not is_by_columns:
        what = "its rows share numbers" if min(strides) < 1 or 1 in strides else "its numbers do not lie side by side"
        raise _Senseless(f"{what} (strides {strides[0]} and {strides[-1]})")
    is_whole = n_rows * n_columns * itemsize == storage.n_bytes
    return Piece(
        storage.source,
        offset * itemsize,
        (n_rows, n_columns),
        checksum=storage.checksum if is_whole and is_by_rows else None,
        stride=max(row_stride, n_columns) if is_by_rows else max(column_stride, n_rows),
        by_columns=not is_by_rows,
    )


def sizes_of(value: Any) -> Shape | None:
    """Sizes or strides as a tensor has them; None if they make no sense."""
    if isinstance(value, Node) and isinstance(value.args, tuple) and len(value.args) == 1:  # torch.Size
        value = value.args[0]
    is_sizes = isinstance(value, tuple | list) and len(value) <= MAX_AXES
    return tuple(value) if is_sizes and all(type(size) is int and 0 <= size < 1 << 62 for size in value) else None
