"""What is done to the rows of a matrix before they are factored, block by block.

A transform is written as a comma-separated list of steps, applied from left to right. The steps are in `STEPS`; the
empty list leaves the matrix as stored. `bias,relu` gives the activated rows ReLU(W + b) of a layer, `center,unit_rows` the
directions of the rows from their mean, `without_top:2` takes out a common mean and the two leading directions (Mu &
Viswanath 2018, "all-but-the-top").

Most steps look at one row alone. Those that need all rows first (`center`, `without_top`) read the steps before them
once more when their first block is asked for.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from tb_embfactor.errors import MatrixError, UsageError

if TYPE_CHECKING:
    import numpy as np

MAX_TOP = 64
TRANSPOSE_BYTES = 1 << 30  # of the float64 matrix: a transposed one has as many columns as the other had rows

STEPS: dict[str, str] = {
    "bias": "add the layer's bias to every row: W + b",
    "relu": "max(x, 0)",
    "leaky_relu": "x, or x/100 below 0",
    "elu": "x, or exp(x) − 1 below 0",
    "gelu": "x·Φ(x), Φ of the normal distribution",
    "silu": "x/(1 + exp(−x)), also called swish",
    "sigmoid": "1/(1 + exp(−x))",
    "tanh": "tanh x",
    "softplus": "ln(1 + exp x)",
    "unit_rows": "scale every row to length 1 (zero rows stay zero)",
    "center": "subtract the mean row",
    "without_top": "`without_top:K`: subtract the mean row and the K leading principal directions",
    "transpose": "columns as rows; the last step where it is used",
}
OF_ALL_ROWS = ("center", "without_top", "transpose")


class Blocks(Protocol):
    n_rows: int
    n_columns: int

    def __iter__(self) -> Iterator[np.ndarray]: ...


@dataclass(frozen=True)
class Transform:
    """A parsed list of steps; `spec` is its normal form and part of cache keys."""

    steps: tuple[str, ...] = ()

    @classmethod
    def parse(cls, spec: str | None) -> Transform:
        """Raises UsageError for an unknown, repeated or misplaced step."""
        steps = tuple(part.strip() for part in (spec or "").split(",") if part.strip() not in ("", "none"))
        names = [step.partition(":")[0] for step in steps]
        if not all(map(_is_step, steps)) or len(set(names)) < len(names) or "transpose" in names[:-1]:
            needed = (
                f"a list of {', '.join(STEPS)}, each at most once, without_top as without_top:1 to :{MAX_TOP}, transpose last"
            )
            raise UsageError("bad_parameter", owner="transform", name="transform", needed=needed, got=spec)
        return cls(steps)

    @property
    def spec(self) -> str:
        return ",".join(self.steps)

    @property
    def is_transposed(self) -> bool:
        """Whether the rows of the result are the columns of the matrix."""
        return "transpose" in self.steps

    @property
    def is_rowwise(self) -> bool:
        """Whether a row of the result follows from the same row of the matrix alone."""
        return not any(step.partition(":")[0] in OF_ALL_ROWS for step in self.steps)

    def apply(self, blocks: Blocks, bias: np.ndarray | None, name: str = "the matrix") -> Blocks:
        """The transformed row blocks; the blocks themselves where there is nothing to do.

        Raises UsageError when `bias` is asked for and the matrix has none, MatrixError when it is too large to transpose.
        """
        if "bias" in self.steps and bias is None:
            raise UsageError(
                "bad_parameter",
                owner="transform",
                name="transform",
                needed="without 'bias', for no bias was found beside this matrix",
                got=self.spec,
            )
        n_bytes = 8 * blocks.n_rows * blocks.n_columns
        if self.is_transposed and n_bytes > TRANSPOSE_BYTES:
            sizes = {"size": f"{n_bytes / 2**30:.1f} GB in float64", "limit": f"{TRANSPOSE_BYTES >> 30} GB"}
            raise MatrixError("matrix_too_large", matrix=name, what="transposing", **sizes)
        for step in self.steps:
            blocks = _applied(step, blocks, bias)
        return blocks


def _is_step(step: str) -> bool:
    name, _, number = step.partition(":")
    if name == "without_top":
        return bool(re.fullmatch(r"[1-9]\d?", number)) and int(number) <= MAX_TOP
    return step in STEPS


def _applied(step: str, blocks: Blocks, bias: np.ndarray | None) -> Blocks:
    from tb_embfactor.linalg import steps
    from tb_embfactor.linalg.blocks import Transposed

    name, _, number = step.partition(":")
    if name == "transpose":
        return Transposed(blocks)
    if name in ("center", "without_top"):
        return steps.WithoutLeading(blocks, int(number or 0))
    return steps.EachRow(blocks, (lambda block: block + bias) if name == "bias" else steps.FUNCTIONS[name])
