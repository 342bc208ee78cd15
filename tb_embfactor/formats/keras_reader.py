"""The reader of a model that Keras saved, in whichever files: its matrices, its step, and the state of the files."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tb_embfactor.errors import UnsupportedError
from tb_embfactor.formats import MatrixInfo
from tb_embfactor.formats.hdf5 import Contents
from tb_embfactor.formats.keras_legacy import LegacyModel, is_legacy
from tb_embfactor.formats.keras_model import SavedModel
from tb_embfactor.formats.steps import choose_step
from tb_embfactor.formats.stored import FileTensors, Tensor
from tb_embfactor.messages import Message
from tb_embfactor.sources import Source

MAX_JSON_BYTES = 16 << 20


class KerasReader(FileTensors):
    """See `tb_embfactor.formats.Reader`.

    files : all that is open; the first stands for the model. paths : of the files that its state is known by.
    in_name : the step that names tell. checksum : of the content, where there is one.
    """

    _files: Sequence[Source]

    def __init__(
        self,
        files: Sequence[Source],
        paths: Sequence[Path],
        model: SavedModel | LegacyModel,
        in_name: int | None,
        checksum: str = "",
    ) -> None:
        self._files, self._paths, self._checksum = files, paths, checksum
        self._collect(model)
        self.step = choose_step(_iterations(model), in_name)
        self.wall_time = os.stat(paths[0]).st_mtime

    def _collect(self, model: SavedModel | LegacyModel) -> None:
        infos, reasons = [], dict.fromkeys(model.links, "it is a link, and links in HDF5 files are not followed")
        matrices: dict[str, Tensor] = {}
        vectors: dict[str, Tensor] = {}
        for path, dataset in model.matrices.items():
            if dataset.dtype is None or dataset.tensor is None:
                reasons[path] = str(dataset.problem)
                continue
            name, role, bias = model.names[path], model.role(path), model.bias_of(path)
            matrices[name] = dataset.tensor
            if bias is not None and (vector := model.datasets[bias].tensor) is not None:
                vectors[model.names[bias]] = vector
            shape, dtype, bias = dataset.tensor.shape, dataset.dtype.name, bias and model.names[bias]
            infos.append(MatrixInfo(name, shape, dtype, role, bias, model.layer_name(path), stored_name=path))
        super().__init__(self._files[0].name, matrices, vectors)
        self.matrices = tuple(infos)
        shown = self._files[0].name
        self.skipped = tuple(
            Message("tensor_skipped", {"tensor": path, "path": shown, "reason": reasons[path]}) for path in reasons
        )

    def fingerprint(self) -> str:
        return f"{super().fingerprint()}|{self._checksum}"


def recognize(contents: Contents, file: Source) -> SavedModel | LegacyModel:
    """The model in HDF5 files; UnsupportedError where they hold something else."""
    if is_legacy(contents):
        return LegacyModel(contents)
    if any(f"/{path}".rpartition("/")[0].endswith("/vars") for path in contents.datasets):
        return SavedModel(contents, {})
    got = "it is an HDF5 file with other things in it"
    raise UnsupportedError("file_foreign", path=file.name, expected="a model or weights of Keras", got=got)


def _iterations(model: SavedModel | LegacyModel) -> int | None:
    """The optimizers' count of training steps."""
    counts = [int(dataset.tensor.read_rows(0, 1)[0, 0]) for dataset in model.iterations if dataset.tensor is not None]
    return max((count for count in counts if 0 <= count < 1 << 53), default=None)


def read_json(data: bytes) -> dict[str, Any]:
    document = json.loads(data)
    return document if isinstance(document, dict) else {}
