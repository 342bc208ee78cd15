"""Real embeddings from packages that people install (tests/packages.py), through the whole product: found, named, read."""

from __future__ import annotations

from pathlib import Path

import numpy as np

import tb_embfactor as ef
from tb_embfactor.logdir import Matrix


def nearest(matrix: Matrix, row: int) -> list[int]:
    """The rows by cosine to one row, the nearest other one first."""
    rows = np.concatenate(list(matrix.blocks())).astype(np.float64)
    unit = rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-12)
    return [int(other) for other in np.argsort(-unit @ unit[row]) if other != row]


class TestKerasAndText:
    def test_deepcut_a_thai_tokenizer_of_keras_2(self, packages_dir: Path) -> None:
        log = ef.open_logdir(packages_dir / "deepcut-0.7.0.0")
        assert log.problems == ()
        (checkpoint,) = log.runs[0].checkpoints
        tables = [matrix for matrix in checkpoint.matrices if matrix.role == "embedding"]
        shapes = {matrix.name: matrix.shape for matrix in tables}
        assert shapes == {"embedding_1/embeddings": (178, 32), "embedding_2/embeddings": (12, 12)}
        assert checkpoint["dense_13"].shape == (1029, 100)
        assert len(checkpoint["dense_13"].bias()) == 100
        f = ef.factorize(checkpoint["embedding_1"])
        stored = np.concatenate(list(checkpoint["embedding_1"].blocks()))
        assert np.allclose(f.singular_values, np.linalg.svd(stored.astype(np.float64), compute_uv=False), rtol=1e-6)
