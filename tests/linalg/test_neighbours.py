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
    "a mean of 1e8": lambda matrix: matrix + 1e8,
    "large": lambda matrix: matrix * 1e25,
    "too large for float32": lambda matrix: matrix * 1e100,
    "small": lambda matrix: (matrix * 1e-15).astype(np.float32),
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
def test_a_sample_of_rows_in_several_passes(metric: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(neighbours, "MAX_QUERIES", 64)
    asked = np.sort(RNG.choice(len(MATRIX), 150, replace=False))
    assert np.array_equal(nearest(MATRIX, metric, 5, asked)[0], oracle(MATRIX, metric, 5, asked)[0])


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


def test_near_duplicates_far_from_the_others_are_told_apart() -> None:
    """Distances of 1e-6 beside one of 1, which float32 products do not see."""
    matrix = np.vstack([RNG.normal(size=(1, 30)) + 1e-6 * np.arange(50)[::-1, None], RNG.normal(size=(500, 30))])
    rows, _ = nearest(matrix, "euclidean", 49, np.array([49]))
    assert rows[0].tolist() == list(range(48, -1, -1))


@pytest.mark.parametrize("metric", METRICS)
def test_rows_that_cannot_be_neighbours(metric: str) -> None:
    matrix = np.eye(6, 5, dtype=np.float32) + 1
    matrix[1], matrix[2, 3], matrix[5] = 0, np.nan, np.inf
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
