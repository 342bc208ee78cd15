"""The command line: the answers of the Python API on a terminal, or as one JSON document with `--json`.

Exit status: 0 everything asked for was read; 1 something could not be read (one line on stderr says what, and
everything readable is still printed); 2 wrong usage.
"""

from __future__ import annotations

import argparse
import sys
import threading
from collections.abc import Callable, Sequence
from typing import Any

from tb_embfactor import __version__
from tb_embfactor.cli.comparing import compare_matrices
from tb_embfactor.cli.factors import show_factors
from tb_embfactor.cli.matrices import export_factors, list_matrices, show_sparsity, show_spectra
from tb_embfactor.cli.neighbours import show_neighbors
from tb_embfactor.cli.printing import Printer
from tb_embfactor.cli.projecting import describe_methods, project_rows
from tb_embfactor.errors import EmbfactorError
from tb_embfactor.transforms import STEPS


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; the exit status."""
    options = _parser().parse_args(arguments)
    printer = Printer()
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

    listing = _command(commands, "list", list_matrices, "runs, checkpoints and matrices of a log directory")
    _add_path(listing)

    spectrum = _command(commands, "spectrum", show_spectra, "singular values and named numbers of matrices")
    spectrum.describe_more = _describe_numbers
    _add_path(spectrum)
    _add_choice(spectrum)
    _add_factoring(spectrum)
    spectrum.add_argument(
        "--drift",
        action="store_true",
        help="also compare with the first checkpoint and the one before; takes several times as long",
    )

    factoring = _command(
        commands, "factors", show_factors, "the directions of matrices, and the rows with the most and the least of each"
    )
    _add_path(factoring)
    _add_choice(factoring)
    _add_transform(factoring)
    factoring.add_argument(
        "--method", metavar="M", default="pca", help="svd, pca, varimax, ica or nmf (of non-negative rows); default: pca"
    )
    factoring.add_argument("--k", metavar="K", type=int, default=8, help="how many factors, 1 to 64 (default: 8)")
    factoring.add_argument("--top", metavar="N", type=int, default=10, help="rows at each end, 1 to 100 (default: 10)")
    factoring.add_argument("--seed", metavar="S", type=int, default=0, help="of the rows and starts of a search (default: 0)")
    factoring.add_argument("--reference", metavar="C", help="a checkpoint: say which of its factors each factor continues")

    projecting = _command(commands, "project", project_rows, "the rows of one matrix as points in a few dimensions")
    _add_path(projecting)
    _add_choice(projecting)
    _add_transform(projecting)
    projecting.add_argument("--method", metavar="M", default="pca", help="one of those below (default: pca)")
    projecting.add_argument("--k", metavar="K", type=int, default=2, help="how many dimensions (default: 2)")
    projecting.add_argument("--column", metavar="NAME", help="for lda: the label column whose values are the groups")
    projecting.add_argument("--between", metavar="ROWS", help="for line: rows by number or label, as 'bad,awful|good,great'")
    projecting.add_argument("--seed", metavar="S", type=int, default=0, help="of a search or a map (default: 0)")
    projecting.add_argument("--out", metavar="FILE", help="write the points to FILE.tsv (with the labels), .npz or .safetensors")
    projecting.describe_more = describe_methods

    comparing = _command(commands, "compare", compare_matrices, "how alike two matrices are, and which rows differ most")
    _add_path(comparing)
    comparing.add_argument("path_b", metavar="PATH_B", nargs="?", help="where the second lies (default: PATH)")
    _add_choice(comparing)
    _add_transform(comparing)
    for name, what in (("run", "run"), ("checkpoint", "checkpoint"), ("matrix", "matrix")):
        comparing.add_argument(f"--{name}-b", metavar=name.upper(), help=f"{what} of the second (default: that of the first)")
    comparing.add_argument("--match", metavar="BY", default="index", help="match rows by index or label (default: index)")
    comparing.add_argument("--top", metavar="N", type=int, default=10, help="most changed rows, 1 to 100 (default: 10)")
    comparing.add_argument("--seed", metavar="S", type=int, default=0, help="of the rows whose neighbours are compared")

    nearby = _command(commands, "neighbors", show_neighbors, "the nearest rows of some rows of one matrix, among all of them")
    _add_path(nearby)
    _add_choice(nearby)
    _add_transform(nearby)
    nearby.add_argument(
        "--token", metavar="ROW", nargs="+", required=True, help="rows by their first label, or by number where none has it"
    )
    nearby.add_argument("--k", metavar="K", type=int, default=10, help="how many, 1 to 1000 (default: 10)")
    nearby.add_argument("--metric", metavar="M", default="cosine", help="cosine or euclidean (default: cosine)")

    pruning = _command(commands, "sparsity", show_sparsity, "zeros of matrices, and what pruning by magnitude would cost")
    _add_path(pruning)
    _add_choice(pruning)
    _add_transform(pruning)

    exporting = _command(commands, "export", export_factors, "write the factors U, S and Vt of one matrix to a file")
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
    parser.add_argument(
        "--labels",
        metavar="[MATRIX=]FILE[@ROW]",
        action="append",
        default=[],
        help="labels of the rows (.txt, .tsv, .csv, .parquet); @ROW is the row of the first one, where ids are reserved",
    )


def _add_choice(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--run", metavar="RUN", help="only this run (default: all)")
    parser.add_argument(
        "--checkpoint", metavar="C", default="latest", help="a checkpoint's id, step:N, first, latest or all (default: latest)"
    )
    parser.add_argument("--matrix", metavar="NAME", help="a matrix by its name or the end of it (default: all embeddings)")


def _add_factoring(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--center", action="store_true", help="factor the rows minus their mean")
    _add_transform(parser)
    parser.add_argument("--rank", metavar="R", type=int, help="keep the leading R factors")


def _add_transform(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--transform", metavar="STEPS", help=f"steps done to the rows first, separated by commas: {', '.join(STEPS)}"
    )


def _demo(options: argparse.Namespace, printer: Printer) -> None:
    from tb_embfactor.demo import demo_logs, start

    url = start(options.port)
    print(f"TensorBoard shows {demo_logs()} (Ctrl+C ends it). Open this address:\n\n    {url}\n", flush=True)
    threading.Event().wait()
