"""The parent's side of the worker: jobs in a queue, one at a time in the child, what is looked at first comes first."""

from __future__ import annotations

import contextlib
import itertools
import json
import os
import selectors
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from tb_embfactor import errors
from tb_embfactor.errors import CancelledError, EmbfactorError, WorkerError
from tb_embfactor.messages import Message
from tb_embfactor.worker import Settings

START_SECONDS = 120.0  # until a new child has imported what it needs, on a slow disk
STALL_SECONDS = 30.0  # without a sign of life; a step that takes longer announces it


Rank = tuple[int, ...]  # of two queued jobs the one with the smaller rank is done first


@dataclass(eq=False)
class Job:
    """One task for the child. `wait` for it, then ask for `result()`."""

    id: str
    key: str
    task: str
    params: dict[str, Any]
    title: Message
    rank: Rank
    on_done: Callable[[Job], None] | None = None
    progress: float | None = None
    opening: str | None = None  # the file that the child said it was about to parse
    started: float | None = None
    _done: threading.Event = field(default_factory=threading.Event, repr=False)
    _answer: tuple[dict[str, Any], bytes] | None = field(default=None, repr=False)
    _error: EmbfactorError | None = field(default=None, repr=False)

    def wait(self, seconds: float | None = None) -> bool:
        return self._done.wait(seconds)

    @property
    def is_answered(self) -> bool:
        return self._answer is not None or self._error is not None

    def result(self) -> tuple[dict[str, Any], bytes]:
        """The child's answer as (document, body), once there is one; raises the error that the job ended with."""
        if self._error is not None:
            raise self._error
        assert self._answer is not None
        return self._answer

    def finish(self, answer: tuple[dict[str, Any], bytes] | EmbfactorError) -> None:
        if isinstance(answer, EmbfactorError):
            self._error = answer
        else:
            self._answer = answer
        if self.on_done:
            self.on_done(self)
        self._done.set()


class Worker:
    """A queue in front of one child process, which is started when the first job comes and again when it died."""

    def __init__(self, settings: Settings, stall_seconds: float = STALL_SECONDS) -> None:
        self.settings = settings
        self.set_aside: dict[
            str, Message
        ] = {}  # files, each in one state, that a child must not open again, and what to say of them
        self.n_restarts = -1
        self._stall_seconds = stall_seconds
        self._jobs: dict[str, Job] = {}  # by key: queued ones and the current one
        self._current: Job | None = None
        self._cancelled: set[str] = set()
        self._child: _Child | None = None
        self._changed = threading.Condition()
        self._closed = False
        self._paused_from: int | None = None
        self._ids = itertools.count(1)
        self._thread: threading.Thread | None = None

    def submit(
        self,
        task: str,
        params: dict[str, Any],
        title: Message,
        key: str,
        rank: Rank = (0,),
        on_done: Callable[[Job], None] | None = None,
    ) -> Job:
        """Queue a job; one that is queued or running under the same key is returned instead, moved up if its rank is smaller now.

        `on_done` is called once with the finished job, before those who wait for it go on.
        """
        with self._changed:
            job = self._jobs.get(key)
            if job is None or job.is_answered:
                job = self._jobs[key] = Job(str(next(self._ids)), key, task, params, title, rank, on_done)
            job.rank = min(job.rank, rank)
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="embfactor-worker", daemon=True)
                self._thread.start()
            self._changed.notify_all()
            return job

    def cancel(self, job_id: str) -> int:
        """Take a job from the queue, or end the child that runs it; "all" for every job. Returns how many."""
        with self._changed:
            chosen = [job for job in self._jobs.values() if job_id in (job.id, "all")]
            for job in chosen:
                if job is self._current:
                    self._cancelled.add(job.id)
                    if self._child:
                        self._child.end()
                else:
                    del self._jobs[job.key]
            queued = [job for job in chosen if job is not self._current]
        for job in queued:
            job.finish(CancelledError("cancelled", task=job.title.text))
        return len(chosen)

    def pause(self, from_level: int | None) -> None:
        """Begin no more jobs whose rank starts with `from_level` or more; None to go on."""
        with self._changed:
            self._paused_from = from_level
            self._changed.notify_all()

    def has(self, key: str) -> bool:
        """Whether a job with this key is queued or running."""
        return key in self._jobs

    def status(self) -> dict[str, Any]:
        with self._changed:
            job = self._current
            return {
                "state": "stopped" if self._closed else "busy" if job else "idle",
                "paused": self._paused_from is not None,
                "current": None
                if job is None
                else {
                    "job": job.id,
                    "task": job.title.to_json(),
                    "progress": job.progress,
                    "elapsed_seconds": round(time.monotonic() - (job.started or time.monotonic()), 1),
                },
                "n_queued": len(self._jobs) - (job is not None),
                "n_restarts": max(0, self.n_restarts),
            }

    def queued_before(self, job: Job) -> int:
        with self._changed:
            return sum(other is self._current or other.rank < job.rank for other in self._jobs.values() if other is not job)

    def close(self) -> None:
        with self._changed:
            self._closed = True
            self._changed.notify_all()
        self.cancel("all")
        if self._thread:
            self._thread.join(timeout=5)

    def _run(self) -> None:
        while True:
            with self._changed:
                self._current = None
                while (job := self._next()) is None and not self._closed:
                    self._changed.wait()
                if self._closed or job is None:
                    break
                self._current = job
                job.started = time.monotonic()
            try:
                answer: tuple[dict[str, Any], bytes] | EmbfactorError = self._perform(job)
            except EmbfactorError as error:
                answer = error
            except Exception as error:  # a bug here must not stop the queue
                answer = WorkerError("internal", task=job.title.text, reason=f"{type(error).__name__}: {error}")
            job.finish(answer)  # before it leaves the table, so that what it brought is known to whoever does not find it there
            with self._changed:
                if self._jobs.get(job.key) is job:
                    del self._jobs[job.key]
                self._cancelled.discard(job.id)
        if self._child:
            self._child.end()
            self._child.reap()

    def _next(self) -> Job | None:
        jobs = (job for job in self._jobs.values() if self._paused_from is None or job.rank[0] < self._paused_from)
        return min(jobs, key=lambda job: job.rank, default=None)

    def _perform(self, job: Job) -> tuple[dict[str, Any], bytes]:
        if self._child is not None and not self._child.alive():
            self._child.reap()
            self._child = None
        allowed = self._stall_seconds
        if self._child is None:
            self._child, allowed = self._start(), START_SECONDS
        child = self._child
        try:
            if job.id in self._cancelled:
                child.end()
            child.send({"task": job.task, "params": job.params})
            while True:
                frame, body = child.receive(allowed)
                allowed = max(self._stall_seconds, frame.get("allow_seconds", 0))
                if "answer" in frame:
                    return frame["answer"], body
                if "error" in frame:
                    raise errors.from_json(frame["kind"], frame["error"])
                job.progress = frame.get("progress", job.progress)
                job.opening = frame.get("opening", job.opening)
        except TimeoutError:
            child.end()
            child.reap()
            self._child = None
            raise WorkerError("worker_timeout", task=job.title.text, seconds=round(allowed)) from None
        except (EOFError, OSError, ValueError):
            how = child.reap()
            self._child = None
            if job.id in self._cancelled:
                raise CancelledError("cancelled", task=job.title.text) from None
            raise WorkerError("worker_died", task=job.title.text, how=how) from None

    def _start(self) -> _Child:
        self.n_restarts += 1
        try:
            return _Child({"settings": self.settings.to_json(), "set_aside": messages_json(self.set_aside)})
        except OSError as error:
            raise WorkerError("worker_unavailable", reason=str(error)) from None


def messages_json(messages: dict[str, Message]) -> dict[str, dict[str, Any]]:
    return {key: message.to_json() for key, message in messages.items()}


def _import_path() -> list[str]:
    """The parent's import path without its working directory, which may be a log directory with anybody's files."""
    import tb_embfactor

    package_root = os.path.dirname(os.path.dirname(os.path.abspath(tb_embfactor.__file__)))
    others = (os.path.abspath(path) for path in sys.path if path)
    return [package_root, *(path for path in others if path not in (package_root, os.getcwd()))]


class _Child:
    """The child process and the two pipes to it."""

    def __init__(self, start: dict[str, Any]) -> None:
        environment = {
            **os.environ,
            "PYTHONPATH": os.pathsep.join(_import_path()),
            "OMP_NUM_THREADS": str(start["settings"]["threads"]),
            **dict.fromkeys(("OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "VECLIB_MAXIMUM_THREADS"), "1"),  # see linalg/crew.py
        }
        self._process = subprocess.Popen(
            [sys.executable, "-P", "-m", "tb_embfactor.worker.child"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=environment,
            start_new_session=True,  # Ctrl-C in the terminal is the parent's to handle
        )
        assert self._process.stdin and self._process.stdout
        self._stdin, self._stdout = self._process.stdin, self._process.stdout
        os.set_blocking(self._stdout.fileno(), False)
        self._buffer = bytearray()
        self._selector = selectors.DefaultSelector()
        self._selector.register(self._stdout, selectors.EVENT_READ)
        self.send(start)

    def alive(self) -> bool:
        return self._process.poll() is None

    def send(self, message: dict[str, Any]) -> None:
        self._stdin.write(json.dumps(message).encode() + b"\n")
        self._stdin.flush()

    def receive(self, seconds: float) -> tuple[dict[str, Any], bytes]:
        """The next frame; TimeoutError after that long without a byte, EOFError when the child is gone."""
        self._fill_until(lambda: b"\n" in self._buffer, seconds)
        line, _, rest = self._buffer.partition(b"\n")
        frame = json.loads(line)
        self._buffer = rest
        n_bytes = frame.get("body_bytes", 0)
        self._fill_until(lambda: len(self._buffer) >= n_bytes, seconds)
        body = bytes(self._buffer[:n_bytes])
        del self._buffer[:n_bytes]
        return frame, body

    def end(self) -> None:
        """End the process; whoever is receiving from it meets the end of its output."""
        self._process.kill()

    def reap(self) -> str:
        """Wait for the process, which is ending, close the pipes, and say how it ended."""
        try:
            status = self._process.wait(1)
        except subprocess.TimeoutExpired:
            self.end()
            status = self._process.wait()
        self._selector.close()
        for pipe in (self._stdin, self._stdout):
            with contextlib.suppress(OSError):
                pipe.close()
        return f"signal {signal.Signals(-status).name}" if status < 0 else f"exit status {status}"

    def _fill_until(self, enough: Callable[[], bool], seconds: float) -> None:
        while not enough():
            if not self._selector.select(seconds):
                raise TimeoutError
            data = os.read(self._stdout.fileno(), 1 << 20)
            if not data:
                raise EOFError("it closed its output")
            self._buffer += data
