"""Sums of products of rows, added in place, while other Python threads run.

numpy's `@` cannot add to its result, and scipy's `dsyrk` holds Python's lock while it computes. SciPy offers the addresses of
the same BLAS routines in `scipy.linalg.cython_blas`; called through ctypes they do both, without a second d×d matrix.

`each` is the `map` that shares the parts of one product between threads; it has parts only where a side is longer than `TILE`.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
from scipy.linalg import cython_blas

TILE = 1024
Map = Callable[[Callable[[Any], None], Iterable[Any]], Iterable[None]]


def is_shared(*sizes: int) -> bool:
    """Whether threads share the parts of a product with these sides, for one of their own would take each too much memory."""
    return max(sizes) > TILE


def add_gram(total: np.ndarray, rows: np.ndarray, each: Map = map) -> None:
    """total += rowsᵀ·rows, in the upper triangle. total : (d, d) float64, columns first. rows : (n, d) float64."""
    parts = _tiles(total.shape[0])

    def add(corner: tuple[slice, slice]) -> None:
        above, beside = corner
        if above is beside:
            _syrk(total[above, above], rows[:, above])
        else:
            _gemm(total[above, beside], rows[:, above], rows[:, beside])

    list(each(add, [(above, beside) for index, beside in enumerate(parts) for above in parts[: index + 1]]))


def add_product(total: np.ndarray, left: np.ndarray, right: np.ndarray, each: Map = map) -> None:
    """total += leftᵀ·right. total : (d, e) float64, columns first. left : (n, d), right : (n, e) float64."""

    def add(corner: tuple[slice, slice]) -> None:
        above, beside = corner
        _gemm(total[above, beside], left[:, above], right[:, beside])

    list(each(add, [(above, beside) for beside in _tiles(total.shape[1]) for above in _tiles(total.shape[0])]))


def multiply_upper(rows: np.ndarray, upper: np.ndarray, each: Map = map) -> None:
    """rows = rows·upper, in place. rows : (n, d) float64, rows first. upper : (d, d) float64, triangular, columns first."""

    def multiply(part: slice) -> None:
        some, d = rows[part], rows.shape[1]
        sizes = (_int(d), _int(len(some)))
        _dtrmm(b"L", b"U", b"T", b"N", *sizes, _ONE, _at(upper), _int(d), _at(some), _int(d))

    n_parts = len(_tiles(rows.shape[1])) if len(rows) else 0  # as many as a product has elsewhere, of rows here
    list(each(multiply, _slices(len(rows), n_parts)))


def mirror_upper(gram: np.ndarray) -> None:
    """Fill the lower triangle of a symmetric matrix of which only the upper one was written."""
    for column in range(len(gram) - 1):  # one column at a time: index arrays would cost more than the matrix
        gram[column + 1 :, column] = gram[column, column + 1 :]


def subtract_outer(total: np.ndarray, left: np.ndarray, right: np.ndarray) -> None:
    """total -= left·rightᵀ, without another matrix of that size."""
    for column in range(total.shape[1]):
        total[:, column] -= left * right[column]


def _tiles(size: int) -> list[slice]:
    return _slices(size, -(-size // TILE))


def _slices(size: int, n: int) -> list[slice]:
    return [slice(index * size // n, (index + 1) * size // n) for index in range(n)]


def _routine(name: str, n_arguments: int) -> Any:
    capsule = cython_blas.__pyx_capi__[name]
    api = ctypes.pythonapi
    api.PyCapsule_GetName.restype, api.PyCapsule_GetName.argtypes = ctypes.c_char_p, [ctypes.py_object]
    api.PyCapsule_GetPointer.restype, api.PyCapsule_GetPointer.argtypes = ctypes.c_void_p, [ctypes.py_object, ctypes.c_char_p]
    address = api.PyCapsule_GetPointer(capsule, api.PyCapsule_GetName(capsule))
    return ctypes.CFUNCTYPE(None, *[ctypes.c_void_p] * n_arguments)(address)


_dsyrk = _routine("dsyrk", 10)
_dgemm = _routine("dgemm", 13)
_dtrmm = _routine("dtrmm", 11)
_ONE = ctypes.byref(ctypes.c_double(1.0))


def _syrk(total: np.ndarray, rows: np.ndarray) -> None:
    transposed, stride = _layout(rows)
    n, d = rows.shape
    order = b"T" if transposed else b"N"
    _dsyrk(b"U", order, _int(d), _int(n), _ONE, _at(rows), _int(stride), _ONE, _at(total), _int(_column_stride(total)))


def _gemm(total: np.ndarray, left: np.ndarray, right: np.ndarray) -> None:
    left_transposed, left_stride = _layout(left)
    right_transposed, right_stride = _layout(right)
    orders = (b"T" if left_transposed else b"N", b"N" if right_transposed else b"T")
    sizes = (_int(left.shape[1]), _int(right.shape[1]), _int(len(left)))
    operands = (_ONE, _at(left), _int(left_stride), _at(right), _int(right_stride))
    _dgemm(*orders, *sizes, *operands, _ONE, _at(total), _int(_column_stride(total)))


def _column_stride(total: np.ndarray) -> int:
    return max(total.strides[1] // 8, total.shape[0])


def _layout(matrix: np.ndarray) -> tuple[bool, int]:
    """Whether a matrix lies columns first, and how many numbers apart its rows (columns) begin."""
    transposed = matrix.strides[1] != 8
    long, short = (1, 0) if transposed else (0, 1)
    return transposed, max(matrix.strides[long] // 8, matrix.shape[short], 1)


def _int(value: int) -> Any:
    return ctypes.byref(ctypes.c_int(value))


def _at(matrix: np.ndarray) -> int:
    return matrix.ctypes.data
