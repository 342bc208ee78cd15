"""Where to look when a log directory holds no checkpoint."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence

from tb_embfactor.logdir.model import Problem
from tb_embfactor.logdir.walk import readable
from tb_embfactor.messages import Message

_USUAL_NAMES = ("checkpoints", "checkpoint", "ckpt", "ckpts", "outputs", "output", "models", "saved_models", "weights", "results")


def hints_for(paths: Sequence[str], problems: Iterable[Problem]) -> tuple[Message, ...]:
    """What may help, most likely first. Looks at the names of the directories beside the log directory, and at nothing else."""
    hints = []
    if any(problem.message.code == "outside_roots" for problem in problems):
        hints.append(Message("hint_allow_root"))
    beside = next((found for path in paths for found in _beside(path)), None)
    if beside is not None:
        hints.append(Message("hint_beside", {"path": beside}))
    return tuple(hints) or (Message("hint_elsewhere"),)


def _beside(path: str) -> list[str]:
    here = os.path.abspath(os.path.expanduser(path))
    parent = os.path.dirname(here)
    if parent == here:
        return []
    usual = [name for name in _USUAL_NAMES if name != os.path.basename(here) and os.path.isdir(os.path.join(parent, name))]
    beside = [os.path.join(parent, name) for name in usual]
    return [readable(item if path.startswith(("/", "~")) else os.path.relpath(item)) for item in beside]
