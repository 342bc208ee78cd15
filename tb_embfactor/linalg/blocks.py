"""A matrix as this package handles it: rows in blocks, read as often as needed, never held as a whole."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Protocol

import numpy as np

from tb_embfactor.errors import UsageError

BLOCK_BYTES = 8 << 20  # of float64 numbers: large enough for BLAS, small beside everything else
Progress = Callable[[float], None]  # share done of the work, 0..1


class RowBlocks(Protocol):
    """`n_rows` × `n_columns` numbers; each `iter()` starts a new pass of (b, n_columns) float32 or float64 in row order."""

    n_rows: int
    n_columns: int

    def __iter__(self) -> Iterator[np.ndarray]: ...


def block_rows(n_columns: int) -> int:
    """How many rows make a block of `BLOCK_BYTES`."""
    return max(1, BLOCK_BYTES // (8 * max(1, n_columns)))


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
        for block in self._blocks:
            yield from ArrayBlocks(np.asarray(block))


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
    """The columns of a wide matrix as rows: blocks of the transpose, over the rows that are finite.

    A strip of columns needs every row, so a pass here reads the matrix `n_strips` times; that is the price of
    constant memory for a matrix that has fewer rows than columns (and is small because of it).
    `centered` subtracts the mean row of the matrix: each row of the transpose minus its own mean.
    """

    STRIP_BYTES = 32 << 20

    def __init__(self, blocks: RowBlocks, finite: np.ndarray, centered: bool = False) -> None:
        self._blocks, self._finite, self._centered = blocks, finite, centered
        self.n_rows, self.n_columns = blocks.n_columns, int(finite.sum())
        self._width = max(64, self.STRIP_BYTES // (8 * max(1, self.n_columns)))

    def __iter__(self) -> Iterator[np.ndarray]:
        for strip in self._gathered():
            if self._centered:
                strip -= strip.mean(axis=0)
                strip -= strip.mean(axis=0)  # the first mean was rounded at its own scale
            yield strip.T

    def _gathered(self) -> Iterator[np.ndarray]:
        """Strips of columns, (n_finite, width) float64."""
        if isinstance(self._blocks, Transposed):
            for block in self._blocks.source:
                yield block.T[self._finite].astype(np.float64)
            return
        for left in range(0, self.n_rows, self._width):
            strip = np.empty((self.n_columns, min(self._width, self.n_rows - left)))
            row = filled = 0
            for block in self._blocks:
                kept = block[self._finite[row : row + len(block)], left : left + self._width]
                strip[filled : filled + len(kept)] = kept
                row, filled = row + len(block), filled + len(kept)
            yield strip


def finite_rows(block: np.ndarray) -> np.ndarray:
    """Which rows can be used, (b,) bool: no NaN, no Inf, and small enough that squares stay finite."""
    with np.errstate(over="ignore", invalid="ignore"):
        return np.isfinite(np.einsum("ij,ij->i", block, block, dtype=np.float64))
