"""Is a spectrum that of a random initialisation? A test at known error rates, whatever distribution the entries came from.

If the entries of n rows are independent with one variance, the eigenvalues of their centred second moments lie between the edges
of the Marchenko–Pastur law, and the extreme ones fluctuate about the edges by the Tracy–Widom law, for normal,
uniform and truncated entries alike (Johnstone 2001, Theorem 1.1; Péché 2009 for other distributions; Ma 2012 for the logarithm
of the smallest). The spread of all of them about their mean, n·d·Σλ²/(Σλ)² − n − d, is normal with a variance of 4 about
1 + the excess kurtosis of the entries (John 1971; Ledoit & Wolf 2002, Proposition 3; Wang & Yao 2013): one
strong direction is seen at the edge, and many weak ones in the spread. The mean eigenvalue is the scale, so that of the
initialisation need not be known.

Where the sides are nearly equal the smallest eigenvalue meets zero and follows another law: it is not looked at.

An orthogonal initialisation has equal singular values instead, but for one that centring makes smaller and one for each row
of zeros.

`benchmarks/verdicts.py` measures the error rates on the initialisers of Keras, TensorFlow and torch; docs/verdicts.md shows them.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tb_embfactor.linalg.spectrum import Svd

# Chosen so that all together are exceeded by fewer than 0.2 % of initialisations of every shape that is looked at.
EDGE_LIMIT = 3.5  # in units of the Tracy–Widom fluctuation
SPREAD_LIMIT = 4.5  # in standard deviations
MEAN_SPREAD = 0.4  # of 1 (normal entries), about 0.4 (truncated ones) and −0.2 (uniform ones) the middle
ORTHOGONAL_SPREAD = 1e-3  # relative; float32 orthogonalisation leaves 1e-6
MIN_LONG_SIDE, MIN_SHORT_SIDE = 50, 8  # below them it cannot tell
MAX_BOTTOM_ASPECT = 0.8  # short side over long side, up to which the smallest eigenvalue is looked at


@dataclass(frozen=True)
class Deviations:
    """How far a spectrum is from that of independent entries, each in units of its fluctuation.

    top : of the largest eigenvalue above its edge. bottom : of the smallest below, −∞ where it is not looked at.
    spread : of all of them about their mean; negative where they are more alike.
    """

    top: float
    bottom: float
    spread: float

    @property
    def are_by_chance(self) -> bool:
        return max(self.top, self.bottom) <= EDGE_LIMIT and abs(self.spread) <= SPREAD_LIMIT


def deviations(svd: Svd, n_rows: int, n_columns: int) -> Deviations | None:
    """See `Deviations`; None where the sides are too short, or the rows have no spread. A matrix and its transpose deviate alike.

    svd : of centred rows. n_rows : those that are not zero.
    """
    n, d = max(n_rows - 1, n_columns), min(n_rows - 1, n_columns)  # centring takes one row
    if max(n_rows, n_columns) < MIN_LONG_SIDE or d < MIN_SHORT_SIDE or svd.rank == 0:
        return None
    eigenvalues = (svd.singular_values[:d] / svd.singular_values[0]) ** 2
    scaled = eigenvalues * (n * d / eigenvalues.sum())
    spread = (np.sum(scaled**2) / (n * d) - n - d - MEAN_SPREAD) / 2
    root_n, root_d = np.sqrt(n - 0.5), np.sqrt(d - 0.5)
    top_unit = (root_n + root_d) * (1 / root_n + 1 / root_d) ** (1 / 3)
    top = (scaled[0] - (root_n + root_d) ** 2) / top_unit
    bottom = -np.inf
    if d <= MAX_BOTTOM_ASPECT * n:
        edge = (root_n - root_d) ** 2
        unit = (root_n - root_d) * (1 / root_d - 1 / root_n) ** (1 / 3) / edge  # of the logarithm
        bottom = (np.log(edge) + unit**2 / 8 - np.log(max(scaled[-1], 1e-300))) / unit
    return Deviations(float(top), float(bottom), float(spread))


def looks_random(svd: Svd, n_rows: int, n_columns: int, n_zero_rows: int = 0) -> bool | None:
    """Whether centred rows look like an i.i.d. or an orthogonal initialisation; None where it cannot be told.

    n_rows : without the n_zero_rows that are zero, as a padding row is.
    """
    found = deviations(svd, n_rows, n_columns)
    if found is None:
        return None
    return found.are_by_chance or _is_orthogonal(svd.singular_values[: min(n_rows - 1, n_columns)], 1 + n_zero_rows)


def _is_orthogonal(values: np.ndarray, n_smaller: int) -> bool:
    """Whether all singular values but the last few are equal."""
    n_equal = max(len(values) - n_smaller, len(values) // 2)
    return bool(values[n_equal - 1] > (1 - ORTHOGONAL_SPREAD) * values[0])
