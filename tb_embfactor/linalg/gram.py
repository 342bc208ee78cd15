"""Second moments of rows, Σ yyᵀ, and the whitening of rows that lets them keep the small end of a steep spectrum."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from tb_embfactor.linalg.blocks import chunk_rows
from tb_embfactor.linalg.products import Map, add_gram, mirror_upper, multiply_upper, subtract_outer


@dataclass(frozen=True)
class Whitening:
    """Rows x become y = (x − mean)[order]·inverse, whose second moments are near one.

    mean : (d,), which the caller subtracts. order : (d,) int, of the columns. factor, inverse : (d, d) float64, upper
    triangular, columns first; factor·inverse = 1.
    """

    mean: np.ndarray
    order: np.ndarray
    factor: np.ndarray
    inverse: np.ndarray


@dataclass(frozen=True)
class SecondMoments:
    """matrix : (d, d) float64, columns first. norm : of all rows that were squared; rounding is proportional to its square.

    n_roundings : how many meet in one entry. whitening : of the rows, where they were whitened.
    """

    matrix: np.ndarray
    norm: float
    n_roundings: int
    whitening: Whitening | None


class GramSum:
    """Collects Σ yyᵀ, product by product. Rows are whitened where there is a whitening.

    Memory: d² float64, and with a whitening a chunk of rows.
    """

    def __init__(self, n_columns: int, whitening: Whitening | None = None) -> None:
        self._gram = np.zeros((n_columns, n_columns), order="F")
        self._whitening = whitening
        self._buffer = np.empty((chunk_rows(n_columns), n_columns)) if whitening else None
        self._total = np.zeros(n_columns)
        self._largest = self._n_products = 0

    def add(self, rows: np.ndarray, each: Map) -> None:
        """Take in rows, (b, n_columns) float64, less the mean of the whitening."""
        for part in self._whitened(rows, each):
            add_gram(self._gram, part, each)
            if self._whitening is not None:
                with np.errstate(over="ignore", invalid="ignore"):
                    self._total += part.sum(axis=0)
            self._largest = max(self._largest, len(part))
            self._n_products += 1

    def merge(self, other: GramSum) -> None:
        with np.errstate(over="ignore", invalid="ignore"):
            self._gram += other._gram
            self._total += other._total
        self._largest = max(self._largest, other._largest)
        self._n_products += other._n_products

    def moments(self, total: np.ndarray | None = None, n_rows: int = 1) -> SecondMoments:
        """The second moments; about the mean, where it is told how many rows there were, and their sum before whitening, (d,).

        Uses up the sum. Their norm is not finite where the whitening was so far from fitting that squares overflow.
        """
        mirror_upper(self._gram)
        with np.errstate(over="ignore", invalid="ignore"):
            if total is None:
                total = np.zeros(len(self._gram))
            elif self._whitening is not None:
                total = self._total  # of what was squared, with its rounding: `total` times the inverse is farther off
            norm = float(np.sqrt(np.trace(self._gram)) + np.sqrt(total @ total / max(1, n_rows)))
            subtract_outer(self._gram, total, total / max(1, n_rows))
        return SecondMoments(self._gram, norm, self._largest + self._n_products, self._whitening)

    def _whitened(self, rows: np.ndarray, each: Map) -> Iterator[np.ndarray]:
        if self._whitening is None or self._buffer is None:
            yield rows
            return
        step = len(self._buffer)
        for start in range(0, len(rows), step):
            part = rows[start : start + step]
            ordered = np.take(part, self._whitening.order, axis=1, out=self._buffer[: len(part)], mode="clip")
            multiply_upper(ordered, self._whitening.inverse, each)
            yield ordered
