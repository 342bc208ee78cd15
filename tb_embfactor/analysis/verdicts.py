"""What the numbers of a matrix mean, in plain words: what it looks like, the evidence, and one thing to try.

Functions of the named numbers alone, so that a verdict costs nothing once the numbers are known. The most serious comes first.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tb_embfactor.messages import Message

COLLAPSED_SHARE = 0.5  # 99.9 % of the variance in fewer than this share of the directions
DOMINATED_COSINE = 0.5  # the mean cosine of two rows
COSINE_ROWS = 10  # fewer say nothing of a common direction: alike by chance, or all there is
UNMOVED_SHARE = 0.1  # of the rows, since the first checkpoint

SEVERITY = {
    "verdict_constant": 6,
    "verdict_collapsed": 5,
    "verdict_untrained": 4,
    "verdict_unlearnt": 3,
    "verdict_dominated": 2,
    "verdict_unmoved": 1,
    "verdict_fine": 0,
    "verdict_initial": 0,
    "verdict_unknown": 0,
}


def verdicts(
    numbers: Mapping[str, Any],
    shape: tuple[int, int],
    rows_unmoved: int | None = None,
    is_first: bool = False,
    is_product: bool = False,
) -> list[Message]:
    """What is to be said of a matrix, most serious first; never empty.

    Parameters
    ----------
    numbers : the named numbers, by key. shape : (V, d).
    rows_unmoved : rows that are what they were at the first checkpoint, to the bit; None where that is not known.
    is_first : it is the first checkpoint of several, of which nobody expects that it has learnt.
    is_product : of several matrices; it has no more directions than its narrowest part lets through, and nothing has collapsed.
    """
    n_rows, n_columns = shape
    limit = max(1, min(n_rows - 1, n_columns))
    found: list[Message] = []
    rank, untrained, cosine = numbers.get("energy_rank_99_9"), numbers.get("looks_untrained"), numbers.get("mean_cosine")
    effective_rank = numbers.get("effective_rank")
    if effective_rank is None:
        return [Message("verdict_constant") if n_rows > 1 else Message("verdict_unknown")]
    if rank is not None and limit > 1 and rank <= COLLAPSED_SHARE * limit and not is_product:
        found.append(Message("verdict_collapsed", {"k": rank, "d": limit}))
    if untrained:
        has_moved = rows_unmoved is not None and rows_unmoved < n_rows
        found.append(Message("verdict_initial" if is_first else "verdict_unlearnt" if has_moved else "verdict_untrained"))
    if cosine is not None and cosine >= DOMINATED_COSINE and n_rows >= COSINE_ROWS and n_columns > 1:
        found.append(Message("verdict_dominated", {"cosine": f"{cosine:.2f}"}))
    if rows_unmoved is not None and not untrained and rows_unmoved >= UNMOVED_SHARE * n_rows:
        found.append(Message("verdict_unmoved", {"n": rows_unmoved, "n_rows": n_rows}))
    if not found:
        params = {"rank": f"{effective_rank:.1f}", "d": limit}
        found.append(Message("verdict_unknown") if untrained is None else Message("verdict_fine", params))
    return sorted(found, key=lambda message: -SEVERITY[message.code])
