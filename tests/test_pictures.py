"""The regression pictures are what the code draws today, point by point, but for the rounding of another machine."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pictures
import pytest

import tb_embfactor as ef
from tb_embfactor.logdir import Matrix

CELL = re.compile(r'<g id="([^"]+)" [^>]*>\n<rect [^>]*>\n<(?:text [^>]*>([a-z_]+)<|path d="([^"]+)")')
TOLERANCE = 2  # of the 200 of the grid


def parse(sheet: str) -> dict[str, np.ndarray | str]:
    found: dict[str, np.ndarray | str] = {}
    for name, reason, path in CELL.findall(sheet):
        corners = np.array([[int(number) for number in point.split()] for point in re.findall(r"M(\d+ \d+)h0", path)])
        found[name] = reason or (corners - [pictures.MARGIN, pictures.MARGIN + pictures.GRID]) * [1, -1]
    return found


@pytest.fixture(scope="module")
def matrices(demo_logs: Path) -> dict[str, Matrix]:
    return dict(pictures.demo_matrices(ef.open_logdir(demo_logs)))


def test_every_demo_embedding_has_a_sheet(matrices: dict[str, Matrix]) -> None:
    assert {path.stem for path in pictures.SHEETS.glob("*.svg")} == set(matrices)


@pytest.mark.parametrize("name", sorted(path.stem for path in pictures.SHEETS.glob("*.svg")))
def test_every_picture_is_as_it_was(matrices: dict[str, Matrix], name: str) -> None:
    drawn = parse((pictures.SHEETS / f"{name}.svg").read_text(encoding="utf-8"))
    cells = pictures.cells_of(matrices[name])
    assert len(drawn) == len(cells) == len(pictures.TRANSFORMS) * len(pictures.METHODS)
    for (transform, method), cell in cells.items():
        known = drawn[f"{transform or 'stored'}/{method}"]
        if isinstance(cell, str):
            assert known == cell
        else:
            worst = np.max(np.abs(cell - known))
            assert worst <= TOLERANCE, (
                f"{name}, {transform or 'as stored'}, {method}: a point has moved by {worst}; see 'make pictures'"
            )


def test_a_sheet_is_read_as_it_is_drawn() -> None:
    cells: pictures.Cells = {(t, m): "no_spread" for t in pictures.TRANSFORMS for m in pictures.METHODS}
    cells["relu", "ica"] = np.array([[0, 200], [17, 3]])
    drawn = parse(pictures.draw("name", cells))
    assert drawn["stored/pca"] == "no_spread" and np.array_equal(drawn["relu/ica"], [[0, 200], [17, 3]])
