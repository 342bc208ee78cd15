"""Labels that somebody named: `--embfactor_labels [MATRIX=]FILE[@ROW]` and `--labels`.

MATRIX is a matrix by its name, the end of it or its layer, as everywhere. Without it the file is for embeddings of as many rows,
or for the only embedding of a checkpoint, if the numbers are not far apart. ROW is the row that the first label belongs to, where
the first ids are reserved (`vocab.txt@2`: padding and unknown have none); below 0, so many labels at the start are of no row.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from tb_embfactor.errors import UsageError
from tb_embfactor.formats import MatrixInfo
from tb_embfactor.logdir.label_search import LabelFiles
from tb_embfactor.logdir.label_tables import CSV, PARQUET, survey_table
from tb_embfactor.logdir.label_tokens import TOKENS, survey_tokens
from tb_embfactor.logdir.labels import Labels, LabelSource, are_near, file_state, survey_file
from tb_embfactor.logdir.model import find_named
from tb_embfactor.logdir.walk import ShownConfinement
from tb_embfactor.messages import Message

_ROW = re.compile(r"(?P<file>.+)@(?P<row>-?\d{1,9})")
_VOCABULARY = ".txt"


@dataclass(frozen=True)
class LabelFlag:
    """One value of the flag. text : as it was written."""

    text: str
    matrix: str | None
    path: str
    offset: int

    @classmethod
    def parse(cls, text: str) -> LabelFlag:
        """UsageError where no file is named. What is the name of a file as a whole is taken for one."""
        matrix, rest = None, text
        if not os.path.exists(os.path.expanduser(text)):
            before, equals, after = text.partition("=")
            if equals:
                matrix, rest = before.strip() or None, after
        offset = 0
        if not os.path.exists(os.path.expanduser(rest)) and (marked := _ROW.fullmatch(rest)):
            rest, offset = marked["file"], int(marked["row"])
        if not rest.strip():
            raise UsageError("labels_flag", entry=text)
        return cls(text, matrix, rest.strip(), offset)


class FlaggedLabels:
    """The files of all flags, surveyed anew when they change. unused : the flags that no matrix was found for."""

    def __init__(self, texts: Iterable[str]) -> None:
        self.flags = [LabelFlag.parse(text) for text in texts]
        self.unused = set(self.flags)
        self._kept = LabelFiles()

    @property
    def state(self) -> tuple[str, ...]:
        """Changes when a file does."""
        return tuple(file_state(_real(flag)) for flag in self.flags)

    def find(self, matrices: Sequence[MatrixInfo]) -> tuple[dict[str, Labels], list[tuple[str, Message]]]:
        """Labels by the name of the matrix, and what is wrong with the files."""
        found: dict[str, Labels] = {}
        refusals = []
        for flag in self.flags:
            file = self._survey(flag)
            if isinstance(file, Message):
                refusals.append((flag.path, file))
                self.unused.discard(flag)
                continue
            for info in _choose(flag, file, matrices):
                n_labels = file.n_labels(info.shape[0] - flag.offset)
                found.setdefault(info.name, Labels(file, info.name, n_labels, flag.offset))
                self.unused.discard(flag)
        return found, refusals

    def problems(self) -> list[tuple[str, Message]]:
        """What to say of the flags that no matrix was found for."""
        return [(flag.path, Message("labels_unmatched", {"entry": flag.text})) for flag in self.flags if flag in self.unused]

    def _survey(self, flag: LabelFlag) -> LabelSource | Message:
        path = _real(flag)
        confinement = ShownConfinement([path.parent], path.parent, os.path.dirname(flag.path))
        return self._kept.keep(flag.path, path, lambda: _survey(confinement, path))


def _survey(confinement: ShownConfinement, path: Path) -> LabelSource:
    if path.suffix in (CSV, PARQUET):
        return survey_table(confinement, path)
    if path.suffix == TOKENS:
        return survey_tokens(confinement, path)
    return survey_file(confinement, path, is_table=path.suffix != _VOCABULARY)


def _real(flag: LabelFlag) -> Path:
    return Path(os.path.realpath(os.path.expanduser(flag.path)))


def _choose(flag: LabelFlag, file: LabelSource, matrices: Sequence[MatrixInfo]) -> list[MatrixInfo]:
    if flag.matrix is not None:
        return find_named(matrices, flag.matrix)
    embeddings = [info for info in matrices if info.role == "embedding"]
    fitting = [info for info in embeddings if file.n_labels(info.shape[0] - flag.offset) + flag.offset == info.shape[0]]
    if fitting or len(embeddings) != 1:
        return fitting
    n_rows = embeddings[0].shape[0]
    return embeddings if are_near(file.n_labels(n_rows), n_rows) else []
