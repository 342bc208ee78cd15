"""Label files that are no lines of text: CSV, whose cells may be quoted, and parquet, which needs pyarrow.

They take memory as large as they are, so only a file that somebody named (`label_flags`) is read in this way.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

from tb_embfactor.errors import ReadError, UsageError
from tb_embfactor.logdir.labels import MAX_COLUMNS, MAX_FILE_BYTES, column_names, file_state, unusable
from tb_embfactor.sources import Confinement, SourceFile

if TYPE_CHECKING:
    from pyarrow.parquet import ParquetFile

CSV, PARQUET = ".csv", ".parquet"


@dataclass(frozen=True)
class LabelTableFile:
    """See `tb_embfactor.logdir.labels.LabelSource`. Of a CSV the first line names the columns if there are several."""

    path: Path
    shown: str
    confinement: Confinement
    columns: tuple[str, ...]
    n_lines: int
    state: str

    def current(self) -> LabelTableFile:
        return self if file_state(self.path) == self.state else survey_table(self.confinement, self.path)

    def n_labels(self, n_rows: int) -> int:
        return self.n_lines

    def read_columns(self, n_rows: int) -> list[list[str | None]]:
        if self.path.suffix == PARQUET:
            with _parquet(self.confinement, self.path) as file:
                table = file.read(_flat_columns(file)).slice(0, n_rows)
                return [[None if value is None else str(value) for value in column.to_pylist()] for column in table.columns]
        with _rows(self.confinement, self.path) as rows:
            kept = list(islice(rows, int(len(self.columns) > 1), None))[:n_rows]
        return [[row[k] or None if k < len(row) else None for row in kept] for k in range(len(self.columns))]


def survey_table(confinement: Confinement, path: Path) -> LabelTableFile:
    """Count the labels of a file and name its columns; any ReadError, or UsageError for a missing package, says why not."""
    state, shown = file_state(path), confinement.show(path)
    if path.suffix == PARQUET:
        with _parquet(confinement, path) as file:
            columns, n_lines = column_names(_flat_columns(file), shown), file.metadata.num_rows
    else:
        with _rows(confinement, path) as rows:
            first = next(rows, [])
            columns = column_names(first, shown) if len(first) > 1 else ("label",)
            n_lines = sum(1 for _ in rows) + (len(first) == 1)
    if not n_lines or not columns:
        raise unusable(shown, "it holds no labels")
    return LabelTableFile(path, shown, confinement, columns, n_lines, state)


@contextmanager
def _rows(confinement: Confinement, path: Path) -> Iterator[Iterator[list[str]]]:
    """The rows of a CSV that are not blank."""
    with confinement.open(path) as source:
        if source.size > MAX_FILE_BYTES:
            size, limit = f"{source.size:,} bytes", f"{MAX_FILE_BYTES:,} bytes"
            raise ReadError("file_too_large", path=source.name, what="a label file", size=size, limit=limit)
        text = io.TextIOWrapper(io.BufferedReader(SourceFile(source)), "utf-8-sig", "replace", newline="")
        try:
            yield (row for row in csv.reader(text) if row)
        except csv.Error as error:
            raise unusable(source.name, str(error)) from None


@contextmanager
def _parquet(confinement: Confinement, path: Path) -> Iterator[ParquetFile]:
    try:
        from pyarrow import ArrowException
        from pyarrow.parquet import ParquetFile
    except ImportError as error:
        raise UsageError("library_missing", format="parquet files", package="tb-embfactor[parquet]") from error
    with confinement.open(path) as source:
        try:
            yield ParquetFile(SourceFile(source))
        except (ArrowException, OSError) as error:
            raise unusable(source.name, f"it is no parquet file that can be read ({str(error)[:200]})") from None


def _flat_columns(file: ParquetFile) -> list[str]:
    """The names of the columns that hold one value for each row."""
    import pyarrow.types

    return [field.name for field in file.schema_arrow if not pyarrow.types.is_nested(field.type)][:MAX_COLUMNS]
