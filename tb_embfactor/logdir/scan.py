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

import hashlib
import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from tb_embfactor import formats
from tb_embfactor.errors import EmbfactorError
from tb_embfactor.logdir.hints import hints_for
from tb_embfactor.logdir.label_search import LabelDirectory, LabelFiles, Refusal, find_labels, list_labels
from tb_embfactor.logdir.model import Checkpoint, Logdir, Problem, Run, Scanned
from tb_embfactor.logdir.projector_config import ASSETS_DIRECTORY
from tb_embfactor.logdir.readers import READERS, Header, Location
from tb_embfactor.logdir.runs import EventRuns, SpecEntry, ancestors, is_uri
from tb_embfactor.logdir.walk import ENTRY_LIMIT, Directory, Root, ShownConfinement, Walk, identity_of
from tb_embfactor.messages import Message
from tb_embfactor.sources import stat_fingerprint

_RETRIED = frozenset({"file_missing", "file_unreadable", "library_missing"})  # may mend without a change of the file itself


@dataclass(frozen=True)
class Candidate:
    """A directory entry that some format claims by its name. `choices` are those formats; the first that can read it counts.

    files : the paths that its state is known by: the entry, and what begins with the checkpoint's name and a dot.
    """

    folder: str
    relative: str
    name: str
    entry: str
    choices: tuple[formats.Format, ...]
    files: tuple[str, ...]

    @property
    def id(self) -> str:
        return f"{self.relative}/{self.name}" if self.relative != "." or not self.name else self.name

    @property
    def is_directory(self) -> bool:
        return self.choices[0].is_directory


@dataclass
class _Opened:
    """What is remembered of a candidate: its header or what was wrong, in one state of its files."""

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
    entry_limit : directory entries after which the scan of a directory stops.
    """

    def __init__(
        self,
        logdir: str | os.PathLike[str] | Sequence[tuple[str | None, str | None] | SpecEntry],
        allow_roots: Iterable[str | os.PathLike[str]] = (),
        extra_checkpoints: Mapping[str, str] | Iterable[tuple[str, str]] = (),
        entry_limit: int = ENTRY_LIMIT,
    ) -> None:
        if isinstance(logdir, (str, os.PathLike)):
            self.path = os.fspath(logdir)
            self._entries = [SpecEntry(None, self.path or None, self.path)]
            self._is_spec = False
        else:
            self._entries = [SpecEntry(item[0], item[1], str(item[2] if len(item) > 2 else item[1])) for item in logdir]
            self.path = ",".join(entry.text for entry in self._entries)
            self._is_spec = True
        pairs = extra_checkpoints.items() if isinstance(extra_checkpoints, Mapping) else extra_checkpoints
        self._extra = [(run, os.fspath(path)) for run, path in pairs]
        self._allowed = tuple(Path(os.path.realpath(os.path.expanduser(root))) for root in allow_roots)
        self._entry_limit = entry_limit
        self._opened: dict[tuple[str, str], _Opened] = {}
        self._label_files = LabelFiles()

    @staticmethod
    def set_aside_key(path: str, signature: str) -> str:
        """Names a checkpoint (as messages show it) in one state of its files (`Checkpoint.signature`)."""
        return f"{signature} {path}"

    @staticmethod
    def set_aside_path(key: str) -> str:
        """The path within a key, for the sentence that is to be shown."""
        return key.partition(" ")[2]

    def scan(
        self,
        set_aside: Mapping[str, Message] | None = None,
        on_open: Callable[[str], None] | None = None,
        previous: Logdir | None = None,
    ) -> Logdir:
        """Look at everything once. Never fails as a whole: what cannot be used is among the problems.

        Parameters
        ----------
        set_aside : by `set_aside_key`, what to say of a file instead of opening it.
        on_open : called with the `set_aside_key` of each file just before it is opened.
        previous : a Logdir of another Scanner (before the worker was started again), whose headers are used where the files are the same.
        """
        if previous is not None:
            self._remember(previous)
        state = _Scan(self, set_aside or {}, on_open or (lambda key: None))
        logdir = state.run()
        gone = [key for key in self._opened if key not in state.seen]
        READERS.discard([*gone, *state.changed])
        for key in gone:
            del self._opened[key]
        return logdir

    def _remember(self, previous: Logdir) -> None:
        for run in previous.runs:
            for checkpoint in run.checkpoints:
                location = checkpoint.location
                opened = _Opened(checkpoint.signature, checkpoint.entry_state, location, checkpoint.header)
                self._opened.setdefault((location.folder, location.name), opened)

    def roots(self) -> tuple[list[Root], list[Problem], Message | None]:
        """The directories to walk, those of `--embfactor_checkpoints` first; what is wrong with the others; and with the log directory itself."""
        problems: list[Problem] = []
        error: Message | None = None
        places: list[tuple[str, str, str | None, str | None, str | None]] = []  # path, prefix, name, run, only
        for run, text in self._extra:
            path = os.path.abspath(os.path.expanduser(text))
            if os.path.isdir(path):
                places.append((path, text, None, run, None))
            elif os.path.lexists(path) or os.path.isdir(os.path.dirname(path)):
                places.append((os.path.dirname(path), os.path.dirname(text), None, run, os.path.basename(path)))
            else:
                problems.append(Problem(text, Message("checkpoints_missing", {"path": text, "run": run})))
        for entry in self._entries:
            path = os.path.abspath(os.path.expanduser(entry.path)) if entry.path else ""
            fault = self._fault_of(entry, path)
            if fault is None:
                places.append((path, self._prefix(entry), entry.name, None, None))
            else:
                problems.append(Problem(entry.text, fault))
                error = error or (None if self._is_spec else fault)
        trusted = [Path(path) for path, *_ in places] + list(self._allowed)
        return (
            [Root(path, ShownConfinement(trusted, Path(path), prefix), name, run, only) for path, prefix, name, run, only in places],
            problems,
            error,
        )

    def _fault_of(self, entry: SpecEntry, path: str) -> Message | None:
        if entry.path is None:
            return Message("logdir_spec_entry", {"entry": entry.text}) if self._is_spec else Message("logdir_missing", {"path": "''"})
        if is_uri(entry.path):
            params = {"path": entry.path, "what": "it is not in a local file system", "next": "Copy the checkpoints to a local directory."}
            return Message("file_unsupported", params)
        if not os.path.exists(path):
            return Message("logdir_missing", {"path": entry.path})
        return None if os.path.isdir(path) else Message("logdir_not_directory", {"path": entry.path})

    def _prefix(self, entry: SpecEntry) -> str:
        if not self._is_spec:
            return ""
        return entry.name or (os.path.basename(entry.path or "") if len(self._entries) > 1 else "")


class _Scan:
    """One scan: what it has seen, and the runs as they fill."""

    def __init__(self, scanner: Scanner, set_aside: Mapping[str, Message], on_open: Callable[[str], None]) -> None:
        self.scanner, self.set_aside, self.on_open = scanner, set_aside, on_open
        self.walk = Walk(scanner._entry_limit)
        self.seen: set[tuple[str, str]] = set()
        self.changed: list[tuple[str, str]] = []
        self.runs: dict[str, dict[str, Checkpoint]] = {}
        self.event_runs: set[str] = set()
        self.run_directories: dict[str, tuple[Root, Directory, dict[str, Directory]]] = {}
        self.problems: list[Problem] = []
        self._labels: dict[str, LabelDirectory] = {}

    def run(self) -> Logdir:
        roots, self.problems, error = self.scanner.roots()
        taken_directories: set[tuple[int, int]] = set()
        taken: set[tuple[str, str]] = set()  # (real directory, name) of checkpoints that a flag put under another run
        trees = []
        for root in roots:
            if root.run is None:
                tree = self.walk.list_tree(root)
                events = EventRuns([relative for relative, directory in tree.items() if directory.has_events], root.name)
                for relative in events.directories:
                    self.run_directories.setdefault(events.name(relative), (root, tree[relative], tree))
                self.event_runs |= events.names
            else:
                tree, events = self._list_extra(root), None
                taken_directories |= {identity_of(directory.path) for directory in tree.values()} if root.only is None else set()
            trees.append((root, tree, events))
        for root, tree, events in trees:
            candidates = [item for item in find_candidates(tree.values()) if root.only in (None, item.name, item.entry)]
            if root.only is not None and not candidates:
                shown = root.confinement.show_relative(root.only)
                self.problems.append(Problem(shown, _not_a_checkpoint(shown, os.path.join(root.path, root.only))))
            for candidate in candidates:
                place = (os.path.realpath(candidate.folder), candidate.name)
                if root.run is None and (place in taken or (taken_directories and identity_of(candidate.folder) in taken_directories)):
                    continue
                if root.only is not None:
                    taken.add(place)
                self._add(root, tree, events, candidate)
        self._report_impostors(trees)
        return self._logdir(error)

    def _list_extra(self, root: Root) -> dict[str, Directory]:
        tree = self.walk.list_tree(root) if root.only is None else Walk(self.walk.limit).list_tree(root, shallow=True)
        return tree

    def _add(self, root: Root, tree: dict[str, Directory], events: EventRuns | None, candidate: Candidate) -> None:
        opened = self._open(root, candidate)
        shown = root.confinement.show_relative(candidate.id)
        if opened.header is None or opened.location is None:
            assert opened.problem is not None
            self.problems.append(Problem(shown, opened.problem))
            return
        run = root.run if events is None else events.run_of(candidate.relative)
        assert run is not None
        near, far = self._label_directories(root, tree, candidate, run)
        context = (run, opened.location.confinement.roots, tuple(item.key for item in near), tuple(item.key for item in far))
        if opened.checkpoint is None or opened.context != context:
            labels, refusals = find_labels(opened.header.matrices, near, far, self.scanner._label_files)
            opened.checkpoint = Checkpoint(
                candidate.id,
                shown,
                opened.location,
                opened.header,
                os.path.realpath(candidate.folder),
                opened.entry_state,
                opened.signature,
                labels,
            )
            opened.context, opened.refusals = context, tuple(refusals)
        self.problems.extend(Problem(path, message) for path, message in opened.refusals)
        self._file_under(run, opened.checkpoint)

    def _open(self, root: Root, candidate: Candidate) -> _Opened:
        """What is known of a candidate: from memory where its files are the same, else by opening it."""
        key = (candidate.folder, candidate.name)
        self.seen.add(key)
        shown = root.confinement.show_relative(candidate.id)
        signature, entry_state = _signature(candidate)
        aside = self.set_aside.get(Scanner.set_aside_key(shown, signature))
        if aside is not None:
            self.changed.append(key)
            return self._keep(key, _Opened(signature, entry_state, problem=aside))
        kept = self.scanner._opened.get(key)
        if kept is not None and kept.signature == signature:
            is_same_place = kept.location is None or kept.location.confinement.roots == root.confinement.roots
            is_set_aside = kept.problem is not None and kept.problem.code == "set_aside"
            if is_same_place and not is_set_aside and not (kept.problem is not None and kept.problem.code in _RETRIED):
                return kept
        if kept is not None:
            self.changed.append(key)
        return self._keep(key, self._read(root, candidate, shown, signature, entry_state))

    def _keep(self, key: tuple[str, str], opened: _Opened) -> _Opened:
        self.scanner._opened[key] = opened
        return opened

    def _read(self, root: Root, candidate: Candidate, shown: str, signature: str, entry_state: str | None) -> _Opened:
        self.on_open(Scanner.set_aside_key(shown, signature))
        problem: Message | None = None
        for fmt in candidate.choices:
            entry = None if fmt.is_directory else candidate.entry
            location = Location(fmt.name, candidate.folder, candidate.name, entry, root.confinement, shown)
            try:
                return _Opened(signature, entry_state, location, location.read_header())
            except EmbfactorError as error:
                message = error.message
            except Exception as error:  # a format that breaks its promise costs one problem, not the scan
                reason = f"{type(error).__name__}: {str(error)[:200]}"
                message = Message("internal", {"task": f"opening {shown} as {fmt.name}", "reason": reason})
            if problem is None or problem.code == "file_foreign":
                problem = message  # what the format says that recognised the file, rather than what the others say
        return _Opened(signature, entry_state, problem=problem)

    def _label_directories(
        self, root: Root, tree: dict[str, Directory], candidate: Candidate, run: str
    ) -> tuple[list[LabelDirectory], list[LabelDirectory]]:
        above = ancestors(candidate.relative)
        near_to = above[0]
        near: list[tuple[Root, Directory]] = []
        far: list[tuple[Root, Directory]] = []
        run_place = self.run_directories.get(run)
        if run_place is not None and run_place[0] is root:
            run_relative = run_place[1].relative
            near_to = next(item for item in above if item in ancestors(run_relative))
            near_to = near_to if near_to != "." or run_relative == "." else above[max(0, len(above) - 2)]
        is_near = True
        for relative in above:
            if relative in tree:
                (near if is_near else far).append((root, tree[relative]))
            is_near = is_near and relative != near_to
        if run_place is not None:
            run_root, directory, run_tree = run_place
            assets = f"{directory.relative}/{ASSETS_DIRECTORY}".removeprefix("./")
            near += [(run_root, item) for item in (directory, run_tree.get(assets)) if item is not None]
        near_labels = self._list_labels(near)
        return near_labels, [item for item in self._list_labels(far) if item not in near_labels]

    def _list_labels(self, places: Iterable[tuple[Root, Directory]]) -> list[LabelDirectory]:
        listed = []
        for root, directory in places:
            if directory.path not in self._labels:
                scanner = self.scanner
                self._labels[directory.path] = list_labels(directory, root.confinement, scanner._label_files, scanner._allowed)
            item = self._labels[directory.path]
            if item.key and item not in listed:
                listed.append(item)
        return listed

    def _file_under(self, run: str, checkpoint: Checkpoint) -> None:
        """Put a checkpoint into its run under an id that no other one there has (two roots may hold `ckpt-1` each)."""
        ids = self.runs.setdefault(run, {})
        if checkpoint.id in ids:
            wanted = next(
                name for name in (checkpoint.path, *(f"{checkpoint.path} ({n})" for n in range(2, len(ids) + 3))) if name not in ids
            )
            checkpoint = replace(checkpoint, id=wanted)
        ids[checkpoint.id] = checkpoint

    def _report_impostors(self, trees: Sequence[tuple[Root, dict[str, Directory], EventRuns | None]]) -> None:
        """A directory that bears the name of a checkpoint file is most likely one gone wrong: say so."""
        for root, tree, _ in trees:
            for directory in tree.values() if root.only is None else ():
                for name in directory.directories:
                    claims = [fmt for fmt in formats.FORMATS.values() if fmt.claims(name) is not None]
                    if claims and not any(fmt.is_directory for fmt in claims):
                        shown = root.confinement.show_relative(f"{directory.relative}/{name}".removeprefix("./"))
                        self.problems.append(Problem(shown, Message("not_regular_file", {"path": shown, "kind": "a directory"})))

    def _logdir(self, error: Message | None) -> Logdir:
        problems = self.problems + [Problem(path, message) for path, message in self.walk.problems]
        unique = {(problem.path, problem.message.text): problem for problem in problems}
        runs = tuple(Run(name, tuple(sorted(ids.values(), key=_order))) for name, ids in sorted(self.runs.items()))
        n_checkpoints = sum(len(run.checkpoints) for run in runs)
        paths = [entry.path for entry in self.scanner._entries if entry.path]
        return Logdir(
            self.scanner.path,
            runs,
            tuple(unique[key] for key in sorted(unique)),
            Scanned(len(self.event_runs), self.walk.n_directories, self.walk.n_files, n_checkpoints),
            hints_for(paths, unique.values()) if n_checkpoints == 0 and error is None else (),
            error,
        )


def find_candidates(directories: Iterable[Directory]) -> Iterator[Candidate]:
    """The checkpoints among the entries of the directories, by name alone. What lies in a claimed directory is part of that."""
    claimed: list[str] = []
    inside: dict[str, list[str]] = {}
    listing = list(directories)
    for directory in listing:
        owner = next((item for item in claimed if directory.relative == item or directory.relative.startswith(item + "/")), None)
        if owner is None:
            below = "" if directory.relative == "." else directory.relative + "/"
            names = [name for name in directory.directories if any(f.is_directory and f.claims(name) for f in formats.FORMATS.values())]
            claimed += [below + name for name in names]
        else:
            inside.setdefault(owner, []).extend(f"{directory.path}/{name}" for name in directory.files)
    for directory in listing:
        if not any(directory.relative == item or directory.relative.startswith(item + "/") for item in claimed):
            yield from _candidates_in(directory, inside)


def _candidates_in(directory: Directory, inside: Mapping[str, Sequence[str]]) -> Iterator[Candidate]:
    by_name: dict[tuple[bool, str], list[formats.Format]] = {}
    for fmt, name in formats.find(directory.files, directory.directories):
        if not name.startswith("."):  # hidden files are somebody's temporary files; a TensorFlow prefix may be empty
            by_name.setdefault((fmt.is_directory, name), []).append(fmt)
    files: dict[str, list[str]] = {name: [] for is_directory, name in by_name if not is_directory}
    for file in directory.files if files else ():
        claims = {name for fmt in formats.FORMATS.values() if not fmt.is_directory and (name := fmt.claims(file)) is not None}
        dots = [index for index, letter in enumerate(file) if letter == "."]
        for name in claims | {file[:index] for index in dots}:
            if name in files:
                files[name].append(file)
    for (is_directory, name), choices in by_name.items():
        if is_directory:
            relative = name if directory.relative == "." else f"{directory.relative}/{name}"
            paths = (f"{directory.path}/{name}", *inside.get(relative, ()))
            yield Candidate(directory.path, directory.relative, name, name, tuple(choices), paths)
        else:
            entry = next(file for file in files[name] if choices[0].claims(file) == name)
            paths = tuple(f"{directory.path}/{file}" for file in files[name])
            yield Candidate(directory.path, directory.relative, name, entry, tuple(choices), paths)


def _signature(candidate: Candidate) -> tuple[str, str | None]:
    """The state of a checkpoint's files, and of its entry alone."""
    states = []
    entry_state = None
    entry_path = f"{candidate.folder}/{candidate.entry}"
    for path in candidate.files:
        try:
            state = stat_fingerprint(os.stat(path))
        except OSError as error:
            state = f"errno {error.errno}"
        states.append(f"{path}:{state}")
        if path == entry_path and not candidate.is_directory:
            entry_state = state
    text = "\n".join(states).encode("utf-8", "surrogateescape")
    return hashlib.blake2b(text, digest_size=12).hexdigest(), entry_state


def _order(checkpoint: Checkpoint) -> tuple[bool, int, float, str]:
    return checkpoint.step is None, checkpoint.step or 0, checkpoint.wall_time, checkpoint.id


def _not_a_checkpoint(shown: str, path: str) -> Message:
    if not os.path.lexists(path):
        return Message("file_missing", {"path": shown})
    return Message("not_a_checkpoint", {"path": shown, "formats": ", ".join(formats.FORMATS)})
