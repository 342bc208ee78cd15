"""The command neighbors."""

from __future__ import annotations

import argparse

from tb_embfactor.cli.choosing import choose_one
from tb_embfactor.cli.printing import Printer, print_json, print_table, row_text
from tb_embfactor.transforms import Transform


def show_neighbors(options: argparse.Namespace, printer: Printer) -> None:
    from tb_embfactor.analysis.neighbours import neighbors
    from tb_embfactor.schema import names_json, neighbors_json

    run, checkpoint, matrix = choose_one(options, printer)
    found = neighbors(matrix, options.token, options.k, options.metric, options.transform, printer.progress(matrix.name))
    printer.clear()
    labels = None if Transform.parse(options.transform).is_transposed else matrix.row_labels()
    result = names_json(run, checkpoint, matrix) | {"transform": options.transform or ""} | neighbors_json(found, labels)
    if options.json:
        print_json(result)
        return
    for index, query in enumerate(result["queries"]):
        print("\n" * (index > 0) + f"nearest to {row_text(query)} in {matrix.name} at {checkpoint.id}, {options.metric}")
        print_table(
            ["row", "label", "distance"],
            [[str(near["row"]), near["label"] or "", f"{near['distance']:.4f}"] for near in query["neighbors"]],
            right={0, 2},
        )
    for note in result["notes"]:
        print(note["text"])
