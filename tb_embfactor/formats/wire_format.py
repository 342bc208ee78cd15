"""Protocol buffers in a file, field by field: what is long stays in the file, and only its place is told.

A message is fields one behind the other. Each is a tag, number · 8 + kind, and then a varint (kind 0), 8 bytes (1), a length and
so many bytes (2: text, a message within, packed numbers), or 4 bytes (5). A varint has 7 bits a byte, the lowest first, and the
highest bit of each byte says that more follow.

    https://protobuf.dev/programming-guides/encoding/
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from tb_embfactor.errors import DamagedError, IncompleteError, UnsupportedError
from tb_embfactor.sources import Source

VARINT, FIXED_64, BYTES, FIXED_32 = 0, 1, 2, 5
MAX_VARINT_BYTES = 10
_CHUNK_BYTES = 1 << 16


class Field(NamedTuple):
    """value : of a varint. start, stop : where in the source its bytes lie, those of a varint included."""

    number: int
    kind: int
    value: int
    start: int
    stop: int


class Wire:
    """The fields of the messages in a source, read from its start to its end.

    max_fields, max_bytes : how many may be met in all, and how much of them read; UnsupportedError (`file_too_large`) beyond.
    """

    def __init__(self, source: Source, max_fields: int, max_bytes: int) -> None:
        self._source = source
        self._max_fields, self._max_bytes = max_fields, max_bytes
        self._n_fields = self._n_bytes = 0
        self._chunk, self._chunk_start = b"", 0

    def fields(self, start: int, stop: int) -> Iterator[Field]:
        """The fields of the message in [start, stop)."""
        at = start
        while at < stop:
            self._n_fields += 1
            if self._n_fields > self._max_fields:
                raise self._too_large("the number of its parts", self._max_fields)
            tag, at = self._varint(at)
            number, kind, value, first = tag >> 3, tag & 7, 0, at
            if kind == VARINT:
                value, at = self._varint(at)
            elif kind == BYTES:
                length, first = self._varint(at)
                at = first + length
            elif kind in (FIXED_32, FIXED_64):
                at += 4 if kind == FIXED_32 else 8
            else:
                raise self._damaged(at)
            if at > self._source.size:
                raise self._truncated(at)
            if at > stop or number == 0:
                raise self._damaged(first)
            yield Field(number, kind, value, first, at)

    def data(self, field: Field) -> bytes:
        n_bytes = field.stop - field.start
        self._n_bytes += n_bytes
        if self._n_bytes > self._max_bytes:
            raise self._too_large("what is not numbers in it", self._max_bytes)
        return self._read(field.start, n_bytes)

    def text(self, field: Field) -> str:
        return self.data(field).decode("utf-8", "backslashreplace")

    def integers(self, field: Field) -> list[int]:
        """Those of a repeated field: one, or several that are packed."""
        if field.kind == VARINT:
            return [field.value]
        return decode_varints(self.data(field)).tolist()

    def _varint(self, at: int) -> tuple[int, int]:
        data = self._read(at, min(MAX_VARINT_BYTES, self._source.size - at))
        value = 0
        for position, byte in enumerate(data):
            value |= (byte & 0x7F) << 7 * position
            if byte < 0x80:
                return value & 0xFFFF_FFFF_FFFF_FFFF, at + position + 1
        if len(data) < MAX_VARINT_BYTES:
            raise self._truncated(at + len(data) + 1)
        raise self._damaged(at)

    def _read(self, at: int, n_bytes: int) -> bytes:
        if n_bytes > _CHUNK_BYTES:
            return self._source.read_at(at, n_bytes)
        inner = at - self._chunk_start
        if inner < 0 or inner + n_bytes > len(self._chunk):
            self._chunk = self._source.read_at(at, min(_CHUNK_BYTES, self._source.size - at))
            self._chunk_start, inner = at, 0
        return self._chunk[inner : inner + n_bytes]

    def _truncated(self, needed: int) -> IncompleteError:
        what = "the parts that it is made of"
        return IncompleteError("file_truncated", path=self._source.name, size=self._source.size, needed=needed, what=what)

    def _damaged(self, at: int) -> DamagedError:
        return DamagedError("file_damaged", path=self._source.name, what=f"its parts make no sense at byte {at}")

    def _too_large(self, what: str, limit: int) -> UnsupportedError:
        return UnsupportedError("file_too_large", path=self._source.name, what=what, size="more", limit=f"{limit:,}")


def decode_varints(data: bytes) -> np.ndarray:
    """Varints one behind the other, uint64; negative numbers are their two's complement. ValueError where they are none."""
    if not data:
        return np.zeros(0, np.uint64)
    digits = np.frombuffer(data, np.uint8)
    ends = np.flatnonzero(digits < 0x80)
    starts = np.concatenate([[0], ends[:-1] + 1]) if len(ends) else ends
    if not len(ends) or ends[-1] != len(digits) - 1 or (ends - starts).max() >= MAX_VARINT_BYTES:
        raise ValueError("packed numbers that make no sense")
    places = np.arange(len(digits)) - np.repeat(starts, ends - starts + 1)
    return np.add.reduceat((digits & 0x7F).astype(np.uint64) << (7 * places).astype(np.uint64), starts)
