"""compare(): how alike two matrices are over the rows that they share, and which rows have changed most."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from tb_embfactor.analysis.factorization import as_blocks
from tb_embfactor.errors import MatrixError, UsageError
from tb_embfactor.linalg import comparison
from tb_embfactor.linalg.blocks import ArrayBlocks, Progress, RowBlocks, pairs
from tb_embfactor.linalg.extremes import Extremes
from tb_embfactor.linalg.moments import CrossMoments, cross_moments
from tb_embfactor.linalg.sampling import Picked, rows_at

MATCHES = ("index", "label")
MAX_GATHERED_BYTES = 1 << 30  # of rows in another order than those of the other matrix, which are held in memory
MEASURES = ("linear_cka", "procrustes", "svcca", "pwcca", "principal_angles", "neighbour_overlap")


@dataclass(frozen=True)
class Changed:
    """A row of a, the row of b that it was matched with, and how far apart they are (see `Comparison.most_changed`)."""

    row: int
    row_b: int
    change: float


@dataclass(frozen=True)
class Comparison:
    """rows_matched : pairs that were compared. rows_skipped : pairs left out for NaN or Inf in one of them.

    measures : by key of MEASURES; None where one of the matrices has no spread over the rows (or there are too few).
    most_changed : the pairs that are farthest apart after a was rotated and scaled onto b as well as can be, in units of
        the root mean square distance of b's rows from their mean; the farthest first.
    """

    rows_matched: int
    rows_skipped: int
    measures: dict[str, float | list[float] | None]
    most_changed: tuple[Changed, ...]


def compare(
    a: Any,
    b: Any,
    match: str = "index",
    transform: str | None = None,
    n_top: int = 10,
    seed: int = 0,
    progress: Progress | None = None,
    *,
    labels: tuple[Sequence[Any], Sequence[Any]] | None = None,
) -> Comparison:
    """Compare two matrices over matched rows; they may have different numbers of columns.

    Parameters
    ----------
    a, b : what `factorize` accepts. match : "index": row i with row i, as far as both go; "label": rows of the same label
        (the first row of each label), of the first label column of both, or of `labels`.
    n_top : how many of the most changed rows, from 1 to 100. seed : of the rows whose neighbours are compared.

    Raises UsageError for a bad parameter or missing labels, MatrixError where fewer than two rows match.

    Cost: two passes over both, V·(d² + 2·d·e + e²) flops, O((d + e)³), (d + e)² float64; matched rows of b that
    stand in another order than those of a are held in memory, at most 1 GB.

    >>> rows = np.random.default_rng(0).normal(size=(50, 3))
    >>> round(compare(rows, 2 * rows[:, ::-1]).measures["linear_cka"], 9)
    1.0
    """
    if match not in MATCHES:
        raise UsageError("bad_parameter", owner="compare", name="match", needed=f"one of {', '.join(MATCHES)}", got=match)
    if not 1 <= n_top <= 100:
        raise UsageError("bad_parameter", owner="compare", name="n_top", needed="from 1 to 100", got=n_top)
    (blocks_a, name_a), (blocks_b, name_b) = as_blocks(a, transform), as_blocks(b, transform)
    if match == "index":
        rows_a = rows_b = np.arange(min(blocks_a.n_rows, blocks_b.n_rows))
    else:
        of_a, of_b = labels or (_labels(a, name_a), _labels(b, name_b))
        rows_a, rows_b = _same_labels(of_a, of_b)
    matched_a, matched_b = Picked(blocks_a, rows_a), _in_order(blocks_b, rows_b, name_b)
    report = progress or (lambda share: None)
    moments = cross_moments(matched_a, matched_b, lambda share: report(share / 2)) if len(rows_a) else None
    if moments is None or moments.n_rows < 2:
        n_rows = moments.n_rows if moments else 0
        raise MatrixError("no_matched_rows", a=name_a, b=name_b, n_rows=n_rows, match=match)
    measures: dict[str, float | list[float] | None] = dict.fromkeys(MEASURES)
    changed: tuple[Changed, ...] = ()
    if comparison.has_spread(moments):
        disparity, rotation, scale = comparison.procrustes(moments)
        measures |= _measures(moments) | {"procrustes": disparity}
        farthest = _changes(matched_a, matched_b, moments, rotation * scale, n_top)
        changed = tuple(Changed(int(rows_a[row]), int(rows_b[row]), change) for row, change in farthest)
    shown = np.sort(np.random.default_rng(seed).permutation(len(rows_a))[: comparison.N_ROWS])
    sample_a, sample_b = rows_at(matched_a, shown), rows_at(matched_b, shown)
    usable = np.isfinite(sample_a).all(axis=1) & np.isfinite(sample_b).all(axis=1)
    measures["neighbour_overlap"] = comparison.neighbour_overlap(sample_a[usable], sample_b[usable])
    report(1.0)
    return Comparison(moments.n_rows, moments.n_skipped, measures, changed)


def _measures(moments: CrossMoments) -> dict[str, float | list[float] | None]:
    a, b = comparison.Side.of(moments.gram_a), comparison.Side.of(moments.gram_b)
    svcca, pwcca = comparison.mean_correlations(a, b, moments.cross)
    angles = comparison.principal_angles(a, b, moments.cross).tolist()
    return {"linear_cka": comparison.linear_cka(moments), "svcca": svcca, "pwcca": pwcca, "principal_angles": angles}


def _changes(a: RowBlocks, b: RowBlocks, moments: CrossMoments, turn: np.ndarray, n_top: int) -> list[tuple[int, float]]:
    """The matched pairs that are farthest apart when a is turned onto b, one pass over both."""
    farthest, row = Extremes(n_top, 1), 0
    unit = np.sqrt(np.trace(moments.gram_b) / moments.n_rows)
    for one, other in pairs(a, b):
        with np.errstate(invalid="ignore", over="ignore"):  # rows with NaN or Inf are in no list
            apart = (one.astype(np.float64) - moments.mean_a) @ turn - (other.astype(np.float64) - moments.mean_b)
            lengths = np.linalg.norm(apart, axis=1, keepdims=True) / unit
        farthest.add(np.where(np.isfinite(lengths), lengths, np.nan), row)
        row += len(one)
    return farthest.of(0)


def _labels(matrix: Any, name: str) -> Sequence[Any]:
    found = matrix.row_labels() if hasattr(matrix, "row_labels") else None
    if found is None:
        raise UsageError("bad_parameter", owner="compare", name="match", needed=f"index, for {name} has no labels", got="label")
    return found


def _same_labels(of_a: Sequence[Any], of_b: Sequence[Any]) -> tuple[np.ndarray, np.ndarray]:
    """Rows of both with the same label, in the order of a; of a label that stands at several rows the first."""
    row_of = {label: row for row, label in reversed(list(enumerate(of_b)))}
    first = {label: row for row, label in reversed(list(enumerate(of_a))) if label is not None and label in row_of}
    rows_a = np.sort(np.array(list(first.values()), np.int64))
    return rows_a, np.array([row_of[of_a[row]] for row in rows_a], np.int64)


def _in_order(blocks: RowBlocks, rows: np.ndarray, name: str) -> RowBlocks:
    """The rows in the order asked for: streamed where it is their own, else gathered."""
    if np.all(np.diff(rows) > 0):
        return Picked(blocks, rows)
    n_bytes = 8 * len(rows) * blocks.n_columns
    if n_bytes > MAX_GATHERED_BYTES:
        sizes = {"size": f"{n_bytes / 2**30:.1f} GB over the matched rows", "limit": f"{MAX_GATHERED_BYTES >> 30} GB"}
        raise MatrixError("matrix_too_large", matrix=name, what="comparing rows in another order", **sizes)
    order = np.argsort(rows)
    gathered = np.empty((len(rows), blocks.n_columns))
    gathered[order] = rows_at(blocks, rows[order])
    return ArrayBlocks(gathered)
