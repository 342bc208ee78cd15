"""The matrices of a PyTorch model, from the names, shapes and places of its tensors (see `torch_roles` for what each of them is).

What does not belong to the model is left out: what an optimizer keeps beside a parameter, indices and masks. Weights that are
tied, two names for the same bytes, are one matrix, and the further names lead to it.
"""

from __future__ import annotations

import os
import re
from collections.abc import Collection, Hashable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from tb_embfactor.formats import MatrixInfo
from tb_embfactor.formats.lora import find_pairs
from tb_embfactor.formats.parameters import Parameter, StateDict, tell_skipped
from tb_embfactor.formats.quantized import find_packed
from tb_embfactor.formats.stored import FileTensors, Tensor, only_our_errors
from tb_embfactor.formats.torch_roles import Place, Roles
from tb_embfactor.messages import Message
from tb_embfactor.sources import FileSource, stat_fingerprint

_PREFIXES = ("module.", "base_model.model.")
_WRAPPERS = ("_orig_mod", "_forward_module", "_fsdp_wrapped_module", "_checkpoint_wrapped_module")
_SLOT_WORDS = re.compile(r"(^|[._])(exp_(avg|inf)|momentum|square_avg|grad_avg|acc_delta|optim|state|slot|moment)", re.IGNORECASE)
_NUMBERED_SLOT = re.compile(r"(.*\.)?state\.\d+\.\w+")
_N_AROUND = 5  # how many parts may stand before and behind the name of a parameter in the name of its slot


@dataclass
class Matrices:
    """What is found in a model, as `StoredTensors` and `Reader` want it."""

    infos: list[MatrixInfo] = field(default_factory=list)
    matrices: dict[str, Tensor] = field(default_factory=dict)
    vectors: dict[str, Tensor] = field(default_factory=dict)
    skipped: list[Message] = field(default_factory=list)

    def add(self, info: MatrixInfo, tensor: Tensor) -> None:
        self.infos.append(info)
        self.matrices[info.name] = tensor


class StateDictReader(FileTensors):
    """See `tb_embfactor.formats.Reader`. files : the open ones, each at its path; the first stands for the checkpoint."""

    def __init__(
        self,
        files: Sequence[FileSource],
        paths: Sequence[Path],
        model: StateDict,
        step: int | None,
        notes: Sequence[Message] = (),
    ) -> None:
        self._files, self._paths, self._beside = files, paths, model.beside
        found = find_matrices(model, files[0].name)
        super().__init__(files[0].name, found.matrices, found.vectors)
        self.matrices, self.skipped = tuple(found.infos), (*notes, *found.skipped)
        self.step = step
        self.wall_time = os.stat(paths[0]).st_mtime

    def fingerprint(self) -> str:
        with only_our_errors(self.path):
            # They tell which way round a matrix lies, and its scale.
            beside = [stat_fingerprint(os.stat(path)) for path in self._beside if path.exists()]
        return "|".join([super().fingerprint(), *beside])


def find_matrices(model: StateDict, shown: str) -> Matrices:
    """Every matrix of a model once, in the order of the model. `shown` is what messages call the file."""
    stored_names = _plain_names(model.parameters)
    parameters = {name: model.parameters[stored] for name, stored in stored_names.items()}
    packed, belongings = find_packed(parameters)
    for hidden in _find_slots(parameters) | belongings:
        del parameters[hidden]
    pairs = list(find_pairs(parameters, model.adapter))
    factors = {factor for pair in pairs for factor in pair.factors}
    roles = Roles({name: parameter.shape for name, parameter in parameters.items()}, model.classes, model.sizes)
    matrices = [name for name, parameter in parameters.items() if len(parameter.shape) == 2]
    places = {name: Place("other") if name in factors else roles.place(name) for name in matrices}
    found = Matrices()
    reasons: dict[str, list[str]] = {}
    for name, aliases in _one_name_each(parameters, places).items():
        parameter, place = parameters[name], places[name]
        reason = packed.get(name) or parameter.problem
        if reason is not None:
            reasons.setdefault(reason, []).append(name)
        elif parameter.tensor is not None and not (place.role == "other" and parameter.tensor.dtype.kind in "iub"):
            tensor = parameter.tensor.transposed() if place.is_transposed else parameter.tensor
            bias = parameters[place.bias].tensor if place.bias else None
            if place.bias and bias is not None:
                found.vectors[place.bias] = bias
            told = (name, tensor.shape, tensor.dtype.name, place.role, place.bias if bias is not None else None, layer_of(name))
            stored_name = stored_names[name] if stored_names[name] != name else None
            info = MatrixInfo(*told, parameter.checksum, stored_name=stored_name, aliases=tuple(aliases))
            found.add(info, tensor)
    for pair in pairs:
        found.add(MatrixInfo(pair.name, pair.product.shape, "float32", pair.role, layer=pair.layer), pair.product)
    found.skipped = tell_skipped(reasons, shown)
    return found


def _one_name_each(parameters: Mapping[str, Parameter], places: Mapping[str, Place]) -> dict[str, list[str]]:
    """The name under which each matrix is shown, with the other names of the same bytes: that of a table before any other."""
    names_at: dict[Hashable, list[str]] = {}
    for name in places:
        place = parameters[name].place
        names_at.setdefault(name if place is None else (place, parameters[name].shape), []).append(name)
    ordered = (sorted(names, key=lambda name: places[name].role != "embedding") for names in names_at.values())
    return {first: others for first, *others in ordered}


def _find_slots(parameters: Mapping[str, Parameter]) -> set[str]:
    """What an optimizer keeps, where it was saved among the model's tensors, as `optimizer.state.head.weight.exp_avg`.

    Around the whole name of a parameter of its own shape, or a number in its place, stands what an optimizer calls it. Such a
    word alone decides nothing: a table may be called `momentum`.
    """
    slots = set()
    for name, parameter in parameters.items():
        if not _SLOT_WORDS.search(name):
            continue
        parts = name.split(".")
        spans = [(start, len(parts) - behind) for start in range(_N_AROUND) for behind in range(_N_AROUND)]
        owners = [".".join(parts[a:b]) for a, b in spans if _SLOT_WORDS.search(".".join(parts[:a] + parts[b:]))]
        is_beside_owner = any(owner in parameters and parameters[owner].shape == parameter.shape for owner in owners)
        if is_beside_owner or _NUMBERED_SLOT.fullmatch(name):
            slots.add(name)
    return slots


def _plain_names(names: Collection[str]) -> dict[str, str]:
    """Stored names by name, which lacks what data-parallel and compiled models put before and between the names of modules."""
    prefix = next((prefix for prefix in _PREFIXES if all(name.startswith(prefix) for name in names)), "")
    plain = {}
    for stored in names:
        name = stored.removeprefix(prefix).encode("utf-8", "backslashreplace").decode()  # half a surrogate pair is no text
        plain[".".join(part for part in name.split(".") if part not in _WRAPPERS)] = stored
    return plain if len(plain) == len(names) else {name: name for name in names}


def layer_of(name: str) -> str | None:
    """`query` of `encoder.layer.0.query.weight`, `net.2` of `model.net.2.weight`."""
    parts = name.split(".")[:-1]
    numbers: list[str] = []
    while parts and parts[-1].isdigit():
        numbers.insert(0, parts.pop())
    return ".".join([*parts[-1:], *numbers]) or None
