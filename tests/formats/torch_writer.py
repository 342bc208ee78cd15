"""Writes files as torch.save does, opcode by opcode, so that tests can write the ones that PyTorch would not."""

from __future__ import annotations

import pickle
import struct
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

MAGIC = pickle.dumps(0x1950A86A20F9469CFC6C, 2)


def symbol(module: str, name: str) -> bytes:
    return b"c%s\n%s\n" % (module.encode(), name.encode())


def value(plain: Any) -> bytes:
    """A plain value, without the frame of a pickle."""
    return pickle.dumps(plain, 2)[2:-1]


def group(*items: bytes) -> bytes:
    return b"(" + b"".join(items) + b"t"


def mapping(entries: Mapping[str, bytes]) -> bytes:
    return b"}(" + b"".join(value(key) + entry for key, entry in entries.items()) + b"u"


def call(module: str, name: str, *arguments: bytes) -> bytes:
    return symbol(module, name) + group(*arguments) + b"R"


def storage(key: Any = "0", kind: str = "FloatStorage", n_numbers: Any = 6) -> bytes:
    parts = [value("storage"), symbol("torch", kind), value(key), value("cpu"), value(n_numbers)]
    return group(*parts) + b"Q"


def tensor(where: bytes | None = None, offset: Any = 0, sizes: Sequence[Any] = (3, 2), strides: Sequence[Any] = (2, 1)) -> bytes:
    told = [storage() if where is None else where, value(offset), value(tuple(sizes)), value(tuple(strides))]
    return call("torch._utils", "_rebuild_tensor_v2", *told, b"\x89", b"N")


def program(body: bytes) -> bytes:
    return b"\x80\x02" + body + b"."


def write_archive(path: Path, body: bytes, storages: Mapping[str, bytes] | None = None, **more: bytes) -> Path:
    """A zip archive with the pickle of `body`. more : further members, by name."""
    if storages is None:
        storages = {"0": np.arange(6, dtype="<f4").tobytes()}
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("archive/data.pkl", program(body))
        for key, data in storages.items():
            archive.writestr(f"archive/data/{key}", data)
        for name, data in more.items():
            archive.writestr(name, data)
    return path


def write_sequence(path: Path, body: bytes, keys: Any, storages: Sequence[tuple[int, bytes]]) -> Path:
    """A file from before PyTorch 1.6. storages : how many numbers each says it has, and its bytes."""
    pickles = [MAGIC, pickle.dumps(1001, 2), pickle.dumps({"little_endian": True}, 2), program(body), pickle.dumps(keys, 2)]
    data = b"".join(struct.pack("<q", count) + numbers for count, numbers in storages)
    path.write_bytes(b"".join(pickles) + data)
    return path
