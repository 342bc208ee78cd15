"""Matrices made of others of one checkpoint: a factorized pair as the one matrix that it stands for, layers side by side.

They are written as expressions of matrix names, with spaces around the operators:

    word_factors @ factor_embedding       rows times a kernel: the product of a factorized embedding, or a layer after another
    query | key | value                   matrices with the same rows, side by side

`@` binds more tightly than `|`. An expression can be given wherever a matrix is named, in Python, on the terminal and to the
HTTP API; the products that a checkpoint suggests are listed with its matrices (`offered`).
"""

from __future__ import annotations

import functools
import itertools
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, TypeVar

from tb_embfactor.errors import UsageError
from tb_embfactor.formats import MatrixInfo
from tb_embfactor.logdir.model import Blocks, Matrix, default_block_rows, digest

if TYPE_CHECKING:
    import numpy as np

    from tb_embfactor.logdir.matrix_labels import MatrixLabels

SIDE_BY_SIDE, PRODUCT = " | ", " @ "
MAX_PARTS = 16
MAX_FACTOR_BYTES = 256 << 20  # of a right factor in float64, which is held as a whole
Shape = tuple[int, int]
Named = TypeVar("Named")


def is_expression(name: str) -> bool:
    return SIDE_BY_SIDE in name or PRODUCT in name


def is_product(name: str) -> bool:
    return PRODUCT in name


def evaluate(expression: str, find: Callable[[str], Named], combine: Callable[[str, list[Named]], Named]) -> Named:
    """An expression over whatever `find` gives for a name; `combine` joins two or more by an operator."""
    for operator in (SIDE_BY_SIDE, PRODUCT):
        terms = expression.split(operator)
        if len(terms) > MAX_PARTS:
            raise _mismatch(expression, f"at most {MAX_PARTS} matrices joined by {operator.strip()}", f"{len(terms)}")
        if len(terms) > 1:
            return combine(operator, [evaluate(term, find, combine) for term in terms])
    return find(expression.strip())


def joined_shape(operator: str, name: str, shapes: list[Shape]) -> Shape:
    """The shape of matrices joined by an operator; UsageError where they do not fit."""
    if operator == SIDE_BY_SIDE:
        if len({n_rows for n_rows, _ in shapes}) > 1:
            raise _mismatch(name, "matrices with as many rows each", _shapes(shapes))
        return shapes[0][0], sum(n_columns for _, n_columns in shapes)
    for (_, n_columns), (n_rows, right_columns) in itertools.pairwise(shapes):
        if n_columns != n_rows:
            raise _mismatch(name, "matrices of which each has as many rows as the one before has columns", _shapes(shapes))
        if 8 * n_rows * right_columns > MAX_FACTOR_BYTES:
            raise _mismatch(name, f"right factors of at most {MAX_FACTOR_BYTES >> 20} MB in float64", _shapes(shapes))
    return shapes[0][0], shapes[-1][1]


def part_names(name: str) -> list[str]:
    """The names in an expression; of a plain name itself."""
    return evaluate(name, lambda part: [part], lambda operator, names: [part for each in names for part in each])


def join_listed(operator: str, entries: list[dict[str, Any]]) -> dict[str, Any]:
    """What the catalogue would list of matrices joined by an operator, from what it lists of each."""
    name = operator.join(entry["matrix"] for entry in entries)
    return {
        **entries[0],
        "matrix": name,
        "shape": list(joined_shape(operator, name, [tuple(entry["shape"]) for entry in entries])),
        "dtype": "float64",
        "role": "other",
        "layer": None,
        "has_bias": any(entry["has_bias"] for entry in entries),
    }


def join(operator: str, matrices: list[Matrix]) -> Matrix:
    """Matrices of one checkpoint as one, computed in float64 as its rows are read."""
    name = operator.join(matrix.name for matrix in matrices)
    shape = joined_shape(operator, name, [matrix.shape for matrix in matrices])
    info = MatrixInfo(name, shape, "float64", "other")
    return (_SideBySide if operator == SIDE_BY_SIDE else _Product)(matrices[0].checkpoint, info, tuple(matrices))


def offered(matrices: Iterable[Matrix]) -> tuple[Matrix, ...]:
    """Products that are worth a look unasked: an embedding and a kernel of which each is the only one that fits the other.

    That is a factorized embedding, or an embedding with the first dense layer after it.
    """
    embeddings = [matrix for matrix in matrices if matrix.role == "embedding"]
    kernels = [matrix for matrix in matrices if matrix.role == "kernel"]
    widths = Counter(matrix.shape[1] for matrix in embeddings)
    inputs = Counter(matrix.shape[0] for matrix in kernels)
    return tuple(
        join(PRODUCT, [embedding, kernel])
        for embedding in embeddings
        for kernel in kernels
        if embedding.shape[1] == kernel.shape[0] and widths[embedding.shape[1]] == inputs[kernel.shape[0]] == 1
    )


@dataclass(frozen=True, eq=False)
class _Derived(Matrix):
    parts: tuple[Matrix, ...]

    @property
    def has_bias(self) -> bool:
        return any(part.has_bias for part in self.parts)

    @cached_property
    def labels(self) -> MatrixLabels | None:
        """Those of the first part: its rows are the rows."""
        return self.parts[0].labels

    @cached_property
    def fingerprint(self) -> str:
        return digest("derived", self.name, [part.fingerprint for part in self.parts])

    def squared_gradients(self) -> np.ndarray | None:
        return None

    def blocks(self, block_rows: int | None = None) -> Blocks:
        widest = max(self.shape[1], *(part.shape[1] for part in self.parts))
        return super().blocks(block_rows or default_block_rows(widest))


class _Product(_Derived):
    """Cost of a pass: one over the first part, V·r·d multiply-adds; the other parts are read first, and their product held."""

    def read_blocks(self, block_rows: int) -> Iterator[np.ndarray]:
        right = self._right()
        for block in self.parts[0].blocks(block_rows):
            yield _times(block, right)

    def rows(self, start: int, stop: int) -> np.ndarray:
        return _times(self.parts[0].rows(start, stop), self._right())

    def bias(self) -> np.ndarray | None:
        """What the last layer adds to its outputs when the input is one element: (b₁ W₂ + b₂) W₃ + b₃ …"""
        total: np.ndarray | None = None
        for part in self.parts:
            through = None if total is None else total @ part.rows(0, part.shape[0])
            own = part.bias()
            total = through if own is None else own if through is None else through + own
        return total

    def _right(self) -> np.ndarray:
        factors = (part.rows(0, part.shape[0]).astype("float64") for part in self.parts[1:])
        return functools.reduce(_times, factors)


class _SideBySide(_Derived):
    """Cost of a pass: one over each part."""

    def read_blocks(self, block_rows: int) -> Iterator[np.ndarray]:
        import numpy as np

        for blocks in zip(*(part.blocks(block_rows) for part in self.parts), strict=True):
            yield np.concatenate(blocks, axis=1, dtype=np.float64)

    def rows(self, start: int, stop: int) -> np.ndarray:
        import numpy as np

        return np.concatenate([part.rows(start, stop) for part in self.parts], axis=1, dtype=np.float64)

    def bias(self) -> np.ndarray | None:
        """The biases side by side, zeros for a part that has none."""
        import numpy as np

        if not self.has_bias:
            return None
        own = [part.bias() for part in self.parts]
        return np.concatenate([np.zeros(part.shape[1]) if b is None else b for part, b in zip(self.parts, own, strict=True)])


def _times(left: np.ndarray, right: np.ndarray) -> np.ndarray:
    import numpy as np

    with np.errstate(invalid="ignore", over="ignore"):  # rows with NaN or Inf are skipped and counted later
        return left.astype(np.float64) @ right


def _shapes(shapes: list[Shape]) -> str:
    return ", ".join(f"{n_rows} × {n_columns}" for n_rows, n_columns in shapes)


def _mismatch(name: str, needed: str, got: str) -> UsageError:
    return UsageError("bad_parameter", owner="matrix", name=repr(name), needed=needed, got=got)
