"""Matrices with known singular values, and their float64 LAPACK oracle."""

from __future__ import annotations

import numpy as np


def orthonormal(rng: np.random.Generator, n: int, k: int) -> np.ndarray:
    return np.linalg.qr(rng.normal(size=(n, k)))[0]


def planted(n_rows: int, n_columns: int, singular_values: np.ndarray, seed: int = 0) -> np.ndarray:
    """A matrix (n_rows, n_columns) float64 with these singular values."""
    rng = np.random.default_rng(seed)
    k = len(singular_values)
    return orthonormal(rng, n_rows, k) * singular_values @ orthonormal(rng, n_columns, k).T


def centered(matrix: np.ndarray) -> np.ndarray:
    """Minus the mean row, twice: the first mean is rounded at its own scale."""
    once = matrix - matrix.mean(axis=0)
    return once - once.mean(axis=0)


def lapack(matrix: np.ndarray) -> np.ndarray:
    return np.linalg.svd(np.asarray(matrix, np.float64), compute_uv=False)
