"""A matrix as this package handles it: rows in blocks, read as often as needed, never held as a whole."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Protocol

import numpy as np

from tb_embfactor.errors import UsageError

BLOCK_BYTES = 8 << 20  # of float64 numbers: what a reader gives at a time
CHUNK_ROWS, CHUNK_NUMBERS = 512, 1 << 15  # what is multiplied at a time, at least: enough for BLAS, and few roundings
LARGEST_SQUARE = 1e290  # of a row's length, so that sums over any number of rows stay finite
Progress = Callable[[float], None]  # share done of the work, 0..1


class RowBlocks(Protocol):
    """`n_rows` × `n_columns` numbers; each `iter()` starts a new pass of (b, n_columns) blocks of real numbers in row order."""

    n_rows: int
    n_columns: int

    def __iter__(self) -> Iterator[np.ndarray]: ...


def part_of(progress: Progress, part: int, n_parts: int) -> Progress:
    """Progress of one of several equal parts of the work."""
    return lambda share: progress((part + share) / n_parts)


def reporting(progress: Progress | None, n_rows: int) -> Callable[[np.ndarray], None]:
    """Reports the share of the rows that has been taken up, block by block."""
    n_seen = 0

    def report(block: np.ndarray) -> None:
        nonlocal n_seen
        n_seen += len(block)
        if progress:
            progress(n_seen / n_rows)

    return report


def block_rows(n_columns: int) -> int:
    """How many rows make a block of `BLOCK_BYTES`; whole chunks, where there are several."""
    n_rows, chunk = max(1, BLOCK_BYTES // (8 * max(1, n_columns))), chunk_rows(n_columns)
    return n_rows if n_rows < chunk else n_rows // chunk * chunk


def chunk_rows(n_columns: int) -> int:
    """How many rows are multiplied at a time."""
    return max(CHUNK_ROWS, CHUNK_NUMBERS // max(1, n_columns))


class ArrayBlocks:
    """The row blocks of an array in memory."""

    def __init__(self, array: np.ndarray) -> None:
        if array.ndim != 2 or array.dtype.kind not in "fiub":
            raise UsageError(
                "bad_parameter",
                owner="factorize",
                name="matrix",
                needed="a two-dimensional array of real numbers",
                got=f"{array.ndim}-D {array.dtype}",
            )
        self._array = array
        self.n_rows, self.n_columns = array.shape

    def __iter__(self) -> Iterator[np.ndarray]:
        step = block_rows(self.n_columns)
        for start in range(0, self.n_rows, step):
            block = self._array[start : start + step]
            yield block if block.dtype in (np.float32, np.float64) else block.astype(np.float64)

    def columns(self, start: int, stop: int) -> np.ndarray:
        """Columns [start, stop) of every row."""
        return self._array[:, start:stop]


class IterableBlocks:
    """The row blocks of any object that can be iterated anew; one pass counts its rows."""

    def __init__(self, blocks: Iterable[np.ndarray]) -> None:
        if iter(blocks) is blocks:
            raise UsageError("one_shot_iterator", got=type(blocks).__name__)
        self._blocks = blocks
        shapes = [np.shape(block) for block in blocks]
        widths = {shape[1] if len(shape) == 2 else -1 for shape in shapes}
        if len(widths) > 1 or -1 in widths:
            first, *others = sorted(widths)
            raise UsageError("row_blocks_ragged", first=first, other=others[0] if others else "not two-dimensional")
        self.n_rows = sum(shape[0] for shape in shapes)
        self.n_columns = widths.pop() if widths else 0

    def __iter__(self) -> Iterator[np.ndarray]:
        small: list[np.ndarray] = []
        for block in self._blocks:
            for part in ArrayBlocks(np.asarray(block)):
                small.append(part)
                if sum(map(len, small)) >= chunk_rows(self.n_columns):
                    yield np.concatenate(small) if len(small) > 1 else part
                    small.clear()
        if small:
            yield np.concatenate(small)


class FirstRows:
    """The first rows of a matrix."""

    def __init__(self, blocks: RowBlocks, n_rows: int) -> None:
        self.n_rows, self.n_columns = min(n_rows, blocks.n_rows), blocks.n_columns
        self._blocks = blocks

    def __iter__(self) -> Iterator[np.ndarray]:
        left = self.n_rows
        for block in self._blocks:
            yield block[:left]
            left -= len(block)
            if left <= 0:
                return


def pairs(one: RowBlocks, other: RowBlocks) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Blocks of two matrices with the same number of rows, cut so that each pair holds the same rows."""
    here, there = iter(one), iter(other)
    a, b = np.empty((0, 0)), np.empty((0, 0))
    while True:
        a = a if len(a) else next(here, a)
        b = b if len(b) else next(there, b)
        n = min(len(a), len(b))
        if not n:
            return
        yield a[:n], b[:n]
        a, b = a[n:], b[n:]


class Transposed:
    """Columns as rows, (n_columns, n_rows), in blocks of `STRIP_BYTES`, each of which takes a pass over `blocks`.

    source : what is transposed; whoever needs strips of columns of this takes row blocks of that.
    """

    STRIP_BYTES = 32 << 20

    def __init__(self, blocks: RowBlocks) -> None:
        self.n_rows, self.n_columns = blocks.n_columns, blocks.n_rows
        self.source = blocks

    def __iter__(self) -> Iterator[np.ndarray]:
        width = max(1, self.STRIP_BYTES // (8 * max(1, self.n_columns)))
        for left in range(0, self.n_rows, width):
            yield np.concatenate([block[:, left : left + width].astype(np.float64) for block in self.source]).T


class Strips:
    """The columns of a matrix as rows: pieces of the transpose, over the rows that are usable; for matrices wider than high.

    Where `blocks.columns` reads some columns alone, a pass reads the matrix once; elsewhere once for every strip, which is the
    price of constant memory. `centered` subtracts the mean row of the matrix: each row of the transpose minus its own mean.

    Memory: one strip, of `STRIP_BYTES` float64 or of `chunk_rows` columns, whichever is more.
    """

    STRIP_BYTES = 16 << 20

    def __init__(self, blocks: RowBlocks, usable: np.ndarray, centered: bool = False) -> None:
        self._blocks, self.usable, self._centered = blocks, usable, centered
        self.n_rows, self.n_columns = blocks.n_columns, int(usable.sum())
        self.width = max(chunk_rows(self.n_columns), self.STRIP_BYTES // (8 * max(1, self.n_columns)))

    def __iter__(self) -> Iterator[np.ndarray]:
        """Pieces (b, n_columns) float64 of the transpose, which lie columns first."""
        for columns in _column_strips(self._blocks, self.width):
            strip = columns[self.usable].astype(np.float64)
            if self._centered:
                strip -= strip.mean(axis=0)
                strip -= strip.mean(axis=0)  # the first mean was rounded at its own scale
            yield strip.T


def _column_strips(blocks: RowBlocks, width: int) -> Iterator[np.ndarray]:
    """All columns in order, (n_rows, w) each, w = `width` where it can be chosen."""
    if isinstance(blocks, Transposed):
        yield from (block.T for block in blocks.source)
        return
    for left in range(0, blocks.n_columns, width):
        yield read_columns(blocks, left, min(left + width, blocks.n_columns))


def read_columns(blocks: RowBlocks, start: int, stop: int) -> np.ndarray:
    """Columns [start, stop) of every row, (n_rows, stop − start)."""
    if hasattr(blocks, "columns"):
        return blocks.columns(start, stop)
    return np.concatenate([block[:, start:stop] for block in blocks])


class Chunks:
    """Blocks of any size and type as float64 chunks of at most `n_rows` rows, in one buffer that is used again."""

    def __init__(self, n_rows: int, n_columns: int) -> None:
        self.n_rows = n_rows
        self._buffer = np.empty((n_rows, n_columns))

    def of(self, block: np.ndarray) -> Iterator[np.ndarray]:
        """Each chunk is valid, and may be changed, until the next one is asked for."""
        for start in range(0, len(block), self.n_rows):
            part = block[start : start + self.n_rows]
            chunk = self._buffer[: len(part)]
            np.copyto(chunk, part)
            yield chunk


def squared_lengths(block: np.ndarray) -> np.ndarray:
    """Σⱼ xⱼ² of each row in float64, (b,); Inf or NaN where it cannot be told."""
    with np.errstate(over="ignore", invalid="ignore"):
        if block.dtype == np.float64:  # a third of the time
            return np.matmul(block[:, None, :], block[:, :, None])[:, 0, 0]
        return np.einsum("ij,ij->i", block, block, dtype=np.float64)


def usable_rows(squares: np.ndarray) -> np.ndarray:
    """Which rows can be used, by their squared lengths (b,): no NaN, no Inf, nothing so large that sums would overflow."""
    return squares < LARGEST_SQUARE


def finite_rows(block: np.ndarray) -> np.ndarray:
    """Which rows of a block can be used, (b,) bool."""
    return usable_rows(squared_lengths(block))
