"""sparsity(): zeros and near-zeros of a matrix, and what pruning by magnitude would cost."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from tb_embfactor.analysis.factorization import as_blocks
from tb_embfactor.errors import MatrixError
from tb_embfactor.linalg.blocks import Progress, finite_rows
from tb_embfactor.linalg.histogram import SizeHistogram

NEAR_ZERO = 0.01  # of the root mean square of the entries
SHARES = np.linspace(0, 1, 101)


@dataclass(frozen=True)
class Sparsity:
    """What of a matrix is zero, and the error of making more of it zero.

    zero_share, near_zero_share : of the entries; near-zero ones are smaller than NEAR_ZERO times their root mean square.
    zero_rows, zero_columns : of (V, d), counted.
    pruned : (101,) shares of the entries, the smallest first. threshold : (101,) the magnitude below which they lie.
    error : (101,) ‖W − pruned W‖_F/‖W‖_F.
    """

    zero_share: float
    near_zero_share: float
    zero_rows: int
    zero_columns: int
    pruned: np.ndarray
    threshold: np.ndarray
    error: np.ndarray
    rows_used: int
    rows_skipped: int


def sparsity(matrix: Any, transform: str | None = None, progress: Progress | None = None) -> Sparsity:
    """Zeros, and the error of pruning by magnitude as a curve, of what `factorize` accepts.

    Magnitudes are counted in bins of 0.1 % relative width, so that thresholds and errors are known to that; zeros exactly.

    Raises MatrixError for a matrix without entries or without a finite row.

    Cost: one pass, a few operations for each entry; 4 MB and a block.

    >>> found = sparsity(np.array([[0.0, 3.0], [0.0, 4.0]]))
    >>> found.zero_share, found.zero_columns, found.error[[50, 75, 100]].round(3).tolist()
    (0.5, 1, [0.0, 0.6, 1.0])
    """
    blocks, name = as_blocks(matrix, transform)
    if blocks.n_rows < 1 or blocks.n_columns < 1:
        raise MatrixError("matrix_empty", matrix=name, shape=[blocks.n_rows, blocks.n_columns])
    sizes = SizeHistogram(with_energies=True)
    n_read = n_used = n_zero_rows = 0
    has_entry = np.zeros(blocks.n_columns, bool)
    for raw in blocks:
        n_read += len(raw)
        block = raw[finite_rows(raw)]
        n_used += len(block)
        is_entry = block != 0
        has_entry |= is_entry.any(axis=0)
        n_zero_rows += int(np.sum(~is_entry.any(axis=1)))
        sizes.add(np.abs(block.ravel()))
        if progress:
            progress(n_read / blocks.n_rows)
    if n_used == 0:
        raise MatrixError("rows_not_finite", matrix=name, n_rows=n_read)
    threshold, error = sizes.prune(SHARES)
    return Sparsity(
        zero_share=sizes.n_zero / sizes.n,
        near_zero_share=sizes.share_below(NEAR_ZERO * np.sqrt(sizes.energy / sizes.n)),
        zero_rows=n_zero_rows,
        zero_columns=int(np.sum(~has_entry)),
        pruned=SHARES,
        threshold=threshold,
        error=error,
        rows_used=n_used,
        rows_skipped=n_read - n_used,
    )
