from __future__ import annotations

import numpy as np
import pytest
import scipy.stats

from tb_embfactor.linalg.extremes import Extremes, Kurtosis
from tb_embfactor.linalg.sampling import sample_rows


@pytest.mark.parametrize("step", [1, 7, 1000])
def test_extremes_do_not_depend_on_the_blocks(step: int) -> None:
    values = np.random.default_rng(0).integers(0, 50, size=(300, 3)).astype(float)  # with ties
    values[5, 1] = np.nan
    extremes = Extremes(4, 3)
    for start in range(0, 300, step):
        extremes.add(values[start : start + step], start)
    for column in range(3):
        order = sorted((row for row in range(300) if row != 5 or column != 1), key=lambda row: (-values[row, column], row))
        assert extremes.of(column) == [(row, values[row, column]) for row in order[:4]]


def test_fewer_rows_than_asked_for() -> None:
    extremes = Extremes(5, 1)
    extremes.add(np.array([[1.0], [np.nan], [2.0]]), 0)
    assert extremes.of(0) == [(2, 2.0), (0, 1.0)]


def test_kurtosis_is_that_of_scipy() -> None:
    values = np.random.default_rng(1).laplace(size=(5000, 2)) * [1, 100] + [0, 1e4]
    kurtosis = Kurtosis(1.001 * values.mean(axis=0))
    for block in np.array_split(np.vstack([values, [[np.nan, 1]]]), 9):
        kurtosis.add(block)
    assert np.allclose(kurtosis.result(), scipy.stats.kurtosis(values), rtol=1e-9)
    constant = Kurtosis(np.ones(1))
    constant.add(np.ones((4, 1)))
    assert np.isnan(constant.result())


def test_a_sample_is_the_same_rows_whatever_the_blocks() -> None:
    rows = np.arange(400.0).reshape(200, 2)
    rows[50] = np.nan
    one, index = sample_rows([rows], 200, 40)
    other, again = sample_rows(np.array_split(rows, 13), 200, 40)
    assert np.array_equal(one, other) and np.array_equal(index, again)
    assert np.array_equal(rows[index], one) and 39 <= len(index) <= 40
    assert len(sample_rows([rows], 200, 1000)[1]) == 199
