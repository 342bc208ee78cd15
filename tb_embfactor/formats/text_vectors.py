"""Vectors in text: word2vec, fastText and GloVe, tables of embeddings, and the projector's tensors (`text_dialect` tells which).

A row of text has no position, and parsing it costs far more than reading it. So the numbers are parsed once, into a copy that
rows are read from (see `tb_embfactor.copies`), and the words beside them are kept behind the numbers there.
"""

from __future__ import annotations

import os
from urllib.parse import unquote

import numpy as np

from tb_embfactor.errors import UnsupportedError
from tb_embfactor.formats import Folder, MatrixInfo, OwnColumn, Role
from tb_embfactor.formats.file_names import says_embedding, split_step
from tb_embfactor.formats.stored import FileTensors, Piece, StoredTensor, opening
from tb_embfactor.formats.text_dialect import HEAD_BYTES, Dialect, recognize
from tb_embfactor.formats.text_rows import RowParser, iter_lines
from tb_embfactor.sources import FileSource

VERSION = 1  # raise it whenever the same text is parsed to other numbers or labels
PROJECTOR_TENSORS = "tensors.tsv"


def open_reader(folder: Folder, name: str) -> TextReader:
    with opening(folder, name) as file:
        return TextReader(folder, name, file)


class TextReader(FileTensors):
    """See `tb_embfactor.formats.Reader`. Opening reads the beginning, and counts the lines where no first line tells of them."""

    skipped = ()

    def __init__(self, folder: Folder, name: str, file: FileSource) -> None:
        path = folder.path / name
        says = says_embedding(path.stem)
        dialect = recognize(file.read_at(0, min(HEAD_BYTES, file.size)), file.size <= HEAD_BYTES, says)
        if isinstance(dialect, str):
            raise UnsupportedError("file_foreign", path=file.name, expected="a file of vectors", got=dialect)
        n_rows = dialect.n_rows if dialect.n_rows is not None else _count_rows(file, folder, dialect)
        shape, dtype = (n_rows, dialect.n_columns), np.dtype(np.float64 if dialect.is_double else np.float32)
        n_bytes = n_rows * dialect.n_columns * dtype.itemsize
        self._numbers = folder.copy(file, f"text {VERSION}", n_bytes, RowParser(file, dialect, n_rows, dtype).parse)
        self._files, self._paths = [self._numbers, file], [path]
        self._columns = (*dialect.left, *dialect.right)
        matrix, self.step = _projected(folder) if name == PROJECTOR_TENSORS else split_step(name, dialect.n_columns)
        tensor = StoredTensor(dtype, shape, [Piece(self._numbers, 0, shape)])
        super().__init__(file.name, {matrix: tensor}, {}, {matrix: self._read_columns})
        role: Role = "embedding" if self._columns or says else "other"
        self.matrices = (MatrixInfo(matrix, shape, dtype.name, role, labels=self._columns),)
        self.wall_time = os.stat(path).st_mtime

    def _read_columns(self) -> dict[str, OwnColumn]:
        rows = self._numbers.appendix().decode("utf-8", "replace").split("\n")[:-1]
        cells = zip(*(row.split("\t") for row in rows), strict=True)
        return {name: list(column) for name, column in zip(self._columns, cells, strict=True)}


def _count_rows(file: FileSource, folder: Folder, dialect: Dialect) -> int:
    n_lines, n_bytes = 0, 0
    for lines, _ in iter_lines(file):
        n_lines += len(lines)
        n_bytes += sum(map(len, lines))
        folder.copies.report(n_bytes / file.size)
    return n_lines - dialect.n_header


def _projected(folder: Folder) -> tuple[str, int | None]:
    """Tag and step of what `add_embedding` of torch or tensorboardX wrote: `00300/TAG/tensors.tsv`, "/" in a tag as `%2f`."""
    step = folder.path.parent.name
    return unquote(folder.path.name) or "tensors", int(step) if step.isdecimal() and len(step) < 16 else None
