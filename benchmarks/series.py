"""How long the series of many checkpoints takes to open, in one run.

    python benchmarks/series.py [MATRICESxCHECKPOINTS]        (default: 300x100)

A run of 100 checkpoints of one 2,000×768 matrix is computed and then opened again by new processes, which find it in the cache:
the time from the request for its spectra to the answer, in a process that has scanned the log directory, as a TensorBoard has
when its tab opens; with the imports of a first request, and without. "From disk" is after the system was told to forget the
cache's files. Then a log directory of many small matrices in many checkpoints is opened without a cache: the time from the
start of the scan until the overview lists them, says the first verdict, and is complete.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from safetensors.numpy import save_file

from tb_embfactor.arrays import decode_info
from tb_embfactor.service import Service
from tb_embfactor.worker import Settings

ROUNDS = 5
N_CHECKPOINTS, SHAPE = 100, (2000, 768)
SMALL = (200, 16)
PATIENCE_SECONDS = 600
POLL_SECONDS = 0.5  # as often as the tab asks


def write(logdir: Path, n_matrices: int, n_checkpoints: int, shape: tuple[int, int]) -> None:
    """A run whose matrices are noise that grows along one direction."""
    rng = np.random.default_rng(0)
    matrices = {f"tables.{number}.embedding.weight": rng.normal(size=shape).astype(np.float32) for number in range(n_matrices)}
    direction = np.outer(rng.normal(size=shape[0]), rng.normal(size=shape[1])).astype(np.float32)
    (logdir / "run").mkdir(parents=True)
    for step in range(n_checkpoints):
        changed = {name: matrix + step / n_checkpoints * direction for name, matrix in matrices.items()}
        save_file(changed, logdir / "run" / f"step_{step:04}.safetensors")


def open_logdir(directory: Path) -> Service:
    service = Service(Settings(logdir=str(directory / "logs"), cache_directory=str(directory / "cache")))
    service.start_scan()
    while service.catalogue()["state"] != "ready":
        time.sleep(0.01)
    return service


def compute(directory: Path) -> dict[str, float]:
    """The series for the first time."""
    service = open_logdir(directory)
    start = time.perf_counter()
    while decode_info(service.spectra("run", "tables.0.embedding.weight"))["n_pending"]:
        time.sleep(POLL_SECONDS)
    service.close()
    return {"seconds": time.perf_counter() - start}


def forget(directory: Path) -> None:
    """Let the system drop the files of the cache from its memory."""
    os.sync()
    for path in directory.glob("cache/*/*/*"):
        fd = os.open(path, os.O_RDONLY)
        os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_DONTNEED)
        os.close(fd)


def reopen(directory: Path) -> dict[str, float]:
    """The series from the cache: the first request, with its imports, and the next one."""
    service = open_logdir(directory)
    seconds = []
    for _ in range(2):
        start = time.perf_counter()
        info = decode_info(service.spectra("run", "tables.0.embedding.weight"))
        seconds.append(time.perf_counter() - start)
        assert info["n_pending"] == 0
    service.close()
    return {"first request": seconds[0], "next request": seconds[1]}


def survey(directory: Path) -> dict[str, float]:
    """The overview of a large log directory, seconds since the start: listed, first verdicts, all last checkpoints, all."""
    start, seconds, slowest = time.perf_counter(), {}, 0.0
    service = open_logdir(directory)
    while time.perf_counter() - start < PATIENCE_SECONDS:
        asked = time.perf_counter()
        overview = service.overview()
        slowest = max(slowest, time.perf_counter() - asked)
        now, items = time.perf_counter() - start, overview["items"]
        n_done = sum(item["state"] == "done" for item in items)
        for name, is_reached in {
            "listed": bool(items),
            "first verdict": any(item["verdicts"] for item in items),
            "half of the last checkpoints": 2 * n_done >= len(items),
            "every last checkpoint": n_done == len(items),
            "all": overview["n_pending"] == 0,
        }.items():
            if is_reached:
                seconds.setdefault(name, now)
        if "all" in seconds:
            break
        time.sleep(POLL_SECONDS)
    service.close()
    return seconds | {"slowest request": slowest}


def in_new_process(task: str, directory: Path) -> dict[str, float]:
    return json.loads(subprocess.run([sys.executable, __file__, task, str(directory)], check=True, capture_output=True).stdout)


def main(size: str) -> None:
    print(f"{os.cpu_count()} processors, Python {sys.version.split()[0]}, numpy {np.__version__}")
    with tempfile.TemporaryDirectory() as directory:
        write(Path(directory) / "logs", 1, N_CHECKPOINTS, SHAPE)
        print(f"\n{N_CHECKPOINTS} checkpoints of {SHAPE[0]}×{SHAPE[1]}")
        print(f"    computed                        {in_new_process('compute', Path(directory))['seconds']:8.2f} s")
        for where in ("memory", "disk"):
            rounds = []
            for _ in range(ROUNDS):
                if where == "disk":
                    forget(Path(directory))
                rounds.append(in_new_process("reopen", Path(directory)))
            for name in rounds[0]:
                values = sorted(each[name] * 1e3 for each in rounds)
                spread = f"(from {values[0]:.0f} to {values[-1]:.0f})"
                print(f"    from {where}, {name:20}{values[len(values) // 2]:8.0f} ms   {spread}", flush=True)
    with tempfile.TemporaryDirectory() as directory:
        n_matrices, n_checkpoints = map(int, size.split("x"))
        write(Path(directory) / "logs", n_matrices, n_checkpoints, SMALL)
        print(f"\n{n_matrices} matrices of {SMALL[0]}×{SMALL[1]} in {n_checkpoints} checkpoints")
        for name, seconds in in_new_process("survey", Path(directory)).items():
            print(f"    {name:32}{seconds:8.2f} s", flush=True)


if __name__ == "__main__":
    tasks = {task.__name__: task for task in (compute, reopen, survey)}
    if sys.argv[1:2] and sys.argv[1] in tasks:
        print(json.dumps(tasks[sys.argv[1]](Path(sys.argv[2]))))
    else:
        main(*(sys.argv[1:] or ["300x100"]))
