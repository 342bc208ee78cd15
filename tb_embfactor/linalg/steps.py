"""Row blocks that follow from others: what the steps of a transform do."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
import scipy.special

from tb_embfactor.linalg.blocks import RowBlocks, finite_rows
from tb_embfactor.linalg.moments import RowSums
from tb_embfactor.linalg.spectrum import decompose

Function = Callable[[np.ndarray], np.ndarray]


def unit_rows(block: np.ndarray) -> np.ndarray:
    """Each row over its length; zero rows stay zero."""
    norms = np.sqrt(np.einsum("ij,ij->i", block, block))[:, None]
    return np.divide(block, norms, out=np.zeros_like(block), where=norms != 0)  # also where it is NaN


FUNCTIONS: dict[str, Function] = {
    "relu": lambda block: np.maximum(block, 0),
    "leaky_relu": lambda block: np.maximum(block, 0.01 * block),
    "elu": lambda block: np.where(block > 0, block, np.expm1(np.minimum(block, 0))),
    "gelu": lambda block: block * scipy.special.ndtr(block),
    "silu": lambda block: block * scipy.special.expit(block),
    "sigmoid": scipy.special.expit,
    "tanh": np.tanh,
    "softplus": lambda block: np.maximum(block, 0) + np.log1p(np.exp(-np.abs(block))),
    "unit_rows": unit_rows,
}


class EachRow:
    """Rows that each follow from one row of `blocks`. A row with NaN or Inf stays one that is skipped, whatever is done to it."""

    def __init__(self, blocks: RowBlocks, function: Function) -> None:
        self.n_rows, self.n_columns = blocks.n_rows, blocks.n_columns
        self._blocks, self._function = blocks, function

    def __iter__(self) -> Iterator[np.ndarray]:
        for raw in self._blocks:
            block = raw.astype(np.float64)
            block[~finite_rows(raw)] = np.nan
            yield self._function(block)


class WithoutLeading:
    """Rows minus their mean and minus what lies along the `k` leading principal directions.

    Cost: when the first block is asked for, one pass over `blocks` (for k > 0 one or two, as `decompose` takes).
    """

    def __init__(self, blocks: RowBlocks, k: int) -> None:
        self.n_rows, self.n_columns = blocks.n_rows, blocks.n_columns
        self._blocks, self._k = blocks, k
        self._fitted: tuple[np.ndarray, np.ndarray] | None = None

    def __iter__(self) -> Iterator[np.ndarray]:
        self._fitted = self._fitted or self._fit()
        mean, leading = self._fitted
        for raw in self._blocks:
            block = raw.astype(np.float64)
            block[~finite_rows(raw)] = np.nan
            block -= mean
            yield block - (block @ leading) @ leading.T

    def _fit(self) -> tuple[np.ndarray, np.ndarray]:
        if self._k == 0:
            rows = RowSums(self._blocks)
            return rows.total / max(1, rows.n_rows), np.empty((self.n_columns, 0))
        spectrum = decompose(self._blocks)
        return spectrum.mean, spectrum.centered.right[:, : min(self._k, spectrum.centered.rank)]
