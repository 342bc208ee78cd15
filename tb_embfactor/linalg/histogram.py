"""Positive numbers by their size, in bins of equal relative width, in one pass and constant memory."""

from __future__ import annotations

import numpy as np

_SHIFT = 13  # of the 23 bits that a float32 has behind the point, 10 are kept
_FIRST = np.array(2.0**-126, np.float32).view(np.uint32) >> _SHIFT
N_BINS = int((np.array(np.inf, np.float32).view(np.uint32) >> _SHIFT) - _FIRST)
RELATIVE_WIDTH = 2.0**-10  # of a bin, at most


class SizeHistogram:
    """Counts of magnitudes, from 2⁻¹²⁶ to 2¹²⁸ (smaller and larger ones lie in the outermost bins); zeros apart.

    n_zero : numbers that are 0. counts : (N_BINS,) of the others, ascending. Bins are those of float32 cut to 10 bits.
    """

    def __init__(self) -> None:
        self.n_zero = 0
        self.counts = np.zeros(N_BINS, np.int64)
        self.smallest, self.largest = np.inf, 0.0

    def add(self, magnitudes: np.ndarray) -> None:
        """Count finite numbers ≥ 0, (n,)."""
        positive = magnitudes[magnitudes > 0]
        self.n_zero += len(magnitudes) - len(positive)
        if len(positive):
            self.counts += np.bincount(bin_of(positive), minlength=N_BINS)
            self.smallest = min(self.smallest, float(positive.min()))
            self.largest = max(self.largest, float(positive.max()))

    def quantile(self, share: float) -> float:
        """The number below which `share` of all lie, to the width of a bin; exact for 0 and 1."""
        n = self.n_zero + int(self.counts.sum())
        position = share * (n - 1)
        if position < self.n_zero:
            return 0.0
        if share in (0.0, 1.0):
            return self.largest if share else self.smallest
        index = int(np.searchsorted(self.n_zero + np.cumsum(self.counts), position, side="right"))
        low, high = edges()[index : index + 2]
        return float(np.clip((low + high) / 2, self.smallest, self.largest))


def bin_of(positive: np.ndarray) -> np.ndarray:
    """The bin of each number, (n,) int64."""
    with np.errstate(over="ignore", under="ignore"):
        bits = positive.astype(np.float32).view(np.uint32) >> _SHIFT
    return np.clip(bits.astype(np.int64) - int(_FIRST), 0, N_BINS - 1)


def edges() -> np.ndarray:
    """(N_BINS + 1,) float64, where the bins begin and the last one ends."""
    bits = (np.arange(N_BINS, dtype=np.uint32) + _FIRST) << _SHIFT
    return np.append(bits.view(np.float32).astype(np.float64), 2.0**128)
