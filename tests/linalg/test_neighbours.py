"""Nearest rows against scikit-learn's brute force in float64, whatever the storage, the blocks, the scale and the mean."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from sklearn.neighbors import NearestNeighbors

from tb_embfactor.linalg import neighbours
from tb_embfactor.linalg.blocks import ArrayBlocks, IterableBlocks, RowBlocks
from tb_embfactor.linalg.neighbours import METRICS, nearest_rows

RNG = np.random.default_rng(0)
MATRIX = RNG.normal(size=(3000, 20)) * np.geomspace(1, 0.01, 20)
ASKED = np.array([2999, 0, 17, 1500, 512])


def nearest(matrix: np.ndarray, metric: str, k: int = 7, asked: np.ndarray = ASKED) -> tuple[np.ndarray, np.ndarray]:
    return nearest_rows(ArrayBlocks(matrix), matrix[asked].astype(np.float64), asked, k, metric)


def oracle(matrix: np.ndarray, metric: str, k: int = 7, asked: np.ndarray = ASKED) -> tuple[np.ndarray, np.ndarray]:
    """One more than is asked for, without the row itself, which may not be the first where others equal it."""
    wide = matrix.astype(np.float64)
    distances, rows = NearestNeighbors(n_neighbors=k + 1, metric=metric, algorithm="brute").fit(wide).kneighbors(wide[asked])
    others = rows != asked[:, None]
    assert (others.sum(axis=1) == k).all()
    return rows[others].reshape(-1, k), distances[others].reshape(-1, k)


STORED: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "float32": lambda matrix: matrix.astype(np.float32),
    "float64": lambda matrix: matrix,
    "float16": lambda matrix: matrix.astype(np.float16),
    "a mean of 1000": lambda matrix: (matrix + 1000).astype(np.float32),
    "a mean of 1e4 spreads": lambda matrix: (matrix / np.geomspace(1, 0.01, 20) + 1e4).astype(np.float32),
    "a mean of 1e8": lambda matrix: matrix + 1e8,
    "large": lambda matrix: matrix * 1e25,
    "large in float32": lambda matrix: (matrix * 1e30).astype(np.float32),
    "too large for float32": lambda matrix: matrix * 1e100,
    "small": lambda matrix: (matrix * 1e-15).astype(np.float32),
    "squares too small for float32": lambda matrix: (matrix * 1e-30).astype(np.float32),
    "too small for float32": lambda matrix: matrix * 1e-60,
    "integers": lambda matrix: np.rint(matrix * 1000).astype(np.int32),
}


@pytest.mark.parametrize("metric", METRICS)
@pytest.mark.parametrize("stored", STORED)
def test_as_brute_force(metric: str, stored: str) -> None:
    matrix = STORED[stored](MATRIX)
    rows, distances = nearest(matrix, metric)
    wide = matrix.astype(np.float64)
    if metric == "cosine":
        units = wide / np.linalg.norm(wide, axis=1)[:, None]
        true = np.sum((units[ASKED][:, None] - units) ** 2, axis=2) / 2
    else:
        true = np.linalg.norm(wide[ASKED][:, None] - wide, axis=2)
    true[np.arange(len(ASKED)), ASKED] = np.inf
    expected = np.argsort(true, axis=1, kind="stable")[:, :7]
    assert np.array_equal(rows, expected)
    assert np.allclose(distances, np.take_along_axis(true, expected, axis=1), rtol=1e-12, atol=1e-24)


@pytest.mark.parametrize("metric", METRICS)
@pytest.mark.parametrize("k", [1, 40])
def test_as_scikit_learn(metric: str, k: int) -> None:
    rows, distances = nearest(MATRIX, metric, k)
    expected, expected_distances = oracle(MATRIX, metric, k)
    assert np.array_equal(rows, expected)
    assert np.allclose(distances, expected_distances, rtol=1e-7, atol=1e-12)


@pytest.mark.parametrize("metric", METRICS)
def test_a_sample_of_rows_in_several_passes_and_small_steps(metric: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(neighbours, "MAX_QUERIES", 64)
    monkeypatch.setattr(neighbours, "NUMBERS", 100)
    asked = np.sort(RNG.choice(len(MATRIX), 150, replace=False))
    halves = IterableBlocks([MATRIX[:1700], MATRIX[1700:]])
    rows, _ = nearest_rows(halves, MATRIX[asked], asked, 5, metric)
    assert np.array_equal(rows, oracle(MATRIX, metric, 5, asked)[0])


@pytest.mark.parametrize("scale", [0.0, 1e-25, 1e25, 1e100])
def test_queries_of_another_scale_than_the_rows(scale: float) -> None:
    queries = scale * RNG.normal(size=(5, 20))
    rows, distances = nearest_rows(ArrayBlocks(MATRIX.astype(np.float32)), queries, np.full(5, -1), 7, "euclidean")
    true = np.linalg.norm(queries[:, None] - MATRIX.astype(np.float32).astype(np.float64), axis=2)
    assert np.array_equal(rows, np.argsort(true, axis=1, kind="stable")[:, :7])
    assert np.allclose(distances, np.sort(true, axis=1)[:, :7], rtol=1e-12)


NORMAL = RNG.normal(size=(400, 300))
HARD: dict[str, np.ndarray] = {
    "around zero": NORMAL.astype(np.float32),
    "around something": (NORMAL + 100).astype(np.float32),
    "all positive": RNG.uniform(1, 2, size=(400, 300)),
    "of one length": NORMAL[:, :1] * 1e-3 + RNG.normal(size=300),
    "of one direction": np.outer(RNG.uniform(1, 1.001, size=400), RNG.normal(size=300)) + 1e-13 * NORMAL,
    "squares too small for float32": (NORMAL * 1e-23).astype(np.float32),
}


@pytest.mark.parametrize("metric", METRICS)
@pytest.mark.parametrize("centred", [False, True])
@pytest.mark.parametrize("kind", HARD)
def test_rounding_rules_out_no_row_that_is_near_enough(kind: str, centred: bool, metric: str) -> None:
    """Each of the first rows in turn is as far from each query as the k-th nearest is said to be, in extended precision."""
    matrix = HARD[kind]
    asked = neighbours._Queries(matrix[:40].astype(np.float64), np.full(40, -1), metric)
    found = neighbours._Found(asked, 10)
    found._frame = asked.centred if centred else asked.frame
    wide = matrix.astype(np.longdouble)
    wide = wide / np.sqrt((wide**2).sum(axis=1))[:, None] if metric == "cosine" else wide
    squares = ((wide - asked.rows.astype(np.longdouble)[:, None]) ** 2).sum(axis=2).astype(np.float64)
    with np.errstate(divide="ignore", invalid="ignore"):
        found._possible(matrix)
        assert np.all(np.sort(squares, axis=1)[:, 10] <= asked.known)
        for row in range(100):
            asked.known[:] = squares[:, row]
            assert np.isin(row * 40 + np.arange(40), found._possible(matrix)).all()


@pytest.mark.parametrize("metric", METRICS)
@pytest.mark.parametrize(("mean", "is_centred"), [(0.0, False), (1.0, False), (300.0, True)])
def test_rows_far_from_zero_are_ruled_out_beside_a_centre(mean: float, is_centred: bool, metric: str) -> None:
    rows = (RNG.normal(size=(2000, 64)) + mean).astype(np.float32)
    asked = neighbours._Queries(rows[:20].astype(np.float64), np.arange(20), metric)
    found = neighbours._Found(asked, 10)
    found.add((0, rows), map)
    assert (found._frame is asked.centred) == is_centred
    assert len(found._possible(rows)) < 20 * 15


@pytest.mark.parametrize("metric", METRICS)
def test_what_one_thread_has_found_lets_the_others_rule_out(metric: str) -> None:
    near = RNG.normal(size=(50, 64)) + 10 * np.eye(64)[0]
    far = RNG.normal(size=(500, 64)) - 10 * np.eye(64)[0]
    asked = neighbours._Queries(near[:20] + 0.01, np.full(20, -1), metric)
    one, other = neighbours._Found(asked, 10), neighbours._Found(asked, 10)
    one.add((0, far[:100]), map)
    assert len(other._possible(far)) > 100
    one.add((100, near), map)
    assert not len(other._possible(far))


@pytest.mark.parametrize("metric", METRICS)
@pytest.mark.parametrize("height", [1, 3, 700])
def test_the_size_of_blocks_does_not_change_the_answer(metric: str, height: int) -> None:
    matrix = MATRIX[:1000].astype(np.float32)
    pieces: RowBlocks = IterableBlocks([matrix[start : start + height] for start in range(0, 1000, height)])
    asked = np.array([3, 999])
    rows, distances = nearest_rows(pieces, matrix[asked].astype(np.float64), asked, 6, metric)
    expected, expected_distances = nearest(matrix, metric, 6, asked)
    assert np.array_equal(rows, expected) and np.allclose(distances, expected_distances, rtol=1e-14)


def test_of_equal_rows_the_earlier_comes_first_and_none_is_its_own_neighbour() -> None:
    matrix = np.repeat(RNG.normal(size=(4, 6)), 50, axis=0).astype(np.float32)
    rows, distances = nearest(matrix, "euclidean", 5, np.array([0, 199]))
    assert rows.tolist() == [[1, 2, 3, 4, 5], [150, 151, 152, 153, 154]]
    assert not distances.any()


def test_of_equal_rows_the_earlier_comes_first_whichever_thread_finds_it_first() -> None:
    matrix = np.ones((40, 6), np.float32)
    asked = neighbours._Queries(matrix[:1].astype(np.float64), np.array([3]), "euclidean")
    one, other = neighbours._Found(asked, 5), neighbours._Found(asked, 5)
    one.add((20, matrix[20:]), map)
    other.add((0, matrix[:20]), map)
    one.merge(other)
    assert one.rows.tolist() == [[0, 1, 2, 4, 5]]


def test_near_duplicates_far_from_the_others_are_told_apart() -> None:
    """Distances of 1e-6 beside one of 1, which float32 products do not see."""
    matrix = np.vstack([RNG.normal(size=(1, 30)) + 1e-6 * np.arange(50)[::-1, None], RNG.normal(size=(500, 30))])
    rows, _ = nearest(matrix, "euclidean", 49, np.array([49]))
    assert rows[0].tolist() == list(range(48, -1, -1))


@pytest.mark.parametrize("metric", METRICS)
@pytest.mark.parametrize(("dtype", "large"), [(np.float32, np.inf), (np.float64, 1e146)])
def test_rows_that_cannot_be_neighbours(dtype: type, large: float, metric: str) -> None:
    matrix = np.eye(6, 5, dtype=dtype) + 1
    matrix[1], matrix[2, 3], matrix[5] = 0, np.nan, large
    rows, distances = nearest(matrix, metric, 5, np.array([0]))
    assert sorted(rows[0].tolist()) == ([-1, -1, -1, 3, 4] if metric == "cosine" else [-1, -1, 1, 3, 4])
    assert np.array_equal(np.isnan(distances), rows < 0)


def test_the_memory_does_not_grow_with_the_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    import tracemalloc

    block = RNG.normal(size=(2000, 64)).astype(np.float32)
    peaks = []
    for n_blocks in (2, 40):
        pieces = IterableBlocks([block] * n_blocks)
        tracemalloc.start()
        nearest_rows(pieces, block[:100].astype(np.float64), np.full(100, -1), 10, "cosine")
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[1] < 1.5 * peaks[0]
