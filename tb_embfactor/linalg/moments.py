"""The one pass over the rows that everything else follows from.

Why float64: a Gram matrix squares the condition number. In float32 it loses every singular value below about
3e-4·σ₁; in float64 it holds them to 1e-6 of σ₁ and better, and whitened rows hold the rest (`refinement.py`).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from typing import Self, TypeVar

import numpy as np

from tb_embfactor.linalg.blocks import Chunks, Progress, RowBlocks, chunk_rows, pairs, reporting, squared_lengths, usable_rows
from tb_embfactor.linalg.crew import Crew
from tb_embfactor.linalg.gram import GramSum, SecondMoments, Whitening
from tb_embfactor.linalg.products import Map, add_gram, add_product, is_shared, mirror_upper, subtract_outer
from tb_embfactor.linalg.row_statistics import RowStatistics, RowSummary

Item = TypeVar("Item")


@dataclass(frozen=True)
class Moments:
    """Sums over the usable rows x of a matrix, all float64.

    mean : (d,). second : Σ (x−mean)(x−mean)ᵀ, of whitened rows where there was a whitening.
    unit_sum : (d,), Σ x/‖x‖ over the n_nonzero rows that are not zero. rows : zeros and norms.
    """

    n_rows: int
    n_skipped: int
    n_nonzero: int
    mean: np.ndarray
    second: SecondMoments
    unit_sum: np.ndarray
    rows: RowSummary

    @property
    def rank(self) -> int:
        """How many singular values of the centred rows can differ from zero."""
        return min(len(self.mean), self.n_rows - 1)


@dataclass(frozen=True)
class CrossMoments:
    """Sums over the rows that are usable in two matrices with the same rows, all float64, about their means over these rows.

    gram_a : (d, d), gram_b : (e, e). cross : (d, e), Σ (a−mean_a)(b−mean_b)ᵀ.
    """

    n_rows: int
    n_skipped: int
    mean_a: np.ndarray
    mean_b: np.ndarray
    gram_a: np.ndarray
    gram_b: np.ndarray
    cross: np.ndarray


def accumulate(blocks: RowBlocks, progress: Progress | None = None, whitening: Whitening | None = None) -> Moments:
    """Second moments about the mean, in one pass.

    Rows are shifted by the mean of the whitening, or of the first block, before they are squared, so that a common mean far
    larger than the spread costs no digits. Rows with NaN or Inf are left out and counted.

    Cost: one pass and V·d² flops; twice that with a whitening. Memory: d² float64 for each thread, or once above
    d = `products.TILE`, and a few blocks.
    """
    rows = iter(blocks)
    first = next(rows)
    shift = whitening.mean if whitening else _provisional_mean(first)
    with Crew() as crew:
        report = reporting(progress, blocks.n_rows)
        make = partial(_MomentSums, shift, whitening)
        sums = crew.accumulate(make, _from(first, rows), is_shared(blocks.n_columns), report)
    return Moments(
        n_rows=sums.n_rows,
        n_skipped=blocks.n_rows - sums.n_rows,
        n_nonzero=sums.n_nonzero,
        mean=shift + sums.total / max(1, sums.n_rows),
        second=sums.gram.moments(sums.total, sums.n_rows),
        unit_sum=sums.unit_sum,
        rows=sums.statistics.summary(),
    )


def cross_moments(a: RowBlocks, b: RowBlocks, progress: Progress | None = None) -> CrossMoments:
    """Second moments of two matrices with the same rows, and between them, over the rows that are usable in both.

    a : (V, d), b : (V, e); row i of one belongs to row i of the other.

    Cost: one pass over both, V·(d² + 2·d·e + e²) flops. Memory: d² + d·e + e² float64 for each thread, or once where a side
    is above `products.TILE`.

    >>> from tb_embfactor.linalg.blocks import ArrayBlocks
    >>> x = np.array([[1.0, 0.0], [3.0, 2.0], [np.nan, 1.0]])
    >>> cross_moments(ArrayBlocks(x), ArrayBlocks(2 * x)).cross
    array([[4., 4.],
           [4., 4.]])
    """
    rows = pairs(a, b)
    first = next(rows)
    shift_a, shift_b = _provisional_mean(first[0]), _provisional_mean(first[1])
    with Crew() as crew:
        report = reporting(progress, a.n_rows)
        share_items = is_shared(a.n_columns, b.n_columns)
        sums = crew.accumulate(
            lambda: _CrossSums(shift_a, shift_b), _from(first, rows), share_items, lambda blocks: report(blocks[0])
        )
    offset_a, offset_b = sums.total_a / max(1, sums.n_rows), sums.total_b / max(1, sums.n_rows)
    for gram, total, offset in ((sums.gram_a, sums.total_a, offset_a), (sums.gram_b, sums.total_b, offset_b)):
        mirror_upper(gram)
        subtract_outer(gram, total, offset)
    subtract_outer(sums.cross, sums.total_a, offset_b)
    return CrossMoments(
        n_rows=sums.n_rows,
        n_skipped=a.n_rows - sums.n_rows,
        mean_a=shift_a + offset_a,
        mean_b=shift_b + offset_b,
        gram_a=sums.gram_a,
        gram_b=sums.gram_b,
        cross=sums.cross,
    )


class _MomentSums:
    def __init__(self, shift: np.ndarray, whitening: Whitening | None) -> None:
        d = len(shift)
        self.gram = GramSum(d, whitening)
        self.total, self.unit_sum = np.zeros(d), np.zeros(d)
        self.n_rows = self.n_nonzero = 0
        self.statistics = RowStatistics()
        self._shift, self._chunks = shift, Chunks(chunk_rows(d), d)

    def add(self, block: np.ndarray, each: Map) -> None:
        for chunk in self._chunks.of(block):
            squares = squared_lengths(chunk)
            usable = usable_rows(squares)
            x = chunk if usable.all() else chunk[usable]
            norms = np.sqrt(squares[usable])
            self.statistics.add(x, norms)
            self.unit_sum += sum_units(x, norms)
            x -= self._shift
            self.total += x.sum(axis=0)
            self.gram.add(x, each)
            self.n_rows += len(x)
            self.n_nonzero += int(np.count_nonzero(norms))

    def merge(self, other: Self) -> None:
        self.gram.merge(other.gram)
        self.total += other.total
        self.unit_sum += other.unit_sum
        self.statistics.merge(other.statistics)
        self.n_rows += other.n_rows
        self.n_nonzero += other.n_nonzero


class _CrossSums:
    def __init__(self, shift_a: np.ndarray, shift_b: np.ndarray) -> None:
        d, e = len(shift_a), len(shift_b)
        self.gram_a, self.gram_b = np.zeros((d, d), order="F"), np.zeros((e, e), order="F")
        self.cross = np.zeros((d, e), order="F")
        self.total_a, self.total_b = np.zeros(d), np.zeros(e)
        self.n_rows = 0
        n_rows = min(chunk_rows(d), chunk_rows(e))
        self._a, self._b = (shift_a, Chunks(n_rows, d)), (shift_b, Chunks(n_rows, e))

    def add(self, blocks: tuple[np.ndarray, np.ndarray], each: Map) -> None:
        (shift_a, chunks_a), (shift_b, chunks_b) = self._a, self._b
        for a, b in zip(chunks_a.of(blocks[0]), chunks_b.of(blocks[1]), strict=True):
            usable = usable_rows(squared_lengths(a)) & usable_rows(squared_lengths(b))
            if not usable.all():
                a, b = a[usable], b[usable]
            a -= shift_a
            b -= shift_b
            self.total_a += a.sum(axis=0)
            self.total_b += b.sum(axis=0)
            add_gram(self.gram_a, a, each)
            add_gram(self.gram_b, b, each)
            add_product(self.cross, a, b, each)
            self.n_rows += len(a)

    def merge(self, other: Self) -> None:
        self.gram_a += other.gram_a
        self.gram_b += other.gram_b
        self.cross += other.cross
        self.total_a += other.total_a
        self.total_b += other.total_b
        self.n_rows += other.n_rows


class RowSums:
    """What a pass over a wide matrix has to know of its rows before its columns are read.

    usable : (V,) bool. n_rows, n_nonzero : counts among them. total : (d,) Σ x. unit_sum : (d,) Σ x/‖x‖.
    statistics : zeros and norms of the rows.
    """

    def __init__(self, blocks: RowBlocks) -> None:
        self.total = np.zeros(blocks.n_columns)
        self.unit_sum = np.zeros(blocks.n_columns)
        self.n_nonzero = 0
        self.statistics = RowStatistics()
        masks = []
        for block in blocks:
            squares = squared_lengths(block)
            usable = usable_rows(squares)
            x, norms = block[usable].astype(np.float64), np.sqrt(squares[usable])
            self.statistics.add(x, norms)
            self.unit_sum += sum_units(x, norms)
            self.total += x.sum(axis=0)
            self.n_nonzero += int(np.count_nonzero(norms))
            masks.append(usable)
        self.usable = np.concatenate(masks)
        self.n_rows = int(self.usable.sum())


def sum_units(rows: np.ndarray, norms: np.ndarray) -> np.ndarray:
    """Σ x/‖x‖ over the rows that are not zero."""
    return np.divide(1.0, norms, out=np.zeros_like(norms), where=norms > 0) @ rows


def _from(first: Item, rest: Iterator[Item]) -> Iterator[Item]:
    """What an iterator gave first, and the rest of it; closing this closes the iterator."""
    yield first
    yield from rest


def _provisional_mean(block: np.ndarray) -> np.ndarray:
    """Of the usable rows of a block, (d,) float64; zeros where there is none."""
    rows = block[usable_rows(squared_lengths(block))]
    return rows.mean(axis=0, dtype=np.float64) if len(rows) else np.zeros(block.shape[1])
