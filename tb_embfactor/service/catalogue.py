"""What the log directory holds, as last scanned, kept in the parent as plain data."""

from __future__ import annotations

import hashlib
import json
import threading
import time
from collections.abc import Callable
from typing import Any

from tb_embfactor.errors import EmbfactorError, NotFoundError, WorkerError
from tb_embfactor.messages import Message
from tb_embfactor.worker import Settings
from tb_embfactor.worker.process import Job, Worker, messages_json

RESCAN_SECONDS = 2.0
_SHOWN = 8  # how many names an error lists


class Listing:
    """The document of one scan, and look-ups in it by name."""

    def __init__(self, document: dict[str, Any]) -> None:
        self.document = document
        self._matrices_of = [{item["matrix"]: item for item in matrices} for matrices in document["signatures"]]

    def run(self, run: str) -> list[dict[str, Any]]:
        """The checkpoints of a run, in order; NotFoundError names the runs there are."""
        runs = {item["run"]: item["checkpoints"] for item in self.document["runs"]}
        if run not in runs:
            raise NotFoundError("unknown_run", run=run, known=_some(runs))
        return runs[run]

    def find(self, run: str, checkpoint: str, matrix: str) -> tuple[dict[str, Any], dict[str, Any]]:
        """A checkpoint and a matrix of it, by name."""
        by_id = {item["checkpoint"]: item for item in self.run(run)}
        if checkpoint not in by_id:
            raise NotFoundError("unknown_checkpoint", run=run, checkpoint=checkpoint, known=_some(by_id))
        found = by_id[checkpoint]
        entry = self._entry(found, matrix)
        if entry is None:
            raise NotFoundError("unknown_matrix", checkpoint=checkpoint, matrix=matrix, known=_some(self._listed(found)))
        return found, entry

    def matrices(self, run: str) -> dict[str, dict[str, Any]]:
        """Every matrix of a run by name, as its last checkpoint that has it lists it."""
        return {name: item for each in self.run(run) for name, item in self._listed(each).items()}

    def _listed(self, checkpoint: dict[str, Any]) -> dict[str, dict[str, Any]]:
        return self._matrices_of[checkpoint["signature"]]

    def _entry(self, checkpoint: dict[str, Any], matrix: str) -> dict[str, Any] | None:
        """What is listed of a matrix, or follows from what is listed of those that it is made of."""
        from tb_embfactor.logdir.derived import evaluate, join_listed

        listed = self._listed(checkpoint)
        if matrix in listed:
            return listed[matrix]
        try:
            return evaluate(matrix, listed.__getitem__, join_listed)
        except KeyError:
            return None

    def series(self, run: str, matrix: str) -> list[tuple[dict[str, Any], dict[str, Any]]]:
        """The checkpoints of a run that have a matrix, with what is listed of it there."""
        checkpoints = self.run(run)
        found = [(each, entry) for each in checkpoints if (entry := self._entry(each, matrix)) is not None]
        if not found:
            known = dict.fromkeys(name for each in checkpoints for name in self._listed(each))
            raise NotFoundError("unknown_matrix", checkpoint=run, matrix=matrix, known=_some(known))
        return found


class Catalogue:
    """The listing as it is now. Scans in the background, by the worker.

    keeps : asked for each checkpoint that is no longer on disk, with its run and its matrices, whether it stays listed as gone.
    """

    def __init__(
        self, settings: Settings, worker: Worker, keeps: Callable[[str, dict[str, Any], list[dict[str, Any]]], bool]
    ) -> None:
        self._worker = worker
        self._keeps = keeps
        self._lock = threading.Lock()
        self._job: Job | None = None
        self._scanned_at = 0.0
        document: dict[str, Any] = {
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
        self.listing = Listing(document)

    def start_scan(self, max_age_seconds: float = RESCAN_SECONDS) -> None:
        """Scan in the background, unless that is being done or was done just now."""
        with self._lock:
            if self._job is not None or time.monotonic() - self._scanned_at < max_age_seconds:
                return
            params = {"set_aside": messages_json(self._worker.set_aside)}
            self._job = self._worker.submit("scan", params, Message("task_scan"), key="scan", rank=(-1,), on_done=self._take)

    @property
    def is_scanning(self) -> bool:
        return self._job is not None

    def _take(self, job: Job) -> None:
        """Take in the scan, or set aside the file that its parser died of and scan once more."""
        document: dict[str, Any] | None = None
        error: EmbfactorError | None = None
        try:
            document = job.result()[0]
        except EmbfactorError as raised:
            error = raised
            if isinstance(raised, WorkerError) and job.opening and job.opening not in self._worker.set_aside:
                self._set_aside(job.opening, raised)
                threading.Thread(target=self._scan_again, name="embfactor-scan", daemon=True).start()
                return
        content = self._next(document, error)
        with self._lock:
            self._job = None
            self._scanned_at = time.monotonic()
            self.listing = Listing(content)

    def _set_aside(self, opening: str, error: WorkerError) -> None:
        path = opening.partition(" ")[2]  # the key is the state of the files, a space, and the path
        how = "took too long" if error.code == "worker_timeout" else "ended the worker process"
        self._worker.set_aside[opening] = Message("set_aside", {"path": path, "how": how})

    def _scan_again(self) -> None:
        with self._lock:
            self._job = None
        self.start_scan(0)

    def _next(self, document: dict[str, Any] | None, error: EmbfactorError | None) -> dict[str, Any]:
        content = self.listing.document | (document or {"error": error.message.to_json() if error else None})
        if document:
            self._keep_gone(self.listing.document, content)
        content |= {"version": "", "state": "ready"}
        text = json.dumps(content, sort_keys=True)
        return content | {"version": hashlib.blake2b(text.encode(), digest_size=8).hexdigest()}

    def _keep_gone(self, before: dict[str, Any], now: dict[str, Any]) -> None:
        """Checkpoints that were rotated away stay, marked as gone, while a result of theirs is known."""
        for run in before["runs"]:
            current = next((item for item in now["runs"] if item["run"] == run["run"]), None)
            here = {checkpoint["checkpoint"] for checkpoint in current["checkpoints"]} if current else set()
            for checkpoint in run["checkpoints"]:
                matrices = before["signatures"][checkpoint["signature"]]
                if checkpoint["checkpoint"] in here or not self._keeps(run["run"], checkpoint, matrices):
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
