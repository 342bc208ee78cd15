"""Labels that lie in a checkpoint itself, alone and beside a label file."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

import tb_embfactor as ef


def test_keys_are_labels(fixtures_dir: Path) -> None:
    matrix = ef.open_checkpoint(fixtures_dir / "hash_tables" / "files" / "tables-12")["by_word"]
    assert matrix.labels is not None
    assert matrix.labels.to_json() == {"source": matrix.checkpoint.path, "n_rows": 3, "columns": ["key"], "offset": 0}
    (column,) = matrix.labels.read(3).columns
    assert sorted(column.values) == ["", "apple", "böse"]


@pytest.mark.parametrize("name", ["keras_3", "keras_2", "older"])
def test_squared_gradients_tell_which_rows_were_updated(fixtures_dir: Path, name: str) -> None:
    checkpoint = ef.open_checkpoint(fixtures_dir / "adagrad" / "files" / name)
    updates = checkpoint["tok"].squared_gradients()
    assert updates is not None
    assert updates.shape == (20,)
    assert np.all(updates[10:] == updates.min()), "the inputs were 0 to 9"
    assert np.all(updates[np.random.default_rng(20240501).integers(0, 10, (4, 5))] > updates.min())


def test_a_matrix_without_an_accumulator(fixtures_dir: Path) -> None:
    matrix = ef.open_checkpoint(fixtures_dir / "tf_module" / "files" / "ckpt-1")["float32"]
    assert matrix.squared_gradients() is None
    assert matrix.labels is None


def test_a_label_file_comes_first_and_its_names_stay(fixtures_dir: Path, tmp_path: Path) -> None:
    for path in (fixtures_dir / "adagrad" / "files").glob("keras_3*"):
        shutil.copy(path, tmp_path)
    lines = [f"word {k}\t{k}" for k in range(20)]
    (tmp_path / "metadata.tsv").write_text("\n".join(["word\tsquared gradients", *lines]) + "\n")
    labels = ef.open_checkpoint(tmp_path / "keras_3")["tok"].labels
    assert labels is not None
    assert labels.to_json() == {
        "source": str(tmp_path / "metadata.tsv"),
        "n_rows": 20,
        "columns": ["word", "squared gradients", "squared gradients (checkpoint)"],
        "offset": 0,
    }
    columns = labels.read(20).columns
    assert [(column.name, column.kind) for column in columns] == [
        ("word", "text"), ("squared gradients", "number"), ("squared gradients (checkpoint)", "number"),
    ]  # fmt: skip
    assert columns[0].values[3] == "word 3"
    assert len(columns[2].values) == 20
