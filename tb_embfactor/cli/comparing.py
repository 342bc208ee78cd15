"""The command compare."""

from __future__ import annotations

import argparse
from typing import Any

from tb_embfactor.cli.choosing import choose_one
from tb_embfactor.cli.printing import Printer, print_json, print_table, row_text


def compare_matrices(options: argparse.Namespace, printer: Printer) -> None:
    from tb_embfactor.analysis.comparison import compare
    from tb_embfactor.schema import comparison_json, names_json

    chosen = [choose_one(options, printer), choose_one(_second(options), printer)]
    (_, _, a), (_, _, b) = chosen
    found = compare(a, b, options.match, options.transform, options.top, options.seed, printer.progress(a.name))
    printer.clear()
    named = {side: names_json(*each) for side, each in zip("ab", chosen, strict=True)}
    result = {**named, "match": options.match, "transform": options.transform or "", **comparison_json(found, a.row_labels())}
    if options.json:
        print_json(result)
        return
    for side in "ab":
        print(f"{side}: {result[side]['matrix']} at {result[side]['checkpoint']}")
    print(f"{result['rows_matched']:,} rows matched by {options.match}")
    print_table(["measure", "value"], [[key, _value(value)] for key, value in result["measures"].items()], right=set())
    if result["most_changed"]:
        print("farthest apart: " + " ".join(map(row_text, result["most_changed"])))


def _second(options: argparse.Namespace) -> argparse.Namespace:
    """The options that name the second matrix: what is not given is as for the first."""
    values = vars(options)
    given = {name: values[f"{name}_b"] for name in ("path", "run", "checkpoint", "matrix") if values[f"{name}_b"] is not None}
    if "path" in given:  # another place has runs of its own
        given = {"run": None, "checkpoint": "latest"} | given
    return argparse.Namespace(**{**values, **given})


def _value(value: Any) -> str:
    if value is None:
        return "–"
    return " ".join(f"{each:.3f}" for each in value) if isinstance(value, list) else f"{value:.4f}"
