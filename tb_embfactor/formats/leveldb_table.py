"""LevelDB tables, the container of a TensorFlow checkpoint's index: a sorted map from byte strings to byte strings.

A table is data blocks, an index block of their positions, and a footer of 48 bytes that tells where the index block lies:

    block    entries, then restart points (unused here) and their number as uint32; after it a type byte and a masked CRC-32C
    entry    varint n_shared, varint n_new, varint n_value, then the new part of the key and the value:
             a key is the first n_shared bytes of the key before it and n_new of its own
    footer   varint offset and size of the metaindex and of the index block, zeros up to 40 bytes, magic number

Prefixes make keys cheap to store, so a small file can unfold into huge keys; hence limits on what comes out, too.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator

from tb_embfactor.errors import DamagedError, IncompleteError, UnsupportedError
from tb_embfactor.formats.stored import masked_crc32c
from tb_embfactor.sources import Source

MAGIC = struct.pack("<Q", 0xDB4775248B80FB57)
FOOTER_BYTES = 48
TRAILER_BYTES = 5

MAX_TABLE_BYTES = 256 << 20
MAX_ENTRIES = 500_000
MAX_KEY_BYTES = 64 << 10

_RAW, _SNAPPY = 0, 1


def read_table(source: Source) -> dict[bytes, bytes]:
    """The whole table, in the order of its keys."""
    if source.size > MAX_TABLE_BYTES:
        raise _too_large(source, "the index", f"{source.size} bytes", f"{MAX_TABLE_BYTES} bytes")
    footer = source.read_at(max(0, source.size - FOOTER_BYTES), min(FOOTER_BYTES, source.size))
    if len(footer) < FOOTER_BYTES or not footer.endswith(MAGIC):
        raise _no_footer(source)
    position = 0
    for _ in range(2):  # the metaindex block, which TensorFlow leaves empty, then the index block
        offset, position = _varint(source, footer, position)
        size, position = _varint(source, footer, position)

    table: dict[bytes, bytes] = {}
    last_key, last_end, unfolded_bytes = b"", 0, 0
    for _, handle in _entries(source, _read_block(source, offset, size)):
        block_offset, position = _varint(source, handle, 0)
        block_size, _ = _varint(source, handle, position)
        if block_offset < last_end:
            raise _damaged(source, "its blocks overlap or are not in order")
        last_end = block_offset + block_size
        for key, value in _entries(source, _read_block(source, block_offset, block_size)):
            if table and key <= last_key:
                raise _damaged(source, "its keys are not in order")
            table[key] = value
            last_key = key
            unfolded_bytes += len(key) + len(value)
            if unfolded_bytes > MAX_TABLE_BYTES or len(table) > MAX_ENTRIES:
                limit = f"{MAX_TABLE_BYTES} bytes in {MAX_ENTRIES} entries"
                raise _too_large(source, "the unfolded index", f"over {unfolded_bytes} bytes", limit)
    return table


def _read_block(source: Source, offset: int, size: int) -> bytes:
    if offset + size + TRAILER_BYTES > source.size:
        raise _damaged(source, f"a block of {size} bytes at byte {offset} lies past its end")
    data = source.read_at(offset, size + TRAILER_BYTES)
    kind, crc = struct.unpack_from("<BI", data, size)
    if masked_crc32c(data[: size + 1]) != crc:
        raise _damaged(source, f"the checksum of the block at byte {offset} does not fit")
    if kind == _RAW:
        return data[:size]
    if kind == _SNAPPY:
        return _decompress_snappy(source, data[:size])
    what = f"its block at byte {offset} is compressed in an unknown way (type {kind})"
    raise UnsupportedError("file_unsupported", path=source.name, what=what, next="Save the checkpoint again with TensorFlow 2.")


def _entries(source: Source, block: bytes) -> Iterator[tuple[bytes, bytes]]:
    n_restarts = int.from_bytes(block[-4:], "little")
    end = len(block) - 4 * (n_restarts + 1)
    if end < 0:
        raise _damaged(source, "a block is shorter than its own table of restart points")
    key, position = b"", 0
    while position < end:
        n_shared, position = _varint(source, block, position)
        n_new, position = _varint(source, block, position)
        n_value, position = _varint(source, block, position)
        value_start = position + n_new
        if n_shared > len(key) or value_start + n_value > end:
            raise _damaged(source, "an entry of its index does not fit into its block")
        if n_shared + n_new > MAX_KEY_BYTES:
            raise _too_large(source, "a name", f"{n_shared + n_new} bytes", f"{MAX_KEY_BYTES} bytes")
        key = key[:n_shared] + block[position:value_start]
        position = value_start + n_value
        yield key, block[value_start:position]


def _varint(source: Source, data: bytes, position: int) -> tuple[int, int]:
    """The unsigned integer at `position`, seven bits a byte, lowest first; and where it ends."""
    value = shift = 0
    while position < len(data) and shift < 64:
        byte = data[position]
        position += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, position
        shift += 7
    raise _damaged(source, "a number in its index has no end")


def _decompress_snappy(source: Source, data: bytes) -> bytes:
    """Undo snappy, which TensorFlow used for the index before version 1.9: literals, and copies of what came before."""
    size, position = _varint(source, data, 0)
    if size > min(64 * len(data), MAX_TABLE_BYTES):  # no more than a copy of 64 bytes comes from one
        raise _damaged(source, f"a compressed block of {len(data)} bytes claims to hold {size}")
    out = bytearray()
    while position < len(data):
        tag = data[position]
        position += 1
        if tag & 3 == 0:
            n_bytes = (tag >> 2) + 1
            if n_bytes > 60:
                width = n_bytes - 60
                n_bytes = int.from_bytes(data[position : position + width], "little") + 1
                position += width
            out += data[position : position + n_bytes]
            position += n_bytes
        else:
            if tag & 3 == 1:
                n_bytes, distance, width = (tag >> 2 & 7) + 4, (tag >> 5) << 8, 1
            else:
                n_bytes, distance, width = (tag >> 2) + 1, 0, 2 if tag & 3 == 2 else 4
            distance |= int.from_bytes(data[position : position + width], "little")
            position += width
            if not 0 < distance <= len(out):
                raise _damaged(source, "a compressed block refers to before its start")
            start = len(out) - distance
            seed = out[start : start + n_bytes]  # shorter where the copy runs into what it writes
            out += (seed * (n_bytes // len(seed) + 1))[:n_bytes]
        if len(out) > size:
            break
    if len(out) != size or position != len(data):
        raise _damaged(source, "a compressed block does not unfold to its stated size")
    return bytes(out)


def _no_footer(source: Source) -> IncompleteError | UnsupportedError:
    # Every index of a checkpoint starts with an entry for the empty key, so two zeros are the mark of a cut one.
    if b"\0\0".startswith(source.read_at(0, min(2, source.size))):
        return IncompleteError("file_incomplete", path=source.name, what="it does not end in the footer of an index")
    expected, got = "the index of a TensorFlow checkpoint", "it does not end in the magic number of one"
    return UnsupportedError("file_foreign", path=source.name, expected=expected, got=got)


def _damaged(source: Source, what: str) -> DamagedError:
    return DamagedError("file_damaged", path=source.name, what=what)


def _too_large(source: Source, what: str, size: str, limit: str) -> UnsupportedError:
    return UnsupportedError("file_too_large", path=source.name, what=what, size=size, limit=limit)
