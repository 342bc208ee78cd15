"""Checkpoints that are known and not read: each is told by its name, with what to do."""

from __future__ import annotations

from typing import NoReturn

from tb_embfactor.errors import UnsupportedError
from tb_embfactor.formats import Folder

_TOLD = {
    ".gguf": (
        "it is a GGUF file, whose weights are packed in blocks for llama.cpp",
        "Open the model that it was converted from (its safetensors or PyTorch files).",
    ),
    "_METADATA": (
        "it is an Orbax checkpoint of JAX, whose arrays are compressed as wholes, so that no row can be read by itself",
        "Save the parameters in another format, for example with safetensors.flax.save_file.",
    ),
}


def open_reader(folder: Folder, name: str) -> NoReturn:
    """Say what the checkpoint is; only if it can be opened at all, so that a broken link or a pipe is told as such."""
    file_name = name or "_METADATA"
    folder.open(file_name).close()
    what, advice = next(told for ending, told in _TOLD.items() if file_name.endswith(ending))
    shown = folder.confinement.show(folder.path / name if name else folder.path)
    raise UnsupportedError("file_unsupported", path=shown, what=what, next=advice)
