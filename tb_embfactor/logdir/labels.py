"""Label files: what stands beside a row of a matrix.

Two kinds are read, both line by line and without quoting, as TensorBoard's projector reads them: a metadata TSV
(one column without a header, or several columns whose first line names them) and a vocabulary (one token a line).

A label file is surveyed once (how many lines, which columns) and read when its labels are asked for. It may be
anything that happens to be called `metadata.tsv`: its size, line length and number of columns are limited, and
what breaks it is said in one sentence while the matrix is shown without labels.
"""

from __future__ import annotations

import math
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Protocol

from tb_embfactor.errors import ReadError
from tb_embfactor.messages import Message
from tb_embfactor.sources import Confinement, FileSource, stat_fingerprint

Kind = Literal["text", "number", "category"]
Value = str | int | float | None

MAX_FILE_BYTES = 512 << 20
MAX_LINE_BYTES = 1 << 20
MAX_COLUMNS = 200
MAX_CATEGORIES = 50
MAX_NUMBER_CATEGORIES = 12
_FAR_APART = 2  # times as many labels as rows, or rows as labels
_CHUNK_BYTES = 1 << 20
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?", re.ASCII)
_INTEGER = re.compile(r"[+-]?\d{1,15}", re.ASCII)


@dataclass(frozen=True)
class LabelFile:
    """A surveyed label file.

    n_lines : labels in it, blank ones included (but not the header, nor blank lines at the end).
    n_blank : how many of those are blank.
    state : of the file, when it was surveyed.
    """

    path: Path
    shown: str
    confinement: Confinement
    is_table: bool
    has_header: bool
    columns: tuple[str, ...]
    n_lines: int
    n_blank: int
    state: str

    def current(self) -> LabelFile:
        """The same file as it is now."""
        return self if file_state(self.path) == self.state else survey_file(self.confinement, self.path, self.is_table)

    def n_labels(self, n_rows: int) -> int:
        """How many labels the file has for `n_rows` rows; see `skips_blank`."""
        return self.n_lines - self.n_blank if self.skips_blank(n_rows) else self.n_lines

    def read_columns(self, n_rows: int) -> list[list[str | None]]:
        """The labels of at most `n_rows` rows, column by column."""
        with self.confinement.open(self.path) as source:
            return _read_columns(source, self, n_rows, self.skips_blank(n_rows))

    def skips_blank(self, n_rows: int) -> bool:
        """TensorBoard drops blank lines. One may also be the label of a row, so that is done only where it makes the file fit."""
        return self.is_table and self.n_lines != n_rows and self.n_lines - self.n_blank == n_rows


class LabelSource(Protocol):
    """A surveyed label file of any kind: see `LabelFile`."""

    @property
    def shown(self) -> str: ...

    @property
    def columns(self) -> tuple[str, ...]: ...

    def current(self) -> LabelSource: ...

    def n_labels(self, n_rows: int) -> int: ...

    def read_columns(self, n_rows: int) -> list[list[str | None]]: ...


@dataclass(frozen=True)
class Column:
    """The labels of one column, one for each row of the matrix; None where there is none."""

    name: str
    kind: Kind
    values: list[Value]


@dataclass(frozen=True)
class LabelTable:
    columns: tuple[Column, ...]
    notes: tuple[Message, ...] = ()


@dataclass(frozen=True)
class Labels:
    """The labels of one matrix, known from a survey of their file.

    offset : the matrix row that the first label belongs to; below 0, so many labels at the start are those of no row.
    """

    file: LabelSource
    matrix: str
    n_rows: int
    offset: int = 0

    @property
    def source(self) -> str:
        return self.file.shown

    @property
    def columns(self) -> tuple[str, ...]:
        return self.file.columns

    def to_json(self) -> dict[str, Any]:
        return {"source": self.source, "n_rows": self.n_rows, "columns": list(self.columns), "offset": self.offset}

    def read(self, n_rows: int) -> LabelTable:
        """The labels of `n_rows` rows: padded with None or cut, and a note where their number differs. One pass over the file."""
        file, n_wanted = self.file.current(), max(0, n_rows - self.offset)
        columns = file.read_columns(n_wanted)
        n_labels = file.n_labels(n_wanted) + self.offset
        params = {"path": self.source, "n_labels": n_labels, "matrix": self.matrix, "n_rows": n_rows}
        notes: tuple[Message, ...] = ()
        if n_labels < n_rows:
            notes = (Message("labels_short", {**params, "n_missing": n_rows - n_labels}),)
        elif n_labels > n_rows:
            notes = (Message("labels_long", {**params, "n_extra": n_labels - n_rows}),)
        table = []
        for name, texts in zip(file.columns, columns, strict=True):
            padded = [None] * min(max(0, self.offset), n_rows) + texts[max(0, -self.offset) :]
            table.append(typed_column(name, padded + [None] * (n_rows - len(padded))))
        return LabelTable(tuple(table), notes)


def are_near(n_labels: int, n_rows: int) -> bool:
    """Whether a number of labels may be meant for a number of rows that it does not equal."""
    return n_labels <= _FAR_APART * n_rows and n_rows <= _FAR_APART * n_labels


def file_state(path: Path) -> str:
    try:
        return stat_fingerprint(os.stat(path))
    except OSError as error:
        return f"errno {error.errno}"


def survey_file(confinement: Confinement, path: Path, is_table: bool) -> LabelFile:
    """Count the labels of a file and name its columns; any ReadError says why it cannot be used. One pass."""
    with confinement.open(path) as source:
        return survey(source, path, confinement, is_table)


def survey(source: FileSource, path: Path, confinement: Confinement, is_table: bool) -> LabelFile:
    if source.size > MAX_FILE_BYTES:
        size, limit = f"{source.size:,} bytes", f"{MAX_FILE_BYTES:,} bytes"
        raise ReadError("file_too_large", path=source.name, what="a label file", size=size, limit=limit)
    state = source.fingerprint()
    columns: tuple[str, ...] = ("label",) if is_table else ("token",)
    has_header = started = False
    n_lines = n_blank = n_pending = 0  # pending: blank lines that may turn out to be trailing
    for line in _lines(source):
        is_blank = not line.strip() if is_table else not line
        if is_blank:
            n_pending += 1
            continue
        if not started:
            started = True
            if is_table and b"\t" in line:
                has_header, columns, n_pending = True, column_names(_text(line).split("\t"), source.name), 0
                continue
        n_blank += n_pending
        n_lines += n_pending + 1
        n_pending = 0
    if n_lines == 0:
        raise unusable(source.name, "it holds no labels")
    return LabelFile(path, source.name, confinement, is_table, has_header, columns, n_lines, n_blank, state)


def typed_column(name: str, texts: list[str | None]) -> Column:
    """Decide what a column holds. Numbers become numbers; few repeated values are categories and stay text, as do codes 0..11."""
    present = [text for text in texts if text is not None]
    distinct: set[str] = set()
    for text in present:
        distinct.add(text)
        if len(distinct) > MAX_CATEGORIES:
            break
    repeats = len(distinct) < len(present)
    if present and all(_is_number(text) for text in present):
        if repeats and len(distinct) <= MAX_NUMBER_CATEGORIES and all(map(_INTEGER.fullmatch, distinct)):
            return Column(name, "category", list(texts))
        return Column(name, "number", [None if text is None else _number(text) for text in texts])
    return Column(name, "category" if repeats and len(distinct) <= MAX_CATEGORIES else "text", list(texts))


def _read_columns(source: FileSource, file: LabelFile, n_wanted: int, skips_blank: bool) -> list[list[str | None]]:
    n_columns = len(file.columns)
    columns: list[list[str | None]] = [[] for _ in range(n_columns)]
    header_left = file.has_header
    n_read = 0
    for line in _lines(source):
        if n_read >= min(n_wanted, file.n_lines):
            break
        is_blank = file.is_table and not line.strip()
        if header_left or (is_blank and skips_blank):
            header_left = header_left and is_blank
            continue
        n_read += 1
        cells = _text(line).split("\t") if file.is_table and n_columns > 1 else [_text(line)]
        for index, column in enumerate(columns):
            column.append(cells[index] or None if index < len(cells) else None)
    return columns


def _lines(source: FileSource) -> Iterator[bytes]:
    """The lines of a file without their ends; the whole file is CRLF if its first line is. A lone CR belongs to its line."""
    rest, position, ending = b"", 0, None
    while position < source.size or rest:
        chunk = source.read_at(position, min(_CHUNK_BYTES, source.size - position))
        if position == 0:
            if b"\0" in chunk:
                raise unusable(source.name, "it is not a text file")
            chunk = chunk.removeprefix(b"\xef\xbb\xbf")
        position = min(position + _CHUNK_BYTES, source.size)
        *lines, rest = (rest + chunk).split(b"\n")
        if position == source.size and rest:
            lines, rest = [*lines, rest], b""
        if len(rest) > MAX_LINE_BYTES or any(len(line) > MAX_LINE_BYTES for line in lines):
            raise unusable(source.name, f"it has a line longer than {MAX_LINE_BYTES:,} bytes")
        for line in lines:
            if ending is None:
                ending = b"\r" if line.endswith(b"\r") else b""
            yield line.removesuffix(ending) if ending else line


def column_names(names: list[str], shown: str) -> tuple[str, ...]:
    """Names for columns: those that a header gives, numbered where they are missing or the same."""
    if len(names) > MAX_COLUMNS:
        raise unusable(shown, f"it has {len(names):,} columns, and the limit is {MAX_COLUMNS}")
    unique: list[str] = []
    for index, name in enumerate(names):
        name = name.strip() or f"column {index + 1}"
        unique.append(name if name not in unique else f"{name} ({index + 1})")
    return tuple(unique)


def _text(line: bytes) -> str:
    return line.decode("utf-8", "replace")


def _is_number(text: str) -> bool:
    return _NUMBER.fullmatch(text.strip()) is not None and math.isfinite(float(text))


def _number(text: str) -> int | float:
    return int(text) if _INTEGER.fullmatch(text.strip()) else float(text)


def unusable(shown: str, reason: str) -> ReadError:
    return ReadError("labels_unreadable", path=shown, reason=reason)
