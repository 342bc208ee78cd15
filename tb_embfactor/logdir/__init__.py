"""Finds runs, checkpoints, matrices and label files under a log directory; the objects of the Python API."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping

from tb_embfactor.errors import NotFoundError
from tb_embfactor.logdir.labels import Column, Labels, LabelTable
from tb_embfactor.logdir.model import Blocks, Checkpoint, Logdir, Matrix, Problem, Run, Scanned
from tb_embfactor.logdir.opening import open_checkpoint
from tb_embfactor.logdir.readers import COPIES, READERS
from tb_embfactor.logdir.runs import SpecEntry, parse_checkpoints_flag, parse_logdir_spec
from tb_embfactor.logdir.scan import Scanner

__all__ = [
    "COPIES",
    "READERS",
    "Blocks",
    "Checkpoint",
    "Column",
    "LabelTable",
    "Labels",
    "Logdir",
    "Matrix",
    "Problem",
    "Run",
    "Scanned",
    "Scanner",
    "SpecEntry",
    "open_checkpoint",
    "open_logdir",
    "parse_checkpoints_flag",
    "parse_logdir_spec",
]


def open_logdir(
    path_or_spec: str | os.PathLike[str],
    allow_roots: Iterable[str | os.PathLike[str]] = (),
    checkpoints: Mapping[str, str] | Iterable[tuple[str, str]] = (),
    labels: Iterable[str] = (),
) -> Logdir:
    """Scan a log directory, or several as `--logdir_spec` writes them (`name1:/a,name2:/b`).

    NotFoundError if the directory does not exist; anything else that is wrong is among the problems of the answer.
    """
    text = os.fspath(path_or_spec)
    is_spec = not os.path.exists(os.path.expanduser(text)) and ("," in text or ":" in text)
    logdir = Scanner(parse_logdir_spec(text) if is_spec else text, allow_roots, checkpoints, labels=labels).scan()
    if logdir.error is not None:
        raise NotFoundError(logdir.error.code, **logdir.error.params)
    return logdir
