"""Distributed checkpoints of PyTorch: a directory with `.metadata`, a pickle, and the numbers in `__R_N.distcp`, R the rank.

The metadata names every tensor with its shape and the chunks into which it was cut over the ranks, and tells where each chunk
lies: file, position, length. What lies there is a file of `torch.save` by itself, opened when its numbers are first read.

    https://github.com/pytorch/pytorch/blob/main/torch/distributed/checkpoint/metadata.py
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from contextlib import ExitStack
from typing import Any

import numpy as np

from tb_embfactor.errors import DamagedError, UnsupportedError
from tb_embfactor.formats import Folder
from tb_embfactor.formats.files_beside import FilesBeside
from tb_embfactor.formats.hugging_face import find_step, read_model
from tb_embfactor.formats.parameters import Parameter, Shape
from tb_embfactor.formats.pickle_machine import Limits, Node, Symbol, as_mapping, load, refuse_foreign_calls
from tb_embfactor.formats.state_dict import StateDictReader
from tb_embfactor.formats.steps import STEP_NAMES
from tb_embfactor.formats.stored import Piece, StoredTensor, only_our_errors
from tb_embfactor.formats.torch_containers import open_container
from tb_embfactor.formats.torch_objects import find_saved, step_in
from tb_embfactor.formats.torch_tensors import DTYPES, sizes_of
from tb_embfactor.sources import Source, Window

METADATA = ".metadata"
LIMITS = Limits(n_bytes=256 << 20, n_opcodes=8_000_000)
_MAX_DEPTH = 16
_NUMBERS = frozenset({*STEP_NAMES, "epoch"})
_Place = tuple[str, int, int]  # file, position, length


def open_reader(folder: Folder, name: str) -> StateDictReader:
    with only_our_errors(folder.confinement.show(folder.path / METADATA)), ExitStack() as opened:
        files = FilesBeside(folder, METADATA, opened)
        saved = _Checkpoint(files)
        value = saved.objects()
        found = find_saved(value, _read)
        told, epoch = step_in(value, _read)
        step = find_step(folder, name, max(found.counts, default=None) if told is None else told)
        paths = [folder.path / file for file in files.found]
        model = read_model(folder, found.parameters)
        reader = StateDictReader(list(files.found.values()), paths, model, epoch if step is None else step)
        opened.pop_all()  # from here on they are the reader's
        return reader


def _read(value: Any) -> Parameter | None:
    return value if isinstance(value, Parameter) else None


class _Checkpoint:
    """What the metadata, the first of the files, tells."""

    def __init__(self, files: FilesBeside) -> None:
        metadata = files.first
        self._files, self._shown = files, metadata.name
        if metadata.size > LIMITS.n_bytes:
            size, limit = f"{metadata.size:,} bytes", f"{LIMITS.n_bytes:,} bytes"
            raise UnsupportedError("file_too_large", path=metadata.name, what="its metadata", size=size, limit=limit)
        loaded = load(metadata.read_at(0, metadata.size), metadata.name, limits=LIMITS)
        refuse_foreign_calls(loaded, metadata.name)
        told = _fields(loaded.value)
        if not {"state_dict_metadata", "storage_data"} <= told.keys():
            expected, got = "the metadata of a distributed checkpoint", "it is a pickle of something else"
            raise UnsupportedError("file_foreign", path=metadata.name, expected=expected, got=got)
        self._tensors = as_mapping(told["state_dict_metadata"])
        self._paths = as_mapping(told.get("planner_data"))
        self._places = self._find_places(as_mapping(told["storage_data"]))

    def _find_places(self, told: Mapping[Any, Any]) -> dict[tuple[str, Shape | None], Any]:
        """Where each chunk lies, by the name of its tensor and its corner; None for the corner of what is no tensor."""
        indexes = ((_fields(index), _fields(place)) for index, place in told.items())
        return {(index.get("fqn", ""), sizes_of(index.get("offset"))): place for index, place in indexes}

    def objects(self) -> dict[str, Any]:
        """What was saved, as the program had it: tensors in mappings of mappings, and the counts among the rest."""
        root: dict[str, Any] = {}
        for name, told in self._tensors.items():
            leaf = self._parameter(name, _fields(told)) if isinstance(name, str) else None
            path = [str(part) for part in self._paths.get(name) or (name,)][:_MAX_DEPTH]
            if leaf is None and path[-1] in _NUMBERS and len(path) <= 2:
                leaf = self._read_object(name)
            holder: Any = root
            for part in path[:-1]:
                holder = holder.setdefault(part, {})
                if not isinstance(holder, dict):
                    raise DamagedError("file_damaged", path=self._shown, what=f"{part} is both a tensor and a group of them")
            holder[path[-1]] = leaf
        return root

    def _parameter(self, name: str, told: Mapping[str, Any]) -> Parameter | None:
        """A tensor; None for what the metadata describes as something else."""
        shape, chunks = sizes_of(told.get("size")), told.get("chunks")
        if shape is None or not isinstance(chunks, list):
            return None
        if len(shape) > 2:
            return Parameter(shape)
        dtype = DTYPES.get(type_name := _type_name(told.get("properties")))
        if dtype is None:
            return Parameter(shape, problem=f"its numbers are of the type {type_name}, which is not read")
        try:
            pieces = [self._piece(name, _fields(chunk), dtype) for chunk in chunks]
        except UnsupportedError as problem:
            return Parameter(shape, problem=problem.message.params["reason"])
        n_rows, n_columns = (*shape, 1, 1)[:2]
        tensor = StoredTensor(dtype, (n_rows, n_columns), pieces)
        if not tensor.is_tiled():
            return Parameter(shape, problem="its chunks overlap or leave gaps")
        return Parameter(shape, tensor)

    def _piece(self, name: str, chunk: Mapping[str, Any], dtype: np.dtype) -> Piece:
        corner, sizes = sizes_of(chunk.get("offsets")), sizes_of(chunk.get("sizes"))
        place = self._places.get((name, corner)) if corner is not None and sizes is not None else None
        if place is None or corner is None or sizes is None or len(corner) != len(sizes):
            raise self._skip(name, "the place of one of its chunks is not told")
        if place.get("transform_descriptors"):
            raise self._skip(name, "it was compressed or otherwise changed when it was saved")
        shape, at = (*sizes, 1, 1)[:2], (*corner, 0, 0)[:2]
        return Piece(_Chunk(self._window(name, place), dtype, sizes), 0, (shape[0], shape[1]), (at[0], at[1]))

    def _window(self, name: str, place: Mapping[str, Any]) -> Window:
        """The bytes of one chunk or object, in a file that lies beside the metadata."""
        file_name, offset, length = str(place.get("relative_path")), place.get("offset"), place.get("length")
        file = self._files.open(file_name)
        if type(offset) is not int or type(length) is not int:
            raise self._skip(name, "the place of one of its chunks is not told")
        if file is None:
            raise self._skip(name, f"its file {file_name} is not there")
        return Window(file, offset, length)

    def _read_object(self, name: str) -> Any:
        """A number that was saved beside the tensors."""
        place = self._places.get((name, None))
        return None if place is None else open_container(self._window(name, place)).value

    def _skip(self, name: str, reason: str) -> UnsupportedError:
        return UnsupportedError("tensor_skipped", tensor=name, path=self._shown, reason=reason)


class _Chunk:
    """The numbers of a chunk, one row behind the other, as a source: the file of `torch.save` that they lie in is opened late."""

    def __init__(self, window: Window, dtype: np.dtype, sizes: Shape) -> None:
        self._window, self._dtype, self._sizes = window, dtype, sizes
        self.name, self.size = window.name, math.prod(sizes) * dtype.itemsize
        self.fingerprint, self.close = window.fingerprint, window.close
        self._numbers: Source | None = None

    def read_at(self, offset: int, n_bytes: int) -> bytes:
        return self._open().read_at(offset, n_bytes)

    def read_into(self, offset: int, buffer: memoryview) -> None:
        self._open().read_into(offset, buffer)

    def _open(self) -> Source:
        if self._numbers is None:
            container = open_container(self._window)
            parameter = container.read(container.value)
            tensor = parameter.tensor if parameter is not None else None
            piece = tensor.pieces[0] if tensor is not None else None
            fits = parameter is not None and tensor is not None and (parameter.shape, tensor.dtype) == (self._sizes, self._dtype)
            if piece is None or not fits or piece.by_columns or piece.stride != piece.n_columns:
                raise DamagedError(
                    "file_damaged", path=self.name, what="a chunk of it is not the tensor that the metadata tells of"
                )
            self._numbers = Window(piece.source, piece.offset, self.size)
        return self._numbers


def _fields(value: Any) -> Mapping[str, Any]:
    """The fields of a pickled dataclass."""
    return as_mapping(value.state) if isinstance(value, Node) else {}


def _type_name(properties: Any) -> str:
    state = properties.state if isinstance(properties, Node) else None
    dtype = state[0] if isinstance(state, tuple) and state else as_mapping(state).get("dtype")
    return dtype.name if isinstance(dtype, Symbol) else "unknown"
