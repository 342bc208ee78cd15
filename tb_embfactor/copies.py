"""Bytes that can only be made from the first one on, kept in a file as far as anybody needed them.

What a compressed member unpacks to, and the numbers in a text file, have no position that one could read from. A `Copy` is a
source of such bytes all the same: it makes them up to where somebody reads, writes them to a file, and reads them there from
then on. So a pass from the first row to the last makes the copy by the way, and nothing is made twice.

A copy that is complete stays in a directory of the user's cache, under a key that stands for the state of the file it was made
of, for this process and others. It appears there whole or not at all, and the copies used longest ago make room for new ones.
Without such a directory it lies in a temporary file without a name, and goes with the reader.
"""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Callable, Generator, Iterable
from contextlib import suppress
from pathlib import Path

from tb_embfactor.errors import DamagedError, ReadError, UnsupportedError
from tb_embfactor.sources import FileSource

LIMIT_BYTES = 8 << 30
_PARTIAL_SECONDS = 3600  # a temporary file that nobody wrote to for so long belongs to a process that was killed

Chunks = Generator[bytes, None, bytes | None]
"""Yields the bytes in order; what it returns is kept behind them (see `Copy.appendix`)."""


def default_directory() -> Path:
    """The part of the user's cache directory that is ours."""
    base = os.environ.get("XDG_CACHE_HOME") or os.path.join(os.path.expanduser("~"), ".cache")
    return Path(base) / "tb_embfactor" / "v1"


class Copies:
    """Where copies are kept.

    Parameters
    ----------
    find_directory : asked when a copy is opened; None for temporary files.
    report : called with the share that is made, 0..1, while somebody waits for it.
    """

    def __init__(
        self, find_directory: Callable[[], Path | None] = lambda: None, report: Callable[[float], None] = lambda share: None
    ) -> None:
        self.find_directory, self.report = find_directory, report

    def open(self, key: str, name: str, size: int, make: Callable[[], Chunks]) -> Copy:
        """The `size` bytes that `make` makes, as a source called `name`; kept under `key` once they are all made."""
        if size > LIMIT_BYTES:
            what, limit = "what it unpacks to", f"{LIMIT_BYTES} bytes"
            raise UnsupportedError("file_too_large", path=name, what=what, size=f"{size} bytes", limit=limit)
        return Copy(self, key, name, size, make)


class Copy(FileSource):
    """See the head of this module. Takes a file only when it is read."""

    def __init__(self, copies: Copies, key: str, name: str, size: int, make: Callable[[], Chunks]) -> None:
        self.name, self.size = name, size
        self._copies, self._key, self._make = copies, key, make
        self._fd = -1
        self._is_begun = False
        self._chunks: Chunks | None = None  # while it grows
        self._path: Path | None = None  # of the file while it grows
        self._home: Path | None = None  # of the complete copy; None for a temporary file
        self._n_made = 0
        self._failure: Exception | None = None

    def read_at(self, offset: int, n_bytes: int) -> bytes:
        self._grow(offset + n_bytes)
        return super().read_at(offset, n_bytes)

    def read_into(self, offset: int, buffer: memoryview) -> None:
        self._grow(offset + buffer.nbytes)
        super().read_into(offset, buffer)

    def appendix(self) -> bytes:
        """What the maker of the bytes returned at their end, b"" for nothing."""
        self._grow(self.size)
        return self._read(self.size, os.fstat(self._fd).st_size - self.size)

    def close(self) -> None:
        super().close()
        self._is_begun = True
        if self._chunks is not None:
            self._chunks.close()
        if self._path is not None:
            self._path.unlink(missing_ok=True)
            self._path = None

    def _begin(self) -> None:
        """Take the file of a copy that is complete, else a new one."""
        self._is_begun = True
        directory = self._copies.find_directory()
        if directory is not None:
            with suppress(OSError):
                self._fd = os.open(directory / self._key, os.O_RDONLY | os.O_CLOEXEC)
                os.utime(directory / self._key)  # recently used: evicted later
                self._n_made = self.size
                return
            with suppress(OSError):
                directory.mkdir(parents=True, exist_ok=True)
                self._fd, path = tempfile.mkstemp(prefix=".", suffix=".part", dir=directory)
                self._path, self._home = Path(path), directory / self._key
        if self._fd < 0:
            with tempfile.TemporaryFile() as file:
                self._fd = os.dup(file.fileno())
        self._chunks = self._make()

    def _grow(self, until: int) -> None:
        """Make all up to `until`; with the last byte also the end, where a maker verifies what it made."""
        if not self._is_begun:
            self._begin()
        if self._failure is not None:
            raise self._failure
        try:
            while self._chunks is not None and (self._n_made < until or self._n_made == self.size):
                self._make_chunk(self._chunks)
        except Exception as error:
            self._failure = error
            raise

    def _make_chunk(self, chunks: Chunks) -> None:
        try:
            chunk = next(chunks)
        except StopIteration as end:
            self._finish(end.value or b"")
            return
        if self._n_made + len(chunk) > self.size:
            raise self._damaged("more")
        self._write(self._n_made, chunk)
        self._n_made += len(chunk)
        self._copies.report(self._n_made / self.size)

    def _finish(self, appendix: bytes) -> None:
        if self._n_made < self.size:
            raise self._damaged("less")
        self._write(self.size, appendix)
        self._chunks = None
        if self._path is not None and self._home is not None:
            os.replace(self._path, self._home)
            self._path = None
            evict(self._home.parent.iterdir(), LIMIT_BYTES)

    def _write(self, offset: int, data: bytes) -> None:
        view = memoryview(data)
        try:
            while view:
                n_written = os.pwrite(self._fd, view, offset)
                offset, view = offset + n_written, view[n_written:]
        except OSError as error:
            directory = str(self._home.parent) if self._home else tempfile.gettempdir()
            size, reason = f"{self.size} bytes", error.strerror or str(error)
            raise ReadError("copy_failed", path=self.name, size=size, directory=directory, reason=reason) from error

    def _damaged(self, how: str) -> DamagedError:
        return DamagedError("file_damaged", path=self.name, what=f"it unpacks to {how} than the {self.size} bytes that it states")


def evict(paths: Iterable[Path], limit_bytes: int) -> None:
    """Delete the files used longest ago until they hold at most `limit_bytes` together, and what a killed process left."""
    entries, total = [], 0
    for path in paths:
        try:
            status = path.stat()
            if path.name.startswith("."):
                if status.st_mtime < time.time() - _PARTIAL_SECONDS:
                    path.unlink()
                continue
        except OSError:  # another process was faster
            continue
        entries.append((status.st_mtime, status.st_size, path))
        total += status.st_size
    for _, size, path in sorted(entries):
        if total <= limit_bytes:
            return
        path.unlink(missing_ok=True)
        total -= size
