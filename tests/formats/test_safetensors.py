"""safetensors: files of the frameworks through the contract, the layout to the byte, and headers that lie."""

from __future__ import annotations

import json
import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tb_embfactor.errors import DamagedError, IncompleteError, ReadError, UnsupportedError
from tb_embfactor.formats import Reader
from tests.formats.contract import Checkpoint, Contract, load_case, open_reader


class TestFiles(Contract):
    @pytest.fixture(
        params=[
            "safetensors_types",
            "safetensors_model",
            "safetensors_optimizer",
            "hf_bert",
            "hf_gpt2",
            "hf_llama",
            "hf_t5",
            "hf_trainer",
        ]
    )
    def case(self, request: pytest.FixtureRequest, fixtures_dir: Path) -> list[Checkpoint]:
        return load_case(fixtures_dir / request.param)


class TestShards(Contract):
    @pytest.fixture
    def case(self, fixtures_dir: Path) -> list[Checkpoint]:
        return load_case(fixtures_dir / "hf_shards")


VALUES = np.arange(6, dtype="<f4").reshape(3, 2)
ENTRY = {"dtype": "F32", "shape": [3, 2], "data_offsets": [0, 24]}


def write(path: Path, header: Any, data: bytes = VALUES.tobytes(), length: int | None = None) -> Path:
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    path.write_bytes(struct.pack("<Q", len(text) if length is None else length) + text + data)
    return path


def read(path: Path) -> Reader:
    return open_reader(path, "safetensors")


def test_the_layout_to_the_byte(tmp_path: Path) -> None:
    path = tmp_path / "x.safetensors"
    path.write_bytes(
        b'\x41\0\0\0\0\0\0\0{"emb.weight":{"dtype":"F32","shape":[2,1],"data_offsets":[0,8]}}' + b"\0\0\x80\x3f" + b"\0\0\0\xc0"
    )
    reader = read(path)
    (info,) = reader.matrices
    assert (info.name, info.shape, info.dtype, info.role, info.layer) == ("emb.weight", (2, 1), "float32", "embedding", "emb")
    assert reader.read_rows("emb.weight", 0, 2).tolist() == [[1.0], [-2.0]]


# ---- hostile and damaged headers: name -> (header, data, message)

OVERFLOW = {"dtype": "F32", "shape": [1 << 62, 1 << 62], "data_offsets": [0, 24]}
HOSTILE: dict[str, tuple[Any, bytes, str]] = {
    "shape that overflows 64 bits": ({"a": OVERFLOW}, VALUES.tobytes(), "and 24 bytes"),
    "shape that overflows to the right size": (
        {"a": {**ENTRY, "shape": [1 << 32, 1 << 32, 0x10000], "data_offsets": [0, 0]}},
        b"",
        "and 0 bytes",
    ),
    "overlap": ({"a": ENTRY, "b": {**ENTRY, "data_offsets": [8, 32]}}, bytes(32), "b overlaps the tensor before it"),
    "two names for the same bytes": ({"a": ENTRY, "b": ENTRY}, bytes(24), "overlaps the tensor before it"),
    "hole": ({"a": ENTRY, "b": {**ENTRY, "data_offsets": [28, 52]}}, bytes(52), "b leaves a hole before it"),
    "hole at the start": ({"a": {**ENTRY, "data_offsets": [4, 28]}}, bytes(28), "a leaves a hole before it"),
    "bytes behind the last tensor": ({"a": ENTRY}, bytes(25), "1 bytes follow its last tensor"),
    "no tensor, yet bytes": ({}, bytes(4), "4 bytes follow its last tensor"),
    "name that stands twice": (b'{"a":%s,"a":%s}' % ((json.dumps(ENTRY).encode(),) * 2), bytes(24), "a name stands in it twice"),
    "key that stands twice": (
        b'{"a":{"dtype":"F32","dtype":"F32","shape":[1],"data_offsets":[0,4]}}',
        bytes(4),
        "a name stands in it twice",
    ),
    "negative dimension": ({"a": {**ENTRY, "shape": [-3, -2]}}, bytes(24), "what its header says of a is no tensor"),
    "fractional dimension": ({"a": {**ENTRY, "shape": [3.0, 2]}}, bytes(24), "is no whole number"),
    "true as a dimension": ({"a": {**ENTRY, "shape": [True, 6]}}, bytes(24), "what its header says of a is no tensor"),
    "text as a dimension": ({"a": {**ENTRY, "shape": ["3", 2]}}, bytes(24), "what its header says of a is no tensor"),
    "dimension of 2⁶³": ({"a": {**ENTRY, "shape": [1 << 63, 0]}}, bytes(24), "what its header says of a is no tensor"),
    "a thousand axes": ({"a": {**ENTRY, "shape": [1] * 1000}}, bytes(24), "what its header says of a is no tensor"),
    "offsets the wrong way round": ({"a": {**ENTRY, "data_offsets": [24, 0]}}, bytes(24), "and -24 bytes"),
    "three offsets": ({"a": {**ENTRY, "data_offsets": [0, 12, 24]}}, bytes(24), "what its header says of a is no tensor"),
    "unknown type": ({"a": {**ENTRY, "dtype": "F23"}}, bytes(24), "what its header says of a is no tensor"),
    "type that is a list": ({"a": {**ENTRY, "dtype": ["F32"]}}, bytes(24), "what its header says of a is no tensor"),
    "tensor that is a number": ({"a": 3}, bytes(24), "what its header says of a is no tensor"),
    "long name": ({"a" * 1001: ENTRY}, bytes(24), "… is no tensor"),
    "size that does not fit the type": ({"a": {**ENTRY, "dtype": "F64"}}, bytes(24), "of type F64, and 24 bytes"),
    "half a byte": ({"a": {"dtype": "F4", "shape": [3], "data_offsets": [0, 2]}}, bytes(2), "of type F4, and 2 bytes"),
    "header that is a list": (b"{}[", b"", "its header is not what it should be"),
    "no JSON": (b"{a", b"", "its header is not what it should be"),
    "not UTF-8": (b'{"\xff":1}', b"", "its header is not what it should be"),
    "NaN": (b'{"a":NaN}', b"", "the number NaN in it is no whole number"),
    "Infinity": (b'{"a":-Infinity}', b"", "the number -Infinity in it is no whole number"),
    "integer of a million digits": (b'{"a":' + b"1" * 1_000_000 + b"}", b"", "its header is not what it should be"),
    "nested a million times": (b'{"a":' + b"[" * 1_000_000 + b"]" * 1_000_000 + b"}", b"", "its header is nested too deeply"),
    "remarks that are numbers": ({"__metadata__": {"a": 1}, "a": ENTRY}, bytes(24), r"remarks \(__metadata__\) are not texts"),
    "remarks that are a list": ({"__metadata__": [], "a": ENTRY}, bytes(24), r"remarks \(__metadata__\) are not texts"),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_damaged_headers(tmp_path: Path, name: str) -> None:
    header, data, message = HOSTILE[name]
    with pytest.raises(DamagedError, match=message):
        read(write(tmp_path / "x.safetensors", header, data))


@pytest.mark.parametrize("length", [(1 << 63) - 1, (1 << 64) - 1, 1 << 30, (16 << 20) + 1])
def test_header_longer_than_the_limit(tmp_path: Path, length: int) -> None:
    with pytest.raises(UnsupportedError, match=r"its header is .* bytes, and the limit is 16,777,216 bytes"):
        read(write(tmp_path / "x.safetensors", {"a": ENTRY}, length=length))


@pytest.mark.parametrize(
    "content", [b"PK\3\4" + bytes(20), b"\x08" + bytes(7) + b"[1, 2]  ", b"version https://git-lfs.github.com/spec/v1\n"]
)
def test_other_files(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "x.safetensors"
    path.write_bytes(content)
    with pytest.raises(UnsupportedError, match="is not a safetensors file"):
        read(path)


@pytest.mark.parametrize("n_bytes", [0, 7, 8, 9, 40, -1])
def test_files_being_written(tmp_path: Path, n_bytes: int) -> None:
    path = write(tmp_path / "x.safetensors", {"a": ENTRY})
    path.write_bytes(path.read_bytes()[:n_bytes])
    with pytest.raises(IncompleteError, match="tried again"):
        read(path)


def test_a_header_may_end_in_spaces_and_hold_nothing(tmp_path: Path) -> None:
    assert read(write(tmp_path / "x.safetensors", json.dumps({"emb.weight": ENTRY}).encode() + b" " * 9)).matrices
    assert read(write(tmp_path / "y.safetensors", {}, b"")).matrices == ()


def test_types_that_are_not_read_cost_only_their_tensor(tmp_path: Path) -> None:
    header = {
        "half.weight": {"dtype": "F4", "shape": [4, 2], "data_offsets": [0, 4]},
        "complex.weight": {"dtype": "C64", "shape": [1, 1], "data_offsets": [4, 12]},
        "emb.weight": {"dtype": "F16", "shape": [2, 1], "data_offsets": [12, 16]},
    }
    reader = read(write(tmp_path / "x.safetensors", header, bytes(16)))
    assert [info.name for info in reader.matrices] == ["emb.weight"]
    assert [message.params["tensor"] for message in reader.skipped] == ["half.weight", "complex.weight"]
    assert "of the type F4, which is not read" in reader.skipped[0].text


def test_names_that_no_encoding_can_carry(tmp_path: Path) -> None:
    reader = read(write(tmp_path / "x.safetensors", b'{"emb\\ud800.weight":%s}' % json.dumps(ENTRY).encode()))
    assert reader.matrices[0].name.encode("utf-8") == b"emb\\ud800.weight"
    assert reader.read_rows(reader.matrices[0].name, 0, 3).tolist() == VALUES.tolist()


@pytest.mark.parametrize(("noted", "step"), [("12", 12), ("-1", None), ("1e3", None), ("²", None), ("9" * 16, None)])
def test_step_among_the_remarks(tmp_path: Path, noted: str, step: int | None) -> None:
    assert read(write(tmp_path / "x.safetensors", {"__metadata__": {"step": noted}, "a": ENTRY})).step == step


# ---- several files


def write_shards(folder: Path, index: Any, **shards: Any) -> Path:
    text = index if isinstance(index, str) else json.dumps(index)
    (folder / "model.safetensors.index.json").write_text(text)
    for name, header in shards.items():
        write(folder / f"{name}.safetensors", header)
    return folder / "model"


def read_shards(path: Path) -> Reader:
    return open_reader(path, "model-shards")


def test_a_shard_that_is_missing_or_lacks_a_tensor(tmp_path: Path) -> None:
    places = {"emb.weight": "one.safetensors", "b.weight": "two.safetensors", "c.weight": "one.safetensors"}
    reader = read_shards(write_shards(tmp_path, {"weight_map": places}, one={"emb.weight": ENTRY}))
    assert [info.name for info in reader.matrices] == ["emb.weight"]
    reasons = {message.params["tensor"]: message.params["reason"] for message in reader.skipped}
    assert reasons == {
        "b.weight": "its file two.safetensors is not there",
        "c.weight": "it is not in one.safetensors, where the index says it is",
    }


@pytest.mark.parametrize("shard", ["../one.safetensors", "/etc/passwd", "a\\b", "", ".", "..", "x\0y", 3, None, []])
def test_shards_that_do_not_lie_beside_the_index(tmp_path: Path, shard: Any) -> None:
    outside = write(tmp_path / "one.safetensors", {"emb.weight": ENTRY})
    folder = tmp_path / "model"
    folder.mkdir()
    with pytest.raises(ReadError, match="names files that do not lie beside it"):
        read_shards(write_shards(folder, {"weight_map": {"emb.weight": shard}}))
    assert outside.exists()


@pytest.mark.parametrize("index", [{}, {"weight_map": []}, [], 3])
def test_indexes_of_something_else(tmp_path: Path, index: Any) -> None:
    with pytest.raises(UnsupportedError, match="is not the index of a model in several files: it has no weight_map"):
        read_shards(write_shards(tmp_path, index))


@pytest.mark.parametrize("index", ["{", "[" * 100_000, '{"weight_map": 1' + "0" * 5000 + "}"])
def test_damaged_indexes(tmp_path: Path, index: str) -> None:
    with pytest.raises(DamagedError):
        read_shards(write_shards(tmp_path, index))


def test_no_shard_at_all(tmp_path: Path) -> None:
    with pytest.raises(IncompleteError, match="none of the files that it names is there"):
        read_shards(write_shards(tmp_path, {"weight_map": {"emb.weight": "one.safetensors"}}))


def test_a_damaged_shard_damages_the_model(tmp_path: Path) -> None:
    with pytest.raises(DamagedError, match=r"one\.safetensors"):
        read_shards(write_shards(tmp_path, {"weight_map": {"emb.weight": "one.safetensors"}}, one={"a": 3}))
