"""Time, memory and accuracy of a full spectrum, beside what one would use otherwise, in one run.

    python benchmarks/factor.py [ROWSxCOLUMNS ...]        (default: 30522x384 250002x768)

Each contender runs in a process of its own, on the same float32 file, in turn, for ROUNDS rounds; shown are medians, the ratio to
tb_embfactor, the memory beyond that of the imports (peak resident set) and the largest relative error of the singular values down
to 1e-6·σ₁ against float64 LAPACK. `flat` is noise; `collapsed` has a quarter of the directions strong and the rest at 1e-5, which
float32 arithmetic loses and for which tb_embfactor makes its second pass.
"""

from __future__ import annotations

import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

ROUNDS = 3
CONTENDERS = ("tb_embfactor", "numpy svd (thin)", "sklearn covariance_eigh float64", "sklearn covariance_eigh float32")


class FileBlocks:
    """Row blocks of a raw float32 file, read as the readers of checkpoints do."""

    def __init__(self, path: str, n_rows: int, n_columns: int) -> None:
        self.n_rows, self.n_columns, self._path = n_rows, n_columns, path

    def __iter__(self):
        from tb_embfactor.linalg.blocks import block_rows

        step = block_rows(self.n_columns)
        with open(self._path, "rb") as file:
            for start in range(0, self.n_rows, step):
                n = min(step, self.n_rows - start)
                yield np.fromfile(file, "<f4", n * self.n_columns).reshape(n, self.n_columns)


def run(contender: str, path: str, n_rows: int, n_columns: int) -> dict:
    """One measurement, in this process: seconds, bytes beyond the imports, centred singular values."""
    if contender == "tb_embfactor":
        from tb_embfactor.linalg.spectrum import decompose
    else:
        from sklearn.decomposition import PCA
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    start = time.perf_counter()
    if contender == "tb_embfactor":
        spectrum = decompose(FileBlocks(path, n_rows, n_columns))
        values, passes = spectrum.centered.singular_values, spectrum.passes
    else:
        passes = None
        matrix = np.fromfile(path, "<f4").reshape(n_rows, n_columns)
        if contender.startswith("numpy"):
            wide = matrix.astype(np.float64)
            values = np.linalg.svd(wide - wide.mean(axis=0), full_matrices=False)[1]
        else:
            wide = matrix.astype(contender.rpartition(" ")[2])
            values = PCA(svd_solver="covariance_eigh").fit(wide).singular_values_
    seconds = time.perf_counter() - start
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    return {"seconds": seconds, "bytes": peak * 1024, "values": [float(value) for value in values], "passes": passes}


def make(path: Path, kind: str, n_rows: int, n_columns: int) -> None:
    rng = np.random.default_rng(0)
    scale = np.ones(n_columns)
    if kind == "collapsed":
        scale[n_columns // 4 :] = 1e-5
    turn = np.linalg.qr(rng.normal(size=(n_columns, n_columns)))[0]
    with open(path, "wb") as file:
        for start in range(0, n_rows, 8192):
            block = rng.normal(size=(min(8192, n_rows - start), n_columns)) * scale @ turn
            file.write(block.astype("<f4").tobytes())


def main(shapes: list[str]) -> None:
    print(f"{os.cpu_count()} processors, Python {sys.version.split()[0]}, numpy {np.__version__}; median of {ROUNDS}, in turn\n")
    print(f"{'matrix':26}{'contender':34}{'seconds':>9}{'ratio':>8}{'memory MB':>11}{'worst error':>13}")
    for shape in shapes:
        n_rows, n_columns = map(int, shape.split("x"))
        for kind in ("flat", "collapsed"):
            with tempfile.TemporaryDirectory() as directory:
                path = Path(directory) / "matrix.f32"
                make(path, kind, n_rows, n_columns)
                results: dict[str, list[dict]] = {contender: [] for contender in CONTENDERS}
                for _ in range(ROUNDS):
                    for contender in CONTENDERS:
                        command = [sys.executable, __file__, "--run", contender, str(path), str(n_rows), str(n_columns)]
                        results[contender].append(json.loads(subprocess.run(command, check=True, capture_output=True).stdout))
            report(f"{shape} {kind}", results)


def report(title: str, results: dict[str, list[dict]]) -> None:
    truth = np.array(results["numpy svd (thin)"][0]["values"])
    ours = statistics.median(item["seconds"] for item in results["tb_embfactor"])
    for contender, items in results.items():
        seconds = statistics.median(item["seconds"] for item in items)
        megabytes = statistics.median(item["bytes"] for item in items) / 1e6
        values = np.array(items[0]["values"])
        shown = truth > 1e-6 * truth[0]
        error = np.abs(values[shown] / truth[shown] - 1).max()
        passes = f" ({items[0]['passes']} pass{'es' * (items[0]['passes'] > 1)})" if items[0]["passes"] else ""
        print(f"{title:26}{contender + passes:34}{seconds:9.2f}{seconds / ours:8.1f}{megabytes:11.0f}{error:13.1e}", flush=True)
        title = ""


if __name__ == "__main__":
    if sys.argv[1:2] == ["--run"]:
        print(json.dumps(run(sys.argv[2], sys.argv[3], int(sys.argv[4]), int(sys.argv[5]))))
    else:
        main(sys.argv[1:] or ["30522x384", "250002x768"])
