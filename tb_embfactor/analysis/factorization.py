"""A matrix and its factors: W = U S Vᵀ, with U computed on demand."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from tb_embfactor.errors import UsageError
from tb_embfactor.linalg import projection
from tb_embfactor.linalg.blocks import ArrayBlocks, IterableBlocks, Progress, RowBlocks
from tb_embfactor.linalg.spectrum import Spectrum, Svd, decompose
from tb_embfactor.transforms import Transform


class Factorization:
    """W = U S Vᵀ of a matrix (or of its centred rows), exact in float64.

    shape : (V, d). singular_values : (k,) float64, descending, k = min(V, d) or the `rank` asked for.
    error_bound : (k,) relative; Infinity where the value cannot be told from zero (it is then given as 0).
    right : (d, k) columns of V. rows_used, rows_skipped : rows with NaN or Inf are skipped.
    """

    def __init__(
        self, blocks: RowBlocks, spectrum: Spectrum, *, name: str, center: bool, transform: str, rank: int | None
    ) -> None:
        self.name, self.center, self.transform = name, center, transform
        self.blocks, self.spectrum = blocks, spectrum
        self._rank = rank

    @property
    def svd(self) -> Svd:
        return self.spectrum.centered if self.center else self.spectrum.stored

    @property
    def shape(self) -> tuple[int, int]:
        return self.blocks.n_rows, self.blocks.n_columns

    @property
    def singular_values(self) -> np.ndarray:
        return self.svd.singular_values[: self._rank]

    @property
    def error_bound(self) -> np.ndarray:
        return self.svd.error_bound[: self._rank]

    @property
    def right(self) -> np.ndarray:
        return self.svd.leading(len(self.singular_values))

    @property
    def rows_used(self) -> int:
        return self.spectrum.n_rows

    @property
    def rows_skipped(self) -> int:
        return self.spectrum.n_skipped

    @property
    def energy_ratio(self) -> np.ndarray:
        """σ²/Σσ² of W as stored, (min(V, d),)."""
        return projection.shares(self.spectrum.stored)

    @property
    def explained_variance_ratio(self) -> np.ndarray:
        """λ/Σλ of the centred rows, (min(V, d),)."""
        return projection.shares(self.spectrum.centered)

    @cached_property
    def _offset(self) -> np.ndarray:
        return self.spectrum.mean if self.center else np.zeros(self.shape[1])

    def left(self, start: int, stop: int) -> np.ndarray:
        """Rows [start, stop) of U, (stop − start, k) float64, NaN for skipped rows, 0 in columns whose σ is null."""
        n_rows = self.shape[0]
        if not 0 <= start <= stop <= n_rows:
            raise UsageError(
                "bad_parameter", owner="left", name="rows", needed=f"0 <= start <= stop <= {n_rows}", got=[start, stop]
            )
        parts, row = [np.empty((0, len(self.singular_values)))], 0
        for block in self._iter(projection.inverse(self.svd)[: self._rank]):
            parts.append(block[max(0, start - row) : max(0, stop - row)])
            row += len(block)
            if row >= stop:
                break
        return np.concatenate(parts)

    def iter_left(self) -> Iterator[np.ndarray]:
        """Row blocks of U, (b, k). One pass."""
        return self._iter(projection.inverse(self.svd)[: self._rank])

    def iter_scores(self, k: int | None = None) -> Iterator[np.ndarray]:
        """Row blocks of U S, (b, k): every row along the right singular vectors. One pass."""
        return self._iter(np.ones(len(self.singular_values))[:k])

    def _iter(self, scale: np.ndarray) -> Iterator[np.ndarray]:
        weights = self.right[:, : len(scale)] * scale
        return projection.AffineMap(self._offset, weights, scale, scale).apply(self.blocks)


def factorize(
    matrix: Any,
    center: bool = False,
    transform: str | None = None,
    rank: int | None = None,
    progress: Progress | None = None,
) -> Factorization:
    """Factor a matrix exactly: W = U S Vᵀ.

    Parameters
    ----------
    matrix : a `Matrix` of a checkpoint, an array (V, d), or an iterable of row blocks that can be iterated anew.
    center : factor the rows minus their mean (PCA) instead of W as stored.
    transform : steps done to the rows first, see `tb_embfactor.transforms`.
    rank : keep the leading `rank` factors only; 1 ≤ rank ≤ min(V, d).

    Raises UsageError for a one-shot iterator or a bad parameter, MatrixError where there is nothing to factor.

    Cost: one pass over the rows, or two where the error bound asks for it (see `linalg.spectrum`); V·d² or 3·V·d²
    flops; memory a few d×d float64, whatever V. Nothing V-sized is kept: U is computed when it is asked for.

    >>> import numpy as np
    >>> f = factorize(np.diag([3.0, 2.0, 1.0]))
    >>> f.singular_values
    array([3., 2., 1.])
    >>> np.allclose(f.left(0, 3) * f.singular_values @ f.right.T, np.diag([3.0, 2.0, 1.0]))
    True
    """
    blocks, name = as_blocks(matrix, transform)
    limit = min(blocks.n_rows, blocks.n_columns)
    if rank is not None and not 1 <= rank <= max(1, limit):
        raise UsageError("bad_parameter", owner="factorize", name="rank", needed=f"from 1 to {limit}", got=rank)
    spectrum = decompose(blocks, name, progress)
    return Factorization(blocks, spectrum, name=name, center=center, transform=Transform.parse(transform).spec, rank=rank)


def as_blocks(matrix: Any, transform: str | None = None) -> tuple[RowBlocks, str]:
    """The transformed row blocks of whatever `factorize` accepts, and its name for messages."""
    steps = Transform.parse(transform)
    if hasattr(matrix, "blocks"):
        bias = matrix.bias() if "bias" in steps.steps else None
        return steps.apply(matrix.blocks(), bias, matrix.name), matrix.name
    if hasattr(matrix, "__array__"):
        return steps.apply(ArrayBlocks(np.asarray(matrix)), None, "the array"), "the array"
    if isinstance(matrix, Iterable):
        return steps.apply(IterableBlocks(matrix), None), "the row blocks"
    raise UsageError(
        "bad_parameter",
        owner="factorize",
        name="matrix",
        needed="a Matrix, an array, or an iterable of row blocks",
        got=type(matrix).__name__,
    )


def export(factorization: Factorization, path: str | Path) -> None:
    """Write U (V, k), S (k,) and Vt (k, d), float64, as `.safetensors` or `.npz`, after the ending of `path`.

    The file appears whole or not at all. Rows that were skipped are NaN in U.
    """
    from tb_embfactor import arrays

    path = Path(path)
    if path.suffix not in (".safetensors", ".npz"):
        raise UsageError(
            "bad_parameter", owner="export", name="path", needed="a file name ending in .safetensors or .npz", got=path.name
        )
    tensors = {
        "U": np.concatenate([np.empty((0, len(factorization.singular_values))), *factorization.iter_left()]),
        "S": factorization.singular_values,
        "Vt": np.ascontiguousarray(factorization.right.T),
    }
    info = {
        "matrix": factorization.name,
        "centered": factorization.center,
        "transform": factorization.transform,
        "rows_used": factorization.rows_used,
        "rows_skipped": factorization.rows_skipped,
    }
    arrays.write_atomically(path, arrays.encode(tensors, info) if path.suffix == ".safetensors" else arrays.encode_npz(tensors))
