"""Two matrices with the same rows: how alike they are, whatever way the axes of either are turned.

All follow from the centred second moments A, B of the two and C between them, accumulated over the same rows.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import scipy.linalg
from sklearn.neighbors import NearestNeighbors

from tb_embfactor.linalg.moments import CrossMoments

KEPT_VARIANCE = 0.99  # of each, by SVCCA
N_ANGLES, N_NEIGHBORS, N_ROWS = 10, 10, 2000
LEAST_LEFT = 1e-12  # of a Procrustes distance
_NULL = 1e-12  # of the largest eigenvalue: directions that are nothing but rounding


@dataclass(frozen=True)
class Side:
    """The principal axes of one matrix: variances λ, (r,) descending, and axes, (d, r), of unit length."""

    variances: np.ndarray
    axes: np.ndarray

    @classmethod
    def of(cls, gram: np.ndarray) -> Side:
        variances, axes = scipy.linalg.eigh(gram)
        rank = int(np.sum(variances > _NULL * variances[-1]))
        return cls(variances[::-1][:rank], axes[:, ::-1][:, :rank])

    def leading(self, k: int) -> Side:
        return Side(self.variances[:k], self.axes[:, :k])

    @property
    def kept(self) -> Side:
        """What holds KEPT_VARIANCE."""
        held = np.cumsum(self.variances)
        return self.leading(int(np.searchsorted(held, KEPT_VARIANCE * held[-1] * (1 - 1e-12))) + 1)


def has_spread(moments: CrossMoments) -> bool:
    """Whether the rows of both differ, so that there is something to compare."""
    return moments.n_rows > 1 and bool(np.trace(moments.gram_a) > 0 and np.trace(moments.gram_b) > 0)


def linear_cka(moments: CrossMoments) -> float:
    """‖C‖²_F/(‖A‖_F‖B‖_F), 0..1 (Kornblith et al. 2019, section 3)."""
    return min(1.0, float(np.sum(moments.cross**2) / (np.linalg.norm(moments.gram_a) * np.linalg.norm(moments.gram_b))))


def procrustes(moments: CrossMoments) -> tuple[float, np.ndarray, float]:
    """What the best rotation and scaling of a leaves of b (see `procrustes_distance`); the rotation (d, e), and the scale.

    R = UVᵀ and ‖C‖_*/tr A from C = U·diag·Vᵀ (Schönemann 1966).
    """
    left, values, right = scipy.linalg.svd(moments.cross, full_matrices=False)
    return _left_over(moments, values), left @ right, float(values.sum() / np.trace(moments.gram_a))


def procrustes_distance(moments: CrossMoments) -> float:
    """What the best rotation and scaling of either leaves of the other, 0..1: 1 − ‖C‖²_*/(tr A·tr B) (Gower 1975).

    Less than LEAST_LEFT may be nothing but rounding, and is 0. Cost: O(d·e·min(d, e)), a third of that of the rotation.
    """
    return _left_over(moments, scipy.linalg.svdvals(moments.cross))


def _left_over(moments: CrossMoments, values: np.ndarray) -> float:
    left = 1 - float(values.sum() / np.sqrt(np.trace(moments.gram_a)) / np.sqrt(np.trace(moments.gram_b))) ** 2
    return left if left > LEAST_LEFT else 0.0


def canonical(a: Side, b: Side, cross: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Canonical correlations of the two spaces of scores, (k,) descending, and the left vectors, (r, k), in whitened axes."""
    whitened = (a.axes.T @ cross @ b.axes) / np.sqrt(a.variances)[:, None] / np.sqrt(b.variances)
    left, values, _ = scipy.linalg.svd(whitened, full_matrices=False)
    return np.clip(values, 0.0, 1.0), left


def mean_correlations(a: Side, b: Side, cross: np.ndarray) -> tuple[float, float]:
    """SVCCA (Raghu et al. 2017) and PWCCA (Morcos et al. 2018): the mean canonical correlation of what holds 99 % of either
    variance; plain, and weighted by how much of the columns of a each canonical direction accounts for: Σⱼ|⟨hᵢ, aⱼ⟩|.
    """
    a, b = a.kept, b.kept
    values, left = canonical(a, b, cross)
    weights = np.sum(np.abs((left.T * np.sqrt(a.variances)) @ a.axes.T), axis=1)
    return float(values.mean()), float(values @ weights / weights.sum())


def principal_angles(a: Side, b: Side, cross: np.ndarray) -> np.ndarray:
    """Angles, in radians, ascending, between the spaces of the scores on the N_ANGLES leading principal axes of either."""
    values, _ = canonical(a.leading(N_ANGLES), b.leading(N_ANGLES), cross)
    return np.arccos(values)


def neighbour_overlap(rows_a: np.ndarray, rows_b: np.ndarray) -> float | None:
    """The share of nearest neighbours by cosine, within these rows, that a row has in both, on average; None for too few.

    Cost: 2 n²·d flops.
    """
    k = min(N_NEIGHBORS, len(rows_a) - 2)
    if k < 1:
        return None
    search = NearestNeighbors(n_neighbors=k, metric="cosine", algorithm="brute")
    one, other = (search.fit(rows).kneighbors(return_distance=False).tolist() for rows in (rows_a, rows_b))
    return float(np.mean([len(set(near) & set(near_too)) for near, near_too in zip(one, other, strict=True)]) / k)
