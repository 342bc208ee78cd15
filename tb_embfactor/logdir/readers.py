"""Where a checkpoint can be opened again, and the few readers that are kept open in between.

A matrix is read in many small requests (rows for a tooltip, a pass for a spectrum), so a reader is kept for the
next one; but a kept reader holds file descriptors, and a deleted 13 GB checkpoint takes disk space as long as
somebody holds it. So few are kept, the least recently used one is closed first, and whoever learns that a
checkpoint changed or went closes its reader at once.
"""

from __future__ import annotations

import os
import threading
from collections import OrderedDict
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tb_embfactor import formats
from tb_embfactor.copies import Copies, default_directory
from tb_embfactor.errors import IncompleteError, ReadError
from tb_embfactor.formats import Folder, MatrixInfo, Reader
from tb_embfactor.messages import Message
from tb_embfactor.sources import Confinement, stat_fingerprint

MAX_IDLE_READERS = 4
COPIES = Copies(lambda: default_directory() / "copies")  # the worker process sets another place, and reports


@dataclass(frozen=True)
class Header:
    """What opening a checkpoint tells, before any of its numbers is read. `state` is the reader's fingerprint then."""

    step: int | None
    wall_time: float
    matrices: tuple[MatrixInfo, ...]
    skipped: tuple[Message, ...]
    state: str


@dataclass(frozen=True)
class Location:
    """How to open one checkpoint: format, directory and name in it.

    entry : the file of that directory that stands for the checkpoint; None for a checkpoint that is a directory.
    """

    format: str
    folder: str
    name: str
    entry: str | None
    confinement: Confinement
    shown: str

    def open(self) -> Reader:
        return formats.get(self.format).open_reader(Folder(Path(self.folder), self.confinement, COPIES), self.name)

    def read_header(self) -> Header:
        reader = self.open()
        try:
            return Header(reader.step, reader.wall_time, tuple(reader.matrices), tuple(reader.skipped), reader.fingerprint())
        finally:
            reader.close()

    def entry_state(self) -> str | None:
        """The state of the entry as its path leads to it now: a kept reader would not notice that it was replaced."""
        if self.entry is None:
            return None
        try:
            return stat_fingerprint(os.stat(os.path.join(self.folder, self.entry)))
        except OSError:
            raise IncompleteError("file_missing", path=self.shown) from None


@dataclass(frozen=True)
class Opening:
    """A location in one state of its files; the key of a kept reader."""

    location: Location
    state: str
    entry_state: str | None

    def check(self, reader: Reader) -> None:
        if self.location.entry_state() != self.entry_state or reader.fingerprint() != self.state:
            raise IncompleteError("file_changed", path=self.location.shown)

    @property
    def key(self) -> tuple[str, str, str, str, str | None]:
        return self.location.format, self.location.folder, self.location.name, self.state, self.entry_state


class ReaderPool:
    """Lends each reader to one user at a time; keeps at most `max_idle` of those given back."""

    def __init__(self, max_idle: int = MAX_IDLE_READERS) -> None:
        self.max_idle = max_idle
        self._idle: OrderedDict[tuple[str | None, ...], Reader] = OrderedDict()
        self._lock = threading.Lock()

    @contextmanager
    def borrow(self, opening: Opening) -> Iterator[Reader]:
        """A reader of exactly this state of the checkpoint, checked before and after; IncompleteError where it changed."""
        if opening.location.entry_state() != opening.entry_state:
            raise IncompleteError("file_changed", path=opening.location.shown)
        with self._lock:
            reader = self._idle.pop(opening.key, None)
        if reader is None:
            reader = opening.location.open()
        try:
            opening.check(reader)
            try:
                yield reader
            except ReadError:
                opening.check(reader)  # half a new file looks damaged: say that it changed instead
                raise
            opening.check(reader)
        except BaseException:
            reader.close()
            raise
        self._give_back(opening.key, reader)

    def discard(self, folders: Iterable[tuple[str, str]]) -> None:
        """Close the kept readers of the checkpoints (directory, name): they changed or are gone."""
        gone = set(folders)
        with self._lock:
            closing = [self._idle.pop(key) for key in list(self._idle) if (key[1], key[2]) in gone]
        for reader in closing:
            reader.close()

    def close(self) -> None:
        with self._lock:
            closing = list(self._idle.values())
            self._idle.clear()
        for reader in closing:
            reader.close()

    def __len__(self) -> int:
        return len(self._idle)

    def _give_back(self, key: tuple[str | None, ...], reader: Reader) -> None:
        closing = []
        with self._lock:
            previous = self._idle.pop(key, None)
            if previous is not None:
                closing.append(previous)
            self._idle[key] = reader
            while len(self._idle) > self.max_idle:
                closing.append(self._idle.popitem(last=False)[1])
        for old in closing:
            old.close()


READERS = ReaderPool()
