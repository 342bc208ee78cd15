"""Singular values against float64 LAPACK of the stored matrix, on every shape that is met."""

from __future__ import annotations

import numpy as np
import pytest
from planted import centered, lapack, planted

from tb_embfactor.errors import MatrixError
from tb_embfactor.linalg import blocks as blocks_module
from tb_embfactor.linalg.blocks import ArrayBlocks, IterableBlocks
from tb_embfactor.linalg.spectrum import Svd, decompose

RNG = np.random.default_rng(7)
SPECTRA = {
    "flat": RNG.normal(size=(5000, 64)),
    "flat float32": RNG.normal(size=(5000, 64)).astype(np.float32),
    "geometric to 1e-3": planted(4000, 64, np.geomspace(1, 1e-3, 64)),
    "geometric to 1e-6": planted(4000, 64, np.geomspace(1, 1e-6, 64)),
    "strong, and the rest collapsed": planted(4000, 64, np.r_[np.ones(16), np.full(48, 1e-6)]),
    "rank 10 of 64": RNG.normal(size=(2000, 10)) @ RNG.normal(size=(10, 64)),
    "mean 1e4 times the spread": RNG.normal(size=(3000, 32)) + 1e4,
    "one row": RNG.normal(size=(1, 50)),
    "one column": RNG.normal(size=(500, 1)),
    "one number": np.array([[2.0]]),
    "square": RNG.normal(size=(100, 100)),
    "wide": RNG.normal(size=(100, 300)),
    "wide, geometric to 1e-6": planted(100, 3000, np.geomspace(1, 1e-6, 100)),
    "wide, large mean": RNG.normal(size=(50, 300)) + 1e5,
    "a column of zeros": RNG.normal(size=(300, 20)) * (np.arange(20) != 3),
    "duplicate rows": np.repeat(RNG.normal(size=(40, 20)), 10, axis=0),
    "integers": RNG.integers(-3, 4, size=(300, 20)),
    "tiny numbers": RNG.normal(size=(300, 20)) * 1e-160,
    "huge numbers": RNG.normal(size=(300, 20)) * 1e140,
}


def check_against_lapack(svd: Svd, matrix: np.ndarray) -> None:
    truth = lapack(matrix)
    assert svd.singular_values.shape == truth.shape
    known = svd.singular_values > 0
    error = np.abs(svd.singular_values - truth)
    well_above = truth > 1e-6 * truth[0] * (1 - 1e-9)
    rounding = max(matrix.shape) * 2.3e-16 * np.linalg.norm(matrix)  # below it LAPACK itself knows nothing
    assert np.all(known[well_above & (truth > rounding)])
    assert np.all(error[known & well_above] <= 1e-6 * truth[known & well_above])
    assert np.all(error[known] <= (svd.error_bound[known] + 1e-12) * truth[known] + rounding), "the bound must hold"
    assert np.all(svd.error_bound[~known] == np.inf)
    assert np.all(truth[~known] <= svd.null_bound + rounding), "what is given as zero is at most null_bound"
    right = svd.right[:, known]
    assert np.allclose(right.T @ right, np.eye(known.sum()), atol=1e-8)
    assert np.all(np.diff(svd.singular_values) <= 0)


@pytest.mark.parametrize("name", SPECTRA)
def test_singular_values_agree_with_lapack(name: str) -> None:
    matrix = np.asarray(SPECTRA[name])
    result = decompose(ArrayBlocks(matrix))
    check_against_lapack(result.stored, matrix.astype(np.float64))
    check_against_lapack(result.centered, centered(matrix.astype(np.float64)))
    assert np.allclose(result.mean, matrix.mean(axis=0))


def test_planted_values_come_back_down_to_a_millionth_of_the_largest() -> None:
    values = np.geomspace(1, 1e-6, 48)
    for shape in ((3000, 48), (60, 48), (48, 48), (48, 2000)):
        stored = decompose(ArrayBlocks(planted(*shape, values))).stored
        assert np.allclose(stored.singular_values, values, rtol=1e-6, atol=0), shape


def test_the_second_pass_runs_only_where_the_bound_asks_for_it() -> None:
    assert decompose(ArrayBlocks(SPECTRA["flat"])).passes == 1
    assert decompose(ArrayBlocks(SPECTRA["geometric to 1e-6"])).passes == 2


def test_one_pass_alone_would_lose_the_tail() -> None:
    """The reason for the second pass: the eigenvalues of the Gram matrix do not hold a collapsed tail to 1e-6."""
    matrix = SPECTRA["strong, and the rest collapsed"]
    naive = np.sqrt(np.abs(np.linalg.eigvalsh(matrix.T @ matrix)))[::-1]
    exact = decompose(ArrayBlocks(matrix)).stored.singular_values
    truth = lapack(matrix)
    assert np.abs(naive - truth).max() > 100 * np.abs(exact - truth).max()


@pytest.mark.parametrize("name", ["flat float32", "geometric to 1e-6", "wide", "duplicate rows"])
def test_the_block_size_does_not_change_the_answer(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    matrix = SPECTRA[name]
    whole = decompose(ArrayBlocks(matrix))
    monkeypatch.setattr(blocks_module, "BLOCK_BYTES", 8 * matrix.shape[1] * 7)
    monkeypatch.setattr(blocks_module.Strips, "STRIP_BYTES", 1)
    parts = decompose(ArrayBlocks(matrix))
    for one, other in ((whole.stored, parts.stored), (whole.centered, parts.centered)):
        known = one.singular_values > 0
        assert np.array_equal(known, other.singular_values > 0)
        assert np.allclose(one.singular_values, other.singular_values, rtol=1e-9, atol=0)
        steep = known & (np.abs(np.gradient(np.log(np.maximum(one.singular_values, 1e-300)))) > 0.05)
        assert np.allclose(one.right[:, steep], other.right[:, steep], atol=1e-6)


@pytest.mark.parametrize("shape", [(300, 20), (30, 200)])
def test_rows_with_nan_or_inf_are_left_out_and_counted(shape: tuple[int, int]) -> None:
    matrix = np.random.default_rng(1).normal(size=shape)
    matrix[5, 3], matrix[7], matrix[9, 0] = np.nan, np.inf, -np.inf
    result = decompose(ArrayBlocks(matrix))
    kept = np.delete(matrix, [5, 7, 9], axis=0)
    assert (result.n_rows, result.n_skipped) == (shape[0] - 3, 3)
    assert np.allclose(result.stored.singular_values[: min(kept.shape)], lapack(kept), rtol=1e-9)
    assert np.allclose(
        result.centered.singular_values[: min(kept.shape) - 1], lapack(centered(kept))[: min(kept.shape) - 1], rtol=1e-9
    )


def test_fewer_finite_rows_than_columns_in_a_tall_matrix() -> None:
    matrix = np.random.default_rng(2).normal(size=(30, 25))
    matrix[:10, 3] = np.nan
    result = decompose(ArrayBlocks(matrix))
    assert result.stored.rank == 20
    assert result.centered.rank == 19
    assert np.allclose(result.stored.singular_values[:20], lapack(matrix[10:]), rtol=1e-9)


@pytest.mark.parametrize("shape", [(500, 16), (16, 500)])
def test_a_constant_matrix_has_rank_one_and_no_spread(shape: tuple[int, int]) -> None:
    result = decompose(ArrayBlocks(np.full(shape, 0.1)))
    assert result.stored.rank == 1
    assert np.isclose(result.stored.singular_values[0], 0.1 * np.sqrt(500 * 16))
    assert result.centered.rank == 0


def test_zeros() -> None:
    result = decompose(ArrayBlocks(np.zeros((50, 8))))
    assert result.stored.rank == result.centered.rank == 0
    assert np.all(result.stored.error_bound == np.inf)


@pytest.mark.parametrize("shape", [(0, 4), (4, 0), (0, 0)])
def test_a_matrix_without_entries_is_an_error(shape: tuple[int, int]) -> None:
    with pytest.raises(MatrixError, match="nothing to factor"):
        decompose(ArrayBlocks(np.zeros(shape)), "w")


@pytest.mark.parametrize("shape", [(9, 4), (4, 9)])
def test_only_nan_is_an_error(shape: tuple[int, int]) -> None:
    with pytest.raises(MatrixError, match=f"All {shape[0]} rows of w hold NaN"):
        decompose(ArrayBlocks(np.full(shape, np.nan)), "w")


def test_signs_are_fixed() -> None:
    matrix = planted(200, 12, np.arange(12, 0, -1.0))
    for right in (decompose(ArrayBlocks(matrix)).stored.right, decompose(ArrayBlocks(-matrix)).stored.right):
        assert np.all(right[np.argmax(np.abs(right), axis=0), np.arange(12)] > 0)


def test_blocks_of_any_iterable() -> None:
    matrix = SPECTRA["flat"]
    parts = [matrix[:10], matrix[10:4000], matrix[4000:]]
    assert np.allclose(decompose(IterableBlocks(parts)).stored.singular_values, lapack(matrix), rtol=1e-12)


def test_memory_does_not_grow_with_the_rows() -> None:
    """Peak of what numpy allocates (it reports to tracemalloc) for 20,000 rows and for 200,000."""
    import tracemalloc

    class Rows:
        n_columns = 64

        def __init__(self, n_rows: int) -> None:
            self.n_rows = n_rows

        def __iter__(self):
            rng = np.random.default_rng(0)
            for _ in range(self.n_rows // 1000):
                yield rng.normal(size=(1000, 64)).astype(np.float32)

    peaks = []
    for n_rows in (20_000, 200_000):
        tracemalloc.start()
        decompose(Rows(n_rows))
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[1] < 1.1 * peaks[0]
