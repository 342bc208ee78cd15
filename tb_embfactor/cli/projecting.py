"""The command project."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tb_embfactor.cli.choosing import choose_one
from tb_embfactor.cli.printing import Printer, print_json, printable
from tb_embfactor.errors import UsageError

if TYPE_CHECKING:
    from tb_embfactor.analysis.projection import Projection
    from tb_embfactor.logdir import Matrix

WRITTEN = (".tsv", ".npz", ".safetensors")


def describe_methods() -> str:
    from tb_embfactor.analysis.projection import METHODS

    return "\n".join(["methods:", *(f"  {name:<9} {about}" for name, about in METHODS.items())])


def project_rows(options: argparse.Namespace, printer: Printer) -> None:
    from tb_embfactor.analysis.projection import project
    from tb_embfactor.arrays import finite
    from tb_embfactor.schema import names_json

    if options.out and Path(options.out).suffix not in WRITTEN:
        needed = f"a file name ending in {', '.join(WRITTEN)}"
        raise UsageError("bad_parameter", owner="project", name="--out", needed=needed, got=options.out)
    run, checkpoint, matrix = choose_one(options, printer)
    labels = matrix.label_column(options.column) if options.column else None
    found = project(
        matrix,
        options.method,
        options.k,
        options.transform,
        progress=printer.progress(matrix.name),
        labels=labels,
        between=_ends(matrix, options.between) if options.between else None,
        seed=options.seed,
        with_quality=True,
    )
    printer.clear()
    about = {**found.info, "notes": [note.to_json() for note in found.info["notes"]]}
    if options.out:
        _write(Path(options.out), found, matrix)
        about["out"] = options.out
    if options.json:
        points = {} if options.out else {"points": found.points}
        print_json(finite({**names_json(run, checkpoint, matrix), "transform": options.transform or "", **about, **points}))
        return
    print(
        f"{matrix.name} at {checkpoint.id}, {options.method}: {len(found.points):,} points in {found.points.shape[1]} dimensions"
    )
    if about["total_share"] is not None:
        print(f"{about['total_share']:.1%} of the variance")
    if about.get("quality"):
        print("trustworthiness {trustworthiness:.3f}, continuity {continuity:.3f} (of {rows} rows)".format(**about["quality"]))
    for note in about["notes"]:
        print(note["text"])


def _ends(matrix: Matrix, between: str) -> tuple[list[int], list[int]]:
    """Rows by number, or by what stands in their first label column."""
    groups = [group.split(",") for group in between.split("|")]
    if len(groups) != 2:
        needed = "two groups of rows or labels, such as 'bad,awful|good,great'"
        raise UsageError("bad_parameter", owner="project", name="--between", needed=needed, got=between)
    first, second = map(matrix.find_rows, groups)
    return first, second


def _write(path: Path, found: Projection, matrix: Matrix) -> None:
    from tb_embfactor import arrays

    if path.suffix == ".tsv":
        arrays.write_atomically(path, _table(found, matrix).encode("utf-8", "replace"))
        return
    tensors: dict[str, Any] = {name: found.info[name] for name in ("weight", "share")}
    tensors |= {"points": found.points, "axes": found.axes}
    about = {name: value for name, value in found.info.items() if name not in ("weight", "share", "notes")}
    arrays.write_atomically(path, arrays.encode_npz(tensors) if path.suffix == ".npz" else arrays.encode(tensors, about))


def _table(found: Projection, matrix: Matrix) -> str:
    """Points and labels, one line for each row; what is no number is left empty."""
    has_labels = matrix.labels and found.info["points_are"] == "rows"
    columns = matrix.labels.read(matrix.shape[0]).columns if matrix.labels and has_labels else ()
    lines = ["\t".join([*(f"axis_{axis + 1}" for axis in range(found.points.shape[1])), *(column.name for column in columns)])]
    for row, point in enumerate(found.points.tolist()):
        values = ["" if value != value else f"{value:.9g}" for value in point]
        words = ["" if column.values[row] is None else printable(str(column.values[row])) for column in columns]
        lines.append("\t".join([*values, *words]))
    return "\n".join(lines) + "\n"
