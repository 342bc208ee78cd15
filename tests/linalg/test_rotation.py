"""Planted factors are found again by varimax and ICA; what cannot be told apart says so."""

from __future__ import annotations

import numpy as np
import pytest
from planted import orthonormal
from sklearn.decomposition import FactorAnalysis

from tb_embfactor.linalg.rotation import match, rotate, varimax


def whitened(scores: np.ndarray, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Rows with these scores, whitened and turned at random, and the scores as they are after centring and whitening."""
    spread = scores - scores.mean(axis=0)
    left = np.linalg.svd(spread, full_matrices=False)
    white = np.sqrt(len(scores)) * left[0] @ left[2]
    return white @ orthonormal(np.random.default_rng(seed), scores.shape[1], scores.shape[1]), white


@pytest.mark.parametrize("method", ["varimax", "ica"])
@pytest.mark.parametrize("kind", ["laplace", "sparse"])
def test_planted_leptokurtic_factors_are_recovered(method: str, kind: str) -> None:
    rng = np.random.default_rng(1)
    scores = rng.laplace(size=(5000, 6))
    if kind == "sparse":
        scores = np.where(rng.random(size=scores.shape) < 0.1, rng.exponential(size=scores.shape), 0.0)
    rows, truth = whitened(scores)
    rotation = rotate(rows, method, seed=0)
    found = rows @ rotation.matrix
    correlation = np.abs(found.T @ truth) / len(rows)
    assert np.all(correlation.max(axis=1) > 0.99) and np.all(correlation.max(axis=0) > 0.99)
    assert np.all(rotation.consistency > 0.99) and rotation.n_unsettled == 0
    assert np.all(np.sum(found**3, axis=0) >= 0), "the heavier tail points up"


def test_ica_also_finds_what_varimax_cannot() -> None:
    """Uniform factors are platykurtic: varimax looks for the opposite."""
    rows, truth = whitened(np.random.default_rng(2).uniform(size=(5000, 4)))
    correlation = np.abs((rows @ rotate(rows, "ica", 0).matrix).T @ truth) / len(rows)
    assert np.all(correlation.max(axis=1) > 0.99)


@pytest.mark.parametrize("method", ["varimax", "ica"])
def test_normal_factors_are_not_found_again(method: str) -> None:
    rows, _ = whitened(np.random.default_rng(3).normal(size=(5000, 6)))
    assert np.mean(rotate(rows, method, 0).consistency) < 0.8


@pytest.mark.parametrize("method", ["varimax", "ica"])
def test_rotations_are_orthogonal_and_the_same_each_time(method: str) -> None:
    rows, _ = whitened(np.random.default_rng(4).laplace(size=(500, 5)))
    first, second = rotate(rows, method, 7), rotate(rows, method, 7)
    assert np.array_equal(first.matrix, second.matrix)
    assert np.allclose(first.matrix.T @ first.matrix, np.eye(5), atol=1e-10)


def test_one_direction_needs_no_rotation() -> None:
    rows, _ = whitened(np.random.default_rng(5).exponential(size=(300, 1)))
    for method in ("varimax", "ica"):
        assert np.abs(rotate(rows, method, 0).matrix) == pytest.approx(1)


def test_varimax_reaches_the_criterion_of_scikit_learn() -> None:
    """Ours finds the loadings of scikit-learn's factor analysis again after they were turned at random."""
    rng = np.random.default_rng(6)
    data = rng.laplace(size=(1000, 3)) @ rng.normal(size=(3, 10)) + 0.3 * rng.normal(size=(1000, 10))
    turned = FactorAnalysis(3, rotation="varimax").fit(data).components_.T

    def criterion(loadings: np.ndarray) -> float:
        return float(np.sum(np.var(loadings**2, axis=0)))

    ours = turned @ orthonormal(rng, 3, 3)
    rotation, settled = varimax(ours, np.eye(3))
    assert settled
    assert criterion(ours @ rotation) == pytest.approx(criterion(turned), rel=1e-6)


def test_match_pairs_by_the_sum_of_cosines() -> None:
    axes = np.eye(4)[:, :3]
    others = np.eye(4)[:, [2, 0]] * [-1, 1]
    index, cosine = match(axes, others)
    assert index.tolist() == [1, -1, 0] and cosine.tolist() == [1, 0, 1]
