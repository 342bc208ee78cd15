"""The structure of an HDF5 file below its datasets: object headers, groups, heaps and trees, of the classic and the newer layout.

Every walk is bounded, for a file under a log directory may come from anybody: no address of a header, node or heap is visited
twice, nothing recurses, and all structure together may take `MAX_STRUCTURE_BYTES`.

An object header is a list of messages. The classic layout (HDF5's default) keeps the names of a group in a tree of nodes with a
heap of names beside it. The newer one (`libver="latest"`, `track_order=True`) keeps them as messages, and when there are many in
a heap of their own (`hdf5_dense`). Attributes lie in the same two places. All this is told by the HDF5 File Format Specification,
version 3, levels 0 to 2.
"""

from __future__ import annotations

import struct
from collections import deque
from collections.abc import Iterator
from typing import NamedTuple

from tb_embfactor.errors import DamagedError, IncompleteError, UnsupportedError
from tb_embfactor.formats.hdf5_dense import UNDEFINED, dense_objects
from tb_embfactor.sources import Source

SIGNATURE = b"\x89HDF\r\n\x1a\n"
MAX_STRUCTURE_BYTES = 32 << 20
MAX_PATH_LENGTH = 1024
CHECKSUM_BYTES = 4  # at the end of whatever the newer layout introduced; the classic one has none, so none is verified
_READ_COST_BYTES = 64  # what a read takes at least, so that many tiny ones count

SPACE, LINK_INFO, TYPE, LINK, EXTERNAL, LAYOUT, FILTER = 0x01, 0x02, 0x03, 0x06, 0x07, 0x08, 0x0B
ATTRIBUTE, SYMBOL_TABLE, ATTRIBUTE_INFO = 0x0C, 0x11, 0x15
_CONTINUATION = 0x10
_SOFT_LINK = 2  # in the cache field of a classic entry


class Message(NamedTuple):
    """One message of an object header. offset : where its data lies in the file."""

    kind: int
    is_shared: bool
    data: bytes
    offset: int


class Link(NamedTuple):
    """An entry of a group. address : of an object header; None for what leads elsewhere (soft and external links)."""

    name: str
    address: int | None


class Structure:
    """root : the address of the root group's object header. end : of the file, as it states itself."""

    def __init__(self, source: Source) -> None:
        self.source, self._budget = source, MAX_STRUCTURE_BYTES
        self._visited: set[int] = set()
        self._heaps: dict[int, dict[int, bytes]] = {}
        self.end = source.size
        self.root = self._read_superblock()

    def read(self, address: int, n_bytes: int) -> bytes:
        self._budget -= max(n_bytes, _READ_COST_BYTES)
        if self._budget < 0:
            limit = f"{MAX_STRUCTURE_BYTES} bytes"
            raise UnsupportedError("file_too_large", path=self.source.name, what="its structure", size="larger", limit=limit)
        if address + n_bytes > self.end:
            raise self.damaged(f"its structure refers to byte {address}, past its end")
        return self.source.read_at(address, n_bytes)

    def is_known(self, address: int) -> bool:
        return address in self._visited

    def visit(self, address: int) -> None:
        if address in self._visited:
            raise self.damaged(f"the structure at byte {address} is referred to twice")
        self._visited.add(address)

    def damaged(self, what: str) -> DamagedError:
        return DamagedError("file_damaged", path=self.source.name, what=what)

    def unsupported(self, what: str) -> UnsupportedError:
        return UnsupportedError("file_unsupported", path=self.source.name, what=what, next="Save the model again with Keras 3.")

    def _read_superblock(self) -> int:
        source = self.source
        if source.size < len(SIGNATURE) or source.read_at(0, len(SIGNATURE)) != SIGNATURE:
            got = "it does not start with the mark of one"
            raise UnsupportedError("file_foreign", path=source.name, expected="an HDF5 file", got=got)
        if source.size < 96:
            what = "the head of an HDF5 file"
            raise IncompleteError("file_truncated", path=source.name, size=source.size, needed=96, what=what)
        head = source.read_at(0, 96)
        version = head[8]
        if version > 3:
            raise self.unsupported(f"it is of a version of HDF5 that is not known here (superblock {version})")
        if head[9:11] != b"\x08\x08" if version > 1 else head[13:15] != b"\x08\x08":
            raise self.unsupported("its addresses do not have 8 bytes")
        if version > 1:
            base, _, end, root = struct.unpack_from("<4Q", head, 12)
        else:
            base, _, end, _, _, root = struct.unpack_from("<6Q", head, 24 + 4 * version)
        if base != 0:
            raise self.damaged("it does not start at its first byte")
        if end > source.size:
            what = "the end that the file states"
            raise IncompleteError("file_truncated", path=source.name, size=source.size, needed=end, what=what)
        self.end = end
        return int(root)

    # --- objects

    def read_object(self, address: int) -> list[Message]:
        """The messages of an object header."""
        self.visit(address)
        head = self.read(address, 16)
        if head[:4] == b"OHDR":
            return list(self._newer_messages(address))
        if head[0] != 1:
            raise self.damaged(f"there is no object header at byte {address}")
        return list(self._classic_messages(address, struct.unpack_from("<I", head, 8)[0]))

    def _classic_messages(self, address: int, size: int) -> Iterator[Message]:
        chunks = deque([(address + 16, size)])
        while chunks:
            start, n_bytes = chunks.popleft()
            yield from self._split(start, self.read(start, n_bytes), struct.Struct("<HHB3x"), chunks)

    def _newer_messages(self, address: int) -> Iterator[Message]:
        version, flags = self.read(address, 6)[4:]
        if version != 2:
            raise self.unsupported(f"it has object headers of version {version}")
        width = 1 << (flags & 3)
        position = address + 6 + (16 if flags & 0x20 else 0) + (4 if flags & 0x10 else 0)
        size = int.from_bytes(self.read(position, width), "little")
        head = struct.Struct("<BHB2x" if flags & 0x04 else "<BHB")
        chunks = deque([(position + width, size)])
        yield from self._split(position + width, self.read(*chunks.popleft()), head, chunks)
        while chunks:
            start, n_bytes = chunks.popleft()
            block = self.read(start, n_bytes)
            if block[:4] != b"OCHK":
                raise self.damaged(f"an object header does not go on at byte {start}")
            yield from self._split(start + 4, block[4:-CHECKSUM_BYTES], head, chunks)

    def _split(self, start: int, block: bytes, head: struct.Struct, chunks: deque[tuple[int, int]]) -> Iterator[Message]:
        position = 0
        while position + head.size <= len(block):
            kind, n_bytes, flags = head.unpack_from(block, position)
            position += head.size
            data = block[position : position + n_bytes]
            if len(data) < n_bytes:
                raise self.damaged(f"a message of the object at byte {start} runs out of it")
            if kind == _CONTINUATION:
                chunk = struct.unpack_from("<2Q", data)
                self.visit(chunk[0])
                chunks.append(chunk)
            else:
                yield Message(kind, bool(flags & 2), data, start + position)
            position += n_bytes

    # --- groups

    def links(self, messages: list[Message]) -> Iterator[Link]:
        """The entries of a group."""
        for kind, _, data, _ in messages:
            if kind == SYMBOL_TABLE:
                yield from self._classic_links(*struct.unpack_from("<2Q", data))
            elif kind == LINK:
                yield self._link(data)
            elif kind == LINK_INFO:
                yield from map(self._link, self._dense(data, 2 + (8 if data[1] & 1 else 0), heap_id_at=4))

    def _classic_links(self, tree: int, heap: int) -> Iterator[Link]:
        self.visit(heap)
        signature, n_names, _, names_at = struct.unpack("<4s4x3Q", self.read(heap, 32))
        if signature != b"HEAP":
            raise self.damaged(f"there is no heap of names at byte {heap}")
        names = self.read(names_at, n_names)
        for node in self.tree_nodes(tree, kind=0, key_bytes=8):
            signature, n_entries = struct.unpack("<4s2xH", self.read(node, 8))
            if signature != b"SNOD":
                raise self.damaged(f"there is no node of a group at byte {node}")
            for name_at, address, cache in struct.iter_unpack("<QQI20x", self.read(node + 8, 40 * n_entries)):
                name = names[name_at : name_at + MAX_PATH_LENGTH].partition(b"\0")[0].decode()
                yield Link(name, None if cache == _SOFT_LINK else address)

    def _link(self, data: bytes) -> Link:
        _, flags = data[:2]
        position = 2
        kind = data[position] if flags & 0x08 else 0
        position += bool(flags & 0x08) + 8 * bool(flags & 0x04) + bool(flags & 0x10)
        width = 1 << (flags & 3)
        n_name = int.from_bytes(data[position : position + width], "little")
        position += width
        name = data[position : position + n_name].decode()
        return Link(name, struct.unpack_from("<Q", data, position + n_name)[0] if kind == 0 else None)

    # --- attributes

    def attribute_messages(self, messages: list[Message]) -> Iterator[bytes]:
        yield from (message.data for message in messages if message.kind == ATTRIBUTE and not message.is_shared)
        for message in messages:
            if message.kind == ATTRIBUTE_INFO:
                yield from self._dense(message.data, 2 + (2 if message.data[1] & 1 else 0), heap_id_at=0)

    def heap_object(self, heap: int, number: int) -> bytes:
        """An object of a global heap, where strings of variable length lie."""
        if heap not in self._heaps:
            signature, size = struct.unpack("<4s4xQ", self.read(heap, 16))
            if signature != b"GCOL":
                raise self.damaged(f"there is no heap at byte {heap}")
            data, objects, position = self.read(heap, size), dict[int, bytes](), 16
            while position + 16 <= size:
                index, n_bytes = struct.unpack_from("<H6xQ", data, position)
                if index == 0:  # the free space, which is last
                    break
                objects[index] = data[position + 16 : position + 16 + n_bytes]
                position += 16 + -(-n_bytes // 8) * 8
            self._heaps[heap] = objects
        return self._heaps[heap].get(number, b"")

    # --- trees

    def tree_nodes(self, root: int, kind: int, key_bytes: int) -> Iterator[int]:
        """The leaves below a version 1 tree: the children of its lowest nodes."""
        for _, child in self.tree_entries(root, kind, key_bytes):
            self.visit(child)
            yield child

    def tree_entries(self, root: int, kind: int, key_bytes: int) -> Iterator[tuple[bytes, int]]:
        """What the lowest nodes of a version 1 tree hold, each as its key and the address that it leads to."""
        pending = [root]
        while pending:
            node = pending.pop()
            self.visit(node)
            signature, found, level, n_children = struct.unpack("<4sBBH", self.read(node, 8))
            if signature != b"TREE" or found != kind:
                raise self.damaged(f"there is no node of the right tree at byte {node}")
            width = key_bytes + 8
            data = self.read(node + 24, width * n_children)
            starts = range(0, len(data), width)
            entries = [(data[at : at + key_bytes], struct.unpack_from("<Q", data, at + key_bytes)[0]) for at in starts]
            if level == 0:
                yield from entries
            else:
                pending += [child for _, child in reversed(entries)]

    def _dense(self, info: bytes, at: int, heap_id_at: int) -> Iterator[bytes]:
        """What an info message says is kept in a fractal heap (links or attributes)."""
        heap, tree = struct.unpack_from("<2Q", info, at)
        return dense_objects(self, heap, tree, heap_id_at) if heap != UNDEFINED else iter(())
