from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from planted import centered, planted
from safetensors.numpy import load_file

from tb_embfactor import export, factorize
from tb_embfactor.errors import UsageError

MATRIX = planted(400, 12, np.arange(12, 0, -1.0)) + 0.5


@pytest.mark.parametrize("center", [False, True])
@pytest.mark.parametrize("shape", [(400, 12), (12, 400)])
def test_the_product_of_the_factors_is_the_matrix(shape: tuple[int, int], center: bool) -> None:
    matrix = MATRIX.reshape(shape)
    f = factorize(matrix, center=center)
    target = centered(matrix) if center else matrix
    assert np.allclose(f.left(0, shape[0]) * f.singular_values @ f.right.T, target, atol=1e-9)
    assert np.allclose(np.concatenate(list(f.iter_scores())), target @ f.right, atol=1e-9)
    assert np.allclose(np.concatenate(list(f.iter_scores(2))), target @ f.right[:, :2], atol=1e-9)
    assert np.allclose(f.left(3, 7), f.left(0, shape[0])[3:7])
    assert f.left(5, 5).shape == (0, min(shape))


def test_ratios() -> None:
    f = factorize(MATRIX)
    assert np.isclose(f.energy_ratio.sum(), 1)
    assert np.allclose(f.energy_ratio, f.singular_values**2 / np.sum(MATRIX**2))
    assert np.isclose(f.explained_variance_ratio.sum(), 1)


def test_rank_keeps_the_leading_factors() -> None:
    f = factorize(MATRIX, rank=3)
    assert f.singular_values.shape == f.error_bound.shape == (3,)
    assert f.right.shape == (12, 3)
    assert f.left(0, 400).shape == (400, 3)
    for rank in (0, 13):
        with pytest.raises(UsageError, match="rank must be from 1 to 12"):
            factorize(MATRIX, rank=rank)


@pytest.mark.parametrize("ending", [".safetensors", ".npz"])
def test_export_writes_factors_that_give_the_matrix_back(tmp_path: Path, ending: str) -> None:
    path = tmp_path / f"factors{ending}"
    export(factorize(MATRIX), path)
    tensors = load_file(path) if ending == ".safetensors" else np.load(path)
    assert np.allclose(tensors["U"] * tensors["S"] @ tensors["Vt"], MATRIX, atol=1e-9)
    assert [entry.name for entry in tmp_path.iterdir()] == [path.name], "no temporary file is left"


def test_export_refuses_other_endings(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"ending in \.safetensors or \.npz; got 'out.csv'"):
        export(factorize(MATRIX), tmp_path / "out.csv")


def test_what_cannot_be_factored() -> None:
    with pytest.raises(UsageError, match="Give an array, a Matrix, or an object whose __iter__ starts anew"):
        factorize(iter([MATRIX]))
    with pytest.raises(UsageError, match="two-dimensional array of real numbers; got '1-D float64'"):
        factorize(np.ones(3))
    with pytest.raises(UsageError, match="complex"):
        factorize(np.ones((3, 3), complex))
    with pytest.raises(UsageError, match="The row blocks differ in their number of columns: 2 and 3"):
        factorize([np.ones((2, 3)), np.ones((2, 2))])
    with pytest.raises(UsageError, match="got 'int'"):
        factorize(5)


def test_activated_rows_of_a_layer_with_a_bias() -> None:
    from tb_embfactor.linalg.blocks import ArrayBlocks

    class Layer:
        name = "dense"

        def blocks(self) -> ArrayBlocks:
            return ArrayBlocks(MATRIX)

        def bias(self) -> np.ndarray:
            return np.linspace(-1, 1, 12)

    activated = np.maximum(MATRIX + np.linspace(-1, 1, 12), 0)
    assert np.allclose(factorize(Layer(), transform="bias,relu").singular_values, np.linalg.svd(activated, compute_uv=False))
