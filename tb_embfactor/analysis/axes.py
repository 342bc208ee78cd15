"""The axes of a matrix by one of several methods, with the map that gives every row its scores on them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Protocol

import numpy as np

from tb_embfactor.analysis.factorization import Factorization
from tb_embfactor.errors import MatrixError, UsageError
from tb_embfactor.linalg.blocks import ArrayBlocks, RowBlocks
from tb_embfactor.linalg.degeneracy import blocks_of, gaps_of
from tb_embfactor.linalg.parts import find_parts
from tb_embfactor.linalg.projection import AffineMap, inverse, principal_scores, shares
from tb_embfactor.linalg.rotation import MAX_ITERATIONS, N_RUNS, rotate
from tb_embfactor.linalg.sampling import sample_rows, sample_size
from tb_embfactor.linalg.spectrum import Svd
from tb_embfactor.messages import Message

AXES: dict[str, str] = {
    "svd": "the right singular vectors of W as stored, by their share of the energy",
    "pca": "the principal axes of the centred rows, by their share of the variance",
    "varimax": "the leading principal axes turned so that each row has much of few of them (varimax)",
    "ica": "the leading principal axes turned so that they are as independent as possible (FastICA)",
    "nmf": "non-negative parts whose sums the rows are; of non-negative rows, as an activation leaves them",
}


class RowMap(Protocol):
    def apply(self, blocks: RowBlocks) -> Iterator[np.ndarray]:
        """The scores of all rows, (b, k) float64, NaN for rows with NaN or Inf. One pass."""
        ...


@dataclass(frozen=True)
class Axes:
    """k axes, in the order of their weight.

    scores : the map of rows to scores; the squares of the scores of all rows on an axis sum to its weight², so that
        scores of different axes can be compared, and are in the unit of the matrix.
    directions : (d, k) unit columns: what one unit of the score adds to a row. center : (k,) the mean scores.
    weight : (k,). share : (k,) weight² of the variance (of the energy for svd and nmf; parts may overlap).
    blocks : ranges of axes that near-equal singular values do not tell apart, and gaps to the next: where the axes are
        singular vectors. consistency : (k,) how well each is found again from other starts: where they were searched for.
    sample : rows that the search saw, of how many, and its seed. notes : what has to be said beside the axes.
    """

    method: str
    scores: RowMap
    directions: np.ndarray
    center: np.ndarray
    weight: np.ndarray
    share: np.ndarray
    blocks: list[tuple[int, int]] | None = None
    gaps: np.ndarray | None = None
    consistency: np.ndarray | None = None
    sample: dict[str, int] | None = None
    notes: list[Message] = field(default_factory=list)


def find_axes(f: Factorization, method: str, k: int, seed: int = 0) -> Axes:
    """The leading k axes of a factored matrix, fewer where it has fewer directions.

    Raises MatrixError where there is no direction: all rows are equal (zero for `svd`), or, for `nmf`, entries are negative.

    Cost: nothing for `svd` and `pca`; one pass and a search on at most 50,000 rows (64 MB) for the others.
    """
    if method not in AXES:
        raise UsageError("bad_parameter", owner="factors", name="method", needed=f"one of {', '.join(AXES)}", got=method)
    svd = f.spectrum.stored if method in ("svd", "nmf") else f.spectrum.centered
    if svd.rank == 0:
        raise MatrixError("all_zero" if method in ("svd", "nmf") else "no_spread", matrix=f.name, n_rows=f.rows_used)
    build = {"svd": _singular, "pca": _principal, "varimax": _rotated, "ica": _rotated, "nmf": _parts}[method]
    axes = build(f, svd, method, min(k, svd.rank), seed)
    if svd.rank < k:
        axes.notes.append(Message("fewer_factors", {"matrix": f.name, "rank": svd.rank, "k": k}))
    return axes


def _singular(f: Factorization, svd: Svd, method: str, k: int, seed: int) -> Axes:
    mapping = AffineMap(np.zeros(f.shape[1]), svd.right[:, :k], svd.singular_values[:k], shares(svd)[:k])
    return _by_variance(f, svd, method, mapping)


def _principal(f: Factorization, svd: Svd, method: str, k: int, seed: int) -> Axes:
    return _by_variance(f, svd, method, principal_scores(f.spectrum, k))


def _by_variance(f: Factorization, svd: Svd, method: str, mapping: AffineMap) -> Axes:
    k = len(mapping.weight)
    blocks = blocks_of(svd.singular_values[: svd.rank], f.rows_used)
    shown = [(start, min(stop, k)) for start, stop in blocks if start < k]
    cut = next(((start, stop) for start, stop in blocks if start < k < stop), None)
    notes = [Message("block_cut", {"k": k, "first": cut[0] + 1, "last": cut[1]})] if cut else []
    center = (f.spectrum.mean - mapping.offset) @ mapping.weights
    gaps = gaps_of(svd.singular_values)[:k]
    return Axes(method, mapping, mapping.weights, center, mapping.weight, mapping.share, shown, gaps, notes=notes)


def _rotated(f: Factorization, svd: Svd, method: str, k: int, seed: int) -> Axes:
    whiten = AffineMap(
        f.spectrum.mean, np.sqrt(f.rows_used) * svd.right[:, :k] * inverse(svd)[:k], svd.singular_values[:k], shares(svd)[:k]
    )
    rows, _ = sample_rows(whiten.apply(f.blocks), f.shape[0], sample_size(k), seed)
    rotation = rotate(rows, method, seed)
    loadings = svd.right[:, :k] * svd.singular_values[:k] @ rotation.matrix
    weight = np.linalg.norm(loadings, axis=0)
    order = np.argsort(-weight, kind="stable")
    matrix, weight, loadings = rotation.matrix[:, order], weight[order], loadings[:, order]
    to_scores = svd.right[:, :k] * inverse(svd)[:k] @ matrix * weight
    share = weight**2 / np.sum(svd.singular_values**2)
    return Axes(
        method,
        AffineMap(f.spectrum.mean, to_scores, weight, share),
        loadings / weight,
        np.zeros(k),
        weight,
        share,
        consistency=rotation.consistency[order],
        sample={"rows": len(rows), "of": f.rows_used, "seed": seed},
        notes=_unsettled(method, rotation.n_unsettled),
    )


def _parts(f: Factorization, svd: Svd, method: str, k: int, seed: int) -> Axes:
    rows, _ = sample_rows(_not_negative(f), f.shape[0], sample_size(f.shape[1]), seed)
    parts = find_parts(rows, k, seed)
    scores = np.concatenate(list(parts.apply(ArrayBlocks(rows))))
    weight = np.sqrt(np.sum(scores**2, axis=0) * f.rows_used / len(rows))
    order = np.argsort(-weight, kind="stable")
    parts = replace(parts, directions=parts.directions[:, order], consistency=parts.consistency[order])
    return Axes(
        method,
        parts,
        parts.directions,
        scores.mean(axis=0)[order],
        weight[order],
        weight[order] ** 2 / np.sum(svd.singular_values**2),
        consistency=parts.consistency,
        sample={"rows": len(rows), "of": f.rows_used, "seed": seed},
        notes=_unsettled(method, parts.n_unsettled),
    )


def _not_negative(f: Factorization) -> Iterator[np.ndarray]:
    for block in f.blocks:
        if np.any(block < 0):
            raise MatrixError("negative_entries", matrix=f.name)
        yield block


def _unsettled(method: str, n_unsettled: int) -> list[Message]:
    known = {"method": method, "n": n_unsettled, "n_runs": N_RUNS, "n_iterations": MAX_ITERATIONS}
    return [Message("not_settled", known)] if n_unsettled else []
