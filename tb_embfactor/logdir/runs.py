"""Which TensorBoard run a checkpoint belongs to, and what `--logdir_spec` and `--embfactor_checkpoints` say.

TensorBoard names a run after the directory that holds its event files. Checkpoints rarely lie in that very
directory: Keras writes events to `run/train` and checkpoints to `run` or `run/ckpt`, Hugging Face writes
`out/runs/DATE/events…` beside `out/checkpoint-500/`. A checkpoint should still carry the run's colour and obey
the run filter, so its directory is mapped to an event directory; but two runs that merely lie side by side must
never be taken for one. Hence the rule climbs from the checkpoint, and crosses over to another branch only where
the names on the way are those that trainers give by themselves (`ckpt`, `checkpoint-500`, `train`, `runs`).
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from typing import NamedTuple

from tb_embfactor.errors import UsageError

_CHECKPOINT_PART = re.compile(
    r"(ckpts?|checkpoints?|backups?|models?|weights|saved_?models?|variables|(checkpoint|ckpt|step|global_step|epoch|iter)[-_=]?\d+"
    r"|epoch=\d+-step=\d+)",
    re.IGNORECASE,
)
_EVENT_PART = re.compile(
    r"(train(ing)?|val(id(ation)?)?|eval(uation)?|test|logs?|runs|tensorboard|tb(_logs)?|events|summar(y|ies)|lightning_logs)",
    re.IGNORECASE,
)
_URI = re.compile(r"[a-zA-Z][0-9a-zA-Z.]*://.*")


def is_of_trainer(name: str) -> bool:
    """Whether trainers give this name by themselves to a directory of event files."""
    return _EVENT_PART.fullmatch(name) is not None


def is_event_file(name: str) -> bool:
    """TensorBoard's own rule, in both its Python and its Rust loader."""
    return "tfevents" in name


class SpecEntry(NamedTuple):
    """One `name:path` of `--logdir_spec`. A `path` of None names no directory; `text` is what was written."""

    name: str | None
    path: str | None
    text: str


def parse_logdir_spec(spec: str) -> list[SpecEntry]:
    """Split `--logdir_spec` as TensorBoard does: the first colon ends a name, unless the entry starts with `/` or is a URI.

    Of two entries with one path the later name counts, as in TensorBoard. Where TensorBoard would quietly take
    the working directory (an entry without a path), the entry has the path None, so that it can be reported.
    """
    entries: dict[str, SpecEntry] = {}
    for text in spec.split(","):
        name, path = None, text
        if not _URI.match(text) and ":" in text and text[0] != "/" and not os.path.splitdrive(text)[0]:
            name, _, path = text.partition(":")
        if path and not is_uri(path):
            path = os.path.realpath(os.path.expanduser(path))
        entries[path or f"\0{text}"] = SpecEntry(name or None, path or None, text)
    return list(entries.values())


def is_uri(path: str) -> bool:
    return _URI.match(path) is not None


def parse_checkpoints_flag(entries: Iterable[str]) -> list[tuple[str, str]]:
    """`--embfactor_checkpoints RUN=PATH` as (run, path) pairs; UsageError where an entry has no run or no path."""
    pairs = []
    for entry in entries:
        run, equals, path = entry.partition("=")
        if not (equals and run.strip() and path.strip()):
            raise UsageError("checkpoints_flag", entry=entry)
        pairs.append((run.strip(), path.strip()))
    return pairs


class EventRuns:
    """The event directories of one log directory, and the run that each other directory belongs to.

    Parameters
    ----------
    directories : relative paths (`.` for the root) of the directories that hold event files.
    prefix : the entry's name in `--logdir_spec`; run names start with it.
    """

    def __init__(self, directories: Iterable[str], prefix: str | None = None) -> None:
        self.directories = frozenset(directories)
        self._prefix = prefix
        self._below: dict[str, list[str]] = {}
        for directory in sorted(self.directories):
            for ancestor in ancestors(directory)[1:]:
                self._below.setdefault(ancestor, []).append(directory)
        self._memo: dict[str, str | None] = {}

    @property
    def names(self) -> set[str]:
        return {self.name(directory) for directory in self.directories}

    def name(self, directory: str) -> str:
        """TensorBoard's name of the run in `directory` (the root of a named entry is `name/.` there, too)."""
        return os.path.join(self._prefix, directory) if self._prefix else directory

    def event_directory(self, directory: str) -> str | None:
        """The event directory whose run the checkpoints in `directory` belong to; None where there is none around."""
        if directory not in self._memo:
            self._memo[directory] = self._find(directory)
        return self._memo[directory]

    def run_of(self, directory: str) -> str:
        found = self.event_directory(directory)
        return self.name(home_of(directory) if found is None else found)

    def _find(self, directory: str) -> str | None:
        for ancestor in ancestors(directory):
            if ancestor in self.directories:
                return ancestor
            below = self._below.get(ancestor, [])
            chosen = _choose(_relative_parts(directory, ancestor), ancestor, below) if below else None
            if chosen is not None:
                return chosen
        return None


def home_of(directory: str) -> str:
    """A directory without the trailing parts that only say that checkpoints lie there: `exp/ckpt/step-5` → `exp`."""
    parts = _parts(directory)
    while parts and _CHECKPOINT_PART.fullmatch(parts[-1]):
        parts.pop()
    return "/".join(parts) or "."


def ancestors(directory: str) -> list[str]:
    """The directory itself, then each directory above it, up to `.`."""
    parts = _parts(directory)
    return ["/".join(parts[:count]) or "." for count in range(len(parts), -1, -1)]


def _choose(inner: list[str], ancestor: str, below: list[str]) -> str | None:
    """The event run under `ancestor` that checkpoints at `ancestor/inner…` belong to, if one clearly is theirs."""
    by_trainer = [run for run in below if _EVENT_PART.fullmatch(_relative_parts(run, ancestor)[0])]
    own_parts = [part for part in inner if not _CHECKPOINT_PART.fullmatch(part)]
    if not own_parts:
        if len(below) == 1:
            return below[0]
        if by_trainer:
            return _preferred(by_trainer)
        # Two runs `a` and `b` below: checkpoints in `a/../ckpt` are some of theirs; right above both, they are of neither.
        return _preferred(below) if inner and ancestor != "." else None
    if own_parts == inner[:1] and len(by_trainer) == len(below):
        return _preferred(by_trainer)  # exp/best/…, where exp holds but one run's train, val, …
    return None


def _preferred(runs: list[str]) -> str:
    return next((run for run in runs if _parts(run)[-1].lower() in ("train", "training")), runs[0])


def _parts(directory: str) -> list[str]:
    return [] if directory == "." else directory.split("/")


def _relative_parts(directory: str, ancestor: str) -> list[str]:
    return _parts(directory)[len(_parts(ancestor)) :]
