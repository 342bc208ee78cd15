"""The nearest rows of some rows, exactly, in one pass over all rows.

Nearly every distance only shows that a row is not near, so products are computed in float32, and a row is looked at in float64
where they cannot rule it out. The inner product of d float32 numbers is off by at most (d + 2)·2⁻²⁴ of the lengths, in whatever
order it is summed (Higham 2002, "Accuracy and Stability", section 3.1). With z a row and q a query, both minus a centre,
‖z − q‖²/2 = ‖z‖²/2 + ‖q‖²/2 − z·q, so a row is ruled out where z·q − ‖z‖²/2, at the most that it can be, is too small.

For cosines rows are scaled to length one first: then 1 − cos is half the squared distance.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Self

import numpy as np

from tb_embfactor.linalg.blocks import Progress, RowBlocks, chunk_rows, part_of, reporting, squared_lengths, usable_rows
from tb_embfactor.linalg.crew import Crew
from tb_embfactor.linalg.products import Map

METRICS: dict[str, str] = {
    "cosine": "1 − x·y/(‖x‖‖y‖); rows that are zero have no direction and are nobody's neighbours",
    "euclidean": "‖x − y‖",
}
QUERY_BYTES, MAX_QUERIES = 16 << 20, 4096  # of float64, of rows whose neighbours one pass finds
PRODUCTS = 1 << 21  # of queries and rows, that each thread holds at a time
COMPARED = 1 << 19  # numbers of the rows that are looked at in float64 at a time
UNIT = 2.0**-24  # of float32
LEAST, MOST = 1e-20, 1e20  # of squared lengths of rows in float32
UNDERFLOW = 1e-30  # more than all that float32 loses where products are too small for it


def usable_queries(queries: np.ndarray, metric: str) -> np.ndarray:
    """Which rows, (m, d), have distances to others, (m,) bool: no NaN or Inf, and for cosines not zero."""
    squares = squared_lengths(queries)
    return usable_rows(squares) & ((squares > 0) | (metric != "cosine"))


def nearest_rows(
    blocks: RowBlocks, queries: np.ndarray, own: np.ndarray, k: int, metric: str, progress: Progress | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """The k nearest rows of each query: their indices, (m, k) int64, and distances, (m, k) float64, ascending.

    Of equally distant rows the earlier comes first. Where there are fewer than k, the rest is −1 and NaN.

    queries : (m, d) float64, usable. own : (m,), the row that a query is and that is not its own neighbour, or −1.

    Cost: one pass for each `MAX_QUERIES` queries (fewer for wide rows), 2·V·m·d flops in float32 and a few of V·d in float64;
    some 40 MB for each thread, whatever V, m and d, beside the result.
    """
    n_at_once = max(1, min(MAX_QUERIES, QUERY_BYTES // (8 * blocks.n_columns)))
    batches = [slice(start, start + n_at_once) for start in range(0, len(queries), n_at_once)]
    rows, squares = np.full((len(queries), k), -1), np.full((len(queries), k), np.inf)
    with Crew() as crew:
        for index, batch in enumerate(batches):
            report = part_of(progress or (lambda share: None), index, len(batches))
            found = _search(crew, blocks, _Queries(queries[batch], own[batch], metric), k, report)
            rows[batch], squares[batch] = found.rows, found.squares
    distances = squares / 2 if metric == "cosine" else np.sqrt(squares)
    return rows, np.where(rows < 0, np.nan, distances)


def _search(crew: Crew, blocks: RowBlocks, queries: _Queries, k: int, progress: Progress) -> _Found:
    """One pass."""
    report = reporting(progress, blocks.n_rows)
    return crew.accumulate(lambda: _Found(queries, k), _placed(blocks), False, lambda item: report(item[1]))


class _Queries:
    """rows : (m, d) float64, of length one for cosines. own : (m,). center : (d,). squares : (m,) ‖q‖² from there.

    from_center : how far the centre is from zero.

    scaled : (m, d) float32, from there, in units of `scale`.
    """

    def __init__(self, queries: np.ndarray, own: np.ndarray, metric: str) -> None:
        self.is_cosine, self.own = metric == "cosine", own
        self.rows = queries / np.sqrt(squared_lengths(queries))[:, None] if self.is_cosine else queries
        self.center = self.rows.mean(axis=0)
        self.from_center = float(np.linalg.norm(self.center))
        offsets = self.rows - self.center
        self.squares = squared_lengths(offsets)
        self.scale = float(np.sqrt(self.squares.max())) or 1.0
        self.scaled = (offsets / self.scale).astype(np.float32)


class _Found:
    """The k nearest rows of each query so far: rows (m, k), ascending by squares (m, k) of their distances."""

    def __init__(self, queries: _Queries, k: int) -> None:
        m, d = queries.rows.shape
        self._queries, self._k = queries, k
        self._n_at_once = min(chunk_rows(d), max(k + 1, PRODUCTS // m))
        self.rows, self.squares = np.full((m, k), -1), np.full((m, k), np.inf)

    def add(self, item: tuple[int, np.ndarray], each: Map) -> None:
        first, block = item
        for start in range(0, len(block), self._n_at_once):
            rows = block[start : start + self._n_at_once]
            squares = squared_lengths(rows) if rows.dtype != np.float32 else np.einsum("ij,ij->i", rows, rows).astype(np.float64)
            if rows.dtype != np.float32 or not np.all((squares == 0) | ((squares > LEAST) & (squares < MOST))):
                rows = rows.astype(np.float64)
                squares = squared_lengths(rows)
            usable = usable_rows(squares) & ((squares > 0) | (not self._queries.is_cosine))
            if not usable.all():
                rows, squares = rows[usable], squares[usable]
            self._compare(rows, squares, first + start + np.flatnonzero(usable))

    def merge(self, other: Self) -> None:
        self._take(np.repeat(np.arange(len(self.rows)), self._k), other.rows.ravel(), other.squares.ravel())

    def _compare(self, rows: np.ndarray, squares: np.ndarray, indices: np.ndarray) -> None:
        """Take in what is near among usable rows (b, d)."""
        asked, places = self._possible(rows, squares)
        step = max(1, COMPARED // rows.shape[1])
        for start in range(0, len(asked), step):
            queries, among = asked[start : start + step], places[start : start + step]
            exact = rows[among].astype(np.float64)
            if self._queries.is_cosine:
                exact /= np.sqrt(squared_lengths(exact))[:, None]
            distances, found = squared_lengths(exact - self._queries.rows[queries]), indices[among]
            near = (distances <= self.squares[queries, -1]) & (found != self._queries.own[queries])
            self._take(queries[near], found[near], distances[near])

    def _possible(self, rows: np.ndarray, squares: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Pairs of a query and one of the rows that rounding does not let us rule out, as two lists of indices.

        rows : (b, d) float32 with squares well inside its range, or float64. squares : (b,) of their lengths.
        """
        queries, (b, d), kind = self._queries, rows.shape, rows.dtype
        if queries.is_cosine:
            offsets = rows * (1 / np.sqrt(squares)).astype(kind)[:, None]
            offsets -= queries.center.astype(kind)
            reach = 1 + queries.from_center
        else:
            offsets = rows - queries.center.astype(kind)
            reach = np.sqrt(squares) + queries.from_center
        lengths = np.sqrt(np.einsum("ij,ij->i", offsets, offsets)).astype(np.float64)
        if kind == np.float64:
            scale = float(lengths.max(initial=0.0)) or 1.0
            offsets /= scale
        else:
            scale = 1.0
        halves = lengths**2 / (2 * scale * queries.scale)
        lost = float(np.finfo(kind).eps) * 2 * reach / scale  # of the rows, by scaling and shifting
        slack = UNIT * (d + 8) * (lengths / scale + halves) + lost * (1 + lengths / queries.scale) + UNDERFLOW
        known = self.squares[:, -1]
        with np.errstate(over="ignore"):  # of what is far beyond float32, infinity says enough
            most = queries.scaled @ offsets.astype(np.float32, copy=False).T
            most -= (halves - slack).astype(np.float32)
            enough = (queries.squares - known - 4 * UNIT * (queries.squares + known)) / (2 * scale * queries.scale)
            enough = enough.astype(np.float32)
            new = np.isinf(known)
            if new.any() and b > self._k:
                least = most[new] - (2 * slack).astype(np.float32)
                enough[new] = np.partition(least, b - self._k - 1, axis=1)[:, b - self._k - 1]  # one more, for its own row
        asked, places = np.nonzero(most >= enough[:, None])
        return asked, places

    def _take(self, asked: np.ndarray, rows: np.ndarray, squares: np.ndarray) -> None:
        """Put more rows among the nearest of the queries that they were found for."""
        touched = np.unique(asked)
        asked = np.concatenate([np.repeat(touched, self._k), asked])
        rows = np.concatenate([self.rows[touched].ravel(), rows])
        squares = np.concatenate([self.squares[touched].ravel(), squares])
        order = np.lexsort((rows, squares, asked))
        first = np.searchsorted(asked[order], touched)
        kept = order[(first[:, None] + np.arange(self._k)).ravel()]
        self.rows[touched], self.squares[touched] = rows[kept].reshape(-1, self._k), squares[kept].reshape(-1, self._k)


def _placed(blocks: Iterable[np.ndarray]) -> Iterator[tuple[int, np.ndarray]]:
    """Each block, and which row its first one is."""
    start = 0
    for block in blocks:
        yield start, block
        start += len(block)
