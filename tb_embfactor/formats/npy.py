"""Arrays of numpy (`.npy`): a short header in the syntax of Python, read without evaluating it, and the numbers.

    "\\x93NUMPY", version (2 bytes), length of the header (2 bytes, from version 2 on 4), the header, the numbers

The header is a dict of three entries: `{'descr': '<f4', 'fortran_order': False, 'shape': (400000, 50), }`.
(https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html)
"""

from __future__ import annotations

import math
import os
import re
from dataclasses import dataclass

import numpy as np

from tb_embfactor.errors import DamagedError, IncompleteError, UnsupportedError
from tb_embfactor.formats import Folder, MatrixInfo, Role
from tb_embfactor.formats.file_names import says_embedding, split_step
from tb_embfactor.formats.stored import FileTensors, Piece, StoredTensor, opening
from tb_embfactor.sources import FileSource, Source

MAGIC = b"\x93NUMPY"
HEAD_BYTES = 4096  # more than the header of any array of numbers
MAX_DIMENSION = 1 << 48

_ENTRY = re.compile(r"\s*'(\w+)'\s*:\s*('[^'\\]*'|True|False|\([\dL,\s]*\)|\[.*\])\s*(?:,|$)", re.ASCII | re.DOTALL)
_STARTS = {"descr": "'[", "fortran_order": "TF", "shape": "("}  # of the entries that there are, and of their values
_NUMBERS = re.compile(r"[<>|=]([fiu])([1248])")
_TEXT = re.compile(r"[<>|=]?([US])(\d{1,6})")
_NEXT = "Save the array as float32."


@dataclass(frozen=True)
class Array:
    """What a header tells. descr : the type as it is written. dtype : None for all but numbers. offset : of the first one."""

    shape: tuple[int, ...]
    descr: str
    dtype: np.dtype | None
    is_fortran: bool
    offset: int

    @property
    def kind(self) -> str:
        """A letter: f, i and u for numbers, U and S for text, V for bytes of some kind, O for objects, …"""
        return self.descr.lstrip("<>|=")[:1]

    @property
    def itemsize(self) -> int:
        if self.dtype is not None:
            return self.dtype.itemsize
        found = _TEXT.fullmatch(self.descr)
        return int(found[2]) * (4 if found[1] == "U" else 1) if found else 0

    @property
    def is_matrix(self) -> bool:
        """Two axes with more than one entry each, that may be numbers."""
        return len(self.shape) == 2 and min(self.shape) > 1 and self.kind in "fiucV"

    @property
    def problem(self) -> str | None:
        """Why the numbers cannot be read."""
        if self.dtype is not None:
            return None
        if self.kind == "V":
            return f"its numbers have {self.descr[2:]} bytes each, and nothing tells whether they are bfloat16 or of another type"
        return "its numbers are complex" if self.kind == "c" else f"its type is {self.descr[:40]}"

    def tensor(self, source: Source) -> StoredTensor:
        """A matrix, or a vector as a matrix of one column."""
        assert self.dtype is not None
        n_rows, n_columns = (*self.shape, 1, 1)[:2]
        piece = Piece(source, self.offset, (n_rows, n_columns), by_columns=self.is_fortran)
        return StoredTensor(self.dtype, (n_rows, n_columns), [piece], self.descr.startswith(">"))

    def read_text(self, source: Source) -> list[str]:
        """An array of one axis, of text."""
        data = source.read_at(self.offset, self.shape[0] * self.itemsize)
        texts = np.frombuffer(data, self.descr)
        return texts.tolist() if self.kind == "U" else [text.decode("utf-8", "replace") for text in texts.tolist()]


def parse_header(head: bytes, size: int, shown: str) -> Array:
    """The header of an array of `size` bytes that starts with `head`.

    UnsupportedError (`file_foreign`) where it is none, IncompleteError where the numbers end early.
    """
    if not head.startswith(MAGIC):
        got = "it does not start with the mark of one"
        raise UnsupportedError("file_foreign", path=shown, expected="an array of numpy", got=got)
    version = head[6]
    start = 10 if version == 1 else 12
    n_bytes = int.from_bytes(head[8:start], "little")
    if version not in (1, 2, 3):
        what = f"it has version {version} of numpy's format, which is not known here"
        raise UnsupportedError("file_unsupported", path=shown, what=what, next=_NEXT)
    if start + n_bytes > HEAD_BYTES:
        raise UnsupportedError("file_foreign", path=shown, expected="an array of numbers", got=f"its header has {n_bytes} bytes")
    if start + n_bytes > size:
        raise IncompleteError("file_truncated", path=shown, size=size, needed=start + n_bytes, what="its header")
    entries = _parse_entries(head[start : start + n_bytes].decode("latin-1").strip())
    if entries is None:
        raise DamagedError("file_damaged", path=shown, what="its header is not that of an array")
    shape = tuple(map(int, re.findall(r"\d+", entries["shape"])))
    if any(length > MAX_DIMENSION for length in shape):
        raise DamagedError("file_damaged", path=shown, what=f"its shape is {entries['shape'][:80]}")
    descr = entries["descr"].strip("'")
    numbers = _NUMBERS.fullmatch(descr)
    dtype = np.dtype(numbers[1] + numbers[2]) if numbers and numbers[0][1:] != "f1" else None
    array = Array(shape, descr, dtype, entries["fortran_order"] == "True", start + n_bytes)
    needed = array.offset + math.prod(shape) * array.itemsize
    if size < needed:
        raise IncompleteError("file_truncated", path=shown, size=size, needed=needed, what="its numbers")
    if size > needed and array.itemsize:
        raise DamagedError("file_damaged", path=shown, what=f"{size - needed} bytes follow its last number")
    return array


def _parse_entries(text: str) -> dict[str, str] | None:
    """The three entries as they are written; None where the header is anything else."""
    inner, position, entries = text[1:-1].strip(), 0, dict[str, str]()
    while text[:1] + text[-1:] == "{}" and position < len(inner):
        match = _ENTRY.match(inner, position)
        if match is None or match[1] in entries or match[2][0] not in _STARTS.get(match[1], ""):
            return None
        entries[match[1]] = match[2]
        position = match.end()
    return entries if entries.keys() == _STARTS.keys() else None


def open_reader(folder: Folder, name: str) -> NpyReader:
    with opening(folder, name) as source:
        return NpyReader(folder, name, source)


class NpyReader(FileTensors):
    """See `tb_embfactor.formats.Reader`."""

    skipped = ()

    def __init__(self, folder: Folder, name: str, source: FileSource) -> None:
        path = folder.path / name
        self._files, self._paths = [source], [path]
        array = parse_header(source.read_at(0, min(HEAD_BYTES, source.size)), source.size, source.name)
        if not array.is_matrix:
            got = f"it has the shape {array.shape} and the type {array.descr[:40]}"
            raise UnsupportedError("file_foreign", path=source.name, expected="a matrix of numbers", got=got)
        if array.dtype is None:
            raise UnsupportedError("file_unsupported", path=source.name, what=str(array.problem), next=_NEXT)
        matrix, self.step = split_step(name, array.shape[1])
        tensor = array.tensor(source)
        role: Role = "embedding" if says_embedding(path.stem) and array.kind == "f" else "other"
        super().__init__(source.name, {matrix: tensor}, {})
        self.matrices = (MatrixInfo(matrix, tensor.shape, array.dtype.name, role),)
        self.wall_time = os.stat(path).st_mtime
