"""The small end of a spectrum, which rounding hides in a Gram matrix: a second pass over the rows restores it.

The first pass gives S + E for the second moments S, with ‖E‖ ≤ ε, and so eigenvectors V. Eigenvalues of at least ε/`LEAD` are
good as they are. For the others, the tail, rows are multiplied by T = V₂·diag(1/s), where V₂ are the eigenvectors of the
tail and s² is their eigenvalue or ε, whichever is larger. These products have norms near one, so their Gram matrix H loses
nothing but what is null, and the eigenvalues of diag(s)·H·diag(s) are those of the tail.

It is the Cholesky-QR idea (Fukaya et al. 2014, "CholeskyQR2") with an eigendecomposition in place of Cholesky, because columns
may be zero, and of the tail alone, because a few null directions are common and a whole second pass costs three times the first.

Bounds, with ρ the rounding of H (the roundings that meet in an entry, times u·tr H), for an eigenvalue μ of the tail:

* H: since s² ≤ μ + 2ε on the span of the eigenvectors down to μ, it moves μ by at most ρ(1 + 2ε/μ), relative (Courant–Fischer).
* The coupling E₁₂ of head and tail: with κ = ε/(least eigenvalue of the head), a congruence by I + A⁻¹E₁₂ leaves
  diag(A, B − E₂₁A⁻¹E₁₂), so μ moves by at most 2κ + κε/μ, relative (Ostrowski; Ipsen & Nadler 2009 for the idea).
* The products themselves: d·u·‖W‖_F, absolute in σ, which is what LAPACK has on the whole matrix.
* The eigenvalues of the small matrix: `eigh_rounding`, absolute in μ.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Self

import numpy as np
import scipy.linalg

from tb_embfactor.linalg.crew import Crew
from tb_embfactor.linalg.products import GramSum, Map, is_shared, mirror_upper, multiply, subtract_outer

UNIT = 2.0**-53
TINY = float(np.finfo(np.float64).tiny)
TOLERANCE = 1e-6  # largest relative error of a singular value that is accepted without a second pass
LEAD = 2e-7  # largest ε/λ of an eigenvalue that is kept from the first pass when there is a second


@dataclass(frozen=True)
class Eigen:
    """Eigenvalues (d,), descending, and eigenvectors (d, d) of second moments.

    noise : ε, what any eigenvalue may be off by. rank : how many of them can differ from zero, by the number of rows.
    norm : ‖W‖_F of the rows.
    """

    values: np.ndarray
    vectors: np.ndarray
    noise: float
    rank: int
    norm: float

    @property
    def is_good(self) -> bool:
        """Whether every singular value is known to `TOLERANCE`."""
        return not self.rank or self.noise <= 2 * TOLERANCE * self.values[self.rank - 1]

    @property
    def factors(self) -> Factors:
        """Singular values and their bounds as they are."""
        values = np.sqrt(np.maximum(self.values, 0))
        bound = self.noise / np.maximum(2 * self.values, self.noise)
        values[self.rank :], bound[self.rank :] = 0.0, np.inf
        return Factors(values, self.vectors, bound, UNIT * len(values) * self.norm)


@dataclass(frozen=True)
class Tail:
    """What a second pass is to find out: the eigenvalues from `start` on. offset : (d,), subtracted from every row, or None."""

    eigen: Eigen
    offset: np.ndarray | None = None

    @cached_property
    def start(self) -> int:
        """How many eigenvalues are good as they are."""
        return int(np.count_nonzero(self.eigen.noise <= LEAD * self.eigen.values[: self.eigen.rank]))

    @cached_property
    def scale(self) -> np.ndarray:
        return np.sqrt(np.maximum(self.eigen.values[self.start :], self.eigen.noise))

    @cached_property
    def whiten(self) -> np.ndarray:
        """T, (d, t)."""
        return self.eigen.vectors[:, self.start :] / self.scale


@dataclass(frozen=True)
class Factors:
    """Singular values (d,), descending, right singular vectors (d, d), relative error bounds (d,).

    absolute : what a value that is null may really be.
    """

    values: np.ndarray
    vectors: np.ndarray
    bound: np.ndarray
    absolute: float


Prepare = Callable[[Any], Iterator[np.ndarray]]


def refine(
    tails: list[Tail], items: Iterable[Any], make_prepare: Callable[[], Prepare], seen: Callable[[Any], None] = lambda item: None
) -> list[Factors]:
    """Find the tails of one or more spectra of the same rows in one pass.

    tails : those without an offset first, for rows are shifted in place. items : what is read.
    make_prepare : gives a function from an item to its rows in float64 chunks (b, d), which may be changed; one for each thread.

    Cost: one pass and V·(2·d·t + t²) flops for each tail of t eigenvalues. Memory: t² + d·t float64.
    """
    with Crew() as crew:
        share_items = is_shared(len(tails[0].eigen.values))
        sums = crew.accumulate(lambda: _TailSums(tails, make_prepare()), items, share_items, seen)
    return [_resolve(tail, *each, sums.n_rows) for tail, each in zip(tails, sums.of_tails, strict=True)]


class _TailSums:
    def __init__(self, tails: list[Tail], prepare: Prepare) -> None:
        self._tails, self._prepare = tails, prepare
        self.of_tails = [(GramSum(t), np.zeros(t)) for t in (len(tail.scale) for tail in tails)]
        self.n_rows = 0

    def add(self, item: Any, each: Map) -> None:
        for x in self._prepare(item):
            for tail, (squares, total) in zip(self._tails, self.of_tails, strict=True):
                if tail.offset is not None:
                    x -= tail.offset
                whitened = multiply(x, tail.whiten, each)
                total += whitened.sum(axis=0)
                squares.add(whitened, each)
            self.n_rows += len(x)

    def merge(self, other: Self) -> None:
        for (squares, total), (other_squares, other_total) in zip(self.of_tails, other.of_tails, strict=True):
            squares.merge(other_squares)
            total += other_total
        self.n_rows += other.n_rows


def _resolve(tail: Tail, whitened: GramSum, total: np.ndarray, n_rows: int) -> Factors:
    gram = whitened.gram
    mirror_upper(gram)
    if tail.offset is not None:  # what rounding of the mean left over
        subtract_outer(gram, total, total / n_rows)
    eigen, start, unit = tail.eigen, tail.start, tail.scale[0]
    rounding = (whitened.n_roundings + len(gram)) * UNIT * float(np.trace(gram))
    coupling = eigen.noise / eigen.values[start - 1] if start else 0.0
    gram *= tail.scale / unit
    gram *= (tail.scale / unit)[:, None]
    squares, turn = eigh(gram)  # in units of the largest, so that nothing underflows
    absolute_square = (2 * rounding + coupling) * eigen.noise / unit**2 + eigh_rounding(len(gram))
    absolute = UNIT * len(eigen.values) * eigen.norm + TINY

    values, bound = eigen.factors.values, eigen.factors.bound
    values[start:] = unit * np.sqrt(np.maximum(squares, 0))
    bound[start:] = rounding / 2 + coupling + absolute_square / np.maximum(2 * squares, absolute_square)
    bound[start:] += absolute / np.maximum(values[start:], absolute)
    values[eigen.rank :], bound[eigen.rank :] = 0.0, np.inf
    vectors = np.concatenate([eigen.vectors[:, :start], eigen.vectors[:, start:] @ turn], axis=1)
    order = np.argsort(-values, kind="stable")
    return Factors(values[order], vectors[:, order], bound[order], absolute + unit * float(np.sqrt(absolute_square)))


def eigh(gram: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Eigenvalues, descending, and eigenvectors of a symmetric matrix, which is overwritten."""
    eigenvalues, vectors = scipy.linalg.eigh(gram, driver="evd", overwrite_a=True, check_finite=False)
    return eigenvalues[::-1], vectors[:, ::-1]


def eigvalsh(gram: np.ndarray) -> np.ndarray:
    """Eigenvalues, descending, of a symmetric matrix, which is overwritten."""
    return scipy.linalg.eigh(gram, driver="evd", eigvals_only=True, overwrite_a=True, check_finite=False)[::-1]


def eigh_rounding(d: int) -> float:
    """What the eigenvalues of a d×d matrix may be off by, over its norm: LAPACK's p(d)·u, with a generous p."""
    return 10 * np.sqrt(d) * UNIT
