"""suggested_ranks(): how many directions to keep, by every rule at once, each with what it assumes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from tb_embfactor.analysis.factorization import Factorization
from tb_embfactor.analysis.numbers.directions import energy_rank
from tb_embfactor.analysis.numbers.noise import centered_sides, noise_of, sides
from tb_embfactor.linalg import noise as limits
from tb_embfactor.linalg.spectrum import Spectrum

Suggestion = tuple[int, float | None]  # how many to keep, and the singular value that they exceed


@dataclass(frozen=True)
class RankRule:
    """One rule. centered : it looks at the singular values of the centred rows, not at those of W as stored.

    compute : None where the rule has no answer for a spectrum.
    """

    key: str
    name: str
    assumes: str
    formula: str
    source: str
    centered: bool
    compute: Callable[[Spectrum], Suggestion | None]

    def to_json(self) -> dict[str, Any]:
        return {key: getattr(self, key) for key in ("key", "name", "assumes", "formula", "source", "centered")}


RULES: dict[str, RankRule] = {}


def suggested_ranks(factorization: Factorization) -> dict[str, dict[str, Any]]:
    """By the key of each rule, {"rank", "line"}: how many directions it keeps, and the singular value that these exceed.

    line : None for rules that are not a line on the spectrum. Both are None where a rule has no answer: all rows
    equal, or half of the directions empty, so that nothing tells how large the noise is.

    Cost: nothing of the matrix is read again; parallel analysis takes 100·k² steps once for each shape (1 s at k = 768).

    >>> from tb_embfactor.analysis.factorization import factorize
    >>> rows = np.random.default_rng(0).normal(size=(500, 20))
    >>> rows[:, 0] *= 10
    >>> suggested_ranks(factorize(rows))["tracy_widom"]["rank"]
    1
    """
    spectrum = factorization.spectrum
    found = {}
    for key, rule in RULES.items():
        values = (spectrum.centered if rule.centered else spectrum.stored).singular_values
        rank, line = (rule.compute(spectrum) if values[0] > 0 else None) or (None, None)
        found[key] = {"rank": rank, "line": line}
    return found


def _register(key: str, name: str, assumes: str, formula: str, source: str, centered: bool = True) -> Callable[..., Any]:
    def enter(compute: Callable[[Spectrum], Suggestion | None]) -> Callable[[Spectrum], Suggestion | None]:
        RULES[key] = RankRule(key, name, assumes, formula, source, centered, compute)
        return compute

    return enter


def _above(spectrum: Spectrum, line: float) -> Suggestion:
    return int(np.sum(spectrum.centered.singular_values > line)), line


@_register(
    "mp_edge",
    "noise edge",
    "Directions beside independent noise of one variance, and sides so long that the edge of the noise is sharp.",
    "#{σ²/n > σ̂²(1 + √β)²}, σ̂² = median(σ²/n)/μ_β",
    "Marchenko & Pastur 1967",
)
def _mp_edge(spectrum: Spectrum) -> Suggestion | None:
    noise = noise_of(spectrum)
    return _above(spectrum, noise.line(noise.edge)) if noise else None


@_register(
    "tracy_widom",
    "Tracy–Widom limit",
    "The same noise, with sides as long as they are: noise alone exceeds it in 5 % of cases.",
    "#{σ² > σ̂²(μ + 0.979 s)}",
    "Johnstone 2001, theorem 1.1",
)
def _tracy_widom(spectrum: Spectrum) -> Suggestion | None:
    noise = noise_of(spectrum)
    return _above(spectrum, noise.line(noise.cutoff)) if noise else None


@_register(
    "parallel_analysis",
    "parallel analysis",
    "Without structure each direction would have the share of the variance that it has in noise: the 95 % quantile of "
    f"{limits.N_DRAWS} simulated normal matrices of the same shape (seed {limits.SEED}). Beside strong directions it misses "
    "weak ones.",
    "the leading shares σᵢ²/Σσ² that each exceed q₀.₉₅ of noise",
    "Horn 1965; the quantile: Glorfeld 1995; the simulation: Dumitriu & Edelman 2002",
)
def _parallel_analysis(spectrum: Spectrum) -> Suggestion:
    return limits.parallel_rank(spectrum.centered.singular_values, *centered_sides(spectrum))


@_register(
    "gavish_donoho",
    "optimal hard threshold",
    "The matrix as stored is low rank plus independent noise, and the error of what is kept should be least.",
    "#{σ > ω(β)·median(σ)}",
    "Gavish & Donoho 2014",
    centered=False,
)
def _gavish_donoho(spectrum: Spectrum) -> Suggestion | None:
    values = spectrum.stored.singular_values
    line = limits.gavish_donoho_line(values, *sides(spectrum))
    return (int(np.sum(values > line)), line) if line > 0 else None


@_register(
    "elbow",
    "elbow",
    "The singular values fall into two groups, each normal about its mean, with one variance.",
    "the split of the most likely two groups (profile likelihood)",
    "Zhu & Ghodsi 2006",
)
def _elbow(spectrum: Spectrum) -> Suggestion:
    return limits.elbow_rank(spectrum.centered.singular_values), None


@_register(
    "broken_stick",
    "broken stick",
    "Without structure the shares of the variance would be those of a stick that breaks at random places.",
    "the leading shares that each exceed (1/k)·Σ_{j≥i} 1/j",
    "Frontier 1976; Jackson 1993",
)
def _broken_stick(spectrum: Spectrum) -> Suggestion:
    return limits.broken_stick_rank(spectrum.centered.singular_values**2), None


def _energy(percent: int) -> Callable[[Spectrum], Suggestion]:
    return lambda spectrum: (energy_rank(spectrum.centered.singular_values, percent), None)


for _percent in (90, 95, 99):
    _register(
        f"energy_{_percent}",
        f"{_percent} % of the variance",
        "What matters is the variance that is kept; nothing is assumed of noise.",
        f"min k with Σ₁ᵏσ² ≥ {_percent / 100}·Σσ²",
        "Jolliffe 2002, section 6.1.1",
    )(_energy(_percent))
