"""Right singular vectors, kept or found when they are asked for.

Each class gives `leading(k)`, the first k right singular vectors as columns (d, k), of unit length, with the entry of largest
magnitude positive (as scikit-learn's svd_flip), and `kept`, the arrays that it needs to be made again.
"""

from __future__ import annotations

from functools import cached_property
from typing import Protocol

import numpy as np

from tb_embfactor.linalg.blocks import Strips
from tb_embfactor.linalg.refinement import singular


class Axes(Protocol):
    def leading(self, k: int) -> np.ndarray: ...

    @property
    def kept(self) -> dict[str, np.ndarray]: ...


class KnownAxes:
    """vectors : (d, k) columns of unit length, of any sign."""

    def __init__(self, vectors: np.ndarray) -> None:
        self._vectors = signed(vectors)

    def leading(self, k: int) -> np.ndarray:
        return self._vectors[:, :k]

    @property
    def kept(self) -> dict[str, np.ndarray]:
        return {"right": self._vectors}


class ShiftedAxes:
    """Of rows with their mean, from the factors of the centred rows: the right singular vectors of [diag(σ)·Vᵀ; √n·μᵀ].

    Cost: O(d³) once, when they are first asked for; a few d×d float64.
    """

    def __init__(self, values: np.ndarray, axes: Axes, mean: np.ndarray, n_rows: int) -> None:
        self._values, self._axes, self._mean_row = values, axes, np.sqrt(n_rows) * mean

    @cached_property
    def _vectors(self) -> np.ndarray:
        axes = np.ascontiguousarray(self._axes.leading(len(self._values)))  # to the bit the same from the cache
        return signed(axes @ singular(np.vstack([np.diag(self._values), self._mean_row @ axes]))[1])

    def leading(self, k: int) -> np.ndarray:
        return self._vectors[:, :k]

    @property
    def kept(self) -> dict[str, np.ndarray]:
        return {}


class StripAxes:
    """Of a matrix wider than high, from its left ones: Wᵀ·U·diag(1/σ), strip by strip; 0 where σ is null.

    left : (n, k), entries for the usable rows. Cost of `leading(k)`: one pass over the strips; its result.
    """

    def __init__(self, strips: Strips, left: np.ndarray, values: np.ndarray) -> None:
        self._strips, self._left = strips, left
        self._inverse = np.divide(1.0, values, out=np.zeros(len(values)), where=values > 0)

    def leading(self, k: int) -> np.ndarray:
        weights = np.ascontiguousarray(self._left[:, :k] * self._inverse[:k])  # to the bit the same from the cache
        return signed(np.concatenate([strip @ weights for strip in self._strips]))

    @property
    def kept(self) -> dict[str, np.ndarray]:
        return {"left": self._left, "usable": self._strips.usable.view(np.uint8)}


def signed(vectors: np.ndarray) -> np.ndarray:
    """Columns with the entry of largest magnitude positive."""
    largest = np.argmax(np.abs(vectors), axis=0)
    signs = np.sign(vectors[largest, np.arange(vectors.shape[1])])
    return vectors * np.where(signs == 0, 1.0, signs)
