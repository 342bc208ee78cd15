"""Answers as plain data: what the HTTP API and `--json` say, from the objects that know it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

if TYPE_CHECKING:
    from tb_embfactor.analysis.comparison import Comparison
    from tb_embfactor.analysis.factorization import Factorization
    from tb_embfactor.analysis.factors import Factors, Scored
    from tb_embfactor.analysis.neighbours import Neighbors
    from tb_embfactor.analysis.sparsity import Sparsity
    from tb_embfactor.linalg.degeneracy import Continuation
    from tb_embfactor.logdir import Checkpoint, Logdir, Matrix, Run


_SIGNATURES: WeakKeyDictionary[Checkpoint, tuple[list[dict[str, Any]], str]] = WeakKeyDictionary()


def matrix_json(matrix: Matrix) -> dict[str, Any]:
    return {
        "matrix": matrix.name,
        "shape": list(matrix.shape),
        "dtype": matrix.dtype,
        "role": matrix.role,
        "layer": matrix.layer,
        "has_bias": matrix.has_bias,
        "labels": matrix.labels.to_json() if matrix.labels else None,
    }


def checkpoint_json(checkpoint: Checkpoint) -> dict[str, Any]:
    return {
        "checkpoint": checkpoint.id,
        "step": checkpoint.step,
        "wall_time": checkpoint.wall_time,
        "format": checkpoint.format,
        "path": checkpoint.path,
    }


def catalogue_json(logdir: Logdir) -> dict[str, Any]:
    """The whole log directory, each distinct list of matrices once (checkpoints of a run mostly share theirs)."""
    signatures: dict[str, int] = {}
    lists: list[list[dict[str, Any]]] = []
    runs = []
    for run in logdir.runs:
        checkpoints = []
        for checkpoint in run.checkpoints:
            matrices, text = _signature(checkpoint)
            if text not in signatures:
                signatures[text] = len(lists)
                lists.append(matrices)
            checkpoints.append(
                {
                    **checkpoint_json(checkpoint),
                    "signature": signatures[text],
                    "fingerprint": checkpoint.fingerprint,
                    "gone": False,
                    "skipped": [message.to_json() for message in checkpoint.skipped],
                }
            )
        runs.append({"run": run.name, "checkpoints": checkpoints})
    return {
        "logdir": logdir.path,
        "error": logdir.error.to_json() if logdir.error else None,
        "scanned": logdir.scanned.to_json(),
        "signatures": lists,
        "runs": runs,
        "problems": [problem.to_json() for problem in logdir.problems],
        "hints": [hint.to_json() for hint in logdir.hints],
    }


def _signature(checkpoint: Checkpoint) -> tuple[list[dict[str, Any]], str]:
    """The matrices as data and as text; made once, for an unchanged checkpoint is the same object in the next scan."""
    if checkpoint not in _SIGNATURES:
        matrices = [matrix_json(matrix) for matrix in (*checkpoint.matrices, *checkpoint.derived)]
        _SIGNATURES[checkpoint] = matrices, json.dumps(matrices, sort_keys=True)
    return _SIGNATURES[checkpoint]


def list_json(logdir: Logdir) -> dict[str, Any]:
    """`tb-embfactor list --json`."""
    return {
        "logdir": logdir.path,
        "runs": [
            {
                "run": run.name,
                "checkpoints": [
                    {
                        **checkpoint_json(checkpoint),
                        "matrices": [_listed(matrix) for matrix in (*checkpoint.matrices, *checkpoint.derived)],
                    }
                    for checkpoint in run.checkpoints
                ],
            }
            for run in logdir.runs
        ],
        "problems": [problem.to_json() for problem in logdir.problems],
    }


def _listed(matrix: Matrix) -> dict[str, Any]:
    listed = matrix_json(matrix)
    return {key: listed[key] for key in ("matrix", "shape", "dtype", "role", "labels")}


def names_json(run: Run, checkpoint: Checkpoint, matrix: Matrix) -> dict[str, Any]:
    """What a result of `--json` is of."""
    names = {"run": run.name, "checkpoint": checkpoint.id, "step": checkpoint.step, "matrix": matrix.name}
    return names | {"shape": list(matrix.shape), "dtype": matrix.dtype}


def comparison_json(found: Comparison, labels: Sequence[Any] | None = None) -> dict[str, Any]:
    """A comparison; labels : one for each row of a."""
    from tb_embfactor.arrays import finite

    changed = [
        {"row": each.row, "row_b": each.row_b, "label": labels[each.row] if labels else None, "change": each.change}
        for each in found.most_changed
    ]
    counts = {"rows_matched": found.rows_matched, "rows_skipped": found.rows_skipped}
    return finite({**counts, "measures": found.measures, "most_changed": changed})


def neighbors_json(found: Neighbors, labels: Sequence[Any] | None = None) -> dict[str, Any]:
    """The neighbours of rows of a matrix; labels : one for each row."""

    def row_json(row: int) -> dict[str, Any]:
        return {"row": row, "label": labels[row] if labels else None}

    assert found.queries is not None
    return {
        "metric": found.metric,
        "queries": [
            {**row_json(row), "neighbors": [{**row_json(near), "distance": distance} for near, distance in found.of(index)]}
            for index, row in enumerate(found.queries.tolist())
        ],
        "notes": [note.to_json() for note in found.notes],
    }


def sparsity_json(found: Sparsity) -> dict[str, Any]:
    """Zeros of a matrix and the cost of pruning, one entry of each list for each share."""
    from tb_embfactor.arrays import finite

    return finite(vars(found))


def factors_json(found: Factors, labels: Sequence[Any] | None = None) -> dict[str, Any]:
    """Factors with their rows; factors, and only they, are counted from 1. labels : one for each row."""
    from tb_embfactor.arrays import finite

    def rows_json(scored: Scored) -> list[dict[str, Any]]:
        return [{"row": row, "label": labels[row] if labels else None, "score": score} for row, score in scored]

    def range_json(block: tuple[int, int] | None) -> list[int] | None:
        return [block[0] + 1, block[1]] if block else None

    def continues_json(known: Continuation | None) -> dict[str, Any] | None:
        if known is None:
            return None
        block = range_json(known.block)
        return {"factor": known.axis + 1, "cosine": known.cosine, "block": block, "overlap": known.overlap}

    return finite(
        {
            "method": found.method,
            "rows_used": found.rows_used,
            "rows_skipped": found.rows_skipped,
            "sample": found.axes.sample,
            "factors": [
                {
                    "factor": number,
                    **{name: getattr(factor, name) for name in ("weight", "share", "kurtosis", "consistency", "gap")},
                    "block": range_json(factor.block),
                    "continues": continues_json(factor.continues),
                    "top": rows_json(factor.top),
                    "bottom": rows_json(factor.bottom),
                    "columns": [{"column": column, "entry": entry} for column, entry in factor.columns],
                }
                for number, factor in enumerate(found.factors, 1)
            ],
            "blocks": [
                {"factors": range_json((block.start, block.stop)), "share": block.share, "top": rows_json(block.top)}
                for block in found.blocks
            ],
            "notes": [note.to_json() for note in found.notes],
        }
    )


def spectrum_json(
    run: Run, checkpoint: Checkpoint, factorization: Factorization, drift: dict[str, float | None]
) -> dict[str, Any]:
    """One result of `tb-embfactor spectrum --json`. Compares the rows with the run's first checkpoint that has the matrix.

    drift : how far the matrix has come, as far as somebody asked for it.
    """
    from tb_embfactor.analysis.drift import DRIFT
    from tb_embfactor.analysis.movement import MOVEMENT, count_unmoved
    from tb_embfactor.analysis.numbers import metrics
    from tb_embfactor.analysis.verdicts import verdicts
    from tb_embfactor.arrays import finite
    from tb_embfactor.logdir.derived import is_product

    matrix = checkpoint[factorization.name]
    first = run.having(matrix.name)[0]
    numbers = metrics(factorization)
    comparable = first is not checkpoint and not factorization.transform
    moved = count_unmoved(matrix, first[matrix.name]) if comparable else dict.fromkeys(MOVEMENT)
    is_first = first is checkpoint and len(run.checkpoints) > 1
    found = verdicts(numbers, matrix.shape, moved["rows_unmoved"], is_first, is_product(matrix.name))
    return finite(
        {
            **names_json(run, checkpoint, matrix),
            "transform": factorization.transform,
            "centered": factorization.center,
            "rows_used": factorization.rows_used,
            "rows_skipped": factorization.rows_skipped,
            "singular_values": factorization.singular_values,
            "error_bound": factorization.error_bound,
            "energy_ratio": factorization.energy_ratio,
            "explained_variance_ratio": factorization.explained_variance_ratio,
            "metrics": numbers | moved | dict.fromkeys(DRIFT) | drift,
            "verdicts": [verdict.to_json() for verdict in found],
        }
    )
