"""The tensors of a PyTorch model, as each format that holds one describes them."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from tb_embfactor.formats.stored import StoredTensor
from tb_embfactor.messages import Message

Shape = tuple[int, ...]
_N_NAMES_SHOWN = 3


@dataclass(frozen=True)
class Parameter:
    """A tensor of a model.

    tensor : its numbers, if it has at most two axes. problem : why they cannot be read.
    place : where its bytes lie, so equal for two names of one tensor.
    checksum : see `MatrixInfo`.
    """

    shape: Shape
    tensor: StoredTensor | None = None
    problem: str | None = None
    place: Hashable = None
    checksum: str | None = None


@dataclass(frozen=True)
class ModelSizes:
    """What a `config.json` says. rows : sizes of vocabularies and numbers of positions. widths : of the model."""

    rows: frozenset[int] = frozenset()
    widths: frozenset[int] = frozenset()


@dataclass(frozen=True)
class AdapterSettings:
    """What an `adapter_config.json` says. alphas : α of modules by the end of their names, where it is not `alpha`."""

    alpha: float | None = None
    alphas: Mapping[str, float] = field(default_factory=dict)
    is_rank_stabilised: bool = False


@dataclass(frozen=True)
class StateDict:
    """A model: its tensors by name, the classes of its modules as far as they are known, and what files beside it say.

    beside : those files, whether they are there or not.
    """

    parameters: Mapping[str, Parameter]
    classes: Mapping[str, str] = field(default_factory=dict)
    sizes: ModelSizes = field(default_factory=ModelSizes)
    adapter: AdapterSettings = field(default_factory=AdapterSettings)
    beside: tuple[Path, ...] = ()


def tell_skipped(reasons: Mapping[str, Sequence[str]], shown: str) -> list[Message]:
    """A sentence for each reason why tensors of a file are left out, with their names."""
    told = []
    for reason, names in reasons.items():
        more = f" and {len(names) - _N_NAMES_SHOWN} more" if len(names) > _N_NAMES_SHOWN else ""
        tensor = ", ".join(names[:_N_NAMES_SHOWN]) + more
        told.append(Message("tensor_skipped", {"tensor": tensor, "path": shown, "reason": reason}))
    return told
