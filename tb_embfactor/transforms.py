"""What is done to the rows of a matrix before they are factored, block by block.

A transform is written as a comma-separated list of steps, applied from left to right:

    bias         add the layer's bias to every row            W + b
    relu         rectify                                      max(x, 0)
    unit_rows    scale every row to unit length               x / ‖x‖ (zero rows stay zero)

so that `bias,relu` gives the activated rows ReLU(W + b) of a layer. The empty list leaves the matrix as stored.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from tb_embfactor.errors import UsageError

if TYPE_CHECKING:
    import numpy as np

STEPS = ("bias", "relu", "unit_rows")


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
        """Raises UsageError for an unknown or repeated step."""
        steps = tuple(part.strip() for part in (spec or "").split(",") if part.strip() not in ("", "none"))
        if set(steps) - set(STEPS) or len(set(steps)) != len(steps):
            raise UsageError(
                "bad_parameter",
                owner="transform",
                name="transform",
                needed=f"a list of {', '.join(STEPS)}, each at most once",
                got=spec,
            )
        return cls(steps)

    @property
    def spec(self) -> str:
        return ",".join(self.steps)

    def apply(self, blocks: Blocks, bias: np.ndarray | None) -> Blocks:
        """The transformed row blocks; the blocks themselves where there is nothing to do.

        Raises UsageError when `bias` is asked for and the matrix has none.
        """
        if "bias" in self.steps and bias is None:
            raise UsageError(
                "bad_parameter",
                owner="transform",
                name="transform",
                needed="without 'bias', for no bias was found beside this matrix",
                got=self.spec,
            )
        return _Transformed(blocks, self.steps, bias) if self.steps else blocks


class _Transformed:
    def __init__(self, blocks: Blocks, steps: tuple[str, ...], bias: np.ndarray | None) -> None:
        self.n_rows, self.n_columns = blocks.n_rows, blocks.n_columns
        self._blocks, self._steps, self._bias = blocks, steps, bias

    def __iter__(self) -> Iterator[np.ndarray]:
        import numpy as np

        for raw in self._blocks:
            block = raw.astype(np.float64)
            for step in self._steps:
                if step == "bias":
                    block += np.asarray(self._bias)
                elif step == "relu":
                    np.maximum(block, 0, out=block)  # keeps NaN, so such rows are still skipped and counted
                else:
                    norms = np.sqrt(np.einsum("ij,ij->i", block, block))[:, None]
                    np.divide(block, norms, out=block, where=norms > 0)
            yield block
