"""Numbers that say how many directions the rows use, and how evenly."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numpy as np

from tb_embfactor.analysis.numbers.registry import Number, register
from tb_embfactor.linalg.spectrum import Spectrum

OfValues = Callable[[np.ndarray], float]
OF_VALUES: dict[str, OfValues] = {}
"""By key, the numbers that follow from the centred singular values over the largest, descending, and from nothing else."""


def _values(spectrum: Spectrum) -> np.ndarray | None:
    """The centred singular values over the largest, or None where all are zero (one row, or all rows equal)."""
    values = spectrum.centered.singular_values
    return values / values[0] if values[0] > 0 else None


def _register_of_values(
    key: str, name: str, description: str, formula: str, source: str, first: bool = False
) -> Callable[[OfValues], OfValues]:
    def enter(compute: OfValues) -> OfValues:
        def of_spectrum(spectrum: Spectrum) -> Number:
            values = _values(spectrum)
            return None if values is None else compute(values)

        OF_VALUES[key] = compute
        register(key, name, description, formula, source, first)(of_spectrum)
        return compute

    return enter


@_register_of_values(
    "effective_rank",
    "effective rank",
    "How many directions the rows really use, counting each by its share of the singular values.",
    "exp(−Σ p ln p), p = σ/Σσ, centred",
    "Roy & Vetterli 2007",
    first=True,
)
def _effective_rank(values: np.ndarray) -> float:
    share = values[values > 0] / values.sum()
    return float(np.exp(-np.sum(share * np.log(share))))


@register(
    "rankme",
    "RankMe",
    "The same entropy, of the matrix as stored and kept from zero as in the paper: a common mean counts as a direction here.",
    "exp(−Σ p ln p), p = σ/Σσ + 10⁻⁷, as stored",
    "Garrido et al. 2023, equations 1 and 2",
)
def _rankme(spectrum: Spectrum) -> Number:
    values = spectrum.stored.singular_values
    if values[0] == 0:
        return None
    share = values / values.sum() + 1e-7
    return float(np.exp(-np.sum(share * np.log(share))))


@_register_of_values(
    "information_abundance",
    "information abundance",
    "How many times the leading singular value all of them together are; small when an embedding has collapsed.",
    "Σσ/σ₁, centred",
    "Guo et al. 2024, definition 1",
)
def _information_abundance(values: np.ndarray) -> float:
    return float(values.sum())


@_register_of_values(
    "stable_rank",
    "stable rank",
    "How many times the leading direction's variance the whole variance is; 1 when one direction has it all.",
    "Σσ²/σ₁², centred",
    "Rudelson & Vershynin 2007",
)
def _stable_rank(values: np.ndarray) -> float:
    return float(np.sum(values**2))


@_register_of_values(
    "participation_ratio",
    "participation ratio",
    "How many directions share the variance, by second moments; d when all have the same. IsoScore is (this − 1)/(d − 1).",
    "(Σσ²)²/Σσ⁴, centred",
    "Gao & Ganguli 2015; IsoScore: Rudman et al. 2022",
)
def _participation_ratio(values: np.ndarray) -> float:
    return float(np.sum(values**2) ** 2 / np.sum(values**4))


def energy_rank(values: np.ndarray, percent: float) -> int:
    """How many leading values hold so much of the sum of squares."""
    held = np.cumsum(values**2)
    # The last sum is the total; a share that is reached but for rounding counts as reached.
    return int(np.argmax(held >= percent / 100 * held[-1] * (1 - 1e-12))) + 1


for _percent in (90, 95, 99, 99.9):
    _register_of_values(
        f"energy_rank_{_percent}".replace(".", "_"),
        f"rank for {_percent} %",
        f"How many principal components hold {_percent} % of the variance.",
        f"min k with Σ₁ᵏσ² ≥ {_percent / 100:.5g}·Σσ², centred",
        "Jolliffe 2002, section 6.1.1",
        first=_percent == 90,
    )(partial(energy_rank, percent=_percent))


@register(
    "condition_number",
    "condition number",
    "The largest over the smallest singular value. No number where the smallest cannot be told from zero.",
    "σ₁/σ_k, k = min(V − 1, d), centred",
    "Golub & Van Loan 2013, section 2.6.2",
)
def _condition_number(spectrum: Spectrum) -> Number:
    values = _values(spectrum)
    if values is None:
        return None
    # Centring takes one dimension from V rows: with V ≤ d the last value is zero for every matrix, and tells nothing.
    last = values[min(spectrum.n_rows - 1, len(values)) - 1]
    return float(1 / last) if last > 0 else None
