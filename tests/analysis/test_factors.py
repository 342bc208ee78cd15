"""Factors and their tokens: against the singular vectors, planted factors, and words of the demo runs."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import scipy.stats
from planted import centered, orthonormal, planted

import tb_embfactor as ef
from tb_embfactor.analysis.axes import AXES, find_axes
from tb_embfactor.analysis.factors import Factors, factors
from tb_embfactor.errors import MatrixError, UsageError

MATRIX = planted(300, 12, np.geomspace(20, 1, 12), seed=3) + 0.2


def ends(found: Factors, index: int) -> tuple[list[int], list[int]]:
    factor = found.factors[index]
    return [row for row, _ in factor.top], [row for row, _ in factor.bottom]


@pytest.mark.parametrize("method", ["svd", "pca"])
def test_rows_and_columns_of_singular_vectors(method: str) -> None:
    target = MATRIX if method == "svd" else centered(MATRIX)
    u, s, vt = np.linalg.svd(target, full_matrices=False)
    found = factors(MATRIX, method, k=3, n_top=5)
    for index, factor in enumerate(found.factors):
        sign = np.sign(vt[index, np.argmax(np.abs(vt[index]))])
        scores = sign * u[:, index] * s[index]
        order = np.argsort(scores)
        assert [row for row, _ in factor.top] == order[::-1][:5].tolist()
        assert [row for row, _ in factor.bottom] == order[:5].tolist()
        assert np.allclose([score for _, score in factor.bottom], np.sort(scores)[:5])
        assert factor.columns[0] == (int(np.argmax(np.abs(vt[index]))), pytest.approx(np.max(np.abs(vt[index]))))
        assert factor.weight == pytest.approx(s[index]) and factor.share == pytest.approx(s[index] ** 2 / np.sum(s**2))
        assert factor.kurtosis == pytest.approx(scipy.stats.kurtosis(scores))
        assert factor.gap == pytest.approx(1 - s[index + 1] / s[index]) and factor.consistency is None


@pytest.mark.parametrize("method", ["varimax", "ica"])
def test_planted_factors_and_their_rows(method: str) -> None:
    """Rows that are sums of few of four directions, which are neither orthogonal to the mean nor sorted by variance."""
    rng = np.random.default_rng(0)
    scores = np.where(rng.random((4000, 4)) < 0.08, rng.exponential(size=(4000, 4)), 0.0) * [4, 3, 2.5, 2]
    directions = orthonormal(rng, 30, 4)
    found = factors(scores @ directions.T + 5.0, method, k=4, n_top=5)
    cosines = np.abs(found.axes.directions.T @ directions)
    assert np.all(cosines.max(axis=0) > 0.99)
    for index, factor in enumerate(found.factors):
        planted_one = scores[:, int(np.argmax(cosines[index]))]
        assert len(set(np.argsort(-planted_one)[:5]) & {row for row, _ in factor.top}) >= 4
        assert factor.kurtosis > 5 and factor.consistency is not None and factor.consistency > 0.99
        assert factor.block is factor.gap is None
    weights = [factor.weight for factor in found.factors]
    assert weights == sorted(weights, reverse=True)
    assert sum(factor.share for factor in found.factors) == pytest.approx(1), "a rotation keeps the variance"
    assert found.axes.sample == {"rows": 4000, "of": 4000, "seed": 0}


@pytest.mark.parametrize("method", AXES)
def test_scores_of_all_rows_have_the_weight_that_is_said(method: str) -> None:
    f = ef.factorize(np.abs(MATRIX))
    axes = find_axes(f, method, 4)
    scores = np.concatenate(list(axes.scores.apply(f.blocks)))
    assert np.allclose(np.linalg.norm(scores, axis=0), axes.weight, rtol=1e-8)
    assert np.allclose(scores.mean(axis=0), axes.center, atol=1e-8)
    assert np.allclose(np.linalg.norm(axes.directions, axis=0), 1)
    if method != "nmf":
        assert np.allclose(axes.share, axes.weight**2 / np.sum((centered(f_rows(f)) if method != "svd" else f_rows(f)) ** 2))


def f_rows(f: ef.Factorization) -> np.ndarray:
    return np.concatenate(list(f.blocks))


def test_rotated_axes_span_the_leading_principal_axes() -> None:
    f = ef.factorize(MATRIX)
    leading = f.spectrum.centered.right[:, :4]
    for method in ("varimax", "ica"):
        directions = find_axes(f, method, 4).directions
        assert np.allclose(leading @ (leading.T @ directions), directions, atol=1e-9)


def test_a_search_is_given_a_stated_sample_of_a_large_matrix(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tb_embfactor.linalg.sampling.SAMPLE_ROWS", 200)
    found = factors(MATRIX, "varimax", k=3, seed=5)
    assert found.axes.sample == {"rows": 200, "of": 300, "seed": 5}
    assert factors(MATRIX, "varimax", k=3, seed=5).factors == found.factors, "the same seed, the same factors"
    assert factors(MATRIX, "varimax", k=3, seed=6).factors != found.factors


def test_near_equal_directions_are_one_block() -> None:
    matrix = planted(2000, 8, np.array([50, 20, 20, 20, 5, 1, 1, 1.0]))
    found = factors(matrix, "pca", k=5, n_top=3)
    assert [factor.block for factor in found.factors] == [None, (1, 4), (1, 4), (1, 4), None]
    (block,) = found.blocks
    assert (block.start, block.stop) == (1, 4) and block.share == pytest.approx(3 * 400 / (2500 + 1200 + 25 + 3), rel=1e-3)
    right = np.linalg.svd(centered(matrix))[2][1:4]
    lengths = np.linalg.norm(centered(matrix) @ right.T, axis=1)
    assert [row for row, _ in block.top] == np.argsort(-lengths)[:3].tolist()
    assert [note.code for note in factors(matrix, "pca", k=3).notes] == ["block_cut"]


def test_factors_continue_those_of_a_reference() -> None:
    left, right = orthonormal(np.random.default_rng(1), 500, 3), orthonormal(np.random.default_rng(2), 9, 3)
    left -= left.mean(axis=0)
    before, after = left * [9, 6, 2] @ right.T, left * [4, 8, 1] @ right.T  # the first two have changed places
    reference = find_axes(ef.factorize(before), "pca", 3)
    continued = [factor.continues for factor in factors(after, "pca", 3, reference=reference).factors]
    assert [each.axis for each in continued if each] == [1, 0, 2]
    assert all(each and each.overlap > 0.99 for each in continued)
    with pytest.raises(UsageError, match="axes with 12 entries, as this matrix has columns; got 9"):
        factors(MATRIX, "pca", 3, reference=reference)


def test_rows_with_nan_are_in_no_list() -> None:
    matrix = np.abs(MATRIX)
    matrix[7] = np.inf
    matrix[9, 1] = np.nan
    for method in AXES:
        found = factors(matrix, method, k=2, n_top=100)
        assert found.rows_skipped == 2
        for index in range(2):
            top, bottom = ends(found, index)
            assert not {7, 9} & {*top, *bottom} and len(set(top)) == 100
            assert len(set(bottom)) == (0 if method == "nmf" else 100), "the least of a part is none of it"


def test_fewer_directions_than_asked_for() -> None:
    thin = np.random.default_rng(0).normal(size=(40, 2))
    for method in ("svd", "pca", "varimax", "ica"):
        found = factors(thin, method, k=5)
        assert len(found.factors) == 2 and "fewer_factors" in [note.code for note in found.notes]
    assert len(factors(np.array([[1.0, 2], [3, 5]]), "ica", k=2).factors) == 1, "two rows have one direction"


@pytest.mark.parametrize("method", AXES)
@pytest.mark.parametrize("shape", [(1, 6), (6, 1), (3, 50), (50, 3)])
def test_every_shape_has_factors_or_a_sentence(method: str, shape: tuple[int, int]) -> None:
    matrix = np.abs(np.random.default_rng(0).normal(size=shape))
    if shape == (1, 6) and method not in ("svd", "nmf"):
        with pytest.raises(MatrixError, match="All 1 rows of the array are equal"):
            factors(matrix, method)
    else:
        assert factors(matrix, method).factors


def test_what_has_no_factors_says_why() -> None:
    with pytest.raises(MatrixError, match="All 9 rows of the array are equal"):
        factors(np.ones((9, 4)), "varimax")
    with pytest.raises(MatrixError, match="All 9 rows of the array are zero"):
        factors(np.zeros((9, 4)), "nmf")
    with pytest.raises(MatrixError, match=r"has negative entries.*add the transform relu"):
        factors(MATRIX - 1, "nmf")
    with pytest.raises(UsageError, match="method must be one of svd, pca, varimax, ica, nmf; got 'umap'"):
        factors(MATRIX, "umap")
    for name, value in (("k", 0), ("k", 65), ("n_top", 101)):
        with pytest.raises(UsageError, match=f"{name} must be from 1 to"):
            factors(MATRIX, **{name: value})


def test_a_search_that_does_not_settle_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tb_embfactor.linalg.rotation.MAX_ITERATIONS", 2)
    monkeypatch.setattr("tb_embfactor.linalg.parts.MAX_ITERATIONS", 2)
    noise = np.abs(np.random.default_rng(0).normal(size=(400, 10)))
    for method in ("varimax", "ica", "nmf"):
        assert "not_settled" in [note.code for note in factors(noise, method, k=5).notes]


def test_axes_of_a_demo_run_are_followed_where_their_singular_values_cross(demo_logs: Path) -> None:
    """From step 1600 to 3000 the fifth and the sixth direction of the Chinese words change places."""
    run = ef.open_logdir(demo_logs).run("chinese_reviews")
    before, after = (run.checkpoint(selector)["word_embedding"] for selector in ("step:1600", "step:3000"))
    reference = find_axes(ef.factorize(before), "pca", 6)
    continued = [factor.continues for factor in factors(after, "pca", 6, reference=reference).factors]
    followed = [each.axis if each else None for each in continued]
    assert followed[:2] == [0, 1] and followed[4:] == [5, 4]
    assert all(each and abs(each.cosine) > 0.95 for each in continued[4:])
    by_index = np.abs(np.sum(reference.directions * find_axes(ef.factorize(after), "pca", 6).directions, axis=0))
    assert np.all(by_index[4:] < 0.3), "by index the axes would be others"


def test_axes_keep_their_identity_when_their_sign_changes(demo_logs: Path) -> None:
    run = ef.open_logdir(demo_logs).run("sentiment_plain/train")
    reference = find_axes(ef.factorize(run.checkpoint("latest")["word_embedding"]), "pca", 3)
    (first, *_) = factors(run.checkpoint("step:300")["word_embedding"], "pca", 3, reference=reference).factors
    assert first.continues is not None and first.continues.axis == 0 and first.continues.cosine < -0.99


@pytest.mark.parametrize(
    ("run", "matrix"), [("sentiment_plain/train", "word_embedding"), ("sentiment_factorized", "word_factors")]
)
def test_the_first_factor_of_the_demo_runs_is_polarity(demo_logs: Path, run: str, matrix: str) -> None:
    source = ef.open_logdir(demo_logs).run(run).checkpoint("latest")[matrix]
    assert source.labels is not None
    words = source.labels.read(source.shape[0]).columns[0].values
    found = factors(source, "pca", k=3)
    poles = [{words[row] for row in rows} for rows in ends(found, 0)]
    good, bad = {"great", "excellent", "perfect", "wonderful"}, {"worst", "awful", "boring", "waste"}
    assert any(good & pole for pole in poles) and any(bad & pole for pole in poles)
    assert not any(good & pole and bad & pole for pole in poles)
