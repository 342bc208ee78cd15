"""Datasets of an HDF5 file that are stored in chunks: where the chunks lie, and rows out of them.

A chunked dataset is cut into equal boxes, each packed by a chain of filters. What lists the boxes depends on the version of
HDF5 and on how the dataset may grow: a version 1 tree (the classic layout), nothing at all, a *fixed array*, or a version 2 tree.
A chunk is unpacked when one of its rows is asked for, and the last ones are kept, so that a pass unpacks each chunk once.
"""

from __future__ import annotations

import math
import struct
from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from tb_embfactor.errors import UnsupportedError
from tb_embfactor.formats.hdf5_dense import UNDEFINED, tree_records
from tb_embfactor.formats.hdf5_filters import name_unknown, parse_filters, unpack
from tb_embfactor.formats.hdf5_structure import CHECKSUM_BYTES, Structure
from tb_embfactor.formats.stored import check_rows, decode

MAX_CHUNK_BYTES = 64 << 20
MAX_CHUNKS = 1 << 20
KEPT_BYTES = 32 << 20

_TREE_1, _SINGLE, _IN_A_ROW, _FIXED_ARRAY, _EXTENSIBLE_ARRAY, _TREE_2 = range(6)  # from 1 on as the file numbers them
_N_DETAILS = {_FIXED_ARRAY: 1, _EXTENSIBLE_ARRAY: 5, _TREE_2: 6}  # bytes between the kind of an index and its address

_Place = tuple[tuple[int, ...], int, int, int]  # which chunk (by axis), address, stored bytes, a bit for each filter left out


@dataclass(frozen=True)
class ChunkLayout:
    """What the header of a chunked dataset tells.

    box : the sides of a chunk. limits : the shape that the dataset may grow to.
    alone : stored bytes and left out filters of a single chunk.
    """

    box: tuple[int, ...]
    limits: tuple[int, ...]
    index: int
    address: int
    filters: tuple[int, ...]
    alone: tuple[int, int] | None = None

    @classmethod
    def parse(cls, layout: bytes, filters: bytes | None, limits: tuple[int, ...]) -> ChunkLayout:
        """From the messages of an object header. The last side that they tell is the size of a number."""
        chain = parse_filters(filters) if filters else ()
        if layout[0] == 3:
            n_sides, address = struct.unpack_from("<BQ", layout, 2)
            return cls(struct.unpack_from(f"<{n_sides}I", layout, 11)[:-1], limits, _TREE_1, address, chain)
        flags, n_sides, width = layout[2:5]
        end = 5 + n_sides * width
        box = tuple(int.from_bytes(layout[at : at + width], "little") for at in range(5, end - width, width))
        index = layout[end]
        alone = struct.unpack_from("<QI", layout, end + 1) if index == _SINGLE and flags & 2 else None
        (address,) = struct.unpack_from("<Q", layout, end + 1 + (12 if alone else _N_DETAILS.get(index, 0)))
        return cls(box, limits, index, address, chain, alone)

    def grid(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        """How many chunks there are along each axis."""
        return tuple(-(-size // side) for size, side in zip(shape, self.box, strict=True))

    def problem(self, shape: tuple[int, ...], itemsize: int) -> str | None:
        """Why a dataset of this layout cannot be read."""
        if unknown := name_unknown(self.filters):
            return f"it is packed by a filter that is not read ({unknown})"
        if self.index == _EXTENSIBLE_ARRAY:
            return "it may grow, and how libver='latest' lists the chunks of such a dataset is not read"
        if self.index > _TREE_2 or len(self.box) != len(shape) or not all(self.box):
            return "its chunks do not fit its shape"
        n_bytes, n_chunks = math.prod(self.box) * itemsize, math.prod(self.grid(shape))
        if n_bytes > MAX_CHUNK_BYTES:
            return f"its chunks have {n_bytes} bytes each, and the limit is {MAX_CHUNK_BYTES}"
        return f"it has {n_chunks} chunks, and the limit is {MAX_CHUNKS}" if n_chunks > MAX_CHUNKS else None


class ChunkedTensor:
    """See `tb_embfactor.formats.stored.Tensor`. The chunks are looked up when the first row is read."""

    def __init__(
        self, structure: Structure, path: str, layout: ChunkLayout, shape: tuple[int, ...], dtype: np.dtype, swapped: bool
    ) -> None:
        self._structure, self._path, self._layout, self._swapped = structure, path, layout, swapped
        self.dtype = dtype
        self.shape = (*shape, 1)[0], (*shape, 1)[1]
        self._height, self._width = (*layout.box, 1)[:2]
        self._grid = layout.grid(shape)
        self._chunk_bytes = self._height * self._width * dtype.itemsize
        self._places: np.ndarray | None = None
        self._kept: OrderedDict[tuple[int, int], np.ndarray] = OrderedDict()

    def read_rows(self, start: int, stop: int) -> np.ndarray:
        check_rows(self.shape[0], start, stop)
        rows = np.empty((stop - start, self.shape[1]), self.dtype)
        for down in range(start // self._height, -(-stop // self._height)):
            top = down * self._height
            first, last = max(start, top), min(stop, top + self._height)
            for across in range(-(-self.shape[1] // self._width)):
                into = rows[first - start : last - start, across * self._width : (across + 1) * self._width]
                into[:] = self._chunk(down, across)[first - top : last - top, : into.shape[1]]
        return rows

    def _chunk(self, down: int, across: int) -> np.ndarray:
        place = down, across
        if place not in self._kept:
            self._kept[place] = self._unpack(place)
            while len(self._kept) > 1 and len(self._kept) * self._chunk_bytes > KEPT_BYTES:
                self._kept.popitem(last=False)
        self._kept.move_to_end(place)
        return self._kept[place]

    def _unpack(self, place: tuple[int, int]) -> np.ndarray:
        if self._places is None:
            self._places = self._look_up()
        address, n_stored, skipped = self._places[place[: len(self._grid)]].tolist()
        source = self._structure.source
        if address == UNDEFINED:
            reason = "not all of its numbers were written"
            raise UnsupportedError("tensor_skipped", tensor=self._path, path=source.name, reason=reason)
        is_plausible = n_stored <= 2 * self._chunk_bytes + 1024  # no filter makes a chunk that much larger
        data = source.read_at(address, n_stored) if is_plausible else b""
        unpacked = unpack(data, self._layout.filters, skipped, self._chunk_bytes, self.dtype.itemsize)
        if unpacked is None:
            raise self._structure.damaged(f"a chunk of {self._path} does not unpack to its size")
        return decode(unpacked, self.dtype, self._swapped).reshape(self._height, self._width)

    def _look_up(self) -> np.ndarray:
        """Where each chunk lies, in the shape of the grid."""
        places = np.zeros(self._grid, [("address", "<u8"), ("n_stored", "<u8"), ("skipped", "<u4")])
        places["address"] = UNDEFINED
        find = (self._in_tree_1, self._single, self._in_a_row, self._in_fixed_array, self._in_a_row, self._in_tree_2)
        for place, *where in find[self._layout.index]() if self._layout.address != UNDEFINED else ():
            if any(not 0 <= at < n for at, n in zip(place, self._grid, strict=True)):
                raise self._structure.damaged(f"a chunk of {self._path} lies outside of it")
            places[place] = tuple(where)
        return places

    def _in_tree_1(self) -> Iterator[_Place]:
        box = self._layout.box
        for key, address in self._structure.tree_entries(self._layout.address, kind=1, key_bytes=16 + 8 * len(box)):
            n_stored, skipped, *corner = struct.unpack_from(f"<2I{len(box)}Q", key)
            yield tuple(at // side for at, side in zip(corner, box, strict=True)), address, n_stored, skipped

    def _single(self) -> Iterator[_Place]:
        yield (0,) * len(self._grid), self._layout.address, *(self._layout.alone or (self._chunk_bytes, 0))

    def _in_a_row(self) -> Iterator[_Place]:
        for number, place in self._numbered(MAX_CHUNKS):
            yield place, self._layout.address + number * self._chunk_bytes, self._chunk_bytes, 0

    def _in_fixed_array(self) -> Iterator[_Place]:
        """A header, and a block of entries; many of them in pages that end in a checksum, with a bit for each page before."""
        structure, address = self._structure, self._layout.address
        structure.visit(address)
        signature, is_filtered, n_entry, page_bits, n_entries, block = struct.unpack("<4sxBBBQQ", structure.read(address, 24))
        structure.visit(block)
        n_page = 1 << page_bits if n_entries > 1 << page_bits else n_entries
        if signature != b"FAHD" or n_entry < 8 or structure.read(block, 4) != b"FADB" or not 0 < n_entries <= MAX_CHUNKS:
            raise structure.damaged(f"the chunks of {self._path} are not listed where its header says")
        n_pages = -(-n_entries // n_page)
        start = block + 14 + (-(-n_pages // 8) + CHECKSUM_BYTES if n_pages > 1 else 0)
        for number, place in self._numbered(n_entries):
            page, within = divmod(number, n_page)
            entry = structure.read(start + page * (n_page * n_entry + CHECKSUM_BYTES) + within * n_entry, n_entry)
            yield place, *self._entry(entry, bool(is_filtered))

    def _in_tree_2(self) -> Iterator[_Place]:
        rank = len(self._grid)
        for record in tree_records(self._structure, self._layout.address):
            place = struct.unpack_from(f"<{rank}Q", record, len(record) - 8 * rank)
            yield place, *self._entry(record[: len(record) - 8 * rank], bool(self._layout.filters))

    def _numbered(self, limit: int) -> Iterator[tuple[int, tuple[int, ...]]]:
        """The chunks there are, each with its number among those that there may be."""
        sides = self._layout.grid(self._layout.limits)
        strides = [math.prod(sides[axis + 1 :]) for axis in range(len(sides))]
        for number in range(min(limit, math.prod(sides))):
            place = tuple(number // stride % side for stride, side in zip(strides, sides, strict=True))
            if all(at < n for at, n in zip(place, self._grid, strict=True)):
                yield number, place

    def _entry(self, entry: bytes, is_filtered: bool) -> tuple[int, int, int]:
        """An address, and for a filtered chunk its size, which takes what is left, and the filters that were left out."""
        address = int.from_bytes(entry[:8], "little")
        if not is_filtered:
            return address, self._chunk_bytes, 0
        return address, int.from_bytes(entry[8:-4], "little"), int.from_bytes(entry[-4:], "little")
