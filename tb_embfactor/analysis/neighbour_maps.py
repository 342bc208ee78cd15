"""Maps that keep neighbours rather than distances: t-SNE and UMAP of a stated sample of rows."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np

from tb_embfactor.analysis.factorization import Factorization
from tb_embfactor.errors import MatrixError, UsageError
from tb_embfactor.linalg.projection import principal_scores
from tb_embfactor.linalg.sampling import sample_rows

MAX_ROWS = {"tsne": 5_000, "umap": 20_000}  # what takes about a minute on one processor
N_DIMS = 50  # leading principal axes that the map is made of
PERPLEXITY, UMAP_NEIGHBORS = 30, 15
MIN_ROWS = 8


def neighbour_map(f: Factorization, method: str, n_components: int, seed: int) -> tuple[np.ndarray, dict[str, Any]]:
    """Points of the sampled rows, (V, k) with NaN for the others, and what the map is made of.

    t-SNE (van der Maaten & Hinton 2008) by scikit-learn, UMAP (McInnes et al. 2018) by umap-learn, both from the rows'
    scores on the 50 leading principal axes and from a seed; the same seed gives the same map on the same machine.

    Cost: one pass; t-SNE n·log n steps (a minute for 5,000 rows), UMAP a quarter of that and half a minute to start.
    """
    mapping = principal_scores(f.spectrum, N_DIMS)
    rows, chosen = sample_rows(mapping.apply(f.blocks), f.shape[0], MAX_ROWS[method], seed)
    if len(rows) < MIN_ROWS:
        raise MatrixError("too_few_rows", matrix=f.name, method=method, needed=MIN_ROWS, got=len(rows))
    k = min(n_components, 3)
    mapped = (_tsne if method == "tsne" else _umap)(rows / np.abs(rows).max(), k, seed)
    points = np.full((f.shape[0], k), np.nan)
    points[chosen] = mapped - mapped.mean(axis=0)
    made_of = {"n_dims": rows.shape[1], "share": float(mapping.share.sum())}
    return points, {"made_of": made_of, "sample": {"rows": len(rows), "of": f.rows_used, "seed": seed}}


def _tsne(rows: np.ndarray, k: int, seed: int) -> np.ndarray:
    from sklearn.manifold import TSNE

    start = rows[:, :k] if rows.shape[1] >= k else "random"
    start = start / np.std(start[:, 0]) * 1e-4 if isinstance(start, np.ndarray) else start
    perplexity = min(PERPLEXITY, (len(rows) - 1) / 3)
    return TSNE(k, perplexity=perplexity, init=start, random_state=seed).fit_transform(rows).astype(np.float64)


def _umap(rows: np.ndarray, k: int, seed: int) -> np.ndarray:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of numba and pynndescent, about themselves
            from umap import UMAP
    except ImportError as error:
        raise UsageError("method_missing", method="umap", package="tb-embfactor[umap]") from error
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model = UMAP(n_neighbors=min(UMAP_NEIGHBORS, len(rows) - 1), n_components=k, random_state=seed, n_jobs=1)
        return np.asarray(model.fit_transform(rows), np.float64)
