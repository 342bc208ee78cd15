"""Projections against scikit-learn and the literal recipe."""

from __future__ import annotations

import numpy as np
import pytest
from planted import centered, planted
from sklearn.decomposition import PCA

from tb_embfactor import factorize, project
from tb_embfactor.errors import UsageError

SHAPES = [(100, 300), (2000, 64), (300, 20)]


@pytest.mark.parametrize("shape", SHAPES)
def test_pca_agrees_with_scikit_learn(shape: tuple[int, int]) -> None:
    matrix = planted(*shape, np.geomspace(10, 0.1, min(shape))) + 3.0
    truth = PCA(n_components=5, svd_solver="full").fit(matrix)
    result = project(matrix, "pca", 5)
    assert np.allclose(np.abs(result.points), np.abs(truth.transform(matrix)), atol=1e-8)
    assert np.allclose(result.info["share"], truth.explained_variance_ratio_, rtol=1e-9)
    assert np.allclose(result.info["weight"], truth.singular_values_, rtol=1e-9)


@pytest.mark.parametrize("shape", SHAPES)
def test_u_and_v_are_lapacks_up_to_sign(shape: tuple[int, int]) -> None:
    matrix = planted(*shape, np.geomspace(10, 0.1, min(shape)))
    u, s, vt = np.linalg.svd(matrix, full_matrices=False)
    for method, truth in (("u", u[:, :4]), ("v", vt[:4].T)):
        result = project(matrix, method, 4)
        assert np.allclose(np.abs(result.points), np.abs(truth), atol=1e-8)
        assert np.allclose(result.info["share"], s[:4] ** 2 / np.sum(s**2), rtol=1e-9)
    # The same signs in both: their product is the matrix again.
    f = factorize(matrix)
    assert np.allclose(f.left(0, shape[0]) * f.singular_values @ f.right.T, matrix, atol=1e-8)


@pytest.mark.parametrize("shape", [(100, 300), (2000, 64)])
def test_pca_of_u_has_the_ratios_and_the_reconstruction_of_the_literal_recipe(shape: tuple[int, int]) -> None:
    """numpy's SVD, then scikit-learn's PCA of U. Its coordinates are arbitrary (equal variances), so these are not compared."""
    matrix = np.random.default_rng(3).normal(size=shape)
    k = min(shape)
    u = np.linalg.svd(matrix, full_matrices=False)[0]
    recipe = PCA(n_components=k, svd_solver="full").fit(u)
    ours = project(matrix, "pca_of_u", 64)
    n = ours.points.shape[1]
    ratios = recipe.explained_variance_ratio_
    assert np.allclose(ours.info["share"][: n - 1], ratios[: n - 1], rtol=1e-9)
    if n == k:  # the last one is the smaller one
        assert np.allclose(ours.info["share"][-1], ratios[-1], atol=1e-9)
        signed = u * np.sign(np.sum(u * (factorize(matrix).left(0, shape[0])), axis=0))
        ours_back = ours.points @ np.linalg.lstsq(ours.points, signed - signed.mean(axis=0), rcond=None)[0]
        recipe_back = recipe.transform(u) @ recipe.components_
        assert np.allclose(np.abs(ours_back), np.abs(recipe_back), atol=1e-8)
    # Each axis has the variance it says, the axes are uncorrelated, and they are centred.
    covariance = np.cov(ours.points.T)
    assert np.allclose(covariance, np.diag(np.asarray(ours.info["share"]) * np.trace(np.cov(u.T))), atol=1e-12)


def test_pca_of_u_is_the_same_after_a_change_of_rounding_size() -> None:
    """What the literal recipe is not."""
    matrix = planted(300, 8, np.arange(8, 0, -1.0))
    changed = matrix * (1 + 1e-15 * np.random.default_rng(0).normal(size=matrix.shape))
    assert np.allclose(project(matrix, "pca_of_u", 3).points, project(changed, "pca_of_u", 3).points, atol=1e-10)
    assert [note.code for note in project(matrix, "pca_of_u").info["notes"]] == ["basis_of_u"]


def test_axes_of_another_step() -> None:
    rng = np.random.default_rng(4)
    before, after = rng.normal(size=(500, 6)), rng.normal(size=(500, 6)) * [5, 4, 3, 2, 1, 1]
    axes = factorize(after).spectrum.centered.right
    result = project(before, "pca", 2, axes=axes)
    expected = centered(before) @ axes[:, :2]
    assert np.allclose(result.points, expected)
    assert np.allclose(result.info["share"], expected.var(axis=0) / centered(before).var(axis=0).sum())


def test_rows_with_nan_have_no_point() -> None:
    matrix = np.random.default_rng(5).normal(size=(50, 4))
    matrix[7, 1] = np.nan
    for method in ("pca", "u", "pca_of_u"):
        points = project(matrix, method, 2).points
        assert np.isnan(points[7]).all()
        assert np.isfinite(np.delete(points, 7, axis=0)).all()


def test_fewer_axes_than_asked_for() -> None:
    assert project(np.random.default_rng(0).normal(size=(50, 2)), "pca", 3).points.shape == (50, 2)
    assert project(np.ones((50, 4)), "pca", 3).points.shape == (50, 1)
    assert np.allclose(project(np.ones((50, 4)), "pca", 3).points, 0)
    assert project(np.random.default_rng(0).normal(size=(1, 5)), "pca_of_u", 3).points.shape == (1, 1)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"method": "mds"}, "method must be one of pca, u, v, pca_of_u, varimax, ica, nmf, lda, line, tsne, umap; got 'mds'"),
        ({"labels": [1, 2, 3]}, "labels must be left out unless method is lda"),
        ({"between": ([0], [1])}, "between must be left out unless method is line"),
        ({"n_components": 0}, "n_components must be from 1 to 64; got 0"),
        ({"method": "u", "axes": np.eye(3)}, "axes must be left out unless method is pca"),
        ({"axes": np.eye(5)}, "axes must be axes with 3 entries"),
    ],
)
def test_wrong_parameters(arguments: dict, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        project(np.eye(3), **arguments)
