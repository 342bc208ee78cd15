"""Exact singular values and right singular vectors of a matrix that is read in row blocks.

The first pass gives the second moments G; its eigenvalues λ are σ². Rounding disturbs every λ by at most
ε = (b + n/b)·u·Σ‖x‖² (b rows a block, u = 2⁻⁵³), so σ is known to ε/(2λ) relative. Where that is not good enough
(a collapsed or steep spectrum, which is just what people come to see) a second pass reads the rows again, times
T = V·diag(1/σ) of the first pass. These columns have norms near one, so their Gram matrix loses nothing, and
W = Y·T⁻¹ gives back the singular values to about d·u·‖W‖_F absolute: the accuracy of LAPACK on the whole matrix.
It is the Cholesky-QR idea with an eigendecomposition in place of Cholesky, because columns may be zero
(Fukaya et al. 2014, "CholeskyQR2"; Drmač & Veselić 2008 for the preconditioned Gram matrix).

Both spectra, of W as stored and of its centred rows, come from the centred moments: with R the d×d factor of
the centred rows (RᵀR = centred moments), WᵀW = RᵀR + n·μμᵀ, so the singular values of W are those of [R; √n·μᵀ].
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import scipy.linalg
from scipy.linalg.blas import dsyrk

from tb_embfactor.errors import MatrixError
from tb_embfactor.linalg.blocks import Progress, RowBlocks, Strips, finite_rows
from tb_embfactor.linalg.moments import Moments, RowSums, accumulate, mirror_upper
from tb_embfactor.linalg.row_statistics import RowStatistics, RowSummary

UNIT = 2.0**-53
TINY = float(np.finfo(np.float64).tiny)
TOLERANCE = 1e-7  # largest relative error of a singular value that is accepted without a second pass
ALGORITHM = 2  # part of every cache key: raise it when an answer changes


@dataclass(frozen=True)
class Svd:
    """Singular values and right singular vectors.

    singular_values : (k,) float64, descending. error_bound : (k,) relative, to first order; Infinity marks a
    value that cannot be told from zero: it is given as 0 and known only to be at most `null_bound`.
    right : (d, k), columns of unit length; the entry of largest magnitude of each is positive.
    """

    singular_values: np.ndarray
    error_bound: np.ndarray
    right: np.ndarray
    null_bound: float

    @property
    def rank(self) -> int:
        """Numerical rank: how many singular values differ from zero."""
        return int(np.count_nonzero(self.singular_values))


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

    Cost for V ≥ d: one pass and V·d² flops, or two passes and 3·V·d² flops where the error bound asks for it; plus
    O(d³); memory a few d×d float64 and two blocks, whatever V. For V < d the roles of the sides change.

    >>> from tb_embfactor.linalg.blocks import ArrayBlocks
    >>> decompose(ArrayBlocks(np.diag([3.0, 2.0, 1.0]))).stored.singular_values
    array([3., 2., 1.])
    """
    if blocks.n_rows < 1 or blocks.n_columns < 1:
        raise MatrixError("matrix_empty", matrix=name, shape=[blocks.n_rows, blocks.n_columns])
    return (_tall if blocks.n_rows >= blocks.n_columns else _wide)(blocks, name, progress or (lambda share: None))


def _tall(blocks: RowBlocks, name: str, progress: Progress) -> Spectrum:
    statistics = RowStatistics()
    moments, centered, passes = _solve(blocks, name, progress, center=True, rows=statistics)
    mean_row = np.sqrt(moments.n_rows) * moments.mean
    stored = _first_pass(moments, center=False) if passes == 1 else None
    limit = min(blocks.n_rows, blocks.n_columns)
    return Spectrum(
        n_rows=moments.n_rows,
        n_skipped=moments.n_skipped,
        n_columns=blocks.n_columns,
        mean=moments.mean,
        n_nonzero=moments.n_nonzero,
        unit_sum=moments.unit_sum,
        stored=_leading(stored or _append_row(centered, mean_row), limit),
        centered=_leading(centered, limit),
        passes=passes,
        rows=statistics.summary(),
    )


def _wide(blocks: RowBlocks, name: str, progress: Progress) -> Spectrum:
    """Fewer rows than columns: factor the transpose, whose Gram matrix is small, and turn its left vectors into right ones."""
    rows = RowSums(blocks)
    _require_rows(rows.n_rows, blocks.n_rows, name)
    factored: dict[bool, Svd] = {}
    passes = 1
    for part, centered in enumerate((False, True)):
        strips = Strips(blocks, rows.usable, centered)
        _, svd, n_passes = _solve(strips, name, _half(progress, part), center=False)
        inverse = np.divide(1.0, svd.singular_values, out=np.zeros(len(svd.singular_values)), where=svd.singular_values > 0)
        right = np.concatenate([strip @ (svd.right * inverse) for strip in strips])
        factored[centered] = Svd(svd.singular_values, svd.error_bound, signed(right), svd.null_bound)
        passes = max(passes, n_passes)
    return Spectrum(
        n_rows=rows.n_rows,
        n_skipped=blocks.n_rows - rows.n_rows,
        n_columns=blocks.n_columns,
        mean=rows.total / rows.n_rows,
        n_nonzero=rows.n_nonzero,
        unit_sum=rows.unit_sum,
        stored=factored[False],
        centered=factored[True],
        passes=passes,
        rows=rows.statistics.summary(),
    )


def _solve(
    blocks: RowBlocks, name: str, progress: Progress, center: bool, rows: RowStatistics | None = None
) -> tuple[Moments, Svd, int]:
    """The factors of tall rows, centred or not, by one pass or two."""
    moments = accumulate(blocks, _half(progress, 0), rows)
    _require_rows(moments.n_rows, blocks.n_rows, name)
    svd, passes = _first_pass(moments, center), 1
    if svd is None:
        svd, passes = _second_pass(blocks, moments, center, _half(progress, 1)), 2
    progress(1.0)
    return moments, svd, passes


def _moments_about(moments: Moments, center: bool) -> tuple[np.ndarray, float]:
    """The second moments of the rows, centred or not, and the bound ε on the error of any of their eigenvalues."""
    underflow = moments.n_rows * TINY  # squares below it are lost
    if center:
        return moments.gram, _spread(moments) * UNIT * moments.squared_sum + underflow
    mean_square = moments.n_rows * float(moments.mean @ moments.mean)
    gram = moments.gram + np.outer(moments.mean, moments.n_rows * moments.mean)
    return gram, _spread(moments) * UNIT * (moments.squared_sum + mean_square) + underflow


def _spread(moments: Moments) -> float:
    """b + n/b: how many roundings meet in one entry of a Gram matrix summed by blocks of b rows."""
    return moments.block_rows + moments.n_rows / moments.block_rows


def _first_pass(moments: Moments, center: bool) -> Svd | None:
    """Singular values from the moments alone; None where rounding may have disturbed one by more than `TOLERANCE`."""
    gram, noise = _moments_about(moments, center)
    eigenvalues, right = _eigh(gram)
    if not noise <= 2 * TOLERANCE * eigenvalues[-1]:
        return None
    return Svd(np.sqrt(eigenvalues), noise / (2 * eigenvalues), signed(right), 0.0)


def _second_pass(blocks: RowBlocks, moments: Moments, center: bool, progress: Progress) -> Svd:
    """Singular values from the Gram matrix of the rows times V·diag(1/σ), in which nothing is small but what is null."""
    moments_gram, noise = _moments_about(moments, center)
    eigenvalues, right = _eigh(moments_gram)
    floor = np.sqrt(noise)  # below it the first pass knows no direction
    scale = np.sqrt(np.maximum(eigenvalues, floor**2))
    whiten = right / scale
    d = len(scale)
    gram, total, n_read = np.zeros((d, d), order="F"), np.zeros(d), 0
    for raw in blocks:
        block = raw.astype(np.float64)
        usable = finite_rows(block)
        if not usable.all():
            block = block[usable]
        if center:
            block -= moments.mean
        whitened = block @ whiten
        total += whitened.sum(axis=0)
        gram = dsyrk(1.0, whitened.T, beta=1.0, c=gram, overwrite_c=1)
        n_read += len(raw)
        progress(n_read / blocks.n_rows)
    mirror_upper(gram)
    if center:  # what rounding of the mean left over
        gram -= np.outer(total, total / moments.n_rows)
    whitened_eigenvalues, rotation = _eigh(gram)
    factor = (np.sqrt(np.maximum(whitened_eigenvalues, 0))[:, None] * rotation.T) * scale @ right.T
    values, right = _svd(factor)

    relative = _spread(moments) * UNIT * float(np.trace(gram)) / 2
    below = floor / np.clip(values, 1e-12 * floor, floor)  # how far a value lies under the whitening's reach
    rows_norm = np.sqrt(moments.squared_sum) + np.sqrt(moments.n_rows) * np.linalg.norm(moments.mean) * (not center)
    absolute = d * UNIT * (rows_norm + values[0]) + UNIT * np.sqrt(moments.n_rows) * np.linalg.norm(moments.mean)
    return _bounded(values, right, relative * below**2, absolute)


def _append_row(centered: Svd, row: np.ndarray) -> Svd:
    """Factor the stored rows: the small factor of the centred ones with √n·mean below it."""
    values, right = _svd(np.vstack([centered.singular_values[:, None] * centered.right.T, row]))
    known = centered.error_bound[np.isfinite(centered.error_bound)]
    absolute = centered.null_bound + len(row) * UNIT * values[0]
    return _bounded(values, right, np.full(len(values), known.max(initial=0.0)), absolute)


def _bounded(values: np.ndarray, right: np.ndarray, relative: np.ndarray, absolute: float) -> Svd:
    """Put the error bounds beside the values, and zero where a value may be nothing but rounding."""
    bound = relative + absolute / np.maximum(values, TINY)
    null = (bound >= 0.5) | (values <= TINY)
    null_bound = float(values[null].max(initial=0.0) + absolute) if null.any() else 0.0
    return Svd(np.where(null, 0.0, values), np.where(null, np.inf, bound), signed(right), null_bound)


def _leading(svd: Svd, k: int) -> Svd:
    return Svd(svd.singular_values[:k], svd.error_bound[:k], svd.right[:, :k], svd.null_bound)


def _eigh(gram: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Eigenvalues, descending, and eigenvectors of a symmetric matrix."""
    eigenvalues, vectors = scipy.linalg.eigh(gram, driver="evd", check_finite=False)
    return eigenvalues[::-1], vectors[:, ::-1]


def _svd(factor: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    _, values, right = scipy.linalg.svd(factor, full_matrices=False, check_finite=False)
    return values, right.T


def signed(right: np.ndarray) -> np.ndarray:
    """Fix the signs: the entry of largest magnitude in each column is positive, as in scikit-learn's svd_flip."""
    largest = np.argmax(np.abs(right), axis=0)
    signs = np.sign(right[largest, np.arange(right.shape[1])])
    return right * np.where(signs == 0, 1.0, signs)


def _half(progress: Progress, part: int) -> Progress:
    """Progress of the first (0) or second (1) half of the work."""
    return lambda share: progress((part + share) / 2)


def _require_rows(n_usable: int, n_rows: int, name: str) -> None:
    if n_usable == 0:
        raise MatrixError("rows_not_finite", matrix=name, n_rows=n_rows)
