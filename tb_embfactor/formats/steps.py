"""Which training step a checkpoint belongs to."""

from __future__ import annotations

import re

_NAMED_STEP = re.compile(r"(?:^|[-_.])(\d{1,15})$")
_ENDINGS = re.compile(r"\.(?:ckpt|keras|weights|h5|hdf5)$")
_METRIC = re.compile(r"[-_](?:[a-z_]+=?)?\d+\.\d+$")  # as in weights.05-0.32, the template that Keras documents


def step_in_name(name: str) -> int | None:
    """The training step that a checkpoint's name ends in: 300 of `ckpt-300`, `cp-0300.ckpt` and `model_0300.keras`."""
    while _ENDINGS.search(name):
        name = _ENDINGS.sub("", name)
    match = _NAMED_STEP.search(_METRIC.sub("", name))
    return int(match[1]) if match else None


def choose_step(inside: int | None, in_name: int | None, save_counter: int | None = None) -> int | None:
    """The training step, from what the checkpoint and its name say.

    A count of training steps inside (the optimizer's, or `global_step`) is the truth, as names often number the saves or
    the epochs. But a program that trains without the saved optimizer leaves its count at 0, and then the name knows more,
    unless it only numbers the saves. The count of saves itself is better than nothing.
    """
    if inside == 0 and in_name and in_name != save_counter:
        return in_name
    return next((step for step in (inside, in_name, save_counter) if step is not None), None)
