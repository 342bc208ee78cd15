"""HDF5 files: the datasets in them by path, and the attributes that are text. What the rest of this room reads of HDF5.

Why not h5py: libhdf5 crashes and hangs on damaged files. Why not pyfive: a damaged file of 240 KB can take it 1 GB, it brings
39 MB of codecs, and it does not read what `libver="latest"` means since HDF5 2.0. So what is read is what h5py writes, strictly:
both layouts of groups, and numbers in one piece or in chunks with h5py's own filters. An object that several names lead to is
listed under the first; links that lead elsewhere are not followed. What cannot be read is listed with the reason why.
"""

from __future__ import annotations

import math
import struct
from dataclasses import dataclass, field

import ml_dtypes
import numpy as np

from tb_embfactor.formats.hdf5_chunks import ChunkedTensor, ChunkLayout
from tb_embfactor.formats.hdf5_dense import UNDEFINED
from tb_embfactor.formats.hdf5_structure import EXTERNAL, FILTER, LAYOUT, MAX_PATH_LENGTH, SPACE, TYPE, Message, Structure
from tb_embfactor.formats.stored import Piece, StoredTensor, Tensor
from tb_embfactor.sources import Source

_COMPACT, _CONTIGUOUS, _CHUNKED, _VIRTUAL = range(4)
Text = str | tuple[str, ...]

# size, then position and width of the exponent and of the mantissa, and the exponent's bias
_FLOATS = {
    (2, 10, 5, 0, 10, 15): np.dtype(np.float16),
    (4, 23, 8, 0, 23, 127): np.dtype(np.float32),
    (8, 52, 11, 0, 52, 1023): np.dtype(np.float64),
    (2, 7, 8, 0, 7, 127): np.dtype(ml_dtypes.bfloat16),
}


@dataclass(frozen=True)
class Dataset:
    """An array: its numbers as a matrix if it has at most two axes, or the problem why they cannot be read."""

    shape: tuple[int, ...]
    dtype: np.dtype | None
    tensor: Tensor | None = None
    problem: str | None = None


@dataclass
class Contents:
    """What a file holds, by path without a leading slash.

    attributes : those that are text, a string or several. links : paths that lead elsewhere.
    """

    datasets: dict[str, Dataset] = field(default_factory=dict)
    attributes: dict[str, dict[str, Text]] = field(default_factory=dict)
    links: list[str] = field(default_factory=list)


def read_contents(source: Source) -> Contents:
    """List a whole file. Cost: its structure is read once, in small reads; no numbers are."""
    structure, contents = Structure(source), Contents()
    pending = [("", structure.root)]
    while pending:
        path, address = pending.pop()
        if structure.is_known(address):
            continue
        messages = structure.read_object(address)
        attributes = dict(_parse_attribute(structure, data) for data in structure.attribute_messages(messages))
        contents.attributes[path] = {name: text for name, text in attributes.items() if text is not None}
        if any(message.kind == LAYOUT for message in messages):
            contents.datasets[path] = _parse_dataset(structure, path, messages, contents.attributes[path])
            continue
        names = set[str]()
        for name, child in structure.links(messages):
            if not name or "/" in name or name in names or len(path) + len(name) >= MAX_PATH_LENGTH:
                raise structure.damaged(f"its group {path or '/'} has an entry without a name of its own")
            names.add(name)
            below = f"{path}/{name}".lstrip("/")
            if child is None:
                contents.links.append(below)
            else:
                pending.append((below, child))
    return contents


def _parse_dataset(structure: Structure, path: str, messages: list[Message], attributes: dict[str, Text]) -> Dataset:
    by_kind = {message.kind: message for message in messages}
    if not {SPACE, TYPE} <= by_kind.keys():
        raise structure.damaged(f"{path} has no shape or no type")
    shape, limits = _parse_shape(by_kind[SPACE].data)
    dtype, swapped = (None, False) if by_kind[TYPE].is_shared else _parse_type(by_kind[TYPE].data, attributes)
    layout = by_kind[LAYOUT]
    version, kind = layout.data[0], layout.data[1]
    problem = None
    if dtype is None:
        problem = "its values are not numbers of a type that is read"
    elif EXTERNAL in by_kind:
        problem = "its numbers lie in another file"
    elif kind == _VIRTUAL:
        problem = "it is put together from other datasets"
    elif version not in (3, 4, 5) or kind > _VIRTUAL:
        problem = "it is stored in a way that is not known here"
    if problem or dtype is None or len(shape) > 2:
        return Dataset(shape, dtype, problem=problem)
    if kind == _CHUNKED:
        chunks = ChunkLayout.parse(layout.data, by_kind[FILTER].data if FILTER in by_kind else None, limits)
        if problem := chunks.problem(shape, dtype.itemsize):
            return Dataset(shape, dtype, problem=problem)
        return Dataset(shape, dtype, ChunkedTensor(structure, path, chunks, shape, dtype, swapped))
    if kind == _COMPACT:  # the numbers lie in the header itself
        offset, size = layout.offset + 4, struct.unpack_from("<H", layout.data, 2)[0]
    else:
        offset, size = struct.unpack_from("<2Q", layout.data, 2)
    n_bytes = math.prod(shape) * dtype.itemsize
    if n_bytes and offset == UNDEFINED:
        problem = "its numbers were never written"
    elif n_bytes and size != n_bytes:
        problem = f"its size of {size} bytes does not fit its shape"
    elif n_bytes and offset + n_bytes > structure.end:
        problem = f"it lies at byte {offset}, past the end of its file"
    if problem:
        return Dataset(shape, dtype, problem=problem)
    extent = ((*shape, 1, 1)[0], (*shape, 1, 1)[1])
    return Dataset(
        shape, dtype, StoredTensor(dtype, extent, [Piece(structure.source, offset if n_bytes else 0, extent)], swapped)
    )


def _parse_attribute(structure: Structure, data: bytes) -> tuple[str, Text | None]:
    """Name and value; None for a value that is not text of at most one axis."""
    version, flags, n_name, n_type, n_space = struct.unpack_from("<BB3H", data)
    position, unit = (9 if version == 3 else 8), (8 if version == 1 else 1)
    parts = []
    for n_bytes in (n_name, n_type, n_space):
        parts.append(data[position : position + n_bytes])
        position += -(-n_bytes // unit) * unit
    name, kind, space = parts
    label = name.rstrip(b"\0").decode()
    is_shared = version > 1 and flags & 1
    if version not in (1, 2, 3) or not kind or is_shared or len(shape := _parse_shape(space)[0]) > 1:
        return label, None
    value, (width,) = data[position:], struct.unpack_from("<I", kind, 4)
    starts = range(0, min(math.prod(shape) * width, len(value)), width or 1)
    if kind[0] & 0x0F == 3:  # strings of fixed length
        texts = [value[at : at + width] for at in starts]
    elif kind[0] & 0x0F == 9 and kind[1] & 0x0F == 1:  # strings of variable length
        places = [struct.unpack_from("<IQI", value, at) for at in starts]
        texts = [structure.heap_object(heap, number)[:n_bytes] for n_bytes, heap, number in places]
    else:
        return label, None
    decoded = [text.rstrip(b"\0").decode() for text in texts]
    return label, tuple(decoded) if shape else decoded[0]


def _parse_shape(data: bytes) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """The shape, and the one that it may grow to."""
    version, rank, has_limits = data[0], data[1], data[2] & 1
    sizes = struct.unpack_from(f"<{rank * (1 + has_limits)}Q", data, 8 if version == 1 else 4)
    return sizes[:rank], sizes[rank:] or sizes


def _parse_type(data: bytes, attributes: dict[str, Text]) -> tuple[np.dtype | None, bool]:
    """The numpy type in native byte order, and whether the bytes lie the other way round."""
    kind, bits, size = data[0] & 0x0F, data[1], struct.unpack_from("<I", data, 4)[0]
    swapped = bool(bits & 1) and size > 1
    if kind == 0 and size in (1, 2, 4, 8):
        offset, precision = struct.unpack_from("<HH", data, 8)
        return (np.dtype(f"{'i' if bits & 8 else 'u'}{size}") if (offset, precision) == (0, 8 * size) else None), swapped
    if kind == 1 and not bits & 0x40:
        return _FLOATS.get((size, *struct.unpack_from("<4BI", data, 12))), swapped
    if kind == 5 and size == 2 and attributes.get("dtype") == "bfloat16":  # as Keras writes a type that HDF5 does not know
        return np.dtype(ml_dtypes.bfloat16), False
    return None, False
