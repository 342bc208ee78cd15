"""Singular values and right singular vectors from second moments, with bounds, and what to whiten rows with where these are poor.

The eigenvalues of the second moments S of rows W are σ². Rounding moves every one by at most ε = r·u·‖W‖_F² (r roundings meet in
an entry, u = 2⁻⁵³), so that a small σ drowns where a spectrum is steep. But V·diag(λ)·Vᵀ ≈ S tells how to stretch the rows
until nothing is small: with s² = λ or ε, whichever is larger, and R from a QR of diag(s)·Vᵀ, the rows Y = W·R⁻¹ have second
moments H near one. From H = Q·Λ·Qᵀ follow the singular values of W: they are those of K = Λ^½·Qᵀ·R, for KᵀK = RᵀHR = S.

It is CholeskyQR2 (Fukaya et al. 2014) with an eigendecomposition of H in place of Cholesky's, because columns may be zero. R is
triangular because a product with it costs half of one with V·diag(1/s), and pivoted because then R and R⁻¹ are about as small as
they can be.

Bounds. H is off by ρ at most, so that S is off by ρ·RᵀR. With Q₁ the eigenvectors of H down to λⱼ, and Q₂ the others,
RᵀR ≤ RᵀQ₁Q₁ᵀR + ‖Q₂ᵀR‖² ≤ S/λⱼ + νⱼ for every j, so that σ² moves by at most ρ·(σ²/λⱼ + νⱼ) (Courant–Fischer). Without whitening
it is ρ = ε, 1/λⱼ = 0, νⱼ = 1. What the product with R⁻¹ loses, and the decomposition of K, is absolute in σ. For the
former this is an estimate, not a proof: some u·κ·‖W‖_F with κ² = Σⱼ ‖R⁻¹eⱼ‖²·‖eⱼᵀR‖², for errors whose signs are as good as
random (Higham & Mary 2019, "A new approach to probabilistic rounding error analysis"). Four times that is what we say.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import scipy.linalg
from scipy.linalg import lapack

from tb_embfactor.linalg.gram import SecondMoments, Whitening
from tb_embfactor.linalg.products import multiply_upper

UNIT = 2.0**-53
TINY = float(np.finfo(np.float64).tiny)
TOLERANCE = 1e-6  # largest relative error of a singular value that is accepted without whitening
LEAST = 1e-6  # of the largest singular value: smaller ones are not worth a third pass


@dataclass(frozen=True)
class Rounding:
    """How far second moments S may be off: for every j by at most noise·(S·inverse[j] + rest[j]²), in any direction.

    absolute : what any singular value may be off by beside that.
    """

    noise: float
    inverse: np.ndarray
    rest: np.ndarray
    absolute: float

    def of(self, values: np.ndarray) -> np.ndarray:
        """Relative error bounds of singular values, (k,), to first order; Infinity for a value of zero."""
        with np.errstate(over="ignore"):
            bound = self.of_moments(values) + self.absolute / np.maximum(values, TINY)
        return np.where(values > 0, bound, np.inf)

    def of_moments(self, values: np.ndarray) -> np.ndarray:
        """The part of it that another whitening would make smaller."""
        bound, reciprocal = np.full(len(values), np.inf), 1 / np.maximum(values, TINY)
        with np.errstate(over="ignore"):
            for inverse, rest in zip(self.inverse, self.rest, strict=True):
                np.minimum(bound, self.noise / 2 * (inverse + (rest * reciprocal) ** 2), out=bound)
        return bound

    @property
    def floor(self) -> float:
        """What a singular value may have that seems to be zero."""
        return self.absolute + float(np.sqrt(self.noise)) * float(self.rest[self.noise * self.inverse <= 0.5].min())


@dataclass(frozen=True)
class Factors:
    """Singular values (d,), descending, and right singular vectors (d, d) of rows about their mean.

    rank : how many of them can differ from zero, by the number of rows.
    """

    values: np.ndarray
    vectors: np.ndarray
    rounding: Rounding
    rank: int
    is_whitened: bool

    @property
    def is_good(self) -> bool:
        """Whether every singular value is known to `TOLERANCE`; of whitened rows, every one that is worth it."""
        if not self.rank or not self.values[0]:
            return True
        least = self.values[self.rank - 1 : self.rank]
        if self.is_whitened:
            least = np.maximum(least, LEAST * self.values[0])
        return bool(self.rounding.of_moments(least)[0] <= TOLERANCE)

    def whitening(self, mean: np.ndarray) -> Whitening:
        scale = np.maximum(self.values, max(self.rounding.floor, TINY))
        factor, order = scipy.linalg.qr(scale[:, None] * self.vectors.T, mode="r", pivoting=True, check_finite=False)
        factor = np.asfortranarray(factor)
        return Whitening(mean, order, factor, lapack.dtrtri(factor)[0])


def factor(moments: SecondMoments, rank: int) -> Factors:
    """The factors of the rows whose second moments these are; they are overwritten. Cost: O(d³); a few d² float64."""
    d, whitening = len(moments.matrix), moments.whitening
    noise = (moments.n_roundings + 4) * UNIT * moments.norm**2 + moments.n_roundings * TINY
    noise += eigh_rounding(d) * float(np.trace(moments.matrix))
    eigenvalues, vectors = eigh(moments.matrix)
    roots = np.sqrt(np.maximum(eigenvalues, 0))
    if whitening is None:
        values, rounding = roots, Rounding(noise, np.zeros(1), np.ones(1), 0.0)
    else:
        turned = np.ascontiguousarray(vectors[:, ::-1].T)  # as they came, the last first: not another d×d
        multiply_upper(turned, whitening.factor)
        inverse, rest = _rests(eigenvalues, turned[::-1])
        turned *= roots[::-1, None]
        values, right = singular(turned)
        vectors = turned.T
        vectors[whitening.order] = right
        absolute = 4 * UNIT * _growth(whitening) * float(np.linalg.norm(values)) + eigh_rounding(d) * values[0] + TINY
        rounding = Rounding(noise, inverse, rest, absolute)
    values[rank:] = 0.0
    return Factors(values, vectors, rounding, rank, whitening is not None)


def _rests(eigenvalues: np.ndarray, turned: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """1/λⱼ and √νⱼ, for each j whose eigenvalue is positive, and before them for none: 0 and ‖R‖_F. turned : (d, d), QᵀR."""
    unit = np.abs(turned).max()
    squares = np.sum((turned / unit) ** 2, axis=1)
    beyond = np.append(np.cumsum(squares[::-1])[::-1], 0.0)
    n = int(np.count_nonzero(eigenvalues > 0))
    return np.append(0.0, 1 / eigenvalues[:n]), unit * np.sqrt(beyond[: n + 1])


def _growth(whitening: Whitening) -> float:
    """κ, at least √d."""
    unit = np.abs(whitening.factor).max()
    columns = np.linalg.norm(whitening.inverse * unit, axis=0)
    return float(np.linalg.norm(columns * np.linalg.norm(whitening.factor / unit, axis=1)))


def is_steep(moments: SecondMoments, n_roundings: int, margin: float) -> bool:
    """Whether it seems that eigenvalues would be lost if `n_roundings` met in an entry. margin : what the least ones may grow by.

    Cost: a Cholesky decomposition, d³/3 flops, and d² float64.
    """
    noise = (n_roundings + eigh_rounding(len(moments.matrix)) / UNIT) * UNIT * moments.norm**2
    upper, failed = lapack.dpotrf(moments.matrix)
    if failed:
        return True
    norm = float(np.abs(moments.matrix).sum(axis=0).max())
    return bool(noise > 2 * TOLERANCE * margin * norm * lapack.dpocon(upper, norm)[0])


def singular(matrix: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Singular values, descending, and right singular vectors, (d, d) columns, of a small matrix, which is overwritten."""
    right, values, _ = scipy.linalg.svd(matrix.T, full_matrices=False, overwrite_a=True, check_finite=False)
    return values, right


def singular_values(matrix: np.ndarray) -> np.ndarray:
    """Singular values, descending, of a small matrix, which is overwritten."""
    return scipy.linalg.svdvals(matrix, overwrite_a=True, check_finite=False)


def eigh(gram: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Eigenvalues, descending, and eigenvectors of a symmetric matrix, which is overwritten."""
    eigenvalues, vectors = scipy.linalg.eigh(gram, driver="evd", overwrite_a=True, check_finite=False)
    return eigenvalues[::-1], vectors[:, ::-1]


def eigvalsh(gram: np.ndarray) -> np.ndarray:
    """Eigenvalues, descending, of a symmetric matrix, which is overwritten."""
    return scipy.linalg.eigh(gram, driver="evd", eigvals_only=True, overwrite_a=True, check_finite=False)[::-1]


def eigh_rounding(d: int) -> float:
    """What the eigenvalues of a d×d matrix may be off by, over its norm: LAPACK's p(d)·u, with a generous p."""
    return 10 * np.sqrt(d) * UNIT
