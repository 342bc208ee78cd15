"""Archives of arrays (`.npz`), as `numpy.savez` and `numpy.savez_compressed` write them: a zip archive of `.npy` members.

Arrays of one axis with an entry for each row of a matrix are labels of its rows: text always, numbers only beside one matrix.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from functools import partial

from tb_embfactor.errors import UnsupportedError
from tb_embfactor.formats import Folder, MatrixInfo, OwnColumn, Role
from tb_embfactor.formats.file_names import says_embedding
from tb_embfactor.formats.npy import HEAD_BYTES, Array, parse_header
from tb_embfactor.formats.steps import step_in_name
from tb_embfactor.formats.stored import FileTensors, opening
from tb_embfactor.formats.zip_archive import Member, list_members
from tb_embfactor.messages import Message
from tb_embfactor.sources import FileSource

ENDING = ".npy"
MAX_LABEL_BYTES = 256 << 20


def open_reader(folder: Folder, name: str) -> NpzReader:
    with opening(folder, name) as file:
        return NpzReader(folder, name, file)


class NpzReader(FileTensors):
    """See `tb_embfactor.formats.Reader`."""

    def __init__(self, folder: Folder, name: str, file: FileSource) -> None:
        self._paths = [folder.path / name]
        members = {path.removesuffix(ENDING): member for path, member in list_members(file).items() if path.endswith(ENDING)}
        arrays = {path: _header(member) for path, member in members.items()}
        candidates = {path: array for path, array in arrays.items() if array.is_matrix}
        found = {path: array for path, array in candidates.items() if array.dtype is not None}
        reasons = {path: str(array.problem) for path, array in candidates.items() if path not in found}
        if not found:
            raise _nothing_read(file.name, reasons)
        sources = {path: members[path].open(folder) for path in found}
        self._files = [*sources.values(), file]
        columns = {path: _columns_for(array, arrays, is_alone=len(found) == 1) for path, array in found.items()}
        tensors = {path: array.tensor(sources[path]) for path, array in found.items()}
        labels = {path: partial(_read_columns, folder, members, arrays, columns[path]) for path in found}
        super().__init__(file.name, tensors, {}, labels)
        is_told = len(found) == 1 and says_embedding(self._paths[0].stem)
        infos = []
        for path, tensor in tensors.items():
            role: Role = "embedding" if found[path].kind == "f" and (is_told or says_embedding(path)) else "other"
            checksum = f"{members[path].crc32:08x}"
            infos.append(MatrixInfo(path, tensor.shape, tensor.dtype.name, role, checksum=checksum, labels=columns[path]))
        self.matrices = tuple(infos)
        params = {path: {"tensor": path, "path": file.name, "reason": reason} for path, reason in reasons.items()}
        self.skipped = tuple(Message("tensor_skipped", params[path]) for path in reasons)
        self.step = step_in_name(self._paths[0].stem)
        self.wall_time = os.stat(self._paths[0]).st_mtime


def _header(member: Member) -> Array:
    return parse_header(member.head(HEAD_BYTES), member.size, f"{member.source.name} ({member.name})")


def _nothing_read(shown: str, reasons: Mapping[str, str]) -> UnsupportedError:
    if not reasons:
        got = "none of its arrays has two axes and numbers"
        return UnsupportedError("file_foreign", path=shown, expected="an archive of matrices", got=got)
    path, reason = next(iter(reasons.items()))
    return UnsupportedError("file_unsupported", path=shown, what=f"{path}: {reason}", next="Save the array as float32.")


def _columns_for(matrix: Array, arrays: Mapping[str, Array], is_alone: bool) -> tuple[str, ...]:
    kinds = "USfiu" if is_alone else "US"
    fits = (path for path, array in arrays.items() if array.shape == matrix.shape[:1] and array.kind in kinds)
    return tuple(path for path in fits if 0 < arrays[path].itemsize * matrix.shape[0] <= MAX_LABEL_BYTES)


def _read_columns(
    folder: Folder, members: Mapping[str, Member], arrays: Mapping[str, Array], paths: tuple[str, ...]
) -> dict[str, OwnColumn]:
    columns: dict[str, OwnColumn] = {}
    for path in paths:
        array, source = arrays[path], members[path].open(folder)
        if array.dtype is None:
            columns[path] = array.read_text(source)
        else:
            columns[path] = array.tensor(source).read_rows(0, array.shape[0]).reshape(-1)
        source.close()
    return columns
