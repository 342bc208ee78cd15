"""Tensors where they lie: numbers at a position of a source, read a block of rows at a time.

Every format whose tensors are plain bytes at an offset describes them as `StoredTensor` and gets row reading,
byte order, slices and checksums from here. A tensor is one `Piece`, or several that tile it (partitioned variables).

A piece may carry a checksum of its bytes. It is verified in the same pass that reads them: rows read one block after
another from row 0 extend it, and the last block fails if it does not fit. Blocks read out of order are not verified.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Protocol

import google_crc32c
import numpy as np

from tb_embfactor.errors import DamagedError, EmbfactorError, NotFoundError, ReadError, UnsupportedError, UsageError
from tb_embfactor.formats import Folder, OwnColumn
from tb_embfactor.formats.runs import Bytes, Crossing, read_runs
from tb_embfactor.sources import FileSource, Source, stat_fingerprint

_CRC_MASK = 0xA282EAD8
_N_NAMES_SHOWN = 20
_BLOCK_NUMBERS = 1 << 20


@contextmanager
def only_our_errors(path: str) -> Iterator[None]:
    """What a parser trips over in `path` becomes a sentence about the file.

    Readers check what they rely on and say so in words. This is for the rest: a damaged file can make any library
    call fail in ways nobody listed, and such a file must cost one problem entry, not the process.
    """
    try:
        yield
    except EmbfactorError:
        raise
    except OSError as error:
        raise ReadError("file_unreadable", path=path, reason=error.strerror or str(error)) from error
    except MemoryError as error:
        what, limit = "the memory that reading it takes", "what --embfactor_memory_gb sets"
        raise UnsupportedError("file_too_large", path=path, what=what, size="more than there is", limit=limit) from error
    except Exception as error:
        what = f"reading it failed with {type(error).__name__} ({str(error)[:200]})"
        raise DamagedError("file_damaged", path=path, what=what) from error


@contextmanager
def opening(folder: Folder, name: str) -> Iterator[FileSource]:
    """The file `name` for the reader that is made of it; closed where none can be made, for a reason that is ours."""
    with only_our_errors(folder.confinement.show(folder.path / name)):
        file = folder.open(name)
        try:
            yield file
        except BaseException:
            file.close()
            raise


def masked_crc32c(data: bytes, crc: int = 0) -> int:
    """CRC-32C of `data` (continuing from the unmasked `crc`) as LevelDB and TensorFlow store it."""
    return mask_crc(google_crc32c.extend(crc, data))


def mask_crc(crc: int) -> int:
    return ((crc >> 15 | crc << 17) + _CRC_MASK) & 0xFFFFFFFF


def decode(data: Bytes, dtype: np.dtype, swapped: bool) -> np.ndarray:
    """Numbers in native byte order, 1-D; read-only where they are the bytes as they lie."""
    if swapped:  # as unsigned integers, since ml_dtypes' types have no byte order of their own
        return np.frombuffer(data, f"u{dtype.itemsize}").byteswap().view(dtype)
    return np.frombuffer(data, dtype)


def check_rows(n_rows: int, start: int, stop: int) -> None:
    if not 0 <= start <= stop <= n_rows:
        needed = f"within 0 and {n_rows}, first to last"
        raise UsageError("bad_parameter", owner="read_rows", name="the range of rows", needed=needed, got=[start, stop])


class Tensor(Protocol):
    """A matrix, or a vector as a matrix of one column, that is read by rows."""

    @property
    def dtype(self) -> np.dtype: ...

    @property
    def shape(self) -> tuple[int, int]: ...

    def read_rows(self, start: int, stop: int) -> np.ndarray:
        """Rows [start, stop), in `dtype`; UsageError for rows that are not there."""
        ...


@dataclass(frozen=True)
class Checksum:
    """What all the bytes of a piece come to.

    extend : takes what came of the bytes before, and more bytes. finish : makes of what came of all what is stored.
    """

    value: int
    extend: Callable[[int, bytes], int]
    finish: Callable[[int], int] = lambda total: total


class Piece:
    """A rectangle of a tensor, stored in runs: its rows, or its columns where it is stored the other way round.

    checksum : of its bytes, where the file tells it; only for rows that lie one behind the other.
    stride : from the start of a run to that of the next, in numbers; by default the next begins where one ends.
    by_columns : whether the runs are its columns (see `runs.Crossing` for what that costs).
    """

    def __init__(
        self,
        source: Source,
        offset: int,
        shape: tuple[int, int],
        corner: tuple[int, int] = (0, 0),
        checksum: Checksum | None = None,
        stride: int | None = None,
        by_columns: bool = False,
    ) -> None:
        self.source, self.offset, self.checksum, self.by_columns = source, offset, checksum, by_columns
        (self.row, self.column), (self.n_rows, self.n_columns) = corner, shape
        self.stride = shape[0 if by_columns else 1] if stride is None else stride
        self._verified_rows, self._verified_sum = 0, 0  # how far, and to what, sequential reading has come
        self._crossing: Crossing | None = None

    def transposed(self) -> Piece:
        shape, corner = (self.n_columns, self.n_rows), (self.column, self.row)
        return Piece(self.source, self.offset, shape, corner, None, self.stride, not self.by_columns)

    def read(self, start: int, stop: int, itemsize: int) -> Bytes:
        """The bytes of its rows [start, stop), counted in the piece; column by column where it is stored so."""
        stride = self.stride * itemsize
        if self.by_columns:
            if self._crossing is None:
                self._crossing = Crossing(self.source, self.offset, self.n_columns, self.n_rows * itemsize, stride)
            return self._crossing.read(start * itemsize, stop * itemsize)
        data = read_runs(self.source, self.offset + start * stride, stop - start, self.n_columns * itemsize, stride)
        if self.checksum is not None:
            self._verify(self.checksum, start, stop, data)
        return data

    def _verify(self, checksum: Checksum, start: int, stop: int, data: Bytes) -> None:
        if start == 0:
            self._verified_rows, self._verified_sum = 0, 0
        if start != self._verified_rows:
            return
        self._verified_rows, self._verified_sum = stop, checksum.extend(self._verified_sum, bytes(data))
        if stop == self.n_rows and checksum.finish(self._verified_sum) != checksum.value:
            self._verified_rows = -1
            what = f"the checksum of the {self.n_rows * self.n_columns} numbers at byte {self.offset} does not fit"
            raise DamagedError("file_damaged", path=self.source.name, what=what)


class StoredTensor:
    """A matrix, or a vector as a matrix of one column, in the pieces that tile it.

    dtype : of one number, in native byte order. swapped : whether the bytes lie the other way round.
    """

    def __init__(self, dtype: np.dtype, shape: tuple[int, int], pieces: Sequence[Piece], swapped: bool = False) -> None:
        self.dtype, self.shape, self.swapped = dtype, shape, swapped
        self.pieces = sorted(pieces, key=lambda piece: (piece.row, piece.column))

    def transposed(self) -> StoredTensor:
        pieces = [piece.transposed() for piece in self.pieces]
        return StoredTensor(self.dtype, (self.shape[1], self.shape[0]), pieces, self.swapped)

    def is_tiled(self) -> bool:
        """Whether the pieces cover every number once: bands of rows, each cut into columns, with no gap or overlap."""
        n_rows, n_columns = self.shape
        next_row = 0
        for row, in_band in groupby(self.pieces, key=lambda piece: piece.row):
            band = list(in_band)
            next_column = 0
            for piece in band:
                if piece.column != next_column or piece.n_rows != band[0].n_rows:
                    return False
                next_column += piece.n_columns
            if row != next_row or next_column != n_columns:
                return False
            next_row += band[0].n_rows
        return next_row == n_rows

    def read_rows(self, start: int, stop: int) -> np.ndarray:
        """Rows [start, stop), read-only where they are the bytes as read."""
        check_rows(self.shape[0], start, stop)
        if len(self.pieces) == 1:
            return self._decode(self.pieces[0], start, stop)
        rows = np.empty((stop - start, self.shape[1]), self.dtype)
        for piece in self.pieces:
            first, last = max(start, piece.row), min(stop, piece.row + piece.n_rows)
            if first < last:
                columns = slice(piece.column, piece.column + piece.n_columns)
                rows[first - start : last - start, columns] = self._decode(piece, first - piece.row, last - piece.row)
        return rows

    def _decode(self, piece: Piece, start: int, stop: int) -> np.ndarray:
        numbers = decode(piece.read(start, stop, self.dtype.itemsize), self.dtype, self.swapped)
        n_rows = stop - start
        return numbers.reshape(piece.n_columns, n_rows).T if piece.by_columns else numbers.reshape(n_rows, piece.n_columns)


class ArrayTensor:
    """See `Tensor`: of an array that is in memory."""

    def __init__(self, array: np.ndarray) -> None:
        self._array, self.dtype = array, array.dtype
        self.shape = array.shape[0], array.shape[1]

    def transposed(self) -> ArrayTensor:
        return ArrayTensor(self._array.T)

    def read_rows(self, start: int, stop: int) -> np.ndarray:
        check_rows(self.shape[0], start, stop)
        return self._array[start:stop]


def mean_rows(accumulator: Tensor) -> np.ndarray:
    """The mean of each row, float64. One pass, in blocks."""
    n_rows, n_columns = accumulator.shape
    step = max(1, _BLOCK_NUMBERS // max(1, n_columns))
    means = np.empty(n_rows)
    for start in range(0, n_rows, step):
        means[start : start + step] = accumulator.read_rows(start, min(start + step, n_rows)).astype(np.float64).mean(axis=1)
    return means


class StoredTensors:
    """The reading half of a `Reader`, for checkpoints whose tensors lie as plain bytes."""

    def __init__(
        self,
        path: str,
        matrices: Mapping[str, Tensor],
        vectors: Mapping[str, Tensor],
        labels: Mapping[str, Callable[[], Mapping[str, OwnColumn]]] | None = None,
    ) -> None:
        self.path, self._matrices, self._vectors, self._labels = path, matrices, vectors, labels or {}

    def read_rows(self, name: str, start: int, stop: int) -> np.ndarray:
        with only_our_errors(self.path):
            return self._find(self._matrices, name).read_rows(start, stop)

    def read_vector(self, name: str) -> np.ndarray:
        with only_our_errors(self.path):
            vector = self._find(self._vectors, name)
            return vector.read_rows(0, vector.shape[0]).reshape(-1)

    def read_labels(self, name: str) -> Mapping[str, OwnColumn]:
        with only_our_errors(self.path):
            self._find(self._matrices, name)
            return self._labels[name]() if name in self._labels else {}

    def _find(self, tensors: Mapping[str, Tensor], name: str) -> Tensor:
        if name in tensors:
            return tensors[name]
        known = ", ".join(list(tensors)[:_N_NAMES_SHOWN]) + (", …" if len(tensors) > _N_NAMES_SHOWN else "")
        raise NotFoundError("unknown_matrix", checkpoint=self.path, matrix=name, known=known)


class Closing(Protocol):
    def close(self) -> None: ...


class FileTensors(StoredTensors):
    """`StoredTensors` of a checkpoint that is one file or several, of which a reader sets:

    _paths : those whose state is the checkpoint's, the file that stands for it first. _files : what is to be closed.
    """

    _paths: Sequence[Path]
    _files: Sequence[Closing]

    def fingerprint(self) -> str:
        with only_our_errors(self.path):
            return "|".join(stat_fingerprint(os.stat(path)) for path in self._paths)

    def close(self) -> None:
        for file in self._files:
            file.close()
