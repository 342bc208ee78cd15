"""metrics(): the named numbers of a matrix. The tab, docs/numbers.md and `tb-embfactor spectrum --help` show the same table.

registry.py     the table
directions.py   how many directions the rows use
noise.py        what stands out of a random matrix
rows.py         norms, cosines, zeros, and rows that never moved
pairs.py        two matrices over the rows that they share
tail.py         the tail of the spectrum as a power law
"""

from __future__ import annotations

from tb_embfactor.analysis.factorization import Factorization
from tb_embfactor.analysis.numbers import directions, noise, pairs, rows, tail
from tb_embfactor.analysis.numbers.registry import METRICS, Metric, Number

__all__ = ["METRICS", "Metric", "Number", "directions", "metrics", "noise", "pairs", "rows", "tail"]


def metrics(factorization: Factorization) -> dict[str, Number]:
    """Every named number of a matrix alone, by key. None of them reads it again.

    >>> import numpy as np
    >>> from tb_embfactor.analysis.factorization import factorize
    >>> numbers = metrics(factorize(np.vstack([np.eye(3), -np.eye(3)])))
    >>> round(numbers["effective_rank"], 6), numbers["energy_rank_90"], round(numbers["mean_cosine"], 6)
    (3.0, 3, -0.2)
    """
    return {key: metric.compute(factorization.spectrum) for key, metric in METRICS.items() if metric.subject == "matrix"}
