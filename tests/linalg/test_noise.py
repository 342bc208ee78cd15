"""The limit laws against the papers' tables, against numerical integration, and against simulated matrices."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.integrate
import scipy.stats

from tb_embfactor.linalg.noise import (
    Noise,
    broken_stick_rank,
    elbow_rank,
    marchenko_pastur_median,
    null_shares,
    optimal_coefficient,
    parallel_rank,
)


@pytest.mark.parametrize(("beta", "omega"), [(0.05, 1.5194), (0.1, 1.6089), (0.25, 1.8371), (0.5, 2.1711), (1.0, 2.8582)])
def test_optimal_coefficient_is_that_of_the_table(beta: float, omega: float) -> None:
    """Gavish & Donoho 2014, table IV, whose last digit is not exact (see the quarter circle below)."""
    assert optimal_coefficient(beta) == pytest.approx(omega, abs=3e-4)


def test_median_of_the_square_is_that_of_the_quarter_circle() -> None:
    """For β = 1 the singular values follow a quarter circle: its share below y is (y√(4−y²)/2 + 2 asin(y/2))/π."""
    y = np.sqrt(marchenko_pastur_median(1.0))
    assert (y * np.sqrt(4 - y**2) / 2 + 2 * np.arcsin(y / 2)) / np.pi == pytest.approx(0.5, abs=1e-9)


def test_optimal_coefficient_tends_to_the_root_of_two() -> None:
    assert optimal_coefficient(1e-6) == pytest.approx(np.sqrt(2), abs=1e-3)


@pytest.mark.parametrize("beta", [1e-4, 0.02, 0.3, 0.9, 1.0])
def test_half_of_the_law_lies_above_its_median(beta: float) -> None:
    low, high = (1 - np.sqrt(beta)) ** 2, (1 + np.sqrt(beta)) ** 2

    def density(x: float) -> float:
        return float(np.sqrt(max(0.0, (high - x) * (x - low))) / (2 * np.pi * beta * x))

    share, _ = scipy.integrate.quad(density, marchenko_pastur_median(beta), high, limit=200)
    assert share == pytest.approx(0.5, abs=1e-6)


@pytest.mark.parametrize(("n", "k"), [(300, 40), (60, 60)])
def test_null_shares_are_those_of_normal_matrices(n: int, k: int) -> None:
    """The two diagonals against matrices that are drawn in full: the law of the first, a middle and the last value."""
    quantile = {level: null_shares(n, k, 2000, level) for level in (0.1, 0.5, 0.9)}
    rng = np.random.default_rng(1)
    squares = np.array([np.linalg.svd(rng.normal(size=(n, k)), compute_uv=False) ** 2 for _ in range(500)])
    drawn = squares / squares.sum(axis=1, keepdims=True)
    for place in {0, k // 2, k - 1}:
        for level, values in quantile.items():
            share = np.mean(drawn[:, place] <= values[place])
            assert abs(share - level) < 0.07, (place, level)


def test_the_finite_size_cutoff_is_exceeded_by_noise_in_one_of_twenty_cases() -> None:
    n, k = 400, 50
    cutoff = Noise(n, k, 1.0).cutoff
    rng = np.random.default_rng(2)
    draws = (rng.normal(size=(n - 1, k)) for _ in range(1000))  # centring takes one row
    largest = [np.linalg.eigvalsh(draw.T @ draw)[-1] / n for draw in draws]
    assert 0.025 < np.mean(largest > cutoff) < 0.065


def test_parallel_analysis_counts_planted_directions() -> None:
    rng = np.random.default_rng(3)
    matrix = rng.normal(size=(500, 30))
    matrix[:, :3] *= [4, 3.5, 3]
    values = np.linalg.svd(matrix - matrix.mean(axis=0), compute_uv=False)
    rank, line = parallel_rank(values, 500, 30)
    assert rank == 3
    assert values[2] > line > values[3]
    assert parallel_rank(np.array([5.0]), 50, 1)[0] == 0, "one direction has all, in noise as well"


def test_no_noise_where_half_of_the_values_are_null() -> None:
    assert Noise.estimate(np.array([3.0, 0, 0]), 10, 3) is None


def test_elbow_is_the_most_likely_split() -> None:
    """Against the profile likelihood, written out."""
    values = np.sort(np.random.default_rng(4).exponential(size=20))[::-1]
    likelihoods = []
    for q in range(1, 20):
        groups = values[:q], values[q:]
        scale = np.sqrt(sum(np.sum((group - group.mean()) ** 2) for group in groups) / 20)
        likelihoods.append(sum(scipy.stats.norm.logpdf(group, group.mean(), scale).sum() for group in groups))
    assert elbow_rank(values) == 1 + int(np.argmax(likelihoods))


def test_broken_stick() -> None:
    """Expected shares for four pieces: 25/48, 13/48, 7/48, 3/48 (Jackson 1993)."""
    assert broken_stick_rank(np.array([26, 13.5, 5, 3.5]) / 48) == 2
    assert broken_stick_rank(np.array([24, 14, 7, 3]) / 48) == 0
