"""The upper end of the spectrum as a power law, fitted as WeightWatcher fits it by default."""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from tb_embfactor.analysis.numbers.registry import Number, register
from tb_embfactor.linalg.spectrum import Spectrum

SMALLEST = 1e-5  # eigenvalues below are left out
MIN_EIGENVALUES = 20  # WeightWatcher corrects for fewer; a tail of so few says little
_SOURCE = "Martin & Mahoney 2021; Clauset, Shalizi & Newman 2009, equations 3.1 and 3.9"


def fit_tail(eigenvalues: np.ndarray) -> tuple[float, float, int]:
    """α, distance and size of the tail x ≥ x_min of a power law p(x) ∝ x^−α; x_min is the eigenvalue that fits best.

    Parameters
    ----------
    eigenvalues : (k,) positive, ascending, k ≥ 2. Every one but the last is tried as x_min.

    Cost: k²/2 powers.
    """
    logs = np.log(eigenvalues)
    best = np.inf, 0.0, 0
    for start in range(len(eigenvalues) - 1):
        size = len(eigenvalues) - start
        above = logs[start:] - logs[start]
        total = above.sum()
        if total <= 0:  # all equal
            continue
        alpha = 1 + size / total
        distance = np.max(np.abs(1 - np.exp(above * (1 - alpha)) - np.arange(size) / size))
        best = min(best, (float(distance), float(alpha), size), key=lambda found: found[0])
    distance, alpha, size = best
    return alpha, distance, size


@lru_cache(maxsize=8)
def _fit(singular_values: bytes) -> tuple[float, float, int] | tuple[None, None, None]:
    eigenvalues = np.sort(np.frombuffer(singular_values) ** 2)
    eigenvalues = eigenvalues[eigenvalues > SMALLEST]
    if len(eigenvalues) < MIN_EIGENVALUES or eigenvalues[-1] <= (1 + 1e-9) * eigenvalues[0]:
        return None, None, None
    return fit_tail(eigenvalues)


def _tail(spectrum: Spectrum) -> tuple[float, float, int] | tuple[None, None, None]:
    return _fit(np.ascontiguousarray(spectrum.stored.singular_values).tobytes())


@register(
    "alpha",
    "tail exponent α",
    "How fast the largest eigenvalues thin out: 2 to 4 are said of well-trained layers, above 6 of undertrained ones; noise "
    "alone gives more. Look at its distance and the size of its tail before you believe it. No number for fewer than 20 "
    "eigenvalues.",
    "1 + m/Σ ln(xⱼ/x_min) over the m eigenvalues xⱼ ≥ x_min of WᵀW, as stored; x_min where the distance is least",
    _SOURCE,
)
def _alpha(spectrum: Spectrum) -> Number:
    return _tail(spectrum)[0]


@register(
    "alpha_distance",
    "distance of the tail",
    "How far the tail is from a power law: above about 0.1 it is none.",
    "max |1 − (x/x_min)^(1−α) − i/m|, i = 0 … m−1 (Kolmogorov–Smirnov)",
    _SOURCE,
)
def _alpha_distance(spectrum: Spectrum) -> Number:
    return _tail(spectrum)[1]


@register(
    "alpha_tail",
    "size of the tail",
    "How many eigenvalues the tail exponent rests on; its standard error is (α − 1)/√m.",
    "m",
    _SOURCE,
)
def _alpha_tail(spectrum: Spectrum) -> Number:
    return _tail(spectrum)[2]
