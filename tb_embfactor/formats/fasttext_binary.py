"""Models of fastText (`.bin`): the parameters of the layer itself, which are more than the vectors of words in its `.vec`.

The input layer has a row for each word of the dictionary (`words`) and for each bucket of n-grams (`ngrams`); what fastText calls
the vector of a word is the mean of its own row and those of its n-grams. The output layer (`output`) has a row for each word, or
for each label of a supervised model.

    magic number and version, settings, dictionary (word, count, type of each entry), whether it is quantized, input, output

(https://github.com/facebookresearch/fastText, src/fasttext.cc, src/dictionary.cc, src/densematrix.cc)
"""

from __future__ import annotations

import os
import struct
from collections.abc import Iterator
from functools import partial
from itertools import islice

import numpy as np

from tb_embfactor.errors import DamagedError, IncompleteError, UnsupportedError
from tb_embfactor.formats import Folder, MatrixInfo, OwnColumn, Role
from tb_embfactor.formats.steps import step_in_name
from tb_embfactor.formats.stored import FileTensors, Piece, StoredTensor, opening
from tb_embfactor.sources import FileSource

MAGIC, VERSIONS = 793712314, (11, 12)
MAX_ENTRIES = 20_000_000
MAX_ENTRY_BYTES = 1 << 16
_SETTINGS_BYTES = 8 + 12 * 4 + 8
_DICTIONARY = struct.Struct("<3i2q")  # entries, words, labels, tokens seen, pruned buckets
_COUNT = struct.Struct("<qx")  # how often an entry was met, and of which type it is
_MATRIX = struct.Struct("<2q")
_CHUNK_BYTES = 1 << 20


def open_reader(folder: Folder, name: str) -> FastTextReader:
    with opening(folder, name) as file:
        return FastTextReader(folder, name, file)


class FastTextReader(FileTensors):
    """See `tb_embfactor.formats.Reader`. Opening passes over the dictionary, behind which the matrices lie."""

    skipped = ()

    def __init__(self, folder: Folder, name: str, file: FileSource) -> None:
        path = folder.path / name
        self._file, self._files, self._paths = file, [file], [path]
        head = file.read_at(0, min(_SETTINGS_BYTES + _DICTIONARY.size, file.size))
        if head[:4] != struct.pack("<i", MAGIC):
            got = "it does not start with the mark of one"
            raise UnsupportedError("file_foreign", path=file.name, expected="a model of fastText", got=got)
        (version,) = struct.unpack_from("<i", head, 4)
        self._n_entries, n_words, n_labels, _, n_pruned = _DICTIONARY.unpack_from(head, _SETTINGS_BYTES)
        if version not in VERSIONS:
            raise self._unsupported(f"it is of another version of fastText's format ({version})")
        if n_words < 0 or n_labels < 0 or not n_words + n_labels == self._n_entries <= MAX_ENTRIES:
            raise self._damaged(f"its dictionary has {self._n_entries} entries, for {n_words} words and {n_labels} labels")
        position = _SETTINGS_BYTES + _DICTIONARY.size
        for _, _, position in self._entries():
            folder.copies.report(position / file.size)
        if n_pruned > 0 or file.read_at(position, 1) != b"\0":
            raise self._unsupported("it is quantized")
        at, n_rows, n_columns = self._find_matrix(position + 1)
        if n_rows < n_words:
            raise self._damaged(f"it has {n_rows} rows for {n_words} words")
        tensors = {"words": self._tensor(at, n_words, n_columns)}
        if n_rows > n_words:
            tensors["ngrams"] = self._tensor(at + 4 * n_words * n_columns, n_rows - n_words, n_columns)
        end = at + 4 * n_rows * n_columns
        if file.read_at(end, 1) == b"\0":  # else the output is quantized, and only that
            tensors["output"] = self._tensor(*self._find_matrix(end + 1))
        columns = {"words": ("word", "count")}
        if "output" in tensors and tensors["output"].shape[0] in (n_labels, n_words):
            columns["output"] = ("label", "count") if n_labels else ("word", "count")
        first = {"words": 0, "output": n_words if n_labels else 0}
        labels = {
            matrix: partial(self._read_columns, columns[matrix], first[matrix], tensors[matrix].shape[0]) for matrix in columns
        }
        super().__init__(file.name, tensors, {}, labels)
        roles: dict[str, Role] = {"output": "other"} if n_labels else {}
        self.matrices = tuple(
            MatrixInfo(matrix, tensor.shape, "float32", roles.get(matrix, "embedding"), labels=columns.get(matrix, ()))
            for matrix, tensor in tensors.items()
        )
        self.step = step_in_name(path.stem)
        self.wall_time = os.stat(path).st_mtime

    def _entries(self) -> Iterator[tuple[str, int, int]]:
        """The words, then the labels of the dictionary, each with how often it was met and the position after it."""
        data, begin, at = b"", 0, _SETTINGS_BYTES + _DICTIONARY.size
        for number in range(self._n_entries):
            if at + MAX_ENTRY_BYTES > begin + len(data) < self._file.size:
                begin, data = at, self._file.read_at(at, min(_CHUNK_BYTES, self._file.size - at))
            end = data.find(b"\0", at - begin, at - begin + MAX_ENTRY_BYTES)
            if end < 0 or end + 1 + _COUNT.size > len(data):
                raise self._damaged(f"entry {number} of its dictionary has no end")
            (count,) = _COUNT.unpack_from(data, end + 1)
            word, at = data[at - begin : end].decode("utf-8", "replace"), begin + end + 1 + _COUNT.size
            yield word, count, at

    def _read_columns(self, names: tuple[str, str], first: int, n_rows: int) -> dict[str, OwnColumn]:
        entries = list(islice(self._entries(), first, first + n_rows))
        return {names[0]: [word for word, _, _ in entries], names[1]: np.array([count for _, count, _ in entries], np.int64)}

    def _find_matrix(self, position: int) -> tuple[int, int, int]:
        """Where the numbers of a matrix start, its rows and its columns."""
        n_rows, n_columns = _MATRIX.unpack(self._file.read_at(position, _MATRIX.size))
        at = position + _MATRIX.size
        if n_rows < 0 or n_columns < 1:
            raise self._damaged(f"a matrix in it has {n_rows} rows and {n_columns} columns")
        needed = at + 4 * n_rows * n_columns
        if needed > self._file.size:
            what = f"a matrix of {n_rows} rows and {n_columns} columns"
            raise IncompleteError("file_truncated", path=self._file.name, size=self._file.size, needed=needed, what=what)
        return at, n_rows, n_columns

    def _tensor(self, at: int, n_rows: int, n_columns: int) -> StoredTensor:
        return StoredTensor(np.dtype(np.float32), (n_rows, n_columns), [Piece(self._file, at, (n_rows, n_columns))])

    def _damaged(self, what: str) -> DamagedError:
        return DamagedError("file_damaged", path=self._file.name, what=what)

    def _unsupported(self, what: str) -> UnsupportedError:
        next_step = "Use the model as it was before that, or its vectors (.vec)."
        return UnsupportedError("file_unsupported", path=self._file.name, what=what, next=next_step)
