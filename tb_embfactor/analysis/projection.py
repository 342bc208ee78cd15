"""project(): the rows of a matrix (or its columns) as points in a few dimensions."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from tb_embfactor.analysis.factorization import Factorization, factorize
from tb_embfactor.errors import UsageError
from tb_embfactor.linalg import projection
from tb_embfactor.linalg.blocks import Progress
from tb_embfactor.transforms import Transform

METHODS: dict[str, str] = {
    "pca": "PCA of W: the centred rows along their principal axes",
    "u": "rows of U: W's rows in the basis of its right singular vectors, each axis scaled to unit length",
    "v": "columns of V: one point for each parameter",
    "pca_of_u": "PCA of U: the literal recipe; its axes are a convention, for U has no preferred ones",
}
MAX_COMPONENTS = 64


@dataclass(frozen=True)
class Projection:
    """points : (n, k) float64, NaN for skipped rows. axes : (d, k), what rows were multiplied by (`v`: the points themselves).

    info : method, whether centred, weight (k,) and share (k,) of each axis, what the points are, rows used and skipped,
    and `notes`, the codes of what has to be said beside the picture.
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
) -> Projection:
    """Project the rows (columns for `v`) of a matrix.

    Parameters
    ----------
    matrix : what `factorize` accepts, or a Factorization (which is then not computed again).
    method : one of METHODS. n_components : from 1 to 64; fewer come back where the matrix has fewer axes.
    axes : (d, k) for `pca` only: axes of another step to use instead of the matrix's own.

    Cost: that of `factorize`, and one pass for the points. The sign of every axis is fixed as `Svd.right` says.

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
    if axes is not None and method != "pca":
        raise UsageError("bad_parameter", owner="project", name="axes", needed="left out unless method is pca", got=method)
    f = matrix if isinstance(matrix, Factorization) else factorize(matrix, transform=transform, progress=progress)
    info: dict[str, Any] = {
        "method": method,
        "centered": method in ("pca", "pca_of_u"),
        "points_are": "columns" if (method == "v") != Transform.parse(f.transform).is_transposed else "rows",
        "rows_used": f.rows_used,
        "rows_skipped": f.rows_skipped,
        "notes": ["basis_of_u"] if method == "pca_of_u" else [],
    }
    if method == "v":
        points, svd = projection.right_vectors(f.spectrum, n_components)
        k = points.shape[1]
        return Projection(points, points, {**info, "weight": svd.singular_values[:k], "share": projection.shares(svd)[:k]})
    if axes is not None:
        if axes.shape[0] != f.shape[1]:
            raise UsageError(
                "bad_parameter", owner="project", name="axes", needed=f"axes with {f.shape[1]} entries", got=list(axes.shape)
            )
        chosen = projection.scores_on_axes(f.spectrum, axes[:, :n_components])
    else:
        build = {"pca": projection.principal_scores, "u": projection.left_vectors, "pca_of_u": projection.pca_of_left_vectors}
        chosen = build[method](f.spectrum, n_components)
    points = np.concatenate(list(chosen.apply(f.blocks)))
    return Projection(points, chosen.weights, {**info, "weight": chosen.weight, "share": chosen.share})
