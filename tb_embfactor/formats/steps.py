"""Which training step a checkpoint belongs to."""

from __future__ import annotations

import re
from pathlib import Path

_ENDINGS = re.compile(r"(?:\.[a-z]+\d?)+$", re.IGNORECASE)
_METRIC = re.compile(r"[-_](?:[a-z_]+=?)?\d+\.\d+$")  # as in weights.05-0.32, the template that Keras documents
_LAST_NUMBER = re.compile(r"(?:^|[-_.])(\d{1,15})$")
_WORDS = tuple(
    re.compile(rf"(?<![a-z])(?:{words})[-_=. ]?(\d{{1,15}})(?![a-z\d]|\.\d)", re.IGNORECASE)
    for words in (r"(?:global[-_]?)?steps?", r"iter(?:ation)?s?|updates?", r"checkpoint|ckpt|chkpt|cp", r"epochs?|ep")
)
"""A number behind a word that says what it counts; words of training steps come before those of saves and of epochs."""

_N_DIRECTORIES = 2
STEP_NAMES = (
    "global_step",
    "global_steps",
    "step",
    "steps",
    "iteration",
    "iter",
    "iter_num",
    "num_updates",
    "n_iter",
    "current_step",
    "train_step",
)
"""What programs call the count of training steps that they save with a model, the most telling name first."""


def step_in_name(name: str) -> int | None:
    """The training step that a checkpoint's name tells: 400 of `epoch=3-step=400.ckpt`, 300 of `cp-0300.ckpt` and `m_300.pt`."""
    counted = _counted(name)
    if counted is not None:
        return counted
    match = _LAST_NUMBER.search(_METRIC.sub("", _ENDINGS.sub("", name)))
    return int(match[1]) if match else None


def step_in_path(path: Path) -> int | None:
    """The same of a path: of two directories around a file, too, as in `checkpoint-500/model.safetensors`.

    There a number needs a word (`glove-300/` is no step); with one, it says more than a mere number in the name of the file,
    which may be one of several (`checkpoint_5/pytorch_model_1.bin`).
    """
    names = [path.name, *(parent.name for parent in path.parents[:_N_DIRECTORIES])]
    counted = (_counted(name) for name in names)
    return next((step for step in counted if step is not None), step_in_name(path.name))


def _counted(name: str) -> int | None:
    matches = (word.search(name) for word in _WORDS)
    return next((int(match[1]) for match in matches if match), None)


def choose_step(inside: int | None, in_name: int | None, save_counter: int | None = None) -> int | None:
    """The training step, from what the checkpoint and its name say.

    A count of training steps inside (the optimizer's, or `global_step`) is the truth, as names often number the saves or
    the epochs. But a program that trains without the saved optimizer leaves its count at 0, and then the name knows more,
    unless it only numbers the saves. The count of saves itself is better than nothing.
    """
    if inside == 0 and in_name and in_name != save_counter:
        return in_name
    return next((step for step in (inside, in_name, save_counter) if step is not None), None)
