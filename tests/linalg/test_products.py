"""Products added in place, in every layout that the engine passes, against numpy."""

from __future__ import annotations

import numpy as np
import pytest

from tb_embfactor.linalg import products

RNG = np.random.default_rng(3)
SHAPES = [(0, 3), (1, 1), (1, 4), (7, 1), (50, 13), (13, 50)]


def layouts(shape: tuple[int, int]) -> dict[str, np.ndarray]:
    """One matrix as rows, as columns, and as a part of a larger one either way."""
    n, d = shape
    matrix = RNG.normal(size=shape)
    wide, high = np.zeros((n, d + 5)), np.zeros((n + 5, d), order="F")
    wide[:, 2 : d + 2], high[2 : n + 2] = matrix, matrix
    return {"rows": matrix, "columns": np.asfortranarray(matrix), "of wide": wide[:, 2 : d + 2], "of high": high[2 : n + 2]}


@pytest.fixture(params=[products.TILE, 5])
def tile(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> int:
    monkeypatch.setattr(products, "TILE", request.param)
    return request.param


@pytest.mark.usefixtures("tile")
@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("layout", ["rows", "columns", "of wide", "of high"])
def test_gram(shape: tuple[int, int], layout: str) -> None:
    rows = layouts(shape)[layout]
    total = np.asfortranarray(RNG.normal(size=(shape[1], shape[1])))
    total = np.asfortranarray(total + total.T)
    expected = total + rows.T @ rows
    products.add_gram(total, rows)
    products.mirror_upper(total)
    assert np.allclose(total, expected, rtol=1e-12, atol=1e-12)


@pytest.mark.usefixtures("tile")
@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("n_others", [1, 12])
@pytest.mark.parametrize("layout", ["rows", "columns", "of wide", "of high"])
def test_product(shape: tuple[int, int], n_others: int, layout: str) -> None:
    left = layouts(shape)[layout]
    for right in layouts((shape[0], n_others)).values():
        total = np.asfortranarray(RNG.normal(size=(shape[1], n_others)))
        expected = total + left.T @ right
        products.add_product(total, left, right)
        assert np.allclose(total, expected, rtol=1e-12, atol=1e-12)


@pytest.mark.usefixtures("tile")
@pytest.mark.parametrize("shape", SHAPES)
def test_product_with_a_triangular_matrix(shape: tuple[int, int]) -> None:
    rows, upper = RNG.normal(size=shape), np.asfortranarray(RNG.normal(size=(shape[1], shape[1])))
    expected = rows @ np.triu(upper)
    products.multiply_upper(rows, upper)
    assert np.allclose(rows, expected, rtol=1e-12, atol=1e-12)


def test_outer_product() -> None:
    total = np.asfortranarray(RNG.normal(size=(4, 3)))
    left, right = RNG.normal(size=4), RNG.normal(size=3)
    expected = total - np.outer(left, right)
    products.subtract_outer(total, left, right)
    assert np.allclose(total, expected)
