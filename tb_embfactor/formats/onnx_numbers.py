"""The numbers of initializers of ONNX: where they lie, in the file of the model or in another one beside it."""

from __future__ import annotations

import math
from contextlib import ExitStack
from pathlib import Path

import numpy as np

from tb_embfactor.errors import IncompleteError
from tb_embfactor.formats import Folder
from tb_embfactor.formats.files_beside import FilesBeside
from tb_embfactor.formats.onnx_model import DTYPES, TYPE_NAMES, Initializer
from tb_embfactor.formats.stored import ArrayTensor, Piece, StoredTensor, Tensor, check_rows
from tb_embfactor.formats.wire_format import decode_varints
from tb_embfactor.sources import FileSource


class Unreadable(Exception):  # noqa: N818
    """The numbers of an initializer cannot be read; the text says why."""


class Numbers:
    """The numbers of a model's initializers. file : of the model. paths : of all files that were opened, the model's first."""

    def __init__(self, folder: Folder, name: str, opened: ExitStack) -> None:
        self._folder, self._files = folder, FilesBeside(folder, name, opened)
        self.file = self._files.first

    @property
    def paths(self) -> list[Path]:
        return [self._folder.path / name for name in self._files.found]

    def place(self, tensor: Initializer) -> object:
        """Equal for two names of the same bytes."""
        if not tensor.external:
            return tensor.name
        return tensor.external.get("location"), tensor.external.get("offset"), tensor.shape, tensor.type_code

    def open(self, tensor: Initializer) -> StoredTensor | ArrayTensor:
        """An initializer with two axes; any other as a matrix of one column. Unreadable says why not."""
        if tensor.problem is not None:
            raise Unreadable(tensor.problem)
        if tensor.type_code not in DTYPES:
            name = TYPE_NAMES.get(tensor.type_code, f"with the number {tensor.type_code}")
            raise Unreadable(f"its numbers are of the type {name}, which is not read")
        dtype = DTYPES[tensor.type_code]
        n_rows, n_columns = tensor.shape if len(tensor.shape) == 2 else (math.prod(tensor.shape), 1)
        if tensor.varints is not None:
            return ArrayTensor(self._decode(tensor.varints, dtype, n_rows * n_columns).reshape(n_rows, n_columns))
        source, offset, n_bytes = self._find(tensor, n_rows * n_columns * dtype.itemsize)
        if n_bytes != n_rows * n_columns * dtype.itemsize:
            raise Unreadable(f"it has the shape {tensor.shape} of the type {dtype.name}, and {n_bytes} bytes")
        return StoredTensor(dtype, (n_rows, n_columns), [Piece(source, offset, (n_rows, n_columns))])

    def _decode(self, span: tuple[int, int], dtype: np.dtype, n_numbers: int) -> np.ndarray:
        """Numbers that are written as varints: whole ones, or the bits of others."""
        found = decode_varints(self.file.read_at(*span))
        if len(found) != n_numbers:
            raise Unreadable(f"it has {len(found)} numbers, and its shape wants {n_numbers}")
        return found.astype(f"u{dtype.itemsize}").view(dtype)

    def _find(self, tensor: Initializer, n_bytes: int) -> tuple[FileSource, int, int]:
        """The file that the numbers lie in, the first byte and how many there are."""
        if not tensor.external:
            assert tensor.span is not None
            return self.file, *tensor.span
        name = tensor.external.get("location", "")
        source = self._files.open(name)
        if source is None:
            raise Unreadable(f"its file {name} is not there")
        offset, length = _size(tensor.external.get("offset", "0")), _size(tensor.external.get("length", str(n_bytes)))
        if source.size < offset + length:
            what = f"the numbers of {tensor.name[:100]}"
            raise IncompleteError("file_truncated", path=source.name, size=source.size, needed=offset + length, what=what)
        return source, offset, length


class ScaledTensor:
    """Rows of (Q − zero) · scale, float32, as DequantizeLinear defines it. Cost of a pass: one over Q.

    scale, zero : vectors as matrices of one column; of one number, or along `axis` of Q.
    """

    dtype = np.dtype(np.float32)

    def __init__(self, numbers: Tensor, scale: Tensor, zero: Tensor | None, axis: int) -> None:
        self._numbers, self._scale, self._zero, self._axis = numbers, scale, zero, axis
        self.shape = numbers.shape

    def read_rows(self, start: int, stop: int) -> np.ndarray:
        check_rows(self.shape[0], start, stop)
        rows = self._numbers.read_rows(start, stop).astype(np.float32)
        with np.errstate(over="ignore", invalid="ignore"):  # rows with NaN or Inf are counted later
            if self._zero is not None:
                rows -= self._factor(self._zero, start, stop)
            return rows * self._factor(self._scale, start, stop)

    def _factor(self, vector: Tensor, start: int, stop: int) -> np.ndarray:
        is_of_rows = self._axis == 0 and vector.shape[0] > 1
        values = vector.read_rows(start, stop) if is_of_rows else vector.read_rows(0, vector.shape[0]).T
        return values.astype(np.float32)


def _size(text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) < 20):
        raise Unreadable(f"it lies at a place that makes no sense ({text[:40]!r})")
    return int(text)
