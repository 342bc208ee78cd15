"""The one pass over the rows that everything else follows from.

Why float64: a Gram matrix squares the condition number. In float32 it loses every singular value below about
3e-4·σ₁; in float64 it holds them to 1e-6 of σ₁ and better, and a second pass (`spectrum.py`) restores the rest.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.linalg.blas import dsyrk

from tb_embfactor.linalg.blocks import Progress, RowBlocks, finite_rows, pairs
from tb_embfactor.linalg.row_statistics import RowStatistics


@dataclass(frozen=True)
class Moments:
    """Sums over the usable rows x of a matrix, all float64.

    mean : (d,). gram : (d, d), Σ (x−mean)(x−mean)ᵀ. unit_sum : (d,), Σ x/‖x‖ over the n_nonzero rows that are not zero.
    squared_sum : Σ‖x−shift‖², what the rounding errors of `gram` are proportional to.
    block_rows : rows in the largest block, which the error bound depends on.
    """

    n_rows: int
    n_skipped: int
    n_nonzero: int
    mean: np.ndarray
    gram: np.ndarray
    unit_sum: np.ndarray
    squared_sum: float
    block_rows: int


def accumulate(blocks: RowBlocks, progress: Progress | None = None, rows: RowStatistics | None = None) -> Moments:
    """Second moments about the mean, in one pass.

    Rows are shifted by the mean of the first block before they are squared, so that a common mean far larger than
    the spread costs no digits. Rows with NaN or Inf are left out and counted. `rows` is shown each block.

    Cost: one pass, V·d² multiply-adds (half of them, by symmetry), 2 d² + 2 blocks of float64.
    """
    d = blocks.n_columns
    gram = np.zeros((d, d), order="F")
    shift = total = np.zeros(d)
    unit_sum = np.zeros(d)
    n_rows = n_read = n_nonzero = largest = 0
    squared_sum = 0.0
    for raw in blocks:
        n_read += len(raw)
        block = raw.astype(np.float64)  # a copy: it is shifted in place below
        usable = finite_rows(block)
        if not usable.all():
            block = block[usable]
        if not len(block):
            continue
        norms = _norms(block)
        unit_sum += _unit_sum(block, norms)
        if rows:
            rows.add(block, norms)
        if n_rows == 0:
            shift, total = block.mean(axis=0), np.zeros(d)
        block -= shift
        total += block.sum(axis=0)
        squared_sum += float(np.einsum("ij,ij->", block, block))
        gram = dsyrk(1.0, block.T, beta=1.0, c=gram, overwrite_c=1)  # the upper triangle
        n_rows += len(block)
        n_nonzero += int(np.count_nonzero(norms))
        largest = max(largest, len(block))
        if progress:
            progress(n_read / blocks.n_rows)
    mirror_upper(gram)
    if n_rows:
        gram -= np.outer(total, total / n_rows)
    return Moments(
        n_rows=n_rows,
        n_skipped=n_read - n_rows,
        n_nonzero=n_nonzero,
        mean=shift + total / max(1, n_rows),
        gram=gram,
        unit_sum=unit_sum,
        squared_sum=squared_sum,
        block_rows=largest,
    )


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
        for raw in blocks:
            usable = finite_rows(raw)
            block = raw[usable].astype(np.float64)
            norms = _norms(block)
            self.statistics.add(block, norms)
            self.unit_sum += _unit_sum(block, norms)
            self.total += block.sum(axis=0)
            self.n_nonzero += int(np.count_nonzero(norms))
            masks.append(usable)
        self.usable = np.concatenate(masks)
        self.n_rows = int(self.usable.sum())


def mirror_upper(gram: np.ndarray) -> None:
    """Fill the lower triangle of a symmetric matrix of which a BLAS routine wrote the upper one."""
    for column in range(len(gram) - 1):  # one column at a time: index arrays would cost more than the matrix
        gram[column + 1 :, column] = gram[column, column + 1 :]


def _norms(block: np.ndarray) -> np.ndarray:
    """‖x‖ of each row, (b,)."""
    return np.sqrt(np.einsum("ij,ij->i", block, block))


def _unit_sum(block: np.ndarray, norms: np.ndarray) -> np.ndarray:
    """Σ x/‖x‖ over the rows that are not zero."""
    return np.divide(1.0, norms, out=np.zeros_like(norms), where=norms > 0) @ block


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


def cross_moments(a: RowBlocks, b: RowBlocks, progress: Progress | None = None) -> CrossMoments:
    """Second moments of two matrices with the same rows, and between them, over the rows that are usable in both.

    a : (V, d), b : (V, e); row i of one belongs to row i of the other.

    Cost: one pass over both, V·(d² + 2·d·e + e²) flops; d² + d·e + e² float64 and a few blocks.

    >>> from tb_embfactor.linalg.blocks import ArrayBlocks
    >>> x = np.array([[1.0, 0.0], [3.0, 2.0], [np.nan, 1.0]])
    >>> cross_moments(ArrayBlocks(x), ArrayBlocks(2 * x)).cross
    array([[4., 4.],
           [4., 4.]])
    """
    d, n_rows, n_read = a.n_columns, 0, 0
    gram = np.zeros((d + b.n_columns, d + b.n_columns), order="F")
    shift = total = np.zeros(len(gram))
    for block_a, block_b in pairs(a, b):
        n_read += len(block_a)
        usable = finite_rows(block_a) & finite_rows(block_b)
        both = np.concatenate([block_a[usable], block_b[usable]], axis=1, dtype=np.float64)
        if len(both):
            if n_rows == 0:
                shift = both.mean(axis=0)
            both -= shift
            total = total + both.sum(axis=0)
            gram = dsyrk(1.0, both.T, beta=1.0, c=gram, overwrite_c=1)
            n_rows += len(both)
        if progress:
            progress(n_read / a.n_rows)
    mirror_upper(gram)
    gram -= np.outer(total, total / max(1, n_rows))
    mean = shift + total / max(1, n_rows)
    return CrossMoments(n_rows, n_read - n_rows, mean[:d], mean[d:], gram[:d, :d], gram[d:, d:], gram[:d, d:])
