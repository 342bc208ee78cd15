"""Rows of tensors that lie in other ways than row by row, against numpy's views of the same array."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tb_embfactor.errors import DamagedError, UnsupportedError
from tb_embfactor.formats import runs
from tb_embfactor.formats.stored import Piece, StoredTensor, only_our_errors
from tb_embfactor.sources import Confinement, FileSource

SHAPES = [(1, 1), (7, 3), (3, 7), (64, 48), (500, 2), (2, 500), (0, 4), (4, 0)]


@pytest.fixture(params=["near", "far"])
def _reading(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Runs so near that they are read across, and so far from each other that each is read alone; a few rows ahead."""
    monkeypatch.setattr(runs, "GAP_BYTES", 1 << 20 if request.param == "near" else -1)
    monkeypatch.setattr(runs, "TOGETHER_BYTES", 100)
    monkeypatch.setattr(runs, "AHEAD_BYTES", 400)


def write(path: Path, array: np.ndarray) -> FileSource:
    path.write_bytes(b"head" + array.tobytes())
    return Confinement([path.parent]).open(path)


def read_in_blocks(tensor: StoredTensor, block_rows: int) -> np.ndarray:
    n_rows = tensor.shape[0]
    blocks = [tensor.read_rows(start, min(start + block_rows, n_rows)) for start in range(0, max(n_rows, 1), block_rows)]
    return np.concatenate(blocks)


@pytest.mark.usefixtures("_reading")
@pytest.mark.parametrize("block_rows", [1, 5, 1000])
@pytest.mark.parametrize("dtype", ["uint8", "float16", "float64"])
@pytest.mark.parametrize("shape", SHAPES)
def test_a_view_within_a_larger_array(tmp_path: Path, shape: tuple[int, int], dtype: str, block_rows: int) -> None:
    n_rows, n_columns = shape
    whole = np.random.default_rng(0).integers(0, 200, (n_rows + 2, n_columns + 3)).astype(dtype)
    source = write(tmp_path / "x", whole)
    offset = 4 + (n_columns + 3 + 2) * whole.itemsize  # row 1, column 2
    view = whole[1 : n_rows + 1, 2 : n_columns + 2]
    tensor = StoredTensor(whole.dtype, shape, [Piece(source, offset, shape, stride=n_columns + 3)])
    assert np.array_equal(read_in_blocks(tensor, block_rows), view)
    assert np.array_equal(read_in_blocks(tensor.transposed(), block_rows), view.T)
    assert np.array_equal(read_in_blocks(tensor.transposed().transposed(), block_rows), view)


@pytest.mark.usefixtures("_reading")
@pytest.mark.parametrize("block_rows", [1, 5, 1000])
def test_tiles_transposed(tmp_path: Path, block_rows: int) -> None:
    tiles = {(0, 0): (4, 3), (0, 3): (4, 5), (4, 0): (6, 8)}
    rng = np.random.default_rng(1)
    whole, pieces = np.zeros((10, 8), np.float32), []
    for number, (corner, shape) in enumerate(tiles.items()):
        values = rng.normal(size=shape).astype(np.float32)
        whole[corner[0] : corner[0] + shape[0], corner[1] : corner[1] + shape[1]] = values
        pieces.append(Piece(write(tmp_path / str(number), values), 4, shape, corner))
    tensor = StoredTensor(whole.dtype, whole.shape, pieces)
    assert tensor.is_tiled()
    assert np.array_equal(read_in_blocks(tensor.transposed(), block_rows), whole.T)


@pytest.mark.usefixtures("_reading")
def test_columns_in_any_order(tmp_path: Path) -> None:
    whole = np.random.default_rng(2).normal(size=(5, 90))
    tensor = StoredTensor(whole.dtype, (90, 5), [Piece(write(tmp_path / "x", whole), 4, (90, 5), by_columns=True)])
    rng = np.random.default_rng(3)
    for _ in range(300):
        start, stop = sorted(rng.integers(0, 91, 2).tolist())
        assert np.array_equal(tensor.read_rows(start, stop), whole.T[start:stop])
        if rng.random() < 0.7:  # go on from there
            assert np.array_equal(tensor.read_rows(stop, min(90, stop + 7)), whole.T[stop : stop + 7])


class Counting:
    """A source that counts how often and how much is read."""

    name = "counting"

    def __init__(self, data: bytes) -> None:
        self._data, self.size = data, len(data)
        self.n_reads = self.n_bytes = 0

    def read_at(self, offset: int, n_bytes: int) -> bytes:
        self.n_reads += 1
        self.n_bytes += n_bytes
        return self._data[offset : offset + n_bytes]

    def read_into(self, offset: int, buffer: memoryview) -> None:
        raise NotImplementedError


def test_a_pass_over_columns_reads_ahead_and_nothing_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runs, "AHEAD_BYTES", 64 << 10)
    n_rows, n_columns = 20_000, 8  # columns of 80 KB: further apart than what is read across
    whole = np.arange(n_rows * n_columns, dtype=np.float32).reshape(n_columns, n_rows)
    source = Counting(whole.tobytes())
    tensor = StoredTensor(whole.dtype, (n_rows, n_columns), [Piece(source, 0, (n_rows, n_columns), by_columns=True)])
    assert np.array_equal(read_in_blocks(tensor, 100), whole.T)
    assert source.n_bytes == source.size
    assert source.n_reads <= n_columns * (2 + source.size / (64 << 10))  # the first block alone, then 64 KB at a time
    crossing = tensor.pieces[0]._crossing
    assert crossing is not None and crossing._kept.size == 0, "nothing is kept once a pass has ended"


def test_too_little_memory_is_not_called_damage() -> None:
    with (
        pytest.raises(UnsupportedError, match="the memory that reading it takes is more than there is") as error,
        only_our_errors("x"),
    ):
        raise MemoryError
    assert "--embfactor_memory_gb" in str(error.value)
    with pytest.raises(DamagedError, match=r"x is damaged: reading it failed with KeyError \('a'\)"), only_our_errors("x"):
        raise KeyError("a")
