"""The filters that pack the chunks of an HDF5 dataset: those that come with every h5py.

What a chunk unpacks to is known before, and nothing is unpacked beyond that size.
"""

from __future__ import annotations

import struct
import zlib

import numpy as np

_DEFLATE, _SHUFFLE, _FLETCHER32, _LZF = 1, 2, 3, 32000
_NOT_READ = {4: "szip", 5: "nbit", 6: "scaleoffset", 32001: "blosc", 32004: "lz4", 32008: "bitshuffle", 32015: "zstd"}
_NAMED = 256  # filters from this number on tell their name
_CHECKSUM_BYTES = 4
_SUMMED_WORDS = 1 << 16  # a block of them, weighted by where they stand, stays below 2**64


def parse_filters(message: bytes) -> tuple[int, ...]:
    """The numbers of the filters, in the order in which they were applied."""
    version, n_filters = message[:2]
    position, found = 8 if version == 1 else 2, []
    for _ in range(n_filters):
        (number,) = struct.unpack_from("<H", message, position)
        n_name = 0
        if version == 1 or number >= _NAMED:
            (n_name,) = struct.unpack_from("<H", message, position + 2)
            position += 2
        (n_values,) = struct.unpack_from("<H", message, position + 4)
        position += 6 + n_name + 4 * n_values
        if version == 1:
            position += -n_name % 8 + 4 * (n_values % 2)
        found.append(number)
    return tuple(found)


def name_unknown(filters: tuple[int, ...]) -> str | None:
    """The first of the filters that is not read."""
    return next((_NOT_READ.get(number, f"number {number}") for number in filters if number not in _UNDO), None)


def unpack(data: bytes, filters: tuple[int, ...], skipped: int, n_bytes: int, itemsize: int) -> bytes | None:
    """Undo the filters, the last one first, but those whose bit is set in `skipped`; None where no `n_bytes` come out."""
    for position, number in reversed(list(enumerate(filters))):
        if not skipped >> position & 1:
            try:
                unpacked = _UNDO[number](data, n_bytes + _CHECKSUM_BYTES, itemsize)
            except (zlib.error, struct.error, IndexError):
                return None
            if unpacked is None:
                return None
            data = unpacked
    return data if len(data) == n_bytes else None


def _inflate(data: bytes, limit: int, itemsize: int) -> bytes | None:
    stream = zlib.decompressobj()
    inflated = stream.decompress(data, limit)
    return inflated if stream.eof else None


def _unshuffle(data: bytes, limit: int, itemsize: int) -> bytes:
    """All first bytes of the numbers, then all second ones, …; what is left over at the end stays as it is."""
    n_whole = len(data) - len(data) % itemsize
    planes = np.frombuffer(data, np.uint8, n_whole).reshape(itemsize, -1)
    return planes.T.tobytes() + data[n_whole:]


def _check_fletcher32(data: bytes, limit: int, itemsize: int) -> bytes | None:
    """Two sums modulo 65535, of the words of two bytes and of the first sum as it grew; they are the last four bytes."""
    content, stored = data[:-_CHECKSUM_BYTES], struct.unpack("<2H", data[-_CHECKSUM_BYTES:])
    words = np.frombuffer(content + b"\0" * (len(content) % 2), ">u2")
    first = second = 0
    for start in range(0, len(words), _SUMMED_WORDS):
        block = words[start : start + _SUMMED_WORDS].astype(np.uint64)
        second += len(block) * first + int((block * np.arange(len(block), 0, -1, dtype=np.uint64)).sum())
        first += int(block.sum())
    return content if [first % 65535, second % 65535] == [half % 65535 for half in stored] else None


def _undo_lzf(data: bytes, limit: int, itemsize: int) -> bytes | None:
    """LZF: runs of literals, and copies of what came before."""
    out, position = bytearray(), 0
    while position < len(data) and len(out) <= limit:
        control = data[position]
        position += 1
        if control < 32:
            out += data[position : position + control + 1]
            position += control + 1
            continue
        n_bytes = control >> 5
        if n_bytes == 7:
            n_bytes += data[position]
            position += 1
        start = len(out) - ((control & 0x1F) << 8 | data[position]) - 1
        position += 1
        if start < 0:
            return None
        seed = out[start : start + n_bytes + 2]  # shorter where the copy runs into what it writes
        out += (seed * ((n_bytes + 2) // len(seed) + 1))[: n_bytes + 2]
    return bytes(out)


_UNDO = {_DEFLATE: _inflate, _SHUFFLE: _unshuffle, _FLETCHER32: _check_fletcher32, _LZF: _undo_lzf}
