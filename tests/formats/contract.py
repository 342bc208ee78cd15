"""What every format promises, as tests on files that the real framework wrote.

A format's test is an almost empty subclass of `Contract` whose fixture `case` names its directories of fixtures. What a
checkpoint must hold stands beside it in expected.json and expected.npz (see tests/fixtures/cases.py).
"""

from __future__ import annotations

import json
import os
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tb_embfactor import formats
from tb_embfactor.errors import EmbfactorError, NotFoundError, ReadError
from tb_embfactor.formats import Folder, Reader
from tb_embfactor.sources import Confinement

N_TRUNCATIONS = 40


def open_reader(path: Path, format_name: str) -> Reader:
    """Open the checkpoint at `path`: a file, or a prefix of files."""
    folder = Folder(path.parent, Confinement([path.parent], base=path.parent))
    return formats.get(format_name).open_reader(folder, path.name)


def read_everything(reader: Reader) -> dict[str, np.ndarray]:
    read = {info.name: reader.read_rows(info.name, 0, info.shape[0]) for info in reader.matrices}
    for info in reader.matrices:
        if info.labels:
            reader.read_labels(info.name)
    return read | {info.bias: reader.read_vector(info.bias) for info in reader.matrices if info.bias}


@dataclass(frozen=True)
class Checkpoint:
    """A checkpoint and what it must hold. arrays : matrices and biases by name, in their own types."""

    folder: Path
    format: str
    name: str
    step: int | None
    n_skipped: int
    matrices: list[dict[str, Any]]
    arrays: dict[str, np.ndarray]

    @contextmanager
    def open(self) -> Iterator[Reader]:
        # A name of nothing is not a path, so not through `open_reader`.
        confined = Folder(self.folder, Confinement([self.folder], base=self.folder))
        reader = formats.get(self.format).open_reader(confined, self.name)
        try:
            yield reader
        finally:
            reader.close()

    def files(self) -> list[Path]:
        owners = formats.parts([path.name for path in self.folder.iterdir()])
        is_mine = {path: self.name in (path.name, owners.get(path.name)) for path in self.folder.iterdir()}
        files = sorted(path for path in is_mine if is_mine[path] or path.name.startswith(f"{self.name}."))
        return [path for path in files if path.suffix != ".meta"]  # which only hints at roles

    def copy_to(self, directory: Path) -> Checkpoint:
        directory.mkdir(parents=True, exist_ok=True)
        for path in self.files():
            shutil.copy(path, directory)
        return Checkpoint(directory, self.format, self.name, self.step, self.n_skipped, self.matrices, self.arrays)


def load_case(directory: Path) -> list[Checkpoint]:
    import ml_dtypes

    listed = json.loads((directory / "expected.json").read_text())["checkpoints"]
    with np.load(directory / "expected.npz") as stored:
        numbers = dict(stored)
    checkpoints = []
    for position, entry in enumerate(listed):
        arrays = {}
        for matrix in entry["matrices"]:
            dtype = np.dtype(getattr(ml_dtypes, matrix["dtype"], matrix["dtype"]))
            for name in filter(None, (matrix["name"], matrix["bias"])):
                arrays[name] = numbers[f"{position}:{name}"].view(dtype)
        place = directory / entry["folder"]
        told = (entry["format"], entry["name"], entry["step"], entry["n_skipped"], entry["matrices"])
        checkpoints.append(Checkpoint(place, *told, arrays))
    return checkpoints


class Contract:
    """Subclasses give the fixture `case`: the checkpoints of one directory.

    notices_every_loss : whether a file that is cut off cannot be read; a text without a count of its rows may end anywhere.
    """

    notices_every_loss = True

    @pytest.fixture
    def case(self) -> list[Checkpoint]:
        raise NotImplementedError

    @pytest.fixture
    def checkpoint(self, case: list[Checkpoint]) -> Checkpoint:
        return case[-1]

    def test_lists_what_is_there(self, case: list[Checkpoint]) -> None:
        for checkpoint in case:
            with checkpoint.open() as reader:
                assert reader.step == checkpoint.step
                assert 0 < reader.wall_time <= time.time() + 1
                assert len(reader.skipped) == checkpoint.n_skipped
                found = [
                    {"name": m.name, "shape": list(m.shape), "dtype": m.dtype, "role": m.role, "layer": m.layer, "bias": m.bias}
                    for m in reader.matrices
                ]
                order = [matrix["name"] for matrix in found]
                assert sorted(order) == sorted(matrix["name"] for matrix in checkpoint.matrices)
                expected = [{key: value for key, value in matrix.items() if key != "labels"} for matrix in checkpoint.matrices]
                assert found == sorted(expected, key=lambda matrix: order.index(matrix["name"]))

    def test_labels_in_the_checkpoint(self, case: list[Checkpoint]) -> None:
        for checkpoint in case:
            with checkpoint.open() as reader:
                for info in reader.matrices:
                    expected = next(matrix["labels"] for matrix in checkpoint.matrices if matrix["name"] == info.name)
                    assert list(info.labels) == list(expected)
                    for name, column in reader.read_labels(info.name).items() if info.labels else ():
                        assert len(column) == info.shape[0]
                        is_numbers = isinstance(column, np.ndarray)
                        assert list(column) == (pytest.approx(expected[name]) if is_numbers else expected[name])

    @pytest.mark.parametrize("block_rows", [1, 7, 10**9])
    def test_rows_are_the_frameworks_to_the_bit(self, case: list[Checkpoint], block_rows: int) -> None:
        for checkpoint in case:
            with checkpoint.open() as reader:
                for info in reader.matrices:
                    expected = checkpoint.arrays[info.name]
                    starts = range(0, max(info.shape[0], 1), block_rows)
                    blocks = [reader.read_rows(info.name, start, min(start + block_rows, info.shape[0])) for start in starts]
                    assert all(block.dtype == expected.dtype and block.dtype.isnative for block in blocks)
                    assert all(block.shape[1:] == expected.shape[1:] for block in blocks)
                    assert np.concatenate(blocks).tobytes() == expected.tobytes()
                    if info.bias:
                        bias = reader.read_vector(info.bias)
                        assert (bias.dtype, bias.ndim) == (checkpoint.arrays[info.bias].dtype, 1)
                        assert bias.tobytes() == checkpoint.arrays[info.bias].tobytes()

    def test_rows_can_be_read_in_any_order(self, case: list[Checkpoint]) -> None:
        rng = np.random.default_rng(0)
        for checkpoint in case:
            with checkpoint.open() as reader:
                for info in reader.matrices:
                    for _ in range(10):
                        start, stop = sorted(rng.integers(0, info.shape[0] + 1, 2).tolist())
                        rows = reader.read_rows(info.name, start, stop)
                        assert rows.tobytes() == checkpoint.arrays[info.name][start:stop].tobytes()

    def test_equal_checksums_mean_equal_numbers(self, case: list[Checkpoint]) -> None:
        numbers: dict[tuple[str, str], set[bytes]] = {}
        for checkpoint in case:
            with checkpoint.open() as reader:
                for info in reader.matrices:
                    if info.checksum is not None:
                        key = (info.checksum, f"{info.shape}{info.dtype}")
                        numbers.setdefault(key, set()).add(checkpoint.arrays[info.name].tobytes())
        assert all(len(same) == 1 for same in numbers.values())

    def test_rows_that_are_not_there(self, checkpoint: Checkpoint) -> None:
        with checkpoint.open() as reader:
            info = reader.matrices[0]
            for start, stop in ((0, info.shape[0] + 1), (-1, 1), (info.shape[0] + 1, info.shape[0] + 2), (1, 0)):
                with pytest.raises(EmbfactorError):
                    reader.read_rows(info.name, start, stop)
            with pytest.raises(NotFoundError):
                reader.read_rows("no such matrix", 0, 1)
            with pytest.raises(NotFoundError):
                reader.read_vector("no such vector")

    def test_truncated_anywhere_is_an_error_of_ours(self, checkpoint: Checkpoint, tmp_path: Path) -> None:
        for number, original in enumerate(checkpoint.files()):
            size = original.stat().st_size
            edges = {0, 1, size - 1, size - 4, size - 8, size - 48}
            for length in sorted(edges | {size * k // N_TRUNCATIONS for k in range(N_TRUNCATIONS)}):
                if not 0 <= length < size or original.read_bytes()[length:].isspace():  # which a text can lose
                    continue
                copy = checkpoint.copy_to(tmp_path / f"{number}-{length}")
                os.truncate(copy.folder / original.name, length)
                loss = pytest.raises(ReadError) if self.notices_every_loss else suppress(ReadError)
                with loss, copy.open() as reader:
                    read_everything(reader)

    def test_a_missing_file_is_an_error_of_ours(self, checkpoint: Checkpoint, tmp_path: Path) -> None:
        copy = checkpoint.copy_to(tmp_path)
        for path in copy.files():
            path.unlink()
        with pytest.raises(ReadError), copy.open():
            pass

    def test_truncated_while_open_is_an_error_of_ours_or_does_not_matter(self, checkpoint: Checkpoint, tmp_path: Path) -> None:
        copy = checkpoint.copy_to(tmp_path)
        with copy.open() as reader:
            before = reader.fingerprint()
            for path in copy.files():
                os.truncate(path, 0)
            assert reader.fingerprint() != before
            try:
                read = read_everything(reader)
            except ReadError:
                return
            for name, rows in read.items():  # what had been copied before
                assert rows.tobytes() == checkpoint.arrays[name].tobytes()

    def test_fingerprint_tells_one_state_from_another(self, checkpoint: Checkpoint, tmp_path: Path) -> None:
        copy = checkpoint.copy_to(tmp_path)
        with copy.open() as reader, copy.open() as again:
            before = reader.fingerprint()
            assert again.fingerprint() == before
            for path in copy.files():
                os.utime(path, ns=(0, path.stat().st_mtime_ns + 1))  # written again in place
                after = reader.fingerprint()
                assert after != before
                before = after
                os.replace(shutil.copy2(path, tmp_path / "new"), path)  # replaced by a copy
                assert reader.fingerprint() != before
                before = reader.fingerprint()
            copy.files()[-1].unlink()
            with pytest.raises(ReadError):
                reader.fingerprint()

    def test_closed_twice_and_not_readable_afterwards(self, checkpoint: Checkpoint) -> None:
        with checkpoint.open() as reader:
            info = next(info for info in reader.matrices if info.shape[0])
            reader.close()
            with pytest.raises(EmbfactorError):
                reader.read_rows(info.name, 0, 1)
