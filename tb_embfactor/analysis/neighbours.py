"""neighbors(): the nearest rows of some rows of a matrix, over all of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from tb_embfactor.analysis.factorization import as_blocks
from tb_embfactor.errors import UsageError
from tb_embfactor.linalg.blocks import Progress, RowBlocks
from tb_embfactor.linalg.neighbours import METRICS, nearest_rows, usable_queries
from tb_embfactor.linalg.sampling import rows_at
from tb_embfactor.messages import Message
from tb_embfactor.transforms import Transform

MAX_K = 1000


@dataclass(frozen=True)
class Neighbors:
    """The nearest rows of m queries.

    queries : (m,) which rows they are, or None where rows of numbers were given. rows : (m, k) int64, the nearest first; −1
    where there are fewer. distances : (m, k) float64, NaN there. notes : what has to be said beside them.
    """

    metric: str
    queries: np.ndarray | None
    rows: np.ndarray
    distances: np.ndarray
    notes: tuple[Message, ...] = ()

    def of(self, index: int = 0) -> list[tuple[int, float]]:
        """(row, distance) of one query, the nearest first."""
        pairs = zip(self.rows[index].tolist(), self.distances[index].tolist(), strict=True)
        return [(row, distance) for row, distance in pairs if row >= 0]


def neighbors(
    matrix: Any,
    query: Any,
    k: int = 10,
    metric: str = "cosine",
    transform: str | None = None,
    progress: Progress | None = None,
) -> Neighbors:
    """The k nearest rows of one or several rows, exactly, by cosine or Euclidean distance, among all rows.

    Parameters
    ----------
    matrix : what `factorize` accepts. query : labels (of the first label column of a `Matrix`; of several rows with it the
    first), or row numbers, or rows of numbers (m, d); one or several. A row is not its own neighbour; its duplicates are.
    k : from 1 to 1000. metric : cosine, 1 − cos of the angle, or euclidean. transform : steps done to the rows first.

    Rows with NaN or Inf, and for cosine rows that are zero, are nobody's neighbours and have none. Of equally distant rows
    the earlier comes first.

    Raises UsageError for a bad parameter, NotFoundError for a label that no row has.

    Cost: one pass up to the rows that are asked for, and one over all rows for each 4,096 of them (fewer where rows have more
    than some 500 columns or k is large); 2·V·m·d flops, in float32. Memory: about 100 MB, whatever V, and the result.

    >>> neighbors(np.array([[0.0, 1.0], [3.0, 4.0], [1.0, 1.0]]), 0, k=2, metric="euclidean").of()
    [(2, 1.0), (1, 4.242640687119285)]
    """
    if metric not in METRICS:
        raise UsageError("bad_parameter", owner="neighbors", name="metric", needed=f"one of {', '.join(METRICS)}", got=metric)
    if not 1 <= k <= MAX_K:
        raise UsageError("bad_parameter", owner="neighbors", name="k", needed=f"from 1 to {MAX_K}", got=k)
    blocks, name = as_blocks(matrix, transform)
    report = progress or (lambda share: None)
    asked = _numbers(matrix, np.asarray(query), transform)
    are_rows = asked.dtype.kind in "iu" and asked.ndim <= 1 and asked.size > 0
    if are_rows:
        own = asked.ravel().astype(np.int64)
        vectors = _rows(blocks, own)
    elif asked.dtype.kind in "iuf" and asked.shape[-1:] == (blocks.n_columns,) and asked.ndim <= 2:
        vectors = np.atleast_2d(asked).astype(np.float64)
        own = np.full(len(vectors), -1)
    else:
        needed = f"row numbers, labels of {name}, or rows of {blocks.n_columns} numbers"
        raise UsageError("bad_parameter", owner="neighbors", name="query", needed=needed, got=str(query)[:80])
    usable = usable_queries(vectors, metric)
    rows, distances = np.full((len(vectors), k), -1), np.full((len(vectors), k), np.nan)
    rows[usable], distances[usable] = nearest_rows(blocks, vectors[usable], own[usable], k, metric, report)
    report(1.0)
    n_without = int(np.count_nonzero(~usable))
    notes = (Message("no_neighbours", {"matrix": name, "n": n_without, "n_asked": len(vectors)}),) if n_without else ()
    return Neighbors(metric, own if are_rows else None, rows, distances, notes)


def _numbers(matrix: Any, query: np.ndarray, transform: str | None) -> np.ndarray:
    """The query, with row numbers in place of labels. Columns of a transposed matrix have numbers only."""
    if query.dtype.kind != "U":
        return query
    names = query.ravel().tolist()
    if hasattr(matrix, "find_rows") and not Transform.parse(transform).is_transposed:
        return np.asarray(matrix.find_rows(names))
    return np.asarray([int(name) for name in names]) if all(map(str.isdecimal, names)) else query


def _rows(blocks: RowBlocks, asked: np.ndarray) -> np.ndarray:
    """These rows, (m, d) float64, in any order."""
    if asked.min() < 0 or asked.max() >= blocks.n_rows:
        needed = f"row numbers from 0 to {blocks.n_rows - 1}"
        raise UsageError("bad_parameter", owner="neighbors", name="query", needed=needed, got=asked.tolist()[:10])
    distinct, places = np.unique(asked, return_inverse=True)
    return rows_at(blocks, distinct)[places]
