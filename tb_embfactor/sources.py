"""Bytes of a file, read by position, and only where reading is allowed.

What the design must meet:

* A file under a log directory may come from anybody: it may be a FIFO, a device, or a link to somewhere
  private. It is opened without blocking, then checked *after* opening, so that no swap in between helps.
* A trainer may truncate or replace a file while it is read. So nothing is memory-mapped (a truncated map
  kills the process), a short read is an error of ours, and a fingerprint tells one state from another.
* A format reads through `read_at` alone, so a zip member (`Window`) or, one day, a URL reads the same way.
"""

from __future__ import annotations

import io
import os
import stat
from pathlib import Path
from typing import Protocol

from tb_embfactor.errors import ConfinementError, IncompleteError, ReadError

_KINDS = (
    (stat.S_ISFIFO, "a named pipe"),
    (stat.S_ISSOCK, "a socket"),
    (stat.S_ISCHR, "a character device"),
    (stat.S_ISBLK, "a block device"),
    (stat.S_ISDIR, "a directory"),
)


class Source(Protocol):
    """Bytes that can be read by position. `name` is what messages call it."""

    name: str
    size: int

    def read_at(self, offset: int, n_bytes: int) -> bytes:
        """Exactly `n_bytes` bytes from `offset`; IncompleteError where the source ends before."""
        ...

    def read_into(self, offset: int, buffer: memoryview) -> None:
        """Fill a writable, contiguous buffer of bytes from `offset`; IncompleteError where the source ends before."""
        ...

    def fingerprint(self) -> str:
        """What changes when the file behind it is written, replaced or truncated."""
        ...

    def close(self) -> None: ...


class FileSource:
    """A regular file, open for reading. Closed by `close()` or with the `with` statement."""

    def __init__(self, fd: int, name: str) -> None:
        self._fd = fd
        self.name = name
        self.size = os.fstat(fd).st_size

    def read_at(self, offset: int, n_bytes: int) -> bytes:
        _check_range(self, offset, n_bytes)
        return self._read(offset, n_bytes)

    def _read(self, offset: int, n_bytes: int) -> bytes:
        data = os.pread(self._fd, n_bytes, offset)
        while len(data) < n_bytes:
            more = os.pread(self._fd, n_bytes - len(data), offset + len(data))
            if not more:
                raise _truncated(self, offset + n_bytes, size=offset + len(data))
            data += more
        return data

    def read_into(self, offset: int, buffer: memoryview) -> None:
        view = buffer.cast("B")
        _check_range(self, offset, len(view))
        done = 0
        while done < len(view):
            count = os.preadv(self._fd, [view[done:]], offset + done)
            if not count:
                raise _truncated(self, offset + len(view), size=offset + done)
            done += count

    def fingerprint(self) -> str:
        """Its size, times and inode."""
        return stat_fingerprint(os.fstat(self._fd))

    def close(self) -> None:
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1

    def __enter__(self) -> FileSource:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def __del__(self) -> None:
        self.close()


class Window:
    """A part of another source, for example a stored member of a zip file."""

    def __init__(self, parent: Source, offset: int, size: int, name: str | None = None) -> None:
        self.name = name or parent.name
        if offset < 0 or size < 0 or offset + size > parent.size:
            raise IncompleteError(
                "file_truncated", path=self.name, size=parent.size, needed=offset + size, what="a part lies past the end"
            )
        self._parent, self._offset, self.size = parent, offset, size

    def read_at(self, offset: int, n_bytes: int) -> bytes:
        _check_range(self, offset, n_bytes)
        return self._parent.read_at(self._offset + offset, n_bytes)

    def read_into(self, offset: int, buffer: memoryview) -> None:
        _check_range(self, offset, buffer.nbytes)
        self._parent.read_into(self._offset + offset, buffer)

    def fingerprint(self) -> str:
        return f"{self._parent.fingerprint()}@{self._offset}+{self.size}"

    def close(self) -> None:
        """Nothing: the source that it is a part of is closed by whoever opened that."""


class SourceFile(io.RawIOBase):
    """A source as a read-only, seekable file object, for libraries that want one (zipfile, pyfive)."""

    def __init__(self, source: Source) -> None:
        self._source, self._position = source, 0
        self.name = source.name

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._position

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        base = {os.SEEK_SET: 0, os.SEEK_CUR: self._position, os.SEEK_END: self._source.size}[whence]
        if base + offset < 0:
            raise OSError("seek before the start")
        self._position = base + offset
        return self._position

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        count = max(0, min(len(buffer), self._source.size - self._position))
        if count:
            self._source.read_into(self._position, memoryview(buffer)[:count])
            self._position += count
        return count


class Confinement:
    """The directories that files may be opened in; `open` is the one door to the file system for readers.

    Parameters
    ----------
    roots : directories; a file is opened when it really lies (links resolved) in one of them.
    base : paths in messages are shown relative to it.
    """

    def __init__(self, roots: list[Path], base: Path | None = None) -> None:
        self.roots = tuple(Path(os.path.realpath(root)) for root in roots)
        self.base = base

    def allows(self, real_path: str | Path) -> bool:
        return any(Path(real_path).is_relative_to(root) for root in self.roots)

    def check(self, path: Path) -> Path:
        """The real path behind `path`, or ConfinementError."""
        real = Path(os.path.realpath(path))
        if not self.allows(real):
            raise ConfinementError("outside_roots", path=self.show(path), target=str(real), suggestion=str(real.parent))
        return real

    def show(self, path: Path) -> str:
        """How messages write a path: relative to the base where it lies under it."""
        if self.base is not None and path.is_relative_to(self.base):
            return str(path.relative_to(self.base))
        return str(path)

    def open(self, path: Path) -> FileSource:
        """Open a regular file inside the roots, or raise a ReadError that says why not."""
        name = self.show(path)
        self.check(path)
        try:
            fd = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOCTTY)
        except FileNotFoundError:
            raise IncompleteError("file_missing", path=name) from None
        except OSError as error:
            # A socket cannot be opened at all; say what it is rather than the bare errno.
            raise _not_regular(path, name) or ReadError("file_unreadable", path=name, reason=error.strerror) from None
        try:
            status = os.fstat(fd)
            if not stat.S_ISREG(status.st_mode):
                kind = next((text for test, text in _KINDS if test(status.st_mode)), "special")
                raise ReadError("not_regular_file", path=name, kind=kind)
            # The path may have been swapped between check and open: where did we really land?
            landed = _path_of(fd, path)
            if not self.allows(landed):
                raise ConfinementError("outside_roots", path=name, target=landed, suggestion=str(Path(landed).parent))
            return FileSource(fd, name)
        except BaseException:
            os.close(fd)
            raise


def stat_fingerprint(status: os.stat_result) -> str:
    return f"{status.st_size}-{status.st_mtime_ns}-{status.st_ctime_ns}-{status.st_ino}"


def _path_of(fd: int, path: Path) -> str:
    try:
        return os.readlink(f"/proc/self/fd/{fd}").removesuffix(" (deleted)")
    except OSError:  # no /proc here: the path as it resolves now, which must still be the same file
        real = os.path.realpath(path)
        return real if os.path.samestat(os.stat(real), os.fstat(fd)) else "a file that was swapped"


def _not_regular(path: Path, name: str) -> ReadError | None:
    try:
        mode = os.stat(path).st_mode
    except OSError:
        return None
    kind = next((text for test, text in _KINDS if test(mode)), None)
    return ReadError("not_regular_file", path=name, kind=kind) if kind else None


def _check_range(source: Source, offset: int, n_bytes: int) -> None:
    if offset < 0 or n_bytes < 0 or offset + n_bytes > source.size:
        raise _truncated(source, offset + n_bytes, size=source.size)


def _truncated(source: Source, needed: int, size: int) -> IncompleteError:
    return IncompleteError("file_truncated", path=source.name, size=size, needed=needed, what="reading past its end")
