"""Is a spectrum that of a random initialisation? A test at known error rates, whatever distribution the entries came from.

If the entries of n rows are independent with one variance, the eigenvalues of their centred second moments lie between the edges
of the Marchenko–Pastur law, and the extreme ones fluctuate about the edges by the Tracy–Widom law, for normal,
uniform and truncated entries alike (Johnstone 2001, Theorem 1.1; Péché 2009 for other distributions; Ma 2012 for the logarithm
of the smallest). Both ends are compared with the mean eigenvalue, so the scale of the initialisation need not be known.

An orthogonal initialisation has equal singular values instead, but for one that centring makes smaller.
"""

from __future__ import annotations

import numpy as np

from tb_embfactor.linalg.spectrum import Svd

# In units of the Tracy–Widom fluctuation. Its law of order 1 exceeds this with probability 0.06 %, so that both ends
# together, with what finite sizes add (simulated in tests/analysis/test_verdicts.py), stay below 0.2 % from 500×16 up.
LIMIT = 3.5
ORTHOGONAL_SPREAD = 1e-3  # relative; float32 orthogonalisation leaves 1e-6
MIN_LONG_SIDE, MIN_SHORT_SIDE, MAX_ASPECT = 200, 8, 0.8  # beyond them it cannot tell


def edge_deviations(svd: Svd, n_rows: int, n_columns: int) -> tuple[float, float] | None:
    """How far the largest eigenvalue lies above its edge and the smallest below, in units of their fluctuation.

    svd : of centred rows. n_rows : those that are not constant padding. None where the sides are too short or too
    alike, or the rows have no spread. The law is the same for a matrix and its transpose.
    """
    n, d = max(n_rows - 1, n_columns), min(n_rows - 1, n_columns)  # centring takes one row
    if n < MIN_LONG_SIDE or d < MIN_SHORT_SIDE or d > MAX_ASPECT * n or svd.rank == 0:
        return None
    eigenvalues = svd.singular_values[:d] ** 2
    scaled = eigenvalues * (n * d / eigenvalues.sum())
    root_n, root_d = np.sqrt(n - 0.5), np.sqrt(d - 0.5)
    top = (root_n + root_d) ** 2
    top_unit = (root_n + root_d) * (1 / root_n + 1 / root_d) ** (1 / 3)
    bottom = (root_n - root_d) ** 2
    bottom_unit = (root_n - root_d) * (1 / root_d - 1 / root_n) ** (1 / 3) / bottom
    low = (np.log(bottom) + bottom_unit**2 / 8 - np.log(max(scaled[-1], 1e-300))) / bottom_unit
    return float((scaled[0] - top) / top_unit), float(low)


def looks_random(svd: Svd, n_rows: int, n_columns: int) -> bool | None:
    """Whether centred rows look like an i.i.d. or an orthogonal initialisation; None where it cannot be told."""
    deviations = edge_deviations(svd, n_rows, n_columns)
    if deviations is None:
        return None
    values = svd.singular_values[: min(n_rows - 1, n_columns)]
    is_orthogonal = bool(values[-2] > (1 - ORTHOGONAL_SPREAD) * values[0])
    return is_orthogonal or max(deviations) <= LIMIT
