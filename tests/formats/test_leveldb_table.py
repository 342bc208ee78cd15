"""LevelDB tables, from golden bytes and from bytes that contradict themselves."""

from __future__ import annotations

import struct
from pathlib import Path

import pytest

from tb_embfactor.errors import DamagedError, IncompleteError, ReadError, UnsupportedError
from tb_embfactor.formats import leveldb_table
from tb_embfactor.formats.leveldb_table import read_table
from tb_embfactor.sources import Confinement
from tests.formats.bundle_writer import MAGIC, block, masked, table, varint

ENTRIES = [(b"", b"\x08\x01"), (b"layer", b"one"), (b"layer/bias", b""), (b"layer/kernel", b"two")]

GOLDEN = bytes.fromhex(
    "00 00 02 0801"  # nothing shared, an empty key, a value of two bytes
    "00 05 03 6c61796572 6f6e65"  # "layer": "one"
    "05 05 00 2f62696173"  # "layer" of the key before, then "/bias"; no value
    "06 06 03 6b65726e656c 74776f"  # "layer/", then "kernel": "two"
    "00000000 01000000"  # one restart point, at 0
    "00 40096131"  # not compressed; checksum
    "00000000 01000000 00 c0f2a1b0"  # the metaindex block, empty
    "00 0c 02 6c617965722f6b65726e656c 002c"  # the index block: last key, position and size of the data block
    "00000000 01000000 00 d70f5818"
    "3108 3e19" + 36 * "00" + "57fb808b247547db"  # where metaindex and index lie; the magic number
)


def read(tmp_path: Path, data: bytes) -> dict[bytes, bytes]:
    path = tmp_path / "ckpt.index"
    path.write_bytes(data)
    with Confinement([tmp_path]).open(path) as source:
        return read_table(source)


def test_golden_bytes(tmp_path: Path) -> None:
    assert list(read(tmp_path, GOLDEN).items()) == ENTRIES


def test_several_blocks(tmp_path: Path) -> None:
    blocks = [(ENTRIES[1][0], block(ENTRIES[:2]), 0), (ENTRIES[3][0], block(ENTRIES[2:]), 0)]
    assert list(read(tmp_path, table(blocks)).items()) == ENTRIES


@pytest.mark.parametrize("position", [*range(49), *range(62, len(GOLDEN) - 48)])
def test_every_flipped_byte_is_noticed_but_in_the_metaindex(tmp_path: Path, position: int) -> None:
    data = bytearray(GOLDEN)
    data[position] ^= 0x10
    with pytest.raises(ReadError):
        read(tmp_path, bytes(data))


@pytest.mark.parametrize("length", range(len(GOLDEN)))
def test_cut_anywhere_it_is_incomplete(tmp_path: Path, length: int) -> None:
    with pytest.raises(IncompleteError):
        read(tmp_path, GOLDEN[:length])


def snappy_literal(data: bytes) -> bytes:
    return bytes([59 + 1 << 2, len(data) - 1]) + data if len(data) > 60 else bytes([len(data) - 1 << 2]) + data


def test_snappy(tmp_path: Path) -> None:
    """A literal, a copy with each width of offset, and a copy that runs into what it writes."""
    content = block([(b"k", b"abcdabcdabcdabcd" + b"z" * 40), (b"l", b"abcd")])
    start = content[:8]  # three lengths, "k", "abcd"
    compressed = varint(len(content)) + snappy_literal(start)
    compressed += bytes([(8 - 4) << 2 | 1, 4])  # 8 bytes from 4 back: the two "abcd" that follow
    compressed += bytes([(4 - 1) << 2 | 2, 4, 0])  # 4 bytes from 4 back
    compressed += snappy_literal(b"z") + bytes([(39 - 1) << 2 | 3, 1, 0, 0, 0])  # 39 bytes from 1 back
    compressed += snappy_literal(content[8 + 12 + 40 :])
    assert read(tmp_path, table([(b"l", compressed, 1)])) == {b"k": b"abcdabcdabcdabcd" + b"z" * 40, b"l": b"abcd"}


@pytest.mark.parametrize(
    "compressed",
    [
        varint(1 << 40) + b"\0a",  # a bomb
        varint(64) + b"\0a" + bytes([(64 - 1) << 2 | 2, 2, 0]),  # from before the start
        varint(64) + b"\0a" + bytes([(64 - 1) << 2 | 2, 0, 0]),  # from nowhere
        varint(64) + b"\0a" + bytes([(64 - 1) << 2 | 2, 1, 0]),  # longer than it says
        varint(8) + b"\0a",  # shorter than it says
        varint(8) + b"\xf0",  # ends in a length
        varint(8) + b"\xfc\xff\xff\xff\xff",
        b"\xff" * 12,
    ],
)
def test_snappy_that_does_not_unfold(tmp_path: Path, compressed: bytes) -> None:
    with pytest.raises(DamagedError):
        read(tmp_path, table([(b"l", compressed, 1)]))


def patch_footer(data: bytes, footer: bytes) -> bytes:
    return data[:-48] + footer.ljust(40, b"\0") + MAGIC


@pytest.mark.parametrize(
    ("data", "error", "text"),
    [
        (b"", IncompleteError, "footer"),
        (b"x" * 100, UnsupportedError, "not the index"),
        (table([(b"b", block([(b"b", b""), (b"a", b"")]), 0)]), DamagedError, "order"),
        (table([(b"a", block([(b"a", b""), (b"a", b"")]), 0)]), DamagedError, "order"),
        (table([(b"b", block([(b"b", b"")]), 0), (b"a", block([(b"a", b"")]), 0)]), DamagedError, "order"),
        (table([(b"a", block([(b"a", b"")]), 4)]), UnsupportedError, "type 4"),
        (table([(b"a", b"\x01\x01\x00a" + struct.pack("<II", 0, 1), 0)]), DamagedError, "fit into its block"),
        (table([(b"a", b"\x00\x01\x7fa" + struct.pack("<II", 0, 1), 0)]), DamagedError, "fit into its block"),
        (table([(b"a", b"\xff" * 30 + struct.pack("<II", 0, 1), 0)]), DamagedError, "no end"),
        (table([(b"a", struct.pack("<I", 2**32 - 1), 0)]), DamagedError, "restart"),
        (patch_footer(GOLDEN, b"\xff" * 40), DamagedError, "no end"),
        (patch_footer(GOLDEN, varint(0) + varint(0) + varint(1 << 60) + varint(9)), DamagedError, "past its end"),
        (patch_footer(GOLDEN, varint(0) + varint(0) + varint(0) + varint(1 << 60)), DamagedError, "past its end"),
    ],
)
def test_a_table_that_contradicts_itself(tmp_path: Path, data: bytes, error: type[ReadError], text: str) -> None:
    with pytest.raises(error, match=text):
        read(tmp_path, data)


def test_one_block_many_times(tmp_path: Path) -> None:
    """An empty block keeps keys in order however often it is listed, so blocks must not repeat themselves."""
    empty = block([])
    data = empty + b"\0" + struct.pack("<I", masked(empty + b"\0"))
    index = block([(b"%06d" % k, varint(0) + varint(len(empty))) for k in range(1000)])
    offset = len(data)
    data += index + b"\0" + struct.pack("<I", masked(index + b"\0"))
    footer = varint(0) + varint(len(empty)) + varint(offset) + varint(len(index))
    with pytest.raises(DamagedError, match="overlap"):
        read(tmp_path, data + footer.ljust(40, b"\0") + MAGIC)


def test_prefixes_that_unfold_into_gigabytes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(leveldb_table, "MAX_TABLE_BYTES", 1 << 20)
    entries = [(b"k" * 1000 + b"%05d" % k, b"") for k in range(2000)]
    data = table([(entries[-1][0], block(entries, n_shared=1000), 0)])
    assert len(data) < 30_000
    with pytest.raises(UnsupportedError, match="unfolded index"):
        read(tmp_path, data)
    long = b"k" * 70_000
    with pytest.raises(UnsupportedError, match="a name"):
        read(tmp_path, table([(long, block([(long, b"")]), 0)]))


def test_larger_than_the_limit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(leveldb_table, "MAX_TABLE_BYTES", 100)
    with pytest.raises(UnsupportedError, match="limit is 100 bytes"):
        read(tmp_path, GOLDEN)
