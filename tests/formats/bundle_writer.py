"""Writes TensorFlow bundles, byte by byte, so that tests can write the ones that TensorFlow would not."""

from __future__ import annotations

import struct
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import google_crc32c
import numpy as np

from tb_embfactor.formats import bundle_protos

MAGIC = bytes.fromhex("57fb808b247547db")
NUMBERS = {
    "float32": 1, "float64": 2, "int32": 3, "uint8": 4, "int16": 5, "int8": 6, "int64": 9, "bool": 10,
    "bfloat16": 14, "uint16": 17, "float16": 19, "float8_e5m2": 24,
}  # fmt: skip


def masked(data: bytes) -> int:
    crc = google_crc32c.value(data)
    return ((crc >> 15 | crc << 17) + 0xA282EAD8) & 0xFFFFFFFF


def varint(value: int) -> bytes:
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*out, value])


def block(entries: list[tuple[bytes, bytes]], n_shared: int = 0) -> bytes:
    """A block of entries, each sharing `n_shared` bytes with the key before it where that is so."""
    out, last = bytearray(), b""
    for key, value in entries:
        shared = n_shared if n_shared and key[:n_shared] == last[:n_shared] and len(last) >= n_shared else 0
        out += varint(shared) + varint(len(key) - shared) + varint(len(value)) + key[shared:] + value
        last = key
    return bytes(out) + struct.pack("<II", 0, 1)


def table(blocks: list[tuple[bytes, bytes, int]]) -> bytes:
    """A table of (last key, content, compression) blocks."""
    out, index = bytearray(), []
    for key, content, kind in blocks:
        index.append((key, varint(len(out)) + varint(len(content))))
        out += content + bytes([kind]) + struct.pack("<I", masked(content + bytes([kind])))
    handles = b""
    for content in (block([]), block(index)):
        handles += varint(len(out)) + varint(len(content))
        out += content + b"\0" + struct.pack("<I", masked(content + b"\0"))
    return bytes(out) + handles.ljust(40, b"\0") + MAGIC


def write_bundle(
    folder: Path,
    name: str,
    tensors: Mapping[str, np.ndarray | bytes | list[bytes]],
    *,
    big_endian: bool = False,
    edit: Callable[[str, Any], None] = lambda name, entry: None,
    extra: Mapping[bytes, bytes] | None = None,
    n_shards: int = 1,
) -> None:
    """Write tensors (bytes are strings) into one data file. edit : may change each entry. extra : keys beside them."""
    protos = bundle_protos.load()
    order = ">" if big_endian else "<"
    entries = {b"": protos.Header(num_shards=n_shards, endianness=int(big_endian)).SerializeToString()}
    data = bytearray()
    for tensor, value in tensors.items():
        if isinstance(value, bytes | list):
            strings = [value] if isinstance(value, bytes) else value
            lengths = b"".join(struct.pack(order + "I", len(string)) for string in strings)
            content = struct.pack(order + "I", masked(lengths)) + b"".join(strings)
            stored = b"".join(varint(len(string)) for string in strings) + content
            entry = protos.Entry(dtype=7, crc32c=masked(lengths + content))
            if isinstance(value, list):
                entry.shape.dim.add(size=len(value))
        else:
            swapped = value.view(f"u{value.dtype.itemsize}").byteswap() if big_endian else value
            stored = swapped.tobytes()
            entry = protos.Entry(dtype=NUMBERS[value.dtype.name], crc32c=masked(stored))
            for size in value.shape:
                entry.shape.dim.add(size=size)
        entry.offset, entry.size = len(data), len(stored)
        edit(tensor, entry)
        entries[tensor.encode()] = entry.SerializeToString()
        data += stored
    entries |= extra or {}
    (folder / f"{name}.index").write_bytes(table([(max(entries), block(sorted(entries.items())), 0)]))
    (folder / f"{name}.data-00000-of-{n_shards:05d}").write_bytes(data)


def graph(*nodes: dict[str, Any]) -> bytes:
    """An object graph: of each node the `children` by name, the `key` and `full_name` of its variable, and its `slots`."""
    from tensorboard.compat.proto.trackable_object_graph_pb2 import TrackableObjectGraph

    proto = TrackableObjectGraph()
    for node in nodes:
        added = proto.nodes.add()
        for edge, child in node.get("children", {}).items():
            added.children.add(local_name=edge, node_id=child)
        if "key" in node:
            added.attributes.add(name="VARIABLE_VALUE", full_name=node.get("full_name", ""), checkpoint_key=node["key"])
        for slot_name, of, slot in node.get("slots", ()):
            added.slot_variables.add(slot_name=slot_name, original_variable_node_id=of, slot_variable_node_id=slot)
    return proto.SerializeToString()
