"""Transforms against their definitions, in numpy and scipy, and what they do to the spectrum."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import scipy.stats
from planted import centered, lapack, planted
from sklearn.decomposition import PCA

from tb_embfactor import factorize, project
from tb_embfactor.analysis.factorization import as_blocks
from tb_embfactor.errors import MatrixError, UsageError
from tb_embfactor.linalg.blocks import ArrayBlocks, Transposed
from tb_embfactor.transforms import STEPS, Transform

MATRIX = planted(400, 12, np.arange(12, 0, -1.0)) * 3 + 0.5
BIAS = np.linspace(-1, 1, 12)


class Layer:
    name = "dense"

    def blocks(self) -> ArrayBlocks:
        return ArrayBlocks(MATRIX)

    def bias(self) -> np.ndarray:
        return BIAS


def rows_of(matrix: object, transform: str) -> np.ndarray:
    return np.concatenate(list(as_blocks(matrix, transform)[0]))


def without_leading(matrix: np.ndarray) -> np.ndarray:
    kept = PCA(2, svd_solver="full").fit(matrix)
    return matrix - kept.inverse_transform(kept.transform(matrix))


DEFINITIONS: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "bias": lambda x: x + BIAS,
    "relu": lambda x: np.where(x > 0, x, 0),
    "leaky_relu": lambda x: np.where(x > 0, x, x / 100),
    "elu": lambda x: np.where(x > 0, x, np.exp(np.minimum(x, 0)) - 1),
    "gelu": lambda x: x * scipy.stats.norm.cdf(x),
    "silu": lambda x: x / (1 + np.exp(-x)),
    "sigmoid": lambda x: 1 / (1 + np.exp(-x)),
    "tanh": lambda x: 1 - 2 / (np.exp(2 * x) + 1),
    "softplus": lambda x: np.log(1 + np.exp(x)),
    "unit_rows": lambda x: x / np.linalg.norm(x, axis=1, keepdims=True),
    "center": centered,
    "without_top:2": without_leading,
    "transpose": lambda x: x.T,
}


@pytest.mark.parametrize("step", DEFINITIONS)
def test_each_step_is_what_it_is_said_to_be(step: str) -> None:
    assert np.allclose(rows_of(Layer(), step), DEFINITIONS[step](MATRIX), atol=1e-9)
    assert np.allclose(factorize(Layer(), transform=step).singular_values, lapack(DEFINITIONS[step](MATRIX)), atol=1e-8)


def test_every_step_has_a_definition() -> None:
    assert {step.partition(":")[0] for step in DEFINITIONS} == set(STEPS)


def test_steps_are_done_from_left_to_right() -> None:
    activated = np.maximum(MATRIX + BIAS, 0)
    assert np.allclose(rows_of(Layer(), " bias, relu "), activated)
    assert np.allclose(rows_of(Layer(), "bias,relu,center"), centered(activated))
    assert np.allclose(rows_of(Layer(), "unit_rows,center"), centered(DEFINITIONS["unit_rows"](MATRIX)))
    assert not np.allclose(rows_of(Layer(), "relu,bias"), activated)
    assert Transform.parse(" bias, relu ").spec == "bias,relu" and Transform.parse("none").spec == ""


def test_large_values_do_not_overflow() -> None:
    extreme = np.array([[-800.0, 800.0], [-30.0, 30.0]])
    for step in ("elu", "gelu", "silu", "sigmoid", "softplus", "tanh"):
        assert np.isfinite(rows_of(extreme, step)).all()
    assert rows_of(extreme, "softplus")[1, 0] == pytest.approx(np.exp(-30.0))


@pytest.mark.parametrize("step", sorted(set(DEFINITIONS) - {"bias", "transpose"}))
def test_rows_that_are_skipped_stay_so(step: str) -> None:
    matrix = MATRIX.copy()
    matrix[3, 0], matrix[5] = np.nan, np.inf
    found = factorize(matrix, transform=step)
    assert found.rows_skipped == 2
    kept = np.delete(MATRIX, [3, 5], axis=0)
    assert np.allclose(found.singular_values, factorize(kept, transform=step).singular_values, atol=1e-9)


def test_zero_rows_have_no_direction() -> None:
    assert np.array_equal(rows_of(np.array([[0.0, 0], [3, 4]]), "unit_rows"), [[0, 0], [0.6, 0.8]])


def test_a_common_direction_is_taken_out() -> None:
    """What all-but-the-top is for: after it, two rows have no common direction (Mu & Viswanath 2018)."""
    matrix = np.random.default_rng(0).normal(size=(500, 20)) + 4
    before, after = (rows / np.linalg.norm(rows, axis=1, keepdims=True) for rows in (matrix, rows_of(matrix, "without_top:1")))
    assert np.mean(before @ before.T) > 0.9 > 0.02 > abs(np.mean(after @ after.T))


@pytest.mark.parametrize("shape", [(400, 12), (12, 400), (1, 5), (5, 1)])
def test_a_transposed_matrix_swaps_its_factors(shape: tuple[int, int], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Transposed, "STRIP_BYTES", 8 * 400 * 3)
    matrix = np.resize(MATRIX, shape)
    f = factorize(matrix, transform="transpose")
    assert f.shape == shape[::-1]
    assert np.allclose(f.left(0, shape[1]) * f.singular_values @ f.right.T, matrix.T, atol=1e-9)
    assert np.allclose(f.spectrum.centered.singular_values, lapack(centered(matrix.T)), atol=1e-9)


def test_points_of_a_transposed_matrix_are_its_columns() -> None:
    swapped = project(MATRIX, "u", 2, transform="transpose")
    assert swapped.info["points_are"] == "columns" and project(MATRIX, "v", 2, "transpose").info["points_are"] == "rows"
    assert np.allclose(np.abs(swapped.points), np.abs(project(MATRIX, "v", 2).points))


def test_a_wide_strip_of_a_transposed_matrix_takes_one_pass() -> None:
    """Strips of columns of the transpose are row blocks of the matrix: no pass for each."""

    class Counted(ArrayBlocks):
        n_passes = 0

        def __iter__(self):  # type: ignore[no-untyped-def]
            Counted.n_passes += 1
            return super().__iter__()

    from tb_embfactor.linalg.spectrum import decompose

    decompose(Transposed(Counted(np.random.default_rng(0).normal(size=(70000, 64)))))
    assert Counted.n_passes < 12


@pytest.mark.parametrize(
    ("transform", "said"),
    [
        ("log", r"each at most once, without_top as without_top:1 to :64, transpose last; got 'log'"),
        ("relu,relu", "got 'relu,relu'"),
        ("transpose,relu", "transpose last"),
        ("without_top", "got 'without_top'"),
        ("without_top:0", "got"),
        ("without_top:65", "got"),
        ("without_top:1,without_top:2", "at most once"),
        ("relu:2", "got 'relu:2'"),
        ("bias,relu", "no bias was found"),
    ],
)
def test_wrong_transforms(transform: str, said: str) -> None:
    with pytest.raises(UsageError, match=said):
        factorize(MATRIX, transform=transform)


def test_what_is_too_large_to_transpose(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tb_embfactor.transforms.TRANSPOSE_BYTES", 1 << 10)
    with pytest.raises(MatrixError, match=r"the array is 0\.0 GB in float64; transposing is limited"):
        factorize(MATRIX, transform="transpose")


@pytest.mark.parametrize("step", STEPS)
def test_a_step_of_each_row_alone_is_told_from_one_that_needs_all(step: str) -> None:
    spec = Transform.parse("without_top:2" if step == "without_top" else step)
    some, all_rows = (
        np.concatenate(list(spec.apply(ArrayBlocks(rows), BIAS))) for rows in (MATRIX[100:130], MATRIX)
    )  # fmt: skip
    same = some.shape == (30, 12) and np.allclose(some, all_rows[100:130])
    assert spec.is_rowwise == same
