"""Exact singular values and right singular vectors of a matrix that is read in row blocks.

A pass gives the second moments, and they the factors with bounds (`refinement.py`). Where these are not good enough (a collapsed
or steep spectrum, which is just what people come to see) another pass whitens the rows first; where the first rows of
many show that it will be so, the first pass does. Both spectra, of W as stored and of its centred rows, come from one pass.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import Protocol, TypeVar

import numpy as np

from tb_embfactor.errors import MatrixError
from tb_embfactor.linalg.axes import Axes, KnownAxes, ShiftedAxes, StripAxes
from tb_embfactor.linalg.blocks import FirstRows, Progress, RowBlocks, Strips, chunk_rows, part_of, reporting
from tb_embfactor.linalg.crew import BLAS, Crew
from tb_embfactor.linalg.gram import GramSum, SecondMoments, Whitening
from tb_embfactor.linalg.moments import Moments, RowSums, accumulate
from tb_embfactor.linalg.products import is_shared
from tb_embfactor.linalg.refinement import (
    TINY,
    TOLERANCE,
    UNIT,
    Factors,
    eigh_rounding,
    eigvalsh,
    factor,
    is_steep,
    singular_values,
)
from tb_embfactor.linalg.row_statistics import RowSummary

ALGORITHM = 4  # part of every cache key: raise it when an answer changes
MANY, LARGE = 32, 1 << 17  # times as many rows as columns, and entries, from which on the first rows are looked at before
FEW = 4  # times as many rows as columns are looked at
MOST_PASSES = 3


@dataclass(frozen=True)
class Svd:
    """Singular values and right singular vectors.

    singular_values : (k,) float64, descending. error_bound : (k,) relative, to first order; Infinity marks a
    value that cannot be told from zero: it is given as 0 and known only to be at most `null_bound`.
    """

    singular_values: np.ndarray
    error_bound: np.ndarray
    null_bound: float
    axes: Axes

    @property
    def rank(self) -> int:
        """Numerical rank: how many singular values differ from zero."""
        return int(np.count_nonzero(self.singular_values))

    @property
    def right(self) -> np.ndarray:
        """(d, k) right singular vectors, columns of unit length; the entry of largest magnitude of each is positive."""
        return self.leading(len(self.singular_values))

    def leading(self, k: int) -> np.ndarray:
        """The first k right singular vectors, (d, k). They may have to be computed: see `axes.py`."""
        return self.axes.leading(k)


@dataclass(frozen=True)
class Spectrum:
    """What the rows of a matrix say of it: `stored` factors W itself, `centered` factors W minus its mean row."""

    n_rows: int
    n_skipped: int
    n_columns: int
    mean: np.ndarray
    n_nonzero: int
    unit_sum: np.ndarray
    stored: Svd
    centered: Svd
    passes: int
    rows: RowSummary


def decompose(blocks: RowBlocks, name: str = "the matrix", progress: Progress | None = None) -> Spectrum:
    """Factor a matrix given in row blocks, both as stored and centred.

    Raises MatrixError for a matrix without entries or without a finite row.

    Cost for V ≥ d: one pass and V·d² flops; 2·V·d² where the first rows show a steep spectrum, 3·V·d² where only all of them do;
    plus O(d³). Memory: d² float64 for each thread (once above d = 1024) and a few, whatever V. For V < d the
    roles of the sides change; right singular vectors are then found when they are asked for, with one more pass.

    >>> from tb_embfactor.linalg.blocks import ArrayBlocks
    >>> decompose(ArrayBlocks(np.diag([3.0, 2.0, 1.0]))).stored.singular_values
    array([3., 2., 1.])
    """
    if blocks.n_rows < 1 or blocks.n_columns < 1:
        raise MatrixError("matrix_empty", matrix=name, shape=[blocks.n_rows, blocks.n_columns])
    with BLAS:
        return (_tall if blocks.n_rows >= blocks.n_columns else _wide)(blocks, name, progress or (lambda share: None))


def _tall(blocks: RowBlocks, name: str, progress: Progress) -> Spectrum:
    moments, factors, passes = _solve(partial(accumulate, blocks), progress, _at_sight(blocks))
    _require_rows(moments.n_rows, blocks.n_rows, name)
    centered = _svd(factors, lambda values: KnownAxes(factors.vectors))
    return Spectrum(
        n_rows=moments.n_rows,
        n_skipped=moments.n_skipped,
        n_columns=blocks.n_columns,
        mean=moments.mean,
        n_nonzero=moments.n_nonzero,
        unit_sum=moments.unit_sum,
        stored=_with_mean(factors, centered, moments),
        centered=centered,
        passes=passes,
        rows=moments.rows,
    )


def _at_sight(blocks: RowBlocks) -> Whitening | None:
    """What to whiten the rows with, where the first of many show a spectrum so steep that they have to be."""
    n, d = blocks.n_rows, blocks.n_columns
    if n < MANY * d or n * d < LARGE:
        return None
    moments = accumulate(FirstRows(blocks, FEW * d))
    if moments.n_nonzero < FEW * d / 2:
        return None
    margin = (1 - np.sqrt(d / moments.n_rows)) ** -2  # the least eigenvalues of few rows are too small (Marchenko & Pastur 1967)
    if not is_steep(moments.second, chunk_rows(d) + n // chunk_rows(d), margin):
        return None
    return factor(moments.second, moments.rank).whitening(moments.mean)


class _Measured(Protocol):
    @property
    def second(self) -> SecondMoments: ...
    @property
    def mean(self) -> np.ndarray: ...
    @property
    def rank(self) -> int: ...


M = TypeVar("M", bound=_Measured)


def _solve(
    measure: Callable[[Progress, Whitening | None], M], progress: Progress, whitening: Whitening | None = None
) -> tuple[M, Factors, int]:
    """What a pass finds, the factors that follow from it, and how many passes it took until they were good.

    measure : makes a pass.
    """
    moments = measure(part_of(progress, 0, 2), whitening)
    if not np.isfinite(moments.second.norm):  # the first rows were nothing beside the others
        moments = measure(part_of(progress, 0, 2), None)
    factors = factor(moments.second, moments.rank)
    passes = 1
    while not factors.is_good and passes < MOST_PASSES:
        whitening = factors.whitening(moments.mean)
        del moments, factors  # a few d×d
        moments = measure(part_of(progress, 1, 2), whitening)
        factors = factor(moments.second, moments.rank)
        passes += 1
    progress(1.0)
    return moments, factors, passes


def _with_mean(factors: Factors, centered: Svd, moments: Moments) -> Svd:
    """The factors of the rows as stored: W = U·diag(σ)·Vᵀ + 1·μᵀ, so WᵀW = V·(diag(σ²) + n·zzᵀ)·Vᵀ with z = Vᵀμ."""
    n, d = moments.n_rows, len(moments.mean)
    along = np.sqrt(n) * (moments.mean @ factors.vectors)
    values, rounding = factors.values, factors.rounding
    length = float(np.linalg.norm(along))
    total = float(np.linalg.norm(values)) + length
    lost = eigh_rounding(d) * total**2
    if not factors.is_whitened and factors.rank == d and lost <= TOLERANCE * values[-1] ** 2:  # then squares lose nothing
        gram = np.outer(along, along).T
        gram[np.diag_indices(d)] += values**2
        values = np.sqrt(eigvalsh(gram))
        rounding = replace(rounding, noise=rounding.noise + lost)
    else:
        rows = np.zeros((d + 1, d), order="F")
        rows[np.diag_indices(d)], rows[d] = values, along
        values = singular_values(rows)
        values[min(d, n) :] = 0.0
        of_mean = UNIT * (np.sqrt(moments.second.n_roundings) * total + length)
        rounding = replace(rounding, absolute=rounding.absolute + of_mean + eigh_rounding(d) * values[0])
    return _svd(
        replace(factors, values=values, rounding=rounding, rank=min(d, n)),
        lambda values: ShiftedAxes(centered.singular_values, centered.axes, moments.mean, n),
    )


def _wide(blocks: RowBlocks, name: str, progress: Progress) -> Spectrum:
    """Fewer rows than columns: factor the transpose, whose Gram matrix is small."""
    rows = RowSums(blocks)
    _require_rows(rows.n_rows, blocks.n_rows, name)
    stored, passes = _solve_strips(Strips(blocks, rows.usable), rows.n_rows, part_of(progress, 0, 2))
    centered, more = _solve_strips(Strips(blocks, rows.usable, centered=True), rows.n_rows - 1, part_of(progress, 1, 2))
    progress(1.0)
    return Spectrum(
        n_rows=rows.n_rows,
        n_skipped=blocks.n_rows - rows.n_rows,
        n_columns=blocks.n_columns,
        mean=rows.total / rows.n_rows,
        n_nonzero=rows.n_nonzero,
        unit_sum=rows.unit_sum,
        stored=stored,
        centered=centered,
        passes=max(passes, more),
        rows=rows.statistics.summary(),
    )


@dataclass(frozen=True)
class _StripMoments:
    """Of the transpose as it is: its mean row stays. mean : zeros."""

    second: SecondMoments
    mean: np.ndarray
    rank: int


def _solve_strips(strips: Strips, rank: int, progress: Progress) -> tuple[Svd, int]:
    """The factors of the transpose of some strips, and how many passes they took."""
    nothing = np.zeros(strips.n_columns)

    def measure(progress: Progress, whitening: Whitening | None) -> _StripMoments:
        with Crew() as crew:
            make = partial(GramSum, strips.n_columns, whitening)
            sums = crew.accumulate(make, strips, is_shared(strips.n_columns), reporting(progress, strips.n_rows))
        return _StripMoments(sums.moments(), nothing, rank)

    _, factors, passes = _solve(measure, progress)
    return _svd(factors, lambda values: StripAxes(strips, factors.vectors, values)), passes


def _svd(factors: Factors, axes_of: Callable[[np.ndarray], Axes]) -> Svd:
    """Put zero where a value may be nothing but rounding. axes_of : gives the axes of such values."""
    values, bound = factors.values, factors.rounding.of(factors.values)
    null = (bound >= 0.5) | (values <= TINY)
    null_bound = 1.25 * float(values[null].max(initial=0.0)) + factors.rounding.floor if null[: factors.rank].any() else 0.0
    values = np.where(null, 0.0, values)
    return Svd(values, np.where(null, np.inf, bound), null_bound, axes_of(values))


def _require_rows(n_usable: int, n_rows: int, name: str) -> None:
    if n_usable == 0:
        raise MatrixError("rows_not_finite", matrix=name, n_rows=n_rows)
