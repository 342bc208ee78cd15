"""The protocol buffers of a TensorFlow checkpoint's index, which TensorBoard does not ship.

Declared in a descriptor pool of our own, so they cannot clash with TensorFlow's when a program imports both. Enums are
declared as integers, which is the same on the wire and keeps values that are unknown here.
"""

from __future__ import annotations

import functools
from types import SimpleNamespace
from typing import Any

# message -> field -> (number, type); a type that is a message of this table is nested, [type] is repeated
_MESSAGES: dict[str, dict[str, tuple[int, Any]]] = {
    "Header": {"num_shards": (1, "int32"), "endianness": (2, "int32")},
    "Entry": {
        "dtype": (1, "int32"),
        "shape": (2, "Shape"),
        "shard_id": (3, "int32"),
        "offset": (4, "int64"),
        "size": (5, "int64"),
        "crc32c": (6, "fixed32"),
        "slices": (7, ["Slice"]),
    },
    "Shape": {"dim": (2, ["Dimension"]), "unknown_rank": (3, "bool")},
    "Dimension": {"size": (1, "int64")},
    "Slice": {"extent": (1, ["Extent"])},
    "Extent": {"start": (1, "int64"), "length": (2, "int64")},
}


@functools.cache
def load() -> Any:
    """The message classes as attributes: `load().Entry.FromString(data)`."""
    from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

    declared = descriptor_pb2.FieldDescriptorProto
    file = descriptor_pb2.FileDescriptorProto(name="bundle.proto", package="tb_embfactor", syntax="proto3")
    for message, fields in _MESSAGES.items():
        descriptor = file.message_type.add(name=message)
        for name, (number, kind) in fields.items():
            repeated = isinstance(kind, list)
            kind = kind[0] if repeated else kind
            field = descriptor.field.add(name=name, number=number)
            field.label = declared.LABEL_REPEATED if repeated else declared.LABEL_OPTIONAL
            if kind in _MESSAGES:
                field.type, field.type_name = declared.TYPE_MESSAGE, f".tb_embfactor.{kind}"
            else:
                field.type = declared.Type.Value(f"TYPE_{kind.upper()}")
    # An extent that takes everything has no length, which differs from the length 0.
    extent = next(message for message in file.message_type if message.name == "Extent")
    extent.oneof_decl.add(name="has_length")
    extent.field[1].oneof_index = 0
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    classes = {
        message: message_factory.GetMessageClass(pool.FindMessageTypeByName(f"tb_embfactor.{message}")) for message in _MESSAGES
    }
    return SimpleNamespace(**classes)
