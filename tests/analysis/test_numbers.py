"""The named numbers against the definitions, written out the other way round, and scipy and scikit-learn where they have them."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.stats
from planted import centered, lapack, planted
from sklearn.metrics.pairwise import cosine_similarity

from tb_embfactor import factorize, metrics
from tb_embfactor.analysis.numbers import METRICS

MATRIX = planted(400, 24, np.geomspace(5, 0.05, 24), seed=1) + 0.01


def test_spectral_numbers_follow_their_definitions() -> None:
    values = lapack(centered(MATRIX))
    eigenvalues = values**2
    numbers = metrics(factorize(MATRIX))
    assert numbers["effective_rank"] == pytest.approx(np.exp(scipy.stats.entropy(values)), rel=1e-9)
    assert numbers["stable_rank"] == pytest.approx(
        np.linalg.norm(centered(MATRIX)) ** 2 / np.linalg.norm(centered(MATRIX), 2) ** 2
    )
    covariance = np.cov(MATRIX.T)
    assert numbers["participation_ratio"] == pytest.approx(np.trace(covariance) ** 2 / np.linalg.norm(covariance) ** 2)
    assert numbers["condition_number"] == pytest.approx(np.linalg.cond(centered(MATRIX)), rel=1e-9)
    for percent in (90, 95, 99):
        rank = numbers[f"energy_rank_{percent}"]
        held = np.cumsum(eigenvalues) / eigenvalues.sum()
        assert held[rank - 1] >= percent / 100 > (held[rank - 2] if rank > 1 else 0)


def test_mean_cosine_is_that_of_all_pairs() -> None:
    matrix = np.vstack([MATRIX, np.zeros((3, 24))])
    similarity = cosine_similarity(MATRIX)
    n = len(MATRIX)
    expected = (similarity.sum() - n) / (n * (n - 1))
    assert metrics(factorize(matrix))["mean_cosine"] == pytest.approx(expected, rel=1e-10)


def test_iso_score_relation() -> None:
    """IsoScore by its own definition (Rudman et al. 2022, algorithm 1) is (participation ratio − 1)/(d − 1)."""
    d = MATRIX.shape[1]
    variances = np.sort(np.linalg.eigvalsh(np.cov(MATRIX.T)))
    normalized = np.sqrt(d) * variances / np.linalg.norm(variances)
    defect = np.linalg.norm(normalized - 1) / np.sqrt(2 * (d - np.sqrt(d)))
    isotropy = ((d - defect**2 * (d - np.sqrt(d))) ** 2 - d) / (d * (d - 1))
    assert (metrics(factorize(MATRIX))["participation_ratio"] - 1) / (d - 1) == pytest.approx(isotropy, rel=1e-9)


def test_equal_values_give_the_dimension() -> None:
    square = np.vstack([np.eye(6), -np.eye(6)])
    numbers = metrics(factorize(square))
    for key in ("effective_rank", "stable_rank", "participation_ratio"):
        assert numbers[key] == pytest.approx(6)
    assert numbers["energy_rank_90"] == 6
    assert numbers["condition_number"] == pytest.approx(1)


@pytest.mark.parametrize("matrix", [np.ones((9, 4)), np.zeros((9, 4)), np.ones((1, 4))])
def test_no_number_where_there_is_no_spread(matrix: np.ndarray) -> None:
    numbers = metrics(factorize(matrix))
    assert all(numbers[key] is None for key in METRICS if key != "mean_cosine")


def test_no_condition_number_for_a_rank_deficient_matrix() -> None:
    rng = np.random.default_rng(0)
    assert metrics(factorize(rng.normal(size=(50, 3)) @ rng.normal(size=(3, 8))))["condition_number"] is None


def test_wide_matrices_have_a_condition_number() -> None:
    """Centring takes one dimension from V rows; the zero that it leaves is not the layer's."""
    matrix = np.random.default_rng(0).normal(size=(8, 50))
    values = lapack(centered(matrix))
    assert metrics(factorize(matrix))["condition_number"] == pytest.approx(values[0] / values[6], rel=1e-9)


def test_every_number_says_what_it_is() -> None:
    for metric in METRICS.values():
        assert all((metric.name, metric.description, metric.formula, metric.source))
