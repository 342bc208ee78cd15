"""Which variables of a file of Keras 3 (or of the later Keras 2, which writes alike) are a model's matrices.

Variables lie under the path of their layer, `layers/embedding_1/vars/0`. Keras numbers the layers of a list by class, in order,
so the configuration, which lists the same layers, tells the class and settings behind each path; where there is none (files of
weights, subclassed models), the path itself names the class. The author's name of a layer is an attribute of its `vars`, else in
the configuration.
"""

from __future__ import annotations

import re
from collections import Counter
from typing import Any

from tb_embfactor.formats import Role
from tb_embfactor.formats.hdf5 import Contents, Dataset

_LISTS = ("layers", "_layer_checkpoint_dependencies")  # how Keras 3 and Keras 2 call a model's own list of layers
_DENSE_CLASSES = ("dense", "einsum_dense")


class SavedModel:
    """The variables of a model by path, with what configuration and paths tell of them.

    datasets : all but those that an optimizer owns. matrices : those with two axes, in the order of the layers.
    iterations : the optimizers' counts of training steps. names : for people, by path. links : paths that lead elsewhere.
    """

    def __init__(self, contents: Contents, config: dict[str, Any]) -> None:
        self._attributes, self.links = contents.attributes, contents.links
        self._configs = _configs_by_path(config)
        optimizers = [group for group in _groups(contents.datasets) if _is_optimizer(group, contents.datasets)]
        owned = tuple(f"{group}/" for group in optimizers)
        groups = [*optimizers, *(f"{group}/inner_optimizer" for group in optimizers)]
        self.iterations = [contents.datasets[f"{group}/vars/0"] for group in groups if _is_optimizer(group, contents.datasets)]
        self.datasets = {path: data for path, data in contents.datasets.items() if not path.startswith(owned)}
        order = {path: position for position, path in enumerate(self._configs)}
        by_layer = sorted(self.datasets, key=lambda path: (order.get(_layer(path), len(order)), _natural(path)))
        self.matrices = {path: self.datasets[path] for path in by_layer if len(self.datasets[path].shape) == 2}
        self.names = unique_names({path: self._name(path) for path in self.datasets})

    def role(self, path: str) -> Role:
        if not path.endswith("vars/0") or len(shape := self.datasets[path].shape) != 2:
            return "other"
        layer = _layer(path)
        class_name = re.sub(r"_\d+$", "", layer.rpartition("/")[2])
        settings = self._settings(layer)
        if class_name.endswith("embedding") or (settings.get("input_dim"), settings.get("output_dim")) == shape:
            return "embedding"
        return "kernel" if class_name in _DENSE_CLASSES or settings.get("units") == shape[1] else "other"

    def bias_of(self, path: str) -> str | None:
        """The path of the vector that is added to the outputs of a kernel."""
        beside = f"{path.removesuffix('0')}1"
        bias = self.datasets.get(beside)
        fits = bias is not None and bias.tensor is not None and bias.shape == self.datasets[path].shape[1:]
        return beside if fits and self.role(path) == "kernel" else None

    def layer_name(self, path: str) -> str | None:
        return self._authors_name(_layer(path))

    def _authors_name(self, layer: str) -> str | None:
        name = self._attributes.get(f"{layer}/vars".lstrip("/"), {}).get("name", self._settings(layer).get("name"))
        return name if isinstance(name, str) else None

    def _settings(self, layer: str) -> dict[str, Any]:
        settings = self._configs.get(layer, {}).get("config")
        return settings if isinstance(settings, dict) else {}

    def _name(self, path: str) -> str:
        """The path with the authors' names of layers, and with the usual names of the variables of the usual layers."""
        layer, parts = _layer(path), []
        groups = layer.split("/") if layer else []
        for depth, group in enumerate(groups, start=1):
            if group not in _LISTS:
                parts.append(self._authors_name("/".join(groups[:depth])) or group)
        variable = path[len(layer) :].lstrip("/")
        kernel = f"{path.removesuffix('1')}0"
        if path.endswith("vars/1") and kernel in self.datasets and self.bias_of(kernel) == path:
            variable = "bias"
        return "/".join([*parts, {"embedding": "embeddings", "kernel": "kernel"}.get(self.role(path), variable)])


def unique_names(names: dict[str, str]) -> dict[str, str]:
    """Names by path: those for people, and where several would share one, the paths themselves."""
    n_uses = Counter(names.values())
    unique = {path: name if n_uses[name] == 1 else path for path, name in names.items()}
    return unique if len(set(unique.values())) == len(unique) else {path: path for path in names}


def _layer(path: str) -> str:
    """`layers/dense` of `layers/dense/vars/0`; the model itself is ""."""
    return path.rpartition("vars/")[0].rstrip("/")


def _groups(paths: dict[str, Dataset]) -> list[str]:
    return list(dict.fromkeys(_layer(path) for path in paths))


def _is_optimizer(group: str, datasets: dict[str, Dataset]) -> bool:
    """Whether a group is an optimizer's: called so, not in a list of layers, and starting with a count of steps."""
    holder, _, name = group.rpartition("/")
    first = datasets.get(f"{group}/vars/0")
    counts = first is not None and first.shape == () and first.dtype is not None and first.dtype.kind in "iu"
    return counts and name.endswith("optimizer") and holder.rpartition("/")[2] not in _LISTS


def _configs_by_path(config: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """The configuration of each layer by its path in the HDF5 file, in order."""
    found: dict[str, dict[str, Any]] = {}
    pending = [("", config)]
    while pending:
        path, model = pending.pop()
        settings = model.get("config")
        layers = settings.get("layers") if isinstance(settings, dict) else None
        n_uses = Counter[str]()
        nested = []
        for layer in layers if isinstance(layers, list) else []:
            if isinstance(layer, dict) and isinstance(layer.get("class_name"), str):
                name = _snake_case(layer["class_name"])
                number = f"_{n_uses[name]}" if n_uses[name] else ""
                n_uses[name] += 1
                layer_path = f"{path}/layers/{name}{number}".lstrip("/")
                found[layer_path] = layer
                nested.append((layer_path, layer))
        pending += reversed(nested)
    return found


def _snake_case(class_name: str) -> str:
    """As Keras turns the name of a class into that of a group."""
    name = re.sub(r"\W+", "", class_name)
    name = re.sub(r"(.)([A-Z][a-z]+)", r"\1_\2", name)
    return re.sub(r"([a-z])([A-Z])", r"\1_\2", name).lower()


def _natural(path: str) -> list[tuple[int, str]]:
    """A key that puts `embedding_10` behind `embedding_9`."""
    return [(int(part), "") if part.isdecimal() and len(part) < 10 else (-1, part) for part in re.split(r"(\d+)", path)]
