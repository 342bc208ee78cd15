"""Opens one checkpoint outside of any log directory: a file, a TensorFlow prefix, or the directory that holds it."""

from __future__ import annotations

import os
import re
from pathlib import Path

from tb_embfactor import formats
from tb_embfactor.errors import EmbfactorError, IncompleteError, NotFoundError, ReadError, UnsupportedError
from tb_embfactor.logdir.label_search import LabelFiles, find_labels, list_labels
from tb_embfactor.logdir.model import Checkpoint
from tb_embfactor.logdir.readers import Header, Location
from tb_embfactor.logdir.scan import Candidate, candidate_signature, find_candidates
from tb_embfactor.logdir.walk import Directory, ShownConfinement, Walk, Root

_SHARD = re.compile(r"\.data-\d{5}-of-\d{5}")
_SAVED_MODEL_VARIABLES = "variables"


def open_checkpoint(path: str | os.PathLike[str]) -> Checkpoint:
    """The checkpoint at `path`: its file, one of its files, its prefix, or a directory that directly holds exactly one.

    Files are opened only in the checkpoint's own directory, links resolved; label files are looked for there, too.

    Raises
    ------
    ReadError : nothing is there, it is no checkpoint, or it cannot be read.
    NotFoundError : a directory that holds several checkpoints.
    """
    text = os.fspath(path)
    given = os.path.abspath(os.path.expanduser(text))
    if os.path.isdir(given):
        folder, candidate = _in_directory(given, text)
    else:
        folder, candidate = _beside(given, text)
    real_entry = os.path.realpath(os.path.join(folder, candidate.entry))
    roots = [Path(folder), Path(real_entry if candidate.is_directory else os.path.dirname(real_entry))]
    confinement = ShownConfinement(roots, Path(folder), _shown_folder(text, folder))
    shown = confinement.show_relative(candidate.id)
    signature, entry_state = candidate_signature(candidate)
    location, header = _read(candidate, confinement, shown)
    files = LabelFiles()
    near = [list_labels(directory, confinement, files) for directory in _listing(folder)[:1]]
    labels, _ = find_labels(header.matrices, near, [], files)
    return Checkpoint(candidate.id, shown, location, header, os.path.realpath(folder), entry_state, signature, labels)
