"""A checkpoint format small enough to write by hand: a JSON line, then float32 data, in a file or a directory."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from tb_embfactor import formats
from tb_embfactor.errors import DamagedError, IncompleteError
from tb_embfactor.formats import Folder, Format, MatrixInfo

OPENED: list[str] = []  # names of the checkpoints opened, for tests that count
FORMATS = (
    Format("tiny", __name__, r"(?P<checkpoint>.+\.npmat)", "test format"),
    Format("tiny-prefix", __name__, r"(?P<checkpoint>.*)\.npx", "test format named by its prefix"),
    Format("tiny-directory", __name__, r"(?P<checkpoint>.+\.npmats)", "test format that is a directory", is_directory=True),
)


@contextmanager
def registered(*fmts: Format) -> Iterator[None]:
    before = dict(formats.FORMATS)
    for fmt in fmts:
        formats.register(fmt)
    try:
        yield
    finally:
        formats.FORMATS.clear()
        formats.FORMATS.update(before)


class TinyReader:
    n_open = 0

    def __init__(self, folder: Folder, file_name: str) -> None:
        self._source = folder.open(file_name)
        TinyReader.n_open += 1
        try:
            head = self._source.read_at(0, min(1 << 16, self._source.size))
            if not head.startswith(b"{"):
                raise DamagedError("file_damaged", path=self._source.name, what="it does not begin with a brace")
            if b"crash" in head[:20]:
                raise ZeroDivisionError("a bug in a format")
            end = head.index(b"\n")
            header = json.loads(head[:end])
            self._data = end + 1
            self.step, self.wall_time = header["step"], header["wall_time"]
            self.matrices = tuple(MatrixInfo(**{**item, "shape": tuple(item["shape"])}) for item in header["matrices"])
            self.skipped = ()
            needed = self._data + sum(4 * m.shape[0] * m.shape[1] for m in self.matrices)
            if self._source.size < needed:
                raise IncompleteError(
                    "file_truncated", path=self._source.name, size=self._source.size, needed=needed, what="rows"
                )
        except BaseException:
            self.close()
            raise

    def _start(self, name: str) -> tuple[int, MatrixInfo]:
        position = self._data
        for info in self.matrices:
            if info.name == name:
                return position, info
            position += 4 * info.shape[0] * info.shape[1]
        raise KeyError(name)

    def read_rows(self, name: str, start: int, stop: int) -> np.ndarray:
        position, info = self._start(name)
        width = 4 * info.shape[1]
        data = self._source.read_at(position + start * width, (stop - start) * width)
        return np.frombuffer(data, "<f4").reshape(stop - start, info.shape[1]).astype(info.dtype)

    def read_vector(self, name: str) -> np.ndarray:
        return np.arange(3, dtype="float32")

    def fingerprint(self) -> str:
        return self._source.fingerprint()

    def close(self) -> None:
        TinyReader.n_open -= self._source._fd >= 0
        self._source.close()


def open_reader(folder: Folder, name: str) -> TinyReader:
    OPENED.append(name)
    if name.endswith(".npmats"):
        return TinyReader(Folder(folder.path / name, folder.confinement), "part-0.npmat")
    return TinyReader(folder, name if name.endswith(".npmat") else f"{name}.npx")


def matrix(name: str = "tok/embeddings", shape: tuple[int, int] = (4, 3), **more: Any) -> dict[str, Any]:
    return {"name": name, "shape": list(shape), "dtype": "float32", "role": "embedding", **more}


def content(
    matrices: list[dict[str, Any]] | None = None, step: int | None = 1, wall_time: float = 1.0, fill: float | None = None
) -> bytes:
    matrices = [matrix()] if matrices is None else matrices
    header = json.dumps({"step": step, "wall_time": wall_time, "matrices": matrices}).encode() + b"\n"
    sizes = [item["shape"][0] * item["shape"][1] for item in matrices]
    values = [np.arange(size, dtype="<f4") if fill is None else np.full(size, fill, "<f4") for size in sizes]
    return header + b"".join(value.tobytes() for value in values)


def write(path: Path, matrices: list[dict[str, Any]] | None = None, **more: Any) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content(matrices, **more))
    return path


def events(directory: Path) -> Path:
    directory.mkdir(parents=True, exist_ok=True)
    (directory / "events.out.tfevents.1700000000.host.1.0").write_bytes(b"")
    return directory


def replace_atomically(path: Path, data: bytes) -> None:
    path.with_name("new").write_bytes(data)
    os.replace(path.with_name("new"), path)
