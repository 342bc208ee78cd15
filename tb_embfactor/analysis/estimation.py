"""estimate(): the leading part of a spectrum and the first numbers of a large matrix from a sample of its rows, at once."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tb_embfactor.analysis.numbers.directions import OF_VALUES
from tb_embfactor.linalg.estimate import Estimate, Sample, estimate_spectrum
from tb_embfactor.transforms import Transform

if TYPE_CHECKING:
    from tb_embfactor.logdir import Matrix


def estimate(matrix: Matrix, transform: str = "") -> Estimate:
    """The spectrum of a matrix (with steps done to each row first) from a sample of its rows; see `linalg.estimate`.

    Raises MatrixError where so few rows of the sample can be used that they tell nothing.

    Cost: reads at most 8,192 rows in 64 places, whatever the matrix has.
    """
    steps = Transform.parse(transform)
    bias = matrix.bias() if "bias" in steps.steps else None
    sample = Sample(matrix.rows, *matrix.shape)
    return estimate_spectrum(steps.apply(sample, bias, matrix.name), matrix.shape[0], matrix.name)


def estimated_numbers(found: Estimate) -> dict[str, tuple[float, float]]:
    """The named numbers that a sample tells of, each with how far it may be off."""
    return {key: found.number(compute) for key, compute in OF_VALUES.items()} | {"mean_cosine": found.mean_cosine()}
