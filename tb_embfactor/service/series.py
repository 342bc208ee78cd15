"""The spectra of a matrix along a run: what is known of each step, and what follows from it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tb_embfactor.errors import EmbfactorError
from tb_embfactor.service.answers import GLANCE, VIEWED, Answers
from tb_embfactor.service.effort import is_sampled, waiting, waits
from tb_embfactor.worker.process import Rank

if TYPE_CHECKING:
    import numpy as np

_SPECTRA = ("singular_values", "error_bound", "centered_singular_values", "centered_error_bound")


@dataclass(frozen=True)
class Step:
    """A matrix at one checkpoint of a run, with what the catalogue lists of both."""

    run: str
    matrix: str
    checkpoint: dict[str, Any]
    listed: dict[str, Any]

    @property
    def names(self) -> dict[str, str]:
        return {"run": self.run, "checkpoint": self.checkpoint["checkpoint"], "matrix": self.matrix}


class Series:
    """Spectra, numbers, movement and drift, step by step. Never waits: what is missing is queued with the rank that is given."""

    def __init__(self, answers: Answers) -> None:
        self._answers = answers
        self._numbers: dict[str, dict[str, Any]] = {}  # the named numbers of known spectra, by key

    def spectra(self, steps: list[Step], transform: str, first: str | None, ask: bool) -> bytes:
        """All spectra as far as they are known; the rest is queued.

        first : the checkpoint to begin with. ask : compute also what waits until somebody asks.
        """
        import numpy as np

        from tb_embfactor import arrays

        shape = [max(step.listed["shape"][axis] for step in steps) for axis in (0, 1)]
        tensors = {name: np.full((len(steps), min(shape)), np.nan) for name in _SPECTRA}
        entries: list[dict[str, Any]] = [{} for _ in steps]
        n_pending, now = 0, self._answers.tick()
        looked_at = [step.checkpoint["checkpoint"] == first for step in steps]
        for index in sorted(range(len(steps)), key=lambda index: not looked_at[index]):  # an idle worker begins with the first
            sampling, rank = (VIEWED, -now, 1, index), (VIEWED, -now, 2, index)
            if looked_at[index]:
                self.glance(steps[index], transform)
                rank = (VIEWED, -now, 0, index)
            entries[index], values, n_missing = self._entry(steps, index, transform, sampling, rank, ask)
            for name, row in values.items():
                tensors[name][index, : len(row)] = row
            n_pending += n_missing
        for index, step in enumerate(steps):
            if entries[index]["state"] == "done":
                behind = None if waits(step.listed) and not ask else (VIEWED, -now, 3, not looked_at[index], index)
                drift, n_missing = self._drift(steps, entries, index, transform, behind)
                entries[index]["metrics"] |= drift
                n_pending += n_missing
        info = {"run": steps[0].run, "matrix": steps[0].matrix, "transform": transform, "shape": shape}
        return arrays.encode(tensors, {**info, "n_pending": n_pending, "checkpoints": entries})

    def _entry(
        self, steps: list[Step], index: int, transform: str, sampling: Rank, rank: Rank, ask: bool
    ) -> tuple[dict[str, Any], dict[str, np.ndarray], int]:
        """What is known of one step: its entry and its rows of the arrays, and how many answers are on their way."""
        from tb_embfactor import arrays

        step = steps[index]
        is_large = waits(step.listed) and not ask
        entry = {**{name: step.checkpoint[name] for name in ("checkpoint", "step")}, "state": "pending", "error": None}
        sampled, numbers, is_sampling = self.estimate(step, transform, sampling)
        body = self.spectrum(step, transform, None if is_large else rank)
        if isinstance(body, EmbfactorError):
            return entry | {"state": "failed", "error": body.message.to_json()}, {}, 0
        if body is None:
            is_waiting = is_large and not self.is_queued(step, transform)
            state = waiting(step.listed) if is_waiting else {"state": "estimated"} if numbers else {}
            return entry | numbers | state, sampled, is_sampling + (not is_waiting)
        values, numbers = arrays.decode(body)
        moved, is_missing = self.movement(step if transform else steps[0], step, rank)
        numbers["metrics"] |= moved
        found = verdicts_json(numbers["metrics"], step, index == 0 < len(steps) - 1)
        return entry | {"state": "done", **numbers, "verdicts": found}, values, int(is_missing)

    def _drift(
        self, steps: list[Step], entries: list[dict[str, Any]], index: int, transform: str, rank: Rank | None
    ) -> tuple[dict[str, float | None], int]:
        """How far a step has come from the first one and from the one before, and how many answers are on their way.

        Looked for once the spectra of both are known: they halve the work, and a step that cannot be read fails only once.
        """
        from tb_embfactor.analysis.drift import DRIFT, earlier, name_drift

        numbers: dict[str, float | None] = dict.fromkeys(DRIFT)
        missing = set()
        for since, at in earlier(index):
            if entries[at]["state"] == "done":
                found, is_missing = self._beside("drift", steps[at], steps[index], {"transform": transform}, rank)
                numbers |= name_drift(found, since)
                missing |= {at} if is_missing else set()
        return numbers, len(missing)

    def spectrum(self, step: Step, transform: str, rank: Rank | None) -> bytes | EmbfactorError | None:
        """The spectrum of one step, or why there is none; None where it is not known yet."""
        return self._answers.queue("spectrum", step.checkpoint, {**step.names, "transform": transform}, rank)

    def estimate(self, step: Step, transform: str, rank: Rank) -> tuple[dict[str, np.ndarray], dict[str, Any], bool]:
        """What a sample tells of a step where a pass takes long: arrays and numbers, and whether they are being found out."""
        from tb_embfactor import arrays

        if not self.is_sampled(step, transform):
            return {}, {}, False
        body = self._answers.queue("estimate", step.checkpoint, {**step.names, "transform": transform}, rank)
        return (*arrays.decode(body), False) if isinstance(body, bytes) else ({}, {}, body is None)

    def is_sampled(self, step: Step, transform: str) -> bool:
        """Whether a sample of the rows is worth a look: the spectrum is not known, and takes long."""
        from tb_embfactor.transforms import Transform

        return is_sampled(step.listed) and Transform.parse(transform).is_rowwise and not self.is_known(step, transform)

    def glance(self, step: Step, transform: str) -> None:
        """Have a sample of a step looked at, for its numbers and its points, before anything that takes a pass over it."""
        if self.is_sampled(step, transform):
            now = self._answers.tick()
            for turn, task in enumerate(("estimate", "estimated_points")):
                self._answers.queue(task, step.checkpoint, {**step.names, "transform": transform}, (GLANCE, -now, turn))

    def is_queued(self, step: Step, transform: str = "") -> bool:
        return self._answers.is_queued(self._key(step, transform))

    def is_known(self, step: Step, transform: str = "") -> bool:
        """Whether the spectrum of a step is known, or was in the cache."""
        return self._answers.known(self._key(step, transform)) is not None

    def numbers(self, step: Step, rank: Rank | None) -> dict[str, Any] | EmbfactorError | None:
        """The named numbers of a spectrum, which are kept for good: the overview asks for all of them every few seconds."""
        from tb_embfactor.arrays import decode_info

        key = self._key(step, "")
        if key not in self._numbers:
            if self._answers.is_queued(key):
                return None
            body = self.spectrum(step, "", rank)
            if not isinstance(body, bytes):
                return body
            self._numbers[key] = decode_info(body)["metrics"]
        return self._numbers[key]

    def movement(self, first: Step, step: Step, rank: Rank | None) -> tuple[dict[str, int | None], bool]:
        """The numbers of what is still as it was at the first step, and whether they are being found out."""
        from tb_embfactor.analysis.movement import MOVEMENT

        found, is_missing = self._beside("movement", first, step, {}, rank)
        return dict.fromkeys(MOVEMENT) | found, is_missing

    def _beside(
        self, task: str, then: Step, step: Step, params: dict[str, str], rank: Rank | None
    ) -> tuple[dict[str, Any], bool]:
        """What a task says of a step beside an earlier one of the same shape, and whether that is on its way."""
        from tb_embfactor.arrays import decode_info

        before = then.checkpoint
        if before["checkpoint"] == step.checkpoint["checkpoint"] or then.listed["shape"] != step.listed["shape"]:
            return {}, False
        rank = None if before["gone"] else rank  # then it is known or never will be
        asked = {**step.names, **params, "then": before["checkpoint"]}
        body = self._answers.queue(task, step.checkpoint, asked, rank, then_at=before["fingerprint"])
        return (decode_info(body)["metrics"] if isinstance(body, bytes) else {}), body is None and rank is not None

    def _key(self, step: Step, transform: str) -> str:
        return self._answers.key("spectrum", step.checkpoint, {**step.names, "transform": transform})


def verdicts_json(numbers: dict[str, Any], step: Step, is_first: bool) -> list[dict[str, Any]]:
    """What the numbers of a step mean, most serious first."""
    from tb_embfactor.analysis.verdicts import verdicts
    from tb_embfactor.logdir.derived import is_product

    found = verdicts(numbers, step.listed["shape"], numbers["rows_unmoved"], is_first, is_product(step.matrix))
    return [message.to_json() for message in found]
