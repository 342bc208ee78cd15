"""The HDF5 reader, on files that h5py wrote (see `hdf5` in tests/fixtures/write_tf_keras.py)."""

from __future__ import annotations

import struct
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from tb_embfactor.errors import DamagedError, EmbfactorError, IncompleteError, UnsupportedError
from tb_embfactor.formats import hdf5
from tb_embfactor.formats.hdf5 import Contents, read_contents
from tb_embfactor.sources import Confinement, FileSource

VALUES = np.arange(24, dtype=np.float32).reshape(6, 4)


@pytest.fixture
def open_file(fixtures_dir: Path) -> Callable[[str], FileSource]:
    folder = fixtures_dir / "hdf5" / "files"
    return lambda name: Confinement([folder], base=folder).open(folder / f"{name}.h5")


@pytest.fixture
def read(open_file: Callable[[str], FileSource]) -> Callable[[str], Contents]:
    return lambda name: read_contents(open_file(name))


def test_types(open_file: Callable[[str], FileSource]) -> None:
    source = open_file("types")
    datasets = read_contents(source).datasets
    numbers = {path: dataset for path, dataset in datasets.items() if path.startswith("types/")}
    assert len(numbers) == 13
    for path, dataset in numbers.items():
        name, _, swapped = path.removeprefix("types/").partition("_")
        assert dataset.problem is None
        assert dataset.dtype == np.dtype(name)
        assert dataset.swapped == bool(swapped)
        stored = np.frombuffer(source.read_at(dataset.offset, 24 * dataset.dtype.itemsize), dataset.dtype)
        assert np.array_equal(stored.byteswap() if swapped else stored, VALUES.reshape(-1).astype(name))
    others = {path: dataset for path, dataset in datasets.items() if path.startswith("others/")}
    assert len(others) == 7
    assert all(dataset.dtype is None and dataset.problem for dataset in others.values())


@pytest.mark.parametrize(
    ("name", "problem"),
    [
        ("sound", None),
        ("no_rows", None),
        ("scalar", None),
        ("chunked", "in one piece"),
        ("compact", "in one piece"),
        ("compressed", "compressed"),
        ("never_written", "never written"),
        ("elsewhere", "another file"),
    ],
)
def test_layouts(read: Callable[[str], Contents], name: str, problem: str | None) -> None:
    dataset = read("layouts").datasets[name]
    assert dataset.problem is None if problem is None else problem in str(dataset.problem)


def test_a_thousand_datasets_in_one_group_and_twenty_groups_in_each_other(open_file: Callable[[str], FileSource]) -> None:
    source = open_file("many")
    datasets = read_contents(source).datasets
    assert len(datasets) == 1002
    for k in range(1000):
        (first,) = struct.unpack("<f", source.read_at(datasets[f"group/{k:04}"].offset, 4))
        assert first == k
    assert "/".join("abcdefghijklmnopqrst") + "/numbers" in datasets


def test_attributes(read: Callable[[str], Contents]) -> None:
    attributes = read("attributes").attributes
    texts = {f"text_{k}": f"text {k}, ü" for k in range(40)}
    assert attributes[""] == {**texts, "fixed": "fixed", "empty": ""}
    assert attributes["sound"] == {"dtype": "bfloat16"}


@pytest.mark.parametrize(
    ("name", "error", "text"),
    [
        ("soft_link", UnsupportedError, "symbolic link"),
        ("external_link", UnsupportedError, "1.8"),
        ("cycle", DamagedError, "referred to twice"),
        ("latest", UnsupportedError, "superblock version"),
        ("virtual", UnsupportedError, "superblock version"),
        ("tracked", UnsupportedError, "newer kind"),
    ],
)
def test_refused(read: Callable[[str], Contents], name: str, error: type[EmbfactorError], text: str) -> None:
    with pytest.raises(error, match=text):
        read(name)


def test_not_hdf5(tmp_path: Path) -> None:
    (tmp_path / "x.h5").write_bytes(bytes(1000))
    with pytest.raises(UnsupportedError, match="is not an HDF5 file"):
        read_contents(Confinement([tmp_path]).open(tmp_path / "x.h5"))


def test_cut(open_file: Callable[[str], FileSource], tmp_path: Path) -> None:
    source = open_file("types")
    for length in (96, 100, source.size // 2, source.size - 1):
        (tmp_path / "x.h5").write_bytes(source.read_at(0, length))
        with pytest.raises(IncompleteError):
            read_contents(Confinement([tmp_path]).open(tmp_path / "x.h5"))


def test_more_structure_than_the_limit(read: Callable[[str], Contents], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hdf5, "MAX_STRUCTURE_BYTES", 100_000)
    with pytest.raises(UnsupportedError, match="limit is 100000 bytes"):
        read("many")
