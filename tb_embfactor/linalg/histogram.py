"""Magnitudes by their size, in bins of equal relative width, in one pass and constant memory."""

from __future__ import annotations

import functools
from collections.abc import Iterable

import numpy as np

_SHIFT = 13  # of the 23 bits that a float32 has behind the point, 10 are kept
_FIRST = int(np.array(2.0**-126, np.float32).view(np.uint32) >> _SHIFT)
N_BINS = int(np.array(np.inf, np.float32).view(np.uint32) >> _SHIFT) - _FIRST


class SizeHistogram:
    """Counts of magnitudes, from 2⁻¹²⁶ to 2¹²⁸ (smaller and larger ones lie in the outermost bins); zeros apart.

    n_zero : numbers that are 0. counts : (N_BINS,) of the others, ascending; bins are those of float32 cut to 10 bits, so
    at most 0.1 % wide. energies : (N_BINS,) sums of their squares, where asked for.
    """

    def __init__(self, with_energies: bool = False) -> None:
        self.n_zero = 0
        self.counts = np.zeros(N_BINS, np.int64)
        self.energies = np.zeros(N_BINS if with_energies else 0)
        self.smallest, self.largest = np.inf, 0.0

    @property
    def n(self) -> int:
        return self.n_zero + int(self.counts.sum())

    @property
    def energy(self) -> float:
        return float(self.energies.sum())

    def add(self, magnitudes: np.ndarray) -> None:
        """Count finite numbers ≥ 0, (n,)."""
        positive = magnitudes[magnitudes > 0]
        self.n_zero += len(magnitudes) - len(positive)
        if not len(positive):
            return
        bins = _bin_of(positive)
        self.counts += np.bincount(bins, minlength=N_BINS)
        if len(self.energies):
            self.energies += np.bincount(bins, positive.astype(np.float64) ** 2, minlength=N_BINS)
        self.smallest = min(self.smallest, float(positive.min()))
        self.largest = max(self.largest, float(positive.max()))

    def merge(self, other: SizeHistogram) -> None:
        self.n_zero += other.n_zero
        self.counts += other.counts
        self.energies += other.energies
        self.smallest, self.largest = min(self.smallest, other.smallest), max(self.largest, other.largest)

    def quantiles(self, shares: Iterable[float]) -> tuple[float, ...]:
        """The numbers below which `shares` of all lie, to the width of a bin; exact for 0 and 1."""
        counted = self.n_zero + np.cumsum(self.counts)
        return tuple(self._quantile(share, counted) for share in shares)

    def _quantile(self, share: float, counted: np.ndarray) -> float:
        position = share * (counted[-1] - 1)
        if position < self.n_zero:
            return 0.0
        if share in (0.0, 1.0):
            return self.largest if share else self.smallest
        index = int(np.searchsorted(counted, position, side="right"))
        low, high = _edges()[index : index + 2]
        return float(np.clip((low + high) / 2, self.smallest, self.largest))

    def share_below(self, threshold: float) -> float:
        """The share of the numbers that are smaller than `threshold`, to the width of a bin."""
        below = int(self.counts[: _bin_of(np.array([threshold]))[0]].sum()) if threshold > 0 else 0
        return (self.n_zero + below) / self.n

    def prune(self, shares: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """What it costs to set the smallest `shares` of the numbers to zero: (n,) thresholds, and (n,) the relative error.

        The error is √(Σ of the squares that are lost / Σ of all); within a bin all are taken to be equal.
        """
        counted = self.n_zero + np.concatenate([[0], np.cumsum(self.counts)])
        lost = np.interp(shares * self.n, counted, np.concatenate([[0.0], np.cumsum(self.energies)]))
        return np.array(self.quantiles(shares)), np.sqrt(lost / self.energy) if self.energy else np.zeros(len(shares))


def _bin_of(positive: np.ndarray) -> np.ndarray:
    """The bin of each number, (n,) int64."""
    with np.errstate(over="ignore", under="ignore"):
        bits = positive.astype(np.float32).view(np.uint32) >> _SHIFT
    return np.clip(bits.astype(np.int64) - _FIRST, 0, N_BINS - 1)


@functools.cache
def _edges() -> np.ndarray:
    """(N_BINS + 1,) float64, where the bins begin and the last one ends."""
    bits = (np.arange(N_BINS, dtype=np.uint32) + np.uint32(_FIRST)) << np.uint32(_SHIFT)
    return np.append(bits.view(np.float32).astype(np.float64), 2.0**128)
