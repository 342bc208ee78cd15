"""Exact singular values and right singular vectors of a matrix that is read in row blocks.

The first pass gives the second moments S; its eigenvalues λ are σ². Rounding disturbs every λ by at most
ε = r·u·‖W‖_F² (r roundings meet in an entry, u = 2⁻⁵³), so σ is known to ε/(2λ) relative. Where that is not good enough
(a collapsed or steep spectrum, which is just what people come to see) a second pass finds the small ones (`refinement.py`).

Both spectra, of W as stored and of its centred rows, come from the moments about the mean: WᵀW = S + n·μμᵀ. So where all of S
is good, those of W as stored follow from the small factor [diag(σ)·Vᵀ; √n·μᵀ], and need no second pass of their own.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from tb_embfactor.errors import MatrixError
from tb_embfactor.linalg.axes import Axes, KnownAxes, ShiftedAxes, StripAxes
from tb_embfactor.linalg.blocks import Chunks, Progress, RowBlocks, Strips, chunk_rows, finite_rows, part_of, reporting
from tb_embfactor.linalg.crew import BLAS, Crew
from tb_embfactor.linalg.moments import Moments, RowSums, accumulate
from tb_embfactor.linalg.products import GramSum, is_shared, mirror_upper, subtract_outer
from tb_embfactor.linalg.refinement import TINY, TOLERANCE, UNIT, Eigen, Factors, Tail, eigh, eigh_rounding, eigvalsh, refine
from tb_embfactor.linalg.row_statistics import RowSummary

ALGORITHM = 3  # part of every cache key: raise it when an answer changes


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

    Cost for V ≥ d: one pass and V·d² flops; where the error bound asks for it a second pass, of 2·V·d·t + V·t² for t small
    singular values; plus O(d³). Memory: d² float64 for each thread (once above d = 1024) and a few, whatever V. For V < d the
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
    moments = accumulate(blocks, part_of(progress, 0, 2))
    _require_rows(moments.n_rows, blocks.n_rows, name)
    stored, centered, passes = _solve(blocks, moments, part_of(progress, 1, 2))
    progress(1.0)
    return Spectrum(
        n_rows=moments.n_rows,
        n_skipped=moments.n_skipped,
        n_columns=blocks.n_columns,
        mean=moments.mean,
        n_nonzero=moments.n_nonzero,
        unit_sum=moments.unit_sum,
        stored=stored,
        centered=centered,
        passes=passes,
        rows=moments.rows,
    )


def _solve(blocks: RowBlocks, moments: Moments, progress: Progress) -> tuple[Svd, Svd, int]:
    """The factors of the rows as stored, of the centred rows, and how many passes they took. Overwrites the moments."""
    n, d, mean = moments.n_rows, blocks.n_columns, moments.mean
    mean_row = np.sqrt(n) * mean
    gram = moments.gram.copy(order="F")
    subtract_outer(gram, -mean_row, mean_row)
    centered = _eigen(moments.gram, moments.norm, moments.n_roundings, rank=min(d, n - 1))
    norm = moments.norm + float(np.linalg.norm(mean_row))
    noise = _noise(norm, moments.n_roundings, float(np.trace(gram)), d)
    if noise <= 2 * TOLERANCE * centered.values[-1]:  # then both are good, for no eigenvalue of `gram` is smaller
        factors = centered.factors
        values = eigvalsh(gram)
        shifted = ShiftedAxes(factors.values, KnownAxes(factors.vectors), mean, n)
        return Svd(np.sqrt(values), noise / (2 * values), 0.0, shifted), _svd(factors), 1
    stored = _eigen(gram, norm, moments.n_roundings, rank=min(d, n))
    if centered.is_good:
        factors = centered.factors
        rows = np.vstack([factors.values[:, None] * factors.vectors.T, mean_row])
        plain = stored.factors if stored.is_good else refine([Tail(stored)], [rows], lambda: _as_is)[0]
        return _svd(plain, factors.bound[: centered.rank].max(initial=0.0)), _svd(factors), 1
    tails = ([] if stored.is_good else [Tail(stored)]) + [Tail(centered, mean)]
    *refined, centered_factors = refine(tails, blocks, lambda: _Usable(d), reporting(progress, blocks.n_rows))
    return _svd(refined[0] if refined else stored.factors), _svd(centered_factors), 2


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


def _solve_strips(strips: Strips, rank: int, progress: Progress) -> tuple[Svd, int]:
    """The factors of the transpose of some strips, and how many passes they took."""
    with Crew() as crew:
        report = reporting(part_of(progress, 0, 2), strips.n_rows)
        sums = crew.accumulate(lambda: GramSum(strips.n_columns), strips, is_shared(strips.n_columns), report)
    mirror_upper(sums.gram)
    eigen = _eigen(sums.gram, float(np.sqrt(np.trace(sums.gram))), sums.n_roundings, rank)
    factors, passes = eigen.factors, 1
    if not eigen.is_good:
        (factors,) = refine([Tail(eigen)], strips, lambda: _as_is, reporting(part_of(progress, 1, 2), strips.n_rows))
        passes = 2
    return _svd(factors, axes=StripAxes(strips, factors.vectors, factors.values)), passes


class _Usable:
    """From a block to its usable rows, in float64 chunks."""

    def __init__(self, n_columns: int) -> None:
        self._chunks = Chunks(chunk_rows(n_columns), n_columns)

    def __call__(self, block: np.ndarray) -> Iterator[np.ndarray]:
        for chunk in self._chunks.of(block):
            usable = finite_rows(chunk)
            yield chunk if usable.all() else chunk[usable]


def _as_is(rows: np.ndarray) -> Iterator[np.ndarray]:
    yield rows


def _eigen(gram: np.ndarray, norm: float, n_roundings: int, rank: int) -> Eigen:
    """The eigendecomposition of second moments, which are overwritten, with the bound ε on the error of any eigenvalue."""
    noise = _noise(norm, n_roundings, float(np.trace(gram)), len(gram))
    return Eigen(*eigh(gram), noise, rank, norm)


def _noise(norm: float, n_roundings: int, trace: float, d: int) -> float:
    """Of the sums, of the eigenvalues, and what is lost where squares are too small for a number."""
    return (n_roundings + 4) * UNIT * norm**2 + eigh_rounding(d) * trace + n_roundings * TINY


def _svd(factors: Factors, inherited: float = 0.0, axes: Axes | None = None) -> Svd:
    """Put zero where a value may be nothing but rounding. inherited : relative error of the rows that were factored."""
    bound = factors.bound + inherited
    null = (bound >= 0.5) | (factors.values <= TINY)
    null_bound = float(factors.values[null].max(initial=0.0) + factors.absolute) if null.any() else 0.0
    values = np.where(null, 0.0, factors.values)
    return Svd(values, np.where(null, np.inf, bound), null_bound, axes or KnownAxes(factors.vectors))


def _require_rows(n_usable: int, n_rows: int, name: str) -> None:
    if n_usable == 0:
        raise MatrixError("rows_not_finite", matrix=name, n_rows=n_rows)
