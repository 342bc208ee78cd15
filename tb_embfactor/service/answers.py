"""Answers of the worker, each under the key of everything it depends on: from memory, from the cache, or queued.

Thread-safe. `wait` is for what somebody waits for, `queue` for what is computed meanwhile, `read` for what is not kept.
"""

from __future__ import annotations

import itertools
import json
import threading
from collections import OrderedDict
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tb_embfactor import cache
from tb_embfactor.errors import EmbfactorError, NotFoundError
from tb_embfactor.messages import Message
from tb_embfactor.worker.process import Job, Rank, Worker

GLANCE, ASKED, VIEWED, BACKGROUND = range(4)
"""The order of work: a sample of what is looked at, what somebody waits for, the series of the open view, the overview.

Within each the newest comes first.
"""
ANSWERS = 4  # part of every key: raise it when an answer changes
_MEMORY_BYTES = 64 << 20
_PASSING = (  # may succeed when asked again
    "cancelled", "worker_unavailable", "file_changed", "file_truncated", "file_missing", "copy_failed",
)  # fmt: skip


@dataclass(frozen=True)
class Pending:
    """The answer is being computed: ask again."""

    job: str
    task: Message
    progress: float | None
    queued_before: int

    def to_json(self) -> dict[str, Any]:
        return {
            "pending": {
                "job": self.job,
                "task": self.task.to_json(),
                "progress": self.progress,
                "queued_before": self.queued_before,
            }
        }


class Answers:
    """params, everywhere: the parameters of a task; `run`, `checkpoint` and `matrix` are among them."""

    def __init__(self, worker: Worker, cache_directory: str | None) -> None:
        self._worker = worker
        self._cache = cache.Cache(Path(cache_directory) if cache_directory else None)
        self._memory: OrderedDict[str, bytes] = OrderedDict()
        self._n_bytes = 0  # of all in memory: a series remembers hundreds of answers at a time
        self._failed: dict[str, EmbfactorError] = {}  # by key: what would only fail again
        self._lock = threading.Lock()
        self._clock = itertools.count(1)

    def tick(self) -> int:
        """The time of a request, for ranks: a later one has a larger number."""
        return next(self._clock)

    @staticmethod
    def key(task: str, checkpoint: dict[str, Any], params: dict[str, Any], **more: Any) -> str:
        """The key of an answer. more : what it depends on besides the checkpoint and the parameters."""
        # The fingerprint stands for run and checkpoint.
        asked = {name: value for name, value in params.items() if name not in ("run", "checkpoint")}
        return cache.key(kind=task, checkpoint=checkpoint["fingerprint"], version=ANSWERS, **asked, **more)

    def known(self, key: str) -> bytes | None:
        with self._lock:
            if key in self._memory:
                self._memory.move_to_end(key)
                return self._memory[key]
        body = self._cache.get("results", key)
        if body is not None:
            self._remember(key, body)
        return body

    def is_queued(self, key: str) -> bool:
        """Whether it is queued or being computed."""
        return self._worker.has(key)

    def wait(
        self,
        task: str,
        checkpoint: dict[str, Any],
        params: dict[str, Any],
        seconds: float,
        level: int = ASKED,
        **more: Any,
    ) -> bytes | Pending:
        """An answer, or `Pending` when it is not there after that many seconds; raises the error that it failed with."""
        key = self.key(task, checkpoint, params, **more)
        body = self.known(key)
        if body is not None:
            return body
        if key in self._failed:
            raise self._failed[key]
        return self._wait(self._submit(task, {**params, "key": key}, key, (level, -self.tick())), seconds)

    def queue(
        self, task: str, checkpoint: dict[str, Any], params: dict[str, Any], rank: Rank | None, **more: Any
    ) -> bytes | EmbfactorError | None:
        """An answer that is known, or why there is none; None when it was queued, if there is a rank to queue it with."""
        key = self.key(task, checkpoint, params, **more)
        body = self.known(key)
        if body is not None:
            return body
        if key in self._failed:
            return self._failed[key]
        if checkpoint["gone"]:
            return NotFoundError("gone", checkpoint=checkpoint["checkpoint"])
        if rank is not None:
            self._submit(task, {**params, "key": key}, key, rank)
        return None

    def read(self, task: str, params: dict[str, Any], seconds: float) -> bytes | Pending:
        """Bytes that are read anew each time."""
        job = self._worker.submit(task, params, _title(task, params), json.dumps([task, *params.values()]), (ASKED, -self.tick()))
        return self._wait(job, seconds)

    def _submit(self, task: str, params: dict[str, Any], key: str, rank: Rank) -> Job:
        return self._worker.submit(task, params, _title(task, params), key, rank, on_done=self._take)

    def _wait(self, job: Job, seconds: float) -> bytes | Pending:
        if job.wait(seconds):
            return job.result()[1]
        return Pending(job.id, job.title, job.progress, self._worker.queued_before(job))

    def _take(self, job: Job) -> None:
        try:
            self._remember(job.key, job.result()[1])
        except EmbfactorError as error:
            if error.code not in _PASSING:
                with self._lock:
                    self._failed[job.key] = error

    def _remember(self, key: str, body: bytes) -> None:
        with self._lock:
            self._n_bytes += len(body) - len(self._memory.pop(key, b""))
            self._memory[key] = body
            while len(self._memory) > 1 and self._n_bytes > _MEMORY_BYTES:
                self._n_bytes -= len(self._memory.popitem(last=False)[1])


def _title(task: str, params: dict[str, Any]) -> Message:
    return Message(f"task_{task}", {"matrix": params["matrix"], "checkpoint": params["checkpoint"]})
