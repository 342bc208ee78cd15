"""Which variables of a model or of weights in `.h5`, as Keras 1 and 2 write them and Keras 3 still can, are matrices.

A group for each layer holds its variables under their own names: `embedding_1/embedding_1/embeddings:0`. In a file of a whole
model these groups lie in `model_weights`, the optimizer's slots in `optimizer_weights` under any name, and the attribute
`model_config` is the configuration in JSON.
"""

from __future__ import annotations

import json
import re
from typing import Any

from tb_embfactor.formats import Role
from tb_embfactor.formats.hdf5 import Contents, Text
from tb_embfactor.formats.keras_model import unique_names
from tb_embfactor.formats.variable_names import guess_role, layer_of, name_beside

_MODEL, _OPTIMIZER = "model_weights/", "optimizer_weights/"
_ITERATIONS = re.compile(r"(.*/)?(iter|iterations?)(:0)?")
_LAYER_NAMES = re.compile(r"layer_names\d*")  # a list too long for one attribute goes on in numbered ones


def is_legacy(contents: Contents) -> bool:
    return any(_LAYER_NAMES.fullmatch(name) for group in ("", "model_weights") for name in contents.attributes.get(group, {}))


class LegacyModel:
    """The same of a legacy file as `tb_embfactor.formats.keras_model.SavedModel` tells of one of Keras 3."""

    def __init__(self, contents: Contents) -> None:
        datasets, self.links = contents.datasets, contents.links
        root = _MODEL if any(path.startswith(_MODEL) for path in datasets) else ""
        self.iterations = [
            data
            for path, data in datasets.items()
            if path.startswith(_OPTIMIZER) and _ITERATIONS.fullmatch(path) and data.shape == ()
        ]
        self.datasets = {
            path: data for path, data in datasets.items() if path.startswith(root) and not path.startswith(_OPTIMIZER)
        }
        order = {name: position for position, name in enumerate(_layer_names(contents.attributes.get(root.rstrip("/"), {})))}
        self._sizes = _table_sizes(contents.attributes[""].get("model_config"))
        self._own_names = {path: _own_name(path.removeprefix(root)) for path in self.datasets}
        self._paths = {name: path for path, name in self._own_names.items()}
        by_layer = sorted(
            self.datasets, key=lambda path: (order.get(path.removeprefix(root).partition("/")[0], len(order)), path)
        )
        self.matrices = {path: self.datasets[path] for path in by_layer if len(self.datasets[path].shape) == 2}
        self.names = unique_names(self._own_names)

    def role(self, path: str) -> Role:
        name = self._own_names[path]
        if self.datasets[path].shape in self._sizes.get(layer_of(name) or "", ()) or name.endswith("/embeddings"):
            return "embedding"
        role = guess_role(name)
        return "other" if role == "kernel" and name_beside(name, "recurrent_kernel") in self._paths else role

    def bias_of(self, path: str) -> str | None:
        if self.role(path) != "kernel":
            return None
        beside = self._paths.get(name_beside(self._own_names[path], "bias"))
        bias = self.datasets[beside] if beside else None
        return beside if bias and bias.tensor is not None and bias.shape == self.datasets[path].shape[1:] else None

    def layer_name(self, path: str) -> str | None:
        return layer_of(self._own_names[path])


def _own_name(path: str) -> str:
    """`inner/dense/kernel` of `dense/kernel:0` or `inner/dense/kernel:0` in the group of the layer `inner`."""
    layer, _, name = path.partition("/")
    parts = name.removesuffix(":0").split("/")
    return "/".join(parts[parts.index(layer) :] if layer in parts[:-1] else [layer, *parts])


def _layer_names(attributes: dict[str, Text]) -> list[str]:
    """The layers in the order of the model."""
    parts = sorted((name for name in attributes if _LAYER_NAMES.fullmatch(name)), key=lambda name: (len(name), name))
    return [layer for part in parts for layer in (attributes[part] if isinstance(attributes[part], tuple) else ())]


def _table_sizes(config: Text | None) -> dict[str, set[tuple[Any, Any]]]:
    """What the configuration says of layers with a table of inputs: (inputs, parameters) by the name of the layer."""
    sizes: dict[str, set[tuple[Any, Any]]] = {}
    pending = [json.loads(config)] if isinstance(config, str) else []
    while pending:
        item = pending.pop()
        pending += item.values() if isinstance(item, dict) else item if isinstance(item, list) else ()
        if isinstance(item, dict) and isinstance(item.get("name"), str) and {"input_dim", "output_dim"} <= item.keys():
            sizes.setdefault(item["name"], set()).add((item["input_dim"], item["output_dim"]))
    return sizes
