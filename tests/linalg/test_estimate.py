"""Estimates from a sample of rows: what they say of planted spectra is within what they say they may be off."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from tb_embfactor.analysis.numbers.directions import OF_VALUES
from tb_embfactor.errors import MatrixError
from tb_embfactor.linalg import estimate as linalg_estimate
from tb_embfactor.linalg.estimate import Estimate, Sample, estimate_spectrum

V, D, SEEDS = 8_000, 48, 12
INDICES = np.arange(D)
SPECTRA = {
    "flat": np.ones(D),
    "slope": 1 - 0.9 * INDICES / D,
    "geometric": 10.0 ** (-2 * INDICES / D),
    "power": 1 / (1.0 + INDICES),
    "spiked": np.r_[10, 6, 4, 3, np.ones(D - 4)],
    "collapsed": np.r_[np.ones(D // 8), np.full(D - D // 8, 1e-4)],
}
ROWS: dict[str, Callable[[np.random.Generator], np.ndarray]] = {
    "alike": lambda rng: np.ones(V),
    "sorted": lambda rng: np.linspace(3, 0.3, V),
    "long and short": lambda rng: rng.pareto(5, V) + 0.3,
}


def planted(scale: np.ndarray, lengths: str, seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    rows = rng.normal(size=(V, len(scale))) * ROWS[lengths](rng)[:, None] * scale
    if lengths == "sorted":
        rows[:, :2] += np.linspace(2, -2, V)[:, None]
    turn = np.linalg.qr(rng.normal(size=(len(scale), len(scale))))[0]
    return (rows @ turn + 0.5 * rng.normal(size=len(scale))).astype(np.float32)


def sampled(matrix: np.ndarray, seed: int = 0) -> Estimate:
    return estimate_spectrum(Sample(lambda start, stop: matrix[start:stop], *matrix.shape, seed), len(matrix))


def true_values(matrix: np.ndarray) -> np.ndarray:
    wide = matrix.astype(np.float64)
    return np.linalg.svd(wide - wide.mean(axis=0), compute_uv=False)


@pytest.mark.parametrize("lengths", ROWS)
@pytest.mark.parametrize("name", SPECTRA)
def test_the_stated_uncertainty_covers_the_truth(name: str, lengths: str) -> None:
    matrix = planted(SPECTRA[name], lengths)
    truth = true_values(matrix)
    directions = matrix.astype(np.float64) / np.linalg.norm(matrix, axis=1)[:, None]
    cosine = ((directions.sum(axis=0) ** 2).sum() - V) / (V * (V - 1))
    covered: dict[str, list[bool]] = {}
    for seed in range(SEEDS):
        found = sampled(matrix, seed)
        values, error = found.singular_values()
        for index in (0, 1, 3, 10, D // 2, D - 1):
            covered.setdefault(f"σ{index + 1}", []).append(abs(values[index] - truth[index]) <= error[index] * values[index])
        for key, compute in OF_VALUES.items():
            number, uncertainty = found.number(compute)
            covered.setdefault(key, []).append(abs(number - compute(truth / truth[0])) <= uncertainty)
        number, uncertainty = found.mean_cosine()
        covered.setdefault("mean_cosine", []).append(abs(number - cosine) <= uncertainty)
    assert {key: float(np.mean(hits)) for key, hits in covered.items() if np.mean(hits) < 0.8} == {}
    assert np.mean([np.mean(hits) for hits in covered.values()]) >= 0.95


@pytest.mark.parametrize("name", SPECTRA)
def test_it_is_worth_knowing(name: str) -> None:
    found = sampled(planted(SPECTRA[name], "alike"))
    number, uncertainty = found.number(OF_VALUES["effective_rank"])
    assert uncertainty < 0.1 * number
    assert found.singular_values()[1][0] < 0.3


def test_the_leading_axes_are_those_of_the_matrix() -> None:
    matrix = planted(SPECTRA["spiked"], "alike").astype(np.float64)
    _, _, vt = np.linalg.svd(matrix - matrix.mean(axis=0), full_matrices=False)
    assert np.allclose(np.abs(np.sum(sampled(matrix).axes[:, :2] * vt[:2].T, axis=0)), 1, atol=0.02)


def test_more_columns_than_rows_in_the_sample(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(linalg_estimate, "WIDE", 64)
    monkeypatch.setattr(linalg_estimate, "HALF_ROWS_WIDE", 128)
    rng = np.random.default_rng(0)
    scale = 1 / (1 + np.arange(160.0)) ** 0.7
    matrix = ((rng.normal(size=(4000, 160)) * scale) @ np.linalg.qr(rng.normal(size=(160, 160)))[0]).astype(np.float32)
    truth = true_values(matrix)
    found = sampled(matrix)
    assert (found.n_sampled, found.axes.shape) == (256, (160, 127))
    assert np.allclose(found.axes.T @ found.axes, np.eye(127), atol=1e-9)
    values, error = found.singular_values()
    for index in (0, 1, 5, 20, 60):
        assert abs(values[index] - truth[index]) <= error[index] * values[index], index
    number, uncertainty = found.number(OF_VALUES["effective_rank"])
    assert abs(number - OF_VALUES["effective_rank"](truth / truth[0])) <= uncertainty


def test_chunks_are_stratified_and_the_same_each_time() -> None:
    read: list[tuple[int, int]] = []

    def rows(start: int, stop: int) -> np.ndarray:
        read.append((start, stop))
        return np.zeros((stop - start, 3))

    sample = Sample(rows, 1_000_000, 3)
    assert sum(len(block) for block in sample) == sample.n_rows == 8192
    assert [start * 64 // 1_000_000 for start, _ in read] == list(range(64))
    assert all(stop <= (index + 1) * 1_000_000 // 64 + 1 for index, (_, stop) in enumerate(read))
    once, read = read, []
    list(sample)
    assert read == once
    read = []
    list(Sample(rows, 1_000_000, 3, seed=1))
    assert read != once


def test_rows_that_cannot_be_used_and_chunks_of_them() -> None:
    matrix = planted(SPECTRA["geometric"], "alike")
    harmed = matrix.copy()
    harmed[::3, 0] = np.nan
    harmed[:2000] = np.inf
    values, error = sampled(harmed).singular_values()
    truth = true_values(harmed[np.isfinite(harmed).all(axis=1)])
    assert abs(values[0] - truth[0]) <= error[0] * values[0]
    for nothing in (np.full_like(matrix, np.nan), np.ones_like(matrix)):
        with pytest.raises(MatrixError, match="Too few rows"):
            sampled(nothing)
