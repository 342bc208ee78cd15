"""Which rows of a matrix have moved between two checkpoints."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from tb_embfactor.logdir import Matrix


def count_unmoved(now: Matrix, then: Matrix, on_block: Callable[[], None] = lambda: None) -> int | None:
    """How many rows are what they were, to the bit (NaN equals NaN); None where shape or stored type differ.

    Cost: one pass over both, two blocks of memory.
    """
    if now.shape != then.shape or now.dtype != then.dtype:
        return None
    n_unmoved = 0
    for one, other in zip(now.blocks(), then.blocks(), strict=True):
        n_unmoved += int(np.sum(np.all((one == other) | (np.isnan(one) & np.isnan(other)), axis=1)))
        on_block()
    return n_unmoved
