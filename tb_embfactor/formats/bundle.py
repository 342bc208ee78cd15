"""TensorFlow's tensor bundle, the storage under every checkpoint of TensorFlow: `PREFIX.index` and `PREFIX.data-0000i-of-0000n`.

The index is a LevelDB table. Its empty key holds the header, every other key the entry of a tensor: type, shape, data file,
position, size and checksum. A partitioned variable has one entry that lists its slices, and one for each slice, under a key
made of its name and extent. This module knows tensors; what they mean is told by `tf_bundle`.
"""

from __future__ import annotations

import itertools
import math
import os
import struct
from collections import Counter
from collections.abc import Iterable
from typing import Any

import google_crc32c
import ml_dtypes
import numpy as np

from tb_embfactor.errors import DamagedError, IncompleteError, ReadError, UnsupportedError
from tb_embfactor.formats import Folder, bundle_protos
from tb_embfactor.formats.leveldb_table import read_table
from tb_embfactor.formats.stored import Checksum, Piece, StoredTensor, mask_crc
from tb_embfactor.sources import FileSource, stat_fingerprint

MAX_SHARDS = 10_000
MAX_DIMENSION = 1 << 48

_STRING = 7
_DTYPES = {
    1: np.float32, 2: np.float64, 3: np.int32, 4: np.uint8, 5: np.int16, 6: np.int8, 9: np.int64, 17: np.uint16,
    19: np.float16, 22: np.uint32, 23: np.uint64, 14: ml_dtypes.bfloat16, 24: ml_dtypes.float8_e5m2,
    25: ml_dtypes.float8_e4m3fn, 26: ml_dtypes.float8_e4m3fnuz, 27: ml_dtypes.float8_e4m3b11fnuz, 28: ml_dtypes.float8_e5m2fnuz,
}  # fmt: skip


class Bundle:
    """An open bundle: its tensors by name.

    shapes : of every tensor with a known number of axes, slices merged.
    """

    def __init__(self, folder: Folder, name: str) -> None:
        self._folder, self._name = folder, name
        self._shards: dict[int, FileSource] = {}
        try:
            with folder.open(f"{name}.index") as index:
                self.path = index.name
                table = read_table(index)
            self._read_entries(table)
            self._open_shards()
        except BaseException:
            self.close()
            raise

    def _read_entries(self, table: dict[bytes, bytes]) -> None:
        protos = bundle_protos.load()
        header = protos.Header.FromString(table.pop(b"", b""))
        if not 0 < header.num_shards <= MAX_SHARDS:
            raise self._damaged(f"its header tells of {header.num_shards} data files")
        self._n_shards, self._is_big_endian = header.num_shards, header.endianness == 1
        self._entries = {key: protos.Entry.FromString(value) for key, value in table.items()}
        self._crc = google_crc32c.value(b"".join(table.values()))
        self.shapes: dict[str, tuple[int, ...]] = {}
        for key, entry in self._entries.items():
            shape = tuple(dimension.size for dimension in entry.shape.dim)
            if any(not 0 <= size <= MAX_DIMENSION for size in shape):
                raise self._damaged(f"the shape of {_show(key)} is {shape}")
            if not key.startswith(b"\0") and not entry.shape.unknown_rank:
                self.shapes[key.decode()] = shape

    def _open_shards(self) -> None:
        """Open the data files. Fail if none is there, or if one is cut off: too short for the sizes of all its tensors together
        and for the end of the last one. If it is too short for one of these only, single entries are wrong.
        """
        total, last = Counter[int](), Counter[int]()
        for entry in self._entries.values():
            if _size(entry) in (None, entry.size) and entry.size >= 0 and not entry.slices:
                total[entry.shard_id] += entry.size
                last[entry.shard_id] = max(last[entry.shard_id], entry.offset + entry.size)
        missing: ReadError | None = None
        self._used_shards = sorted(number for number in total if 0 <= number < self._n_shards)
        for number in self._used_shards:
            try:
                shard = self._shards[number] = self._folder.open(self._shard_name(number))
            except IncompleteError as error:
                missing = missing or error
                continue
            if shard.size < min(total[number], last[number]):
                what = "the tensors that the index lists"
                raise IncompleteError("file_truncated", path=shard.name, size=shard.size, needed=last[number], what=what)
        if missing and not self._shards:
            raise missing

    def _shard_name(self, number: int) -> str:
        return f"{self._name}.data-{number:05d}-of-{self._n_shards:05d}"

    def tensor(self, name: str) -> StoredTensor:
        """A tensor of numbers with at most two axes; UnsupportedError says why this one cannot be read."""
        entry, shape = self._entries[name.encode()], self.shapes[name]
        if entry.dtype not in _DTYPES:
            raise self._skip(name, f"its values are of the type {_type_name(entry.dtype)}, which is not read")
        dtype = np.dtype(_DTYPES[entry.dtype])
        n_rows, n_columns = (*shape, 1, 1)[:2]
        if entry.slices:
            pieces = list(self._slices(name, entry, shape))
        else:
            pieces = [self._piece(name, entry, (n_rows, n_columns), (0, 0))]
        tensor = StoredTensor(dtype, (n_rows, n_columns), pieces, swapped=self._is_big_endian and dtype.itemsize > 1)
        if not tensor.is_tiled():
            raise self._skip(name, "its slices overlap or leave gaps")
        return tensor

    def _slices(self, name: str, whole: Any, shape: tuple[int, ...]) -> Iterable[Piece]:
        for part in whole.slices:
            # As TensorFlow writes keys: a full extent is (0, -1), whatever its length.
            extents = [(extent.start, extent.length if extent.HasField("length") else -1) for extent in part.extent]
            entry = self._entries.get(_slice_key(name, extents))
            if entry is None or len(extents) != len(shape) or entry.dtype != whole.dtype:
                raise self._skip(name, "one of its slices is not in the index")
            lengths = [size if length < 0 else length for (_, length), size in zip(extents, shape, strict=True)]
            if lengths != [dimension.size for dimension in entry.shape.dim]:
                raise self._skip(name, "one of its slices has another shape than the index tells")
            n_rows, n_columns = (*lengths, 1)[:2]
            row, column = (*(start for start, _ in extents), 0)[:2]
            yield self._piece(name, entry, (n_rows, n_columns), (row, column))

    def _piece(self, name: str, entry: Any, shape: tuple[int, int], corner: tuple[int, int]) -> Piece:
        shard = self._shards.get(entry.shard_id)
        if shard is None:
            raise self._skip(name, f"its data file {self._shard_name(entry.shard_id)} is not there")
        if entry.size != _size(entry):
            raise self._skip(name, f"its size of {entry.size} bytes does not fit its shape")
        if not 0 <= entry.offset <= shard.size - entry.size:
            raise self._skip(name, f"it lies at byte {entry.offset}, past the end of its data file")
        return Piece(shard, entry.offset, shape, corner, Checksum(entry.crc32c, google_crc32c.extend, mask_crc))

    def checksum(self, name: str) -> str:
        """Of the numbers of a tensor, from the index."""
        entry = self._entries[name.encode()]
        if not entry.slices:
            return f"{entry.crc32c:08x}"
        crcs = [piece.checksum.value for piece in self.tensor(name).pieces if piece.checksum is not None]
        return f"{google_crc32c.value(struct.pack(f'<{len(crcs)}I', *crcs)):08x}"

    def read_integer(self, name: str) -> int | None:
        """A scalar count; None where there is none that makes sense."""
        if self.shapes.get(name) != ():
            return None
        try:
            value = self.tensor(name).read_rows(0, 1)[0, 0]
        except UnsupportedError:
            return None
        return int(value) if 0 <= value < 1 << 53 else None

    def has_rows(self, name: str, n_rows: int) -> bool:
        """Whether there is a tensor of that many rows, and it can be read."""
        try:
            return self.tensor(name).shape[0] == n_rows and len(self.shapes[name]) > 0
        except (KeyError, UnsupportedError):
            return False

    def read_strings(self, name: str, limit: int) -> list[bytes] | None:
        """A tensor of strings of at most `limit` bytes together; None where there is none of that name and type.

        Stored as the lengths (varints), the checksum of the lengths, and the bytes one after another; the checksum in the entry
        is of the lengths as uint32 and the other two.
        """
        entry = self._entries.get(name.encode())
        if entry is None or entry.dtype != _STRING or entry.slices:
            return None
        if entry.size > limit:
            size = f"{entry.size} bytes"
            raise UnsupportedError("file_too_large", path=self.path, what=name, size=size, limit=f"{limit} bytes")
        shard = self._shards.get(entry.shard_id)
        if shard is None:
            raise IncompleteError("file_missing", path=self._shard_name(entry.shard_id))
        data = shard.read_at(entry.offset, entry.size)
        lengths, position = _varints(data, math.prod(self.shapes[name]))
        position += 4
        if len(data) != position + sum(lengths):
            raise DamagedError("file_damaged", path=shard.name, what=f"the size of {name} does not fit")
        crc = google_crc32c.value(struct.pack(f"{'>' if self._is_big_endian else '<'}{len(lengths)}I", *lengths))
        if mask_crc(google_crc32c.extend(crc, data[position - 4 :])) != entry.crc32c:
            raise DamagedError("file_damaged", path=shard.name, what=f"the checksum of {name} does not fit")
        ends = list(itertools.accumulate(lengths, initial=position))
        return [data[start:end] for start, end in itertools.pairwise(ends)]

    def fingerprint(self) -> str:
        states = [stat_fingerprint(os.stat(self._folder.path / f"{self._name}.index"))]
        for number in self._used_shards:
            path = self._folder.path / self._shard_name(number)
            was_missing = number not in self._shards
            states.append("missing" if was_missing and not path.exists() else stat_fingerprint(os.stat(path)))
        return "|".join([*states, f"{self._crc:08x}"])

    def close(self) -> None:
        for shard in self._shards.values():
            shard.close()

    def _damaged(self, what: str) -> DamagedError:
        return DamagedError("file_damaged", path=self.path, what=what)

    def _skip(self, name: str, reason: str) -> UnsupportedError:
        return UnsupportedError("tensor_skipped", tensor=name, path=self.path, reason=reason)


def _size(entry: Any) -> int | None:
    """How many bytes an entry should have; None where it does not hold numbers."""
    dtype = _DTYPES.get(entry.dtype)
    return math.prod(dimension.size for dimension in entry.shape.dim) * np.dtype(dtype).itemsize if dtype else None


def _type_name(number: int) -> str:
    from tensorboard.compat.proto.types_pb2 import DataType

    return DataType.Name(number).removeprefix("DT_").lower() if number in DataType.values() else f"number {number}"


def _varints(data: bytes, n_values: int) -> tuple[list[int], int]:
    """The first `n_values` unsigned integers, seven bits a byte, lowest first; and where they end."""
    values, position = [], 0
    for _ in range(min(n_values, len(data))):
        value = shift = 0
        while (byte := data[position]) >= 0x80 and shift < 28:
            value |= (byte & 0x7F) << shift
            shift, position = shift + 7, position + 1
        values.append(value | byte << shift)
        position += 1
    return values, position


def _show(key: bytes) -> str:
    return key.decode(errors="backslashreplace")[:200]


def _slice_key(name: str, extents: list[tuple[int, int]]) -> bytes:
    """The key of a slice: zero, name, number of axes, and start and length by axis, in an encoding that sorts as they do."""
    escaped = name.encode().replace(b"\0", b"\0\xff").replace(b"\xff", b"\xff\0") + b"\0\1"
    numbers = b"".join(_ordered_integer(value) for extent in extents for value in extent)
    return _ordered_count(0) + escaped + _ordered_count(len(extents)) + numbers


def _ordered_count(value: int) -> bytes:
    """An unsigned integer: how many bytes it takes, then the bytes."""
    n_bytes = (value.bit_length() + 7) // 8
    return bytes([n_bytes]) + value.to_bytes(n_bytes, "big")


def _ordered_integer(value: int) -> bytes:
    """A signed integer: as many leading bits as it takes bytes, zeros if negative, then its two's complement."""
    magnitude = ~value if value < 0 else value
    n_bytes = magnitude.bit_length() // 7 + 1
    mark = (0xFFFF << (16 - n_bytes)) & 0xFFFF
    if n_bytes == 1:
        return bytes([(mark >> 8 ^ value) & 0xFF])
    data = bytearray(value.to_bytes(max(n_bytes, 2), "big", signed=True))
    data[0] ^= mark >> 8
    data[1] ^= mark & 0xFF
    return bytes(data)
