"""What the tab asks for, as plain data: from memory, from the cache, or from the worker.

Thread-safe: TensorBoard's server calls it from many threads. Nothing here parses a file of a log directory or
computes; the worker does, and this module never waits for it longer than it was told to.
"""

from __future__ import annotations

import hashlib
import json
import threading
import time
from collections import OrderedDict
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tb_embfactor import cache
from tb_embfactor.errors import EmbfactorError, NotFoundError, WorkerError
from tb_embfactor.messages import Message
from tb_embfactor.worker import Settings
from tb_embfactor.worker.process import Job, Worker, messages_json

RESCAN_SECONDS = 2.0
_MEMORY_BYTES = 64 << 20
_SHOWN = 8  # how many names an error lists
_KEPT = ("spectrum", "points")  # tasks whose answers depend on their key alone
_PASSING = ("cancelled", "worker_unavailable", "file_changed", "file_truncated", "file_missing")  # may succeed when asked again
ANSWERS = 1  # part of every key: raise it when an answer changes


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


class Service:
    """One log directory, its catalogue and its answers."""

    def __init__(self, settings: Settings, worker: Worker | None = None) -> None:
        self._worker = worker or Worker(settings)
        self._cache = cache.Cache(Path(settings.cache_directory) if settings.cache_directory else None)
        self._memory: OrderedDict[str, bytes] = OrderedDict()
        self._failed: dict[str, EmbfactorError] = {}  # by key: what would only fail again
        self._lock = threading.RLock()
        self._scan_job: Job | None = None
        self._scanned_at = 0.0
        self._catalogue: dict[str, Any] = {
            "version": "",
            "state": "scanning",
            "logdir": settings.logdir or settings.logdir_spec,
            "error": None,
            "scanned": {"n_runs": 0, "n_directories": 0, "n_files": 0, "n_checkpoints": 0},
            "signatures": [],
            "runs": [],
            "problems": [],
            "hints": [],
        }

    # --- the catalogue

    def start_scan(self, max_age_seconds: float = RESCAN_SECONDS) -> None:
        """Scan in the background, unless that is being done or was done just now."""
        with self._lock:
            if self._scan_job is not None or time.monotonic() - self._scanned_at < max_age_seconds:
                return
            params = {"set_aside": messages_json(self._worker.set_aside)}
            self._scan_job = self._worker.submit("scan", params, Message("task_scan"), key="scan")
            threading.Thread(target=self._take_scan, args=(self._scan_job,), name="embfactor-scan", daemon=True).start()

    def _take_scan(self, job: Job) -> None:
        again = False
        job.wait()
        document: dict[str, Any] | None = None
        error: EmbfactorError | None = None
        try:
            document = job.result()[0]
        except WorkerError as raised:
            error = raised
            if (
                job.opening is not None
                and job.opening not in self._worker.set_aside
                and raised.code in ("worker_died", "worker_timeout")
            ):
                path = job.opening.partition(" ")[2]  # the key is the state of the files, a space, and the path
                how = "ended the worker process" if raised.code == "worker_died" else "took too long"
                self._worker.set_aside[job.opening] = Message("set_aside", {"path": path, "how": how})
                again = True
        except EmbfactorError as raised:
            error = raised
        with self._lock:
            self._scan_job = None
            if not again:
                self._scanned_at = time.monotonic()
                self._catalogue = self._next_catalogue(document, error)
        if again:
            self.start_scan(0)

    def _next_catalogue(self, document: dict[str, Any] | None, error: EmbfactorError | None) -> dict[str, Any]:
        content = {**self._catalogue, **(document or {"error": error.message.to_json() if error else None})}
        if document:
            _keep_gone(self._catalogue, content, lambda run, checkpoint, matrix: self._known_spectrum(run, checkpoint, matrix))
        content |= {"version": "", "state": "ready"}
        text = json.dumps(content, sort_keys=True)
        return content | {"version": hashlib.blake2b(text.encode(), digest_size=8).hexdigest()}

    def catalogue(self, since: str | None = None) -> dict[str, Any]:
        self.start_scan()
        with self._lock:
            snapshot = self._catalogue
        if since and since == snapshot["version"]:
            return {"version": since, "state": snapshot["state"], "unchanged": True}
        return snapshot

    def is_active(self) -> bool:
        """True while the first scan runs and whenever there is something to show, a problem included."""
        with self._lock:
            snapshot = self._catalogue
        if snapshot["state"] == "ready" and not snapshot["runs"]:
            self.start_scan(max_age_seconds=5)
        return bool(snapshot["state"] == "scanning" or snapshot["runs"] or snapshot["problems"] or snapshot["error"])

    def find(
        self, run: str, checkpoint: str | None = None, matrix: str | None = None
    ) -> tuple[list[Any], dict[str, Any], dict[str, Any]]:
        """The run's checkpoints, the checkpoint and the matrix of these names, or NotFoundError naming those there are."""
        with self._lock:
            snapshot = self._catalogue
        runs = {item["run"]: item["checkpoints"] for item in snapshot["runs"]}
        if run not in runs:
            raise NotFoundError("unknown_run", run=run, known=_some(runs))
        if checkpoint is None:
            return runs[run], {}, {}
        by_id = {item["checkpoint"]: item for item in runs[run]}
        if checkpoint not in by_id:
            raise NotFoundError("unknown_checkpoint", run=run, checkpoint=checkpoint, known=_some(by_id))
        found = by_id[checkpoint]
        matrices = {item["matrix"]: item for item in snapshot["signatures"][found["signature"]]}
        if matrix is None:
            return runs[run], found, {}
        if matrix not in matrices:
            raise NotFoundError("unknown_matrix", checkpoint=checkpoint, matrix=matrix, known=_some(matrices))
        return runs[run], found, matrices[matrix]

    # --- answers

    def spectra(self, run: str, matrix: str, transform: str = "", first: str | None = None) -> bytes:
        """All spectra of a matrix along a run as far as they are known; the rest is queued. Never waits."""
        import numpy as np

        from tb_embfactor import arrays

        checkpoints, _, _ = self.find(run)
        with self._lock:
            signatures = self._catalogue["signatures"]
        rows = []
        for checkpoint in checkpoints:
            info = next((item for item in signatures[checkpoint["signature"]] if item["matrix"] == matrix), None)
            if info is not None:
                rows.append((checkpoint, info))
        if not rows:
            known = {item["matrix"]: None for checkpoint in checkpoints for item in signatures[checkpoint["signature"]]}
            raise NotFoundError("unknown_matrix", checkpoint=run, matrix=matrix, known=_some(known))
        shape = [max(info["shape"][axis] for _, info in rows) for axis in (0, 1)]
        names = ("singular_values", "error_bound", "centered_singular_values", "centered_error_bound")
        tensors = {name: np.full((len(rows), min(shape)), np.nan) for name in names}
        entries: list[dict[str, Any]] = []
        for index, (checkpoint, _) in enumerate(rows):
            entry: dict[str, Any] = {
                "checkpoint": checkpoint["checkpoint"],
                "step": checkpoint["step"],
                "state": "pending",
                "error": None,
            }
            key = self._key("spectrum", checkpoint, matrix, transform)
            body = self._known(key)
            if body is not None:
                arrays_of, numbers = arrays.decode(body)
                for name in names:
                    tensors[name][index, : len(arrays_of[name])] = arrays_of[name]
                entry |= {"state": "done", **numbers}
            elif key in self._failed or checkpoint["gone"]:
                error = self._failed.get(key) or NotFoundError("gone", checkpoint=checkpoint["checkpoint"])
                entry |= {"state": "failed", "error": error.message.to_json()}
            else:
                params = {
                    "run": run,
                    "checkpoint": checkpoint["checkpoint"],
                    "matrix": matrix,
                    "transform": transform,
                    "key": key,
                }
                self._submit("spectrum", params, key, urgent=checkpoint["checkpoint"] == first)
            entries.append(entry)
        info = {
            "run": run,
            "matrix": matrix,
            "transform": transform,
            "shape": shape,
            "n_pending": sum(entry["state"] == "pending" for entry in entries),
            "checkpoints": entries,
        }
        return arrays.encode(tensors, info)

    def points(
        self,
        run: str,
        checkpoint: str,
        matrix: str,
        method: str = "pca",
        n_components: int = 8,
        axes: str | None = None,
        transform: str = "",
        wait_seconds: float = 10.0,
    ) -> bytes | Pending:
        """The rows (or columns) of a matrix as points."""
        _, found, _ = self.find(run, checkpoint, matrix)
        axes_at = self.find(run, axes, matrix)[1]["fingerprint"] if axes is not None else None
        options = {"method": method, "n_components": n_components, "axes": axes}
        key = self._key("points", found, matrix, transform, axes_at=axes_at, **options)
        params = {"run": run, "checkpoint": checkpoint, "matrix": matrix, "transform": transform, "key": key, **options}
        return self._answer("points", params, wait_seconds)

    def labels(self, run: str, checkpoint: str, matrix: str, wait_seconds: float = 10.0) -> dict[str, Any] | Pending:
        """The label columns of a matrix; not cached, for a label file changes without the checkpoint."""
        self.find(run, checkpoint, matrix)
        params = {"run": run, "checkpoint": checkpoint, "matrix": matrix}
        job = self._submit("labels", params, key=json.dumps(["labels", *params.values()]))
        return job.result()[0] if job.wait(wait_seconds) else self._pending(job)

    def tensor(self, run: str, checkpoint: str, matrix: str, stop: int, wait_seconds: float = 10.0) -> bytes | Pending:
        """The first `stop` rows as raw float32, for the standard projector."""
        self.find(run, checkpoint, matrix)
        return self._read("tensor", {"run": run, "checkpoint": checkpoint, "matrix": matrix, "stop": stop}, wait_seconds)

    def rows(self, run: str, checkpoint: str, matrix: str, start: int, stop: int, wait_seconds: float = 10.0) -> bytes | Pending:
        """Rows of a matrix as stored."""
        self.find(run, checkpoint, matrix)
        return self._read(
            "rows", {"run": run, "checkpoint": checkpoint, "matrix": matrix, "start": start, "stop": stop}, wait_seconds
        )

    def status(self) -> dict[str, Any]:
        return self._worker.status()

    def cancel(self, job: str) -> dict[str, Any]:
        return {"cancelled": self._worker.cancel(job)}

    def close(self) -> None:
        self._worker.close()

    # --- from memory, cache or worker

    def _answer(self, task: str, params: dict[str, Any], wait_seconds: float) -> bytes | Pending:
        """An answer that is kept: from memory or the cache, else from the worker."""
        key = params["key"]
        body = self._known(key)
        if body is not None:
            return body
        if key in self._failed:
            raise self._failed[key]
        job = self._submit(task, params, key)
        return job.result()[1] if job.wait(wait_seconds) else self._pending(job)

    def _read(self, task: str, params: dict[str, Any], wait_seconds: float) -> bytes | Pending:
        """Bytes that the worker reads anew each time."""
        job = self._submit(task, params, key=json.dumps([task, *params.values()]))
        return job.result()[1] if job.wait(wait_seconds) else self._pending(job)

    def _submit(self, task: str, params: dict[str, Any], key: str, urgent: bool = True) -> Job:
        title = Message(f"task_{task}", {"matrix": params["matrix"], "checkpoint": params["checkpoint"]})
        return self._worker.submit(task, params, title, key, urgent, on_done=self._take_answer)

    def _take_answer(self, job: Job) -> None:
        try:
            body = job.result()[1]
        except EmbfactorError as error:
            if job.task in _KEPT and error.code not in _PASSING:
                with self._lock:
                    self._failed[job.key] = error
            return
        if job.task in _KEPT:
            self._remember(job.key, body)

    def _known(self, key: str) -> bytes | None:
        with self._lock:
            if key in self._memory:
                self._memory.move_to_end(key)
                return self._memory[key]
        body = self._cache.get("results", key)
        if body is not None:
            self._remember(key, body)
        return body

    def _known_spectrum(self, run: str, checkpoint: dict[str, Any], matrix: str) -> bool:
        return self._known(self._key("spectrum", checkpoint, matrix, "")) is not None

    def _remember(self, key: str, body: bytes) -> None:
        with self._lock:
            self._memory[key] = body
            while len(self._memory) > 1 and sum(map(len, self._memory.values())) > _MEMORY_BYTES:
                self._memory.popitem(last=False)

    def _key(self, kind: str, checkpoint: dict[str, Any], matrix: str, transform: str, **more: Any) -> str:
        return cache.key(
            kind=kind, checkpoint=checkpoint["fingerprint"], matrix=matrix, transform=transform, version=ANSWERS, **more
        )

    def _pending(self, job: Job) -> Pending:
        return Pending(job.id, job.title, job.progress, self._worker.queued_before(job))


def _keep_gone(before: dict[str, Any], now: dict[str, Any], known: Any) -> None:
    """Checkpoints that were rotated away stay in the catalogue, marked as gone, while a result of theirs is known."""
    for run in before["runs"]:
        current = next((item for item in now["runs"] if item["run"] == run["run"]), None)
        here = {checkpoint["checkpoint"] for checkpoint in current["checkpoints"]} if current else set()
        for checkpoint in run["checkpoints"]:
            if checkpoint["checkpoint"] in here:
                continue
            matrices = before["signatures"][checkpoint["signature"]]
            if not any(known(run["run"], checkpoint, matrix["matrix"]) for matrix in matrices):
                continue
            if current is None:
                current = {"run": run["run"], "checkpoints": []}
                now["runs"].append(current)
            if matrices not in now["signatures"]:
                now["signatures"].append(matrices)
            current["checkpoints"].append({**checkpoint, "gone": True, "signature": now["signatures"].index(matrices)})
            current["checkpoints"].sort(key=lambda item: (item["step"] is None, item["step"] or 0, item["wall_time"]))


def _some(names: Any) -> str:
    listed = [str(name) for name in names]
    return ", ".join(listed[:_SHOWN]) + (f", … ({len(listed)} in all)" if len(listed) > _SHOWN else "") if listed else "none"
