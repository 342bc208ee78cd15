"""Where noise ends: the limit laws of singular values of random matrices, and the ranks that follow from them.

The eigenvalues of the second moments of independent noise of one variance, with the long side n and the short side k
(β = k/n), fill the Marchenko–Pastur law. Its median is known, so the median of the measured ones gives the variance
of the noise, whatever few directions stand out of it (Gavish & Donoho 2014). The mean would not: strong directions ruin it.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import scipy.linalg
import scipy.optimize

TRACY_WIDOM_95 = 0.9793  # of the law of order 1 (Johnstone 2001, table 1)
N_DRAWS, LEVEL, SEED = 100, 0.95, 20010401  # of parallel analysis


@dataclass(frozen=True)
class Noise:
    """The noise in a spectrum. n, k : its long and short side. variance : of one entry."""

    n: int
    k: int
    variance: float

    @classmethod
    def estimate(cls, singular_values: np.ndarray, n: int, k: int) -> Noise | None:
        """From the median of σ²/n over all k values; None where half of them are null, for there is no noise then."""
        median = float(np.median(singular_values[:k] ** 2)) if k else 0.0
        return cls(n, k, median / n / marchenko_pastur_median(k / n)) if median > 0 else None

    @property
    def edge(self) -> float:
        """The largest eigenvalue of noise, of second moments divided by n, for sides that grow: σ̂²(1 + √β)²."""
        return self.variance * (1 + np.sqrt(self.k / self.n)) ** 2

    @property
    def cutoff(self) -> float:
        """What the largest eigenvalue of noise of this size exceeds in 5 % of cases, of second moments divided by n.

        σ̂²(μ + 0.979·s)/n, μ = (√(n−1) + √k)², s = (√(n−1) + √k)(1/√(n−1) + 1/√k)^⅓ (Johnstone 2001, theorem 1.1).
        """
        root_n, root_k = np.sqrt(self.n - 1), np.sqrt(self.k)
        unit = (root_n + root_k) * (1 / root_n + 1 / root_k) ** (1 / 3)
        return self.variance * ((root_n + root_k) ** 2 + TRACY_WIDOM_95 * unit) / self.n

    def line(self, eigenvalue: float) -> float:
        """The singular value that belongs to an eigenvalue of the second moments divided by n."""
        return float(np.sqrt(self.n * eigenvalue))


@lru_cache(maxsize=256)
def marchenko_pastur_median(beta: float) -> float:
    """μ_β: the median of the Marchenko–Pastur law of variance 1, 0 < β ≤ 1.

    >>> round(marchenko_pastur_median(1.0), 4)
    0.6528
    """
    low, high = (1 - np.sqrt(beta)) ** 2, (1 + np.sqrt(beta)) ** 2
    # With x = m + r·cos θ the density has no singularity at the edges but at x = 0 for β = 1, where it is bounded.
    middle, radius = (low + high) / 2, (high - low) / 2
    nodes, weights = np.polynomial.legendre.leggauss(200)

    def share_above(theta: float) -> float:
        angles = theta * (nodes + 1) / 2
        density = (radius * np.sin(angles)) ** 2 / (2 * np.pi * beta * (middle + radius * np.cos(angles)))
        return float(theta / 2 * np.sum(weights * density))

    theta = scipy.optimize.brentq(lambda angle: share_above(angle) - 0.5, 0.0, np.pi * (1 - 1e-12), xtol=1e-14)
    return float(middle + radius * np.cos(theta))


def gavish_donoho_line(singular_values: np.ndarray, n: int, k: int) -> float:
    """The singular value below which a direction is better dropped than kept, when W is low rank plus noise of unknown variance.

    ω(β)·median(σ), ω = λ*(β)/√μ_β, λ* = √(2(β+1) + 8β/(β+1+√(β²+14β+1))) (Gavish & Donoho
    2014; not their cubic, which is 1 % off for small β).
    """
    return optimal_coefficient(k / n) * float(np.median(singular_values[:k]))


def optimal_coefficient(beta: float) -> float:
    """ω(β).

    >>> round(optimal_coefficient(1.0), 4)
    2.8584
    """
    best = np.sqrt(2 * (beta + 1) + 8 * beta / (beta + 1 + np.sqrt(beta**2 + 14 * beta + 1)))
    return float(best / np.sqrt(marchenko_pastur_median(beta)))


@lru_cache(maxsize=64)
def null_shares(n: int, k: int, n_draws: int = N_DRAWS, level: float = LEVEL, seed: int = SEED) -> np.ndarray:
    """The `level` quantile of the share of the variance that each of k directions has in n×k normal noise, (k,), by simulation.

    The n×k numbers are never drawn. By Bartlett's decomposition noise has the singular values of a k×k triangle, and
    Householder reflections bring that to two diagonals of independent χ variables, with n, n−1, … and k−1, k−2, …
    degrees of freedom (Dumitriu & Edelman 2002).

    Cost: O(k²) for each draw (1 s for 100 at k = 768), n_draws·k float64; kept for each pair of sides.
    """
    rng = np.random.default_rng(seed)
    drawn = np.empty((n_draws, k))
    for shares in drawn:
        diagonal = rng.chisquare(n - np.arange(k))
        below = rng.chisquare(np.arange(k - 1, 0, -1)) if k > 1 else np.empty(0)
        along = diagonal.copy()
        along[1:] += below
        shares[:] = scipy.linalg.eigvalsh_tridiagonal(along, np.sqrt(diagonal[:-1] * below), lapack_driver="sterf")[::-1]
        shares /= along.sum()
    return np.quantile(drawn, level, axis=0)


def parallel_rank(singular_values: np.ndarray, n: int, k: int) -> tuple[int, float]:
    """How many leading shares of the variance each exceed that of the same place in noise, and the σ that the next one lacks."""
    squares = singular_values[:k] ** 2
    limits = null_shares(n, k) * squares.sum()
    rank = int(np.argmin(np.append(squares > limits, False)))
    return rank, float(np.sqrt(limits[min(rank, k - 1)]))


def elbow_rank(singular_values: np.ndarray) -> int:
    """Where the values fall into two groups of one common variance most likely (Zhu & Ghodsi 2006).

    >>> elbow_rank(np.array([9.0, 8.5, 8.0, 1.2, 1.1, 1.0, 0.9]))
    3
    """
    k = len(singular_values)
    if k < 3:
        return k
    counts = np.arange(1, k)
    sums, squares = np.cumsum(singular_values), np.cumsum(singular_values**2)
    first = squares[:-1] - sums[:-1] ** 2 / counts
    second = (squares[-1] - squares[:-1]) - (sums[-1] - sums[:-1]) ** 2 / (k - counts)
    return int(np.argmin(first + second)) + 1  # with one variance the likelihood falls as the scatter within the groups grows


def broken_stick_rank(eigenvalues: np.ndarray) -> int:
    """How many leading shares exceed those of a stick broken at random places: b_i = Σ_{j≥i} 1/j / k (Frontier 1976)."""
    k = len(eigenvalues)
    expected = np.cumsum(1.0 / np.arange(k, 0, -1))[::-1] / k
    return int(np.argmin(np.append(eigenvalues / eigenvalues.sum() > expected, False)))
