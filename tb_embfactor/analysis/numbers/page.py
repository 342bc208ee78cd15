"""The tables of named numbers and of rank rules as text: docs/numbers.md (`python -m` this module prints it) and `--help`."""

from __future__ import annotations

import textwrap

from tb_embfactor.analysis.numbers import METRICS
from tb_embfactor.analysis.ranks import RULES
from tb_embfactor.transforms import STEPS

SUBJECTS = {
    "matrix": "Of a matrix",
    "run": "Of a matrix and what it was at an earlier checkpoint of the run",
    "pair": "Of two matrices over matched rows",
}


def markdown() -> str:
    """docs/numbers.md."""
    lines = [
        "# The named numbers",
        "",
        "Made by `make docs` from the tables in `tb_embfactor/analysis/`. σ are the singular values, descending, "
        "V the rows, d the columns. *Centred*: of the rows minus their mean; *as stored*: of W itself. "
        "A number is null where a matrix cannot tell it.",
    ]
    for subject, title in SUBJECTS.items():
        metrics = [metric for metric in METRICS.values() if metric.subject == subject]
        if metrics:
            lines += ["", f"## {title}", "", "| key | what it says | formula | source |", "|---|---|---|---|"]
            lines += [_row(f"`{each.key}`", each.description, each.formula, each.source) for each in metrics]
    lines += [
        "",
        "## How many directions to keep",
        "",
        "The rules of `suggested_ranks` (route `ranks`), of the centred rows but where the formula is said to be of W as stored. "
        "They differ because they assume different things; none is right for every matrix.",
        "",
        "| key | what it assumes | formula | source |",
        "|---|---|---|---|",
    ]
    for rule in RULES.values():
        lines.append(_row(f"`{rule.key}`", rule.assumes, rule.formula + ("" if rule.centered else ", as stored"), rule.source))
    lines += [
        "",
        "## What may be done to the rows first",
        "",
        "The steps of a `transform`, a comma-separated list that is applied from left to right: `bias,relu` gives the "
        "activated rows of a layer. All numbers and factors are then those of the result.",
        "",
        "| step | what it does |",
        "|---|---|",
        *(_row(f"`{step}`", about) for step, about in STEPS.items()),
    ]
    return "\n".join(lines) + "\n"


def help_text() -> str:
    """What `tb-embfactor spectrum --help` ends with."""
    lines = ["named numbers (docs/numbers.md has the formulas):"]
    for metric in METRICS.values():
        if metric.subject != "pair":
            indent = " " * 25
            about = textwrap.fill(metric.description, 110, initial_indent=indent, subsequent_indent=indent)
            lines.append(f"  {metric.key:<22} {about.lstrip()}")
    return "\n".join(lines)


def _row(*cells: str) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


if __name__ == "__main__":
    print(markdown(), end="")
