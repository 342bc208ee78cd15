"""Neighbours beside scikit-learn, reading beside TensorFlow, and what a training job loses to a factorization beside it."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from typing import Any

import numpy as np

from benchmarks.measuring import FORGOTTEN, ROOT, in_turn, peak_bytes


def neighbours(path: str, n_queries: int, metric: str, rounds: int, k: int = 10) -> dict[str, Any]:
    """Seconds for the neighbours of some rows, and whether they are the same. scikit-learn is given the array in memory."""
    from sklearn.neighbors import NearestNeighbors

    import tb_embfactor as ef
    from benchmarks.matrices import opened, whole

    matrix = opened(path)
    table = whole(matrix)
    rows = np.sort(np.random.default_rng(0).choice(len(table), n_queries, replace=False))
    search = NearestNeighbors(n_neighbors=k + 1, metric=metric, algorithm="brute")
    work = {
        "ours": lambda: ef.neighbors(matrix, rows, k, metric).rows,
        "in memory": lambda: ef.neighbors(table, rows, k, metric).rows,
        "scikit-learn": lambda: search.fit(table).kneighbors(table[rows], return_distance=False),
    }
    found = in_turn(work, dict.fromkeys(work, rounds))
    sets = zip(rows, found["ours"]["answer"], found["scikit-learn"]["answer"], strict=True)
    same = np.mean([len(set(near.tolist()) & set(other[other != row][:k].tolist())) / k for row, near, other in sets])
    return {name: {key: item[key] for key in ("seconds", "cpu")} for name, item in found.items()} | {"same": float(same)}


def write_bundle(path: str, n_rows: int, d: int) -> None:
    """A checkpoint of TensorFlow with one table. Needs TensorFlow."""
    import tensorflow as tf

    table = tf.Variable(np.random.default_rng(0).normal(size=(n_rows, d)).astype(np.float32))
    tf.train.Checkpoint(embedding=table).write(path)


def read_by_tensorflow(path: str) -> dict[str, float]:
    """Needs TensorFlow."""
    start = time.perf_counter()
    import tensorflow as tf

    imported = time.perf_counter()
    seconds: list[float] = []

    def read() -> None:
        for _ in range(3):
            begun = time.perf_counter()
            tf.train.load_checkpoint(path).get_tensor("embedding/.ATTRIBUTES/VARIABLE_VALUE")
            seconds.append(time.perf_counter() - begun)

    peak = peak_bytes(read)
    return {"import": imported - start, "seconds": min(seconds), "bytes": peak}


def read_by_us(path: str) -> dict[str, float]:
    start = time.perf_counter()
    import tb_embfactor as ef

    seconds: list[float] = []

    def read() -> None:
        for _ in range(3):
            begun = time.perf_counter()
            for _block in ef.open_checkpoint(path)["embedding"].blocks():
                pass
            seconds.append(time.perf_counter() - begun)

    ef.open_checkpoint(path)["embedding"].rows(0, 1)
    imported = time.perf_counter()
    peak = peak_bytes(read)
    return {"import": imported - start, "seconds": min(seconds), "bytes": peak}


def politeness(path: str, seconds: float, rounds: int) -> dict[str, float]:
    """What share of its speed a training job keeps beside a factorization without end, by its steps in so many seconds.

    The job multiplies float32 matrices with all processors. `ours` runs as TensorBoard's worker does, at a lower priority, with
    two threads or one; `scikit-learn` is PCA by covariance_eigh at the priority of everybody.
    """
    beside = {
        "alone": [],
        "ours": ["ours", path, "2"],
        "ours, 1 thread": ["ours", path, "1"],
        "scikit-learn": ["scikit-learn", path, "0"],
    }
    steps: dict[str, list[int]] = {name: [] for name in beside}
    for _ in range(rounds):
        for name, arguments in beside.items():
            steps[name].append(_steps(arguments, seconds))
    alone = np.median(steps["alone"])
    return {name: float(np.median(counts) / alone) for name, counts in steps.items()}


def _steps(arguments: list[str], seconds: float) -> int:
    around = {name: value for name, value in os.environ.items() if name not in FORGOTTEN}
    if arguments[:1] == ["ours"]:
        around["OPENBLAS_NUM_THREADS"] = "1"  # as the worker has it
    other = None
    if arguments:
        command = [sys.executable, "-m", "benchmarks.others", *arguments]
        other = subprocess.Popen(command, cwd=ROOT, env=around, stdout=subprocess.PIPE)
        assert other.stdout
        other.stdout.readline()  # it has begun
    left, right = (np.random.default_rng(0).normal(size=(768, 768)).astype(np.float32) for _ in range(2))
    n, end = 0, time.perf_counter() + seconds
    while time.perf_counter() < end:
        np.matmul(left, right)
        n += 1
    if other:
        other.kill()
        other.wait()
    return n


def _factor_without_end(who: str, path: str, n_threads: int) -> None:
    from sklearn.decomposition import PCA

    from benchmarks.matrices import opened, whole
    from tb_embfactor.linalg.crew import BLAS
    from tb_embfactor.linalg.moments import accumulate

    if who == "ours":
        os.nice(10)
        BLAS.settle(n_threads)
    matrix = opened(path)
    table = whole(matrix).astype(np.float64) if who != "ours" else None
    print("begun", flush=True)
    while True:
        if table is None:
            accumulate(matrix.blocks())
        else:
            PCA(svd_solver="covariance_eigh").fit(table)


if __name__ == "__main__":
    _factor_without_end(sys.argv[1], sys.argv[2], int(sys.argv[3]))
