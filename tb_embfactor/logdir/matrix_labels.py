"""What stands beside the rows of a matrix: the columns of a label file, then those that lie in the checkpoint itself."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from tb_embfactor.formats import OwnColumn
from tb_embfactor.logdir.labels import Column, Labels, LabelTable, typed_column


@dataclass(frozen=True)
class MatrixLabels:
    """The labels of one matrix; cheap until they are read.

    own : names of the columns that lie in the checkpoint, which is shown as `checkpoint` and has `n_own` of each.
    """

    file: Labels | None
    own: tuple[str, ...]
    n_own: int
    checkpoint: str
    read_own: Callable[[], Mapping[str, OwnColumn]]

    @property
    def source(self) -> str:
        return self.file.source if self.file else self.checkpoint

    @property
    def n_rows(self) -> int:
        return self.file.n_rows if self.file else self.n_own

    @property
    def offset(self) -> int:
        return self.file.offset if self.file else 0

    @property
    def columns(self) -> tuple[str, ...]:
        return (*(self.file.columns if self.file else ()), *self._own_names)

    @property
    def _own_names(self) -> tuple[str, ...]:
        taken = self.file.columns if self.file else ()
        return tuple(f"{name} (checkpoint)" if name in taken else name for name in self.own)

    def to_json(self) -> dict[str, Any]:
        return {"source": self.source, "n_rows": self.n_rows, "columns": list(self.columns), "offset": self.offset}

    def read(self, n_rows: int) -> LabelTable:
        """The labels of `n_rows` rows, and a note where a label file has another number of them. One pass over each source."""
        table = self.file.read(n_rows) if self.file else LabelTable(())
        stored = self.read_own() if self.own else {}
        own = (_column(name, stored[key]) for name, key in zip(self._own_names, self.own, strict=True))
        return LabelTable((*table.columns, *own), table.notes)


def _column(name: str, values: OwnColumn) -> Column:
    return typed_column(name, list(values)) if isinstance(values, list) else Column(name, "number", values.tolist())
