"""What a pass over the scores of all rows finds: the rows with the most and the least of each factor, and its kurtosis."""

from __future__ import annotations

import numpy as np


class Extremes:
    """The `n` rows with the largest value in each of k columns, in constant memory; ties go to the earlier row."""

    def __init__(self, n: int, k: int) -> None:
        self._n = n
        self.rows, self.values = np.zeros((0, k), np.int64), np.zeros((0, k))

    def add(self, values: np.ndarray, start: int) -> None:
        """Take in the values, (b, k), of the rows from `start` on; rows with NaN are left out."""
        rows = np.broadcast_to(np.arange(start, start + len(values))[:, None], values.shape)
        values, rows = np.concatenate([self.values, values]), np.concatenate([self.rows, rows])
        order = np.argsort(-values, axis=0, kind="stable")[: self._n]  # NaN is sorted last
        self.values, self.rows = np.take_along_axis(values, order, axis=0), np.take_along_axis(rows, order, axis=0)

    def of(self, column: int) -> list[tuple[int, float]]:
        """(row, value) of one column, the largest first."""
        pairs = zip(self.rows[:, column].tolist(), self.values[:, column].tolist(), strict=True)
        return [(row, value) for row, value in pairs if value == value]


class Kurtosis:
    """Excess kurtosis of k columns in one pass: m₄/m₂² − 3, 0 for a normal one. `center` : (k,), about their means."""

    def __init__(self, center: np.ndarray) -> None:
        self._center = center
        self._n = 0
        self._sums = np.zeros((4, len(center)))

    def add(self, values: np.ndarray) -> None:
        deviations = values[~np.isnan(values).any(axis=1)] - self._center
        self._n += len(deviations)
        power = np.ones_like(deviations)
        for sums in self._sums:
            power *= deviations
            sums += power.sum(axis=0)

    def result(self) -> np.ndarray:
        """(k,); NaN for a column without spread."""
        first, second, third, fourth = self._sums / max(1, self._n)
        variance = second - first**2
        central = fourth - 4 * first * third + 6 * first**2 * second - 3 * first**4
        with np.errstate(invalid="ignore", divide="ignore"):
            return np.where(variance > 0, central / variance**2 - 3, np.nan)
