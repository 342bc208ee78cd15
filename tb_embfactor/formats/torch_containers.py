"""The two kinds of files that `torch.save` writes: a zip archive, and before PyTorch 1.6 a sequence of pickles and storages.

zip      ROOT/data.pkl is the pickle, ROOT/data/KEY a storage, ROOT/byteorder the order of its bytes
before   five pickles: a magic number, a version, the sizes of types, the object, the keys of its storages;
         then for each key, in that order, the number of its numbers (8 bytes) and the numbers
"""

from __future__ import annotations

import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from tb_embfactor.errors import DamagedError, IncompleteError, UnsupportedError
from tb_embfactor.formats import Folder
from tb_embfactor.formats.parameters import Parameter
from tb_embfactor.formats.pickle_machine import Limits, Loaded, load, refuse_foreign_calls
from tb_embfactor.formats.stored import Checksum
from tb_embfactor.formats.torch_tensors import Storage, Storages, read_tensor, storage_key
from tb_embfactor.formats.zip_archive import Member, list_members
from tb_embfactor.sources import Source, Window

MAX_PICKLE_BYTES = 64 << 20
_MAGIC = bytes.fromhex("80028a0a6cfc9c46f9206aa850192e")
_WINDOWS = (1 << 20, 8 << 20, MAX_PICKLE_BYTES)
_TAR_AT, _TAR = 257, b"ustar"
_NEXT = "Save it again with torch.save(model.state_dict(), …)."


@dataclass(frozen=True)
class Container:
    """An object that was saved, and its storages."""

    value: Any
    storages: Storages
    is_big_endian: bool = False

    def read(self, value: Any) -> Parameter | None:
        """The tensor that a value within the object is, if it is one."""
        return read_tensor(value, self.storages, self.is_big_endian)


def open_container(file: Source, folder: Folder | None = None) -> Container:
    """What is in a file; UnsupportedError (`file_foreign`) if `torch.save` did not write it.

    folder : of the file, where what is deflated in it may be copied.
    """
    start = file.read_at(0, min(file.size, _TAR_AT + len(_TAR)))
    if not start:
        raise IncompleteError("file_incomplete", path=file.name, what="it is empty")
    if start.startswith(b"PK"):
        return _open_archive(file, folder)
    if start.startswith(_MAGIC):
        return _open_sequence(file)
    if start[_TAR_AT:] == _TAR:
        what = "it is a tar archive, as PyTorch wrote before 0.1.10"
        raise UnsupportedError("file_unsupported", path=file.name, what=what, next=f"Load it with PyTorch. {_NEXT}")
    got = "it is a pickle of something else" if start[:1] == b"\x80" and len(start) > 1 else "it does not start like one"
    raise UnsupportedError("file_foreign", path=file.name, expected="a file of torch.save", got=got)


def _open_archive(file: Source, folder: Folder | None) -> Container:
    members = list_members(file)
    pickles = [name for name in members if name.endswith("/data.pkl") and name.count("/") == 1]
    if not pickles:
        raise UnsupportedError("file_foreign", path=file.name, expected="a file of torch.save", got="it has no data.pkl")
    if len(pickles) > 1:
        raise DamagedError("file_damaged", path=file.name, what="it has several data.pkl")
    root = pickles[0].removesuffix("data.pkl")
    if f"{root}constants.pkl" in members or any(name.startswith(f"{root}code/") for name in members):
        what = "it is a program (TorchScript)"
        raise UnsupportedError("file_unsupported", path=file.name, what=what, next=f"Load it with torch.jit.load. {_NEXT}")
    loaded = load(members[pickles[0]].read(MAX_PICKLE_BYTES), file.name)
    refuse_foreign_calls(loaded, file.name)
    order = members.get(f"{root}byteorder")
    return Container(loaded.value, _Members(members, root, folder), order is not None and order.read(16) == b"big")


class _Members:
    """Storages that are members of an archive, opened when they are asked for."""

    def __init__(self, members: Mapping[str, Member], root: str, folder: Folder | None) -> None:
        self._members, self._root, self._folder = members, root, folder
        self._found: dict[str, Storage] = {}

    def find(self, key: str) -> Storage | None:
        member = self._members.get(f"{self._root}data/{key}")
        if member is None:
            return None
        if key not in self._found:
            checksum = Checksum(member.crc32, _extend_crc32) if member.crc32 else None  # torch can be told to leave it out
            self._found[key] = Storage(member.open(self._folder), member.size, checksum)
        return self._found[key]


def _extend_crc32(crc: int, data: bytes) -> int:
    return zlib.crc32(data, crc)


def _open_sequence(file: Source) -> Container:
    loaded, keys, end = _load_pickles(file)
    refuse_foreign_calls(loaded, file.name)
    itemsizes = dict(filter(None, map(storage_key, loaded.references)))
    places: dict[str, Storage] = {}
    for key in keys:
        if not isinstance(key, str) or key not in itemsizes or key in places:
            raise DamagedError("file_damaged", path=file.name, what=f"its storage {str(key)[:40]!r} belongs to nothing in it")
        n_bytes = int.from_bytes(file.read_at(end, 8), "little") * itemsizes[key]
        places[key] = Storage(Window(file, end + 8, n_bytes), n_bytes)
        end += 8 + n_bytes
    return Container(loaded.value, _Sequence(places))


class _Sequence:
    """Storages that lie one behind the other."""

    def __init__(self, places: Mapping[str, Storage]) -> None:
        self._places = places

    def find(self, key: str) -> Storage | None:
        return self._places.get(key)


def _load_pickles(file: Source) -> tuple[Loaded, list[Any], int]:
    """The object, the keys of its storages, and where the first of these lies. Reads only as much of the file as that takes."""
    for n_bytes in _WINDOWS:
        data = file.read_at(0, min(n_bytes, file.size))
        try:
            end = len(_MAGIC)
            for _ in range(2):
                end = load(data, file.name, end, Limits(len(data))).end
            loaded = load(data, file.name, end, Limits(len(data)))
            keys = load(data, file.name, loaded.end, Limits(len(data)))
        except IncompleteError:
            if len(data) == file.size:
                raise
            continue
        if not isinstance(keys.value, list):
            raise DamagedError("file_damaged", path=file.name, what="it has no list of its storages")
        return loaded, keys.value, keys.end
    size, limit = f"more than {MAX_PICKLE_BYTES:,} bytes", f"{MAX_PICKLE_BYTES:,} bytes"
    raise UnsupportedError("file_too_large", path=file.name, what="its pickle", size=size, limit=limit)
