"""What a sample of rows says of the centred singular values and principal axes, and how far it may be off.

The sample is made of contiguous chunks, one from each of equal parts of the matrix, so that reading it costs little on any disk,
and rows that are sorted (by frequency, mostly) are represented all along. Every other chunk makes a half. The principal axes
are those of the first half, and two spectra are taken along them:

    uneven  the variances of the first half itself. Axes chosen to have much variance in a sample have more of it there than
            in the whole, so the leading values are too large and the last ones too small.
    even    the variances of the second half along the same axes. Each is right for its axis, but the axes are not quite
            those of the matrix, and variances along any orthonormal axes are less uneven than the eigenvalues (Schur 1923).

So the sums of the leading variances lie between those of the two, and with them the numbers that say how even a spectrum is, but
for what the chunks of the second half happen to hold. The jackknife over chunks (Efron & Stein 1981) tells how much that is, rows
of a chunk being alike included. An interval reaches two standard errors beyond either spectrum; `tests/linalg/test_estimate.py`
shows how often it holds the truth. A few rows much longer than all others can escape a sample: no sample tells of them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from tb_embfactor.errors import MatrixError
from tb_embfactor.linalg.axes import signed
from tb_embfactor.linalg.blocks import finite_rows
from tb_embfactor.linalg.crew import BLAS
from tb_embfactor.linalg.moments import sum_units
from tb_embfactor.linalg.products import add_gram, mirror_upper
from tb_embfactor.linalg.refinement import eigh

CHUNKS = 64
HALF_ROWS, HALF_ROWS_WIDE, WIDE = 4096, 1024, 1024  # rows of a half, for up to WIDE columns and for more
LEAST_CHUNKS = 8  # of a half that hold a row that can be used
STANDARD_ERRORS = 2.0
NULL = 1e-10  # of the largest variance: below it a direction is not told from rounding


class Sample:
    """The sampled rows as row blocks, a chunk a block. At most a quarter of the rows; the same seed takes the same ones.

    read : gives rows [start, stop) of the matrix. starts : the first row of each chunk.
    """

    def __init__(self, read: Callable[[int, int], np.ndarray], n_rows: int, n_columns: int, seed: int = 0) -> None:
        limit = HALF_ROWS if n_columns <= WIDE else HALF_ROWS_WIDE
        length = max(1, min(2 * limit, n_rows // 4) // CHUNKS)
        edges = np.linspace(0, n_rows, CHUNKS + 1).astype(int)
        self.starts = np.random.default_rng(seed).integers(edges[:-1], np.maximum(edges[1:] - length, edges[:-1]) + 1)
        self._read, self._length = read, length
        self.n_rows, self.n_columns = CHUNKS * length, n_columns

    def __iter__(self) -> Iterator[np.ndarray]:
        for start in self.starts:
            yield self._read(int(start), int(start) + self._length)


@dataclass(frozen=True)
class Estimate:
    """Variances per row along the principal axes of a half of the sample, (d,), and what follows from them.

    n_rows : rows of the matrix that can be used, about. n_sampled : those of the sample. center : (d,), the mean of the half.
    axes : (d, k).
    uneven, even : (d,), in the order of `axes` and on to d. without : (chunks, d), `even` with each chunk left out.
    unit_sums : (all chunks, d), Σ x/‖x‖ of each; n_nonzero : (all chunks,) the rows in it that are not zero.
    """

    n_rows: float
    n_sampled: int
    center: np.ndarray
    axes: np.ndarray
    uneven: np.ndarray
    even: np.ndarray
    without: np.ndarray
    unit_sums: np.ndarray
    n_nonzero: np.ndarray

    def singular_values(self) -> tuple[np.ndarray, np.ndarray]:
        """Of the centred rows, (k,) descending, and how far each may be off, relative.

        Where the two spectra cross nothing is known better than before it: the relative error never falls along the spectrum.
        """
        k = self.axes.shape[1]
        even, uneven = self.even[:k], self.uneven[:k]
        error = STANDARD_ERRORS * jackknife_error(self.without[:, :k]) / np.maximum(even, np.finfo(float).tiny)
        low = np.sqrt(np.maximum(np.minimum(even, uneven) * (1 - error), 0))
        high = np.sqrt(np.maximum(even, uneven) * (1 + error))
        middle = (low + high) / 2
        relative = np.divide(high - low, high + low, out=np.zeros(k), where=high > 0)
        return np.minimum.accumulate(middle) * np.sqrt(self.n_rows), np.maximum.accumulate(relative)

    def number(self, compute: Callable[[np.ndarray], float]) -> tuple[float, float]:
        """A number of the singular values over the largest, descending, and how far it may be off."""

        def of(variances: np.ndarray) -> float:
            values = np.sqrt(np.sort(variances)[::-1])
            return compute(values / values[0])

        even, uneven, without = of(self.even), of(self.uneven), np.array([of(each) for each in self.without])
        # The second half is noisy, too, which makes it less even than it is; to first order the jackknife takes that back.
        ends = even, uneven, even + (len(without) - 1) * (even - without.mean())
        error = STANDARD_ERRORS * float(jackknife_error(without))
        step = 1 if isinstance(even, int) else 0
        return (min(ends) + max(ends)) / 2, (max(ends) - min(ends)) / 2 + error + step

    def mean_cosine(self) -> tuple[float, float]:
        """Over all pairs of rows that are not zero, and how far it may be off."""
        total, n = self.unit_sums.sum(axis=0), self.n_nonzero.sum()
        without = _mean_cosine(total - self.unit_sums, n - self.n_nonzero)
        return float(_mean_cosine(total, n)), STANDARD_ERRORS * float(jackknife_error(without))


def estimate_spectrum(chunks: Iterable[np.ndarray], n_rows: int, name: str = "the matrix") -> Estimate:
    """Estimate the spectrum of a matrix of `n_rows` rows from chunks of them, (b, d) each.

    Rows with NaN or Inf are left out. Raises MatrixError where so few are left, or differ, that they tell nothing.

    Cost: 3·s·d² flops for s rows of a half, and O(min(s, d)³), whatever V; memory the sample in float64, and a half once more.
    """
    n_read, usable = 0, []
    for chunk in chunks:
        n_read += len(chunk)
        kept = chunk[finite_rows(chunk)].astype(np.float64)
        usable += [kept] if len(kept) else []
    halves = usable[0::2], usable[1::2]
    if len(halves[1]) < LEAST_CHUNKS:
        raise MatrixError("sample_too_small", matrix=name)
    first, center = _centered(halves[0])
    with BLAS:
        uneven, axes = _principal(first)
        sums = _Sums(*map(np.array, zip(*(_sums(chunk - center, axes) for chunk in halves[1]), strict=True)))
    if not uneven[0] > 0:
        raise MatrixError("sample_too_small", matrix=name)
    units = [_unit_sum(chunk) for chunk in usable]
    n_sampled = sum(map(len, usable))
    return Estimate(
        n_rows=n_rows * n_sampled / n_read,
        n_sampled=n_sampled,
        center=center,
        axes=axes,
        uneven=uneven,
        even=_variances(_Sums(*(part.sum(axis=0) for part in sums))),
        without=_variances(_Sums(*(part.sum(axis=0) - part for part in sums))),
        unit_sums=np.array([total for total, _ in units]),
        n_nonzero=np.array([n for _, n in units]),
    )


def consistency(chunks: Iterable[np.ndarray], axes: np.ndarray) -> np.ndarray:
    """The cosine of each of a few leading axes of the first half, (d, k), with the one of the second half that is most like it.

    Cost: s·d² flops for s rows of a half and O(min(s, d)³).
    """
    second = [kept for chunk in chunks if len(kept := chunk[finite_rows(chunk)].astype(np.float64))][1::2]
    with BLAS:
        _, others = _principal(_centered(second)[0])
    return np.abs(axes.T @ others[:, : axes.shape[1]]).max(axis=1)


def jackknife_error(without: np.ndarray) -> np.ndarray:
    """The standard error of a statistic, from its values with each chunk left out, (chunks, …)."""
    n = len(without)
    return np.sqrt((n - 1) / n * np.sum((without - without.mean(axis=0)) ** 2, axis=0))


def _centered(half: list[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    rows = np.concatenate(half)
    center = rows.mean(axis=0)
    rows -= center
    return rows, center


def _principal(rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Variances along the principal axes, (d,) descending, and the axes, (d, k), of rows whose mean is zero, (s, d)."""
    n_rows, d = rows.shape
    is_wide = n_rows <= d
    gram = np.zeros((min(n_rows, d),) * 2, order="F")
    add_gram(gram, rows.T if is_wide else rows)
    mirror_upper(gram)
    eigenvalues, vectors = eigh(gram)
    eigenvalues = np.maximum(eigenvalues, 0)
    if is_wide:
        k = int(np.count_nonzero(eigenvalues > NULL * eigenvalues[0]))
        vectors = rows.T @ (vectors[:, :k] / np.sqrt(eigenvalues[:k]))
        eigenvalues = np.append(eigenvalues[:k], np.zeros(d - k))
    return eigenvalues / (n_rows - 1), signed(vectors)


class _Sums(NamedTuple):
    """Of the rows x of a chunk and what they are along the axes, y: how many, Σy, Σy², Σx, Σ‖x‖²; or of several chunks."""

    n: np.ndarray
    along: np.ndarray
    along_squared: np.ndarray
    total: np.ndarray
    squared: np.ndarray


def _sums(rows: np.ndarray, axes: np.ndarray) -> _Sums:
    along = rows @ axes
    squares = np.einsum("ij,ij->j", along, along)
    return _Sums(np.array([len(rows)]), along.sum(axis=0), squares, rows.sum(axis=0), np.array([np.vdot(rows, rows)]))


def _variances(sums: _Sums) -> np.ndarray:
    """Variances along the axes, (…, d); what lies across all of them is spread evenly over the dimensions that are left."""
    n = sums.n
    along = np.maximum(sums.along_squared - sums.along**2 / n, 0) / (n - 1)
    whole = (sums.squared - np.sum(sums.total**2, axis=-1, keepdims=True) / n) / (n - 1)
    n_left = sums.total.shape[-1] - along.shape[-1]
    across = np.maximum(whole - along.sum(axis=-1, keepdims=True), 0) / max(1, n_left)
    return np.concatenate([along, np.repeat(across, n_left, axis=-1)], axis=-1)


def _unit_sum(chunk: np.ndarray) -> tuple[np.ndarray, int]:
    """Σ x/‖x‖ over the rows that are not zero, and how many there are."""
    norms = np.linalg.norm(chunk, axis=1)
    return sum_units(chunk, norms), int(np.count_nonzero(norms))


def _mean_cosine(total: np.ndarray, n: np.ndarray) -> np.ndarray:
    return (np.sum(total**2, axis=-1) - n) / np.maximum(n * (n - 1), 1)
