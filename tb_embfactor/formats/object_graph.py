"""The object graph of a TensorFlow checkpoint: which variable is what in the program that saved it.

A checkpoint of `tf.train.Checkpoint` stores a variable under the first path that led to it, and that may be
`optimizer/_trainable_variables/0` for an embedding. The graph of all objects lies beside: nodes, named edges to their
children, and on each variable its own full name. From it follow a name that a person recognises, the role of a variable
in its layer, and which variables an optimizer owns.

Real graphs have cycles and shared nodes, hostile ones anything: every walk visits a node once and nothing recurses.
"""

from __future__ import annotations

import re
from collections import defaultdict, deque
from dataclasses import dataclass

from tb_embfactor.errors import DamagedError, UnsupportedError
from tb_embfactor.formats import Role
from tb_embfactor.formats.variable_names import guess_role, layer_of, name_beside

MAX_GRAPH_BYTES = 64 << 20
MAX_PARTS = 500_000
_MAX_DEPTH = 64

_VALUE = "VARIABLE_VALUE"
_ITERATIONS = ("_iterations", "iterations", "iter")
_RATES = {"_learning_rate", "learning_rate", "_hyper", "decay", "_variables"}
_OWN_VARIABLES = "_variables"
_MODEL_VARIABLES = "_trainable_variables"  # of an optimizer: the list of variables it trains, not its own
_ACCUMULATOR, _ACCUMULATORS = "accumulator", "_accumulators"  # of Adagrad, as a slot and as a list of an optimizer

# Edges that frameworks make for themselves; a path without them is preferred, and below them the full name says more.
_LISTS = {
    "variables", "trainable_variables", "non_trainable_variables", "_all_variables",
    "_trainable_variables", "_non_trainable_variables", "keras_api",
}  # fmt: skip
_HOLDERS = re.compile(r"_functional|_operations|_layers|layers|_tracked|" + "|".join(sorted(_LISTS)))
_KERAS_2_LAYER = re.compile(r"layer(_with_weights)?-\d+")
_TABLE_EDGES, _KERNEL_EDGES = {"embeddings", "_embeddings"}, {"kernel", "_kernel"}


@dataclass(frozen=True)
class Variable:
    """A variable of the program, not of its optimizer.

    key : where the checkpoint has it. name : for people. full_name : what TensorFlow called it, "" if nothing.
    bias : key of the vector beside it in its layer. shelf : number of the list it was found in, if only a list has it.
    accumulator : key of what Adagrad has accumulated for it. row_keys : key of the tensor that names its rows (of a hash table).
    """

    key: str
    name: str
    full_name: str
    role: Role
    layer: str | None
    bias: str | None
    shelf: int | None
    accumulator: str | None = None
    row_keys: str | None = None


class ObjectGraph:
    """
    variables : of the model, in the order in which the program reaches them.
    owned : keys of the variables that optimizers own (slots, counts, rates).
    iterations : keys of the counts of training steps, of optimizers and of what else counts beside a learning rate.
    of_root : keys of the variables that the checkpoint holds directly, by name.
    """

    def __init__(self, serialized: bytes, path: str) -> None:
        self._parse(serialized, path)
        edges = [{edge for edge, _ in children} for children in self._children]
        # An optimizer lists its variables or its slots; a count beside a rate may also belong to a trainer that holds the model.
        counting = [node for node, names in enumerate(edges) if names.intersection(_ITERATIONS) and names & _RATES]
        self._optimizers = self._slot_keepers | {node for node in counting if _OWN_VARIABLES in edges[node]}
        self._walk()
        owned = self._owned_by_optimizers()
        self.owned = {self._keys[node] for node in owned if node in self._keys}
        self.iterations = [
            self._keys[child]
            for node in counting
            for edge, child in self._children[node]
            if edge in _ITERATIONS and child in self._keys
        ]
        self.of_root = {edge: self._keys[child] for edge, child in self._children[0] if child in self._keys}
        self.variables = self._describe([node for node in self._reached if node in self._keys and node not in owned])

    def _parse(self, serialized: bytes, path: str) -> None:
        from tensorboard.compat.proto.trackable_object_graph_pb2 import TrackableObjectGraph

        graph = TrackableObjectGraph.FromString(serialized)
        n_parts = len(graph.nodes) + sum(len(node.children) for node in graph.nodes)
        if n_parts > MAX_PARTS:
            what = "the number of objects and references in it"
            raise UnsupportedError("file_too_large", path=path, what=what, size=n_parts, limit=MAX_PARTS)
        self._children = [[(child.local_name, child.node_id) for child in node.children] for node in graph.nodes]
        self._keys: dict[int, str] = {}
        self._full_names: dict[int, str] = {}
        self._slots: set[int] = set()
        self._slot_keepers: set[int] = set()
        self._accumulators: dict[int, int] = {}  # variable -> what Adagrad has accumulated for it
        for number, node in enumerate(graph.nodes):
            for attribute in node.attributes:
                if attribute.name == _VALUE:
                    self._keys[number], self._full_names[number] = attribute.checkpoint_key, attribute.full_name
            if node.slot_variables:
                self._slot_keepers.add(number)
                slots = {slot.slot_variable_node_id: slot for slot in node.slot_variables}
                self._slots.update(slots)
                self._accumulators |= {
                    slot.original_variable_node_id: child for child, slot in slots.items() if slot.slot_name == _ACCUMULATOR
                }
        ids = {child for children in self._children for _, child in children} | self._slots
        if not graph.nodes or any(not 0 <= number < len(graph.nodes) for number in ids):
            raise DamagedError("file_damaged", path=path, what="its object graph refers to objects that it does not have")

    def _walk(self) -> None:
        """Reach every object by a shortest path, through optimizers and lists of variables only where nothing else leads."""
        self._reached: dict[int, tuple[int, str]] = {0: (0, "")}  # node -> the node before it, and the edge
        self._depth, self._late = {0: 0}, set[int]()
        soon, later = deque([0]), deque[tuple[int, str, int]]()
        while soon or later:
            if soon:
                node = soon.popleft()
            else:
                parent, edge, node = later.popleft()
                if node in self._reached:
                    continue
                self._reach(parent, edge, node)
                self._late.add(node)
            for edge, child in self._children[node]:
                if edge in _LISTS or child in self._optimizers:
                    later.append((node, edge, child))
                elif child not in self._reached:
                    self._reach(node, edge, child)
                    soon.append(child)

    def _reach(self, parent: int, edge: str, node: int) -> None:
        self._reached[node] = (parent, edge)
        self._depth[node] = self._depth[parent] + 1
        if parent in self._late:
            self._late.add(node)

    def _owned_by_optimizers(self) -> set[int]:
        """Slots, and what only an optimizer leads to, except through its list of the model's variables."""
        owned, pending = set(self._slots), list(self._optimizers)
        seen = set(self._optimizers)
        while pending:
            for edge, child in self._children[pending.pop()]:
                if child not in seen and edge != _MODEL_VARIABLES and child in self._late:
                    seen.add(child)
                    pending.append(child)
        return owned | seen

    def _describe(self, nodes: list[int]) -> list[Variable]:
        edges = [(parent, edge, child) for parent, children in enumerate(self._children) for edge, child in children]
        self._biases = {parent: child for parent, edge, child in edges if edge == "bias"}
        self._recurrent = {parent for parent, edge, _ in edges if edge == "recurrent_kernel"}
        parents = defaultdict[int, list[tuple[int, str]]](list)
        for parent, edge, child in edges:
            if child in self._keys:
                parents[child].append((parent, edge))
        accumulators = self._accumulators | self._listed_accumulators()
        on_shelf = {(self._shelf(node), self._full_names[node]): self._keys[node] for node in nodes}
        variables = []
        for node in nodes:
            full_name, shelf = self._full_names[node], self._shelf(node)
            role, bias, layer = self._place_in_layer(parents[node])
            if layer is not None:
                layer_name = self._layer_name(layer, node)
            else:
                role = "other" if shelf is None else guess_role(full_name)
                bias = on_shelf.get((shelf, name_beside(full_name, "bias"))) if role == "kernel" else None
                layer_name = layer_of(full_name) if role != "other" else None
            accumulator = self._keys.get(accumulators.get(node, -1))
            name = self._name(node)
            variables.append(Variable(self._keys[node], name, full_name, role, layer_name, bias, shelf, accumulator))
        return variables

    def _listed_accumulators(self) -> dict[int, int]:
        """Of the optimizers that list what they accumulate: in the order of the variables, or under names that end in theirs."""
        found: dict[int, int] = {}
        for optimizer in self._optimizers:
            lists = dict(self._children[optimizer])
            slots = self._children[lists[_ACCUMULATORS]] if _ACCUMULATORS in lists else []
            if _MODEL_VARIABLES in lists:
                trained = dict(self._children[lists[_MODEL_VARIABLES]])
            else:
                named = {name: node for node, name in self._full_names.items()}
                marked = ((edge, self._full_names.get(slot, "").partition(f"/{_ACCUMULATOR}/")[2]) for edge, slot in slots)
                trained = {edge: named[name] for edge, name in marked if name in named}
            found |= {trained[edge]: slot for edge, slot in slots if edge in trained}
        return found

    def _shelf(self, node: int) -> int | None:
        return self._reached[node][0] if node in self._late else None

    def _place_in_layer(self, parents: list[tuple[int, str]]) -> tuple[Role, str | None, int | None]:
        """The role of a variable in the layer that holds it, the key of its bias, and the layer."""
        for parent, edge in parents:
            if edge in _TABLE_EDGES:
                return "embedding", None, parent
            if edge in _KERNEL_EDGES and parent not in self._recurrent:
                return "kernel", self._keys.get(self._biases.get(parent, -1)), parent
        return "other", None, None

    def _edges_to(self, node: int) -> list[str]:
        edges = []
        while node:
            node, edge = self._reached[node]
            edges.append(edge)
        return edges[::-1]

    def _name(self, node: int) -> str:
        """The path to a variable as the program's author would write it.

        Where Keras' own lists of layers begin, the full name goes on: as many of its last parts as there are layers on the
        path, since a full name may start with an automatic name of the whole model.
        """
        if not 0 < self._depth[node] <= _MAX_DEPTH:
            return plain_key(self._keys[node])
        edges, full_name = self._edges_to(node), self._full_names[node]
        internal = next((position for position, edge in enumerate(edges) if _is_internal(edge)), None)
        if internal is None or not full_name:
            last = edges[-1]
            return "/".join([*edges[:-1], last[1:] if last in _TABLE_EDGES | _KERNEL_EDGES and last[0] == "_" else last])
        if node in self._late:
            return full_name
        n_parts = sum(not _HOLDERS.fullmatch(edge) for edge in edges[internal:])
        return "/".join([*edges[:internal], *full_name.split("/")[-n_parts:]])

    def _layer_name(self, layer: int, variable: int) -> str | None:
        """The author's name of a layer: from its variable's full name, else the attribute that holds the layer.

        A full name of two parts may start with the layer or with a whole subclassed Keras model, all of whose layers then
        share it. It is the layer's in the lists that Keras makes itself, which only other kinds of models have.
        """
        holder, edge = self._reached.get(layer, (0, ""))
        full_name = self._full_names[variable]
        in_keras_list = _is_internal(edge) or (edge.isdigit() and _is_internal(self._reached[holder][1]))
        if in_keras_list or full_name.count("/") > 1:
            return layer_of(full_name)
        return None if edge.isdigit() else edge or None


def _is_internal(edge: str) -> bool:
    return bool(_HOLDERS.fullmatch(edge) or _KERAS_2_LAYER.fullmatch(edge))


def plain_key(key: str) -> str:
    return key.removesuffix(f"/.ATTRIBUTES/{_VALUE}")
