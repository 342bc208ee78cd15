"""The command factors."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

from tb_embfactor.cli.choosing import answer_each, choose, open_path
from tb_embfactor.cli.printing import Printer, number_text, print_json, print_table, row_text
from tb_embfactor.transforms import Transform

if TYPE_CHECKING:
    from tb_embfactor.linalg.blocks import Progress
    from tb_embfactor.logdir import Checkpoint, Matrix, Run

SHOWN = 8  # rows at each end that a line of the table has room for


def show_factors(options: argparse.Namespace, printer: Printer) -> None:
    from tb_embfactor.analysis.axes import find_axes
    from tb_embfactor.analysis.factorization import factorize
    from tb_embfactor.analysis.factors import factors
    from tb_embfactor.schema import factors_json, names_json

    def factors_of(run: Run, checkpoint: Checkpoint, matrix: Matrix, progress: Progress) -> dict[str, Any]:
        reference = None
        if options.reference:
            then = run.checkpoint(options.reference)[matrix.name]
            reference = find_axes(factorize(then, transform=options.transform), options.method, options.k, options.seed)
        found = factors(
            matrix, options.method, options.k, options.transform, options.top, options.seed, reference, progress=progress
        )
        labels = None if Transform.parse(options.transform).is_transposed else matrix.row_labels()
        named = {**names_json(run, checkpoint, matrix), "transform": options.transform or ""}
        return named | factors_json(found, labels)

    results = answer_each(choose(open_path(options), options, printer), printer, factors_of)
    if options.json:
        print_json({"results": results})
        return
    for index, result in enumerate(results):
        print("\n" * (index > 0) + f"{result['matrix']} at {result['checkpoint']}, {result['method']}")
        headers = ["factor", "share", "kurtosis", "found again", "most", "least"]
        print_table(headers, [_row(factor) for factor in result["factors"]], right={0, 1, 2, 3})
        for note in result["notes"]:
            print(note["text"])


def _row(factor: dict[str, Any]) -> list[str]:
    block = factor["block"]
    return [
        f"{factor['factor']}" + (f" of {block[0]}–{block[1]}" if block else ""),
        f"{factor['share']:.1%}",
        number_text(factor["kurtosis"], ".1f"),
        number_text(factor["consistency"], ".2f"),
        *(_words(factor[end]) for end in ("top", "bottom")),
    ]


def _words(scored: list[dict[str, Any]]) -> str:
    return " ".join(map(row_text, scored[:SHOWN]))
