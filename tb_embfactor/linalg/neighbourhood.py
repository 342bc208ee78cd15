"""How far the points keep the neighbours that the rows have."""

from __future__ import annotations

import numpy as np
from sklearn.manifold import trustworthiness

N_ROWS, N_NEIGHBORS = 1000, 10


def neighbour_quality(rows: np.ndarray, points: np.ndarray) -> dict[str, float | int | None]:
    """Trustworthiness and continuity of points, (n, k), of rows, (n, d) (Venna & Kaski 2001), each 0..1.

    Trustworthiness falls with neighbours of points that were far apart as rows, continuity with neighbours of rows
    that are far apart as points. None where there are fewer than 4 rows.

    Cost: 2 n²·(d + k) flops, n² of float64.
    """
    n = len(rows)
    k = min(N_NEIGHBORS, (n - 1) // 2)
    if k < 1 or n < 4:
        return {"trustworthiness": None, "continuity": None, "rows": n, "n_neighbors": k}
    return {
        "trustworthiness": float(trustworthiness(rows, points, n_neighbors=k)),
        "continuity": float(trustworthiness(points, rows, n_neighbors=k)),
        "rows": n,
        "n_neighbors": k,
    }
