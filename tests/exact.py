"""Matrices whose singular values are known exactly: rotations by Hadamard matrices, whose entries are powers of two.

With singular values that are powers of two, every entry is a sum of few powers of two and so an exact float64. The truth
is then known far below what float64 LAPACK could tell of the same matrix.
"""

from __future__ import annotations

import numpy as np
import scipy.linalg


def hadamard(n: int) -> np.ndarray:
    """An orthogonal matrix, (n, n), with entries ±1/√n, n a power of four; the first column is constant."""
    return scipy.linalg.hadamard(n) / np.sqrt(n)


def exact_matrix(n_rows: int, exponents: np.ndarray, mean_exponent: int | None = None) -> np.ndarray:
    """A matrix (n_rows, d) of zero mean with the singular values 2^exponents; d and n_rows are powers of four.

    mean_exponent : one more direction, constant over the rows, takes the place of the first one: its singular value is
    2^mean_exponent for the matrix as stored, and 0 for its centred rows.
    """
    values = np.exp2(exponents.astype(float))
    if mean_exponent is not None:
        values[0] = 2.0**mean_exponent
    first = 0 if mean_exponent is not None else 1
    assert np.ptp(np.log2(values)) + np.log2(len(values)) <= 52, "more digits than a float64 has"
    left = hadamard(n_rows)[:, first : first + len(values)]
    return left * values @ hadamard(len(values)).T
