"""Files that claim to be, or are, larger than anything should be read into memory: refused, or read in little memory."""

from __future__ import annotations

import json
import os
import struct
import tracemalloc
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest

import tb_embfactor as ef
from tb_embfactor.errors import MatrixError, ReadError, UnsupportedError
from tests.formats.contract import open_reader

GIGABYTE = 1 << 30
LITTLE = 64 << 20


@contextmanager
def in_little_memory() -> Iterator[None]:
    tracemalloc.start()
    try:
        yield
        assert tracemalloc.get_traced_memory()[1] < LITTLE
    finally:
        tracemalloc.stop()


def write_safetensors(path: Path, shape: list[int], n_bytes: int) -> None:
    header = json.dumps({"emb.weight": {"dtype": "F32", "shape": shape, "data_offsets": [0, n_bytes]}}).encode()
    path.write_bytes(struct.pack("<Q", len(header)) + header)
    os.truncate(path, 8 + len(header) + n_bytes)


@pytest.mark.parametrize(
    ("name", "separator"), [("words.vec", " "), ("embeddings.txt", " "), ("embeddings.csv", ","), ("embeddings.tsv", "\t")]
)
def test_a_line_of_a_gigabyte_in_text(tmp_path: Path, name: str, separator: str) -> None:
    line = separator.join(["word", *map(str, range(20))])
    (tmp_path / name).write_text(f"{line}\n" * 40 + "x")
    os.truncate(tmp_path / name, GIGABYTE)
    with in_little_memory(), pytest.raises(UnsupportedError):
        open_reader(tmp_path / name, "text")


@pytest.mark.parametrize("name", ["metadata.tsv", "vocab.txt", "tokenizer.json", "vocab.json", "projector_config.pbtxt"])
@pytest.mark.parametrize("size", [GIGABYTE // 4, GIGABYTE])
def test_a_line_of_a_gigabyte_in_labels(tmp_path: Path, name: str, size: int) -> None:
    write_safetensors(tmp_path / "x.safetensors", [3, 2], 24)
    (tmp_path / name).write_text("x" * (2 << 20))
    os.truncate(tmp_path / name, size)
    with in_little_memory():
        log = ef.open_logdir(tmp_path)
    assert log.runs[0].checkpoints[0]["emb"].labels is None
    assert [problem.path for problem in log.problems] == [name]


def test_a_matrix_of_a_gigabyte_is_read_in_blocks(tmp_path: Path) -> None:
    write_safetensors(tmp_path / "x.safetensors", [1 << 22, 64], GIGABYTE)
    blocks = iter(ef.open_checkpoint(tmp_path / "x.safetensors")["emb"].blocks())
    with in_little_memory():
        for _ in range(8):
            assert not next(blocks).any()


@pytest.mark.parametrize("shape", [[1 << 62, 0], [0, 1 << 62], [1 << 40, 0], [0, 0]])
def test_any_number_of_rows_without_a_number(tmp_path: Path, shape: list[int]) -> None:
    write_safetensors(tmp_path / "x.safetensors", shape, 0)
    matrix = ef.open_checkpoint(tmp_path / "x.safetensors")["emb"]
    assert list(matrix.blocks()) == []
    with pytest.raises(MatrixError, match="there is nothing to factor in it"):
        ef.factorize(matrix)


def test_an_archive_that_unfolds_into_gigabytes(tmp_path: Path) -> None:
    """Ten megabytes of zeros deflated into ten kilobytes are read as long as they last; what says it is larger is not."""
    path = tmp_path / "vectors.npz"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive, archive.open("vectors.npy", "w") as member:
        np.lib.format.write_array(member, np.zeros((20_000, 128), np.float32))
    assert path.stat().st_size < 50_000
    with in_little_memory():
        assert not open_reader(path, "npz").read_rows("vectors", 19_990, 20_000).any()
    data = bytearray(path.read_bytes())
    for mark, at in ((b"PK\3\4", 22), (b"PK\1\2", 24)):
        start = data.find(mark) + at
        data[start : start + 4] = (0xFFFF_FFF0).to_bytes(4, "little")
    path.write_bytes(data)
    with in_little_memory(), pytest.raises(ReadError):
        open_reader(path, "npz")


def test_a_vocabulary_nested_deeply_or_of_large_numbers(tmp_path: Path) -> None:
    write_safetensors(tmp_path / "x.safetensors", [3, 2], 24)
    for text in ("[" * 10_000_000, '{"a": ' + "1" * 10_000_000 + "}", '{"a": 1e400}', '{"a": NaN}'):
        (tmp_path / "vocab.json").write_text(text)
        assert ef.open_logdir(tmp_path).runs[0].checkpoints[0]["emb"].labels is None
