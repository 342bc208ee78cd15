"""What a graph of TensorFlow 1 does with its variables: rows that are looked up are those of an embedding, factors are kernels.

`Saver` writes the graph beside the checkpoint (`PREFIX.meta`), and it knows what names only hint at. Variables are followed
through the operations that hand them on unchanged to those that use them.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

from tb_embfactor.formats import Role
from tb_embfactor.sources import Source

MAX_META_BYTES = 64 << 20
_MAX_STEPS = 64

_VARIABLES = {"VariableV2", "Variable", "VarHandleOp"}
_HANDING_ON = {"Identity", "ReadVariableOp", "Cast", "Enter", "RefEnter", "Switch", "RefSwitch", "StopGradient", "ConcatV2"}
_LOOKUPS = {"Gather", "GatherV2", "ResourceGather", "GatherNd", "ResourceGatherNd"}
_PRODUCTS = {"MatMul", "BatchMatMul", "BatchMatMulV2", "SparseTensorDenseMatMul"}
_PART = re.compile(r"/part_\d+$")


def read_roles(meta: Source) -> dict[str, Role]:
    """The role of each variable that the graph looks up or multiplies by, under its name in the checkpoint."""
    from google.protobuf.message import DecodeError
    from tensorboard.compat.proto.meta_graph_pb2 import MetaGraphDef

    if meta.size > MAX_META_BYTES:
        return {}
    try:
        return find_roles(MetaGraphDef.FromString(meta.read_at(0, meta.size)).graph_def.node)
    except DecodeError:
        return {}


def find_roles(nodes: Iterable[Any]) -> dict[str, Role]:
    graph = {node.name: (node.op, [_plain(name) for name in node.input]) for node in nodes}
    roles: dict[str, Role] = {}
    for op, inputs in graph.values():
        used = inputs[:1] if op in _LOOKUPS else inputs[1:2] if op in _PRODUCTS else []
        for variable in (_variable_behind(name, graph) for name in used):
            if variable is not None and (op in _LOOKUPS or variable not in roles):
                roles[variable] = "embedding" if op in _LOOKUPS else "kernel"
    return roles


def _variable_behind(name: str, graph: dict[str, tuple[str, list[str]]]) -> str | None:
    for _ in range(_MAX_STEPS):
        op, inputs = graph.get(name, ("", []))
        if op in _VARIABLES:
            return _PART.sub("", name)
        if op not in _HANDING_ON or not inputs:
            return None
        name = inputs[0]
    return None


def _plain(name: str) -> str:
    """The node behind an input: `^` marks control, `:1` an output."""
    return name.lstrip("^").partition(":")[0]
