"""Zeros and the cost of pruning, against sorting all magnitudes."""

from __future__ import annotations

import numpy as np
import pytest

from tb_embfactor.analysis.sparsity import sparsity
from tb_embfactor.errors import MatrixError


def pruned_error(matrix: np.ndarray, share: float) -> float:
    sizes = np.sort(np.abs(matrix.ravel()))
    lost = sizes[: round(share * len(sizes))]
    return float(np.linalg.norm(lost) / np.linalg.norm(sizes))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_the_curve_is_that_of_sorted_magnitudes(dtype: type) -> None:
    rng = np.random.default_rng(0)
    matrix = (rng.laplace(size=(500, 40)) * np.exp(3 * rng.normal(size=(500, 1)))).astype(dtype)
    matrix[rng.random(matrix.shape) < 0.25] = 0
    found = sparsity(matrix)
    assert found.zero_share == np.mean(matrix == 0)
    assert found.near_zero_share == pytest.approx(np.mean(np.abs(matrix) < 0.01 * np.sqrt(np.mean(matrix**2))), abs=1e-3)
    for index in range(0, 101, 5):
        assert found.error[index] == pytest.approx(pruned_error(matrix, found.pruned[index]), rel=2e-3, abs=1e-9)
        assert found.threshold[index] == pytest.approx(np.quantile(np.abs(matrix), found.pruned[index], method="lower"), rel=1e-3)
    assert found.error[-1] == pytest.approx(1) and found.error[0] == 0


def test_pruning_at_a_threshold_has_the_error_that_is_said() -> None:
    matrix = np.random.default_rng(1).normal(size=(300, 50))
    found = sparsity(matrix)
    kept = np.where(np.abs(matrix) < found.threshold[70], 0, matrix)
    assert np.mean(kept == 0) == pytest.approx(0.7, abs=2e-3)
    assert np.linalg.norm(matrix - kept) / np.linalg.norm(matrix) == pytest.approx(found.error[70], rel=5e-3)


def test_dead_rows_and_columns() -> None:
    matrix = np.random.default_rng(2).normal(size=(60, 8))
    matrix[[3, 9]] = 0
    matrix[:, 5] = 0
    matrix[20, 1] = np.nan
    found = sparsity(matrix)
    assert (found.zero_rows, found.zero_columns, found.rows_used, found.rows_skipped) == (2, 1, 59, 1)
    activated = sparsity(matrix, transform="relu")
    assert activated.zero_share == pytest.approx(0.57, abs=0.06) and activated.zero_columns == 1


def test_what_has_no_spread_and_what_is_empty() -> None:
    zeros = sparsity(np.zeros((4, 3)))
    assert zeros.zero_share == zeros.near_zero_share == 1 and not zeros.error.any() and zeros.zero_columns == 3
    with pytest.raises(MatrixError, match="there is nothing to factor in it"):
        sparsity(np.empty((0, 3)))
    with pytest.raises(MatrixError, match="All 2 rows"):
        sparsity(np.full((2, 3), np.nan))


def test_magnitudes_beyond_float32_are_counted() -> None:
    found = sparsity(np.array([[1e-60, 1e60, 1.0, 0.0]]))
    assert found.zero_share == 0.25 and found.error[75] < 1e-9 and found.error[100] == 1
