"""Measuring contenders beside each other: time in turn, within one process; memory each in a process of its own."""

from __future__ import annotations

import json
import os
import platform
import subprocess
import sys
import time
from collections.abc import Callable
from importlib import import_module
from typing import Any

import numpy as np

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
FORGOTTEN = ("OPENBLAS_CORETYPE", "OPENBLAS_L2_SIZE")  # settings of BLAS that a machine may carry


def in_turn(contenders: dict[str, Callable[[], Any]], rounds: dict[str, int]) -> dict[str, dict[str, Any]]:
    """For each contender its least seconds by the clock and of the processors, and what it gave, over so many rounds.

    In each round every contender has its turn, so that a busy minute of the machine does not hit one of them alone.
    """
    found: dict[str, dict[str, Any]] = {}
    for index in range(max(rounds.values())):
        for name, work in contenders.items():
            if index >= rounds[name]:
                continue
            start, start_cpu = time.perf_counter(), time.process_time()
            answer = work()
            seconds, cpu = time.perf_counter() - start, time.process_time() - start_cpu
            before = found.get(name, {"seconds": np.inf, "cpu": np.inf})
            found[name] = {"seconds": min(seconds, before["seconds"]), "cpu": min(cpu, before["cpu"]), "answer": answer}
    return found


def in_child(function: str, *arguments: Any, python: str = sys.executable, **environment: str) -> Any:
    """The answer of `module:function` of this directory, called in a process of its own with arguments that JSON can hold."""
    around = {name: value for name, value in os.environ.items() if name not in FORGOTTEN}
    command = [python, "-m", "benchmarks.measuring", function, json.dumps(arguments)]
    done = subprocess.run(command, cwd=ROOT, env={**around, **environment}, stdout=subprocess.PIPE, check=True)
    return json.loads(done.stdout.splitlines()[-1])


def peak_bytes(work: Callable[[], Any]) -> int:
    """What a process needs at most beyond what it has already, its libraries among it. Needs Linux.

    The largest size that `getrusage` tells is no use: a process inherits that of the one that started it.
    """
    with open("/proc/self/clear_refs", "w") as peak:
        peak.write("5")  # forget the peak so far
    before = _status("VmRSS")
    work()
    return 1024 * (_status("VmHWM") - before)


def _status(key: str) -> int:
    """A size of this process, in KiB."""
    with open("/proc/self/status") as lines:
        return next(int(line.split()[1]) for line in lines if line.startswith(key))


def machine() -> dict[str, Any]:
    """What it was measured with."""
    import scipy
    import sklearn
    from threadpoolctl import threadpool_info

    with open("/proc/cpuinfo") as lines:
        model = next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), platform.processor())
    blas = next(library for library in threadpool_info() if library["user_api"] == "blas")
    return {
        "model": model,
        "processors": os.cpu_count(),
        "load": os.getloadavg()[0],
        "memory": os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"),
        "blas": f"OpenBLAS {blas['version']} ({blas['architecture']} kernels)",
        "versions": f"Python {platform.python_version()}, numpy {np.__version__}, SciPy {scipy.__version__}, "
        f"scikit-learn {sklearn.__version__}",
    }


if __name__ == "__main__":
    module, _, name = sys.argv[1].partition(":")
    print(json.dumps(getattr(import_module(f"benchmarks.{module}"), name)(*json.loads(sys.argv[2]))))
