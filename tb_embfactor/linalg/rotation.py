"""Rotations that give a subspace axes of its own: varimax and ICA of whitened rows, and how far one can rely on them.

The leading k principal directions are a subspace; its axes by variance mix what happens to vary by as much. Whitened rows
Z = √n·U have no variance left to tell directions apart, so a rotation of them is found from the shape of
their distribution alone: where the factors are leptokurtic (few rows have much of one), varimax recovers them
(Rohe & Zeng 2023, "Vintage factor analysis with varimax performs statistical inference"), and ICA recovers any
that are independent and not normal (Hyvärinen 1999; of embeddings: Yamagiwa et al. 2023). Normal factors cannot be told apart:
then a search of other rows from another start ends elsewhere, and that is what `consistency` shows.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import scipy.linalg
import scipy.optimize
from sklearn.decomposition import FastICA
from sklearn.exceptions import ConvergenceWarning

N_RUNS = 5  # searches: the first, of all rows, is the answer; the others, of two splits into halves, tell how consistent it is
MAX_ITERATIONS, TOLERANCE = 500, 1e-7


@dataclass(frozen=True)
class Rotation:
    """matrix : (k, k) orthogonal, columns are axes. consistency : (k,), |cosine| of what two halves of the
        rows, searched from other starts, find in its place.

    n_unsettled : how many of the N_RUNS searches had not converged.
    """

    matrix: np.ndarray
    consistency: np.ndarray
    n_unsettled: int


def rotate(whitened: np.ndarray, method: str, seed: int) -> Rotation:
    """The rotation of whitened rows, (n, k), by `varimax` or `ica`, each axis with positive skewness.

    Cost: at most N_RUNS·MAX_ITERATIONS·4·n·k² flops, mostly a tenth of that; three times the rows in memory.
    """
    k = whitened.shape[1]
    search = {"varimax": varimax, "ica": independent_axes}[method] if k > 1 else lambda rows, start: (start, True)
    rng = np.random.default_rng(seed)
    matrix, settled = search(whitened, np.eye(k))
    halves = [search(half, scipy.linalg.qr(rng.normal(size=(k, k)))[0]) for half in split_halves(whitened, k, rng)]
    consistency = agreement(matrix, [axes for axes, _ in halves])
    n_unsettled = sum(not each for each in (settled, *(each for _, each in halves)))
    skewness = np.sum((whitened @ matrix) ** 3, axis=0)
    return Rotation(matrix * np.where(skewness < 0, -1.0, 1.0), consistency, n_unsettled)


def split_halves(rows: np.ndarray, k: int, rng: np.random.Generator) -> Iterator[np.ndarray]:
    """The two halves of several random splits, N_RUNS − 1 in all, one after the other; none if a half has no more than k rows."""
    for _ in range((N_RUNS - 1) // 2 if len(rows) > 2 * k + 1 else 0):
        order = rng.permutation(len(rows))
        yield rows[order[0::2]]
        yield rows[order[1::2]]


def agreement(axes: np.ndarray, of_halves: list[np.ndarray]) -> np.ndarray:
    """For each axis, |cosine| between what one half has in its place and what the other has, on average over the splits, (k,).

    NaN where there are no halves.
    """
    placed = [half[:, match(axes, half)[0]] for half in of_halves]
    pairs = zip(placed[0::2], placed[1::2], strict=True)
    cosines = [np.minimum(np.abs(np.sum(one * other, axis=0)), 1.0) for one, other in pairs]
    return np.mean(cosines, axis=0) if cosines else np.full(axes.shape[1], np.nan)


def varimax(rows: np.ndarray, start: np.ndarray) -> tuple[np.ndarray, bool]:
    """The rotation that makes the squared entries of the columns vary most (Kaiser 1958), and whether it has settled.

    Each step takes the polar factor of the gradient, which never makes the criterion smaller.
    """
    rotation, before = start, 0.0
    for _ in range(MAX_ITERATIONS):
        turned = rows @ rotation
        gradient = rows.T @ (turned**3 - turned * np.mean(turned**2, axis=0))
        left, values, right = scipy.linalg.svd(gradient)
        rotation = left @ right
        if values.sum() <= before * (1 + TOLERANCE):
            return rotation, True
        before = values.sum()
    return rotation, False


def independent_axes(rows: np.ndarray, start: np.ndarray) -> tuple[np.ndarray, bool]:
    """The rotation to components that are as far from normal as possible, by FastICA (logcosh), and whether it has settled."""
    search = FastICA(whiten=False, w_init=start.T, max_iter=MAX_ITERATIONS, tol=TOLERANCE)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", ConvergenceWarning)
        search.fit(rows)
    return search.components_.T, not any(issubclass(each.category, ConvergenceWarning) for each in caught)


def match(axes: np.ndarray, others: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Which of `others` is each of `axes`, and |cosine| with it: unit columns, paired so that the cosines are largest in total.

    axes : (d, k), others : (d, m). The index is −1 and the cosine 0 for those that are left over where m < k.
    """
    cosines = np.abs(axes.T @ others)
    rows, columns = scipy.optimize.linear_sum_assignment(cosines, maximize=True)
    index, best = np.full(axes.shape[1], -1), np.zeros(axes.shape[1])
    index[rows], best[rows] = columns, cosines[rows, columns]
    return index, np.minimum(best, 1.0)
