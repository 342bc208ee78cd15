"""Numbers that say what stands out of a random matrix of the same shape."""

from __future__ import annotations

import numpy as np

from tb_embfactor.analysis.numbers.registry import Number, register
from tb_embfactor.linalg.noise import Noise, gavish_donoho_line
from tb_embfactor.linalg.randomness import looks_random
from tb_embfactor.linalg.spectrum import Spectrum


def sides(spectrum: Spectrum) -> tuple[int, int]:
    """The long and the short side of the rows that are not zero (constant padding), as the laws of random matrices count them."""
    return max(spectrum.n_nonzero, spectrum.n_columns), min(spectrum.n_nonzero, spectrum.n_columns)


def centered_sides(spectrum: Spectrum) -> tuple[int, int]:
    """The same of the centred rows: of fewer rows than columns, centring leaves one direction less."""
    n, k = sides(spectrum)
    return n, min(k, spectrum.n_nonzero - 1)


def noise_of(spectrum: Spectrum) -> Noise | None:
    """The noise among the centred rows, by its median."""
    return Noise.estimate(spectrum.centered.singular_values, *centered_sides(spectrum))


@register(
    "looks_untrained",
    "looks untrained",
    "Whether the spectrum is that of a random initialisation. What a layer has learnt is seen from about twice the noise up; "
    "an initialisation is taken for learnt in 0.2 % of cases. No answer where rows or columns are too few.",
    "both extreme eigenvalues within their Tracy–Widom limits, or all singular values equal; centred",
    "Johnstone 2001; Ma 2012",
)
def _looks_untrained(spectrum: Spectrum) -> Number:
    n_zero_rows = spectrum.n_rows - spectrum.n_nonzero
    return looks_random(spectrum.centered, spectrum.n_nonzero, spectrum.n_columns, n_zero_rows)


@register(
    "mp_edge",
    "noise edge",
    "The largest eigenvalue of the second moments that noise alone would give. No number where half of the directions are empty.",
    "σ̂²(1 + √β)², σ̂² = median(σ²/n)/μ_β, β = k/n; n, k the long and the short side, centred",
    "Marchenko & Pastur 1967; the median: Gavish & Donoho 2014",
)
def _mp_edge(spectrum: Spectrum) -> Number:
    noise = noise_of(spectrum)
    return float(noise.edge) if noise else None


@register(
    "n_spikes",
    "directions above the noise",
    "How many directions stand out of the noise. Of pure noise, one does in 5 % of cases.",
    "#{σ²/n > σ̂²(μ + 0.979 s)/n}, μ = (√(n−1) + √k)², s = (√(n−1) + √k)(1/√(n−1) + 1/√k)^⅓, centred",
    "Johnstone 2001, theorem 1.1",
)
def _n_spikes(spectrum: Spectrum) -> Number:
    noise = noise_of(spectrum)
    return int(np.sum(spectrum.centered.singular_values > noise.line(noise.cutoff))) if noise else None


@register(
    "gavish_donoho_rank",
    "optimal hard threshold",
    "How many directions are better kept than dropped, if the matrix is low rank plus noise: it asks for more than the noise "
    "edge does. No number where half of the directions are empty.",
    "#{σ > ω(β)·median(σ)}, ω(β) = λ*(β)/√μ_β, as stored",
    "Gavish & Donoho 2014 (the exact ω, not the cubic)",
)
def _gavish_donoho_rank(spectrum: Spectrum) -> Number:
    values = spectrum.stored.singular_values
    line = gavish_donoho_line(values, *sides(spectrum)) if values[0] > 0 else 0.0
    return int(np.sum(values > line)) if line > 0 else None
