"""The worker process: order, progress, cancellation; and children that die, hang, or run out of memory."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import tiny_format

from tb_embfactor import arrays, formats
from tb_embfactor.errors import CancelledError, MatrixError, NotFoundError, WorkerError
from tb_embfactor.messages import Message
from tb_embfactor.worker import Settings
from tb_embfactor.worker.process import Job, Worker

TITLE = Message("task_scan")


@pytest.fixture
def logs(tmp_path: Path, tiny: None) -> Path:
    for step in range(3):
        tiny_format.write(tmp_path / f"m{step}.tiny", np.random.default_rng(step).normal(size=(50, 6)), step)
    return tmp_path


@pytest.fixture
def start(logs: Path) -> Iterator[Callable[..., Worker]]:
    workers = []

    def begin(stall_seconds: float = 30, **settings: object) -> Worker:
        workers.append(Worker(Settings(logdir=str(logs), formats=formats.table(), **settings), stall_seconds))  # type: ignore[arg-type]
        return workers[-1]

    yield begin
    for worker in workers:
        worker.close()


def scan(worker: Worker, key: str = "scan", rank: tuple[int, ...] = (0,), on_done: Callable[[Job], None] | None = None) -> Job:
    return worker.submit("scan", {"set_aside": {}}, TITLE, key, rank, on_done)


def spectrum(worker: Worker, checkpoint: str) -> Job:
    params = {"run": ".", "checkpoint": checkpoint, "matrix": "table", "transform": "", "key": checkpoint}
    return worker.submit("spectrum", params, TITLE, checkpoint)


def finish(job: Job) -> tuple[dict, bytes]:
    assert job.wait(60)
    return job.result()


def test_a_job_gives_its_answer(start: Callable[..., Worker]) -> None:
    worker = start()
    document, _ = finish(scan(worker))
    assert [item["step"] for item in document["runs"][0]["checkpoints"]] == [0, 1, 2]
    _, body = finish(spectrum(worker, "m1.tiny"))
    tensors, info = arrays.decode(body)
    truth = np.linalg.svd(np.random.default_rng(1).normal(size=(50, 6)).astype(np.float32).astype(np.float64), compute_uv=False)
    assert np.allclose(tensors["singular_values"], truth, rtol=1e-12)
    assert info["rows_used"] == 50
    assert worker.status() == {"state": "idle", "paused": False, "current": None, "n_queued": 0, "n_restarts": 0}


def test_an_error_of_the_child_arrives_as_itself(start: Callable[..., Worker]) -> None:
    with pytest.raises(NotFoundError, match=r"no checkpoint 'm9.tiny'"):
        finish(spectrum(start(), "m9.tiny"))


def test_the_same_key_is_one_job(start: Callable[..., Worker]) -> None:
    worker = start()
    assert scan(worker) is scan(worker)


def test_jobs_are_done_in_the_order_of_their_ranks_and_may_be_moved_up(start: Callable[..., Worker]) -> None:
    worker = start()
    finished: list[str] = []
    blocker = scan(worker)
    while worker.status()["current"] is None:  # from here on the others queue behind it
        time.sleep(0.001)
    jobs = [
        scan(worker, key, rank, lambda job: finished.append(job.key))
        for key, rank in (("background 1", (2, 1)), ("background 2", (2, 2)), ("older", (0, -7)), ("newer", (0, -8)))
    ]
    assert scan(worker, "background 2", (0, -9)) is jobs[1]  # somebody looks at it now
    assert scan(worker, "newer", (3,)) is jobs[3]  # which moves nothing down
    assert worker.queued_before(jobs[0]) == 4
    for job in (blocker, *jobs):
        finish(job)
    assert finished == ["background 2", "newer", "older", "background 1"]


def test_a_child_that_dies_costs_its_job_only(start: Callable[..., Worker], logs: Path) -> None:
    matrix = np.zeros((50, 6))
    matrix[3, 3] = 668
    tiny_format.write(logs / "crash.tiny", matrix)
    worker = start()
    with pytest.raises(WorkerError, match="signal SIGABRT"):
        finish(spectrum(worker, "crash.tiny"))
    assert finish(spectrum(worker, "m0.tiny"))
    assert worker.status()["n_restarts"] == 1


def test_a_child_killed_from_outside(start: Callable[..., Worker]) -> None:
    worker = start()
    finish(scan(worker))
    assert worker._child is not None
    pid = worker._child._process.pid
    os.kill(pid, signal.SIGKILL)
    os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)
    assert finish(spectrum(worker, "m0.tiny")), "noticed before the job was given to it"


def test_a_child_that_hangs_is_ended(start: Callable[..., Worker], logs: Path) -> None:
    matrix = np.zeros((50, 6))
    matrix[3, 3] = 669
    tiny_format.write(logs / "hang.tiny", matrix)
    worker = start(stall_seconds=1.5)
    finish(scan(worker))
    with pytest.raises(WorkerError, match="made no progress"):
        finish(spectrum(worker, "hang.tiny"))
    assert finish(spectrum(worker, "m0.tiny"))


def test_cancelling_the_running_job_and_the_queued_ones(start: Callable[..., Worker], logs: Path) -> None:
    matrix = np.zeros((50, 6))
    matrix[3, 3] = 669
    tiny_format.write(logs / "hang.tiny", matrix)
    worker = start()
    finish(scan(worker))
    running = spectrum(worker, "hang.tiny")
    while (current := worker.status()["current"]) is None or current["job"] != running.id:
        time.sleep(0.01)
    queued = spectrum(worker, "m0.tiny")
    assert worker.cancel(queued.id) == 1
    with pytest.raises(CancelledError):
        finish(queued)
    assert worker.cancel("all") == 1
    with pytest.raises(CancelledError):
        finish(running)
    assert worker.cancel("77") == 0
    assert finish(spectrum(worker, "m1.tiny"))


def test_too_little_memory_is_a_sentence(start: Callable[..., Worker], logs: Path) -> None:
    tiny_format.write(logs / "large.tiny", np.zeros((3500, 3500)))
    worker = start(memory_gb=0.6, threads=1)
    with pytest.raises(MatrixError, match="more memory was needed than the worker may use"):
        finish(spectrum(worker, "large.tiny"))
    assert finish(spectrum(worker, "m0.tiny"))


def test_a_file_that_crashes_its_parser_is_named_while_it_is_opened(start: Callable[..., Worker], logs: Path) -> None:
    tiny_format.write(logs / "bad.tiny", np.zeros((666, 1)))
    worker = start()
    job = scan(worker)
    with pytest.raises(WorkerError):
        finish(job)
    assert job.opening is not None and job.opening.endswith(" bad.tiny")
    worker.set_aside[job.opening] = Message("set_aside", {"path": "bad.tiny", "how": "ended the worker process"})
    assert finish(spectrum(worker, "m0.tiny")), "a new child is told before it looks at anything"


def test_the_child_takes_nothing_from_the_working_directory(
    start: Callable[..., Worker], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A log directory with a numpy.py in it, and TensorBoard started there."""
    (tmp_path / "numpy.py").write_text(f"open({str(tmp_path / 'canary')!r}, 'w')")
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend("")
    monkeypatch.syspath_prepend(str(tmp_path))
    finish(scan(start()))
    assert not (tmp_path / "canary").exists()


def test_the_child_ends_with_its_parent(start: Callable[..., Worker]) -> None:
    worker = start()
    finish(scan(worker))
    assert worker._child is not None
    process = worker._child._process
    worker._child._stdin.close()  # what the end of the parent does
    assert process.wait(10) == 0


def test_many_threads_ask_at_once(start: Callable[..., Worker]) -> None:
    worker = start()
    results: list[bytes] = []

    def ask(index: int) -> None:
        results.append(finish(spectrum(worker, f"m{index % 3}.tiny"))[1])

    threads = [threading.Thread(target=ask, args=(index,)) for index in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert len(results) == 12
