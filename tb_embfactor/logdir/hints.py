"""Why a log directory may hold no checkpoint: they lie near it, or the program that wrote the events saves none.

Looks at names alone, also of what lies around the log directory; no file is opened. The recipes are those of docs/recipes.md.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping, Sequence
from itertools import islice

from tb_embfactor import formats
from tb_embfactor.logdir.model import Problem
from tb_embfactor.logdir.runs import home_of, is_event_file, is_of_trainer
from tb_embfactor.logdir.walk import Directory, readable
from tb_embfactor.messages import Message

_DATED_RUN = re.compile(r"[A-Z][a-z]{2}\d\d_\d\d-\d\d-\d\d_.+")  # Nov25_07-30-38_host, by Hugging Face and SummaryWriter
_ENTRY_LIMIT, _DIRECTORY_LIMIT = 1000, 100


def hints_for(paths: Sequence[str], problems: Iterable[Problem], runs: Mapping[str, Directory]) -> tuple[Message, ...]:
    """What may help, most likely first.

    paths : of the log directory's entries, as the user wrote them. runs : the directories that hold event files, by run name.
    """
    codes = {problem.message.code for problem in problems}
    hints = [Message("hint_allow_root")] if "outside_roots" in codes else []
    run = next(iter(runs)) if len(runs) == 1 else "RUN"
    near = next((hint for path in paths if (hint := _near(path, run)) is not None), None)
    if near is not None:
        hints.append(near)
    elif runs and not codes:
        hints.append(_by_layout(runs))
    return tuple(hints) or (Message("hint_elsewhere"),)


def _near(path: str, run: str) -> Message | None:
    """Where checkpoints lie above the log directory, which then is too deep, or beside it."""

    def shown(directory: str) -> str:
        return readable(directory if path.startswith(("/", "~")) else os.path.relpath(directory))

    here = os.path.abspath(os.path.expanduser(path))
    for directory in (here, os.path.dirname(here)):
        above = os.path.dirname(directory)
        is_too_deep = _is_of_trainer(os.path.basename(directory))
        beside = [item for item in _below(above) if item != directory and _holds_checkpoints(item)]
        if _holds_checkpoints(above, deep=False) or (is_too_deep and beside):
            return Message("hint_above", {"path": shown(above)})
        foreign = [item for item in beside if not _holds_events(item)]
        if foreign:
            return Message("hint_beside", {"path": shown(foreign[0]), "run": run})
        if not is_too_deep:
            return None
    return None


def _is_of_trainer(name: str) -> bool:
    return is_of_trainer(name) or _DATED_RUN.fullmatch(name) is not None


def _holds_checkpoints(directory: str, deep: bool = True) -> bool:
    """Whether a checkpoint lies in a directory, or, if `deep`, in one of those in it that are named as trainers name them."""
    files, directories = _list(directory)
    is_of_checkpoints = home_of(os.path.basename(directory)) == "."
    if any(is_of_checkpoints or not fmt.has_common_names for fmt, _ in formats.find(files, directories)):
        return True
    return deep and any(home_of(os.path.basename(item)) == "." and any(formats.find(*_list(item))) for item in _below(directory))


def _holds_events(directory: str) -> bool:
    return any(any(map(is_event_file, _list(item)[0])) for item in (directory, *_below(directory)))


def _below(directory: str) -> list[str]:
    return [os.path.join(directory, name) for name in _list(directory)[1][:_DIRECTORY_LIMIT]]


def _list(directory: str) -> tuple[list[str], list[str]]:
    """The files and the directories in a directory, sorted; none where it cannot be listed."""
    files: list[str] = []
    directories: list[str] = []
    try:
        with os.scandir(directory) as entries:
            for entry in islice(entries, _ENTRY_LIMIT):
                if not entry.name.startswith("."):
                    (directories if entry.is_dir() else files).append(entry.name)
    except OSError:
        return [], []
    return sorted(files), sorted(directories)


def _by_layout(runs: Mapping[str, Directory]) -> Message:
    """What the program does that wrote the event files, by the way it names things."""
    for run, directory in runs.items():
        parts = directory.path.split("/")
        if "lightning_logs" in parts or "hparams.yaml" in directory.files:
            return Message("hint_lightning", {"run": run})
        if any(map(_DATED_RUN.fullmatch, parts)):
            return Message("hint_trainer", {"run": run})
        if parts[-1] in ("train", "validation") and any(name.endswith(".v2") for name in directory.files):
            return Message("hint_keras", {"run": run})
    return Message("hint_loop", {"run": next(iter(runs))})
