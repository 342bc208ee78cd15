"""project(): the rows of a matrix (or its columns) as points in a few dimensions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from tb_embfactor.analysis.axes import find_axes
from tb_embfactor.analysis.factorization import Factorization, factorize
from tb_embfactor.analysis.neighbour_maps import neighbour_map
from tb_embfactor.errors import MatrixError, UsageError
from tb_embfactor.linalg import projection
from tb_embfactor.linalg.blocks import Progress
from tb_embfactor.linalg.neighbourhood import N_ROWS, neighbour_quality
from tb_embfactor.linalg.sampling import rows_at
from tb_embfactor.linalg.supervised import axes_beside, discriminate, line_between
from tb_embfactor.messages import Message
from tb_embfactor.transforms import Transform

METHODS: dict[str, str] = {
    "pca": "PCA of W: the centred rows along their principal axes",
    "u": "rows of U: W's rows in the basis of its right singular vectors, each axis scaled to unit length",
    "v": "columns of V: one point for each parameter",
    "pca_of_u": "PCA of U: the literal recipe; its axes are a convention, for U has no preferred ones",
    "varimax": "the centred rows along principal axes turned so that each row has much of few of them",
    "ica": "the centred rows along principal axes turned so that they are as independent as possible",
    "nmf": "how much rows without negative entries have of each of a few non-negative parts",
    "lda": "the centred rows along axes that tell groups of rows apart (linear discriminants of a label column)",
    "line": "the centred rows along the line from one row or group to another, and the principal axes beside it",
    "tsne": "a map that keeps neighbours, not distances (t-SNE), of a sample of rows",
    "umap": "a map that keeps neighbours, not distances (UMAP), of a sample of rows; needs tb-embfactor[umap]",
}
MAX_COMPONENTS = 64
SEEDED = ("varimax", "ica", "nmf", "tsne", "umap")
CENTERED = ("pca", "pca_of_u", "varimax", "ica", "lda", "line")


@dataclass(frozen=True)
class Projection:
    """points : (n, k) float64, NaN for skipped rows and for rows that a map of a sample leaves out.

    axes : (d, k), what rows were multiplied by (`v`: the points themselves; (d, 0) where points are no product).
    info : method, whether centred, weight (k,) and share (k,) of each axis and the `total_share` of the space they span
        (None where points are no product), what the points are, rows used and skipped, what belongs to the method
        (sample, consistency, groups, …), and `notes`, what has to be said beside the picture.
    """

    points: np.ndarray
    axes: np.ndarray
    info: dict[str, Any]


def project(
    matrix: Any,
    method: str = "pca",
    n_components: int = 3,
    transform: str | None = None,
    axes: np.ndarray | None = None,
    progress: Progress | None = None,
    *,
    labels: Sequence[Any] | None = None,
    between: tuple[Sequence[int], Sequence[int]] | None = None,
    seed: int = 0,
    with_quality: bool = False,
) -> Projection:
    """Project the rows (columns for `v`) of a matrix.

    Parameters
    ----------
    matrix : what `factorize` accepts, or a Factorization (which is then not computed again).
    method : one of METHODS. n_components : from 1 to 64; fewer come back where the matrix has fewer axes.
    axes : (d, k) for `pca` only: axes of another step to use instead of the matrix's own.
    labels : (V,) for `lda` only: the group of each row, None for a row without one.
    between : for `line` only: the rows where the line begins, and those where it ends; it goes from mean to mean.
    seed : of the rows and the starts of a search or a map.
    with_quality : also measure, on 1,000 rows, how far the points keep the neighbours of the rows.

    Raises UsageError for a bad parameter, MatrixError where the matrix or the groups do not allow the question.

    Cost: that of `factorize`, and one pass for the points; another for `lda`, `line`, searches, maps and the quality.
    The sign of every axis is fixed as `Svd.right` says.

    >>> points = project(np.eye(4), "u", n_components=2).points
    >>> points.shape
    (4, 2)
    """
    if method not in METHODS:
        raise UsageError("bad_parameter", owner="project", name="method", needed=f"one of {', '.join(METHODS)}", got=method)
    if not 1 <= n_components <= MAX_COMPONENTS:
        raise UsageError(
            "bad_parameter", owner="project", name="n_components", needed=f"from 1 to {MAX_COMPONENTS}", got=n_components
        )
    for name, value, needs in (("axes", axes, "pca"), ("labels", labels, "lda"), ("between", between, "line")):
        if value is not None and method != needs:
            raise UsageError("bad_parameter", owner="project", name=name, needed=f"left out unless method is {needs}", got=method)
    f = matrix if isinstance(matrix, Factorization) else factorize(matrix, transform=transform, progress=progress)
    found = _project(f, method, n_components, axes, labels, between, seed)
    info: dict[str, Any] = {
        "method": method,
        "centered": method in CENTERED,
        "points_are": "columns" if (method == "v") != Transform.parse(f.transform).is_transposed else "rows",
        "rows_used": f.rows_used,
        "rows_skipped": f.rows_skipped,
        "notes": [],
        **found.info,
    }
    if with_quality:
        info["quality"] = _quality(f, found.points, seed) if method != "v" else None
    return Projection(found.points, found.axes, info)


def _project(
    f: Factorization,
    method: str,
    k: int,
    axes: np.ndarray | None,
    labels: Sequence[Any] | None,
    between: tuple[Sequence[int], Sequence[int]] | None,
    seed: int,
) -> Projection:
    if method == "v":
        points, svd = projection.right_vectors(f.spectrum, k)
        weight, share = svd.singular_values[: points.shape[1]], projection.shares(svd)[: points.shape[1]]
        return Projection(points, points, _weights(weight, share))
    if method in ("tsne", "umap"):
        _require_spread(f)
        points, info = neighbour_map(f, method, k, seed)
        nothing = np.full(points.shape[1], np.nan)
        about = {"weight": nothing, "share": nothing, "total_share": None, "notes": [Message("map_of_neighbours")]}
        return Projection(points, np.empty((f.shape[1], 0)), info | about)
    if method in ("varimax", "ica", "nmf"):
        turned = find_axes(f, method, k, seed)
        points = np.concatenate(list(turned.scores.apply(f.blocks)))
        searched = {"sample": turned.sample, "consistency": turned.consistency, "notes": turned.notes}
        return Projection(points, turned.directions, _weights(turned.weight, turned.share) | searched)
    if method == "lda":
        return _discriminants(f, labels, k)
    if method == "line":
        return _line(f, between, k)
    if axes is not None:
        if axes.shape[0] != f.shape[1]:
            raise UsageError(
                "bad_parameter", owner="project", name="axes", needed=f"axes with {f.shape[1]} entries", got=list(axes.shape)
            )
        return _along(f, projection.scores_on_axes(f.spectrum, axes[:, :k]))
    build = {"pca": projection.principal_scores, "u": projection.left_vectors, "pca_of_u": projection.pca_of_left_vectors}
    return _along(f, build[method](f.spectrum, k), {"notes": [Message("basis_of_u")]} if method == "pca_of_u" else {})


def _along(f: Factorization, mapping: projection.AffineMap, more: dict[str, Any] | None = None) -> Projection:
    points = np.concatenate(list(mapping.apply(f.blocks)))
    return Projection(points, mapping.weights, _weights(mapping.weight, mapping.share) | (more or {}))


def _weights(weight: np.ndarray, share: np.ndarray) -> dict[str, Any]:
    return {"weight": weight, "share": share, "total_share": float(share.sum())}


def _discriminants(f: Factorization, labels: Sequence[Any] | None, k: int) -> Projection:
    """Axes that tell the groups apart; they are not orthogonal, so what they share of the variance is that of their span."""
    _require_spread(f)
    if labels is None or len(labels) != f.shape[0]:
        got = None if labels is None else f"{len(labels)} labels"
        raise UsageError("bad_parameter", owner="project", name="labels", needed=f"one for each of {f.shape[0]} rows", got=got)
    known = list(dict.fromkeys(label for label in labels if label is not None))
    number = {label: index for index, label in enumerate(known)}
    groups = np.array([number.get(label, -1) for label in labels])
    n_labelled = int(np.sum(groups >= 0))
    if len(known) < 2:
        raise MatrixError("one_group", matrix=f.name, n_groups=len(known))
    if 2 * len(known) > n_labelled:
        raise MatrixError("too_many_groups", matrix=f.name, n_groups=len(known), n_rows=n_labelled)
    found = discriminate(f.blocks, f.spectrum, groups, k)
    span, _ = np.linalg.qr(found.axes)
    chance = {"n_groups": len(known), "found": f"{found.between[0]:.0%}", "by_chance": f"{found.by_chance:.0%}"}
    more = {
        "total_share": float(projection.scores_on_axes(f.spectrum, span).share.sum()),
        "between": found.between,
        "by_chance": found.by_chance,
        "groups": known,
        "notes": [Message("groups_by_chance", chance)],
    }
    return _along(f, projection.scores_on_axes(f.spectrum, found.axes), more)


def _line(f: Factorization, between: tuple[Sequence[int], Sequence[int]] | None, k: int) -> Projection:
    _require_spread(f)
    groups = [np.asarray(rows, np.int64) for rows in between or ((), ())]
    if len(groups) != 2 or not all(len(rows) and rows.min() >= 0 and rows.max() < f.shape[0] for rows in groups):
        needed = f"two groups of rows, each from 0 to {f.shape[0] - 1}"
        raise UsageError("bad_parameter", owner="project", name="between", needed=needed, got=between)
    direction = line_between(f.blocks, (groups[0], groups[1]))
    if not direction.any():
        raise MatrixError("no_line", matrix=f.name)
    return _along(f, projection.scores_on_axes(f.spectrum, axes_beside(f.spectrum, direction, k)))


def _require_spread(f: Factorization) -> None:
    if f.spectrum.centered.rank == 0:
        raise MatrixError("no_spread", matrix=f.name, n_rows=f.rows_used)


def _quality(f: Factorization, points: np.ndarray, seed: int) -> dict[str, Any]:
    """On a sample of the rows that have a point."""
    shown = np.flatnonzero(np.isfinite(points).all(axis=1))
    chosen = shown if len(shown) <= N_ROWS else np.sort(np.random.default_rng(seed).choice(shown, N_ROWS, replace=False))
    return neighbour_quality(rows_at(f.blocks, chosen), points[chosen])
