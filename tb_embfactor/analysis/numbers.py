"""The named numbers: each registered with its key, what it says, its formula and its source.

All follow from one factorization; none reads the matrix again. The tab, the docs and `--help` show this table.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from tb_embfactor.analysis.factorization import Factorization
from tb_embfactor.linalg.randomness import looks_random
from tb_embfactor.linalg.spectrum import Spectrum

Number = float | int | bool | None


@dataclass(frozen=True)
class Metric:
    """One named number. `first` marks those for the first screen. `compute` gives None where the matrix cannot tell."""

    key: str
    name: str
    description: str
    formula: str
    source: str
    compute: Callable[[Spectrum], Number]
    first: bool = False

    def to_json(self) -> dict[str, Any]:
        return {key: getattr(self, key) for key in ("key", "name", "description", "formula", "source", "first")}


METRICS: dict[str, Metric] = {}


def metrics(factorization: Factorization) -> dict[str, Number]:
    """Every named number of a factorization, by key.

    >>> from tb_embfactor.analysis.factorization import factorize
    >>> numbers = metrics(factorize(np.vstack([np.eye(3), -np.eye(3)])))
    >>> round(numbers["effective_rank"], 6), numbers["energy_rank_90"], round(numbers["mean_cosine"], 6)
    (3.0, 3, -0.2)
    """
    return {key: metric.compute(factorization.spectrum) for key, metric in METRICS.items()}


def _register(key: str, name: str, description: str, formula: str, source: str, first: bool = False) -> Callable[..., Any]:
    def add(compute: Callable[[Spectrum], Number]) -> Callable[[Spectrum], Number]:
        METRICS[key] = Metric(key, name, description, formula, source, compute, first)
        return compute

    return add


def _values(spectrum: Spectrum) -> np.ndarray | None:
    """The centred singular values over the largest, or None where all are zero (one row, or all rows equal)."""
    values = spectrum.centered.singular_values
    return values / values[0] if values[0] > 0 else None


@_register(
    "effective_rank",
    "effective rank",
    "How many directions the rows really use, counting each by its share of the singular values.",
    "exp(−Σ p ln p), p = σ/Σσ, centred",
    "Roy & Vetterli 2007",
    first=True,
)
def _effective_rank(spectrum: Spectrum) -> Number:
    values = _values(spectrum)
    if values is None:
        return None
    share = values[values > 0] / values.sum()
    return float(np.exp(-np.sum(share * np.log(share))))


@_register(
    "stable_rank",
    "stable rank",
    "How many times the leading direction's variance the whole variance is; 1 when one direction has it all.",
    "Σσ²/σ₁², centred",
    "Rudelson & Vershynin 2007",
)
def _stable_rank(spectrum: Spectrum) -> Number:
    values = _values(spectrum)
    return None if values is None else float(np.sum(values**2))


@_register(
    "participation_ratio",
    "participation ratio",
    "How many directions share the variance, by second moments; d when all have the same. IsoScore is (this − 1)/(d − 1).",
    "(Σσ²)²/Σσ⁴, centred",
    "Gao & Ganguli 2015; IsoScore: Rudman et al. 2022",
)
def _participation_ratio(spectrum: Spectrum) -> Number:
    values = _values(spectrum)
    return None if values is None else float(np.sum(values**2) ** 2 / np.sum(values**4))


def _energy_rank(percent: float) -> Callable[[Spectrum], Number]:
    def compute(spectrum: Spectrum) -> Number:
        values = _values(spectrum)
        if values is None:
            return None
        cumulative = np.cumsum(values**2)
        # The last sum is the total; a share that is reached but for rounding counts as reached.
        return int(np.argmax(cumulative >= percent / 100 * cumulative[-1] * (1 - 1e-12))) + 1

    return compute


for _percent in (90, 95, 99, 99.9):
    _register(
        f"energy_rank_{_percent}".replace(".", "_"),
        f"rank for {_percent} %",
        f"How many principal components hold {_percent} % of the variance.",
        f"min k with Σ₁ᵏσ² ≥ {_percent / 100:.5g}·Σσ², centred",
        "Jolliffe 2002, section 6.1.1",
        first=_percent == 90,
    )(_energy_rank(_percent))


@_register(
    "mean_cosine",
    "mean cosine",
    "The cosine between two different rows, over all pairs: near 0 when directions spread, near 1 when all point one way.",
    "(‖Σ x/‖x‖‖² − n)/(n(n−1)) over the rows that are not zero, not centred",
    "Ethayarajh 2019 (there of sampled pairs; here of all, exactly)",
    first=True,
)
def _mean_cosine(spectrum: Spectrum) -> Number:
    n = spectrum.n_nonzero
    return float((spectrum.unit_sum @ spectrum.unit_sum - n) / (n * (n - 1))) if n > 1 else None


@_register(
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


@_register(
    "looks_untrained",
    "looks untrained",
    "Whether the spectrum is that of a random initialisation. What a layer has learnt is seen from about twice the noise up; "
    "an initialisation is taken for learnt in 0.2 % of cases. No answer where rows or columns are too few.",
    "both extreme eigenvalues within their Tracy–Widom limits, or all singular values equal; centred",
    "Johnstone 2001; Ma 2012",
)
def _looks_untrained(spectrum: Spectrum) -> Number:
    return looks_random(spectrum.centered, spectrum.n_nonzero, spectrum.n_columns)
