"""The named numbers against the definitions, written out the other way round, and scipy and scikit-learn where they have them."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.stats
from planted import centered, lapack, planted
from sklearn.metrics.pairwise import cosine_similarity

from tb_embfactor import factorize, metrics
from tb_embfactor.analysis.numbers import METRICS
from tb_embfactor.analysis.numbers.tail import fit_tail

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


def test_rank_me_and_information_abundance() -> None:
    values = lapack(MATRIX)
    p = values / np.sum(np.abs(values)) + 1e-7
    numbers = metrics(factorize(MATRIX))
    assert numbers["rankme"] == pytest.approx(np.exp(-np.sum(p * np.log(p))), rel=1e-9)
    assert numbers["information_abundance"] == pytest.approx(
        np.linalg.norm(centered(MATRIX), "nuc") / np.linalg.norm(centered(MATRIX), 2)
    )
    assert metrics(factorize(MATRIX + 10))["rankme"] < 2 < metrics(factorize(MATRIX + 10))["effective_rank"]


def test_zeros_and_norms() -> None:
    matrix = np.random.default_rng(2).normal(size=(5000, 7)) * np.geomspace(1e-3, 1e3, 5000)[:, None]
    matrix[17] = 0
    matrix[40, 3] = 0
    for stored in (matrix, matrix.astype(np.float32), matrix.T):
        numbers = metrics(factorize(stored))
        norms = np.linalg.norm(stored, axis=1)
        assert numbers["zero_share"] == 8 / 35000
        assert numbers["zero_rows"] == (1 if len(stored) == 5000 else 0)
        expected = np.quantile(norms, [0, 0.05, 0.25, 0.5, 0.75, 0.95, 1], method="lower")
        assert np.allclose(numbers["row_norm_quantiles"], expected, rtol=1e-3)
        assert numbers["row_norm_quantiles"][-1] == pytest.approx(norms.max(), rel=1e-12)


def test_numbers_of_the_rows_leave_out_rows_with_nan() -> None:
    matrix = np.ones((5, 2))
    matrix[1] = np.nan
    matrix[2] = 0
    numbers = metrics(factorize(matrix))
    assert (numbers["zero_share"], numbers["zero_rows"]) == (0.25, 1)


@pytest.mark.parametrize(
    ("eigenvalues", "alpha", "distance", "size"),
    [  # what WeightWatcher 0.7.7 gives for them: WWFit(eigenvalues).alpha, .D, len(.data)
        ((np.arange(1, 65) / 10) ** 2, 4.59526152050508, 0.19024791689545695, 16),
        ([(1 + k * k % 37) / 3 + 0.01 * k for k in range(60)], 6.909762746675338, 0.14682632679050606, 26),
        (np.exp(np.linspace(-3, 4, 40)), 1.2857142857142856, 0.16224825310551727, 40),
        ((np.arange(1, 101) / 101) ** (-1 / 1.5), 2.5499447525599654, 0.012048363706638532, 100),
    ],
)
def test_tail_exponent_as_weightwatcher_fits_it(eigenvalues: np.ndarray, alpha: float, distance: float, size: int) -> None:
    numbers = metrics(factorize(np.diag(np.sqrt(eigenvalues))))
    assert numbers["alpha"] == pytest.approx(alpha, rel=1e-9)
    assert numbers["alpha_distance"] == pytest.approx(distance, rel=1e-9)
    assert numbers["alpha_tail"] == size


def test_a_power_law_is_recovered_and_too_short_a_tail_has_no_exponent() -> None:
    drawn = np.random.default_rng(0).pareto(1.5, 3000) + 1  # density ∝ x^−2.5
    assert fit_tail(np.sort(drawn))[0] == pytest.approx(2.5, abs=0.1)
    assert metrics(factorize(np.diag(np.arange(1.0, 20.0))))["alpha"] is None
    assert metrics(factorize(np.eye(30)))["alpha"] is None


def test_noise_and_what_stands_out_of_it() -> None:
    rng = np.random.default_rng(5)
    noise = 0.3 * rng.normal(size=(4000, 100))
    numbers = metrics(factorize(noise))
    edge = 0.09 * (1 + np.sqrt(100 / 4000)) ** 2
    assert numbers["mp_edge"] == pytest.approx(edge, rel=0.01)
    assert np.linalg.eigvalsh(np.cov(noise.T))[-1] == pytest.approx(edge, rel=0.02)
    spiked = noise + planted(4000, 100, np.array([400.0, 200, 100]))
    numbers = metrics(factorize(spiked))
    assert numbers["n_spikes"] == 3
    assert numbers["mp_edge"] == pytest.approx(edge, rel=0.03), "spikes do not raise the edge, as they would by the trace"
    assert numbers["gavish_donoho_rank"] == 3


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
    centered = [key for key in numbers if "centred" in METRICS[key].formula and key != "mean_cosine"]
    assert len(centered) > 8 and all(numbers[key] is None for key in centered)
    assert numbers["alpha"] is None


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
