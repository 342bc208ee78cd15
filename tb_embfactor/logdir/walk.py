"""Lists the directories of a log directory, once each, and only where reading is allowed.

What the design must meet:

* Links are normal (runs are often links), and links may go round in circles or leave the log directory. So a
  directory is known by its device and inode, real directories come before links to them, and what a link leads
  to is compared with the allowed roots before it is listed.
* The tree may be huge. Breadth first, so that a limit cuts off what lies deep, not what comes late in the alphabet.
* Nothing is opened here, and a file is not even looked at beyond its name.
"""

from __future__ import annotations

import os
from collections import deque
from dataclasses import dataclass, field
from pathlib import Path

from tb_embfactor.formats import FORMATS
from tb_embfactor.logdir.runs import is_event_file
from tb_embfactor.messages import Message
from tb_embfactor.sources import Confinement

ENTRY_LIMIT = 200_000


class ShownConfinement(Confinement):
    """Confinement that writes a path as the user knows it: under the name of its log directory entry, printable."""

    def __init__(self, roots: list[Path], base: Path, prefix: str = "") -> None:
        super().__init__(roots, base)
        self.prefix = prefix

    def show(self, path: Path) -> str:
        if self.base is not None and path.is_relative_to(self.base):
            return self.show_relative(path.relative_to(self.base).as_posix())
        return readable(str(path))

    def show_relative(self, relative: str) -> str:
        if relative == "." and self.prefix:
            return readable(self.prefix)
        return readable(f"{self.prefix.rstrip('/')}/{relative}" if self.prefix else relative)


@dataclass(frozen=True)
class Root:
    """A directory to walk.

    path : absolute; the links in it are kept.
    name : its name in `--logdir_spec`.
    run : the run that all its checkpoints are put under (`--embfactor_checkpoints`), whatever lies around them.
    only : bare name of the one checkpoint that is meant, where RUN=PATH named a file; then only its directory is listed.
    """

    path: str
    confinement: ShownConfinement
    name: str | None = None
    run: str | None = None
    only: str | None = None

    def takes(self, name: str, entry: str) -> bool:
        return self.only is None or self.only in (name, entry)


@dataclass(slots=True)
class Directory:
    """The entries of one directory by bare name, sorted. `files` is everything that is no directory, pipes included."""

    path: str
    relative: str
    files: list[str]
    directories: list[str]

    @property
    def has_events(self) -> bool:
        return any(map(is_event_file, self.files))


@dataclass
class Walk:
    """What one scan has listed so far, over all its roots; they share the limit."""

    limit: int = ENTRY_LIMIT
    n_directories: int = 0
    n_files: int = 0
    n_refused: int = 0
    problems: list[tuple[str, Message]] = field(default_factory=list)

    def list_tree(self, root: Root) -> dict[str, Directory]:
        """The directories under a root, by relative path."""
        found: dict[str, Directory] = {}
        visited: set[tuple[int, int]] = set()
        directories: deque[str] = deque(["."])
        links: deque[str] = deque()
        while directories or links:
            is_link = not directories
            relative = links.popleft() if is_link else directories.popleft()
            path = root.path if relative == "." else f"{root.path.rstrip('/')}/{relative}"
            shown = root.confinement.show_relative(relative)
            if is_link and not self._allows(root, path, shown):
                continue
            identity = identity_of(path)
            if identity in visited:
                continue
            visited |= {identity} if identity else set()
            try:
                directory, inner_directories, inner_links = self._list(path, relative)
            except OSError as error:
                reason = error.strerror or str(error)
                self.problems.append((shown, Message("directory_unreadable", {"path": shown, "reason": reason})))
                continue
            found[relative] = directory
            if root.only is not None and relative == ".":
                inner_directories = list(filter(is_checkpoint_directory, inner_directories))
                inner_links = list(filter(is_checkpoint_directory, inner_links))
            directories.extend(inner_directories)
            links.extend(inner_links)
            if self.n_files + self.n_directories >= self.limit:
                params = {"path": root.confinement.show_relative("."), "limit": f"{self.limit:,}", "what": "directory entries"}
                self.problems.append((params["path"], Message("scan_limit", params)))
                break
        return found

    def _list(self, path: str, relative: str) -> tuple[Directory, list[str], list[str]]:
        files: list[str] = []
        directories: list[tuple[str, bool]] = []
        with os.scandir(path) as entries:
            for entry in entries:
                if not _is_directory(entry):
                    files.append(entry.name)
                    self.n_files += 1
                elif not entry.name.startswith("."):
                    directories.append((entry.name, entry.is_symlink()))
                    self.n_directories += 1
                if self.n_files + self.n_directories >= self.limit:
                    break
        directories.sort()
        below = "" if relative == "." else f"{relative}/"
        return (
            Directory(path, relative, sorted(files), [name for name, _ in directories]),
            [below + name for name, is_link in directories if not is_link],
            [below + name for name, is_link in directories if is_link],
        )

    def _allows(self, root: Root, path: str, shown: str) -> bool:
        real = os.path.realpath(path)
        if root.confinement.allows(real):
            return True
        self.n_refused += 1
        params = {"path": shown, "target": readable(real), "suggestion": readable(real)}
        self.problems.append((shown, Message("outside_roots", params)))
        return False


def is_checkpoint_directory(name: str) -> bool:
    return any(fmt.is_directory and fmt.claims(name) is not None for fmt in FORMATS.values())


def identity_of(path: str) -> tuple[int, int] | None:
    """What a directory is, whatever path leads to it; None if it is gone."""
    try:
        status = os.stat(path)
    except OSError:
        return None
    return status.st_dev, status.st_ino


def readable(path: str) -> str:
    """A path that JSON and terminals can carry: bytes of a file name that are not UTF-8 become `\\xNN`."""
    return path if path.isascii() else path.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")


def _is_directory(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:  # a link in a circle
        return False
