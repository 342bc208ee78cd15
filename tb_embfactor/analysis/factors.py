"""factors(): the directions of a matrix and what they stand for: the rows with the most and the least of each."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from tb_embfactor.analysis.axes import Axes, find_axes
from tb_embfactor.analysis.factorization import Factorization, factorize
from tb_embfactor.errors import UsageError
from tb_embfactor.linalg.blocks import Progress
from tb_embfactor.linalg.degeneracy import Continuation, follow
from tb_embfactor.linalg.extremes import Extremes, Kurtosis
from tb_embfactor.messages import Message

MAX_FACTORS, MAX_TOP = 64, 100
Scored = list[tuple[int, float]]  # (row or column, score)


@dataclass(frozen=True)
class Factor:
    """One direction.

    weight : root of the sum of the squared scores (σ for svd and pca). share : weight² of the variance, or of the energy.
    kurtosis : excess kurtosis of the scores: 0 of normal ones, large where few rows have much of it.
    consistency : 0..1, how well the search finds it from other starts. gap : (σᵢ − σᵢ₊₁)/σᵢ.
    block : range of the factors that it cannot be told apart from, itself among them. continues : which of the
        reference's axes it is. Each None where the method has no such thing.
    top, bottom : rows with the highest and the lowest scores (nmf: none, for the least of a part is none of it).
    columns : the largest entries of its direction, by magnitude.
    """

    weight: float
    share: float
    kurtosis: float
    consistency: float | None
    gap: float | None
    block: tuple[int, int] | None
    continues: Continuation | None
    top: Scored
    bottom: Scored
    columns: Scored


@dataclass(frozen=True)
class Block:
    """Factors [start, stop) that near-equal singular values do not tell apart, as the one subspace that they are.

    top : the rows that reach farthest into it, with the length of their projection.
    """

    start: int
    stop: int
    share: float
    top: Scored


@dataclass(frozen=True)
class Factors:
    """The factors of a matrix, heaviest first, and where they come from."""

    method: str
    factors: tuple[Factor, ...]
    blocks: tuple[Block, ...]
    axes: Axes
    rows_used: int
    rows_skipped: int
    notes: tuple[Message, ...]


def factors(
    matrix: Any,
    method: str = "pca",
    k: int = 8,
    transform: str | None = None,
    n_top: int = 10,
    seed: int = 0,
    reference: Axes | None = None,
    progress: Progress | None = None,
) -> Factors:
    """The leading factors of a matrix with the rows that have most and least of each.

    Parameters
    ----------
    matrix : what `factorize` accepts, or a Factorization. method : one of `AXES`. k : from 1 to 64; fewer come back
        where the matrix has fewer directions. n_top : rows and columns of each end, from 1 to 100.
    seed : of the rows that a search is given and of its starts; `svd` and `pca` need none.
    reference : the axes of another step, to say which of them each factor continues.

    Raises UsageError for a bad parameter, MatrixError where the matrix has no direction (see `find_axes`).

    Cost: that of `factorize`, that of `find_axes`, and one pass of V·d·k multiply-adds; O(k·n_top) memory beside a block.

    >>> found = factors(np.diag([5.0, 3.0, 1.0]), "svd", k=2, n_top=1)
    >>> [(round(factor.weight, 6), factor.top[0][0]) for factor in found.factors]
    [(5.0, 0), (3.0, 1)]
    """
    for name, value, limit in (("k", k, MAX_FACTORS), ("n_top", n_top, MAX_TOP)):
        if not 1 <= value <= limit:
            raise UsageError("bad_parameter", owner="factors", name=name, needed=f"from 1 to {limit}", got=value)
    f = matrix if isinstance(matrix, Factorization) else factorize(matrix, transform=transform, progress=progress)
    axes = find_axes(f, method, k, seed)
    several = [(start, stop) for start, stop in axes.blocks or [] if stop - start > 1]
    top, bottom, reaching, kurtosis = _collect(f, axes, several, n_top, progress or (lambda share: None))
    continued = _continued(axes, reference)
    found = [
        Factor(
            weight=float(axes.weight[index]),
            share=float(axes.share[index]),
            kurtosis=float(kurtosis[index]),
            consistency=None if axes.consistency is None else float(axes.consistency[index]),
            gap=None if axes.gaps is None else float(axes.gaps[index]),
            block=next((block for block in several if block[0] <= index < block[1]), None),
            continues=continued[index],
            top=top.of(index),
            bottom=[(row, -score) for row, score in bottom.of(index)] if method != "nmf" else [],
            columns=_columns(axes.directions[:, index], n_top),
        )
        for index in range(len(axes.weight))
    ]
    blocks = [
        Block(start, stop, float(axes.share[start:stop].sum()), reaching.of(number))
        for number, (start, stop) in enumerate(several)
    ]
    return Factors(method, tuple(found), tuple(blocks), axes, f.rows_used, f.rows_skipped, tuple(axes.notes))


def _collect(
    f: Factorization, axes: Axes, several: list[tuple[int, int]], n_top: int, progress: Progress
) -> tuple[Extremes, Extremes, Extremes, np.ndarray]:
    """One pass over the scores: the highest, the lowest, the longest projections on each block, and the kurtosis."""
    k, row = len(axes.weight), 0
    top, bottom, reaching = Extremes(n_top, k), Extremes(n_top, k), Extremes(n_top, len(several))
    kurtosis = Kurtosis(axes.center)
    for scores in axes.scores.apply(f.blocks):
        top.add(scores, row)
        bottom.add(-scores, row)
        lengths = [np.linalg.norm(scores[:, start:stop], axis=1) for start, stop in several]
        reaching.add(np.stack(lengths, axis=1) if lengths else np.empty((len(scores), 0)), row)
        kurtosis.add(scores)
        row += len(scores)
        progress(row / f.shape[0])
    return top, bottom, reaching, kurtosis.result()


def _columns(direction: np.ndarray, n_top: int) -> Scored:
    order = np.argsort(-np.abs(direction), kind="stable")[:n_top]
    return [(int(column), float(direction[column])) for column in order]


def _continued(axes: Axes, reference: Axes | None) -> list[Continuation | None]:
    if reference is None:
        return [None] * len(axes.weight)
    if len(reference.directions) != len(axes.directions):
        needed = f"axes with {len(axes.directions)} entries, as this matrix has columns"
        got = len(reference.directions)
        raise UsageError("bad_parameter", owner="factors", name="reference", needed=needed, got=got)
    alone = [(index, index + 1) for index in range(len(reference.weight))]
    return follow(axes.directions, reference.directions, reference.blocks or alone)
