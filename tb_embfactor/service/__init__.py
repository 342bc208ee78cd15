"""What the tab asks for, as plain data: from memory, from the cache, or from the worker.

Thread-safe: TensorBoard's server calls it from many threads. Nothing here parses a file of a log directory or
computes; the worker does, and this room never waits for it longer than it was told to.

catalogue.py   the log directory as last scanned
answers.py     answers of the worker by key: known, queued, or waited for
series.py      the spectra of a matrix along a run
overview.py    every matrix of every run at a glance
effort.py      what a pass costs, which matrices are sampled first, and which wait until somebody asks
"""

from __future__ import annotations

import json
from contextlib import suppress
from typing import Any

from tb_embfactor.errors import MatrixError
from tb_embfactor.service.answers import GLANCE, VIEWED, Answers, Pending
from tb_embfactor.service.catalogue import Catalogue, Listing
from tb_embfactor.service.overview import overview
from tb_embfactor.service.series import Series, Step
from tb_embfactor.worker import Settings
from tb_embfactor.worker.process import Worker

__all__ = ["Pending", "Service"]


class Service:
    """One log directory, its catalogue and its answers."""

    def __init__(self, settings: Settings, worker: Worker | None = None) -> None:
        self._worker = worker or Worker(settings)
        self._answers = Answers(self._worker, settings.cache_directory)
        self._series = Series(self._answers)
        self._catalogue = Catalogue(settings, self._worker, self._has_results)
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

        A matrix of more than `effort.UNASKED_BYTES` is factored only when somebody asks for it.
        """
        return self._series.spectra(_steps(self.listing, run, matrix), transform, first, ask)

    def overview(self, roles: tuple[str, ...] = ("embedding",)) -> dict[str, Any]:
        """Every matrix × run with its numbers at the last checkpoint, most troubled first. Never waits."""
        listing = self.listing
        along_runs = (
            _steps(listing, run["run"], matrix)
            for run in listing.document["runs"]
            for matrix, listed in listing.matrices(run["run"]).items()
            if listed["role"] in roles
        )
        return {"version": listing.document["version"], **overview(self._series, along_runs)}

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
        **more: Any,
    ) -> bytes | Pending:
        """The rows (or columns) of a matrix as points. more : `column`, `between`, `seed`, `with_quality`, see `project`."""
        names = {"run": run, "checkpoint": checkpoint, "matrix": matrix}
        params = {"transform": transform, "method": method, "n_components": n_components, "axes": axes, **more}
        if more.get("column") is not None:  # not kept: a label file changes without the checkpoint
            self.listing.find(**names)
            return self._answers.read("points", {**names, **params, "key": ""}, wait_seconds)
        axes_at = self._fingerprint(run, axes, matrix)
        return self._computed("points", names, params, wait_seconds, axes_at=axes_at)

    def first_points(
        self, run: str, checkpoint: str, matrix: str, transform: str = "", wait_seconds: float = 10.0
    ) -> bytes | Pending | None:
        """A sample of the rows on principal axes that it suggests, where all of them take long and are not known; else None."""
        names = {"run": run, "checkpoint": checkpoint, "matrix": matrix}
        found, listed = self.listing.find(**names)
        if self._series.is_sampled(Step(run, matrix, found, listed), transform):
            with suppress(MatrixError):  # a sample that tells nothing
                return self._computed("estimated_points", names, {"transform": transform}, wait_seconds, level=GLANCE)
        return None

    def ranks(
        self, run: str, checkpoint: str, matrix: str, transform: str = "", wait_seconds: float = 10.0
    ) -> dict[str, Any] | Pending:
        """How many directions to keep, by every rule."""
        names = {"run": run, "checkpoint": checkpoint, "matrix": matrix}
        return _document(self._computed("ranks", names, {"transform": transform}, wait_seconds))

    def compare(
        self,
        run: str,
        checkpoint: str,
        matrix: str,
        other: dict[str, str],
        match: str = "index",
        transform: str = "",
        n_top: int = 10,
        seed: int = 0,
        wait_seconds: float = 10.0,
    ) -> dict[str, Any] | Pending:
        """How alike two matrices are over the rows that they share. other : run, checkpoint and matrix of the second."""
        names = {"run": run, "checkpoint": checkpoint, "matrix": matrix}
        params = {"transform": transform, "other": other, "match": match, "n_top": n_top, "seed": seed}
        then = self.listing.find(**other)[0]["fingerprint"]
        if match == "label":  # not kept: a label file changes without the checkpoint
            self.listing.find(**names)
            return _document(self._answers.read("compare", {**names, **params, "key": ""}, wait_seconds))
        return _document(self._computed("compare", names, params, wait_seconds, other_at=then))

    def neighbors(
        self,
        run: str,
        checkpoint: str,
        matrix: str,
        rows: list[int],
        k: int = 10,
        metric: str = "cosine",
        transform: str = "",
        wait_seconds: float = 10.0,
    ) -> dict[str, Any] | Pending:
        """The nearest rows of some rows, by index, for a label file changes without the checkpoint."""
        names = {"run": run, "checkpoint": checkpoint, "matrix": matrix}
        params = {"transform": transform, "rows": rows, "k": k, "metric": metric}
        return _document(self._computed("neighbors", names, params, wait_seconds))

    def sparsity(
        self, run: str, checkpoint: str, matrix: str, transform: str = "", wait_seconds: float = 10.0
    ) -> dict[str, Any] | Pending:
        """Zeros of a matrix, and what pruning by magnitude would cost."""
        names = {"run": run, "checkpoint": checkpoint, "matrix": matrix}
        return _document(self._computed("sparsity", names, {"transform": transform}, wait_seconds))

    def factors(
        self,
        run: str,
        checkpoint: str,
        matrix: str,
        method: str = "pca",
        k: int = 8,
        transform: str = "",
        n_top: int = 10,
        seed: int = 0,
        reference: str | None = None,
        wait_seconds: float = 10.0,
    ) -> dict[str, Any] | Pending:
        """The factors of a matrix; the rows of each by index, for a label file changes without the checkpoint."""
        reference_at = self._fingerprint(run, reference, matrix)
        names = {"run": run, "checkpoint": checkpoint, "matrix": matrix}
        params = {"transform": transform, "method": method, "k": k, "n_top": n_top, "seed": seed, "reference": reference}
        return _document(self._computed("factors", names, params, wait_seconds, reference_at=reference_at))

    def labels(self, run: str, checkpoint: str, matrix: str, wait_seconds: float = 10.0) -> dict[str, Any] | Pending:
        """The label columns of a matrix; not cached, for a label file changes without the checkpoint."""
        self.listing.find(run, checkpoint, matrix)
        body = self._answers.read("labels", {"run": run, "checkpoint": checkpoint, "matrix": matrix}, wait_seconds)
        return json.loads(body) if isinstance(body, bytes) else body

    def tensor(self, run: str, checkpoint: str, matrix: str, stop: int, wait_seconds: float = 10.0) -> bytes | Pending:
        """The first `stop` rows as raw float32, for the standard projector."""
        self.listing.find(run, checkpoint, matrix)
        return self._answers.read("tensor", {"run": run, "checkpoint": checkpoint, "matrix": matrix, "stop": stop}, wait_seconds)

    def rows(self, run: str, checkpoint: str, matrix: str, start: int, stop: int, wait_seconds: float = 10.0) -> bytes | Pending:
        """Rows of a matrix as stored."""
        self.listing.find(run, checkpoint, matrix)
        params = {"run": run, "checkpoint": checkpoint, "matrix": matrix, "start": start, "stop": stop}
        return self._answers.read("rows", params, wait_seconds)

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

    def _computed(
        self, task: str, names: dict[str, str], params: dict[str, Any], wait_seconds: float, **more: Any
    ) -> bytes | Pending:
        """An answer about one matrix that depends on its key alone."""
        checkpoint, listed = self.listing.find(**names)
        self._series.glance(Step(names["run"], names["matrix"], checkpoint, listed), params["transform"])
        return self._answers.wait(task, checkpoint, {**names, **params}, wait_seconds, **more)

    def _fingerprint(self, run: str, checkpoint: str | None, matrix: str) -> str | None:
        """Of the checkpoint beside which another is looked at, if there is one."""
        return None if checkpoint is None else self.listing.find(run, checkpoint, matrix)[0]["fingerprint"]

    def _has_results(self, run: str, checkpoint: dict[str, Any], matrices: list[dict[str, Any]]) -> bool:
        return any(self._series.is_known(Step(run, listed["matrix"], checkpoint, listed)) for listed in matrices)


def _document(body: bytes | Pending) -> dict[str, Any] | Pending:
    """The JSON document of an answer without arrays."""
    from tb_embfactor.arrays import decode_info

    return decode_info(body) if isinstance(body, bytes) else body


def _steps(listing: Listing, run: str, matrix: str) -> list[Step]:
    return [Step(run, matrix, checkpoint, listed) for checkpoint, listed in listing.series(run, matrix)]
