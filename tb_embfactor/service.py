"""What the tab asks for, as plain data: from memory, from the cache, or from the worker.

Thread-safe: TensorBoard's server calls it from many threads. Nothing here parses a file of a log directory or
computes; the worker does, and this module never waits for it longer than it was told to.
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
from tb_embfactor.catalogue import Catalogue, Listing
from tb_embfactor.errors import EmbfactorError, NotFoundError
from tb_embfactor.messages import Message
from tb_embfactor.worker import Settings
from tb_embfactor.worker.process import Job, Rank, Worker

_MEMORY_BYTES = 64 << 20
_KEPT = ("spectrum", "movement", "points")  # tasks whose answers depend on their key alone
_PASSING = ("cancelled", "worker_unavailable", "file_changed", "file_truncated", "file_missing")  # may succeed when asked again
_SPECTRA = ("singular_values", "error_bound", "centered_singular_values", "centered_error_bound")
ASKED, VIEWED, BACKGROUND = range(3)  # what somebody waits for, the series of the open view, the overview; the newest first
UNASKED_BYTES = 2 << 30
SAMPLES = 12  # checkpoints of a run that the overview looks at
ANSWERS = 2  # part of every key: raise it when an answer changes


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
        self._lock = threading.Lock()
        self._catalogue = Catalogue(settings, self._worker, self._has_results)
        self._clock = itertools.count(1)
        self._summaries: dict[str, dict[str, Any]] = {}  # the named numbers of known spectra, by key
        self.start_scan = self._catalogue.start_scan

    @property
    def listing(self) -> Listing:
        """The log directory as last scanned."""
        return self._catalogue.listing

    @property
    def is_scanning(self) -> bool:
        return self._catalogue.is_scanning

    def catalogue(self, since: str | None = None) -> dict[str, Any]:
        """What the log directory holds; starts a scan when the last one is not recent."""
        self.start_scan()
        snapshot = self.listing.document
        if since and since == snapshot["version"]:
            return {"version": since, "state": snapshot["state"], "unchanged": True}
        return snapshot

    def is_active(self) -> bool:
        """True while the first scan runs and whenever there is something to show, a problem included."""
        snapshot = self.listing.document
        if snapshot["state"] == "ready" and not snapshot["runs"]:
            self.start_scan(max_age_seconds=5)
        return snapshot["state"] == "scanning" or any(snapshot[part] for part in ("runs", "problems", "error"))

    def spectra(self, run: str, matrix: str, transform: str = "", first: str | None = None, ask: bool = False) -> bytes:
        """All spectra of a matrix along a run as far as they are known; the rest is queued. Never waits.

        A matrix of more than `UNASKED_BYTES` is factored only when somebody asks for it.
        """
        import numpy as np

        from tb_embfactor import arrays

        series = self.listing.series(run, matrix)
        shape = [max(listed["shape"][axis] for _, listed in series) for axis in (0, 1)]
        tensors = {name: np.full((len(series), min(shape)), np.nan) for name in _SPECTRA}
        entries, n_pending, now = [], 0, next(self._clock)
        for index, (checkpoint, listed) in enumerate(series):
            names = {"run": run, "checkpoint": checkpoint["checkpoint"], "matrix": matrix}
            entry = {"checkpoint": checkpoint["checkpoint"], "step": checkpoint["step"], "state": "pending", "error": None}
            rank = (VIEWED, -now, 0 if checkpoint["checkpoint"] == first else index + 1)
            body = self._background(
                "spectrum", checkpoint, {**names, "transform": transform}, None if waits(listed) and not ask else rank
            )
            if isinstance(body, bytes):
                values, numbers = arrays.decode(body)
                for name in _SPECTRA:
                    tensors[name][index, : len(values[name])] = values[name]
                rows_unmoved, is_comparing = (
                    (None, False) if transform else self._movement(names, checkpoint, listed, series[0], rank)
                )
                numbers["metrics"]["rows_unmoved"] = rows_unmoved
                n_pending += is_comparing
                entry |= {
                    "state": "done",
                    **numbers,
                    "verdicts": _verdicts(numbers["metrics"], listed, index == 0 < len(series) - 1),
                }
            elif body is not None:
                entry |= {"state": "failed", "error": body.message.to_json()}
            elif (
                waits(listed)
                and not ask
                and not self._worker.has(self._key("spectrum", checkpoint, {**names, "transform": transform}))
            ):
                entry |= {"state": "waiting", "bytes": n_bytes(listed), "expected_seconds": expected_seconds(listed)}
            else:
                n_pending += 1
            entries.append(entry)
        info = {
            "run": run,
            "matrix": matrix,
            "transform": transform,
            "shape": shape,
            "n_pending": n_pending,
            "checkpoints": entries,
        }
        return arrays.encode(tensors, info)

    def _movement(
        self, names: dict[str, Any], checkpoint: dict[str, Any], listed: dict[str, Any], earliest: tuple[Any, Any], rank: Rank
    ) -> tuple[int | None, bool]:
        """How many rows are still what they were at the earliest checkpoint, and whether that is being found out."""
        from tb_embfactor.arrays import decode_info

        first, first_listed = earliest
        if first["checkpoint"] == checkpoint["checkpoint"] or first["gone"] or first_listed["shape"] != listed["shape"]:
            return None, False
        body = self._background(
            "movement", checkpoint, {**names, "first": first["checkpoint"]}, rank, first_at=first["fingerprint"]
        )
        return (decode_info(body)["rows_unmoved"] if isinstance(body, bytes) else None), body is None

    def overview(self, roles: tuple[str, ...] = ("embedding",)) -> dict[str, Any]:
        """Every matrix × run with its numbers at the last checkpoint, what they mean, and a few values along the run.

        Most troubled first. What is not known is queued behind all that somebody looks at: the last checkpoint of each matrix
        first, then the first one, then those between, at most `SAMPLES` of a run. A matrix of more than `UNASKED_BYTES` is only
        listed, with what is known of it. Never waits.
        """
        from tb_embfactor.analysis.verdicts import SEVERITY

        listing = self.listing
        items = []
        for run in listing.document["runs"]:
            for matrix, listed in listing.matrices(run["run"]).items():
                if listed["role"] in roles:
                    items.append(self._overview_item(run["run"], matrix, listing.series(run["run"], matrix)))
        items.sort(key=lambda item: -max((SEVERITY[verdict["code"]] for verdict in item["verdicts"]), default=-1))
        return {"version": listing.document["version"], "n_pending": sum(item.pop("n_pending") for item in items), "items": items}

    def _overview_item(self, run: str, matrix: str, series: list[tuple[dict[str, Any], dict[str, Any]]]) -> dict[str, Any]:
        steps, ranks, n_pending = [], [], 0
        last, listed = series[-1]
        item: dict[str, Any] = {
            "run": run,
            "matrix": matrix,
            **{name: listed[name] for name in ("shape", "dtype", "role", "layer")},
        }
        item |= {"checkpoint": last["checkpoint"], "step": last["step"], "n_checkpoints": len(series)}
        item |= {"state": "pending", "error": None, "metrics": {}, "verdicts": []}
        is_large = waits(listed)
        if is_large:
            item |= {"state": "waiting", "bytes": n_bytes(listed), "expected_seconds": expected_seconds(listed)}
        for turn, index in enumerate(_sample(len(series))):
            checkpoint, listed = series[index]
            names = {"run": run, "checkpoint": checkpoint["checkpoint"], "matrix": matrix}
            params = {**names, "transform": ""}
            numbers = self._summary(checkpoint, params, None if is_large else (BACKGROUND, min(turn, 2)))
            if numbers is None:
                n_pending += not is_large or self._worker.has(self._key("spectrum", checkpoint, params))
            elif isinstance(numbers, EmbfactorError):
                if index == len(series) - 1:
                    item |= {"state": "failed", "error": numbers.message.to_json()}
            else:
                steps.append((index, checkpoint["step"]))
                ranks.append((index, numbers["effective_rank"]))
                if index == len(series) - 1:
                    rows_unmoved, is_comparing = (
                        (None, False) if is_large else self._movement(names, checkpoint, listed, series[0], (BACKGROUND, 1))
                    )
                    n_pending += is_comparing
                    known = {**numbers, "rows_unmoved": rows_unmoved}
                    item |= {"state": "done", "metrics": known, "verdicts": _verdicts(known, listed, False)}
        if item["state"] == "waiting" and n_pending:
            item["state"] = "pending"
        trend = {"steps": [step for _, step in sorted(steps)], "effective_rank": [rank for _, rank in sorted(ranks)]}
        return item | {"trend": trend, "n_pending": n_pending}

    def _summary(
        self, checkpoint: dict[str, Any], params: dict[str, Any], rank: Rank | None
    ) -> dict[str, Any] | EmbfactorError | None:
        """The named numbers of a spectrum, which are kept for good: the overview asks for all of them every few seconds."""
        from tb_embfactor.arrays import decode_info

        key = self._key("spectrum", checkpoint, params)
        if key not in self._summaries:
            if self._worker.has(key):
                return None
            body = self._background("spectrum", checkpoint, params, rank)
            if not isinstance(body, bytes):
                return body
            self._summaries[key] = decode_info(body)["metrics"]
        return self._summaries[key]

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
        found, _ = self.listing.find(run, checkpoint, matrix)
        axes_at = self.listing.find(run, axes, matrix)[0]["fingerprint"] if axes is not None else None
        params: dict[str, Any] = {"run": run, "checkpoint": checkpoint, "matrix": matrix, "transform": transform}
        params |= {"method": method, "n_components": n_components, "axes": axes}
        key = self._key("points", found, params, axes_at=axes_at)
        body = self._known(key)
        if body is not None:
            return body
        if key in self._failed:
            raise self._failed[key]
        return self._read("points", {**params, "key": key}, wait_seconds, key)

    def labels(self, run: str, checkpoint: str, matrix: str, wait_seconds: float = 10.0) -> dict[str, Any] | Pending:
        """The label columns of a matrix; not cached, for a label file changes without the checkpoint."""
        self.listing.find(run, checkpoint, matrix)
        body = self._read("labels", {"run": run, "checkpoint": checkpoint, "matrix": matrix}, wait_seconds)
        return json.loads(body) if isinstance(body, bytes) else body

    def tensor(self, run: str, checkpoint: str, matrix: str, stop: int, wait_seconds: float = 10.0) -> bytes | Pending:
        """The first `stop` rows as raw float32, for the standard projector."""
        self.listing.find(run, checkpoint, matrix)
        return self._read("tensor", {"run": run, "checkpoint": checkpoint, "matrix": matrix, "stop": stop}, wait_seconds)

    def rows(self, run: str, checkpoint: str, matrix: str, start: int, stop: int, wait_seconds: float = 10.0) -> bytes | Pending:
        """Rows of a matrix as stored."""
        self.listing.find(run, checkpoint, matrix)
        params = {"run": run, "checkpoint": checkpoint, "matrix": matrix, "start": start, "stop": stop}
        return self._read("rows", params, wait_seconds)

    def status(self) -> dict[str, Any]:
        return self._worker.status()

    def cancel(self, job: str) -> dict[str, Any]:
        return {"cancelled": self._worker.cancel(job)}

    def pause(self, on: bool) -> dict[str, Any]:
        """Compute only what somebody waits for, or go on with all."""
        self._worker.pause(VIEWED if on else None)
        return self.status()

    def close(self) -> None:
        self._worker.close()

    # --- from memory, cache or worker

    def _background(
        self, task: str, checkpoint: dict[str, Any], params: dict[str, Any], rank: Rank | None, **more: Any
    ) -> bytes | EmbfactorError | None:
        """An answer that is known, or why there is none; None when it was queued, if there is a rank to queue it with."""
        key = self._key(task, checkpoint, params, **more)
        body = self._known(key)
        if body is not None:
            return body
        if key in self._failed:
            return self._failed[key]
        if checkpoint["gone"]:
            return NotFoundError("gone", checkpoint=checkpoint["checkpoint"])
        if rank is not None:
            self._submit(task, {**params, "key": key}, key, rank)
        return None

    def _read(self, task: str, params: dict[str, Any], wait_seconds: float, key: str | None = None) -> bytes | Pending:
        """Bytes from the worker; without a key they are read anew each time."""
        job = self._submit(task, params, key or json.dumps([task, *params.values()]), (ASKED, -next(self._clock)))
        if job.wait(wait_seconds):
            return job.result()[1]
        return Pending(job.id, job.title, job.progress, self._worker.queued_before(job))

    def _submit(self, task: str, params: dict[str, Any], key: str, rank: Rank) -> Job:
        title = Message(f"task_{task}", {"matrix": params["matrix"], "checkpoint": params["checkpoint"]})
        return self._worker.submit(task, params, title, key, rank, on_done=self._take)

    def _take(self, job: Job) -> None:
        if job.task not in _KEPT:
            return
        try:
            self._remember(job.key, job.result()[1])
        except EmbfactorError as error:
            if error.code not in _PASSING:
                with self._lock:
                    self._failed[job.key] = error

    def _known(self, key: str) -> bytes | None:
        with self._lock:
            if key in self._memory:
                self._memory.move_to_end(key)
                return self._memory[key]
        body = self._cache.get("results", key)
        if body is not None:
            self._remember(key, body)
        return body

    def _has_results(self, run: str, checkpoint: dict[str, Any], matrices: list[dict[str, Any]]) -> bool:
        params = (
            {"run": run, "checkpoint": checkpoint["checkpoint"], "matrix": item["matrix"], "transform": ""} for item in matrices
        )
        return any(self._known(self._key("spectrum", checkpoint, each)) is not None for each in params)

    def _remember(self, key: str, body: bytes) -> None:
        with self._lock:
            self._memory[key] = body
            while len(self._memory) > 1 and sum(map(len, self._memory.values())) > _MEMORY_BYTES:
                self._memory.popitem(last=False)

    def _key(self, kind: str, checkpoint: dict[str, Any], params: dict[str, Any], **more: Any) -> str:
        asked = {
            name: value for name, value in params.items() if name not in ("run", "checkpoint")
        }  # the fingerprint stands for them
        return cache.key(kind=kind, checkpoint=checkpoint["fingerprint"], version=ANSWERS, **asked, **more)


def n_bytes(listed: dict[str, Any]) -> int:
    """What a pass over a listed matrix reads."""
    digits = "".join(character for character in listed["dtype"].partition("_")[0] if character.isdigit())
    return int(listed["shape"][0] * listed["shape"][1] * max(8, int(digits or 32)) // 8)


def waits(listed: dict[str, Any]) -> bool:
    """Whether a matrix is too large to be factored unasked."""
    return n_bytes(listed) > UNASKED_BYTES


def expected_seconds(listed: dict[str, Any]) -> int:
    """A cautious guess for one pass: 10 GFLOP/s, 0.5 GB/s."""
    long_side, short_side = max(listed["shape"]), min(listed["shape"])
    return round(long_side * short_side**2 / 1e10 + n_bytes(listed) / 5e8)


def _sample(n: int) -> list[int]:
    """Indices of at most SAMPLES of n checkpoints, evenly spread: the last, the first, then those between."""
    between = sorted({round(index * (n - 1) / (SAMPLES - 1)) for index in range(SAMPLES)} - {0, n - 1})
    return list(dict.fromkeys([n - 1, 0, *between]))


def _verdicts(numbers: dict[str, Any], listed: dict[str, Any], is_first: bool) -> list[dict[str, Any]]:
    from tb_embfactor.analysis.verdicts import verdicts

    found = verdicts(numbers, listed["shape"], numbers["rows_unmoved"], is_first)
    return [message.to_json() for message in found]
