"""From a file that the real framework wrote to its singular values, by way of the whole product: scan, read, factor."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import ml_dtypes
import numpy as np
import pytest
from planted import lapack

import tb_embfactor as ef
from tb_embfactor.errors import MatrixError

CASES = ("keras_functional", "keras_plain", "keras_subclassed", "tf_functional", "tf_module", "tf_saver", "tf_sequential")


def stored(directory: Path, index: int, entry: dict) -> np.ndarray:
    """A matrix as the framework held it, float64. Types that numpy lacks lie in expected.npz as unsigned integers."""
    values = np.load(directory / "expected.npz")[f"{index}:{entry['name']}"]
    if values.dtype.kind == "u" and not entry["dtype"].startswith("uint"):
        values = values.view(getattr(ml_dtypes, entry["dtype"]))
    return values.astype(np.float64)


def every_matrix(fixtures_dir: Path, case: str) -> Iterator[tuple[ef.Factorization | MatrixError, np.ndarray]]:
    directory = fixtures_dir / case
    for index, expected in enumerate(json.loads((directory / "expected.json").read_text())["checkpoints"]):
        checkpoint = ef.open_checkpoint(directory / expected["folder"] / (expected["name"] or ".index"))
        for entry in expected["matrices"]:
            try:
                yield ef.factorize(checkpoint[entry["name"]]), stored(directory, index, entry)
            except MatrixError as error:
                yield error, stored(directory, index, entry)


@pytest.mark.parametrize("case", CASES)
def test_singular_values_agree_with_lapack_on_what_tensorflow_and_keras_wrote(fixtures_dir: Path, case: str) -> None:
    n_compared = 0
    for f, values in every_matrix(fixtures_dir, case):
        finite = values[np.isfinite(values).all(axis=1)] if values.size else values
        if finite.size == 0:
            assert isinstance(f, MatrixError)
            continue
        assert isinstance(f, ef.Factorization)
        truth = lapack(finite)
        assert f.rows_skipped == len(values) - len(finite)
        assert np.all(np.abs(f.singular_values[: len(truth)] - truth) <= 1e-6 * truth[0])
        shown = truth > 1e-6 * truth[0]
        assert np.allclose(f.singular_values[: len(truth)][shown], truth[shown], rtol=1e-6, atol=0)
        n_compared += 1
    assert n_compared > 0


def test_planted_values_come_back_down_to_a_millionth_of_the_largest(fixtures_dir: Path) -> None:
    known = json.loads((fixtures_dir / "planted" / "expected.json").read_text())["checkpoints"][0]["singular_values"]
    n_compared = 0
    for f, values in every_matrix(fixtures_dir, "planted"):
        assert isinstance(f, ef.Factorization)
        assert np.allclose(f.singular_values, lapack(values), rtol=1e-6, atol=0)
        assert np.all(np.abs(f.singular_values / lapack(values) - 1) <= f.error_bound + 1e-9)
        if np.any(values != values.astype(np.float32)):  # float32 storage itself moves the smallest ones
            assert np.allclose(f.singular_values, known, rtol=1e-6, atol=0)
            n_compared += 1
    assert n_compared == 2, "float64 from TensorFlow and from Keras"
