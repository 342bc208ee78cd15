"""What a program saved with `torch.save`: the models in it, their names and classes, and how far training had come.

A file holds a state dict, or one among other things ({"model": …, "optimizer": …}, Lightning), or whole modules. It is read as
data (`pickle_machine`); here that is walked, and each tensor is named after the path that leads to it. What an optimizer keeps is
left out by its form: {"state": …, "param_groups": …}.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from tb_embfactor.formats.parameters import Parameter
from tb_embfactor.formats.pickle_machine import Node, Reference, Symbol, as_mapping
from tb_embfactor.formats.steps import STEP_NAMES

MAX_DEPTH = 64
MAX_TENSORS = 500_000
_HOLDERS = ("state_dict", "model_state_dict", "model", "module", "net", "network", "weights", "params")
_TRAINER_STATES = ("train_state", "trainer_state", "training_state", "trainer", "progress")
_N_OPTIMIZER_STATES = 64
_MODULE_PARTS = ("_parameters", "_buffers", "_modules")

Path = tuple[str, ...]
ReadTensor = Callable[[Any], Parameter | None]


@dataclass
class Saved:
    """What was found.

    parameters : tensors by name. classes : those of PyTorch's own modules, by the name of the module.
    counts : training steps that optimizers counted. is_bare : the file is one tensor, without a name.
    """

    parameters: dict[str, Parameter] = field(default_factory=dict)
    classes: dict[str, str] = field(default_factory=dict)
    counts: list[int] = field(default_factory=list)
    is_bare: bool = False


def find_saved(value: Any, read: ReadTensor) -> Saved:
    """Walk everything that was saved, each object once, in its order. read : gives the tensor that a value is, if it is one."""
    saved = Saved()
    seen: set[int] = set()
    paths: dict[Path, Parameter] = {}
    classes: dict[Path, str] = {}
    pending: list[tuple[Path, Any]] = [((), value)]
    while pending and len(paths) < MAX_TENSORS:
        path, item = pending.pop()
        parameter = read(item)
        if parameter is not None:
            paths[path] = parameter
        elif len(path) < MAX_DEPTH and isinstance(item, Node | dict | list | tuple) and id(item) not in seen:
            seen.add(id(item))
            if _is_optimizer(item):
                saved.counts += _counts_of(item, read)
                continue
            if class_name := _module_class(item):
                classes[path] = class_name
            pending += reversed([((*path, *key), inner) for key, inner in _inside(item)])
    names = _names(list(paths))
    saved.parameters = {names[path]: parameter for path, parameter in paths.items()}
    saved.classes = {".".join(_without_holder(path)): class_name for path, class_name in classes.items()}
    saved.is_bare = list(paths) == [()]
    return saved


def step_in(value: Any, read: ReadTensor) -> tuple[int | None, int | None]:
    """The counts of training steps and of epochs that stand beside the model, or in what is called the state of the trainer."""
    beside = as_mapping(value)
    for told in (beside, *(as_mapping(beside.get(name)) for name in _TRAINER_STATES)):
        steps = [step for name in STEP_NAMES if (step := whole_number(told.get(name), read)) is not None]
        epoch = whole_number(told.get("epoch"), read)
        if steps or epoch is not None:
            return (steps[0] if steps else None), epoch
    return None, None


def whole_number(value: Any, read: ReadTensor) -> int | None:
    """A count: a whole number, or a tensor that holds one."""
    parameter = read(value)
    if parameter is None:
        return value if type(value) is int and 0 <= value < 1 << 53 else None
    if parameter.tensor is None or parameter.shape not in ((), (1,)):
        return None
    number = float(parameter.tensor.read_rows(0, 1)[0, 0])
    return int(number) if 0 <= number < 1 << 53 and number.is_integer() else None


def _inside(item: Any) -> Iterator[tuple[Path, Any]]:
    """What an object holds, each with what leads to it; of a module its parameters and the modules in it alone."""
    if isinstance(item, list | tuple):
        yield from (((str(number),), inner) for number, inner in enumerate(item))
        return
    attributes = item.state if isinstance(item, Node) and isinstance(item.state, dict) else {}
    if _module_class(item) is not None:
        for part in _MODULE_PARTS:
            yield from (((key,), inner) for key, inner in as_mapping(attributes.get(part)).items() if isinstance(key, str))
        return
    for entries in (as_mapping(item), attributes):
        yield from (((str(key),), inner) for key, inner in entries.items() if isinstance(key, str | int))
    for items in (item.items or (), item.args if isinstance(item.args, tuple) else ()) if isinstance(item, Node) else ():
        yield from (((str(number),), inner) for number, inner in enumerate(items))


def _module_class(item: Any) -> str | None:
    """The class of a pickled module, "" where it is not one of PyTorch's; None for other objects."""
    if not isinstance(item, Node) or not isinstance(item.state, dict) or not {"_parameters", "_modules"} <= item.state.keys():
        return None
    symbol = item.callee
    if isinstance(symbol, Symbol) and symbol.name == "_reconstructor" and isinstance(item.args, tuple) and item.args:
        symbol = item.args[0]  # as copyreg makes objects before protocol 2
    if isinstance(symbol, Reference) and isinstance(symbol.id, tuple) and len(symbol.id) > 1:
        symbol = symbol.id[1]  # before PyTorch 1.6, ("module", class, file, source)
    if isinstance(symbol, Symbol) and (symbol.module.startswith("torch.nn.") or symbol.name == "Conv1D"):
        return symbol.name
    return ""


def _is_optimizer(item: Any) -> bool:
    return {"state", "param_groups"} <= as_mapping(item.state if isinstance(item, Node) and item.state else item).keys()


def _counts_of(optimizer: Any, read: ReadTensor) -> list[int]:
    """The steps that an optimizer has counted, which it does for each parameter."""
    told = as_mapping(optimizer.state if isinstance(optimizer, Node) and optimizer.state else optimizer)
    states = list(as_mapping(told["state"]).values())[:_N_OPTIMIZER_STATES]
    counts = (whole_number(as_mapping(state).get("step"), read) for state in states)
    return [count for count in counts if count is not None]


def _names(paths: list[Path]) -> dict[Path, str]:
    """Names as the model itself would give them, without what the file puts around the model, where they stay different."""
    short = {path: ".".join(_without_holder(path)) for path in paths}
    return short if len(set(short.values())) == len(short) else {path: ".".join(path) for path in paths}


def _without_holder(path: Path) -> Path:
    n_holders = next((count for count, part in enumerate(path[:-1]) if part not in _HOLDERS), max(0, len(path) - 1))
    return path[n_holders:]
