"""One pass: sums over the usable rows, of one matrix and of two with the same rows, against numpy."""

from __future__ import annotations

import numpy as np
import pytest
from planted import centered

from tb_embfactor.linalg import products
from tb_embfactor.linalg.blocks import ArrayBlocks, IterableBlocks, RowBlocks, pairs
from tb_embfactor.linalg.gram import GramSum, Whitening
from tb_embfactor.linalg.moments import accumulate, cross_moments
from tb_embfactor.linalg.row_statistics import QUANTILES

RNG = np.random.default_rng(5)


def with_bad_rows(shape: tuple[int, int], bad: list[int]) -> np.ndarray:
    matrix = RNG.normal(size=shape) + 2
    matrix[bad, RNG.integers(shape[1], size=len(bad))] = [np.nan, np.inf, -np.inf, 1e200][: len(bad)]
    return matrix


@pytest.mark.parametrize("tile", [products.TILE, 5])
def test_the_sums_of_one_matrix(tile: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(products, "TILE", tile)
    matrix = with_bad_rows((3000, 12), [5, 700, 2999, 0])
    matrix[[1, 2]] = 0
    good = np.delete(matrix, [5, 700, 2999, 0], axis=0)
    moments = accumulate(ArrayBlocks(matrix))
    assert (moments.n_rows, moments.n_skipped, moments.n_nonzero) == (2996, 4, 2994)
    assert np.allclose(moments.mean, good.mean(axis=0), rtol=1e-13)
    assert np.allclose(moments.second.matrix, centered(good).T @ centered(good), rtol=1e-12, atol=1e-9)
    lengths = np.linalg.norm(good, axis=1)
    assert np.allclose(moments.unit_sum, np.sum(good[lengths > 0] / lengths[lengths > 0, None], axis=0))
    assert moments.second.norm >= np.linalg.norm(centered(good))
    assert moments.rows.n_zero_rows == 2
    assert np.allclose(moments.rows.norm_quantiles, np.quantile(lengths, QUANTILES), rtol=2e-3)


def test_a_first_block_without_a_usable_row() -> None:
    matrix = RNG.normal(size=(400, 3)) + 1e4
    matrix[:200] = np.nan
    moments = accumulate(IterableBlocks([matrix[:200], matrix[200:]]))
    assert np.allclose(moments.second.matrix, centered(matrix[200:]).T @ centered(matrix[200:]), rtol=1e-6)
    assert accumulate(ArrayBlocks(matrix[:200])).n_rows == 0


@pytest.mark.parametrize("tile", [products.TILE, 5])
def test_the_sums_of_whitened_rows(tile: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(products, "TILE", tile)
    matrix = with_bad_rows((3000, 12), [5, 700])
    good = np.delete(matrix, [5, 700], axis=0)
    order = RNG.permutation(12)
    factor = np.asfortranarray(np.triu(RNG.normal(size=(12, 12)) + 4 * np.eye(12)))
    whitening = Whitening(good[:100].mean(axis=0), order, factor, np.asfortranarray(np.linalg.inv(factor)))
    moments = accumulate(ArrayBlocks(matrix), whitening=whitening)
    white = centered(good)[:, order] @ np.linalg.inv(factor)
    assert np.allclose(moments.second.matrix, white.T @ white, rtol=1e-10, atol=1e-9)
    assert moments.second.norm >= np.linalg.norm(white)
    assert np.allclose(moments.mean, good.mean(axis=0))


def blocks_of(matrix: np.ndarray, n: int) -> RowBlocks:
    return IterableBlocks([matrix[start : start + n] for start in range(0, len(matrix), n)])


@pytest.mark.parametrize("tile", [products.TILE, 5])
@pytest.mark.parametrize("widths", [(8, 8), (3, 30), (1, 2)])
def test_the_sums_of_two_matrices(tile: int, widths: tuple[int, int], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(products, "TILE", tile)
    a, b = with_bad_rows((5000, widths[0]), [7, 4000]), with_bad_rows((5000, widths[1]), [7, 8, 9])
    good_a, good_b = np.delete(a, [7, 8, 9, 4000], axis=0), np.delete(b, [7, 8, 9, 4000], axis=0)
    moments = cross_moments(blocks_of(a, 1700), blocks_of(b, 2300))
    assert (moments.n_rows, moments.n_skipped) == (4996, 4)
    assert np.allclose(moments.mean_a, good_a.mean(axis=0)) and np.allclose(moments.mean_b, good_b.mean(axis=0))
    good_a, good_b = centered(good_a), centered(good_b)
    assert np.allclose(moments.gram_a, good_a.T @ good_a, atol=1e-9)
    assert np.allclose(moments.gram_b, good_b.T @ good_b, atol=1e-9)
    assert np.allclose(moments.cross, good_a.T @ good_b, atol=1e-9)


def test_a_matrix_with_itself() -> None:
    matrix = RNG.normal(size=(600, 7)) + 1e4
    moments = cross_moments(ArrayBlocks(matrix), ArrayBlocks(matrix))
    assert np.allclose(moments.cross, moments.gram_a, rtol=1e-12)
    assert np.allclose(moments.gram_a, accumulate(ArrayBlocks(matrix)).second.matrix, rtol=1e-12)


def test_pairs_of_blocks_hold_the_same_rows() -> None:
    matrix = np.arange(100.0)[:, None]
    cuts = IterableBlocks([matrix[:1], matrix[1:60], matrix[60:]]), IterableBlocks([matrix[:50], matrix[50:]])
    cut = list(pairs(*cuts))
    assert all(np.array_equal(one, other) for one, other in cut)
    assert np.array_equal(np.concatenate([one for one, _ in cut]), matrix)


def test_squares_that_overflow_are_told_by_their_norm() -> None:
    whitening = Whitening(np.zeros(2), np.arange(2), np.asfortranarray(1e-200 * np.eye(2)), np.asfortranarray(1e200 * np.eye(2)))
    one, other = GramSum(2, whitening), GramSum(2, whitening)
    one.add(np.array([[1e120, 1e120]]), map)
    other.add(np.array([[1e120, -1e120]]), map)
    one.merge(other)
    assert not np.isfinite(one.moments(np.ones(2), 2).norm)
