"""Bytes that lie in runs at equal distances: the rows of a matrix, or its columns, within a larger array."""

from __future__ import annotations

import numpy as np

from tb_embfactor.sources import Source

GAP_BYTES = 8 << 10  # reading on costs less than reading anew, up to about here
TOGETHER_BYTES = 1 << 20
AHEAD_BYTES = 32 << 20

Bytes = bytes | np.ndarray


def read_runs(source: Source, offset: int, n_runs: int, n_bytes: int, stride: int) -> Bytes:
    """The first `n_bytes` of each run, one behind the other; a run starts `stride` bytes after the one before."""
    if n_runs * n_bytes == 0:  # the place may be behind the last byte
        return b""
    if n_bytes == stride or n_runs == 1:
        return source.read_at(offset, n_runs * n_bytes)
    runs = np.empty((n_runs, n_bytes), np.uint8)
    n_together = max(1, TOGETHER_BYTES // stride) if stride - n_bytes <= GAP_BYTES else 1
    for first in range(0, n_runs, n_together):
        n_here = min(n_together, n_runs - first)
        data = source.read_at(offset + first * stride, (n_here - 1) * stride + n_bytes)
        runs[first : first + n_here] = np.ndarray((n_here, n_bytes), np.uint8, data, strides=(stride, 1))
    return runs


class Crossing:
    """Reads across all runs: of each the same bytes. So the rows of a matrix are read whose columns are the runs.

    Every run is another place in the file, and a block of few rows takes a few bytes from each of them. Blocks that are asked for
    one behind the other are therefore read `AHEAD_BYTES` at a time, and what is left is kept for the next.

    Cost of a pass: `n_runs` reads for every AHEAD_BYTES, of nothing but what is needed where the runs are long. Where they are
    shorter than GAP_BYTES, whole runs are read together instead, so the pass reads everything once for every AHEAD_BYTES.
    Memory: AHEAD_BYTES and a block, until the pass ends.
    """

    def __init__(self, source: Source, offset: int, n_runs: int, run_bytes: int, stride: int) -> None:
        self._source, self._offset, self._n_runs = source, offset, n_runs
        self._run_bytes, self._stride = run_bytes, stride
        self._next = 0  # where a sequential reader goes on
        self._kept = np.empty((n_runs, 0), np.uint8)  # of each run the bytes from here on

    def read(self, start: int, stop: int) -> Bytes:
        """The bytes [start, stop) of each run, run by run."""
        n_wanted = stop - start
        is_sequential = 0 < start == self._next
        if not is_sequential or self._kept.shape[1] < n_wanted:
            n_blocks = AHEAD_BYTES // max(1, self._n_runs * n_wanted) if is_sequential else 1
            n_bytes = min(self._run_bytes - start, n_wanted * max(1, n_blocks))
            data = read_runs(self._source, self._offset + start, self._n_runs, n_bytes, self._stride)
            self._kept = np.frombuffer(data, np.uint8).reshape(self._n_runs, n_bytes)
        block, rest = np.split(self._kept, [n_wanted], axis=1)
        self._kept = rest if rest.size else np.empty((self._n_runs, 0), np.uint8)
        self._next = stop
        return np.ascontiguousarray(block)
