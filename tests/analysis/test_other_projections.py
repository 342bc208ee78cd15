"""Searched, supervised and neighbour-keeping projections: against scikit-learn, planted structure, and the demo runs."""

from __future__ import annotations

import builtins
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from planted import centered, orthonormal, planted
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.manifold import trustworthiness

import tb_embfactor as ef
from tb_embfactor import factorize, project
from tb_embfactor.analysis.axes import find_axes
from tb_embfactor.errors import MatrixError, NotFoundError, UsageError
from tb_embfactor.linalg.neighbourhood import neighbour_quality

RNG = np.random.default_rng(0)
GROUPS = np.repeat([0, 1, 2], [200, 150, 100])
CENTERS = RNG.normal(size=(3, 10)) * 2
CLOUDS = CENTERS[GROUPS] + RNG.normal(size=(450, 10)) @ np.diag(np.linspace(0.3, 4, 10))
NAMES = [("hotel", "book", "computer")[group] for group in GROUPS]


def codes(info: dict[str, Any]) -> list[str]:
    return [note.code for note in info["notes"]]


@pytest.mark.parametrize("method", ["varimax", "ica", "nmf"])
def test_searched_axes_are_those_of_the_factors(method: str) -> None:
    matrix = np.abs(planted(300, 8, np.geomspace(9, 1, 8)))
    found, axes = project(matrix, method, 3, seed=4), find_axes(factorize(matrix), method, 3, seed=4)
    assert np.allclose(found.points, np.concatenate(list(axes.scores.apply(factorize(matrix).blocks))))
    assert np.array_equal(found.info["share"], axes.share) and np.allclose(found.info["consistency"], axes.consistency)
    assert found.info["sample"] == {"rows": 300, "of": 300, "seed": 4}


def test_discriminants_are_scikit_learns() -> None:
    truth = LinearDiscriminantAnalysis(solver="svd").fit(CLOUDS, GROUPS)
    found = project(CLOUDS, "lda", 5, labels=NAMES)
    assert found.points.shape == (450, 2), "three groups have two axes"
    expected = truth.transform(CLOUDS)
    for axis in range(2):
        assert abs(np.corrcoef(found.points[:, axis], expected[:, axis])[0, 1]) > 1 - 1e-9
        spread = found.points[:, axis]
        means = np.array([spread[group == GROUPS].mean() for group in range(3)])[GROUPS]
        assert found.info["between"][axis] == pytest.approx(means.var() / spread.var())
        assert found.info["share"][axis] == pytest.approx(spread.var() / CLOUDS.var(axis=0).sum())
    assert np.allclose(np.linalg.norm(found.axes, axis=0), 1)
    assert found.info["groups"] == ["hotel", "book", "computer"] and codes(found.info) == ["groups_by_chance"]
    span = np.linalg.qr(found.axes)[0]
    assert found.info["total_share"] == pytest.approx(np.sum((centered(CLOUDS) @ span) ** 2) / np.sum(centered(CLOUDS) ** 2))


def test_rows_without_a_group_are_shown_and_not_asked() -> None:
    some: list[str | None] = list(NAMES)
    for row in range(0, 450, 3):
        some[row] = None
    labelled = np.array([label is not None for label in some])
    found = project(CLOUDS, "lda", 2, labels=some)
    truth = LinearDiscriminantAnalysis(solver="svd").fit(CLOUDS[labelled], GROUPS[labelled]).transform(CLOUDS)
    assert all(abs(np.corrcoef(found.points[:, axis], truth[:, axis])[0, 1]) > 1 - 1e-9 for axis in range(2))
    assert np.isfinite(found.points).all()


def test_random_groups_come_apart_by_chance_and_it_is_said_how_far() -> None:
    rng = np.random.default_rng(1)
    noise = rng.normal(size=(400, 40))
    found = [project(noise, "lda", 1, labels=rng.integers(0, 2, 400).tolist()).info for _ in range(20)]
    assert found[0]["by_chance"] == pytest.approx(40 / 399)
    assert np.mean([info["between"][0] for info in found]) == pytest.approx(0.1, abs=0.02)


def test_discriminants_of_rank_deficient_and_wide_rows() -> None:
    flat = CLOUDS @ orthonormal(np.random.default_rng(2), 10, 4) @ orthonormal(np.random.default_rng(3), 30, 4).T
    assert project(flat, "lda", 2, labels=NAMES).points.shape == (450, 2)
    wide = np.random.default_rng(4).normal(size=(12, 50))
    apart = project(wide, "lda", 1, labels=list("aabbaabbaabb"))
    assert apart.info["between"][0] == pytest.approx(1) and apart.info["by_chance"] == 1, "as chance would have it"


@pytest.mark.parametrize(
    ("labels", "error", "said"),
    [
        (["one"] * 450, MatrixError, "make 1 group, so there are none to tell apart"),
        ([None] * 450, MatrixError, "make 0 group"),
        (list(range(450)), MatrixError, "450 groups, too many"),
        (["a", "b"], UsageError, "labels must be one for each of 450 rows; got '2 labels'"),
        (None, UsageError, "labels must be one for each"),
    ],
)
def test_groups_that_cannot_be_told_apart(labels: Any, error: type[Exception], said: str) -> None:
    with pytest.raises(error, match=said):
        project(CLOUDS, "lda", 2, labels=labels)


def test_a_line_goes_from_mean_to_mean_and_the_other_axes_stand_beside_it() -> None:
    ends = [3, 4, 5], [400]
    found = project(CLOUDS, "line", 3, between=ends)
    direction = CLOUDS[400] - CLOUDS[[3, 4, 5]].mean(axis=0)
    assert np.allclose(found.axes[:, 0], direction / np.linalg.norm(direction))
    assert np.allclose(found.axes.T @ found.axes, np.eye(3), atol=1e-12)
    assert np.allclose(found.points, centered(CLOUDS) @ found.axes)
    rest = centered(CLOUDS) - np.outer(found.points[:, 0], found.axes[:, 0])
    assert np.allclose(found.info["weight"][1:], np.linalg.svd(rest, compute_uv=False)[:2])


@pytest.mark.parametrize("between", [None, ([], [1]), ([0], [450]), ([-1], [1])])
def test_lines_that_lead_nowhere(between: Any) -> None:
    with pytest.raises(UsageError, match="two groups of rows, each from 0 to 449"):
        project(CLOUDS, "line", 2, between=between)
    with pytest.raises(MatrixError, match="the same mean"):
        project(CLOUDS, "line", 2, between=([7], [7]))


@pytest.mark.parametrize("method", ["tsne", "umap"])
def test_maps_keep_the_neighbours_of_a_stated_sample(method: str, monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(5)
    clusters = rng.normal(size=(5, 30))[rng.integers(0, 5, 400)] * 6 + rng.normal(size=(400, 30))
    clusters[17] = np.nan
    monkeypatch.setitem(ef.analysis.neighbour_maps.MAX_ROWS, method, 300)
    found = project(clusters, method, 2, seed=1, with_quality=True)
    shown = np.isfinite(found.points).all(axis=1)
    assert found.points.shape == (400, 2) and 299 <= shown.sum() <= 300 and not shown[17]
    assert found.info["sample"] == {"rows": int(shown.sum()), "of": 399, "seed": 1}
    assert found.info["made_of"]["n_dims"] == 30 and found.info["made_of"]["share"] == pytest.approx(1)
    assert found.info["quality"]["trustworthiness"] > 0.9 and found.info["quality"]["continuity"] > 0.85
    assert found.info["total_share"] is None and "map_of_neighbours" in codes(found.info)
    assert np.allclose(found.points, project(clusters, method, 2, seed=1).points, equal_nan=True), "the same seed, the same map"


def test_umap_that_is_not_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    real = builtins.__import__

    def without_umap(name: str, *arguments: Any, **more: Any) -> Any:
        if name == "umap":
            raise ImportError(name)
        return real(name, *arguments, **more)

    monkeypatch.setattr(builtins, "__import__", without_umap)
    with pytest.raises(UsageError, match=r"pip install 'tb-embfactor\[umap\]'"):
        project(CLOUDS, "umap", 2)


@pytest.mark.parametrize("method", ["lda", "line", "tsne", "umap", "varimax"])
def test_nothing_to_show(method: str) -> None:
    more: dict[str, Any] = {"lda": {"labels": list("aabb")}, "line": {"between": ([0], [1])}}.get(method, {})
    with pytest.raises(MatrixError, match="All 4 rows of the array are equal"):
        project(np.ones((4, 3)), method, 2, **more)
    if method in ("tsne", "umap"):
        with pytest.raises(MatrixError, match="has 4 rows to show"):
            project(np.eye(4), method, 2)


def test_quality_is_scikit_learns_trustworthiness_both_ways() -> None:
    found = project(CLOUDS, "pca", 2, with_quality=True).info["quality"]
    points = project(CLOUDS, "pca", 2).points
    assert found["trustworthiness"] == pytest.approx(trustworthiness(CLOUDS, points, n_neighbors=10))
    assert found["continuity"] == pytest.approx(trustworthiness(points, CLOUDS, n_neighbors=10))
    assert (found["rows"], found["n_neighbors"]) == (450, 10)
    assert project(CLOUDS, "pca", 10, with_quality=True).info["quality"]["trustworthiness"] == pytest.approx(1)
    assert neighbour_quality(CLOUDS[:3], points[:3])["trustworthiness"] is None
    large = np.random.default_rng(0).normal(size=(3000, 4))
    assert project(large, "pca", 2, with_quality=True).info["quality"]["rows"] == 1000


def test_topics_of_the_chinese_words_come_apart(demo_logs: Path) -> None:
    run = ef.open_logdir(demo_logs).run("chinese_reviews")
    trained, initial = (run.checkpoint(selector)["word_embedding"] for selector in ("latest", "first"))
    topics = [None if topic == "general" else topic for topic in trained.label_column("topic")]
    found, before = project(trained, "lda", 2, labels=topics), project(initial, "lda", 2, labels=topics)
    assert found.info["between"][0] > 0.7 > 3 * before.info["between"][0]
    with pytest.raises(NotFoundError, match=r"no label column 'color'\. Its label columns are: word"):
        trained.label_column("color")
