"""Parses rows of text into numbers and labels, block by block.

A block is parsed at once where it is as regular as it should be, else cell by cell, and what is wrong is said with its line.
"""

from __future__ import annotations

import csv
import warnings
from collections.abc import Iterator

import numpy as np

from tb_embfactor.copies import Chunks
from tb_embfactor.errors import DamagedError, IncompleteError, ReadError, UnsupportedError
from tb_embfactor.formats.text_dialect import MISSING, Dialect
from tb_embfactor.sources import Source

MAX_LINE_BYTES = 4 << 20
MAX_LABEL_BYTES = 512 << 20
_CHUNK_BYTES = 1 << 20


def iter_lines(source: Source) -> Iterator[tuple[list[bytes], bool]]:
    """The lines that are not blank, without their ends, in blocks; and whether it is a last line that has no end."""
    rest = b""
    for start in range(0, source.size, _CHUNK_BYTES):
        data = source.read_at(start, min(_CHUNK_BYTES, source.size - start))
        *lines, rest = (rest + (data if start else data.removeprefix(b"\xef\xbb\xbf"))).split(b"\n")
        if len(rest) > MAX_LINE_BYTES:
            raise _too_large(source, "a line of it", MAX_LINE_BYTES)
        yield [line.rstrip(b"\r") for line in lines if line.strip()], False
    if rest.strip():
        yield [rest.rstrip(b"\r")], True


class RowParser:
    """The parser of one file, for one pass. Messages count the lines that are not blank."""

    def __init__(self, source: Source, dialect: Dialect, n_rows: int, dtype: np.dtype) -> None:
        self._source, self._dialect, self._n_rows, self._dtype = source, dialect, n_rows, dtype
        self._separator = dialect.separator.encode()
        self._n_parsed = 0
        self._is_cut = False  # whether the line at hand is a last one without an end

    def parse(self) -> Chunks:
        """The numbers row by row, and at the end the labels: a line for each row, with tabs between its cells."""
        labels, n_header = bytearray(), self._dialect.n_header
        for lines, is_cut in iter_lines(self._source):
            self._is_cut = is_cut
            rows, n_header = lines[n_header:], max(0, n_header - len(lines))
            if self._n_parsed + len(rows) > self._n_rows:
                raise self._damaged(f"it has more rows than the {self._n_rows} that its first line tells")
            numbers = []
            for number, line in enumerate(rows, start=self._n_parsed + self._dialect.n_header + 1):
                cells, written = self._split(line, number)
                labels += b"\t".join(cell.replace(b"\t", b" ") for cell in cells) + b"\n"
                numbers.append(written)
            if len(labels) > MAX_LABEL_BYTES:
                raise _too_large(self._source, "the words in it", MAX_LABEL_BYTES)
            yield self._convert(numbers).tobytes()
            self._n_parsed += len(rows)
        if self._n_parsed < self._n_rows:
            what = f"it ends after {self._n_parsed} of {self._n_rows} rows"
            raise IncompleteError("file_incomplete", path=self._source.name, what=what)
        return bytes(labels)

    def _split(self, line: bytes, number: int) -> tuple[list[bytes], bytes]:
        """The cells of labels, and the numbers as they are written."""
        dialect, separator = self._dialect, self._separator
        n_left, n_right, n_columns = len(dialect.left), len(dialect.right), dialect.n_columns
        if separator == b" ":
            line = line.rstrip(b" ")
        if b'"' in line and separator in b",;":
            cells = [cell.encode() for cell in next(csv.reader([line.decode("utf-8", "replace")], delimiter=dialect.separator))]
        else:
            left = line.split(separator, n_left)
            right = left.pop().rsplit(separator, n_right)
            if len(left) == n_left and len(right) == n_right + 1 and right[0].count(separator) == n_columns - 1:
                return [*left, *right[1:]], right[0]
            cells = line.rsplit(separator, n_columns) if dialect.has_spaces else line.split(separator)
        if len(cells) != n_left + n_columns + n_right:
            raise self._irregular(number, f"{len(cells) - n_left - n_right} numbers instead of {n_columns}")
        return [*cells[:n_left], *cells[n_left + n_columns :]], separator.join(cells[n_left : n_left + n_columns])

    def _convert(self, rows: list[bytes]) -> np.ndarray:
        """Rows of numbers as they are written, (n, n_columns)."""
        shape = len(rows), self._dialect.n_columns
        if not rows:
            return np.empty(shape, self._dtype)
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            try:
                numbers = np.fromstring(self._separator.join(rows), self._dtype, sep=self._dialect.separator)
            except (ValueError, DeprecationWarning):  # something in it is no number
                numbers = np.empty(0)
        if numbers.size == shape[0] * shape[1]:
            return numbers.reshape(shape)
        first = self._n_parsed + self._dialect.n_header + 1
        return np.array([self._convert_cells(row, number) for number, row in enumerate(rows, start=first)], self._dtype)

    def _convert_cells(self, row: bytes, number: int) -> list[float]:
        cells = [cell.strip().decode("utf-8", "replace") for cell in row.split(self._separator)]
        try:
            return [float("nan") if cell in MISSING else float(cell) for cell in cells]
        except ValueError as error:
            raise self._irregular(number, str(error)) from None

    def _irregular(self, number: int, what: str) -> ReadError:
        if self._is_cut:
            return IncompleteError("file_incomplete", path=self._source.name, what=f"its last line is cut off ({what})")
        return self._damaged(f"line {number} has {what}" if what[0].isdigit() or what[0] == "-" else f"in line {number}, {what}")

    def _damaged(self, what: str) -> DamagedError:
        return DamagedError("file_damaged", path=self._source.name, what=what)


def _too_large(source: Source, what: str, limit: int) -> UnsupportedError:
    return UnsupportedError("file_too_large", path=source.name, what=what, size="larger", limit=f"{limit} bytes")
