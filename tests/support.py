"""What tests of the service, the routes and the tab share: a log directory that is real enough, and ways to wait."""

from __future__ import annotations

import resource
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import tiny_format

from tb_embfactor import arrays

N_ROWS, N_COLUMNS = 60, 8


def table(step: int) -> np.ndarray:
    """The matrix that the tests' run has at a step, float64 of what is stored."""
    return np.random.default_rng(step).normal(size=(N_ROWS, N_COLUMNS)).astype(np.float32).astype(np.float64)


def write_run(directory: Path, steps: tuple[int, ...] = (0, 10, 20)) -> Path:
    directory.mkdir(parents=True, exist_ok=True)
    for step in steps:
        tiny_format.write(directory / f"step_{step}.tiny", table(step), step)
    labels = "\n".join(f"word{index}\t{index}" for index in range(N_ROWS))
    (directory / "metadata.tsv").write_text(f"word\tcount\n{labels}\n")
    return directory


def eventually(check: Callable[[], Any], seconds: float = 30.0) -> Any:
    """The first true answer of `check`; AssertionError when there is none in time."""
    deadline = time.monotonic() + seconds
    while not (answer := check()):
        assert time.monotonic() < deadline, "it never happened"
        time.sleep(0.01)
    return answer


def all_spectra(ask: Callable[[], bytes]) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
    """Ask for the spectra of a run until none is pending."""
    return arrays.decode(eventually(lambda: (body := ask()) and arrays.decode_info(body)["n_pending"] == 0 and body))


@contextmanager
def full_disk(n_bytes: int) -> Iterator[None]:
    """Meanwhile no file can grow beyond so many bytes, neither here nor, from then on, in a process that is started here."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (n_bytes, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
