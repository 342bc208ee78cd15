"""Scans log directories for checkpoints, again and again.

What the design must meet:

* A scan runs every few seconds while a model trains, over thousands of checkpoints. So a checkpoint is opened when
  it is new or its files changed, and otherwise costs the `stat` of its files; the objects of the last scan are kept.
* One bad entry costs one problem. It is tried again when its files change (a checkpoint being written is
  incomplete now and sound a second later), not at every scan.
* Opening a file may kill or hang the process. So `on_open` is told before, with a key that names the file in its
  present state, and a key that comes back in `set_aside` is not opened again until the file changes.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from tb_embfactor import formats
from tb_embfactor.errors import EmbfactorError
from tb_embfactor.logdir.candidates import Candidate, find_candidates, impostors
from tb_embfactor.logdir.hints import hints_for
from tb_embfactor.logdir.label_flags import FlaggedLabels
from tb_embfactor.logdir.label_search import LabelDirectory, LabelFiles, Refusal, find_labels, list_labels
from tb_embfactor.logdir.model import Checkpoint, Logdir, Problem, Run, Scanned
from tb_embfactor.logdir.projector_config import ASSETS_DIRECTORY
from tb_embfactor.logdir.readers import READERS, Header, Location
from tb_embfactor.logdir.roots import RootPlan
from tb_embfactor.logdir.runs import EventRuns, SpecEntry, ancestors, home_of
from tb_embfactor.logdir.walk import ENTRY_LIMIT, Directory, Root, Walk, identity_of, readable
from tb_embfactor.messages import Message

_RETRIED = frozenset({"file_missing", "file_unreadable", "library_missing"})  # may mend without a change of the file itself
_Key = tuple[str, str, str, str]  # directory, checkpoint name, entry, and the path as shown (two roots may overlap)


@dataclass
class _Opened:
    """What is remembered of a candidate: its header or what was wrong, in one state of its files.

    checkpoint, context, refusals : the object made of it, what that depended on, and what was wrong with its labels.
    """

    signature: str
    entry_state: str | None
    location: Location | None = None
    header: Header | None = None
    problem: Message | None = None
    checkpoint: Checkpoint | None = None
    context: object = None
    refusals: tuple[Refusal, ...] = ()


class Scanner:
    """Finds the runs and checkpoints of one log directory, or of the entries of one `--logdir_spec`.

    Parameters
    ----------
    logdir : the directory, or (name, path) pairs as `parse_logdir_spec` gives them.
    allow_roots : further directories that links may lead into.
    extra_checkpoints : (run, path) pairs of `--embfactor_checkpoints`, or a mapping of them.
    entry_limit : directory entries after which a scan stops.
    labels : values of `--embfactor_labels`; UsageError for one that names no file.
    """

    def __init__(
        self,
        logdir: str | os.PathLike[str] | Sequence[tuple[str | None, str | None] | SpecEntry],
        allow_roots: Iterable[str | os.PathLike[str]] = (),
        extra_checkpoints: Mapping[str, str] | Iterable[tuple[str, str]] = (),
        entry_limit: int = ENTRY_LIMIT,
        labels: Iterable[str] = (),
    ) -> None:
        self.plan = RootPlan(logdir, allow_roots, extra_checkpoints)
        self.path = self.plan.text
        self.entry_limit = entry_limit
        self.label_files = LabelFiles()
        self.flagged_labels = FlaggedLabels(labels)
        self.opened: dict[_Key, _Opened] = {}

    @staticmethod
    def set_aside_key(path: str, signature: str) -> str:
        """Names a checkpoint (`Checkpoint.path`) in one state of its files (`Checkpoint.signature`)."""
        return f"{signature} {path}"

    @staticmethod
    def set_aside_path(key: str) -> str:
        """The path within a key, for the sentence that is to be shown."""
        return key.partition(" ")[2]

    def scan(
        self,
        set_aside: Mapping[str, Message] | None = None,
        on_open: Callable[[str], None] | None = None,
        on_opened: Callable[[], None] | None = None,
        previous: Logdir | None = None,
    ) -> Logdir:
        """Look at everything once. Never fails as a whole: what cannot be used is among the problems.

        Parameters
        ----------
        set_aside : by `set_aside_key`, what to say of a file instead of opening it.
        on_open : called with the `set_aside_key` of each checkpoint just before it is opened; on_opened : just after.
        previous : a Logdir of an earlier Scanner; its headers serve where the files are the same.
        """
        for run in previous.runs if previous is not None else ():
            for checkpoint in run.checkpoints:
                location = checkpoint.location
                key = (location.folder, location.name, location.entry or location.name, checkpoint.path)
                opened = _Opened(checkpoint.signature, checkpoint.entry_state, location, checkpoint.header)
                self.opened.setdefault(key, opened)
        scan = _Scan(self, set_aside or {}, on_open or (lambda key: None), on_opened or (lambda: None))
        logdir = scan.run()
        gone = [key for key in self.opened if key not in scan.seen]
        READERS.discard((key[0], key[1]) for key in [*gone, *scan.changed])
        for key in gone:
            del self.opened[key]
        return logdir


@dataclass
class _Tree:
    """A root with its directories, and their event runs (None where a flag names the run)."""

    root: Root
    directories: dict[str, Directory]
    events: EventRuns | None


class _Scan:
    """One scan: what it has seen, and the runs as they fill."""

    def __init__(
        self,
        scanner: Scanner,
        set_aside: Mapping[str, Message],
        on_open: Callable[[str], None],
        on_opened: Callable[[], None],
    ) -> None:
        self.scanner, self.set_aside, self.on_open, self.on_opened = scanner, set_aside, on_open, on_opened
        self.walk = Walk(scanner.entry_limit)
        self.seen: set[_Key] = set()
        self.changed: list[_Key] = []
        self.problems: list[Problem] = []
        self.runs: dict[str, dict[str, Checkpoint]] = {}
        self.run_places: dict[str, tuple[_Tree, str]] = {}
        self._labels: dict[str, LabelDirectory] = {}

    def run(self) -> Logdir:
        plan = self.scanner.plan.resolve()
        self.problems += [Problem(path, message) for path, message in plan.faults]
        trees = [self._list(root) for root in plan.roots]
        flagged: set[tuple[int, int] | None] = {None}  # directories that a flag put under a run: it outdoes where they lie
        flagged_files: set[tuple[str, str]] = set()
        for tree in trees:
            root = tree.root
            listed = [item for item in find_candidates(tree.directories.values()) if root.takes(item.name, item.entry)]
            candidates = [item for item in listed if root.only is not None or not item.is_copy]
            for candidate in candidates:
                if tree.events is not None and self.scanner.plan.extra:
                    real = (os.path.realpath(candidate.folder), candidate.entry)
                    if identity_of(candidate.folder) in flagged or real in flagged_files:
                        continue
                self._add(tree, candidate)
            if root.run is not None and root.only is None:
                flagged |= {identity_of(directory.path) for directory in tree.directories.values()}
            elif root.run is not None:
                flagged_files |= {(os.path.realpath(item.folder), item.entry) for item in candidates}
                if not candidates:
                    self._report(root, root.only or "", "not_a_checkpoint", formats=", ".join(formats.FORMATS))
            for directory in tree.directories.values() if root.only is None else ():
                for name in impostors(directory):
                    self._report(root, f"{directory.relative}/{name}".removeprefix("./"), "not_regular_file", kind="a directory")
        return self._logdir(plan.error)

    def _list(self, root: Root) -> _Tree:
        tree = _Tree(root, self.walk.list_tree(root), None)
        if root.run is None:
            tree.events = EventRuns([path for path, item in tree.directories.items() if item.has_events], root.name)
            for relative in tree.events.directories:
                self.run_places.setdefault(readable(tree.events.name(relative)), (tree, relative))
        return tree

    def _report(self, root: Root, relative: str, code: str, **params: str) -> None:
        shown = root.confinement.show_relative(relative)
        self.problems.append(Problem(shown, Message(code, {"path": shown, **params})))

    def _add(self, tree: _Tree, candidate: Candidate) -> None:
        """Open a candidate or remember it, find its labels, and put it into its run."""
        opened = self._open(tree.root, candidate)
        shown = tree.root.confinement.show_relative(candidate.id)
        if opened.problem is not None:
            self.problems.append(Problem(shown, opened.problem))
        if opened.header is None or opened.location is None:
            return
        run = tree.root.run if tree.events is None else tree.events.run_of(candidate.relative)
        assert run is not None
        run = readable(run)
        near, far = self._label_directories(tree, candidate.relative, run)
        flagged = self.scanner.flagged_labels
        context = (run, [item.key for item in near], [item.key for item in far], flagged.state)
        if opened.checkpoint is None or opened.context != context:
            labels, refusals = find_labels(opened.header.matrices, near, far, self.scanner.label_files)
            named, more = flagged.find(opened.header.matrices)
            labels, refusals = labels | named, [*refusals, *more]
            real_folder = os.path.realpath(candidate.folder)
            opened.checkpoint = Checkpoint(
                candidate.id, shown, opened.location, opened.header, real_folder, opened.entry_state, opened.signature, labels
            )
            opened.context, opened.refusals = context, tuple(refusals)
        self.problems += [Problem(path, message) for path, message in opened.refusals]
        self._file_under(run, opened.checkpoint)

    def _open(self, root: Root, candidate: Candidate) -> _Opened:
        """What is known of a candidate: from memory where its files are the same, else by opening it."""
        shown = root.confinement.show_relative(candidate.id)
        key = (candidate.folder, candidate.name, candidate.entry, shown)
        self.seen.add(key)
        signature, entry_state = candidate.state()
        kept = self.scanner.opened.get(key)
        aside = self.set_aside.get(Scanner.set_aside_key(shown, signature))
        if aside is not None:
            self.scanner.opened.pop(key, None)
            return _Opened(signature, entry_state, problem=aside)
        if kept is not None and kept.signature == signature:
            is_final = kept.problem is None or kept.problem.code not in _RETRIED
            if is_final and (kept.location is None or kept.location.confinement.roots == root.confinement.roots):
                return kept
        if kept is not None:
            self.changed.append(key)
        self.on_open(Scanner.set_aside_key(shown, signature))
        opened = _read(root, candidate, shown, signature, entry_state)
        self.on_opened()
        self.scanner.opened[key] = opened
        return opened

    def _label_directories(self, tree: _Tree, relative: str, run: str) -> tuple[list[LabelDirectory], list[LabelDirectory]]:
        """The directories to look for labels in: the near ones, then those above them (see `label_search`)."""
        above = ancestors(relative)
        place = self.run_places.get(run)
        if tree.events is None:
            top = "."
        elif place is not None and place[0] is tree:
            around_run = set(ancestors(place[1]))
            top = next(item for item in above if item in around_run)
        else:
            top = home_of(relative)
        split = above.index(top) + 1
        near = [(tree, item) for item in above[:split]]
        if place is not None:
            run_tree, run_directory = place
            near += [(run_tree, run_directory), (run_tree, f"{run_directory}/{ASSETS_DIRECTORY}".removeprefix("./"))]
        near_labels = self._list_labels(near)
        far_labels = self._list_labels([(tree, item) for item in above[split:]])
        return near_labels, [item for item in far_labels if item not in near_labels]

    def _list_labels(self, places: Iterable[tuple[_Tree, str]]) -> list[LabelDirectory]:
        listed: list[LabelDirectory] = []
        for tree, relative in places:
            directory = tree.directories.get(relative)
            if directory is None:
                continue
            if directory.path not in self._labels:
                confinement, allowed = tree.root.confinement, self.scanner.plan.allowed
                self._labels[directory.path] = list_labels(directory, confinement, self.scanner.label_files, allowed)
            item = self._labels[directory.path]
            if item.key and item not in listed:
                listed.append(item)
        return listed

    def _file_under(self, run: str, checkpoint: Checkpoint) -> None:
        """Put a checkpoint into its run under an id that no other one there has (two roots may hold `ckpt-1` each)."""
        ids = self.runs.setdefault(run, {})
        if checkpoint.id in ids:
            numbered = (f"{checkpoint.path} ({number})" for number in range(2, len(ids) + 3))
            checkpoint = replace(checkpoint, id=next(name for name in (checkpoint.path, *numbered) if name not in ids))
        ids[checkpoint.id] = checkpoint

    def _logdir(self, error: Message | None) -> Logdir:
        said = [*self.walk.problems, *(self.scanner.flagged_labels.problems() if self.runs else ())]
        problems = self.problems + [Problem(path, message) for path, message in said]
        unique = {(problem.path, problem.message.text): problem for problem in problems}
        runs = tuple(Run(name, tuple(sorted(ids.values(), key=_order))) for name, ids in sorted(self.runs.items()))
        n_checkpoints = sum(len(run.checkpoints) for run in runs)
        hints: tuple[Message, ...] = ()
        if n_checkpoints == 0 and error is None:
            event_directories = {run: tree.directories[relative] for run, (tree, relative) in sorted(self.run_places.items())}
            hints = hints_for(self.scanner.plan.paths, unique.values(), event_directories)
        scanned = Scanned(len(self.run_places), self.walk.n_directories, self.walk.n_files, n_checkpoints)
        return Logdir(self.scanner.path, runs, tuple(unique[key] for key in sorted(unique)), scanned, hints, error)


def read_candidate(root: Root, candidate: Candidate, shown: str) -> tuple[Location, Header]:
    """Open a candidate as the first of its formats that can read it. The error of the one that recognised it, where none can."""
    failure: EmbfactorError | None = None
    for fmt in candidate.choices:
        entry = None if fmt.is_directory else candidate.entry
        location = Location(fmt.name, candidate.folder, candidate.name, entry, root.confinement, shown)
        try:
            return location, location.read_header()
        except EmbfactorError as error:
            if failure is None or failure.code == "file_foreign" != error.code:
                failure = error
        except Exception as error:  # a format that breaks its promise costs one problem, not the scan
            reason = f"{type(error).__name__}: {str(error)[:200]}"
            failure = failure or EmbfactorError("internal", task=f"opening {shown} as {fmt.name}", reason=reason)
    assert failure is not None
    raise failure


def _read(root: Root, candidate: Candidate, shown: str, signature: str, entry_state: str | None) -> _Opened:
    try:
        return _Opened(signature, entry_state, *read_candidate(root, candidate, shown))
    except EmbfactorError as error:
        is_expected = root.only is None and candidate.is_likely_foreign(error.code)
        return _Opened(signature, entry_state, problem=None if is_expected else error.message)


def _order(checkpoint: Checkpoint) -> tuple[bool, int, float, str]:
    return checkpoint.step is None, checkpoint.step or 0, checkpoint.wall_time, checkpoint.id
