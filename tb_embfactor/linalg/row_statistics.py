"""What a pass over the rows sees of them beside their moments: zeros and norms."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tb_embfactor.linalg.histogram import SizeHistogram

QUANTILES = (0.0, 0.05, 0.25, 0.5, 0.75, 0.95, 1.0)
WAITING = 64  # blocks


@dataclass(frozen=True)
class RowSummary:
    """zero_share : of the entries of the usable rows. n_zero_rows : rows that are 0 in every column.

    norm_quantiles : of ‖x‖ at QUANTILES, the first and last exact, the others to 0.1 %.
    """

    zero_share: float
    n_zero_rows: int
    norm_quantiles: tuple[float, ...]


class RowStatistics:
    """Collects a RowSummary, block by block. One comparison per entry beside the moments; 1.5 MB, whatever the rows."""

    def __init__(self) -> None:
        self._n_entries = self._n_zero_entries = 0
        self._norms = SizeHistogram()
        self._waiting: list[np.ndarray] = []  # norms, for the histogram is larger than a few of them

    def add(self, block: np.ndarray, norms: np.ndarray) -> None:
        """Take in usable rows, (b, d), and their norms, (b,)."""
        self._n_entries += block.size
        self._n_zero_entries += int(np.count_nonzero(block == 0))
        self._waiting.append(norms)
        if len(self._waiting) == WAITING:
            self._count()

    def merge(self, other: RowStatistics) -> None:
        """Take in what another has collected."""
        other._count()
        self._n_entries += other._n_entries
        self._n_zero_entries += other._n_zero_entries
        self._norms.merge(other._norms)

    def _count(self) -> None:
        if self._waiting:
            self._norms.add(np.concatenate(self._waiting))
            self._waiting.clear()

    def summary(self) -> RowSummary:
        self._count()
        return RowSummary(
            zero_share=self._n_zero_entries / max(1, self._n_entries),
            n_zero_rows=self._norms.n_zero,
            norm_quantiles=self._norms.quantiles(QUANTILES),
        )
