"""Models in one safetensors file."""

from __future__ import annotations

from collections.abc import Mapping

from tb_embfactor.formats import Folder
from tb_embfactor.formats.hugging_face import find_step, read_model
from tb_embfactor.formats.parameters import Parameter
from tb_embfactor.formats.safetensors_header import Entry, read_header
from tb_embfactor.formats.state_dict import StateDictReader
from tb_embfactor.formats.steps import STEP_NAMES
from tb_embfactor.formats.stored import Piece, StoredTensor, opening
from tb_embfactor.sources import Source


def open_reader(folder: Folder, name: str) -> StateDictReader:
    with opening(folder, name) as file:
        parameters, remarks = read_parameters(file)
        step = find_step(folder, name, _step_in(remarks))
        return StateDictReader([file], [folder.path / name], read_model(folder, parameters), step)


def read_parameters(file: Source) -> tuple[dict[str, Parameter], dict[str, str]]:
    """The tensors of a file by name, and the remarks of who wrote it."""
    entries, remarks = read_header(file)
    return {name: _parameter(entry, file) for name, entry in entries.items()}, remarks


def _parameter(entry: Entry, file: Source) -> Parameter:
    if len(entry.shape) > 2:
        return Parameter(entry.shape)
    if entry.dtype is None:
        return Parameter(entry.shape, problem=f"its numbers are of the type {entry.type_name}, which is not read")
    n_rows, n_columns = (*entry.shape, 1, 1)[:2]
    return Parameter(
        entry.shape, StoredTensor(entry.dtype, (n_rows, n_columns), [Piece(file, entry.offset, (n_rows, n_columns))])
    )


def _step_in(remarks: Mapping[str, str]) -> int | None:
    noted = next((remarks[name] for name in STEP_NAMES if name in remarks), "")
    return int(noted) if noted.isascii() and noted.isdigit() and len(noted) <= 15 else None
