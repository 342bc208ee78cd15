"""The first picture of a large matrix, from a sample of its rows: its spectrum, the first numbers, and some of its points."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from tb_embfactor.analysis.numbers.directions import OF_VALUES
from tb_embfactor.analysis.projection import Projection
from tb_embfactor.linalg.blocks import RowBlocks
from tb_embfactor.linalg.estimate import Estimate, Sample, consistency, estimate_spectrum
from tb_embfactor.messages import Message
from tb_embfactor.transforms import Transform

if TYPE_CHECKING:
    from tb_embfactor.logdir import Matrix

N_COMPONENTS = 8


def estimate(matrix: Matrix, transform: str = "") -> Estimate:
    """The spectrum of a matrix (with steps done to each row first) from a sample of its rows; see `linalg.estimate`.

    Raises MatrixError where so few rows of the sample can be used that they tell nothing.

    Cost: reads at most 8,192 rows in 64 places, whatever the matrix has.
    """
    return estimate_spectrum(_chunks(matrix, transform)[1], matrix.shape[0], matrix.name)


def estimated_numbers(found: Estimate) -> dict[str, tuple[float, float]]:
    """The named numbers that a sample tells of, each with how far it may be off."""
    return {key: found.number(compute) for key, compute in OF_VALUES.items()} | {"mean_cosine": found.mean_cosine()}


def estimated_points(matrix: Matrix, transform: str = "") -> Projection:
    """The sampled rows along the leading principal axes that they suggest, at most N_COMPONENTS; NaN for the others.

    info : as that of `project` with the method pca; the shares of the axes with their `uncertainty`, and the `consistency` of
        the axes between the two halves of the sample.

    Cost: that of `estimate`, twice.
    """
    sample, blocks = _chunks(matrix, transform)
    chunks = list(blocks)
    found = estimate_spectrum(chunks, matrix.shape[0], matrix.name)
    axes = found.axes[:, :N_COMPONENTS]
    points = np.full((matrix.shape[0], axes.shape[1]), np.nan)
    for start, chunk in zip(sample.starts, chunks, strict=True):
        points[start : start + len(chunk)] = (chunk - found.center) @ axes
    alike = consistency(chunks, axes)
    shares = np.array([found.number(_share_of(axis)) for axis in range(axes.shape[1])])
    info: dict[str, Any] = {
        "method": "pca",
        "centered": True,
        "points_are": "rows",
        "rows_used": found.n_sampled,
        "rows_skipped": sample.n_rows - found.n_sampled,
        "weight": found.singular_values()[0][: axes.shape[1]],
        "share": shares[:, 0],
        "uncertainty": shares[:, 1],
        "total_share": float(shares[:, 0].sum()),
        "consistency": alike,
        "sample": {"rows": sample.n_rows, "of": matrix.shape[0], "seed": 0},
        "notes": [Message("points_estimated", {"n": found.n_sampled, "lowest": f"{alike[:2].min():.2f}"})],
    }
    return Projection(points, axes, info)


def _share_of(axis: int) -> Callable[[np.ndarray], float]:
    """The share of the variance along an axis, from the singular values."""
    return lambda values: float(values[axis] ** 2 / np.sum(values**2))


def _chunks(matrix: Matrix, transform: str) -> tuple[Sample, RowBlocks]:
    """The sample, and its transformed rows, a chunk a block."""
    steps = Transform.parse(transform)
    bias = matrix.bias() if "bias" in steps.steps else None
    sample = Sample(matrix.rows, *matrix.shape)
    return sample, steps.apply(sample, bias, matrix.name)
