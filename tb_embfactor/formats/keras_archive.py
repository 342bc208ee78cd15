"""Keras 3 model files (`.keras`): a zip archive with the model's configuration and its variables in an HDF5 file.

Variables lie under the path of their layer, `layers/embedding_1/vars/0`. Keras numbers the layers of a list by class, in order,
so the configuration, which lists the same layers, tells the class and settings behind each path; where there is none (subclassed
models), the path itself names the class. The attribute `name` of a layer's `vars` is its author's name for it.
"""

from __future__ import annotations

import json
import os
import re
import zlib
from collections import Counter
from typing import Any

from tb_embfactor.errors import DamagedError, UnsupportedError
from tb_embfactor.formats import Folder, MatrixInfo, Role
from tb_embfactor.formats.hdf5 import Contents, Dataset, read_contents
from tb_embfactor.formats.steps import choose_step, step_in_name
from tb_embfactor.formats.stored import Piece, StoredTensor, StoredTensors, only_our_errors
from tb_embfactor.formats.zip_archive import Member, list_members
from tb_embfactor.messages import Message
from tb_embfactor.sources import FileSource, Source, stat_fingerprint

CONFIG, WEIGHTS = "config.json", "model.weights.h5"
MAX_CONFIG_BYTES = 16 << 20

_LISTS = ("layers", "_layer_checkpoint_dependencies")  # how Keras 3 and Keras 2 call a model's own list of layers
_DENSE_CLASSES = ("dense", "einsum_dense")


def open_reader(folder: Folder, name: str) -> KerasReader:
    with only_our_errors(folder.confinement.show(folder.path / name)):
        source = folder.open(name)
        try:
            return KerasReader(folder, name, source)
        except BaseException:
            source.close()
            raise


class KerasReader(StoredTensors):
    """See `tb_embfactor.formats.Reader`."""

    def __init__(self, folder: Folder, name: str, source: FileSource) -> None:
        self._file, self._path = source, folder.path / name
        members = list_members(source)
        if WEIGHTS not in members:
            what = f"it holds no {WEIGHTS}"
            raise UnsupportedError("file_unsupported", path=source.name, what=what, next="Save the model again with Keras 3.")
        self._weights_crc = members[WEIGHTS].crc32
        weights = members[WEIGHTS].open()
        model = _SavedModel(read_contents(weights), _read_config(members[CONFIG]) if CONFIG in members else {})
        self._collect(model, weights)
        self.step = choose_step(self._iterations(model, weights), step_in_name(name))
        self.wall_time = os.stat(self._path).st_mtime

    def _collect(self, model: _SavedModel, weights: Source) -> None:
        infos, skipped = [], []
        matrices: dict[str, StoredTensor] = {}
        vectors: dict[str, StoredTensor] = {}
        for path, dataset in model.matrices.items():
            if dataset.dtype is None or dataset.problem:
                skipped.append(Message("tensor_skipped", {"tensor": path, "path": self._file.name, "reason": dataset.problem}))
                continue
            name, role, bias = model.names[path], model.role(path), model.bias_of(path)
            matrices[name] = _stored(weights, dataset)
            if bias is not None:
                vectors[model.names[bias]] = _stored(weights, model.datasets[bias])
            shape, dtype, bias = matrices[name].shape, dataset.dtype.name, bias and model.names[bias]
            infos.append(MatrixInfo(name, shape, dtype, role, bias, model.layer_name(path), stored_name=path))
        super().__init__(self._file.name, matrices, vectors)
        self.matrices, self.skipped = tuple(infos), tuple(skipped)

    def _iterations(self, model: _SavedModel, weights: Source) -> int | None:
        """The optimizers' count of training steps."""
        counts = [int(_stored(weights, dataset).read_rows(0, 1)[0, 0]) for dataset in model.iterations if not dataset.problem]
        return max((count for count in counts if 0 <= count < 1 << 53), default=None)

    def fingerprint(self) -> str:
        with only_our_errors(self.path):
            return f"{stat_fingerprint(os.stat(self._path))}|{self._weights_crc:08x}"

    def close(self) -> None:
        self._file.close()


class _SavedModel:
    """The variables of a model file by path, with what configuration and paths tell of them.

    datasets : all but those that an optimizer owns. matrices : those with two axes, in the order of the layers.
    iterations : the optimizers' counts of training steps.
    names : for people, by path.
    """

    def __init__(self, contents: Contents, config: dict[str, Any]) -> None:
        self._attributes = contents.attributes
        self._configs = _configs_by_path(config)
        optimizers = [group for group in _groups(contents.datasets) if _is_optimizer(group, contents.datasets)]
        owned = tuple(f"{group}/" for group in optimizers)
        groups = [*optimizers, *(f"{group}/inner_optimizer" for group in optimizers)]
        self.iterations = [contents.datasets[f"{group}/vars/0"] for group in groups if _is_optimizer(group, contents.datasets)]
        self.datasets = {path: data for path, data in contents.datasets.items() if not path.startswith(owned)}
        order = {path: position for position, path in enumerate(self._configs)}
        by_layer = sorted(self.datasets, key=lambda path: (order.get(_layer(path), len(order)), _natural(path)))
        self.matrices = {path: self.datasets[path] for path in by_layer if len(self.datasets[path].shape) == 2}
        names = {path: self._name(path) for path in self.datasets}
        n_uses = Counter(names.values())
        unique = {path: name if n_uses[name] == 1 else path for path, name in names.items()}
        self.names = unique if len(set(unique.values())) == len(unique) else {path: path for path in names}

    def role(self, path: str) -> Role:
        if not path.endswith("vars/0") or len(shape := self.datasets[path].shape) != 2:
            return "other"
        layer = _layer(path)
        config = self._configs.get(layer, {}).get("config")
        config = config if isinstance(config, dict) else {}
        class_name = re.sub(r"_\d+$", "", layer.rpartition("/")[2])
        if class_name.endswith("embedding") or (config.get("input_dim"), config.get("output_dim")) == shape:
            return "embedding"
        return "kernel" if class_name in _DENSE_CLASSES or config.get("units") == shape[1] else "other"

    def bias_of(self, path: str) -> str | None:
        """The path of the vector that is added to the outputs of a kernel."""
        beside = f"{path.removesuffix('0')}1"
        bias = self.datasets.get(beside)
        fits = bias is not None and not bias.problem and bias.shape == self.datasets[path].shape[1:]
        return beside if fits and self.role(path) == "kernel" else None

    def layer_name(self, path: str) -> str | None:
        return self._attributes.get(f"{_layer(path)}/vars".lstrip("/"), {}).get("name")

    def _name(self, path: str) -> str:
        """The path with the authors' names of layers, and with the usual names of the variables of the usual layers."""
        layer, parts = _layer(path), []
        groups = layer.split("/") if layer else []
        for depth, group in enumerate(groups, start=1):
            if group not in _LISTS:
                parts.append(self._attributes.get("/".join([*groups[:depth], "vars"]), {}).get("name", group))
        variable = path[len(layer) :].lstrip("/")
        kernel = f"{path.removesuffix('1')}0"
        if path.endswith("vars/1") and kernel in self.datasets and self.bias_of(kernel) == path:
            variable = "bias"
        return "/".join([*parts, {"embedding": "embeddings", "kernel": "kernel"}.get(self.role(path), variable)])


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


def _read_config(member: Member) -> dict[str, Any]:
    source = member.open()
    if source.size > MAX_CONFIG_BYTES:
        size, limit = f"{source.size} bytes", f"{MAX_CONFIG_BYTES} bytes"
        raise UnsupportedError("file_too_large", path=source.name, what="the configuration", size=size, limit=limit)
    data = source.read_at(0, source.size)
    if zlib.crc32(data) != member.crc32:
        raise DamagedError("file_damaged", path=source.name, what="its checksum does not fit")
    config = json.loads(data)
    return config if isinstance(config, dict) else {}


def _stored(weights: Source, dataset: Dataset) -> StoredTensor:
    assert dataset.dtype is not None
    n_rows, n_columns = (*dataset.shape, 1, 1)[:2]
    piece = Piece(weights, dataset.offset, (n_rows, n_columns))
    return StoredTensor(dataset.dtype, (n_rows, n_columns), [piece], dataset.swapped)
