"""Vectors in the binary format of word2vec (`.bin`), which gensim writes, too: a line `V d`, then V tokens with d float32 each.

    token, " ", d × float32, and from word2vec itself an end of line

Tokens have no fixed length, so a row has no position until all before it have been passed. The positions of all rows are found
once and kept as a copy (see `tb_embfactor.copies`), with the tokens behind them; then rows are read where they lie.
"""

from __future__ import annotations

import os
import re
from functools import partial

import numpy as np

from tb_embfactor.copies import Chunks
from tb_embfactor.errors import DamagedError, IncompleteError, UnsupportedError
from tb_embfactor.formats import Folder, MatrixInfo, OwnColumn
from tb_embfactor.formats.file_names import split_step
from tb_embfactor.formats.stored import FileTensors, check_rows, opening
from tb_embfactor.sources import FileSource, Source

VERSION = 1  # raise it whenever positions or tokens are found otherwise
MAX_TOKEN_BYTES = 4096
MAX_TOKENS_BYTES = 512 << 20
_FIRST_LINE = re.compile(rb"(\d{1,10}) (\d{1,6})\n")
_CHUNK_BYTES = 1 << 20
_ROWS = 4096  # whose positions are handed on together


def open_reader(folder: Folder, name: str) -> Word2VecReader:
    with opening(folder, name) as file:
        return Word2VecReader(folder, name, file)


class ScatteredRows:
    """See `tb_embfactor.formats.stored.Tensor`. positions : of the first byte of each row, uint64 one behind the other."""

    dtype = np.dtype(np.float32)

    def __init__(self, source: Source, positions: Source, shape: tuple[int, int]) -> None:
        self._source, self._positions, self.shape = source, positions, shape

    def read_rows(self, start: int, stop: int) -> np.ndarray:
        check_rows(self.shape[0], start, stop)
        positions = np.frombuffer(self._positions.read_at(8 * start, 8 * (stop - start)), "<u8").tolist()
        if not positions:
            return np.empty((0, self.shape[1]), self.dtype)
        n_bytes, first = 4 * self.shape[1], positions[0]
        span = memoryview(self._source.read_at(first, positions[-1] + n_bytes - first))
        rows = b"".join([span[position - first : position - first + n_bytes] for position in positions])
        return np.frombuffer(rows, "<f4").astype(self.dtype, copy=False).reshape(-1, self.shape[1])


class Word2VecReader(FileTensors):
    """See `tb_embfactor.formats.Reader`."""

    skipped = ()

    def __init__(self, folder: Folder, name: str, file: FileSource) -> None:
        path = folder.path / name
        head = file.read_at(0, min(64, file.size))
        counts = _FIRST_LINE.match(head)
        if counts is None or not int(counts[1]) or not int(counts[2]):
            expected, got = "a file of vectors in word2vec's binary format", "its first line does not tell how many there are"
            raise UnsupportedError("file_foreign", path=file.name, expected=expected, got=got)
        shape = int(counts[1]), int(counts[2])
        needed = counts.end() + shape[0] * (4 * shape[1] + 1)
        if file.size < needed:
            what = f"{shape[0]} vectors of {shape[1]} numbers"
            raise IncompleteError("file_truncated", path=file.name, size=file.size, needed=needed, what=what)
        find = partial(_find_rows, file, counts.end(), shape)
        self._positions = folder.copy(file, f"positions {VERSION}", 8 * shape[0], find)
        self._files, self._paths = [self._positions, file], [path]
        matrix, self.step = split_step(name, shape[1])
        super().__init__(file.name, {matrix: ScatteredRows(file, self._positions, shape)}, {}, {matrix: self._read_tokens})
        self.matrices = (MatrixInfo(matrix, shape, "float32", "embedding", labels=("token",)),)
        self.wall_time = os.stat(path).st_mtime

    def _read_tokens(self) -> dict[str, OwnColumn]:
        return {"token": self._positions.appendix().decode("utf-8", "replace").split("\n")[:-1]}


def _find_rows(source: Source, start: int, shape: tuple[int, int]) -> Chunks:
    """The position of each row, and at the end the tokens. Reads everything once, in order."""
    n_rows, n_bytes = shape[0], 4 * shape[1]
    tokens, positions = bytearray(), list[int]()
    data, begin, at = b"", start, start
    for number in range(n_rows):
        if at + MAX_TOKEN_BYTES > begin + len(data) < source.size:
            begin, data = at, source.read_at(at, min(_CHUNK_BYTES, source.size - at))
        space = data.find(b" ", at - begin, at - begin + MAX_TOKEN_BYTES)
        position = begin + space + 1
        if space < 0 or position + n_bytes > source.size:
            if source.size - at < MAX_TOKEN_BYTES + n_bytes:
                raise IncompleteError("file_incomplete", path=source.name, what=f"it ends in row {number} of {n_rows}")
            raise DamagedError("file_damaged", path=source.name, what=f"there is no word at the start of row {number}")
        tokens += data[at - begin : space].strip(b"\n").replace(b"\n", b" ") + b"\n"
        positions.append(position)
        at = position + n_bytes
        if len(positions) == _ROWS or number == n_rows - 1:
            yield np.array(positions, "<u8").tobytes()
            positions.clear()
        if len(tokens) > MAX_TOKENS_BYTES:
            limit = f"{MAX_TOKENS_BYTES} bytes"
            raise UnsupportedError("file_too_large", path=source.name, what="the words in it", size="larger", limit=limit)
    if source.size - at > 1:  # word2vec itself ends the last row, too
        raise DamagedError("file_damaged", path=source.name, what=f"{source.size - at} bytes follow its last row")
    return bytes(tokens)
