"""A stated sample of rows, where a method cannot take them all."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np

from tb_embfactor.linalg.blocks import RowBlocks

SAMPLE_BYTES, SAMPLE_ROWS = 64 << 20, 50_000  # of float64
SEED = 0


def sample_size(n_columns: int) -> int:
    """How many rows of so many columns a method that needs them at once is given."""
    return max(1, min(SAMPLE_ROWS, SAMPLE_BYTES // (8 * max(1, n_columns))))


def sample_rows(blocks: Iterable[np.ndarray], n_rows: int, limit: int, seed: int = SEED) -> tuple[np.ndarray, np.ndarray]:
    """Up to `limit` of n_rows rows, each as likely as any, in their order: (n, k) float64 and their indices, (n,).

    Rows with NaN or Inf are left out. The same seed takes the same rows of every matrix with as many. One pass.
    """
    chosen = np.arange(n_rows)
    if n_rows > limit:
        chosen = np.sort(np.random.default_rng(seed).choice(n_rows, limit, replace=False))
    rows = rows_at(blocks, chosen)
    usable = np.isfinite(rows).all(axis=1)
    return rows[usable], chosen[usable]


def rows_at(blocks: Iterable[np.ndarray], chosen: np.ndarray) -> np.ndarray:
    """The rows with these indices, (n,) ascending, as (n, k) float64. One pass, as far as the last of them."""
    parts, start = [], 0
    last = chosen.max(initial=0)
    for block in blocks:
        parts.append(block[_inside(chosen, start, block)].astype(np.float64))
        start += len(block)
        if start > last:
            break
    return np.concatenate(parts)


def _inside(chosen: np.ndarray, start: int, block: np.ndarray) -> np.ndarray:
    """Which rows of a block that begins at row `start` are chosen."""
    return chosen[np.searchsorted(chosen, start) : np.searchsorted(chosen, start + len(block))] - start


class Picked:
    """The rows of a matrix with these indices, (n,) ascending, as row blocks; a pass over them is one over the matrix."""

    def __init__(self, blocks: RowBlocks, chosen: np.ndarray) -> None:
        self.n_rows, self.n_columns = len(chosen), blocks.n_columns
        self._blocks, self._chosen = blocks, chosen

    def __iter__(self) -> Iterator[np.ndarray]:
        start = 0
        for block in self._blocks:
            inside = _inside(self._chosen, start, block)
            if len(inside):
                yield block if len(inside) == len(block) else block[inside]
            start += len(block)
