"""What of a matrix has moved between two checkpoints."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from tb_embfactor.logdir import Matrix


MOVEMENT = ("rows_unmoved", "dead_rows", "columns_unmoved")


def count_unmoved(now: Matrix, then: Matrix, on_block: Callable[[], None] = lambda: None) -> dict[str, int | None]:
    """The named numbers in MOVEMENT; None where shape or stored type differ.

    What has not moved is what it was, to the bit (NaN equals NaN); a dead row has not moved, or is zero.

    Cost: one pass over both, two blocks of memory.
    """
    if now.shape != then.shape or now.dtype != then.dtype:
        return dict.fromkeys(MOVEMENT)
    n_unmoved = n_dead = 0
    columns = np.ones(now.shape[1], bool)
    for one, other in zip(now.blocks(), then.blocks(), strict=True):
        same = (one == other) | (np.isnan(one) & np.isnan(other))
        rows = np.all(same, axis=1)
        n_unmoved += int(np.sum(rows))
        n_dead += int(np.sum(rows | ~np.any(one, axis=1)))
        columns &= np.all(same, axis=0)
        on_block()
    return dict(zip(MOVEMENT, (n_unmoved, n_dead, int(np.sum(columns))), strict=True))


def is_unmoved(now: Matrix, then: Matrix, on_block: Callable[[], None] = lambda: None) -> bool:
    """Whether two matrices and their biases hold the same numbers (NaN equals NaN).

    Cost: one pass over both up to the first block that differs, which for a matrix in training is mostly the first.
    """
    if now.shape != then.shape or now.dtype != then.dtype or now.has_bias != then.has_bias:
        return False
    if now.has_bias and not np.array_equal(now.bias(), then.bias(), equal_nan=True):  # type: ignore[arg-type]
        return False
    for one, other in zip(now.blocks(), then.blocks(), strict=True):
        if not np.array_equal(one, other, equal_nan=True):
            return False
        on_block()
    return True
