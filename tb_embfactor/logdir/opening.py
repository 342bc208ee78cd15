"""Opens one checkpoint outside of any log directory: a file, a TensorFlow prefix, or the directory that holds it."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

from tb_embfactor import formats
from tb_embfactor.errors import EmbfactorError, IncompleteError, NotFoundError, ReadError, UnsupportedError
from tb_embfactor.logdir.candidates import Candidate, find_candidates
from tb_embfactor.logdir.label_flags import FlaggedLabels
from tb_embfactor.logdir.label_search import LabelFiles, find_labels, list_labels
from tb_embfactor.logdir.model import Checkpoint, list_some
from tb_embfactor.logdir.roots import absolute
from tb_embfactor.logdir.scan import read_candidate
from tb_embfactor.logdir.walk import Directory, Root, ShownConfinement, Walk, is_checkpoint_directory

_VARIABLES = "variables"  # where a SavedModel keeps its checkpoint


def open_checkpoint(path: str | os.PathLike[str], labels: Iterable[str] = ()) -> Checkpoint:
    """The checkpoint at `path`: its file, one of its files, its prefix, or a directory that directly holds exactly one.

    Files are opened only in the checkpoint's own directory (links resolved); its label files are looked for there, too.
    labels : label files as `--embfactor_labels` names them, `[MATRIX=]FILE[@ROW]`.

    Raises
    ------
    ReadError : nothing is there, it is no checkpoint, or it cannot be read.
    NotFoundError : a directory that holds several checkpoints.
    """
    text = os.fspath(path)
    given = absolute(text)
    if os.path.isdir(given) and not is_checkpoint_directory(os.path.basename(given)):
        directory, candidate, shown_folder = _in_directory(given, text)
    else:
        shown_folder = os.path.dirname(text)
        directory, candidate = _beside(given, text)
    entry = os.path.realpath(f"{candidate.folder}/{candidate.entry}")
    roots = [Path(candidate.folder), Path(entry if candidate.is_directory else os.path.dirname(entry))]
    confinement = ShownConfinement(roots, Path(candidate.folder), shown_folder)
    shown = confinement.show_relative(candidate.id.removeprefix("./"))
    signature, entry_state = candidate.state()
    location, header = read_candidate(Root(candidate.folder, confinement), candidate, shown)
    files = LabelFiles()
    found, _ = find_labels(header.matrices, [list_labels(directory, confinement, files)], [], files)
    flagged = FlaggedLabels(labels)
    named, refusals = flagged.find(header.matrices)
    for _, message in [*refusals, *flagged.problems()]:
        raise ReadError(message.code, **message.params)
    real_folder = os.path.realpath(candidate.folder)
    return Checkpoint(candidate.id, shown, location, header, real_folder, entry_state, signature, found | named)


def _in_directory(given: str, text: str) -> tuple[Directory, Candidate, str]:
    """The only checkpoint directly in a directory (or in the `variables` of a SavedModel), or the one that stands for it."""
    for folder, shown in ((given, text), (f"{given}/{_VARIABLES}", f"{text.rstrip('/')}/{_VARIABLES}")):
        directory, candidates = _list(folder) if os.path.isdir(folder) else (None, [])
        candidates = [item for item in candidates if item.is_whole] or candidates
        if len(candidates) > 1:
            candidates = [item for item in candidates if not _is_foreign(item)]
        if directory is not None and len(candidates) == 1:
            return directory, candidates[0], shown.rstrip("/") or "/"
        if candidates:
            names = list_some([item.name or item.entry for item in candidates])
            raise NotFoundError("several_checkpoints", path=text, n_checkpoints=len(candidates), known=names)
    raise UnsupportedError("no_checkpoints", path=text)


def _is_foreign(candidate: Candidate) -> bool:
    """Whether it only bears a name that checkpoints have, too."""
    folder = Path(candidate.folder)
    try:
        read_candidate(Root(candidate.folder, ShownConfinement([folder], folder)), candidate, candidate.name)
    except EmbfactorError as error:
        return candidate.is_likely_foreign(error.code)
    return False


def _beside(given: str, text: str) -> tuple[Directory, Candidate]:
    """The checkpoint that a file name, or a prefix of file names, belongs to."""
    folder, name = os.path.split(given)
    if os.path.isdir(folder):
        directory, candidates = _list(folder)
        for fits in (lambda item: item.entry == name, lambda item: item.name == name, lambda item: given in item.files):
            found = next((item for item in candidates if fits(item)), None)
            if found is not None:
                return directory, found
    if not os.path.lexists(given):
        raise IncompleteError("file_missing", path=text)
    raise UnsupportedError("not_a_checkpoint", path=text, formats=", ".join(formats.FORMATS))


def _list(folder: str) -> tuple[Directory, list[Candidate]]:
    walk = Walk()
    tree = walk.list_tree(Root(folder, ShownConfinement([Path(folder)], Path(folder)), only=""))
    if "." not in tree:
        message = walk.problems[0][1]
        raise UnsupportedError(message.code, **message.params)
    return tree["."], list(find_candidates(tree.values()))
