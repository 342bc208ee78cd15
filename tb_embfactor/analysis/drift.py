"""How far a matrix has come from what it was at earlier checkpoints, whatever way its axes were turned meanwhile.

The names of the numbers are asked for by TensorBoard's own process, so what computes them is imported when it does.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tb_embfactor.analysis.factorization import Factorization
    from tb_embfactor.linalg.blocks import Progress
    from tb_embfactor.logdir import Matrix

Drift = dict[str, float | None]
MEASURES = ("cka", "procrustes")
DRIFT = tuple(f"{measure}_{since}" for measure in MEASURES for since in ("first", "previous"))


def earlier(index: int) -> list[tuple[str, int]]:
    """What the checkpoint of a run with this index is measured from: how DRIFT calls it, and its index."""
    return [("first", 0), ("previous", index - 1)] if index else []


def name_drift(drift: Drift, since: str) -> Drift:
    """The numbers by key of DRIFT."""
    return {f"{measure}_{since}": number for measure, number in drift.items()}


def measure_drift(
    now: Matrix, then: Matrix, factor: Callable[[Matrix], Factorization], progress: Progress = lambda share: None
) -> Drift:
    """Linear CKA and Procrustes distance, by key of MEASURES, over the rows that are usable in both.

    None where the shapes differ, for nothing tells which row of a vocabulary that grew is which, or where one of the two has no
    spread. Of the same numbers they are 1 and 0, exactly.

    factor : the factors of either, as stored or transformed; what is known of them halves the work.

    Cost: that of `linalg.relation.relate`, and the singular values of a (d, d) matrix; of the same numbers a pass over both.
    """
    from tb_embfactor.analysis.movement import is_unmoved
    from tb_embfactor.linalg.comparison import has_spread, linear_cka, procrustes_distance
    from tb_embfactor.linalg.relation import relate

    unknown: Drift = dict.fromkeys(MEASURES)
    if now.shape != then.shape:
        return unknown
    a, b = factor(now), factor(then)
    if not (a.spectrum.centered.rank and b.spectrum.centered.rank):
        return unknown
    if is_unmoved(now, then, lambda: progress(0.0)):
        return dict(zip(MEASURES, (1.0, 0.0), strict=True))
    moments = relate(a.blocks, a.spectrum, b.blocks, b.spectrum, progress)
    if not has_spread(moments):
        return unknown
    return dict(zip(MEASURES, (linear_cka(moments), procrustes_distance(moments)), strict=True))
