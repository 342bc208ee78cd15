"""LoRA: pairs of thin matrices that are trained in place of a layer, offered as the one matrix that they add to it.

A layer's outputs change by scale · B A x, with A (r, inputs) and B (outputs, r); for a table, A is (r, rows) and B (columns, r).
So the matrix that is added, (inputs, parameters) as everywhere, is scale · Aᵀ Bᵀ. The scale is α/r, or α/√r for rank-stabilised
pairs; α stands in `adapter_config.json`, or beside the pair. Where it is told nowhere, the scale is 1.

    Hu et al., LoRA: Low-Rank Adaptation of Large Language Models (arXiv 2106.09685), section 4.1
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from tb_embfactor.formats import Role
from tb_embfactor.formats.parameters import AdapterSettings, Parameter
from tb_embfactor.formats.stored import StoredTensor, check_rows

MAX_FACTOR_BYTES = 64 << 20
_FACTORS = {
    "lora_A": "lora_B",
    "lora_embedding_A": "lora_embedding_B",
    "lora_down": "lora_up",
    "lora.down": "lora.up",
    "lora_linear_layer.down": "lora_linear_layer.up",
}


@dataclass(frozen=True)
class Pair:
    """Two factors by name, and what they stand for."""

    name: str
    layer: str | None
    role: Role
    factors: tuple[str, str]
    product: ProductTensor


class ProductTensor:
    """Rows of scale · L R, float32, rounded once from float64.

    Cost of a pass: one over L, rows · r · columns multiply-adds; R is read once and held, at most MAX_FACTOR_BYTES.
    """

    dtype = np.dtype(np.float32)

    def __init__(self, left: StoredTensor, right: StoredTensor, scale: float) -> None:
        self._left, self._right, self._scale = left, right, scale
        self.shape = (left.shape[0], right.shape[1])
        self._held: np.ndarray | None = None

    def read_rows(self, start: int, stop: int) -> np.ndarray:
        check_rows(self.shape[0], start, stop)
        if self._held is None:
            self._held = self._right.read_rows(0, self._right.shape[0]).astype(np.float64) * self._scale
        with np.errstate(over="ignore", invalid="ignore"):  # rows with NaN or Inf are counted later
            return (self._left.read_rows(start, stop).astype(np.float64) @ self._held).astype(np.float32)


def find_pairs(parameters: Mapping[str, Parameter], settings: AdapterSettings) -> Iterator[Pair]:
    """The pairs among the tensors of a model, in its order."""
    for name, parameter in parameters.items():
        for first, second in _FACTORS.items():
            module, found, rest = name.partition(f".{first}")
            partner = f"{module}.{second}{rest}"
            if not found or partner not in parameters or rest[:1] not in ("", "."):
                continue
            a, b = parameter.tensor, parameters[partner].tensor
            rank = parameter.shape[0] if parameter.shape else 0
            is_pair = len(parameter.shape) == len(parameters[partner].shape) == 2 and rank == parameters[partner].shape[1] > 0
            if a is None or b is None or not is_pair or 8 * rank * b.shape[0] > MAX_FACTOR_BYTES:
                continue
            scale = _scale(module, rank, settings, parameters.get(f"{module}.alpha"))
            role: Role = "embedding" if "embedding" in first else "kernel"
            adapter = rest.removesuffix(".weight")
            product = ProductTensor(a.transposed(), b.transposed(), scale)
            yield Pair(f"{module}.lora{adapter}", module.rpartition(".")[2] or None, role, (name, partner), product)


def _scale(module: str, rank: int, settings: AdapterSettings, beside: Parameter | None) -> float:
    own = (alpha for end, alpha in settings.alphas.items() if f".{module}".endswith(f".{end}"))
    alpha = next(own, settings.alpha)
    if beside is not None and beside.tensor is not None and beside.tensor.shape == (1, 1):
        alpha = float(beside.tensor.read_rows(0, 1)[0, 0])
    if alpha is None or not math.isfinite(alpha):
        return 1.0
    return alpha / (math.sqrt(rank) if settings.is_rank_stabilised else rank)
