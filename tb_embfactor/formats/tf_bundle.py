"""Checkpoints of TensorFlow 1 and 2, and the variables of a SavedModel: which tensors of a bundle are a model's matrices.

A checkpoint of TensorFlow 2 keeps the graph of its objects under `_CHECKPOINTABLE_OBJECT_GRAPH`, which tells names, roles and
what belongs to optimizers. Tensors that it does not speak of, all of them in TensorFlow 1, are judged by their own names.
"""

from __future__ import annotations

import os
import re
from collections import Counter, defaultdict
from collections.abc import Iterator

from tb_embfactor.errors import ReadError, UnsupportedError
from tb_embfactor.formats import SQUARED_GRADIENTS, Folder, MatrixInfo, OwnColumn, Role
from tb_embfactor.formats.bundle import Bundle
from tb_embfactor.formats.graph_roles import read_roles
from tb_embfactor.formats.object_graph import MAX_GRAPH_BYTES, ObjectGraph, Variable, plain_key
from tb_embfactor.formats.steps import choose_step, step_in_name
from tb_embfactor.formats.stored import StoredTensor, StoredTensors, mean_rows, only_our_errors
from tb_embfactor.formats.variable_names import (
    accumulator_of,
    find_hash_tables,
    find_slots,
    guess_role,
    layer_of,
    name_beside,
)
from tb_embfactor.messages import Message

GRAPH_KEY = "_CHECKPOINTABLE_OBJECT_GRAPH"
_TABLE_KEY = re.compile(r"(/\.ATTRIBUTES/[^/]*)?-values$")
_VARIABLES = "variables"  # the directory of a SavedModel that holds its checkpoint, and the name of that
_FIRST_TIMESTAMP = 1_000_000_000  # exporters number their SavedModels by the second
MAX_STATE_BYTES = 1 << 20
MAX_KEYS_BYTES = 256 << 20


def open_reader(folder: Folder, name: str) -> BundleReader:
    with only_our_errors(folder.confinement.show(folder.path / f"{name}.index")):
        bundle = Bundle(folder, name)
        try:
            return BundleReader(folder, name, bundle)
        except BaseException:
            bundle.close()
            raise


class BundleReader(StoredTensors):
    """See `tb_embfactor.formats.Reader`."""

    def __init__(self, folder: Folder, name: str, bundle: Bundle) -> None:
        self._bundle = bundle
        serialized = bundle.read_strings(GRAPH_KEY, MAX_GRAPH_BYTES)
        graph = ObjectGraph(serialized[0], bundle.path) if serialized else None
        variables = graph.variables if graph else []
        known = {variable.key for variable in variables} | (graph.owned if graph else set())
        others = {key: shape for key, shape in bundle.shapes.items() if key not in known}
        variables = [*variables, *_judge_by_name(others, _roles_in_graph(folder, name) if graph is None else {})]
        self._collect(variables)
        self.step = _find_step(bundle, graph, _step_in_path(folder, name))
        self.wall_time = _wall_time(folder, name)

    def _collect(self, variables: list[Variable]) -> None:
        """Matrices once each, with the biases that belong to them, and why others are left out."""
        shapes = self._bundle.shapes
        variables = list({variable.key: variable for variable in variables}.values())
        found, skipped = self._readable_matrices([variable for variable in variables if len(shapes.get(variable.key, ())) == 2])
        name_of = _unique_names([variable for variable, _ in found])
        biases = {item.key: item.bias for item, tensor in found if item.bias and shapes.get(item.bias) == tensor.shape[1:]}
        used = set(biases.values())
        bias_names = _unique_names([variable for variable in variables if variable.key in used])
        n_same = Counter(variable.full_name for variable, _ in found)
        infos: list[MatrixInfo] = []
        vectors: dict[str, StoredTensor] = {}
        labels: dict[str, _RowLabels] = {}
        for variable, tensor in found:
            bias = bias_names.get(biases.get(variable.key, ""))
            if bias is not None and bias not in vectors:
                try:
                    vectors[bias] = self._bundle.tensor(biases[variable.key])
                except UnsupportedError:
                    bias = None
            # The variables of a subclassed Keras model may share one full name, which then tells no layer.
            layer = None if variable.shelf is not None and n_same[variable.full_name] > 1 else variable.layer
            checksum = self._bundle.checksum(variable.key)
            name, dtype = name_of[variable.key], tensor.dtype.name
            labels[name] = _RowLabels(self._bundle, variable, tensor.shape[0])
            infos.append(
                MatrixInfo(name, tensor.shape, dtype, variable.role, bias, layer, checksum, variable.key, labels[name].columns)
            )
        super().__init__(self._bundle.path, {name_of[variable.key]: tensor for variable, tensor in found}, vectors, labels)
        self.matrices, self.skipped = tuple(infos), tuple(skipped)

    def _readable_matrices(self, variables: list[Variable]) -> tuple[list[tuple[Variable, StoredTensor]], list[Message]]:
        found: list[tuple[Variable, StoredTensor]] = []
        skipped: list[Message] = []
        shelves_with = defaultdict[tuple[object, ...], set[int | None]](set)
        for variable in variables:
            try:
                tensor = self._bundle.tensor(variable.key)
            except UnsupportedError as skip:
                skipped.append(Message("tensor_skipped", {**skip.message.params, "tensor": variable.name}))
                continue
            # Keras' export lists a variable on two shelves, each with a copy of its numbers. Within a shelf all differ.
            shelves = shelves_with[variable.full_name, tensor.shape, tensor.dtype, self._bundle.checksum(variable.key)]
            is_copy = variable.full_name and variable.shelf is not None and shelves - {variable.shelf}
            shelves.add(variable.shelf)
            if not is_copy:
                found.append((variable, tensor))
        return found, skipped

    def fingerprint(self) -> str:
        with only_our_errors(self.path):
            return self._bundle.fingerprint()

    def close(self) -> None:
        self._bundle.close()


class _RowLabels:
    """What the checkpoint tells of the rows of a variable; called, it is read."""

    def __init__(self, bundle: Bundle, variable: Variable, n_rows: int) -> None:
        self._bundle, self._keys, self._accumulator = bundle, variable.row_keys, variable.accumulator
        if self._accumulator is not None and not bundle.has_rows(self._accumulator, n_rows):
            self._accumulator = None
        self.columns = ("key",) * (self._keys is not None) + (SQUARED_GRADIENTS,) * (self._accumulator is not None)

    def __call__(self) -> dict[str, OwnColumn]:
        columns: dict[str, OwnColumn] = {}
        if self._keys is not None:
            texts = self._bundle.read_strings(self._keys, MAX_KEYS_BYTES)
            if texts is None:
                keys = self._bundle.tensor(self._keys)
                columns["key"] = [str(number) for number in keys.read_rows(0, keys.shape[0]).reshape(-1)]
            else:
                columns["key"] = [text.decode("utf-8", "replace") for text in texts]
        if self._accumulator is not None:
            columns[SQUARED_GRADIENTS] = mean_rows(self._bundle.tensor(self._accumulator))
        return columns


def _unique_names(variables: list[Variable]) -> dict[str, str]:
    """Names by key: those for people, and where several variables would share one, the paths in the checkpoint."""
    n_uses = Counter(variable.name for variable in variables)
    names = {variable.key: variable.name if n_uses[variable.name] == 1 else plain_key(variable.key) for variable in variables}
    return names if len(set(names.values())) == len(names) else {key: key for key in names}


def _roles_in_graph(folder: Folder, name: str) -> dict[str, Role]:
    """What the graph that `Saver` writes beside a checkpoint tells, if it is there."""
    try:
        with folder.open(f"{name}.meta") as meta:
            return read_roles(meta)
    except ReadError:
        return {}


def _judge_by_name(shapes: dict[str, tuple[int, ...]], roles: dict[str, Role]) -> Iterator[Variable]:
    slots, tables = find_slots(shapes), find_hash_tables(shapes)
    for name in shapes:
        if name in tables:
            plain = _TABLE_KEY.sub("", name)
            yield Variable(name, plain, "", "embedding", plain.rpartition("/")[2], None, None, row_keys=tables[name])
        elif name not in slots and name not in tables.values():
            role = roles.get(name) or guess_role(name)
            bias = name_beside(name, "bias") if role == "kernel" else None
            layer = layer_of(name) if role != "other" else None
            yield Variable(name, plain_key(name), "", role, layer, bias, None, accumulator_of(name, shapes))


def _step_in_path(folder: Folder, name: str) -> int | None:
    """What the name says, or that of the directory for a name of nothing and for the variables of a SavedModel."""
    if name != _VARIABLES or folder.path.name != _VARIABLES:
        return step_in_name(name or folder.path.name)
    step = step_in_name(folder.path.parent.name)
    return step if step is not None and step < _FIRST_TIMESTAMP else None


def _find_step(bundle: Bundle, graph: ObjectGraph | None, in_name: int | None) -> int | None:
    if graph is None:
        return choose_step(bundle.read_integer("global_step"), in_name)
    counts = [bundle.read_integer(key) for key in graph.iterations]
    inside = max((count for count in counts if count is not None), default=None)
    for key in ("global_step", "step"):
        if inside is None and key in graph.of_root:
            inside = bundle.read_integer(graph.of_root[key])
    counter = graph.of_root.get("save_counter")
    return choose_step(inside, in_name, bundle.read_integer(counter) if counter else None)


def _wall_time(folder: Folder, name: str) -> float:
    """When the checkpoint was saved: from the state file beside it, which survives copying, else its modification time.

    The state file names checkpoints with the directory where they were written, which says nothing here: bare names count.
    """
    try:
        with folder.open("checkpoint") as state:
            text = state.read_at(0, state.size).decode() if state.size <= MAX_STATE_BYTES else ""
    except (ReadError, UnicodeDecodeError):
        text = ""
    names = [path.rpartition("/")[2] for path in re.findall(r'^all_model_checkpoint_paths: "(.*)"$', text, re.MULTILINE)]
    times = re.findall(r"^all_model_checkpoint_timestamps: (\d{1,12}(?:\.\d*)?)$", text, re.MULTILINE)
    if len(names) == len(times) and name in names:
        return float(times[names.index(name)])
    return os.stat(folder.path / f"{name}.index").st_mtime
