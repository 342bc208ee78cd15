"""The part of HDF5 that Keras writes, read strictly: the classic layout, groups of groups and contiguous datasets.

Why not h5py: libhdf5 crashes and hangs on damaged files. Why not a whole reader in Python: a file under a log directory may
come from anybody, so what is read is little, and every walk is bounded. No address is visited twice, nothing recurses, and
all structure together may take `MAX_STRUCTURE_BYTES`. Links that are not plain entries of a group are refused; datasets that
are not one run of bytes are listed with the reason why they cannot be read.

Structure (see the HDF5 File Format Specification, version 3, levels 0 to 2): a superblock leads to the object header of the
root group. An object header is a list of messages. A group has a "symbol table" message: a B-tree of nodes of entries, each
the position of a name in the group's heap and the address of an object header. A dataset has messages for its shape, type
and place. Attributes are messages, too; their strings lie in a global heap.
"""

from __future__ import annotations

import math
import struct
from collections import deque
from dataclasses import dataclass, field

import ml_dtypes
import numpy as np

from tb_embfactor.errors import DamagedError, IncompleteError, UnsupportedError
from tb_embfactor.sources import Source

SIGNATURE = b"\x89HDF\r\n\x1a\n"
MAX_STRUCTURE_BYTES = 32 << 20
_READ_COST_BYTES = 64  # what a read takes at least, so that many tiny ones count
_MAX_PATH_LENGTH = 1024

_SPACE, _LINK_INFO, _TYPE, _LINK, _EXTERNAL, _LAYOUT, _FILTER = 0x01, 0x02, 0x03, 0x06, 0x07, 0x08, 0x0B
_ATTRIBUTE, _CONTINUATION, _SYMBOL_TABLE = 0x0C, 0x10, 0x11
_SHARED = 0x02
_UNDEFINED = 0xFFFF_FFFF_FFFF_FFFF
_SOFT_LINK = 2
_NEXT = "Save the model again with Keras 3."

# size, then position and width of the exponent and of the mantissa, and the exponent's bias
_FLOATS = {
    (2, 10, 5, 0, 10, 15): np.dtype(np.float16),
    (4, 23, 8, 0, 23, 127): np.dtype(np.float32),
    (8, 52, 11, 0, 52, 1023): np.dtype(np.float64),
    (2, 7, 8, 0, 7, 127): np.dtype(ml_dtypes.bfloat16),
}


@dataclass(frozen=True)
class Dataset:
    """Where an array lies.

    dtype : in native byte order; None where the numbers are not of a type that is read.
    swapped : whether the bytes lie the other way round. problem : why it cannot be read.
    """

    shape: tuple[int, ...]
    dtype: np.dtype | None
    swapped: bool
    offset: int
    problem: str | None


@dataclass
class Contents:
    """What a file holds, by path without a leading slash; only attributes that are single strings."""

    datasets: dict[str, Dataset] = field(default_factory=dict)
    attributes: dict[str, dict[str, str]] = field(default_factory=dict)


def read_contents(source: Source) -> Contents:
    """List a whole file. Cost: its structure is read once, in small reads; no numbers are."""
    return _Walk(source).contents


class _Walk:
    def __init__(self, source: Source) -> None:
        self._source, self._budget = source, MAX_STRUCTURE_BYTES
        self._visited: set[int] = set()
        self._heaps: dict[int, dict[int, bytes]] = {}
        self._end = source.size
        self.contents = Contents()
        pending = [("", self._read_superblock())]
        while pending:
            path, address = pending.pop()
            messages = self._read_object(address)
            attributes = [self._parse_attribute(data) for kind, _, data in messages if kind == _ATTRIBUTE]
            self.contents.attributes[path] = {name: value for name, value in attributes if value is not None}
            kinds = {kind for kind, _, _ in messages}
            if _LAYOUT in kinds:
                self.contents.datasets[path] = self._parse_dataset(path, messages)
            elif _SYMBOL_TABLE in kinds:
                table = next(data for kind, _, data in messages if kind == _SYMBOL_TABLE)
                pending += [(f"{path}/{name}".lstrip("/"), child) for name, child in self._list_group(path, table)]
            elif kinds & {_LINK, _LINK_INFO}:
                raise self._unsupported(f"its group {path or '/'} is of the kind that HDF5 1.8 introduced")

    def _read(self, address: int, n_bytes: int) -> bytes:
        self._budget -= max(n_bytes, _READ_COST_BYTES)
        if self._budget < 0:
            limit = f"{MAX_STRUCTURE_BYTES} bytes"
            raise UnsupportedError("file_too_large", path=self._source.name, what="its structure", size="larger", limit=limit)
        if address + n_bytes > self._end:
            raise self._damaged(f"its structure refers to byte {address}, past its end")
        return self._source.read_at(address, n_bytes)

    def _visit(self, address: int) -> None:
        if address in self._visited:
            raise self._damaged(f"the structure at byte {address} is referred to twice")
        self._visited.add(address)

    def _read_superblock(self) -> int:
        """The address of the root group's object header."""
        source = self._source
        if source.size < 96 or source.read_at(0, 8) != SIGNATURE:
            got = "it does not start with the mark of one"
            raise UnsupportedError("file_foreign", path=source.name, expected="an HDF5 file", got=got)
        head = source.read_at(0, 96)
        version = head[8]
        if version > 1:
            raise self._unsupported(f"it has the newer layout of HDF5 (superblock version {version})")
        if head[13:15] != b"\x08\x08":
            raise self._unsupported("its addresses do not have 8 bytes")
        addresses = 24 + 4 * version
        base, _, end, _ = struct.unpack_from("<4Q", head, addresses)
        (root,) = struct.unpack_from("<Q", head, addresses + 40)
        if base != 0:
            raise self._damaged("it does not start at its first byte")
        if end > source.size:
            what = "the end that the file states"
            raise IncompleteError("file_truncated", path=source.name, size=source.size, needed=end, what=what)
        self._end = end
        return int(root)

    def _read_object(self, address: int) -> list[tuple[int, int, bytes]]:
        """The messages of an object header, as (kind, flags, data)."""
        self._visit(address)
        prefix = self._read(address, 16)
        if prefix[:4] == b"OHDR":
            raise self._unsupported("it has object headers of the newer kind")
        if prefix[0] != 1:
            raise self._damaged(f"there is no object header at byte {address}")
        (size,) = struct.unpack_from("<I", prefix, 8)
        chunks, messages = deque([(address + 16, size)]), []
        while chunks:
            chunk = self._read(*chunks.popleft())
            position = 0
            while position + 8 <= len(chunk):
                kind, n_bytes, flags = struct.unpack_from("<HHB", chunk, position)
                data = chunk[position + 8 : position + 8 + n_bytes]
                position += 8 + n_bytes
                if position > len(chunk):
                    raise self._damaged(f"a message of the object at byte {address} runs out of it")
                if kind == _CONTINUATION:
                    start, n_bytes = struct.unpack_from("<2Q", data)
                    self._visit(start)
                    chunks.append((start, n_bytes))
                else:
                    messages.append((kind, flags, data))
        return messages

    def _list_group(self, path: str, table: bytes) -> list[tuple[str, int]]:
        """The names in a group and the addresses of their object headers."""
        tree, heap = struct.unpack_from("<2Q", table)
        self._visit(heap)
        signature, n_names, _, names_at = struct.unpack("<4s4x3Q", self._read(heap, 32))
        names = self._read(names_at, n_names)
        if signature != b"HEAP":
            raise self._damaged(f"there is no heap of names at byte {heap}")
        found: dict[str, int] = {}
        nodes = [tree]
        while nodes:
            node = nodes.pop()
            self._visit(node)
            signature = self._read(node, 4)
            if signature == b"TREE":
                kind, _, n_children = struct.unpack("<BBH", self._read(node + 4, 4))
                if kind != 0:
                    raise self._damaged(f"the tree at byte {node} is not one of a group")
                keys_and_children = struct.unpack(f"<{2 * n_children}Q", self._read(node + 24, 16 * n_children))
                nodes += keys_and_children[1::2]
            elif signature == b"SNOD":
                _, n_entries = struct.unpack("<HH", self._read(node + 4, 4))
                entries = self._read(node + 8, 40 * n_entries)
                for name_at, address, cache in struct.iter_unpack("<QQI20x", entries):
                    name = names[name_at : name_at + _MAX_PATH_LENGTH].partition(b"\0")[0].decode()
                    if cache == _SOFT_LINK:
                        raise self._unsupported(f"{name} in its group {path or '/'} is a symbolic link")
                    if not name or "/" in name or name in found or len(path) + len(name) >= _MAX_PATH_LENGTH:
                        raise self._damaged(f"its group {path or '/'} has an entry without a name of its own")
                    found[name] = address
            else:
                raise self._damaged(f"there is no node of a group at byte {node}")
        return list(found.items())

    def _parse_dataset(self, path: str, messages: list[tuple[int, int, bytes]]) -> Dataset:
        by_kind = {kind: data for kind, _, data in messages}
        shared = {kind for kind, flags, _ in messages if flags & _SHARED}
        if not {_SPACE, _TYPE} <= by_kind.keys():
            raise self._damaged(f"{path} has no shape or no type")
        shape = _parse_shape(by_kind[_SPACE])
        dtype, swapped = (None, False) if _TYPE in shared else _parse_type(by_kind[_TYPE], self.contents.attributes[path])
        layout = by_kind[_LAYOUT]
        version, kind = layout[0], layout[1]
        problem, offset = None, 0
        if dtype is None:
            problem = "its values are not numbers of a type that is read"
        elif _EXTERNAL in by_kind:
            problem = "its numbers lie in another file"
        elif _FILTER in by_kind:
            problem = "it is compressed"
        elif version not in (3, 4) or kind != 1:
            problem = "it is not stored in one piece"
        else:
            offset, size = struct.unpack_from("<2Q", layout, 2)
            n_bytes = math.prod(shape) * dtype.itemsize
            if n_bytes and offset == _UNDEFINED:
                problem = "its numbers were never written"
            elif n_bytes == 0:
                offset = 0
            elif size != n_bytes:
                problem = f"its size of {size} bytes does not fit its shape"
            elif offset + n_bytes > self._end:
                problem = f"it lies at byte {offset}, past the end of its file"
        return Dataset(shape, dtype, swapped, offset, problem)

    def _parse_attribute(self, data: bytes) -> tuple[str, str | None]:
        """Name and value; None for a value that is not a single string."""
        version, _, n_name, n_type, n_space = struct.unpack_from("<BB3H", data)
        position, unit = (9 if version == 3 else 8), (8 if version == 1 else 1)
        parts = []
        for n_bytes in (n_name, n_type, n_space):
            parts.append(data[position : position + n_bytes])
            position += -(-n_bytes // unit) * unit
        name, kind, space = parts
        value = data[position:]
        text: bytes | None = None
        if version not in (1, 2, 3) or not kind or _parse_shape(space) != ():
            pass
        elif kind[0] & 0x0F == 3:  # a string of fixed length
            text = value[: struct.unpack_from("<I", kind, 4)[0]]
        elif kind[0] & 0x0F == 9 and kind[1] & 0x0F == 1:  # a string of variable length
            n_bytes, heap, number = struct.unpack_from("<IQI", value)
            text = self._read_heap(heap).get(number, b"")[:n_bytes]
        return name.rstrip(b"\0").decode(), None if text is None else text.rstrip(b"\0").decode()

    def _read_heap(self, address: int) -> dict[int, bytes]:
        if address not in self._heaps:
            signature, size = struct.unpack("<4s4xQ", self._read(address, 16))
            if signature != b"GCOL":
                raise self._damaged(f"there is no heap at byte {address}")
            data, heap, position = self._read(address, size), dict[int, bytes](), 16
            while position + 16 <= size:
                number, n_bytes = struct.unpack_from("<H6xQ", data, position)
                if number == 0:  # the free space, which is last
                    break
                heap[number] = data[position + 16 : position + 16 + n_bytes]
                position += 16 + -(-n_bytes // 8) * 8
            self._heaps[address] = heap
        return self._heaps[address]

    def _damaged(self, what: str) -> DamagedError:
        return DamagedError("file_damaged", path=self._source.name, what=what)

    def _unsupported(self, what: str) -> UnsupportedError:
        return UnsupportedError("file_unsupported", path=self._source.name, what=what, next=_NEXT)


def _parse_shape(data: bytes) -> tuple[int, ...]:
    version, rank = data[0], data[1]
    return struct.unpack_from(f"<{rank}Q", data, 8 if version == 1 else 4)


def _parse_type(data: bytes, attributes: dict[str, str]) -> tuple[np.dtype | None, bool]:
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
