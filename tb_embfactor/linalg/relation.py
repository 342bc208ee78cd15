"""Two matrices with the same rows whose spectra are known: what lies between the two takes half of what all moments would.

What does not change when either matrix is turned (CKA, Procrustes) may be told of each along its own principal axes, where its
second moments are the squares of its singular values. So only C = Σ (a−mean_a)(b−mean_b)ᵀ is summed over the rows.
"""

from __future__ import annotations

from typing import Self

import numpy as np

from tb_embfactor.linalg.blocks import ArrayBlocks, Chunks, Progress, RowBlocks, chunk_rows, pairs, reporting
from tb_embfactor.linalg.crew import Crew
from tb_embfactor.linalg.moments import CrossMoments, cross_moments
from tb_embfactor.linalg.products import Map, add_product, is_shared
from tb_embfactor.linalg.spectrum import Spectrum


def relate(a: RowBlocks, of_a: Spectrum, b: RowBlocks, of_b: Spectrum, progress: Progress | None = None) -> CrossMoments:
    """The second moments of two matrices with the same rows, up to turning each of the three on either side.

    a : (V, d), b : (V, e), of_a, of_b : their spectra; row i of one belongs to row i of the other.

    Cost: one pass over both, 2·V·d·e flops; d·e float64 for each thread, or once where a side is above `products.TILE`. A matrix
    wider than high is not read: its rows along its principal axes, (V, V), follow from its spectrum. Where rows were skipped, all
    moments are summed over those that are usable in both, as `cross_moments` does.

    >>> from tb_embfactor.linalg.spectrum import decompose
    >>> x = ArrayBlocks(np.array([[1.0, 0.0], [3.0, 2.0], [2.0, 4.0]]))
    >>> found = relate(x, decompose(x), x, decompose(x))
    >>> bool(np.isclose(np.linalg.norm(found.gram_a), np.linalg.norm(found.cross)))
    True
    """
    (a, mean_a), (b, mean_b) = _narrowed(a, of_a), _narrowed(b, of_b)
    if of_a.n_skipped or of_b.n_skipped:
        return cross_moments(a, b, progress)
    with Crew() as crew:
        report = reporting(progress, a.n_rows)
        share_items = is_shared(a.n_columns, b.n_columns)
        sums = crew.accumulate(lambda: _CrossSum(mean_a, mean_b), pairs(a, b), share_items, lambda blocks: report(blocks[0]))
    gram_a, gram_b = (np.diag(spectrum.centered.singular_values**2) for spectrum in (of_a, of_b))
    return CrossMoments(a.n_rows, 0, mean_a, mean_b, gram_a, gram_b, sums.cross)


def _narrowed(rows: RowBlocks, spectrum: Spectrum) -> tuple[RowBlocks, np.ndarray]:
    """Rows and their mean; of a matrix wider than high its centred rows along its principal axes, NaN where they were skipped."""
    if rows.n_rows >= rows.n_columns:
        return rows, spectrum.mean
    values, kept = spectrum.centered.singular_values, spectrum.centered.axes.kept
    scores = np.full((rows.n_rows, len(values)), np.nan)
    scores[kept["usable"].astype(bool)] = kept["left"] * values
    return ArrayBlocks(scores), np.zeros(len(values))


class _CrossSum:
    """Σ (a−mean_a)(b−mean_b)ᵀ, pair of blocks by pair of blocks."""

    def __init__(self, mean_a: np.ndarray, mean_b: np.ndarray) -> None:
        d, e = len(mean_a), len(mean_b)
        self.cross = np.zeros((d, e), order="F")
        n_rows = min(chunk_rows(d), chunk_rows(e))
        self._mean_a, self._mean_b = mean_a, mean_b
        self._chunks_a, self._chunks_b = Chunks(n_rows, d), Chunks(n_rows, e)

    def add(self, blocks: tuple[np.ndarray, np.ndarray], each: Map) -> None:
        for a, b in zip(self._chunks_a.of(blocks[0]), self._chunks_b.of(blocks[1]), strict=True):
            a -= self._mean_a
            b -= self._mean_b
            add_product(self.cross, a, b, each)

    def merge(self, other: Self) -> None:
        self.cross += other.cross
