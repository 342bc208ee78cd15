"""How soon a sample of the rows says something of a large matrix, and how near that is to the exact answer, in one run.

    python benchmarks/estimate.py [ROWSxCOLUMNS ...]        (default: 60000x1024 250002x768)

The matrix lies in a safetensors file: rows sorted by length, a common mean, directions of falling strength. Shown are the median
seconds of ROUNDS rounds in turn, of the estimate of the spectrum and the numbers, of the points of the sample, and of the exact
factorization; then the leading value and the effective rank as estimated, with what they may be off, beside the exact ones.
"""

from __future__ import annotations

import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from safetensors.numpy import save_file

import tb_embfactor as ef
from tb_embfactor.analysis.estimation import estimate, estimated_numbers, estimated_points
from tb_embfactor.analysis.factorization import factorize
from tb_embfactor.analysis.numbers import metrics

ROUNDS = 3


def write(path: Path, n_rows: int, n_columns: int) -> None:
    rng = np.random.default_rng(0)
    scale = (1 + np.arange(n_columns)) ** -0.4
    turn = (scale[:, None] * np.linalg.qr(rng.normal(size=(n_columns, n_columns)))[0]).astype(np.float32)
    rows = rng.normal(size=(n_rows, n_columns)).astype(np.float32) @ turn
    rows *= np.linspace(1.5, 0.5, n_rows, dtype=np.float32)[:, None]
    save_file({"embedding.weight": rows + np.float32(0.1)}, path)


def seconds(work: Callable[[], object]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def main(shapes: list[str]) -> None:
    print(f"{os.cpu_count()} processors, Python {sys.version.split()[0]}, numpy {np.__version__}; median of {ROUNDS}, in turn")
    for shape in shapes:
        with tempfile.TemporaryDirectory() as directory:
            path = Path(directory) / "model.safetensors"
            write(path, *map(int, shape.split("x")))
            matrix = ef.open_checkpoint(path)["embedding.weight"]
            works = {
                "estimate": lambda matrix=matrix: estimated_numbers(estimate(matrix)),
                "points of the sample": lambda matrix=matrix: estimated_points(matrix),
                "exact": lambda matrix=matrix: factorize(matrix),
            }
            rounds = [{name: seconds(work) for name, work in works.items()} for _ in range(ROUNDS)]
            found, exact = estimate(matrix), factorize(matrix)
        print(f"\n{shape}")
        for name in works:
            print(f"    {name:24}{statistics.median(each[name] for each in rounds):8.2f} s")
        values, error = found.singular_values()
        number, uncertainty = estimated_numbers(found)["effective_rank"]
        true_value, true_rank = exact.spectrum.centered.singular_values[0], metrics(exact)["effective_rank"]
        print(f"    leading value         {values[0]:10.1f} ± {error[0] * values[0]:.1f}, exactly {true_value:.1f}")
        print(f"    effective rank        {number:10.1f} ± {uncertainty:.1f}, exactly {true_rank:.1f}", flush=True)


if __name__ == "__main__":
    main(sys.argv[1:] or ["60000x1024", "250002x768"])
