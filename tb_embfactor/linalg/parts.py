"""Non-negative factors of non-negative rows: each row as a sum of parts, none of which takes anything away."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from sklearn.decomposition import NMF
from sklearn.exceptions import ConvergenceWarning

from tb_embfactor.linalg.blocks import RowBlocks, finite_rows
from tb_embfactor.linalg.rotation import MAX_ITERATIONS, agreement, split_halves


@dataclass(frozen=True)
class Parts:
    """W ≈ scores·partsᵀ, both ≥ 0. directions : (d, k) unit columns. consistency, n_unsettled : as of `Rotation`."""

    directions: np.ndarray
    consistency: np.ndarray
    n_unsettled: int

    def apply(self, blocks: RowBlocks) -> Iterator[np.ndarray]:
        """How much each row has of each part, (b, k) float64, by non-negative least squares; NaN for rows with NaN or Inf."""
        k = self.directions.shape[1]
        for raw in blocks:
            scores, usable = np.full((len(raw), k), np.nan), finite_rows(raw)
            scores[usable] = _solve(self.directions, raw[usable].astype(np.float64))
            yield scores


def find_parts(rows: np.ndarray, k: int, seed: int) -> Parts:
    """The k parts of rows, (n, d) ≥ 0, that leave the least squared error (Lee & Seung 1999).

    The answer is the search from the singular vectors (NNDSVDa, Boutsidis & Gallopoulos 2008); those of halves of the rows, from
    random starts, tell how consistent it is.

    Cost: at most N_RUNS·MAX_ITERATIONS·4·n·d·k flops; three times the rows.
    """
    found = [_search(rows, k, "nndsvda", seed)]
    halves = split_halves(rows, k, np.random.default_rng(seed))
    found += [_search(half, k, "random", seed + run) for run, half in enumerate(halves, 1)]
    best, *others = (directions for directions, _ in found)
    return Parts(best, agreement(best, others), sum(unsettled for _, unsettled in found))


def _search(rows: np.ndarray, k: int, start: str, seed: int) -> tuple[np.ndarray, bool]:
    """Unit parts, (d, k), and whether the search had not settled."""
    model = NMF(k, init=start, random_state=seed, max_iter=MAX_ITERATIONS)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", ConvergenceWarning)
        model.fit(rows)
    unsettled = any(issubclass(each.category, ConvergenceWarning) for each in caught)
    return _unit(model.components_.T), unsettled


def _unit(columns: np.ndarray) -> np.ndarray:
    norms = np.linalg.norm(columns, axis=0)
    return np.divide(columns, norms, out=np.zeros_like(columns), where=norms > 0)


def _solve(directions: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """Non-negative least squares of many rows at once: coordinate descent on the k×k normal equations, to 1e-10.

    A coordinate is moved to its minimum, or to 0; the criterion is strictly convex but for parts that coincide.
    """
    gram, target = directions.T @ directions, rows @ directions
    scores = np.maximum(target, 0)
    for _ in range(MAX_ITERATIONS):
        moved = 0.0
        for part in range(len(gram)):
            if gram[part, part] == 0:  # a part of zeros
                continue
            wanted = scores[:, part] + (target[:, part] - scores @ gram[:, part]) / gram[part, part]
            wanted = np.maximum(wanted, 0)
            moved = max(moved, float(np.max(np.abs(wanted - scores[:, part]), initial=0.0)))
            scores[:, part] = wanted
        if moved <= 1e-10 * np.max(target, initial=0.0):
            break
    return scores
