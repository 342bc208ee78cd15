"""What the child can do. Each task takes plain parameters and gives a JSON document and a body of bytes."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from tb_embfactor import arrays, cache, formats, schema
from tb_embfactor.analysis.axes import find_axes
from tb_embfactor.analysis.comparison import compare
from tb_embfactor.analysis.drift import measure_drift
from tb_embfactor.analysis.estimation import estimate, estimated_numbers, estimated_points
from tb_embfactor.analysis.factorization import Factorization, as_blocks
from tb_embfactor.analysis.factors import factors
from tb_embfactor.analysis.movement import count_unmoved
from tb_embfactor.analysis.neighbours import neighbors
from tb_embfactor.analysis.numbers import metrics
from tb_embfactor.analysis.projection import Projection, project
from tb_embfactor.analysis.ranks import RULES, suggested_ranks
from tb_embfactor.analysis.sparsity import sparsity
from tb_embfactor.errors import UsageError
from tb_embfactor.linalg.blocks import block_rows
from tb_embfactor.logdir import COPIES, Logdir, Matrix, Scanner, parse_checkpoints_flag, parse_logdir_spec
from tb_embfactor.messages import Message
from tb_embfactor.worker import Settings
from tb_embfactor.worker.spectra import Spectra

Answer = tuple[dict[str, Any], bytes]
Report = Callable[..., None]
ROWS_BYTES = 4 << 20  # what one `rows` answer may hold
_SEARCHING: dict[str, Any] = {"progress": None, "allow_seconds": 600}  # turning axes and mapping neighbours is silent
_LISTING_SECONDS = 600  # listing directories and surveying label files is silent, and slow on a network file system


class Tasks:
    """The log directory as last scanned, and the spectra computed last.

    report : called with what the parent should know meanwhile: `progress` 0..1, `opening` a file, `allow_seconds` of silence.
    """

    def __init__(self, settings: Settings, set_aside: dict[str, dict[str, Any]], report: Report) -> None:
        for row in settings.formats:
            formats.register(formats.Format(**row))  # type: ignore[arg-type]
        self._report = report
        self._set_aside = set_aside
        directory = Path(settings.cache_directory) if settings.cache_directory else None
        self._cache = cache.Cache(directory)
        COPIES.find_directory = lambda: directory and directory / "copies"
        COPIES.report = lambda share: report(progress=share)
        self._settings = settings
        self._scanner: Scanner | None = None
        self._logdir: Logdir | None = None
        self._spectra = Spectra(self._cache, report)

    def do_scan(self, set_aside: dict[str, dict[str, Any]]) -> Answer:
        """The catalogue of the log directory."""
        self._set_aside = set_aside
        messages = {key: Message.from_json(message) for key, message in set_aside.items()}
        if self._scanner is None:
            settings = self._settings
            entries = settings.logdir or parse_logdir_spec(settings.logdir_spec)
            extra = parse_checkpoints_flag(settings.checkpoints)
            self._scanner = Scanner(entries, settings.allow_roots, extra, labels=settings.labels)
        listing: dict[str, Any] = {"opening": None, "allow_seconds": _LISTING_SECONDS}
        self._report(**listing)
        self._logdir = self._scanner.scan(
            messages, on_open=lambda key: self._report(opening=key), on_opened=lambda: self._report(**listing)
        )
        return schema.catalogue_json(self._logdir), b""

    def do_spectrum(self, run: str, checkpoint: str, matrix: str, transform: str, key: str) -> Answer:
        """Singular values, stored and centred, with bounds and named numbers."""
        f = self._factorize(self._matrix(run, checkpoint, matrix), transform)
        info = {"rows_used": f.rows_used, "rows_skipped": f.rows_skipped, "passes": f.spectrum.passes, "metrics": metrics(f)}
        tensors = {
            "singular_values": f.spectrum.stored.singular_values,
            "error_bound": f.spectrum.stored.error_bound,
            "centered_singular_values": f.spectrum.centered.singular_values,
            "centered_error_bound": f.spectrum.centered.error_bound,
        }
        return self._kept(key, info, tensors)

    def do_estimate(self, run: str, checkpoint: str, matrix: str, transform: str, key: str) -> Answer:
        """What a sample of the rows says of the centred singular values and the named numbers."""
        found = estimate(self._matrix(run, checkpoint, matrix), transform)
        values, error = found.singular_values()
        numbers = estimated_numbers(found)
        info = {
            "rows_sampled": found.n_sampled,
            "metrics": {name: number for name, (number, _) in numbers.items()},
            "uncertainty": {name: uncertainty for name, (_, uncertainty) in numbers.items()},
        }
        tensors = {"centered_singular_values": values, "centered_error_bound": error}
        return self._kept(key, info, tensors)

    def do_movement(self, run: str, checkpoint: str, matrix: str, key: str, then: str) -> Answer:
        """How much is what it was at the first checkpoint, to the bit."""
        now, before = self._matrix(run, checkpoint, matrix), self._matrix(run, then, matrix)
        return self._kept(key, {"metrics": count_unmoved(now, before, self._report)})

    def do_drift(self, run: str, checkpoint: str, matrix: str, transform: str, key: str, then: str) -> Answer:
        """How alike the rows are to those at another checkpoint of the run."""
        now, before = self._matrix(run, checkpoint, matrix), self._matrix(run, then, matrix)
        drift = measure_drift(
            now,
            before,
            lambda each: self._factorize(each, transform),
            lambda share: self._progress(share, min(now.shape)),
        )
        return self._kept(key, {"metrics": drift})

    def do_points(
        self,
        run: str,
        checkpoint: str,
        matrix: str,
        transform: str,
        key: str,
        method: str,
        n_components: int,
        axes: str | None,
        column: str | None = None,
        between: list[list[int]] | None = None,
        seed: int = 0,
        with_quality: bool = False,
    ) -> Answer:
        """The rows (or columns) as points."""
        source = self._matrix(run, checkpoint, matrix)
        labels = source.label_column(column) if column is not None else None
        f = self._factorize(source, transform)
        directions = None
        if axes is not None and axes != checkpoint:
            directions = self._factorize(self._matrix(run, axes, matrix), transform).spectrum.centered.right
        self._report(**_SEARCHING)
        ends = (between[0], between[1]) if between else None
        projection = project(
            f, method, n_components, axes=directions, labels=labels, between=ends, seed=seed, with_quality=with_quality
        )
        if f.rows_skipped:
            skipped = Message("rows_skipped", {"n": f.rows_skipped, "n_rows": f.shape[0]})
            projection.info["notes"] = [*projection.info["notes"], skipped]
        return self._kept(key, *_points(projection, self._names(source, run) | {"axes": axes}))

    def do_estimated_points(self, run: str, checkpoint: str, matrix: str, transform: str, key: str) -> Answer:
        """A sample of the rows as points."""
        source = self._matrix(run, checkpoint, matrix)
        projection = estimated_points(source, transform)
        return self._kept(key, *_points(projection, self._names(source, run) | {"axes": None, "estimated": True}))

    def do_ranks(self, run: str, checkpoint: str, matrix: str, transform: str, key: str) -> Answer:
        """How many directions to keep, by every rule, with what each assumes."""
        source = self._matrix(run, checkpoint, matrix)
        f = self._factorize(source, transform)
        self._report(**_SEARCHING)
        found = suggested_ranks(f)
        info = self._names(source, run) | {"ranks": [{**RULES[rule].to_json(), **answer} for rule, answer in found.items()]}
        return self._kept(key, info)

    def do_factors(
        self,
        run: str,
        checkpoint: str,
        matrix: str,
        transform: str,
        key: str,
        method: str,
        k: int,
        n_top: int,
        seed: int,
        reference: str | None,
    ) -> Answer:
        """The factors of a matrix, and the rows with the most and the least of each."""
        source = self._matrix(run, checkpoint, matrix)
        f, before = self._factorize(source, transform), None
        then = f if reference is None else self._factorize(self._matrix(run, reference, matrix), transform)
        self._report(**_SEARCHING)
        if reference is not None:
            before = find_axes(then, method, k, seed)
        found = factors(f, method, k, n_top=n_top, seed=seed, reference=before, progress=lambda share: self._progress(share, k))
        info = self._names(source, run) | {"transform": transform, "reference": reference} | schema.factors_json(found)
        return self._kept(key, info)

    def do_sparsity(self, run: str, checkpoint: str, matrix: str, transform: str, key: str) -> Answer:
        """Zeros, and the cost of pruning by magnitude."""
        source = self._matrix(run, checkpoint, matrix)
        found = sparsity(source, transform, lambda share: self._progress(share, 0))
        info = self._names(source, run) | {"transform": transform} | schema.sparsity_json(found)
        return self._kept(key, info)

    def do_compare(
        self,
        run: str,
        checkpoint: str,
        matrix: str,
        transform: str,
        key: str,
        other: dict[str, str],
        match: str,
        n_top: int,
        seed: int,
    ) -> Answer:
        """How alike two matrices are over the rows that they share."""
        a, b = self._matrix(run, checkpoint, matrix), self._matrix(**other)
        found = compare(a, b, match, transform, n_top, seed, lambda share: self._progress(share, a.shape[1] + b.shape[1]))
        named = {"a": self._names(a, run), "b": self._names(b, other["run"]), "match": match, "transform": transform}
        return self._kept(key, named | schema.comparison_json(found))

    def do_neighbors(
        self, run: str, checkpoint: str, matrix: str, transform: str, key: str, rows: list[int], k: int, metric: str
    ) -> Answer:
        """The nearest rows of some rows."""
        source = self._matrix(run, checkpoint, matrix)
        found = neighbors(source, rows, k, metric, transform, lambda share: self._progress(share, 0))
        info = self._names(source, run) | {"transform": transform} | schema.neighbors_json(found)
        return self._kept(key, info)

    def do_labels(self, run: str, checkpoint: str, matrix: str) -> Answer:
        """The label columns of a matrix."""
        source = self._matrix(run, checkpoint, matrix)
        if source.labels is None:
            return _json({"source": None, "n_rows": 0, "offset": 0, "columns": [], "notes": []})
        table = source.labels.read(source.shape[0])
        columns = [{"name": column.name, "kind": column.kind, "values": arrays.finite(column.values)} for column in table.columns]
        return _json({**source.labels.to_json(), "columns": columns, "notes": [note.to_json() for note in table.notes]})

    def do_rows(self, run: str, checkpoint: str, matrix: str, start: int, stop: int) -> Answer:
        """Rows of a matrix as stored."""
        source = self._matrix(run, checkpoint, matrix)
        limit = max(1, ROWS_BYTES // (8 * source.shape[1]))
        if not (0 <= start <= stop <= source.shape[0] and stop - start <= limit):
            needed = f"0 <= start <= stop <= {source.shape[0]}, at most {limit} rows"
            raise UsageError("bad_parameter", owner="rows", name="start, stop", needed=needed, got=[start, stop])
        return {}, arrays.encode({"rows": source.rows(start, stop)}, {"start": start, "stop": stop})

    def do_tensor(self, run: str, checkpoint: str, matrix: str, stop: int) -> Answer:
        """The first rows as raw float32."""
        source = self._matrix(run, checkpoint, matrix)
        step = block_rows(source.shape[1])
        parts = [source.rows(start, min(start + step, stop)).astype(np.float32).tobytes() for start in range(0, stop, step)]
        return {}, b"".join(parts)

    def _names(self, matrix: Matrix, run: str) -> dict[str, Any]:
        return {"run": run, "checkpoint": matrix.checkpoint.id, "step": matrix.checkpoint.step, "matrix": matrix.name}

    def _matrix(self, run: str, checkpoint: str, matrix: str) -> Matrix:
        if self._logdir is None:
            self.do_scan(self._set_aside)
        assert self._logdir is not None
        found = self._logdir.run(run).checkpoint(checkpoint)
        return found[matrix]

    def _factorize(self, matrix: Matrix, transform: str) -> Factorization:
        blocks, _ = as_blocks(matrix, transform)
        spectrum = self._spectra.find(matrix, transform, blocks, lambda share: self._progress(share, min(matrix.shape)))
        return Factorization(blocks, spectrum, name=matrix.name, center=False, transform=transform, rank=None)

    def _progress(self, share: float, short_side: int) -> None:
        # After the last block of a pass comes a silent eigendecomposition: about 30·k³ flops, at a cautious 1 GFLOP/s.
        self._report(progress=share, allow_seconds=30 + 30 * short_side**3 / 1e9)

    def _kept(self, key: str, info: dict[str, Any], tensors: dict[str, np.ndarray] | None = None) -> Answer:
        """The answer, kept in the cache if it has a key."""
        body = arrays.encode(tensors or {}, info)
        if key:
            self._cache.put("results", key, body)
        return {}, body


def _points(projection: Projection, named: dict[str, Any]) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """A projection as the document and the arrays of an answer."""
    info = projection.info | named | {"notes": [note.to_json() for note in projection.info["notes"]]}
    tensors = {name: np.asarray(info.pop(name), np.float64) for name in ("weight", "share")}
    return info, tensors | {"points": projection.points.astype(np.float32)}


def _json(document: dict[str, Any]) -> Answer:
    return {}, json.dumps(document, ensure_ascii=False).encode("utf-8", "replace")
