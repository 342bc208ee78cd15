"""The nearest rows of some rows, exactly, in one pass over all rows.

Nearly every distance only shows that a row is not near, so products are computed in float32, and a row is looked at in float64
where they cannot rule it out. With z a row and q a query, ‖z − q‖² = ‖z‖² − 2z·q + ‖q‖². An inner product of d float32 numbers,
summed in whatever order, is off by at most γ = (1 + u)ᵈ − 1 of the product of the lengths, u = 2⁻²⁴ (Higham 2002, "Accuracy and
Stability", section 3.1), and 2‖z‖‖q‖ ≤ ‖z‖² + ‖q‖². With eight more roundings for what is done before and after, the square is
between (1 ∓ 3γ)‖z‖² − 2z·q + (1 ∓ γ)‖q‖², of ‖z‖² and z·q as computed.

Where rows lie close together and far from zero, that rules out nothing, and a centre is subtracted from both first.

For cosines rows are scaled to length one first: then 1 − cos is half the squared distance.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from functools import cached_property
from typing import Self

import numpy as np

from tb_embfactor.linalg.blocks import Progress, RowBlocks, part_of, reporting, squared_lengths, usable_rows
from tb_embfactor.linalg.crew import Crew
from tb_embfactor.linalg.products import Map

METRICS: dict[str, str] = {
    "cosine": "1 − x·y/(‖x‖‖y‖); rows that are zero have no direction and are nobody's neighbours",
    "euclidean": "‖x − y‖",
}
QUERY_BYTES, MAX_QUERIES = 16 << 20, 4096  # of float64, of rows whose neighbours one pass finds
PRODUCTS = 1 << 20  # of queries and rows, that each thread holds at a time
NUMBERS = 1 << 18  # of rows, that are multiplied or looked at at a time: few enough for a processor's cache
LOOK = 64  # products cost as much as one look in float64, or as placing one row beside a centre
UNIT = 2.0**-24  # of float32
LEAST, MOST = 1e-20, 1e30  # of squared lengths that float32 can be trusted with
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

    Cost: one pass for each `MAX_QUERIES` queries (fewer for wide rows or a large k), 2·V·m·d flops in float32;
    some 50 MB for each thread at most, whatever V, m, d and k, beside the result.
    """
    n_at_once = max(1, min(MAX_QUERIES, QUERY_BYTES // (8 * (blocks.n_columns + 4 * k))))
    batches = [slice(start, start + n_at_once) for start in range(0, len(queries), n_at_once)]
    rows, squares = np.full((len(queries), k), -1), np.full((len(queries), k), np.inf)
    with Crew() as crew:
        for index, batch in enumerate(batches):
            report = part_of(progress or (lambda share: None), index, len(batches))
            found = _search(crew, blocks, _Queries(queries[batch], own[batch], metric), k, report)
            rows[batch], squares[batch] = found.rows, found.squares
    distances = squares / 2 if metric == "cosine" else np.sqrt(squares)
    distances[rows < 0] = np.nan
    return rows, distances


def _search(crew: Crew, blocks: RowBlocks, queries: _Queries, k: int, progress: Progress) -> _Found:
    """One pass."""
    report = reporting(progress, blocks.n_rows)
    return crew.accumulate(lambda: _Found(queries, k), _placed(blocks), False, lambda item: report(item[1]))


class _Queries:
    """What is asked, and what the threads tell each other.

    rows : (m, d) float64, of length one for cosines. own : (m,). frame : in which rows are compared with them at first.

    known : (m,) no row farther than this, squared, is among the nearest. Threads lower it without a lock: where one undoes what
    another did, it is true still.
    """

    def __init__(self, queries: np.ndarray, own: np.ndarray, metric: str) -> None:
        self.metric, self.own = metric, own
        self.rows = queries / np.sqrt(squared_lengths(queries))[:, None] if metric == "cosine" else queries
        self.known = np.full(len(queries), np.inf)
        self.frame = _Frame(self.rows, metric) if squared_lengths(self.rows).max() < MOST else self.centred

    @cached_property
    def centred(self) -> _Frame:
        return _CentredFrame(self.rows, self.metric)


class _Frame:
    """Rows and queries as float32 sees them; here from zero, as they are stored.

    weights : (d, m) float32, −2q. squares : (m,) ‖q‖². unit : of their lengths. lost : how far a row may be from where it is said
    to be, in units, beside the roundings of float32.
    """

    unit = 1.0

    def __init__(self, queries: np.ndarray, metric: str) -> None:
        self.metric = metric
        self.lost = 2.0**-52 * (8 + queries.shape[1]) if metric == "cosine" else 0.0
        self.squares, self.weights = squared_lengths(queries), -2 * queries.astype(np.float32).T

    def compare(self, rows: np.ndarray, products: np.ndarray) -> np.ndarray:
        """‖z‖² of rows, (b,) float32, NaN or Inf where float32 cannot tell; −2z·q is written to products, (b, m) float32."""
        squares = np.empty(len(rows), np.float32)
        step = max(1, NUMBERS // rows.shape[1])
        for start in range(0, len(rows), step):
            part = slice(start, start + step)
            placed = self._place(rows[part])
            np.einsum("ij,ij->i", placed, placed, out=squares[part])
            np.matmul(placed, self.weights, out=products[part])
        return self._scale(squares, products)

    def _place(self, rows: np.ndarray) -> np.ndarray:
        return rows.astype(np.float32, copy=False)

    def _scale(self, squares: np.ndarray, products: np.ndarray) -> np.ndarray:
        if self.metric != "cosine":
            return squares
        products /= np.sqrt(squares)[:, None]
        return np.where((squares > LEAST) & (squares < MOST), np.float32(1), np.float32(np.nan))


class _CentredFrame(_Frame):
    """From the mean of the queries, in units of the longest of it and them from there."""

    def __init__(self, queries: np.ndarray, metric: str) -> None:
        self._center = queries.mean(axis=0)
        offsets, from_zero = queries - self._center, float(np.linalg.norm(self._center))
        self.unit = max(math.sqrt(squared_lengths(offsets).max()), from_zero) or 1.0
        offsets /= self.unit
        super().__init__(offsets, metric)

    def _place(self, rows: np.ndarray) -> np.ndarray:
        offsets = rows.astype(np.float64)
        if self.metric == "cosine":
            offsets /= np.sqrt(squared_lengths(offsets))[:, None]
        offsets -= self._center
        offsets /= self.unit
        return offsets.astype(np.float32)

    def _scale(self, squares: np.ndarray, products: np.ndarray) -> np.ndarray:
        return squares


class _Found:
    """The k nearest rows of each query so far: rows (m, k), ascending by squares (m, k) of their distances."""

    def __init__(self, queries: _Queries, k: int) -> None:
        m, d = queries.rows.shape
        self._queries, self._frame, self._k = queries, queries.frame, k
        self._products = np.empty((max(k + 1, PRODUCTS // m), m), np.float32)
        self._error = math.expm1(UNIT * (d + 8))
        self.rows, self.squares = np.full((m, k), -1), np.full((m, k), np.inf)

    def add(self, item: tuple[int, np.ndarray], each: Map) -> None:
        first, block = item
        step = len(self._products)
        with np.errstate(over="ignore", divide="ignore", invalid="ignore"):
            for start in range(0, len(block), step):
                self._compare(block[start : start + step], first + start)

    def merge(self, other: Self) -> None:
        step = max(1, NUMBERS // self._k)
        for asked in np.split(np.arange(len(self.rows)), range(step, len(self.rows), step)):
            self._take(np.repeat(asked, self._k), other.rows[asked].ravel(), other.squares[asked].ravel())

    def _compare(self, rows: np.ndarray, first: int) -> None:
        """Take in what is near among rows (b, d), of which the first is row `first` of the matrix."""
        queries, m = self._queries, len(self.rows)
        pairs = self._possible(rows)
        if len(pairs) * LOOK > len(rows) * (m + LOOK) and self._frame is not queries.centred:
            self._frame = queries.centred
            pairs = self._possible(rows)
        pairs = pairs[np.argsort((pairs % m).astype(np.uint16), kind="stable")]  # query by query; 16 bits are sorted fastest
        step = max(1, NUMBERS // max(rows.shape[1], self._k))
        for start in range(0, len(pairs), step):
            places, asked = np.divmod(pairs[start : start + step], m)
            exact, found = rows[places].astype(np.float64), first + places
            if queries.metric == "cosine":
                exact /= np.sqrt(squared_lengths(exact))[:, None]
            exact -= queries.rows[asked]
            squares = squared_lengths(exact)
            near = (squares <= queries.known[asked]) & (found != queries.own[asked])
            self._take(asked[near], found[near], squares[near])

    def _possible(self, rows: np.ndarray) -> np.ndarray:
        """The pairs of one of the rows (b, d) and a query that rounding does not let us rule out, as row·m + query."""
        queries, frame, error = self._queries, self._frame, self._error
        least = self._products[: len(rows)]
        squares = frame.compare(rows, least)
        least += (squares * (1 - 3 * error))[:, None]
        if np.isinf(queries.known).any() and len(rows) > self._k:
            most = least + (squares * (6 * error))[:, None]
            most.partition(self._k, axis=0)  # one more than k, for a query's own row
            farthest = np.sqrt(most[self._k] + (1 + error) * frame.squares + UNDERFLOW) + frame.lost
            np.fmin(queries.known, (farthest * frame.unit) ** 2, out=queries.known)
        farthest = np.sqrt(queries.known) / frame.unit + frame.lost
        enough = farthest**2 * (1 + 4 * UNIT) - (1 - error) * frame.squares + UNDERFLOW
        possible = least <= enough.astype(np.float32)
        unseen = np.flatnonzero(~np.isfinite(squares))
        possible[unseen] = usable_queries(rows[unseen].astype(np.float64), queries.metric)[:, None]
        return np.flatnonzero(possible)

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
        known = self._queries.known
        known[touched] = np.minimum(known[touched], self.squares[touched, -1])


def _placed(blocks: Iterable[np.ndarray]) -> Iterator[tuple[int, np.ndarray]]:
    """Each block, and which row its first one is."""
    start = 0
    for block in blocks:
        yield start, block
        start += len(block)
