"""How a text file of vectors is written, judged by its first lines; most text files are none.

    word2vec, fastText   first line `V d`; then a token and d numbers, separated by spaces
    GloVe                the same without the first line; a token may hold spaces, so the last d fields count
    tables               cells between tabs, commas or semicolons: columns of numbers beside each other, labels before and behind

Text files lie about everywhere, and logs of training are full of numbers. So there must be at least `MIN_COLUMNS` numbers in a
row, unless the name of the file says that it is one of embeddings or a header numbers them (`0,1,2,…`, `dim_0,dim_1,…`);
columns of numbers with names of their own are measurements, not an embedding.
"""

from __future__ import annotations

import csv
import re
import struct
from collections.abc import Callable
from dataclasses import dataclass

HEAD_BYTES = 256 << 10
MIN_COLUMNS = 8
MIN_NUMBERED = 3
_HEAD_LINES = 30
_DIGITS_OF_FLOAT32 = 9

_COUNTS = re.compile(rb"(\d{1,12})[ \t](\d{1,7})")
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?|[+-]?(nan|inf(inity)?)", re.ASCII | re.IGNORECASE)
_NUMBERED = re.compile(r"(.*?)(\d{1,7})", re.ASCII | re.DOTALL)
MISSING = frozenset(("", "NA", "na", "null", "None"))

Cells = list[list[str]]


@dataclass(frozen=True)
class Dialect:
    """How rows are written.

    separator : of cells. n_header : lines before the first row. n_rows : as a first line tells it. n_columns : numbers in a row.
    left, right : the names of the columns of labels before and behind the numbers. has_spaces : whether a label may hold the
    separator. is_double : whether the numbers have more digits than float32.
    """

    separator: str
    n_header: int
    left: tuple[str, ...]
    n_columns: int
    right: tuple[str, ...] = ()
    n_rows: int | None = None
    has_spaces: bool = False
    is_double: bool = False


def recognize(head: bytes, is_whole: bool, says_embedding: bool) -> Dialect | str:
    """The dialect of a file that begins with `head`, or why it holds no vectors. is_whole : there is no more of it."""
    if b"\0" in head:
        return "it is not a text file"
    text = head.removeprefix(b"\xef\xbb\xbf").decode("utf-8", "replace")
    lines = [line.rstrip(" \r") for line in text.split("\n")[: None if is_whole else -1]][:_HEAD_LINES]
    lines = [line for line in lines if line]
    if len(lines) < 2:
        return "it does not begin with lines of words and numbers"
    counts = _COUNTS.fullmatch(lines[0].encode())
    counted = _counted(lines[1:], int(counts[1]), int(counts[2])) if counts else None
    if counted is not None:
        return counted
    separator = max(" ", "\t", ",", ";", key=lambda mark: sum(map(_is_number, lines[-1].split(mark))))
    if separator == " ":
        return _spaced(lines, says_embedding)
    return _table(list(csv.reader(lines, delimiter=separator)), separator, says_embedding)


def _counted(lines: list[str], n_rows: int, n_columns: int) -> Dialect | None:
    """Rows behind a line `V d`: a token and d numbers."""
    separator = "\t" if "\t" in lines[0] else " "
    cells = [line.rsplit(separator, n_columns) for line in lines]
    if n_columns and all(len(row) == n_columns + 1 and all(map(_is_number, row[1:])) for row in cells):
        return Dialect(separator, 1, ("token",), n_columns, (), n_rows, True, _is_double(cells, slice(1, None)))
    return None


def _spaced(lines: list[str], says_embedding: bool) -> Dialect | str:
    """Tokens, which may hold spaces, and numbers; numbers alone only in a file whose name says what they are."""
    cells = [line.split(" ") for line in lines]
    n_cells = min(map(len, cells))
    if all(map(_is_number, (cell for row in cells for cell in row))):
        if not says_embedding or n_cells < 2 or any(len(row) != n_cells for row in cells):
            return "it holds numbers without words, and its name does not say that they are an embedding"
        return Dialect(" ", 0, (), n_cells, is_double=_is_double(cells, slice(None)))
    n_columns = n_cells - 1
    is_long = n_columns >= (2 if says_embedding else MIN_COLUMNS)
    if not is_long or not all(map(_is_number, (cell for row in cells for cell in row[-n_columns:]))):
        return f"it does not begin with lines of a word and at least {MIN_COLUMNS} numbers"
    return Dialect(" ", 0, ("token",), n_columns, (), None, True, _is_double(cells, slice(-n_columns, None)))


def _table(cells: Cells, separator: str, says_embedding: bool) -> Dialect | str:
    n_cells = len(cells[0])
    if any(len(row) != n_cells for row in cells):
        return "its first lines do not have the same number of cells"
    below = cells[1:]
    is_numeric = [_is_column_of_numbers([row[k] for row in below]) for k in range(n_cells)]
    numbered = _longest_run(n_cells, lambda k: is_numeric[k], lambda k: _follows(cells[0][k - 1], cells[0][k]))
    has_header = len(numbered) >= MIN_NUMBERED
    columns = numbered
    if not has_header:
        has_header = any(is_numeric[k] and not _is_number(cells[0][k]) and cells[0][k] not in MISSING for k in range(n_cells))
        if has_header and not says_embedding:
            return "its columns of numbers have names of their own, so they are measurements and not an embedding"
        first = not has_header and _are_ids(cells)
        columns = _longest_run(n_cells, lambda k: is_numeric[k] and k >= first, lambda k: True)
    has_words = not all(is_numeric)
    is_numbered = columns is numbered
    if len(columns) < (2 if says_embedding else MIN_NUMBERED if is_numbered and has_words else MIN_COLUMNS):
        return f"it does not have {MIN_COLUMNS} columns of numbers beside each other"
    if not (has_words or says_embedding or is_numbered):
        return "it holds numbers without words, and its name does not say that they are an embedding"
    names = cells[0] if has_header else ["label"] * n_cells
    left, right = _unique(names[: columns.start], names[columns.stop :])
    is_double = _is_double(cells[has_header:], slice(columns.start, columns.stop))
    return Dialect(separator, int(has_header), left, len(columns), right, None, False, is_double)


def _is_number(cell: str) -> bool:
    return _NUMBER.fullmatch(cell.strip()) is not None


def _is_column_of_numbers(cells: list[str]) -> bool:
    return any(map(_is_number, cells)) and all(cell.strip() in MISSING or _is_number(cell) for cell in cells)


def _longest_run(n: int, fits: Callable[[int], bool], continues: Callable[[int], bool]) -> range:
    """The longest run of indices that fit, each but the first of which continues the one before."""
    best, start = range(0), 0
    for k in range(n):
        if not fits(k) or (k > start and not continues(k)):
            start = k
        if not fits(k):
            start = k + 1
        elif k + 1 - start > len(best):
            best = range(start, k + 1)
    return best


def _follows(before: str, name: str) -> bool:
    """Whether the name of a column counts on from the one before: `dim_8` from `dim_7`."""
    first, second = _NUMBERED.fullmatch(before.strip()), _NUMBERED.fullmatch(name.strip())
    is_same = first and second and first[1] == second[1] and (not first[1] or not _is_number(name))
    return bool(first and second and is_same and int(second[2]) == int(first[2]) + 1)


def _are_ids(cells: Cells) -> bool:
    """Whether the first of several columns of numbers is whole where the others are not."""
    is_whole = all(re.fullmatch(r"\d+", row[0].strip()) for row in cells)
    return is_whole and all(any(not re.fullmatch(r"-?\d*", cell.strip()) for cell in row[1:]) for row in cells)


def _is_double(cells: Cells, columns: slice) -> bool:
    """Whether float32 would lose digits: more than it has, and not just one of its numbers written out in full."""
    for cell in (cell for row in cells for cell in row[columns]):
        digits = re.sub(r"[eE].*|\D", "", cell).lstrip("0")
        if (
            len(digits) > _DIGITS_OF_FLOAT32
            and _is_number(cell)
            and struct.unpack("f", struct.pack("f", float(cell)))[0] != float(cell)
        ):
            return True
    return False


def _unique(left: list[str], right: list[str]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Names for the columns of labels: those of the header, numbered where they are missing or the same."""
    names: list[str] = []
    for name in (*left, *right):
        name = name.strip() or "label"
        names.append(name if name not in names else f"{name} ({len(names) + 1})")
    return tuple(names[: len(left)]), tuple(names[len(left) :])
