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
from tb_embfactor.formats import Folder, MatrixInfo
from tb_embfactor.formats.bundle import Bundle
from tb_embfactor.formats.object_graph import MAX_GRAPH_BYTES, ObjectGraph, Variable, plain_key
from tb_embfactor.formats.steps import choose_step, step_in_name
from tb_embfactor.formats.stored import StoredTensor, StoredTensors, only_our_errors
from tb_embfactor.formats.variable_names import find_slots, guess_role, layer_of, name_beside
from tb_embfactor.messages import Message

GRAPH_KEY = "_CHECKPOINTABLE_OBJECT_GRAPH"
MAX_STATE_BYTES = 1 << 20


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
        serialized = bundle.read_string(GRAPH_KEY, MAX_GRAPH_BYTES)
        graph = ObjectGraph(serialized, bundle.path) if serialized is not None else None
        variables = graph.variables if graph else []
        known = {variable.key for variable in variables} | (graph.owned if graph else set())
        variables = [*variables, *_judge_by_name({key: shape for key, shape in bundle.shapes.items() if key not in known})]
        self._collect(variables)
        self.step = _find_step(bundle, graph, name or folder.path.name)
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
            infos.append(MatrixInfo(name, tensor.shape, dtype, variable.role, bias, layer, checksum, stored_name=variable.key))
        super().__init__(self._bundle.path, {name_of[variable.key]: tensor for variable, tensor in found}, vectors)
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


def _unique_names(variables: list[Variable]) -> dict[str, str]:
    """Names by key: those for people, and where several variables would share one, the paths in the checkpoint."""
    n_uses = Counter(variable.name for variable in variables)
    names = {variable.key: variable.name if n_uses[variable.name] == 1 else plain_key(variable.key) for variable in variables}
    return names if len(set(names.values())) == len(names) else {key: key for key in names}


def _judge_by_name(shapes: dict[str, tuple[int, ...]]) -> Iterator[Variable]:
    slots = find_slots(shapes)
    for name in shapes:
        if name in slots:
            continue
        role = guess_role(name)
        bias = name_beside(name, "bias") if role == "kernel" else None
        yield Variable(name, plain_key(name), "", role, layer_of(name) if role != "other" else None, bias, None)


def _find_step(bundle: Bundle, graph: ObjectGraph | None, name: str) -> int | None:
    if graph is None:
        return choose_step(bundle.read_integer("global_step"), step_in_name(name))
    counts = [bundle.read_integer(key) for key in graph.iterations]
    inside = max((count for count in counts if count is not None), default=None)
    for key in ("global_step", "step"):
        if inside is None and key in graph.of_root:
            inside = bundle.read_integer(graph.of_root[key])
    counter = graph.of_root.get("save_counter")
    return choose_step(inside, step_in_name(name), bundle.read_integer(counter) if counter else None)


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
