"""The spectra that the worker knows: what is not read again."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import tiny_format

from tb_embfactor import arrays, formats
from tb_embfactor.linalg.spectrum import decompose
from tb_embfactor.worker import Settings, spectra
from tb_embfactor.worker.tasks import Tasks


@pytest.fixture
def factored(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Grows with each matrix that is factored."""
    names: list[str] = []

    def counted(blocks, name, progress):  # type: ignore[no-untyped-def]
        names.append(name)
        return decompose(blocks, name, progress)

    monkeypatch.setattr(spectra, "decompose", counted)
    return names


def write(logs: Path, matrices: list[np.ndarray]) -> list[str]:
    logs.mkdir(exist_ok=True)
    for step, matrix in enumerate(matrices):
        tiny_format.write(logs / f"s{step}.tiny", matrix, step)
    return [f"s{step}.tiny" for step in range(len(matrices))]


def open_tasks(logs: Path, cache_directory: Path | None = None) -> Tasks:
    settings = Settings(logdir=str(logs), cache_directory=cache_directory and str(cache_directory), formats=formats.table())  # type: ignore[arg-type]
    return Tasks(settings, {}, lambda **report: None)


def values(tasks: Tasks, checkpoint: str, transform: str = "") -> np.ndarray:
    _, body = tasks.do_spectrum(".", checkpoint, "table", transform, "")
    return arrays.decode(body)[0]["singular_values"]


def test_a_frozen_matrix_is_factored_once(
    tmp_path: Path, tiny: None, factored: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(spectra, "LEAST_COMPARED", 1)
    rng = np.random.default_rng(0)
    frozen, other = rng.normal(size=(300, 4)), rng.normal(size=(300, 4))
    frozen[7, 2] = np.nan
    almost = frozen.copy()
    almost[-1, -1] += 1e-3  # the last number of the last block
    checkpoints = write(tmp_path / "logs", [frozen, frozen, other, frozen, almost, frozen[:, ::-1], frozen[:200]])
    tasks = open_tasks(tmp_path / "logs")
    found = [values(tasks, checkpoint) for checkpoint in checkpoints]
    assert len(factored) == 5, "of seven, three hold the same numbers"
    assert np.array_equal(found[0], found[1]) and np.array_equal(found[0], found[3])
    for index, matrix in ((0, frozen), (2, other), (4, almost), (6, frozen[:200])):
        usable = matrix[np.isfinite(matrix).all(axis=1)].astype(np.float32).astype(np.float64)
        assert np.allclose(found[index], np.linalg.svd(usable, compute_uv=False), rtol=1e-12)
    for checkpoint in checkpoints[:2]:
        values(tasks, checkpoint, "unit_rows")
    assert len(factored) == 6, "a transform is another matrix, and frozen, too"


def test_what_it_was_compared_with_may_be_gone(
    tmp_path: Path, tiny: None, factored: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(spectra, "LEAST_COMPARED", 1)
    frozen = np.random.default_rng(0).normal(size=(300, 4))
    first, second = write(tmp_path / "logs", [frozen, frozen])
    tasks = open_tasks(tmp_path / "logs")
    values(tasks, first)
    tiny_format.write(tmp_path / "logs" / first, frozen + 1, 0)
    tasks.do_scan({})
    assert np.allclose(values(tasks, second), np.linalg.svd(frozen.astype(np.float32).astype(np.float64), compute_uv=False))
    assert len(factored) == 2
    (tmp_path / "logs" / first).unlink()
    assert len(values(tasks, second)) == 4


def test_small_matrices_are_not_compared_first(
    tmp_path: Path, tiny: None, factored: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(spectra, "is_unmoved", lambda *_: pytest.fail("another file was opened to save a millisecond"))
    frozen = np.random.default_rng(0).normal(size=(300, 4))
    tasks = open_tasks(tmp_path / "logs")
    for checkpoint in write(tmp_path / "logs", [frozen, frozen]):
        values(tasks, checkpoint)
    assert len(factored) == 2


def test_spectra_come_back_from_the_second_tier(tmp_path: Path, tiny: None, factored: list[str]) -> None:
    (checkpoint,) = write(tmp_path / "logs", [np.random.default_rng(0).normal(size=(300, 4))])
    before = values(open_tasks(tmp_path / "logs", tmp_path / "cache"), checkpoint)
    assert np.array_equal(values(open_tasks(tmp_path / "logs", tmp_path / "cache"), checkpoint), before)
    assert len(factored) == 1


def test_what_is_known_of_two_steps_is_enough_to_compare_them(tmp_path: Path, tiny: None, factored: list[str]) -> None:
    first, second = write(tmp_path / "logs", [np.random.default_rng(seed).normal(size=(300, 4)) for seed in (0, 1)])
    tasks = open_tasks(tmp_path / "logs", tmp_path / "cache")
    for checkpoint in (first, second):
        values(tasks, checkpoint)
    known = arrays.decode_info(tasks.do_drift(".", second, "table", "", "", first)[1])
    again = open_tasks(tmp_path / "logs", tmp_path / "cache").do_drift(".", second, "table", "", "", first)[1]
    assert arrays.decode_info(again) == known and 0 < known["metrics"]["cka"] < 0.1
    assert len(factored) == 2
