"""Fractal heaps and version 2 trees of an HDF5 file, where the newer layout keeps the names and attributes of large groups.

A *fractal heap* is a growing file within the file, whose blocks double in size; what lies in it is named by its position.
A *version 2 tree* lists what lies in a heap, and is also used for the chunks of datasets that grow in two directions.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tb_embfactor.formats.hdf5_structure import Structure

UNDEFINED = 0xFFFF_FFFF_FFFF_FFFF
_MAX_DEPTH = 8  # more than a tree in a file of any size has


def dense_objects(structure: Structure, heap: int, tree: int, heap_id_at: int) -> Iterator[bytes]:
    """The objects in a heap that a tree lists. heap_id_at : where in its records the names of the objects are."""
    objects = FractalHeap(structure, heap)
    for record in tree_records(structure, tree):
        yield objects.read(record[heap_id_at : heap_id_at + objects.id_bytes])


def tree_records(structure: Structure, header: int) -> Iterator[bytes]:
    """The records of a version 2 tree, in no order that counts."""
    structure.visit(header)
    fields = struct.unpack("<4s2xIHH2xQH", structure.read(header, 26))
    signature, node_bytes, record_bytes, depth, root, n_root = fields
    if signature != b"BTHD" or node_bytes <= 10 or not 0 < record_bytes <= node_bytes or depth > _MAX_DEPTH:
        raise structure.damaged(f"there is no tree at byte {header}")
    # A reference to a child tells how many records it has, and from the second level up how many lie below, in as many
    # bytes as the largest possible number takes.
    most = (node_bytes - 10) // record_bytes
    n_count, below = _n_bytes(most), most
    pointers = [0]
    for level in range(1, depth + 1):
        pointers.append(8 + n_count + (_n_bytes(below) if level > 1 else 0))
        most = (node_bytes - 10 - pointers[level]) // (record_bytes + pointers[level])
        below = (most + 1) * below + most
    pending = [(root, n_root, depth)] if root != UNDEFINED else []
    while pending:
        node, n_records, level = pending.pop()
        structure.visit(node)
        data = structure.read(node, node_bytes)
        width = pointers[level]
        if data[:4] != (b"BTIN" if level else b"BTLF") or 6 + n_records * record_bytes + (n_records + 1) * width > node_bytes:
            raise structure.damaged(f"there is no node of a tree at byte {node}")
        yield from (data[6 + k * record_bytes :][:record_bytes] for k in range(n_records))
        children = data[6 + n_records * record_bytes :]
        for k in range(n_records + 1 if level else 0):
            child = children[k * width : (k + 1) * width]
            pending.append((struct.unpack_from("<Q", child)[0], int.from_bytes(child[8 : 8 + n_count], "little"), level - 1))


class FractalHeap:
    """A heap of objects named by where they lie in it. Not read: filtered heaps, and objects too large to lie in its blocks."""

    def __init__(self, structure: Structure, address: int) -> None:
        structure.visit(address)
        self._structure = structure
        head = structure.read(address, 142)
        signature, self.id_bytes, n_filter, most_managed = struct.unpack_from("<4sxHHxI", head)
        width, start, most, self._offset_bits, self._root, self._n_rows = struct.unpack_from("<HQQH2xQH", head, 110)
        if signature != b"FRHP" or not 0 < self._offset_bits <= 64 or not width or not 0 < start <= most:
            raise structure.damaged(f"there is no fractal heap at byte {address}")
        if n_filter:
            raise structure.unsupported("a heap of its names is compressed")
        self._width, self._start, self._most = width, start, most
        self._length_bytes = min((most.bit_length() + 6) // 8, _n_bytes(most_managed))

    def read(self, identity: bytes) -> bytes:
        kind = identity[0] >> 4 & 3
        if kind == 2:  # so small that it lies in its own name
            return identity[1 : 2 + (identity[0] & 0x0F)]
        if kind == 1:
            raise self._structure.unsupported("a name or an attribute is too large for the heap that it belongs to")
        n_offset = -(-self._offset_bits // 8)
        offset = int.from_bytes(identity[1 : 1 + n_offset], "little")
        length = int.from_bytes(identity[1 + n_offset : 1 + n_offset + self._length_bytes], "little")
        return self._structure.read(self._locate(offset), length)

    def _locate(self, offset: int) -> int:
        """The address of a byte of the heap: rows of `width` blocks, two of the start size, then each of twice the size."""
        block, n_rows = self._root, self._n_rows
        n_head, row_bytes = 13 + -(-self._offset_bits // 8), self._start * self._width
        while n_rows:
            row = (offset // row_bytes).bit_length()
            size = self._start << max(0, row - 1)
            row_start = row_bytes << row - 1 if row else 0
            column = (offset - row_start) // size
            if row >= n_rows:
                break
            entry = block + n_head + 8 * (row * self._width + column)
            block, offset = struct.unpack("<Q", self._structure.read(entry, 8))[0], offset - row_start - column * size
            # Rows of blocks larger than any direct one hold heaps of their own, of as many rows as make up that size.
            n_rows = (size // row_bytes).bit_length() if size > self._most else 0
        else:
            if block != UNDEFINED:
                return int(block + offset)
        raise self._structure.damaged("a name or an attribute lies outside of its heap")


def _n_bytes(largest: int) -> int:
    """How many bytes a number up to `largest` takes."""
    return (largest.bit_length() + 7) // 8
