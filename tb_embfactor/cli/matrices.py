"""The commands list, spectrum, sparsity and export."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from tb_embfactor.cli.choosing import answer_each, choose, choose_one, open_path, require_checkpoints
from tb_embfactor.cli.printing import Printer, number_text, print_json, print_table, step_text
from tb_embfactor.errors import EmbfactorError

if TYPE_CHECKING:
    from tb_embfactor.analysis.factorization import Factorization
    from tb_embfactor.linalg.blocks import Progress
    from tb_embfactor.logdir import Checkpoint, Matrix, Run

TREND_SAMPLES, TREND_BYTES = 12, 1 << 30  # checkpoints that a line of the table looks at, and what it reads for that at most
BARS = "▁▂▃▄▅▆▇█"


def list_matrices(options: argparse.Namespace, printer: Printer) -> None:
    from tb_embfactor.schema import list_json

    logdir = open_path(options)
    for problem in logdir.problems:
        printer.problem(problem.message)
    if options.json:
        print_json(list_json(logdir))
        return
    if not any(run.checkpoints for run in logdir.runs):
        require_checkpoints(logdir)
    rows = []
    for run in logdir.runs:
        for checkpoint in run.checkpoints:
            for matrix in (*checkpoint.matrices, *checkpoint.derived):
                labels = f"{matrix.labels.source} ({', '.join(matrix.labels.columns)})" if matrix.labels else ""
                shape = f"{matrix.shape[0]:,} × {matrix.shape[1]:,}"
                rows.append(
                    [run.name, checkpoint.id, step_text(checkpoint), matrix.name, shape, matrix.dtype, matrix.role, labels]
                )
    print_table(["run", "checkpoint", "step", "matrix", "shape", "dtype", "role", "labels"], rows, right={2, 4})


def show_spectra(options: argparse.Namespace, printer: Printer) -> None:
    from tb_embfactor.analysis.factorization import factorize
    from tb_embfactor.analysis.ranks import suggested_ranks
    from tb_embfactor.analysis.verdicts import SEVERITY
    from tb_embfactor.schema import spectrum_json

    drift_of = _follow(options.transform or "") if options.drift else lambda *_: {}

    def spectrum_of(run: Run, checkpoint: Checkpoint, matrix: Matrix, progress: Progress) -> dict[str, Any]:
        f = factorize(matrix, options.center, options.transform, options.rank, progress)
        ranks = {"suggested_ranks": suggested_ranks(f)} if options.json else {}
        return spectrum_json(run, checkpoint, f, drift_of(run, checkpoint, matrix, f, progress)) | ranks

    chosen = list(choose(open_path(options), options, printer))
    results = answer_each(chosen, printer, spectrum_of)
    if options.json:
        print_json({"results": results})
        return
    trends = {}
    if options.checkpoint == "latest":  # one line for each matrix: the most troubled first, as in the tab
        results.sort(key=lambda result: -SEVERITY[result["verdicts"][0]["code"]])
        trends = {(run.name, matrix.name): _trend(run, matrix) for run, _, matrix in chosen}
    headers = ["run", "checkpoint", "step", "matrix", "shape", "effective rank", "trend", "rank 90 %", "mean cosine"]
    headers += ["CKA to first", "CKA to previous"] if options.drift else []
    rows = [_spectrum_row(result, trends.get((result["run"], result["matrix"]), ""), options.drift) for result in results]
    print_table([*headers, "verdict"], rows, right={2, 4, 5, *range(7, len(headers))})


def _follow(transform: str) -> Callable[[Run, Checkpoint, Matrix, Factorization, Progress], dict[str, float | None]]:
    """Says how far a matrix has come from the first checkpoint and from the one before; remembers the spectrum of each."""
    from tb_embfactor.analysis.drift import earlier, measure_drift, name_drift
    from tb_embfactor.analysis.factorization import Factorization, as_blocks
    from tb_embfactor.cache import Cache
    from tb_embfactor.worker.spectra import Spectra

    spectra = Spectra(Cache(None), lambda: None)

    def drift_of(
        run: Run, checkpoint: Checkpoint, matrix: Matrix, f: Factorization, progress: Progress
    ) -> dict[str, float | None]:
        def factor(each: Matrix) -> Factorization:
            blocks, name = as_blocks(each, transform)
            spectrum = spectra.find(each, transform, blocks, progress)
            return Factorization(blocks, spectrum, name=name, center=False, transform=transform, rank=None)

        spectra.keep(matrix, transform, f.spectrum)
        having = run.having(matrix.name)
        numbers: dict[str, float | None] = {}
        for since, index in earlier(having.index(checkpoint)):
            with suppress(EmbfactorError):  # said of that checkpoint itself, where it is asked for
                numbers |= name_drift(measure_drift(matrix, having[index][matrix.name], factor, progress), since)
        return numbers

    return drift_of


def _spectrum_row(result: dict[str, Any], trend: str, with_drift: bool) -> list[str]:
    numbers, (n_rows, n_columns) = result["metrics"], result["shape"]
    drift = [number_text(numbers[key], ".4f") for key in ("cka_first", "cka_previous")] if with_drift else []
    return [
        result["run"],
        result["checkpoint"],
        "" if result["step"] is None else f"{result['step']:,}",
        result["matrix"],
        f"{n_rows:,} × {n_columns:,}",
        f"{number_text(numbers['effective_rank'], '.1f')} of {max(1, min(n_rows - 1, n_columns)):,}",
        trend,
        number_text(numbers["energy_rank_90"], "d"),
        number_text(numbers["mean_cosine"], "+.3f"),
        *drift,
        result["verdicts"][0]["text"].partition(". ")[0].rstrip("."),
    ]


def _trend(run: Run, matrix: Matrix) -> str:
    """The effective rank along the run, as bars; nothing where there is one checkpoint, or where reading them would take long."""
    from tb_embfactor.analysis.factorization import factorize
    from tb_embfactor.analysis.numbers import METRICS

    having = run.having(matrix.name)
    sampled = having[:: -max(1, -(-len(having) // TREND_SAMPLES))][::-1]
    if len(sampled) < 2 or len(sampled) * matrix.shape[0] * matrix.shape[1] * 4 > TREND_BYTES:
        return ""
    bars = ""
    for checkpoint in sampled:
        try:
            rank = METRICS["effective_rank"].compute(factorize(checkpoint[matrix.name]).spectrum)
        except EmbfactorError:
            rank = None
        share = rank / min(matrix.shape) if isinstance(rank, float) else None
        bars += " " if share is None else BARS[min(len(BARS) - 1, int(len(BARS) * share))]
    return bars


def show_sparsity(options: argparse.Namespace, printer: Printer) -> None:
    from tb_embfactor.analysis.sparsity import sparsity
    from tb_embfactor.schema import names_json, sparsity_json

    def sparsity_of(run: Run, checkpoint: Checkpoint, matrix: Matrix, progress: Progress) -> dict[str, Any]:
        named = {**names_json(run, checkpoint, matrix), "transform": options.transform or ""}
        return named | sparsity_json(sparsity(matrix, options.transform, progress))

    results = answer_each(choose(open_path(options), options, printer), printer, sparsity_of)
    if options.json:
        print_json({"results": results})
        return
    shares = (50, 70, 90)
    headers = ["run", "checkpoint", "matrix", "zeros", "near zero", "zero rows", "zero columns"]
    headers += [f"error at {share} %" for share in shares]
    rows = [
        [
            *(result[name] for name in ("run", "checkpoint", "matrix")),
            *(f"{result[name]:.1%}" for name in ("zero_share", "near_zero_share")),
            *(f"{result[name]:,}" for name in ("zero_rows", "zero_columns")),
            *(f"{result['error'][share]:.1%}" for share in shares),
        ]
        for result in results
    ]
    print_table(headers, rows, right=set(range(3, len(headers))))


def export_factors(options: argparse.Namespace, printer: Printer) -> None:
    from tb_embfactor.analysis.factorization import export, factorize

    run, checkpoint, matrix = choose_one(options, printer)
    f = factorize(matrix, options.center, options.transform, options.rank, progress=printer.progress(matrix.name))
    export(f, options.out)
    printer.clear()
    k = len(f.singular_values)
    shapes = {"U": [f.shape[0], k], "S": [k], "Vt": [k, f.shape[1]]}
    if options.json:
        result = {
            "run": run.name,
            "checkpoint": checkpoint.id,
            "step": checkpoint.step,
            "matrix": matrix.name,
            "out": options.out,
        }
        print_json(result | {"tensors": shapes})
        return
    described = ", ".join(f"{name} {' × '.join(map(str, shape))}" for name, shape in shapes.items())
    print(f"Wrote {options.out}: {described} (float64) of {matrix.name} at {checkpoint.id}")
