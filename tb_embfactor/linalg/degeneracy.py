"""Directions that the data do not tell apart: near-equal singular values, and axes followed from one step to another.

Singular vectors of near-equal singular values are defined only up to a rotation among themselves (North et al. 1982). How
near is near: where two eigenvalues are the same, λ, in the distribution that n normal rows come from, they differ in the rows
by √(a² + b²), with a and b normal of standard deviation 2λ/√n. So in 95 % of cases they differ by less than
λ·2√(2 ln 20)/√n, and what is nearer than that may be the same.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from tb_embfactor.linalg.rotation import match

SAME = 2 * np.sqrt(2 * np.log(20))
CONTINUES = 0.5  # the least squared cosine with which an axis continues another: more than half of it


def blocks_of(singular_values: np.ndarray, n_rows: int) -> list[tuple[int, int]]:
    """Ranges [start, stop) of singular values that are told apart from those before and after, but not from each other.

    >>> blocks_of(np.array([9.0, 5.0, 4.99, 4.98, 1.0]), 1000)
    [(0, 1), (1, 4), (4, 5)]
    """
    squares = singular_values**2
    apart = squares[:-1] - squares[1:] > squares[:-1] * SAME / np.sqrt(n_rows)
    bounds = [0, *(np.flatnonzero(apart) + 1).tolist(), len(singular_values)]
    return list(pairwise(bounds))


def gaps_of(singular_values: np.ndarray) -> np.ndarray:
    """(σᵢ − σᵢ₊₁)/σᵢ, (k,), with 0 after the last; 0 where σᵢ is null."""
    after = np.append(singular_values[1:], 0.0)
    return np.divide(singular_values - after, singular_values, out=np.zeros(len(after)), where=singular_values > 0)


@dataclass(frozen=True)
class Continuation:
    """What an axis was at another step. axis : its index there. cosine : with that axis, signed.

    overlap : the squared length of its projection on the block that the axis belongs to there; what is 1 lies wholly in it.
    """

    axis: int
    cosine: float
    block: tuple[int, int]
    overlap: float


def follow(axes: np.ndarray, before: np.ndarray, blocks: list[tuple[int, int]]) -> list[Continuation | None]:
    """For each axis, (d, k) unit columns, which of those `before`, (d, m), it continues; None for one that is new.

    Axes are paired so that the cosines are largest in total, not by index or sign. An axis continues another when more than
    half of it (as a squared cosine) lies in the block of near-equal singular values that the other belonged to, for within
    such a block axes turn freely.

    Cost: d·k·m multiply-adds.
    """
    index, _ = match(axes, before)
    cosines = before.T @ axes
    found: list[Continuation | None] = []
    for axis, other in enumerate(index):
        if other < 0:
            found.append(None)
            continue
        block = next((start, stop) for start, stop in blocks if start <= other < stop)
        overlap = float(min(1.0, np.sum(cosines[block[0] : block[1], axis] ** 2)))
        known = Continuation(int(other), float(cosines[other, axis]), block, overlap)
        found.append(known if overlap > CONTINUES else None)
    return found
