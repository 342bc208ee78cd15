"""A checkpoint format for tests, as small as a format can be: what CONTRIBUTING calls a module, one line, and a test.

A file `NAME.tiny` is: rows and columns as two little-endian uint32, the step as int32, then float32 numbers.
"""

from __future__ import annotations

import os
import struct
import time

import numpy as np

from tb_embfactor.errors import DamagedError, UsageError
from tb_embfactor.formats import Folder, Format, MatrixInfo
from tb_embfactor.messages import Message
from tb_embfactor.sources import FileSource

FORMAT = Format("tiny", __name__, r"(?P<checkpoint>.+\.tiny)", "a format of the tests")
HEADER = struct.Struct("<IIi")


class TinyReader:
    skipped: tuple[Message, ...] = ()

    def __init__(self, source: FileSource) -> None:
        self._source = source
        n_rows, n_columns, self.step = HEADER.unpack(source.read_at(0, HEADER.size))
        if n_rows == 666:  # a parser that crashes
            os.abort()
        if n_rows == 667:  # a parser that hangs
            time.sleep(3600)
        if HEADER.size + 4 * n_rows * n_columns != source.size:
            raise DamagedError("file_damaged", path=source.name, what=f"{n_rows} × {n_columns} numbers do not fit its size")
        self.wall_time = 0.0
        self.matrices = (MatrixInfo("table", (n_rows, n_columns), "float32", "embedding"),)

    def read_rows(self, name: str, start: int, stop: int) -> np.ndarray:
        n_rows, n_columns = self.matrices[0].shape
        if not 0 <= start <= stop <= n_rows:
            raise UsageError("bad_parameter", owner="read_rows", name="rows", needed=f"within 0 to {n_rows}", got=[start, stop])
        rows = np.frombuffer(
            self._source.read_at(HEADER.size + 4 * n_columns * start, 4 * n_columns * (stop - start)), "<f4"
        ).reshape(stop - start, n_columns)
        if np.any(rows == 668):  # numbers that take the process down
            os.abort()
        if np.any(rows == 669):
            time.sleep(3600)
        return rows

    def read_vector(self, name: str) -> np.ndarray:
        raise NotImplementedError

    def fingerprint(self) -> str:
        return self._source.fingerprint()

    def close(self) -> None:
        self._source.close()


def open_reader(folder: Folder, name: str) -> TinyReader:
    return TinyReader(folder.open(name))


def write(path: os.PathLike[str], matrix: np.ndarray, step: int = 0) -> None:
    matrix = np.asarray(matrix, "<f4")
    with open(path, "wb") as file:
        file.write(HEADER.pack(*matrix.shape, step) + matrix.tobytes())
