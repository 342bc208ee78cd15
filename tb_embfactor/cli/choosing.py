"""Which matrices a command is about: PATH, --run, --checkpoint and --matrix."""

from __future__ import annotations

import argparse
import glob
import os
import sys
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Any

from tb_embfactor.cli.printing import Printer
from tb_embfactor.errors import EmbfactorError, NotFoundError, UsageError

if TYPE_CHECKING:
    from tb_embfactor.linalg.blocks import Progress
    from tb_embfactor.logdir import Checkpoint, Logdir, Matrix, Run

Chosen = tuple["Run", "Checkpoint", "Matrix"]


def open_path(options: argparse.Namespace) -> Logdir:
    """The log directory, or one checkpoint as a log directory of one run."""
    from tb_embfactor.logdir import Logdir, Run, open_checkpoint, open_logdir

    if not os.path.isfile(options.path):
        try:
            return open_logdir(options.path, allow_roots=options.allow_root, labels=options.labels)
        except NotFoundError:  # no such directory; it may still be the prefix of a TensorFlow checkpoint
            if not glob.glob(glob.escape(options.path) + ".*"):
                raise
    checkpoint = open_checkpoint(options.path, labels=options.labels)
    return Logdir(options.path, (Run(".", (checkpoint,)),))


def choose(logdir: Logdir, options: argparse.Namespace, printer: Printer) -> Iterator[Chosen]:
    """The matrices that --run, --checkpoint and --matrix name; problems are said, the rest goes on."""
    for problem in logdir.problems:
        printer.problem(problem.message)
    require_checkpoints(logdir)
    runs = [logdir.run(options.run)] if options.run is not None else [run for run in logdir.runs if run.checkpoints]
    found, missing = False, None
    for run in runs:
        try:
            checkpoints = run.checkpoints if options.checkpoint == "all" else [run.checkpoint(options.checkpoint)]
        except NotFoundError as error:
            missing = error
            continue
        for checkpoint in checkpoints:
            try:
                matrices = [checkpoint[options.matrix]] if options.matrix else _embeddings(checkpoint)
            except NotFoundError as error:
                missing = error
                continue
            for matrix in matrices:
                found = True
                yield run, checkpoint, matrix
    if not found:
        raise missing or NotFoundError("no_matrices", path=options.path)


def choose_one(options: argparse.Namespace, printer: Printer) -> Chosen:
    """The one matrix that is named; UsageError where there are several."""
    chosen = list(choose(open_path(options), options, printer))
    if len(chosen) != 1:
        names = ", ".join(f"{checkpoint.id}: {matrix.name}" for _, checkpoint, matrix in chosen[:6]) or "none"
        needed = f"given so that one matrix is chosen, with --run and --checkpoint where needed (now {len(chosen)}: {names})"
        raise UsageError("bad_parameter", owner="tb-embfactor", name="--matrix", needed=needed, got=options.matrix)
    return chosen[0]


def _embeddings(checkpoint: Checkpoint) -> list[Matrix]:
    """The embeddings, or every matrix where the checkpoint does not say which are embeddings."""
    return [matrix for matrix in checkpoint.matrices if matrix.role == "embedding"] or list(checkpoint.matrices)


def require_checkpoints(logdir: Logdir) -> None:
    if not any(run.checkpoints for run in logdir.runs):
        for hint in logdir.hints:
            print(hint.text, file=sys.stderr)
        raise NotFoundError("no_checkpoints", path=logdir.path)


def answer_each(
    chosen: Iterable[Chosen], printer: Printer, compute: Callable[[Run, Checkpoint, Matrix, Progress], dict[str, Any]]
) -> list[dict[str, Any]]:
    """What `compute` gives for each matrix; one that cannot answer is a problem, and the others are answered all the same."""
    answers = []
    chosen = list(chosen)
    for index, (run, checkpoint, matrix) in enumerate(chosen):
        try:
            progress = printer.progress(f"{index + 1}/{len(chosen)} {matrix.name} of {checkpoint.id}")
            answers.append(compute(run, checkpoint, matrix, progress))
        except UsageError:
            raise
        except EmbfactorError as error:
            printer.problem(error.message)
        finally:
            printer.clear()
    return answers
