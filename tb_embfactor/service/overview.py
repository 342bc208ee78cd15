"""Every matrix of every run at a glance, most troubled first."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from tb_embfactor.errors import EmbfactorError
from tb_embfactor.service.answers import BACKGROUND
from tb_embfactor.service.effort import waiting, waits
from tb_embfactor.service.series import Series, Step, verdicts_json

SAMPLES = 12  # checkpoints of a run that the overview looks at


def overview(series: Series, along_runs: Iterable[list[Step]]) -> dict[str, Any]:
    """Each matrix × run with its numbers at the last checkpoint, what they mean, and a few values along the run.

    What is not known is queued behind all that somebody looks at: the last checkpoint of each matrix first, then the first
    one, then those between, at most `SAMPLES` of a run. A matrix that waits until somebody asks is listed with what is known.
    """
    from tb_embfactor.analysis.verdicts import SEVERITY

    items = [_item(series, steps) for steps in along_runs]
    items.sort(key=lambda item: -max((SEVERITY[verdict["code"]] for verdict in item["verdicts"]), default=-1))
    return {"n_pending": sum(item.pop("n_pending") for item in items), "items": items}


def _item(series: Series, steps: list[Step]) -> dict[str, Any]:
    last, is_large = steps[-1], waits(steps[-1].listed)
    item: dict[str, Any] = {"run": last.run, "matrix": last.matrix}
    item |= {name: last.listed[name] for name in ("shape", "dtype", "role", "layer")}
    item |= {name: last.checkpoint[name] for name in ("checkpoint", "step")}
    item |= {"n_checkpoints": len(steps), "state": "pending", "error": None, "metrics": {}, "verdicts": []}
    ranks: dict[int, float | None] = {}
    n_pending = 0
    for turn, index in enumerate(_sample(len(steps))):
        numbers = series.numbers(steps[index], None if is_large else (BACKGROUND, 1 + min(turn, 2)))
        if isinstance(numbers, dict):
            ranks[index] = numbers["effective_rank"]
        elif numbers is None:
            n_pending += not is_large or series.is_queued(steps[index])
        if steps[index] is not last:
            continue
        if isinstance(numbers, EmbfactorError):
            item |= {"state": "failed", "error": numbers.message.to_json()}
        elif numbers is not None:
            moved, is_comparing = series.movement(steps[0], last, None if is_large else (BACKGROUND, 2))
            n_pending += is_comparing
            known = numbers | moved
            item |= {"state": "done", "metrics": known, "verdicts": verdicts_json(known, last, False)}
        else:
            _, estimated, is_sampling = series.estimate(last, "", (BACKGROUND, 0))
            n_pending += is_sampling
            item |= {"state": "estimated", **estimated} if estimated else {}
    if is_large and item["state"] in ("pending", "estimated") and not n_pending:
        item |= waiting(last.listed)
    trend = {"steps": [steps[index].checkpoint["step"] for index in sorted(ranks)]}
    trend["effective_rank"] = [ranks[index] for index in sorted(ranks)]
    return item | {"trend": trend, "n_pending": n_pending}


def _sample(n: int) -> list[int]:
    """Indices of at most SAMPLES of n checkpoints, evenly spread: the last, the first, then those between."""
    between = sorted({round(index * (n - 1) / (SAMPLES - 1)) for index in range(SAMPLES)} - {0, n - 1})
    return list(dict.fromkeys([n - 1, 0, *between]))
