"""Which directories a scan walks: the log directory or the entries of `--logdir_spec`, and `--embfactor_checkpoints`."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from tb_embfactor.logdir.runs import SpecEntry, is_uri
from tb_embfactor.logdir.walk import Root, ShownConfinement, is_checkpoint_directory
from tb_embfactor.messages import Message


@dataclass(frozen=True)
class Roots:
    """The directories that are there, those of a flag first; what is wrong with others; why the log directory cannot be read."""

    roots: tuple[Root, ...]
    faults: tuple[tuple[str, Message], ...]
    error: Message | None


class RootPlan:
    """What the flags say, to be looked up at each scan: a log directory may appear long after TensorBoard has started."""

    def __init__(
        self,
        logdir: str | os.PathLike[str] | Sequence[tuple[str | None, str | None] | SpecEntry],
        allow_roots: Iterable[str | os.PathLike[str]],
        extra_checkpoints: Mapping[str, str] | Iterable[tuple[str, str]],
    ) -> None:
        self.is_spec = not isinstance(logdir, (str, os.PathLike))
        if isinstance(logdir, (str, os.PathLike)):
            self.text = os.fspath(logdir)
            self.entries = [SpecEntry(None, self.text or None, self.text)]
        else:
            self.entries = [item if isinstance(item, SpecEntry) else SpecEntry(item[0], item[1], f"{item[1]}") for item in logdir]
            self.text = ",".join(entry.text for entry in self.entries)
        pairs = extra_checkpoints.items() if isinstance(extra_checkpoints, Mapping) else extra_checkpoints
        self.extra = [(run, os.fspath(path)) for run, path in pairs]
        self.allowed = tuple(Path(os.path.realpath(os.path.expanduser(root))) for root in allow_roots)

    @property
    def paths(self) -> list[str]:
        return [entry.path for entry in self.entries if entry.path is not None and not is_uri(entry.path)]

    def resolve(self) -> Roots:
        faults: list[tuple[str, Message]] = []
        found: list[tuple[str, str, str | None, str | None, str | None]] = []  # path, how it is shown, name, run, only
        for run, text in self.extra:
            path = absolute(text)
            if os.path.isdir(path) and not is_checkpoint_directory(os.path.basename(path)):
                found.append((path, text, None, run, None))
            elif os.path.lexists(path) or _is_prefix(path):
                found.append((os.path.dirname(path), os.path.dirname(text), None, run, os.path.basename(path)))
            else:
                faults.append((text, Message("checkpoints_missing", {"path": text, "run": run})))
        error: Message | None = None
        for entry in self.entries:
            fault = self._fault_of(entry)
            if fault is not None:
                faults.append((entry.text, fault))
                error = error or fault
            elif entry.path is not None:
                found.append((absolute(entry.path), self._shown(entry), entry.name, None, None))
        trusted = [Path(path) for path, *_ in found] + list(self.allowed)
        roots = tuple(
            Root(path, ShownConfinement(trusted, Path(path), shown), name, run, only) for path, shown, name, run, only in found
        )
        is_all_lost = all(root.run is not None for root in roots)
        return Roots(roots, tuple(faults), error if is_all_lost else None)

    def _fault_of(self, entry: SpecEntry) -> Message | None:
        if entry.path is None:
            return Message("logdir_spec_entry", {"entry": entry.text})
        if is_uri(entry.path):
            what, advice = "it is not in a local file system", "Copy the checkpoints to a local directory."
            return Message("file_unsupported", {"path": entry.path, "what": what, "next": advice})
        path = absolute(entry.path)
        if not os.path.exists(path):
            return Message("logdir_missing", {"path": entry.path})
        return None if os.path.isdir(path) else Message("logdir_not_directory", {"path": entry.path})

    def _shown(self, entry: SpecEntry) -> str:
        """Paths under the only log directory are shown relative to it; under one of several they begin with its name."""
        if not self.is_spec:
            return ""
        return entry.name or (os.path.basename(entry.path or "") if len(self.entries) > 1 else "")


def absolute(path: str) -> str:
    return os.path.abspath(os.path.expanduser(path))


def _is_prefix(path: str) -> bool:
    """Whether some file is called `PATH.…`: then PATH may be a TensorFlow prefix."""
    try:
        return any(name.startswith(os.path.basename(path) + ".") for name in os.listdir(os.path.dirname(path)))
    except OSError:
        return False
