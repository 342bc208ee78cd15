"""Singular values against float64 LAPACK of the stored matrix, on every shape that is met."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator

import ml_dtypes
import numpy as np
import pytest
from exact import exact_matrix
from planted import centered, lapack, planted

from tb_embfactor.errors import MatrixError
from tb_embfactor.linalg import blocks as blocks_module
from tb_embfactor.linalg import products
from tb_embfactor.linalg.blocks import ArrayBlocks, IterableBlocks
from tb_embfactor.linalg.crew import BLAS
from tb_embfactor.linalg.spectrum import MANY, Spectrum, Svd, decompose

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
    matrix = SPECTRA["geometric to 1e-6"]
    assert decompose(ArrayBlocks(SPECTRA["flat"])).passes == 1
    assert decompose(ArrayBlocks(matrix[:1500])).passes == 2
    assert len(matrix) >= MANY * matrix.shape[1]
    assert decompose(ArrayBlocks(matrix)).passes == 1, "the first of so many rows show what is coming"


STEEP = planted(300, 64, np.geomspace(1, 1e-6, 64))
ASTRAY = {
    "the first rows are steep, the others are not": [STEEP, RNG.normal(size=(3000, 64))],
    "the first rows are in another space than the others": [
        np.pad(RNG.normal(size=(300, 32)), ((0, 0), (0, 32))),
        np.pad(planted(3000, 32, np.geomspace(1e3, 1e-2, 32)), ((0, 0), (32, 0))),
    ],
    "the first rows are the same": [np.ones((300, 64)), 1e-3 * planted(3000, 64, np.geomspace(1, 1e-4, 64))],
    "the first rows are zero": [np.zeros((300, 64)), planted(3000, 64, np.geomspace(1, 1e-5, 64))],
    "the first rows are tiny": [1e-150 * STEEP, planted(3000, 64, np.geomspace(1, 1e-5, 64))],
    "the first rows are huge": [1e20 * RNG.normal(size=(300, 64)), STEEP, planted(3000, 64, np.geomspace(1, 1e-5, 64))],
    "the first rows are not steep": [
        RNG.normal(size=(300, 64)) * 1e-3,
        1e9 * RNG.normal(size=(3000, 1)) @ RNG.normal(size=(1, 64)),
    ],
    "the mean moves away": [STEEP, planted(3000, 64, np.geomspace(1, 1e-5, 64)) + 1e3 * RNG.normal(size=64)],
}


@pytest.mark.parametrize("name", ASTRAY)
def test_first_rows_that_lead_astray_cost_time_only(name: str) -> None:
    matrix = np.concatenate(ASTRAY[name])
    result = decompose(ArrayBlocks(matrix))
    check_against_lapack(result.stored, matrix)
    check_against_lapack(result.centered, centered(matrix))


def test_one_pass_alone_would_lose_the_tail() -> None:
    """The reason for the second pass: the eigenvalues of the Gram matrix do not hold a collapsed tail to 1e-6."""
    matrix = SPECTRA["strong, and the rest collapsed"]
    naive = np.sqrt(np.abs(np.linalg.eigvalsh(matrix.T @ matrix)))[::-1]
    exact = decompose(ArrayBlocks(matrix)).stored.singular_values
    truth = lapack(matrix)
    assert np.abs(naive - truth).max() > 100 * np.abs(exact - truth).max()


EXPONENTS = {
    "geometric": -np.round(np.linspace(0, 32, 64)),
    "a cliff": np.r_[np.zeros(8), np.full(56, -20)],
    "a deep cliff": np.r_[np.zeros(32), np.full(32, -30)],
    "steps": np.r_[np.zeros(8), np.full(24, -12), np.full(24, -22), np.full(8, -32)],
    "flat": np.zeros(64),
    "one is small": np.r_[np.zeros(63), -26],
    "near overflow": np.r_[np.full(63, 480), 460],
    "near underflow": np.r_[np.full(63, -500), -520],
}


@pytest.mark.parametrize("n_rows", [64, 256, 4096])
@pytest.mark.parametrize("mean", [None, 14, -10])
@pytest.mark.parametrize("name", EXPONENTS)
def test_the_bound_holds_against_values_that_are_known_exactly(name: str, mean: int | None, n_rows: int) -> None:
    """To the last digit, far below what float64 LAPACK could tell, with and without a mean far from or near to zero."""
    exponents = EXPONENTS[name]
    if (n_rows == 64 and mean is None) or (name == "near overflow" and mean == 14):
        return  # there is no room for the constant direction, or for squares
    mean_exponent = None if mean is None else int(exponents[0]) + mean
    result = decompose(ArrayBlocks(exact_matrix(n_rows, exponents, mean_exponent)))
    values = np.exp2(exponents)
    if mean_exponent is None:
        check_exactly(result.stored, values)
        check_exactly(result.centered, values)
    else:
        check_exactly(result.stored, np.r_[2.0**mean_exponent, values[1:]])
        check_exactly(result.centered, np.r_[values[1:], 0.0])


def check_exactly(svd: Svd, truth: np.ndarray) -> None:
    truth = np.sort(truth)[::-1]
    known = svd.singular_values > 0
    error = np.abs(svd.singular_values - truth)
    assert np.all(error[known] <= (svd.error_bound[known] + 4e-16) * truth[known])
    assert np.all(truth[~known] <= svd.null_bound)
    promised = truth >= 1e-6 * truth[0]
    assert np.all(known[promised]) and np.all(error[promised] <= 1e-9 * truth[promised])
    assert np.all(svd.error_bound[promised] <= 1e-6)


def check_same(one: Spectrum, other: Spectrum) -> None:
    """Two answers for one matrix: within their bounds, and the directions that are apart from others the same, signs included."""
    for here, there in ((one.stored, other.stored), (one.centered, other.centered)):
        known = (here.singular_values > 0) & (there.singular_values > 0)
        rounding = 1e-13 * here.singular_values[0]
        difference = np.abs(here.singular_values - there.singular_values)
        bound = np.where(known, here.error_bound + there.error_bound, 0) * here.singular_values
        assert np.all(difference[known] <= bound[known] + rounding)
        assert np.all(difference[~known] <= here.null_bound + there.null_bound)
        steep = known & (np.abs(np.gradient(np.log(np.maximum(here.singular_values, 1e-300)))) > 0.05)
        assert np.allclose(here.right[:, steep], there.right[:, steep], atol=1e-6)


SAME = ["flat float32", "geometric to 1e-6", "wide", "duplicate rows", "mean 1e4 times the spread", "wide, geometric to 1e-6"]


@pytest.mark.parametrize("name", SAME)
def test_the_block_size_does_not_change_the_answer(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    matrix = SPECTRA[name]
    whole = decompose(ArrayBlocks(matrix))
    monkeypatch.setattr(blocks_module, "BLOCK_BYTES", 8 * matrix.shape[1] * 7)
    monkeypatch.setattr(blocks_module, "CHUNK_ROWS", 5)
    monkeypatch.setattr(blocks_module, "CHUNK_NUMBERS", 1)
    monkeypatch.setattr(blocks_module.Strips, "STRIP_BYTES", 1)
    check_same(whole, decompose(ArrayBlocks(matrix)))


@pytest.mark.parametrize("tile", [products.TILE, 7])
@pytest.mark.parametrize("name", SAME)
def test_threads_do_not_change_the_answer(name: str, tile: int, monkeypatch: pytest.MonkeyPatch) -> None:
    answers = []
    monkeypatch.setattr(products, "TILE", tile)
    for n_threads in (1, 3, 3):
        monkeypatch.setattr(BLAS, "n_threads", n_threads)
        answers.append(decompose(ArrayBlocks(SPECTRA[name])))
    check_same(answers[0], answers[1])
    for part in ("stored", "centered"):
        again, before = getattr(answers[2], part), getattr(answers[1], part)
        assert np.array_equal(again.singular_values, before.singular_values), "to the bit, with as many threads"
        assert np.array_equal(again.right, before.right)


@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float8_e4m3fn", "float8_e5m2", ">f4"])
@pytest.mark.parametrize("shape", [(500, 12), (12, 500)])
def test_how_the_numbers_are_stored_does_not_change_the_answer(dtype: str, shape: tuple[int, int]) -> None:
    stored = np.random.default_rng(4).normal(size=shape).astype(ml_dtypes.finfo(dtype).dtype if dtype[0] != ">" else dtype)
    stored[3, 3] = np.nan

    class Stored:
        n_rows, n_columns = shape

        def __iter__(self) -> Iterator[np.ndarray]:
            yield from (stored[:7], stored[7:])

    check_same(decompose(Stored()), decompose(ArrayBlocks(stored.astype(np.float64))))


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


def test_repeated_rows_far_from_zero_have_no_spread_beside_their_own() -> None:
    rng = np.random.default_rng(0)
    matrix = np.repeat(rng.normal(size=(8, 16)), 10, axis=0) + 1e10 * rng.normal(size=16)
    result = decompose(ArrayBlocks(matrix))
    assert result.passes == 2
    assert result.centered.rank == 7
    assert np.allclose(result.centered.singular_values[:7], lapack(centered(matrix))[:7], rtol=1e-9)


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


MEASURE = """
import resource, sys
import numpy as np
from tb_embfactor.linalg.crew import BLAS
from tb_embfactor.linalg.spectrum import decompose

class Rows:
    def __init__(self, n_rows, n_columns):
        self.n_rows, self.n_columns = n_rows, n_columns
        self.scale = np.r_[np.ones(n_columns // 2), np.full(n_columns - n_columns // 2, 1e-5)].astype(np.float32)
    def __iter__(self):
        rng = np.random.default_rng(0)
        for start in range(0, self.n_rows, 1024):
            yield rng.standard_normal((min(1024, self.n_rows - start), self.n_columns), np.float32) * self.scale

BLAS.n_threads = 2
decompose(Rows(2000, 64))
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
passes = decompose(Rows(*map(int, sys.argv[1:]))).passes
print(passes, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
"""


def extra_megabytes(n_rows: int, n_columns: int, passes: int) -> float:
    """Peak resident memory of a factorization of a steep matrix, in a process of its own, beyond that of the imports."""
    command = [sys.executable, "-c", MEASURE, str(n_rows), str(n_columns)]
    made, kilobytes = map(int, subprocess.run(command, check=True, capture_output=True, text=True).stdout.split())
    assert made == passes
    return kilobytes / 1e3


def test_memory_stays_the_same_however_many_rows() -> None:
    few, many = extra_megabytes(9_000, 256, 1), extra_megabytes(100_000, 256, 1)
    assert many < few + 10, "a table of 100 MB, and its float64 copy of 200 MB"


def test_memory_at_768_columns() -> None:
    assert extra_megabytes(12_000, 768, 2) < 64
    assert extra_megabytes(25_000, 768, 1) < 64
