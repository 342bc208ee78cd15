"""From factors to pictures: each method is an affine map x ↦ (x − offset)·weights of the rows, or a plain set of points.

What has preferred axes: the principal axes of the rows (`pca`), columns of U or of V. What has not: PCA *of U*.
Because UᵀU = I, the centred covariance of U is (I − n·ūūᵀ)/(n−1): r−1 equal variances and one that is smaller, along
ū. Any turn of the equal ones is as good, so solvers disagree and a change of W by 1e-15 gives another picture. Here
axis i is column i of U, turned as little as makes it orthogonal to ū: a choice, but the same choice every time.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from tb_embfactor.linalg.blocks import Chunks, RowBlocks, finite_rows
from tb_embfactor.linalg.crew import Crew
from tb_embfactor.linalg.spectrum import Spectrum, Svd

CACHED = 1 << 18  # numbers of the rows that are mapped at a time: few enough for a cache


@dataclass(frozen=True)
class AffineMap:
    """offset : (d,), weights : (d, k). weight : (k,) σ of each axis; share : (k,) of the variance or the energy."""

    offset: np.ndarray
    weights: np.ndarray
    weight: np.ndarray
    share: np.ndarray

    def apply(self, blocks: RowBlocks) -> Iterator[np.ndarray]:
        """The mapped rows, block by block, (b, k) float64; NaN for rows with NaN or Inf. One pass."""
        with Crew() as crew:
            yield from crew.map(self._of, blocks)

    def _of(self, block: np.ndarray) -> np.ndarray:
        mapped = np.empty((len(block), self.weights.shape[1]))
        chunks = Chunks(max(1, CACHED // len(self.offset)), len(self.offset))
        start = 0
        for chunk in chunks.of(block):
            chunk[~finite_rows(chunk)] = np.nan
            chunk -= self.offset
            np.matmul(chunk, self.weights, out=mapped[start : start + len(chunk)])
            start += len(chunk)
        return mapped


def principal_scores(spectrum: Spectrum, n_components: int) -> AffineMap:
    """PCA of W: the centred rows along their own principal axes (U·S of the centred matrix)."""
    svd = spectrum.centered
    k = min(n_components, max(1, svd.rank))
    return AffineMap(spectrum.mean, svd.leading(k), svd.singular_values[:k], shares(svd)[:k])


def scores_on_axes(spectrum: Spectrum, axes: np.ndarray) -> AffineMap:
    """The centred rows along axes that come from elsewhere (another step), (d, k), with the variance they hold *here*."""
    svd = spectrum.centered
    along = np.sqrt(np.sum((svd.singular_values[:, None] * (svd.right.T @ axes)) ** 2, axis=0))
    total = np.sum(svd.singular_values**2)
    return AffineMap(spectrum.mean, axes, along, along**2 / total if total else np.zeros(len(along)))


def left_vectors(spectrum: Spectrum, n_components: int) -> AffineMap:
    """Rows of U of W as stored: x ↦ x·V·diag(1/σ), for the singular values that are not null."""
    svd = spectrum.stored
    k = min(n_components, max(1, svd.rank))
    return AffineMap(np.zeros(spectrum.n_columns), svd.leading(k) * inverse(svd)[:k], svd.singular_values[:k], shares(svd)[:k])


def pca_of_left_vectors(spectrum: Spectrum, n_components: int) -> AffineMap:
    """PCA of the matrix U of W as stored (the literal recipe: SVD, then PCA of U), in a fixed basis; see the module's head.

    Shares: 1/(r − n‖ū‖²) for each of the r−1 axes orthogonal to ū, (1 − n‖ū‖²)/(r − n‖ū‖²) for the last.
    """
    svd, n = spectrum.stored, spectrum.n_rows
    rank = max(1, svd.rank)
    to_left = svd.leading(rank) * inverse(svd)[:rank]
    mean_left = spectrum.mean @ to_left
    along_mean = min(1.0, n * float(mean_left @ mean_left))  # n‖ū‖²: at most 1, for 1/√n is a unit vector
    k = min(n_components, rank)
    variances = np.append(np.ones(rank - 1), 1 - along_mean)
    total = variances.sum()
    basis = _orthogonal_to(mean_left)[:, :k]
    share = variances[:k] / total if total > 0 else np.zeros(k)
    return AffineMap(spectrum.mean, to_left @ basis, np.sqrt(variances[:k]), share)


def right_vectors(spectrum: Spectrum, n_components: int) -> tuple[np.ndarray, Svd]:
    """Columns of V as coordinates: one point for each of the d parameters, (d, k)."""
    svd = spectrum.stored
    return svd.leading(min(n_components, max(1, svd.rank))), svd


def shares(svd: Svd) -> np.ndarray:
    """σ²/Σσ², (k,); zeros for a matrix of zeros."""
    squares = (svd.singular_values / max(svd.singular_values[0], 1e-300)) ** 2
    total = squares.sum()
    return squares / total if total else squares


def inverse(svd: Svd) -> np.ndarray:
    """1/σ, and 0 where σ is null."""
    values = svd.singular_values
    return np.divide(1.0, values, out=np.zeros(len(values)), where=values > 0)


def _orthogonal_to(vector: np.ndarray) -> np.ndarray:
    """An orthonormal basis (r, r) whose last axis is along `vector` and whose others are nearest to e_1 … e_{r−1}.

    A Householder reflection that takes the last unit vector to ±vector/‖vector‖, with the sign that moves the axes least.
    """
    r, norm = len(vector), np.linalg.norm(vector)
    if norm < 1e-12:
        return np.eye(r)
    target = vector / norm
    target = target if target[-1] >= 0 else -target
    mirror = target.copy()
    mirror[-1] -= 1.0
    square = mirror @ mirror
    return np.eye(r) - np.outer(mirror, 2 * mirror / square) if square > 1e-30 else np.eye(r)
