"""The first picture of a matrix from a sample of its rows, beside the exact one."""

from __future__ import annotations

import numpy as np

from tb_embfactor import project
from tb_embfactor.analysis.estimation import estimate, estimated_numbers, estimated_points
from tb_embfactor.analysis.factorization import factorize
from tb_embfactor.analysis.numbers import metrics
from tb_embfactor.linalg.estimate import Sample


class Table:
    """As much of a `Matrix` as an estimate asks for."""

    name = "table"

    def __init__(self, rows: np.ndarray) -> None:
        self._rows, self.shape = rows, rows.shape

    def rows(self, start: int, stop: int) -> np.ndarray:
        return self._rows[start:stop]

    def bias(self) -> np.ndarray:
        return np.full(self.shape[1], -0.3)


def spiked() -> np.ndarray:
    rng = np.random.default_rng(0)
    scale = np.r_[9, 6, 4, np.ones(21)]
    return (rng.normal(size=(6000, 24)) * scale @ np.linalg.qr(rng.normal(size=(24, 24)))[0] + 1).astype(np.float32)


def test_the_points_of_a_sample_are_near_the_exact_ones() -> None:
    matrix = spiked()
    found, exact = estimated_points(Table(matrix)), project(matrix, n_components=8)
    sampled = np.zeros(6000, bool)
    list(Sample(lambda start, stop: sampled.__setitem__(slice(start, stop), True), *matrix.shape))
    assert np.array_equal(np.isfinite(found.points).all(axis=1), sampled)
    assert np.array_equal(np.isnan(found.points).all(axis=1), ~sampled)
    for axis in range(3):
        assert abs(np.corrcoef(found.points[sampled, axis], exact.points[sampled, axis])[0, 1]) > 0.98
    info = found.info
    assert np.all(np.abs(info["share"] - exact.info["share"]) <= info["uncertainty"])
    assert np.all(info["consistency"][:3] > 0.95) and np.all(info["consistency"] <= 1 + 1e-12)
    assert np.allclose(info["weight"], exact.info["weight"], rtol=0.15)
    assert info["sample"] == {"rows": int(sampled.sum()), "of": 6000, "seed": 0}
    assert exact.info.keys() <= info.keys(), "whoever shows points finds what they expect"


def test_axes_that_a_sample_cannot_tell_are_said_to_be_so() -> None:
    noise = np.random.default_rng(0).normal(size=(6000, 24)).astype(np.float32)
    assert estimated_points(Table(noise)).info["consistency"].max() < 0.98


def test_steps_on_the_rows_are_done_first() -> None:
    matrix = spiked()
    activated = np.maximum(matrix.astype(np.float64) - 0.3, 0)
    exact, numbers = metrics(factorize(activated)), estimated_numbers(estimate(Table(matrix), "bias,relu"))
    assert numbers.keys() < exact.keys()
    for key, (number, uncertainty) in numbers.items():
        assert abs(number - exact[key]) <= 1.5 * uncertainty, key
