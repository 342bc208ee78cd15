"""How far a matrix has come along a run: against the definition of CKA on the kernels of the rows, and scipy's Procrustes."""

from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np
import pytest
import scipy.spatial
from planted import centered, orthonormal
from safetensors.numpy import save_file

import tb_embfactor as ef
from tb_embfactor.analysis.drift import DRIFT, earlier, measure_drift, name_drift
from tb_embfactor.analysis.numbers import METRICS
from tb_embfactor.linalg import relation
from tb_embfactor.linalg.blocks import IterableBlocks
from tb_embfactor.linalg.relation import relate
from tb_embfactor.linalg.spectrum import decompose
from tb_embfactor.logdir import Matrix

RNG = np.random.default_rng(0)
SAME = {"cka": 1.0, "procrustes": 0.0}
UNKNOWN = dict.fromkeys(SAME)


def expected(one: np.ndarray, other: np.ndarray) -> dict[str, float]:
    """Kornblith et al. 2019, equation 1 and section 3 on the kernels of the rows (HSIC); scipy's disparity."""
    usable = np.isfinite(one).all(axis=1) & np.isfinite(other).all(axis=1)
    one, other = one[usable].astype(np.float64), other[usable].astype(np.float64)
    h = np.eye(len(one)) - 1 / len(one)
    k, m = h @ one @ one.T @ h, h @ other @ other.T @ h
    cka = np.sum(k * m) / np.sqrt(np.sum(k * k) * np.sum(m * m))
    return {"cka": cka, "procrustes": scipy.spatial.procrustes(other, one)[2]}


def stored(directory: Path, *matrices: np.ndarray) -> list[Matrix]:
    """The matrices as those of a run's checkpoints, in files that the safetensors library wrote."""
    for step, matrix in enumerate(matrices):
        save_file({"words.embedding.weight": np.ascontiguousarray(matrix)}, directory / f"step_{step}.safetensors")
    found = [checkpoint["words.embedding.weight"] for checkpoint in ef.open_logdir(directory).runs[0].checkpoints]
    assert [matrix.shape for matrix in found] == [matrix.shape for matrix in matrices], "none is taken for a transposed kernel"
    return found


def measured(now: Matrix, then: Matrix, transform: str = "") -> dict[str, float | None]:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        return measure_drift(now, then, lambda each: ef.factorize(each, transform=transform))


def moved(shape: tuple[int, int], by: float = 0.5) -> tuple[np.ndarray, np.ndarray]:
    first = RNG.normal(size=shape) * np.geomspace(4, 0.1, shape[1]) + 3
    return first.astype(np.float32), (first @ orthonormal(RNG, shape[1], shape[1]) + by * RNG.normal(size=shape)).astype(
        np.float32
    )


@pytest.mark.parametrize("shape", [(700, 12), (30, 30), (20, 90), (2, 5), (900, 3)])
def test_both_are_those_of_the_definitions(tmp_path: Path, shape: tuple[int, int]) -> None:
    first, second = moved(shape)
    now, then = stored(tmp_path, second, first)
    assert measured(now, then) == pytest.approx(expected(second, first), rel=1e-9)
    assert measured(then, now) == pytest.approx(measured(now, then), rel=1e-9)


@pytest.mark.parametrize("shape", [(300, 9), (25, 60)])
def test_rows_are_those_that_are_usable_in_both(tmp_path: Path, shape: tuple[int, int]) -> None:
    first, second = moved(shape)
    whole, _ = moved(shape)
    first[3, 1], first[7, 0], second[7, 2], second[11, 1] = np.nan, np.inf, np.nan, -np.inf
    a, b, c = stored(tmp_path, first, second, whole)
    assert measured(b, a) == pytest.approx(expected(second, first), rel=1e-9)
    assert measured(c, a) == pytest.approx(expected(whole, first), rel=1e-9)
    assert measured(a, c) == pytest.approx(expected(first, whole), rel=1e-9)


def test_a_run_may_change_its_type(tmp_path: Path) -> None:
    first, second = moved((400, 6))
    now, then = stored(tmp_path, second.astype(np.float16), first)
    assert measured(now, then) == pytest.approx(expected(second.astype(np.float16), first), rel=1e-9)


def test_a_common_mean_costs_no_digits(tmp_path: Path) -> None:
    first, second = (matrix.astype(np.float64) + 1e6 for matrix in moved((400, 6)))
    now, then = stored(tmp_path, second, first)
    assert measured(now, then) == pytest.approx(expected(centered(second), centered(first)), rel=1e-8)


def test_rows_may_be_transformed_first(tmp_path: Path) -> None:
    first, second = moved((60, 8))
    now, then = stored(tmp_path, second, first)
    assert measured(now, then, "relu") == pytest.approx(expected(np.maximum(second, 0), np.maximum(first, 0)), rel=1e-9)
    assert measured(now, then, "transpose") == pytest.approx(expected(second.T, first.T), rel=1e-9)


def test_turning_and_scaling_is_no_drift(tmp_path: Path) -> None:
    for name, shape in (("high", (500, 10)), ("wide", (30, 80))):
        (tmp_path / name).mkdir()
        matrix = RNG.normal(size=shape)
        now, then = stored(tmp_path / name, 3 * matrix @ orthonormal(RNG, shape[1], shape[1]) + 7, matrix)
        assert measured(now, then) == {"cka": pytest.approx(1, abs=1e-12), "procrustes": 0}


def test_a_frozen_matrix_is_not_multiplied(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(relation, "relate", lambda *_: pytest.fail("the same numbers were multiplied"))
    frozen = RNG.normal(size=(300, 5)).astype(np.float32)
    frozen[7, 2] = np.nan
    now, then = stored(tmp_path, frozen, frozen)
    assert measured(now, then) == SAME
    almost = frozen.copy()
    almost[-1, -1] += 1
    monkeypatch.undo()
    (tmp_path / "almost").mkdir()
    now, then = stored(tmp_path / "almost", almost, frozen)
    assert measured(now, then) == pytest.approx(expected(almost, frozen), rel=1e-6)
    assert measured(now, then)["procrustes"] > 0


def test_no_number_where_there_is_nothing_to_compare(tmp_path: Path) -> None:
    matrix = RNG.normal(size=(40, 4)).astype(np.float32)
    few = np.full_like(matrix, np.nan)
    few[[1, 2]] = matrix[[1, 2]]
    others = matrix.copy()
    others[1:3] = np.nan
    constant, zero = np.full_like(matrix, 0.1), np.zeros_like(matrix)
    flat_too = constant.copy()
    flat_too[5] = np.nan
    now, *rest = stored(tmp_path, matrix, matrix[:39], matrix[:, :3], constant, zero, flat_too, few, others)
    shorter, narrower, even, empty, even_too, two, all_but_two = rest
    for then in (shorter, narrower, even, empty, even_too):
        assert measured(now, then) == measured(then, now) == UNKNOWN
    assert measured(even, even) == measured(empty, even) == UNKNOWN
    assert measured(two, all_but_two) == UNKNOWN, "no row is usable in both"
    assert measured(now, two) == pytest.approx(expected(matrix, few), abs=1e-12), "two rows are a line"


def test_only_what_lies_between_two_takes_a_pass(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(relation, "cross_moments", lambda *_: pytest.fail("all moments were summed"))
    first, second = moved((500, 7))
    cuts = [IterableBlocks(np.array_split(matrix, n)) for matrix, n in ((first, 3), (second, 11))]
    found = relate(cuts[0], decompose(cuts[0]), cuts[1], decompose(cuts[1]))
    assert np.allclose(
        found.cross, centered(first.astype(np.float64)).T @ centered(second.astype(np.float64)), rtol=1e-9, atol=1e-9
    )
    for gram, matrix in ((found.gram_a, first), (found.gram_b, second)):
        assert np.trace(gram) == pytest.approx(np.sum(centered(matrix.astype(np.float64)) ** 2), rel=1e-12)


def test_a_wide_matrix_is_not_read_again() -> None:
    class Once(IterableBlocks):
        def __iter__(self):  # type: ignore[no-untyped-def]
            assert not is_known, "it was read"
            return super().__iter__()

    is_known = False
    first, second = (Once([matrix.astype(np.float64)]) for matrix in moved((12, 50)))
    of_first, of_second = decompose(first), decompose(second)
    is_known = True
    assert relate(first, of_first, second, of_second).cross.shape == (12, 12)


def along(run: ef.Run, name: str) -> list[dict[str, float | None]]:
    """The named numbers at every checkpoint of a run."""
    matrices = [checkpoint[name] for checkpoint in run.checkpoints]
    return [
        dict.fromkeys(DRIFT)
        | {
            key: number
            for since, then in earlier(index)
            for key, number in name_drift(measured(matrix, matrices[then]), since).items()
        }
        for index, matrix in enumerate(matrices)
    ]


def values_of(matrix: Matrix) -> np.ndarray:
    return np.concatenate(list(matrix.blocks()))


def test_a_demo_run_leaves_its_start_and_comes_to_rest(demo_logs: Path) -> None:
    """Written by tf.train.CheckpointManager while a classifier trained."""
    run = ef.open_logdir(demo_logs).run("sentiment_plain/train")
    numbers = along(run, "word_embedding")
    matrices = [values_of(checkpoint["word_embedding"]) for checkpoint in run.checkpoints]
    assert numbers[0] == dict.fromkeys(DRIFT)
    for index, found in enumerate(numbers[1:], 1):
        for since, then in earlier(index):
            assert found | name_drift(expected(matrices[index], matrices[then]), since) == pytest.approx(found, rel=1e-9)
    assert [found["cka_first"] for found in numbers[1:]] == sorted((found["cka_first"] for found in numbers[1:]), reverse=True)
    assert numbers[-1]["cka_first"] < 0.1 and numbers[-1]["cka_previous"] > 0.98
    assert numbers[-1]["procrustes_previous"] < 0.05 < numbers[3]["procrustes_previous"]


@pytest.mark.parametrize(
    ("directory", "name"),
    [
        ("recipes/a-loop-in-pytorch/logs", "word_embedding.weight"),
        ("estimator/files", "items/w"),
        ("hf_trainer/files", "word_embeddings.weight"),
    ],
)
def test_files_that_frameworks_wrote(fixtures_dir: Path, directory: str, name: str) -> None:
    (run,) = (run for run in ef.open_logdir(fixtures_dir / directory) if run.checkpoints)
    first, *later = (checkpoint[name] for checkpoint in run)
    assert later
    for matrix in later:
        assert not np.array_equal(values_of(matrix), values_of(first))
        assert measured(matrix, first) == pytest.approx(expected(values_of(matrix), values_of(first)), rel=1e-6, abs=1e-12)


def test_every_number_is_described() -> None:
    assert {key for key in DRIFT if METRICS[key].subject == "run"} == set(DRIFT)
