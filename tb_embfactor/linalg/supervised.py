"""Axes that somebody asked for: along which given groups of rows come apart, or from one group of rows to another."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import scipy.linalg

from tb_embfactor.linalg.axes import signed
from tb_embfactor.linalg.blocks import RowBlocks, finite_rows
from tb_embfactor.linalg.projection import inverse
from tb_embfactor.linalg.spectrum import Spectrum

_NULL = 1e-10  # of the largest eigenvalue: what labelled rows do not spread over


@dataclass(frozen=True)
class Discriminant:
    """axes : (d, k) unit columns. between : (k,) the share of the variance on each axis that lies between the groups.

    by_chance : what that share is on an axis of random groups, on average. n_rows : rows that have a group.
    """

    axes: np.ndarray
    between: np.ndarray
    by_chance: float
    n_rows: int


def discriminate(blocks: RowBlocks, spectrum: Spectrum, groups: np.ndarray, k: int) -> Discriminant:
    """Fisher's linear discriminants (Rao 1948): the axes with the largest share of the variance between the groups.

    Parameters
    ----------
    groups : (V,) int, the group of each row from 0 on, −1 for rows without one. At least two groups have rows.
    k : at most as many axes; there are no more than groups less one, nor than directions.

    Cost: one pass, V·d·r multiply-adds and as many for the scatter, r the rank; r² + groups·r of float64.
    """
    svd = spectrum.centered
    to_white = svd.right[:, : svd.rank] * inverse(svd)[: svd.rank] * np.sqrt(spectrum.n_rows)
    rank, n_groups, row = svd.rank, int(groups.max()) + 1, 0
    sums, counts, scatter = np.zeros((n_groups, rank)), np.zeros(n_groups), np.zeros((rank, rank))
    for raw in blocks:
        of_block = groups[row : row + len(raw)]
        row += len(raw)
        usable = finite_rows(raw) & (of_block >= 0)
        white = (raw[usable].astype(np.float64) - spectrum.mean) @ to_white
        np.add.at(sums, of_block[usable], white)
        counts += np.bincount(of_block[usable], minlength=n_groups)
        scatter += white.T @ white
    n_rows = int(counts.sum())
    mean = sums.sum(axis=0) / n_rows
    scatter -= n_rows * np.outer(mean, mean)
    present = counts > 0
    means = sums[present] / counts[present, None] - mean
    # Whiten what the labelled rows spread over; there the share between groups is an eigenvalue.
    values, vectors = scipy.linalg.eigh(scatter)
    spread = values > _NULL * values[-1]
    whiten = vectors[:, spread] / np.sqrt(values[spread])
    apart = np.sqrt(counts[present])[:, None] * (means @ whiten)
    _, roots, right = scipy.linalg.svd(apart, full_matrices=False)
    k = min(k, int(present.sum()) - 1, len(right))
    axes = to_white @ (whiten @ right[:k].T)
    by_chance = min(1.0, whiten.shape[1] / max(1, n_rows - 1))
    return Discriminant(signed(axes / np.linalg.norm(axes, axis=0)), np.minimum(roots[:k] ** 2, 1.0), by_chance, n_rows)


def line_between(blocks: RowBlocks, rows: tuple[np.ndarray, np.ndarray]) -> np.ndarray:
    """The mean of the second group of rows minus that of the first, (d,); rows with NaN or Inf are left out. One pass."""
    sums, counts, start = np.zeros((2, blocks.n_columns)), np.zeros(2), 0
    for raw in blocks:
        usable = finite_rows(raw)
        for group, wanted in enumerate(rows):
            inside = wanted[(wanted >= start) & (wanted < start + len(raw))] - start
            kept = raw[inside[usable[inside]]].astype(np.float64)
            sums[group] += kept.sum(axis=0)
            counts[group] += len(kept)
        start += len(raw)
    first, second = sums / np.maximum(counts, 1)[:, None]
    return second - first if counts.all() else np.zeros(blocks.n_columns)


def axes_beside(spectrum: Spectrum, axis: np.ndarray, k: int) -> np.ndarray:
    """`axis`, made a unit, and the leading principal axes of what is left when the rows have lost it, (d, k)."""
    unit = axis / np.linalg.norm(axis)
    factor = spectrum.centered.singular_values[:, None] * spectrum.centered.right.T
    _, values, right = scipy.linalg.svd(factor - np.outer(factor @ unit, unit), full_matrices=False)
    n_left = int(np.sum(values > 1e-12 * max(values[0], 1e-300)))
    return np.column_stack([unit, signed(right[: min(k - 1, n_left)].T)])
