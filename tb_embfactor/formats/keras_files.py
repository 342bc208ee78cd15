"""Models and weights that Keras saved in one file: `.keras`, `.weights.h5`, and the `.h5` of Keras 1 and 2.

A `.keras` file is a zip archive with the model's configuration and its variables in an HDF5 file; the others are HDF5 files. What
the variables mean is told by `keras_model`, and by `keras_legacy` for files in the manner of Keras 1 and 2.
"""

from __future__ import annotations

from contextlib import ExitStack, closing

from tb_embfactor.errors import ReadError, UnsupportedError
from tb_embfactor.formats import Folder
from tb_embfactor.formats.hdf5 import read_contents
from tb_embfactor.formats.hdf5_structure import SIGNATURE
from tb_embfactor.formats.keras_model import SavedModel
from tb_embfactor.formats.keras_reader import MAX_JSON_BYTES, KerasReader, read_json, recognize
from tb_embfactor.formats.steps import step_in_name
from tb_embfactor.formats.stored import only_our_errors
from tb_embfactor.formats.zip_archive import list_members

CONFIG, WEIGHTS = "config.json", "model.weights.h5"
BACKUP_WEIGHTS, BACKUP_STATE = "latest.weights.h5", "training_metadata.json"


def open_reader(folder: Folder, name: str) -> KerasReader:
    path = folder.path / name
    with only_our_errors(folder.confinement.show(path)), ExitStack() as opened:
        file = opened.enter_context(folder.open(name))
        in_name = _epoch_of_backup(folder) if name == BACKUP_WEIGHTS else step_in_name(name)
        is_hdf5 = file.size >= len(SIGNATURE) and file.read_at(0, len(SIGNATURE)) == SIGNATURE
        if is_hdf5 or not name.endswith(".keras"):
            reader = KerasReader([file], [path], recognize(read_contents(file), file), in_name)
        else:
            members = list_members(file)
            if WEIGHTS not in members:
                what = f"it holds no {WEIGHTS}"
                raise UnsupportedError("file_unsupported", path=file.name, what=what, next="Save the model again with Keras 3.")
            described = read_json(members[CONFIG].read(MAX_JSON_BYTES)) if CONFIG in members else {}
            weights = opened.enter_context(closing(members[WEIGHTS].open(folder)))
            model = SavedModel(read_contents(weights), described)
            reader = KerasReader([file, weights], [path], model, in_name, f"{members[WEIGHTS].crc32:08x}")
        opened.pop_all()  # from here on they are the reader's
        return reader


def _epoch_of_backup(folder: Folder) -> int | None:
    """What BackupAndRestore writes beside its weights."""
    try:
        with folder.open(BACKUP_STATE) as state:
            epoch = read_json(state.read_at(0, min(state.size, MAX_JSON_BYTES))).get("epoch")
    except (ReadError, ValueError):
        return None
    return epoch if isinstance(epoch, int) else None
