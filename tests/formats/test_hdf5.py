"""The HDF5 reader, on files that h5py wrote in both layouts (see tests/fixtures/write_hdf5.py)."""

from __future__ import annotations

import base64
import struct
import zlib
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import ml_dtypes
import numpy as np
import pytest

from tb_embfactor.errors import DamagedError, IncompleteError, UnsupportedError
from tb_embfactor.formats import hdf5_chunks, hdf5_structure
from tb_embfactor.formats.hdf5 import Contents, Dataset, read_contents
from tb_embfactor.sources import Confinement, FileSource

VALUES = np.arange(24, dtype=np.float32).reshape(6, 4)


@pytest.fixture(params=["classic", "latest"])
def folder(request: pytest.FixtureRequest, fixtures_dir: Path) -> Path:
    return fixtures_dir / "hdf5" / request.param


@pytest.fixture
def open_file(folder: Path) -> Callable[[str], FileSource]:
    return lambda name: Confinement([folder], base=folder).open(folder / f"{name}.h5")


@pytest.fixture
def read(open_file: Callable[[str], FileSource]) -> Callable[[str], Contents]:
    return lambda name: read_contents(open_file(name))


@pytest.fixture
def chunked(fixtures_dir: Path) -> np.ndarray:
    return np.load(fixtures_dir / "hdf5" / "chunked.npy")


def rows(dataset: Dataset) -> np.ndarray:
    assert dataset.problem is None
    assert dataset.tensor is not None
    return dataset.tensor.read_rows(0, dataset.tensor.shape[0])


def test_types(read: Callable[[str], Contents]) -> None:
    datasets = read("types").datasets
    numbers = {path: dataset for path, dataset in datasets.items() if path.startswith("types/")}
    assert len(numbers) == 13
    for path, dataset in numbers.items():
        expected = np.dtype(path.removeprefix("types/").removesuffix("_swapped"))
        assert dataset.dtype == rows(dataset).dtype == expected
        assert np.array_equal(rows(dataset), VALUES.astype(expected))
    others = {path: dataset for path, dataset in datasets.items() if path.startswith("others/")}
    assert len(others) == 7
    assert all(dataset.dtype is None and dataset.problem for dataset in others.values())


@pytest.mark.parametrize(
    ("name", "problem"),
    [
        ("never_written", "never written"),
        ("elsewhere", "another file"),
        ("virtual", "put together from other datasets"),
    ],
)
def test_layouts_that_are_not_read(read: Callable[[str], Contents], name: str, problem: str) -> None:
    assert problem in str(read("layouts").datasets[name].problem)


def test_layouts_in_one_piece(read: Callable[[str], Contents]) -> None:
    datasets = read("layouts").datasets
    assert np.array_equal(rows(datasets["sound"]), VALUES)
    assert np.array_equal(rows(datasets["compact"]), VALUES)
    assert rows(datasets["no_rows"]).shape == (0, 4)
    assert rows(datasets["scalar"]).tolist() == [[7]]


def test_chunks(read: Callable[[str], Contents], chunked: np.ndarray) -> None:
    datasets = read("chunks").datasets
    left_out = {path for path, dataset in datasets.items() if dataset.problem}
    assert left_out >= {f"{chunks}_scaled" for chunks in ("rows", "boxes", "whole", "single_rows")}
    assert left_out - {f"{chunks}_scaled" for chunks in ("rows", "boxes", "whole", "single_rows")} <= {"may_grow_down"}
    compared = datasets.keys() - left_out - {"sound", "half", "none", "vector"}
    assert len(compared) >= 25
    for path in compared:
        assert np.array_equal(rows(datasets[path]), chunked), path
    assert np.array_equal(rows(datasets["vector"]), chunked[:, :1])


def test_what_is_not_read_of_chunks_says_why(fixtures_dir: Path) -> None:
    folder = fixtures_dir / "hdf5" / "latest"
    datasets = read_contents(Confinement([folder]).open(folder / "chunks.h5")).datasets
    assert "filter that is not read (scaleoffset)" in str(datasets["rows_scaled"].problem)
    assert "it may grow" in str(datasets["may_grow_down"].problem)


def test_blocks_of_chunked_rows_in_any_order(read: Callable[[str], Contents], chunked: np.ndarray) -> None:
    tensor = read("chunks").datasets["boxes_everything"].tensor
    assert tensor is not None
    for start, stop in ((0, 1), (63, 65), (1000, 1100), (5, 900), (64, 128), (7, 7), (1100, 1100)):
        assert np.array_equal(tensor.read_rows(start, stop), chunked[start:stop])


def test_chunks_that_were_never_written(read: Callable[[str], Contents], chunked: np.ndarray) -> None:
    datasets = read("chunks").datasets
    half, none = datasets["half"].tensor, datasets["none"].tensor
    assert half is not None
    assert none is not None
    assert np.array_equal(half.read_rows(0, 150), chunked[:150])
    for tensor, row in ((half, 1000), (none, 0)):
        with pytest.raises(UnsupportedError, match="not all of its numbers were written"):
            tensor.read_rows(row, row + 1)


def test_a_dataset_that_may_grow_to_any_shape(fixtures_dir: Path) -> None:
    """What it may grow to numbers its chunks, and is not counted out."""
    source = Confinement([fixtures_dir]).open(fixtures_dir / "hdf5" / "latest" / "chunks.h5")
    sound, grown = (read_contents(source).datasets["boxes_gzip"].tensor for _ in range(2))
    assert isinstance(grown, hdf5_chunks.ChunkedTensor) and sound is not None
    grown._layout = replace(grown._layout, limits=(1 << 60, grown.shape[1]))
    assert np.array_equal(grown.read_rows(0, 64), sound.read_rows(0, 64))


def test_a_chunk_is_unpacked_once_in_a_pass(read: Callable[[str], Contents], monkeypatch: pytest.MonkeyPatch) -> None:
    unpacked = []
    unpack = hdf5_chunks.unpack
    monkeypatch.setattr(hdf5_chunks, "unpack", lambda data, *rest: unpacked.append(data) or unpack(data, *rest))
    tensor = read("chunks").datasets["boxes_gzip"].tensor
    assert tensor is not None
    for start in range(0, 1100, 10):
        tensor.read_rows(start, start + 10)
    assert len(unpacked) == 18 * 3


def write_chunk(source: FileSource, path: Path, name: str, edit: Callable[[bytes], bytes]) -> Dataset:
    """A dataset of a copy of the file at `path`, its first chunk edited."""
    tensor = read_contents(source).datasets[name].tensor
    assert isinstance(tensor, hdf5_chunks.ChunkedTensor)
    address, n_stored, _ = tensor._look_up()[0, 0].tolist()
    data = bytearray(source.read_at(0, source.size))
    data[address : address + n_stored] = edit(bytes(data[address : address + n_stored]))[:n_stored].ljust(n_stored, b"\0")
    path.write_bytes(data)
    return read_contents(Confinement([path.parent]).open(path)).datasets[name]


def flip(data: bytes) -> bytes:
    return data[:40] + bytes([data[40] ^ 0x55]) + data[41:]


@pytest.mark.parametrize("name", ["rows_gzip", "whole_gzip", "rows_summed", "boxes_everything"])
def test_deflate_and_fletcher32_notice_a_flipped_byte(open_file: Callable[[str], FileSource], tmp_path: Path, name: str) -> None:
    changed = write_chunk(open_file("chunks"), tmp_path / "x.h5", name, flip)
    with pytest.raises(DamagedError, match="does not unpack to its size"):
        rows(changed)


def test_a_deflate_bomb_is_not_unpacked(open_file: Callable[[str], FileSource], tmp_path: Path) -> None:
    """A chunk that would unpack to 8 MB, where its shape says 44,000 bytes."""
    bomb = zlib.compress(bytes(8 << 20), 9)
    changed = write_chunk(open_file("chunks"), tmp_path / "x.h5", "whole_gzip", lambda chunk: bomb)
    with pytest.raises(DamagedError, match="does not unpack to its size"):
        rows(changed)


@pytest.mark.parametrize("code", [b"\x20\x05", b"\xe0", b"\x1fab", b"\x00a\xff\xff\xff\xff"])
def test_lzf_that_refers_to_nothing(open_file: Callable[[str], FileSource], tmp_path: Path, code: bytes) -> None:
    changed = write_chunk(open_file("chunks"), tmp_path / "x.h5", "boxes_lzf", lambda chunk: code)
    with pytest.raises(DamagedError, match="does not unpack to its size"):
        rows(changed)


def test_chunks_beyond_the_limits(read: Callable[[str], Contents], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hdf5_chunks, "MAX_CHUNK_BYTES", 40_000)
    monkeypatch.setattr(hdf5_chunks, "MAX_CHUNKS", 1000)
    datasets = read("chunks").datasets
    assert "44000 bytes each, and the limit is 40000" in str(datasets["whole"].problem)
    assert "1100 chunks, and the limit is 1000" in str(datasets["single_rows_gzip"].problem)


def test_a_thousand_datasets_in_one_group_and_twenty_groups_in_each_other(read: Callable[[str], Contents]) -> None:
    datasets = read("many").datasets
    assert len(datasets) == 1022
    for k in range(1000):
        assert rows(datasets[f"group/{k:04}"])[0, 0] == k
    for k in range(20):
        assert np.array_equal(rows(datasets[f"fewer/{'long name ' * 30}{k}"]), VALUES)
    assert "/".join("abcdefghijklmnopqrst") + "/numbers" in datasets


def test_attributes(read: Callable[[str], Contents]) -> None:
    attributes = read("attributes").attributes
    texts = {f"text_{k}": f"text {k}, ü" for k in range(40)}
    several = {"several": ("a", "b"), "several_fixed": ("one", "three")}
    assert attributes[""] == {**texts, "fixed": "fixed", "empty": "", **several}
    assert attributes["sound"] == {"dtype": "bfloat16"}


def test_bfloat16_as_keras_marks_it(tmp_path: Path, fixtures_dir: Path) -> None:
    folder = fixtures_dir / "keras_plain" / "files"
    data = (folder / "model_0300.keras").read_bytes()
    (tmp_path / "x.h5").write_bytes(data[data.find(hdf5_structure.SIGNATURE) :])
    found = read_contents(Confinement([tmp_path]).open(tmp_path / "x.h5")).datasets.values()
    assert ml_dtypes.bfloat16 in [dataset.dtype for dataset in found]


@pytest.mark.parametrize("name", ["soft_link", "external_link"])
def test_links_that_lead_elsewhere_are_not_followed(read: Callable[[str], Contents], name: str) -> None:
    contents = read(name)
    assert contents.links == ["link"]
    assert contents.datasets.keys() == {"sound"}


def test_what_has_two_names_is_listed_once_and_a_cycle_ends(read: Callable[[str], Contents]) -> None:
    contents = read("cycle")
    assert len(contents.datasets) == 1
    assert contents.attributes.keys() <= {"", "sound", "group", "group/again", "group/inside", "group/loop"}


def test_groups_in_order_of_creation(read: Callable[[str], Contents]) -> None:
    assert read("tracked").datasets.keys() == {"sound", "group/again"}


# `libver="latest"` of HDF5 2.0 (h5py 3.16), which the environment of the fixtures does not have: 32 × 4 numbers from 0 on, gzip,
# in chunks of 8 × 4. It differs from the layout before in the version of a message and in the width of a size.
HDF5_2 = (
    b"c-rgqaB<`1lHy|K;9!7(|4?Ae3E>++#q+=Za`E?Y31VWXU=l)B2m@S942%p6Y&;A=iZNv~%sdYUssX9r2aLf^09wGP!oa}9#K@=sm1BX@=zL}o21Y>zc_?"
    b"3jL7am@ydKD61-h1*o12G$5oid=#b6a2LSPwYMh+GhX0H8=P(vm#3_9@QJwL0PqlXIvqX-wwueYJ@?L6oH)XmYwiGdOB18DpPAej&V6$?fZTMQNRL=t-g6"
    b">~=t<0y+9gkdrYM!_f;1*3pSP!T73WTB)(f<)`Zd=_PigKReraJU&9l6MUhfuWK+&uz^g#cRc?3JFV#2fC*`5eYHbQle7D=BAb=7G_q)=ckt^ckdUoVwJ>"
    b"=ia6fGg2K%V5)2pkn-n<M90gb$1$dekyly%O<TWcu@H9DYkiTDDuCKJL<H(gWcV@RPow~Jm?cDNecK397yV#i8pJm10A74K_fBFBHOulag7(qrhvNZ!Mt^"
    b"?n5Ya=JAoK*3gq%t!lO>Od<+q)h+bu1PT3N|k0_STlaX11;D8(*K_IlXmuckk5x{025>`u`VftD|HTQ4Oj@Hpr(uhNDo#DJd&0FER7!;akV9ox6AN;>nvw"
    b"uP&dxTmOFDpQ<09zkHIvyShR}5de8^xp@"
)


def test_the_layout_of_hdf5_2(tmp_path: Path) -> None:
    (tmp_path / "x.h5").write_bytes(zlib.decompress(base64.b85decode(HDF5_2)))
    datasets = read_contents(Confinement([tmp_path]).open(tmp_path / "x.h5")).datasets
    assert np.array_equal(rows(datasets["d"]), np.arange(128, dtype=np.float32).reshape(32, 4))


# ---- damage


def test_not_hdf5(tmp_path: Path) -> None:
    (tmp_path / "x.h5").write_bytes(bytes(1000))
    with pytest.raises(UnsupportedError, match="is not an HDF5 file"):
        read_contents(Confinement([tmp_path]).open(tmp_path / "x.h5"))


def test_cut(open_file: Callable[[str], FileSource], tmp_path: Path) -> None:
    source = open_file("types")
    for length in (8, 96, 100, source.size // 2, source.size - 1):
        (tmp_path / "x.h5").write_bytes(source.read_at(0, length))
        with pytest.raises(IncompleteError):
            read_contents(Confinement([tmp_path]).open(tmp_path / "x.h5"))


def test_more_structure_than_the_limit(read: Callable[[str], Contents], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hdf5_structure, "MAX_STRUCTURE_BYTES", 100_000)
    with pytest.raises(UnsupportedError, match="limit is 100000 bytes"):
        read("many")


@pytest.mark.parametrize(("at", "value"), [(8, 9), (13, 4)])
def test_versions_that_are_not_known(fixtures_dir: Path, tmp_path: Path, at: int, value: int) -> None:
    data = bytearray((fixtures_dir / "hdf5" / "classic" / "types.h5").read_bytes())
    struct.pack_into("B", data, at, value)
    (tmp_path / "x.h5").write_bytes(data)
    with pytest.raises(UnsupportedError):
        read_contents(Confinement([tmp_path]).open(tmp_path / "x.h5"))


def test_a_heap_whose_first_block_is_larger_than_any(fixtures_dir: Path, tmp_path: Path) -> None:
    """Such a heap could lie within itself without an end."""
    data = bytearray((fixtures_dir / "hdf5" / "latest" / "many.h5").read_bytes())
    at = data.index(b"FRHP") + 110 + 2 + 8
    data[at : at + 8] = (1).to_bytes(8, "little")
    (tmp_path / "x.h5").write_bytes(data)
    with pytest.raises(DamagedError, match="there is no fractal heap at byte"):
        read_contents(Confinement([tmp_path]).open(tmp_path / "x.h5"))
