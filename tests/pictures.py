"""Regression pictures: every demo embedding × transform × method as one small scatter, on one sheet for each matrix.

The sheets in tests/pictures/ are what a reviewer looks at, and what the test compares: the coordinates in them are whole
numbers on a grid of 200, so that the rounding of another machine moves none of them by more than one. `make pictures`
draws them anew. Maps of neighbours are left out: t-SNE and UMAP are the same on one machine only. So is a search for
independent axes that has not settled; its place says so.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

import tb_embfactor as ef
from tb_embfactor.errors import MatrixError
from tb_embfactor.logdir import Logdir, Matrix

SHEETS = Path(__file__).parent / "pictures"
TRANSFORMS = ("", "unit_rows", "without_top:1", "relu", "transpose")
METHODS = ("pca", "u", "v", "pca_of_u", "varimax", "ica", "nmf", "line")
N_POINTS, GRID, CELL, MARGIN = 48, 200, 240, 20
Cells = dict[tuple[str, str], np.ndarray | str]


def demo_matrices(logdir: Logdir) -> Iterator[tuple[str, Matrix]]:
    """Each embedding of the last checkpoint of each run, with the name of its sheet."""
    for run in logdir.runs:
        for matrix in run.checkpoint("latest").matrices:
            if matrix.role == "embedding":
                yield f"{run.name.split('/')[0]}-{matrix.layer}", matrix


def cells_of(matrix: Matrix) -> Cells:
    """For each transform and method the grid points of N_POINTS rows, (n, 2) int, or the code of why there are none."""
    return {(transform, method): _cell(matrix, transform, method) for transform in TRANSFORMS for method in METHODS}


def _cell(matrix: Matrix, transform: str, method: str) -> np.ndarray | str:
    more: dict[str, Any] = {"between": ([2, 3], [4])} if method == "line" else {}
    try:
        projection = ef.project(matrix, method, 2, transform, **more)
    except MatrixError as error:
        return error.code
    if any(note.code == "not_settled" for note in projection.info["notes"]):
        return "not_settled"
    points = projection.points
    shown = points[:: max(1, len(points) // N_POINTS)][:N_POINTS]
    low, high = shown.min(axis=0), shown.max(axis=0)
    return np.rint((shown - low) / np.where(high > low, high - low, 1) * GRID).astype(int)


def draw(name: str, cells: Cells) -> str:
    """The sheet as SVG: a row for each transform, a column for each method."""
    width, height = CELL * len(METHODS) + 120, CELL * len(TRANSFORMS) + 30
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" font-family="sans-serif" font-size="16">',
        f"<title>{name}</title>",
        '<rect width="100%" height="100%" fill="#fff"/>',
    ]
    lines += [f'<text x="{120 + CELL * column + 4}" y="20">{method}</text>' for column, method in enumerate(METHODS)]
    for row, transform in enumerate(TRANSFORMS):
        lines.append(f'<text x="4" y="{30 + CELL * row + CELL // 2}">{transform or "as stored"}</text>')
        for column, method in enumerate(METHODS):
            cell = cells[transform, method]
            place = f'transform="translate({120 + CELL * column},{30 + CELL * row})"'
            lines.append(f'<g id="{transform or "stored"}/{method}" {place}>')
            lines.append(f'<rect width="{CELL - 4}" height="{CELL - 4}" fill="none" stroke="#ccc"/>')
            if isinstance(cell, str):
                lines.append(f'<text x="{MARGIN}" y="{CELL // 2}" fill="#999">{cell}</text>')
            else:
                path = "".join(f"M{MARGIN + x} {MARGIN + GRID - y}h0" for x, y in cell.tolist())
                lines.append(f'<path d="{path}" stroke="#06c" stroke-width="5" stroke-linecap="round"/>')
            lines.append("</g>")
    return "\n".join([*lines, "</svg>\n"])


if __name__ == "__main__":
    SHEETS.mkdir(exist_ok=True)
    for name, matrix in demo_matrices(ef.open_logdir(Path(sys.argv[1]))):
        (SHEETS / f"{name}.svg").write_text(draw(name, cells_of(matrix)), encoding="utf-8")
