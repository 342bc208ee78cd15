"""What one would factor a table with: each gives its singular values and the first three principal components of all rows.

tb_embfactor reads the checkpoint in the time that is shown; the others are given the float32 array in memory.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy.sparse.linalg
from sklearn.decomposition import PCA, TruncatedSVD

import tb_embfactor as ef
from benchmarks.matrices import opened, true_values, whole, write
from benchmarks.measuring import in_turn, peak_bytes

LEADING = 16  # what the partial ones are asked for
OURS = "tb_embfactor"


@dataclass(frozen=True)
class Contender:
    """run : from the array to singular values. centered : whether of the centred rows."""

    run: Callable[[np.ndarray], np.ndarray]
    centered: bool = True


def _numpy(dtype: str) -> Callable[[np.ndarray], np.ndarray]:
    def run(table: np.ndarray) -> np.ndarray:
        rows = table.astype(dtype)
        rows -= rows.mean(axis=0)
        left, values, _ = np.linalg.svd(rows, full_matrices=False)
        _shown(left[:, :3] * values[:3])
        return values

    return run


def _values_only(table: np.ndarray) -> np.ndarray:
    return np.linalg.svd(table - table.mean(axis=0), compute_uv=False)


def _pca(dtype: str, **settings: Any) -> Callable[[np.ndarray], np.ndarray]:
    def run(table: np.ndarray) -> np.ndarray:
        rows = table.astype(dtype, copy=False)
        fitted = PCA(**settings).fit(rows)
        _shown((rows - fitted.mean_) @ fitted.components_[:3].T)
        return fitted.singular_values_

    return run


def _truncated(table: np.ndarray) -> np.ndarray:
    fitted = TruncatedSVD(LEADING, random_state=0)
    _shown(fitted.fit_transform(table)[:, :3])
    return fitted.singular_values_


def _svds(table: np.ndarray) -> np.ndarray:
    left, values, _ = scipy.sparse.linalg.svds(table, k=LEADING, random_state=0)
    _shown(left[:, -3:] * values[-3:])
    return values[::-1]


def _shown(points: np.ndarray) -> None:
    assert points.shape[1] == 3


CONTENDERS: dict[str, Contender] = {
    "numpy.linalg.svd, thin, float64": Contender(_numpy("float64")),
    "numpy.linalg.svd, thin, float32": Contender(_numpy("float32")),
    "numpy.linalg.svd, values only, float32": Contender(_values_only),
    "scikit-learn PCA, full, float32": Contender(_pca("float32", svd_solver="full")),
    "scikit-learn PCA, covariance_eigh, float64": Contender(_pca("float64", svd_solver="covariance_eigh")),
    "scikit-learn PCA, covariance_eigh, float32": Contender(_pca("float32", svd_solver="covariance_eigh")),
    f"scikit-learn PCA, randomized, {LEADING} of d": Contender(
        _pca("float32", svd_solver="randomized", n_components=LEADING, random_state=0)
    ),
    f"scikit-learn TruncatedSVD, {LEADING} of d": Contender(_truncated, centered=False),
    f"scipy svds, {LEADING} of d": Contender(_svds, centered=False),
}


def ours(path: str) -> tuple[np.ndarray, int]:
    """Singular values of the centred rows, and how many passes they took."""
    f = ef.factorize(opened(path))
    _shown(ef.project(f, "pca", 3).points)
    return f.spectrum.centered.singular_values, f.spectrum.passes


def compare(path: str, rounds: dict[str, int], with_errors: bool = True) -> dict[str, Any]:
    """Seconds of the contenders in `rounds` on one checkpoint, in one process, and the errors of what they give."""
    matrix = opened(path)
    table = whole(matrix)
    work: dict[str, Callable[[], Any]] = {
        name: (lambda: ours(path)) if name == OURS else (lambda name=name: CONTENDERS[name].run(table)) for name in rounds
    }
    found = in_turn(work, rounds)
    truth = {centered: true_values(matrix, centered) for centered in (True, False)} if with_errors else {}
    results = {}
    for name, result in found.items():
        values, passes = result.pop("answer") if name == OURS else (result.pop("answer"), None)
        error = None
        if truth:
            true = truth[name == OURS or CONTENDERS[name].centered][: len(values)]
            shown = true > 1e-6 * true[0]
            error = float(np.abs(values[shown] / true[shown] - 1).max())
        results[name] = {**result, "passes": passes, "error": error}
    return results


def memory(name: str, path: str) -> int:
    """The peak of a contender from the file on, its array among it, beyond the libraries."""
    if name != OURS:
        return peak_bytes(lambda: CONTENDERS[name].run(whole(opened(path))))
    with tempfile.TemporaryDirectory() as directory:
        ours(write(f"{directory}/small.safetensors", "graded", 200, 8))  # so that all that is imported on the way has been
    return peak_bytes(lambda: ours(path))


def share_of_dsyrk(path: str, rounds: int) -> dict[str, float]:
    """Processor seconds of the pass over a checkpoint, and of dsyrk alone on as many rows in memory, by one thread.

    Threads of BLAS wait by spinning, so that those of two would say more of other programs than of dsyrk.
    """
    from scipy.linalg.blas import dsyrk
    from threadpoolctl import threadpool_limits

    from tb_embfactor.linalg.moments import accumulate

    matrix = opened(path)
    n_rows, d = matrix.shape
    rows = np.asfortranarray(np.random.default_rng(0).normal(size=(d, 8192)))
    n_times = -(-n_rows // rows.shape[1])

    def multiply() -> None:
        with threadpool_limits(1):
            total = np.zeros((d, d), order="F")
            for _ in range(n_times):
                dsyrk(1.0, rows, beta=1.0, c=total, overwrite_c=True)

    found = in_turn({"pass": lambda: accumulate(matrix.blocks()) and None, "dsyrk": multiply}, {"pass": rounds, "dsyrk": rounds})
    alone = found["dsyrk"]["cpu"] * n_rows / (n_times * rows.shape[1])
    return {"pass": found["pass"]["cpu"], "dsyrk": alone, "gflops": n_rows * d * (d + 1) / alone / 1e9}


def passes(paths: dict[str, str], rounds: int) -> dict[str, dict[str, float]]:
    """Seconds of one pass over the same table in several types."""
    from tb_embfactor.linalg.moments import accumulate

    work = {name: lambda path=path: accumulate(opened(path).blocks()) and None for name, path in paths.items()}
    found = in_turn(work, dict.fromkeys(work, rounds))
    return {name: {"seconds": item["seconds"], "cpu": item["cpu"]} for name, item in found.items()}
