"""The command line: the answers of the Python API on a terminal, or as one JSON document with `--json`.

Exit status: 0 everything asked for was read; 1 something could not be read (one line on stderr says what, and
everything readable is still printed); 2 wrong usage.
"""

from __future__ import annotations

import argparse
import glob
import json
import os
import sys
import threading
import unicodedata
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

from tb_embfactor import __version__
from tb_embfactor.errors import EmbfactorError, NotFoundError, UsageError
from tb_embfactor.messages import Message

if TYPE_CHECKING:
    from tb_embfactor.logdir import Checkpoint, Logdir, Matrix, Run

Chosen = tuple["Run", "Checkpoint", "Matrix"]
TREND_SAMPLES, TREND_BYTES = 12, 1 << 30  # checkpoints that a line of the table looks at, and what it reads for that at most
BARS = "▁▂▃▄▅▆▇█"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; the exit status."""
    options = _parser().parse_args(arguments)
    printer = _Printer()
    try:
        options.command(options, printer)
    except EmbfactorError as error:
        printer.problem(error.message)
        return error.exit_status
    except BrokenPipeError:  # `| head` has seen enough
        sys.stderr.close()
        return 0
    except KeyboardInterrupt:
        return 130
    return 1 if printer.n_problems else 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="tb-embfactor",
        description="What an embedding layer has learnt: exact singular values and factors of matrices in checkpoints.",
        epilog="PATH is a log directory or one checkpoint. In TensorBoard the same is shown in the tab 'Embedding Factors'.",
    )
    parser.add_argument("--version", action="version", version=f"tb-embfactor {__version__}")
    commands = parser.add_subparsers(title="commands", required=True, metavar="COMMAND", parser_class=_Parser)

    demo = commands.add_parser("demo", help="start TensorBoard on demo runs", description="Start TensorBoard on demo runs.")
    demo.add_argument("--port", type=int, metavar="N", help="port to serve at (default: a free one, from 6006 on)")
    demo.set_defaults(command=_demo)

    listing = _command(commands, "list", _list, "runs, checkpoints and matrices of a log directory")
    _add_path(listing)

    spectrum = _command(commands, "spectrum", _spectrum, "singular values and named numbers of matrices")
    spectrum.describe_more = _describe_numbers
    _add_path(spectrum)
    _add_choice(spectrum)
    _add_factoring(spectrum)

    exporting = _command(commands, "export", _export, "write the factors U, S and Vt of one matrix to a file")
    _add_path(exporting)
    _add_choice(exporting)
    _add_factoring(exporting)
    exporting.add_argument("--out", metavar="FILE", required=True, help="file to write, ending in .safetensors or .npz")
    return parser


class _Parser(argparse.ArgumentParser):
    """A parser whose help may end with what is costly to import."""

    describe_more: Callable[[], str] | None = None

    def format_help(self) -> str:
        return super().format_help() + (f"\n{self.describe_more()}\n" if self.describe_more else "")


def _describe_numbers() -> str:
    from tb_embfactor.analysis.numbers.page import help_text

    return help_text()


def _command(commands: Any, name: str, run: Callable[..., None], text: str) -> _Parser:
    parser = commands.add_parser(name, help=text, description=text[0].upper() + text[1:] + ".")
    parser.set_defaults(command=run)
    parser.add_argument("--json", action="store_true", help="print one JSON document")
    return parser


def _add_path(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("path", metavar="PATH", help="log directory, or one checkpoint (file, prefix or directory)")
    parser.add_argument("--allow-root", metavar="PATH", action="append", default=[], help="also read what really lies under PATH")


def _add_choice(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--run", metavar="RUN", help="only this run (default: all)")
    parser.add_argument(
        "--checkpoint", metavar="C", default="latest", help="a checkpoint's id, step:N, first, latest or all (default: latest)"
    )
    parser.add_argument("--matrix", metavar="NAME", help="a matrix by its name or the end of it (default: all embeddings)")


def _add_factoring(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--center", action="store_true", help="factor the rows minus their mean")
    parser.add_argument(
        "--transform", metavar="STEPS", help="steps done to the rows first: bias, relu, unit_rows, separated by commas"
    )
    parser.add_argument("--rank", metavar="R", type=int, help="keep the leading R factors")


# --- commands


def _demo(options: argparse.Namespace, printer: _Printer) -> None:
    from tb_embfactor.demo import demo_logs, start

    url = start(options.port)
    print(f"TensorBoard shows {demo_logs()} (Ctrl+C ends it). Open this address:\n\n    {url}\n", flush=True)
    threading.Event().wait()


def _list(options: argparse.Namespace, printer: _Printer) -> None:
    from tb_embfactor.schema import list_json

    logdir = _open(options)
    for problem in logdir.problems:
        printer.problem(problem.message)
    if options.json:
        print(json.dumps(list_json(logdir), ensure_ascii=False, indent=1, allow_nan=False))
        return
    if not any(run.checkpoints for run in logdir.runs):
        _require_checkpoints(logdir)
    rows = []
    for run in logdir.runs:
        for checkpoint in run.checkpoints:
            for matrix in checkpoint.matrices:
                labels = f"{matrix.labels.source} ({', '.join(matrix.labels.columns)})" if matrix.labels else ""
                shape = f"{matrix.shape[0]:,} × {matrix.shape[1]:,}"
                rows.append([run.name, checkpoint.id, _step(checkpoint), matrix.name, shape, matrix.dtype, matrix.role, labels])
    _table(["run", "checkpoint", "step", "matrix", "shape", "dtype", "role", "labels"], rows, right={2, 4})


def _spectrum(options: argparse.Namespace, printer: _Printer) -> None:
    from tb_embfactor.analysis.factorization import factorize
    from tb_embfactor.analysis.verdicts import SEVERITY
    from tb_embfactor.schema import spectrum_json

    results: list[dict[str, Any]] = []
    chosen = list(_choose(_open(options), options, printer))
    for index, (run, checkpoint, matrix) in enumerate(chosen):
        title = f"{index + 1}/{len(chosen)} {matrix.name} of {checkpoint.id}"
        try:
            f = factorize(matrix, options.center, options.transform, options.rank, progress=printer.progress(title))
            results.append(spectrum_json(run, checkpoint, f))
        except UsageError:
            raise
        except EmbfactorError as error:
            printer.problem(error.message)
        finally:
            printer.clear()
    if options.json:
        print(json.dumps({"results": results}, ensure_ascii=False, indent=1, allow_nan=False))
        return
    trends = {}
    if options.checkpoint == "latest":  # one line for each matrix: the most troubled first, as in the tab
        results.sort(key=lambda result: -SEVERITY[result["verdicts"][0]["code"]])
        trends = {(run.name, matrix.name): _trend(run, matrix) for run, _, matrix in chosen}
    headers = ["run", "checkpoint", "step", "matrix", "shape", "effective rank", "trend", "rank 90 %", "mean cosine", "verdict"]
    rows = [_spectrum_row(result, trends.get((result["run"], result["matrix"]), "")) for result in results]
    _table(headers, rows, right={2, 4, 5, 7, 8})


def _spectrum_row(result: dict[str, Any], trend: str) -> list[str]:
    numbers, (n_rows, n_columns) = result["metrics"], result["shape"]
    return [
        result["run"],
        result["checkpoint"],
        "" if result["step"] is None else f"{result['step']:,}",
        result["matrix"],
        f"{n_rows:,} × {n_columns:,}",
        f"{_number(numbers['effective_rank'], '.1f')} of {min(n_rows, n_columns):,}",
        trend,
        _number(numbers["energy_rank_90"], "d"),
        _number(numbers["mean_cosine"], "+.3f"),
        result["verdicts"][0]["text"].partition(". ")[0].rstrip("."),
    ]


def _trend(run: Run, matrix: Matrix) -> str:
    """The effective rank along the run, as bars; nothing where there is one checkpoint, or where reading them would take long."""
    from tb_embfactor.analysis.factorization import factorize
    from tb_embfactor.analysis.numbers import METRICS

    having = [each for each in run.checkpoints if any(item.name == matrix.name for item in each.matrices)]
    sampled = having[:: -max(1, -(-len(having) // TREND_SAMPLES))][::-1]
    if len(sampled) < 2 or len(sampled) * matrix.shape[0] * matrix.shape[1] * 4 > TREND_BYTES:
        return ""
    bars = ""
    for checkpoint in sampled:
        try:
            rank = METRICS["effective_rank"].compute(factorize(checkpoint[matrix.name]).spectrum)
        except EmbfactorError:
            rank = None
        share = rank / min(matrix.shape) if isinstance(rank, float) else None
        bars += " " if share is None else BARS[min(len(BARS) - 1, int(len(BARS) * share))]
    return bars


def _export(options: argparse.Namespace, printer: _Printer) -> None:
    from tb_embfactor.analysis.factorization import export, factorize

    chosen = list(_choose(_open(options), options, printer))
    if len(chosen) != 1:
        names = ", ".join(f"{checkpoint.id}: {matrix.name}" for _, checkpoint, matrix in chosen[:6]) or "none"
        needed = f"given so that one matrix is chosen, with --run and --checkpoint where needed (now {len(chosen)}: {names})"
        raise UsageError("bad_parameter", owner="export", name="--matrix", needed=needed, got=options.matrix)
    ((run, checkpoint, matrix),) = chosen
    f = factorize(matrix, options.center, options.transform, options.rank, progress=printer.progress(matrix.name))
    export(f, options.out)
    printer.clear()
    k = len(f.singular_values)
    shapes = {"U": [f.shape[0], k], "S": [k], "Vt": [k, f.shape[1]]}
    if options.json:
        result = {
            "run": run.name,
            "checkpoint": checkpoint.id,
            "step": checkpoint.step,
            "matrix": matrix.name,
            "out": options.out,
        }
        print(json.dumps(result | {"tensors": shapes}, ensure_ascii=False, indent=1))
        return
    described = ", ".join(f"{name} {' × '.join(map(str, shape))}" for name, shape in shapes.items())
    print(f"Wrote {options.out}: {described} (float64) of {matrix.name} at {checkpoint.id}")


# --- choosing


def _open(options: argparse.Namespace) -> Logdir:
    """The log directory, or one checkpoint as a log directory of one run."""
    from tb_embfactor.logdir import Logdir, Run, open_checkpoint, open_logdir

    if not os.path.isfile(options.path):
        try:
            return open_logdir(options.path, allow_roots=options.allow_root)
        except NotFoundError:  # no such directory; it may still be the prefix of a TensorFlow checkpoint
            if not glob.glob(glob.escape(options.path) + ".*"):
                raise
    checkpoint = open_checkpoint(options.path)
    return Logdir(options.path, (Run(".", (checkpoint,)),))


def _choose(logdir: Logdir, options: argparse.Namespace, printer: _Printer) -> Iterator[Chosen]:
    """The matrices that --run, --checkpoint and --matrix name; problems are said, the rest goes on."""
    for problem in logdir.problems:
        printer.problem(problem.message)
    _require_checkpoints(logdir)
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


def _embeddings(checkpoint: Checkpoint) -> list[Matrix]:
    """The embeddings, or every matrix where the checkpoint does not say which are embeddings."""
    return [matrix for matrix in checkpoint.matrices if matrix.role == "embedding"] or list(checkpoint.matrices)


def _require_checkpoints(logdir: Logdir) -> None:
    if not any(run.checkpoints for run in logdir.runs):
        for hint in logdir.hints:
            print(hint.text, file=sys.stderr)
        raise NotFoundError("no_checkpoints", path=logdir.path)


# --- printing


class _Printer:
    """What goes to stderr: problems, and progress where a person watches."""

    def __init__(self) -> None:
        self.n_problems = 0
        self._shown = ""

    def problem(self, message: Message) -> None:
        self.clear()
        self.n_problems += 1
        print(f"tb-embfactor: {message.text}", file=sys.stderr)

    def progress(self, title: str) -> Callable[[float], None]:
        def show(share: float) -> None:
            line = f"{title} {share:4.0%}"
            if sys.stderr.isatty() and line != self._shown:
                self._shown = line
                print(f"\r\x1b[2K{line}", end="", file=sys.stderr, flush=True)

        return show

    def clear(self) -> None:
        if self._shown:
            print("\r\x1b[2K", end="", file=sys.stderr, flush=True)
            self._shown = ""


def _table(headers: list[str], rows: list[list[str]], right: set[int]) -> None:
    rows = [[_printable(cell) for cell in row] for row in rows]
    widths = [max(_width(row[column]) for row in [headers, *rows]) for column in range(len(headers))]
    for row in [headers, *rows]:
        cells = []
        for column, (cell, width) in enumerate(zip(row, widths, strict=True)):
            padding = " " * (width - _width(cell))
            cells.append(padding + cell if column in right else cell + padding)
        print("  ".join(cells).rstrip())


def _width(text: str) -> int:
    """Columns of a terminal: East Asian wide characters take two, combining ones none."""
    return sum(
        0 if unicodedata.combining(character) else 2 if unicodedata.east_asian_width(character) in "WF" else 1
        for character in text
    )


def _printable(text: str) -> str:
    """File and tensor names come from anybody: control characters must not reach the terminal."""
    return "".join(character if character.isprintable() else "\ufffd" for character in text)


def _step(checkpoint: Checkpoint) -> str:
    return "" if checkpoint.step is None else f"{checkpoint.step:,}"


def _number(value: float | int | None, spec: str) -> str:
    return "–" if value is None else format(value, spec)
