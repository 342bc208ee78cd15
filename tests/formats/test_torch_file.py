"""Files of torch.save: those of the framework through the contract, and pickles and archives that lie."""

from __future__ import annotations

import pickle
import re
import tarfile
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tb_embfactor.errors import DamagedError, IncompleteError, ReadError, UnsupportedError
from tb_embfactor.formats import Reader, torch_containers
from tests.formats.contract import Checkpoint, Contract, load_case, open_reader
from tests.formats.torch_writer import call, mapping, program, storage, symbol, tensor, value, write_archive, write_sequence

CASES = [
    "torch_state_dict",
    "torch_training",
    "torch_epoch",
    "torch_whole",
    "torch_tied",
    "torch_types",
    "torch_views",
    "torch_bare",
    "torch_without_checksums",
    "torch_legacy",
    "lightning_run",
]


class TestFiles(Contract):
    @pytest.fixture(params=CASES)
    def case(self, request: pytest.FixtureRequest, fixtures_dir: Path) -> list[Checkpoint]:
        return load_case(fixtures_dir / request.param)


class TestShards(Contract):
    @pytest.fixture
    def case(self, fixtures_dir: Path) -> list[Checkpoint]:
        return load_case(fixtures_dir / "torch_shards")


VALUES = np.arange(6, dtype=np.float32).reshape(3, 2)


def read(path: Path) -> Reader:
    return open_reader(path, "torch")


def one_tensor(tmp_path: Path, body: bytes, **more: Any) -> Reader:
    return read(write_archive(tmp_path / "x.pt", mapping({"emb.weight": body}), **more))


def test_the_layout_to_the_byte(tmp_path: Path) -> None:
    reader = one_tensor(tmp_path, tensor())
    (info,) = reader.matrices
    assert (info.name, info.shape, info.dtype, info.role, info.layer) == ("emb.weight", (3, 2), "float32", "embedding", "emb")
    assert reader.read_rows("emb.weight", 0, 3).tolist() == VALUES.tolist()
    path = write_sequence(tmp_path / "old.pt", mapping({"emb.weight": tensor()}), ["0"], [(6, VALUES.tobytes())])
    assert read(path).read_rows("emb.weight", 1, 3).tolist() == VALUES[1:].tolist()


def test_big_endian_storages(tmp_path: Path) -> None:
    swapped = {"0": VALUES.astype(">f4").tobytes()}
    reader = one_tensor(tmp_path, tensor(), storages=swapped, **{"archive/byteorder": b"big"})
    rows = reader.read_rows("emb.weight", 0, 3)
    assert rows.tolist() == VALUES.tolist() and rows.dtype.isnative


@pytest.mark.parametrize("block_rows", [1, 2, 3])
def test_a_pass_over_all_rows_verifies_the_checksum(tmp_path: Path, block_rows: int) -> None:
    path = write_archive(tmp_path / "x.pt", mapping({"emb.weight": tensor()}))
    data = path.read_bytes()
    at = data.index(VALUES.tobytes())
    path.write_bytes(data[:at] + b"\x01" + data[at + 1 :])
    reader = read(path)
    starts = list(range(0, 3, block_rows))
    for start in starts[:-1]:
        reader.read_rows("emb.weight", start, start + block_rows)
    with pytest.raises(DamagedError, match="the checksum of the 6 numbers"):
        reader.read_rows("emb.weight", starts[-1], 3)


def test_deflated_members(tmp_path: Path) -> None:
    """As an archive that somebody packed anew: the storages are copied once and read there."""
    path = write_archive(tmp_path / "x.pt", mapping({"emb.weight": tensor()}))
    with zipfile.ZipFile(path) as stored, zipfile.ZipFile(tmp_path / "y.pt", "w", zipfile.ZIP_DEFLATED) as deflated:
        for name in stored.namelist():
            deflated.writestr(name, stored.read(name))
    assert read(tmp_path / "y.pt").read_rows("emb.weight", 0, 3).tolist() == VALUES.tolist()


def test_state_dicts_of_python_2(tmp_path: Path) -> None:
    """An OrderedDict was pickled as a list of pairs, and text as bytes."""
    pair = b"](U\x0aemb.weight" + tensor() + b"e"
    body = symbol("collections", "OrderedDict") + b"](" + pair + b"e\x85R"
    assert [info.name for info in read(write_archive(tmp_path / "x.pt", body)).matrices] == ["emb.weight"]


def test_names_without_what_the_file_puts_around_the_model(tmp_path: Path) -> None:
    inner = mapping({"module.emb.weight": tensor(), "module._orig_mod.out.weight": tensor(offset=2, sizes=(2, 2))})
    reader = read(write_archive(tmp_path / "x.pt", mapping({"model": mapping({"state_dict": inner})})))
    assert {info.name: info.stored_name for info in reader.matrices} == {
        "emb.weight": "module.emb.weight",
        "out.weight": "module._orig_mod.out.weight",
    }


def test_models_that_would_share_a_name_keep_their_paths(tmp_path: Path) -> None:
    models = {"model": mapping({"emb.weight": tensor()}), "net": mapping({"emb.weight": tensor(offset=2, sizes=(2, 2))})}
    reader = read(write_archive(tmp_path / "x.pt", mapping(models)))
    assert [info.name for info in reader.matrices] == ["model.emb.weight", "net.emb.weight"]


def test_nested_state_dicts(tmp_path: Path) -> None:
    nested = mapping({"language_model": mapping({"embedding": mapping({"word_embeddings": mapping({"weight": tensor()})})})})
    (info,) = read(write_archive(tmp_path / "x.pt", mapping({"model": nested}))).matrices
    assert info.name == "language_model.embedding.word_embeddings.weight"


@pytest.mark.parametrize(
    ("told", "step"),
    [
        ({"global_step": value(7), "step": value(9)}, 7),
        ({"step": value(-1), "epoch": value(3)}, 3),
        ({"epoch": value(3)}, 3),
        ({"iteration": value(True)}, None),
        ({"step": value("7")}, None),
        ({"step": value(1 << 60)}, None),
        ({"step": tensor(storage("1", "LongStorage", 1), sizes=(), strides=())}, 300),
        ({"step": tensor(storage("1", "DoubleStorage", 1), sizes=(), strides=())}, None),
    ],
)
def test_step_beside_the_model(tmp_path: Path, told: dict[str, bytes], step: int | None) -> None:
    storages = {"0": VALUES.tobytes(), "1": (300).to_bytes(8, "little")}
    body = mapping({"model": mapping({"emb.weight": tensor()}), **told})
    assert read(write_archive(tmp_path / "x.pt", body, storages)).step == step


# ---- tensors that lie: each costs only itself

LYING = {
    "view past the end of its storage": (tensor(sizes=(4, 2)), "it reaches up to number 7, past the end of its storage"),
    "offset past the end": (tensor(offset=6), "past the end of its storage"),
    "strides past the end": (tensor(strides=(2**40, 1)), "past the end of its storage"),
    "shape of 2⁶⁰ by 2⁶⁰": (tensor(sizes=(2**60, 2**60)), "past the end of its storage"),
    "negative offset": (tensor(offset=-1), "its sizes and strides make no sense"),
    "negative stride": (tensor(strides=(-2, 1)), "its sizes and strides make no sense"),
    "negative size": (tensor(sizes=(-3, 2)), "its sizes and strides make no sense"),
    "size of 2⁷⁰": (tensor(sizes=(2**70, 2)), "its sizes and strides make no sense"),
    "fractional size": (tensor(sizes=(3.0, 2)), "its sizes and strides make no sense"),
    "true as a size": (tensor(sizes=(True, 2)), "its sizes and strides make no sense"),
    "more sizes than strides": (tensor(strides=(1,)), "its sizes and strides make no sense"),
    "a thousand axes": (tensor(sizes=(1,) * 1000, strides=(1,) * 1000), "its sizes and strides make no sense"),
    "stride of zero": (tensor(strides=(0, 1)), r"its rows share numbers \(strides 0 and 1\)"),
    "rows that overlap": (tensor(sizes=(5, 2), strides=(1, 1)), "its rows share numbers"),
    "numbers apart": (tensor(sizes=(1, 2), strides=(1, 3)), None),
    "numbers apart in both directions": (tensor(sizes=(2, 2), strides=(3, 2)), "its numbers do not lie side by side"),
    "storage with another number of numbers": (tensor(storage(n_numbers=5)), "its storage has 24 bytes, not the 20 that"),
    "storage of 2⁶²": (tensor(storage(n_numbers=2**62)), "its storage has 24 bytes, not the"),
    "storage without a number": (tensor(storage(n_numbers="6")), "it refers to no storage"),
    "storage that is not there": (tensor(storage("7")), "its storage '7' is not in the file"),
    "storage outside": (tensor(storage("../../../etc/passwd")), "its storage '../../../etc/passwd' is not in the file"),
    "storage without a name": (tensor(storage(0)), "it refers to no storage"),
    "storage of complex numbers": (tensor(storage(kind="ComplexFloatStorage")), "of the type complex64, which is not read"),
    "storage of an unknown kind": (tensor(storage(kind="FloatStorage2")), "of the type FloatStorage2, which is not read"),
    "reference to something else": (tensor(value("storage") + b"Q"), "it refers to no storage"),
    "no storage": (tensor(value(None)), "it refers to no storage"),
    "no arguments": (call("torch._utils", "_rebuild_tensor_v2"), "it lacks what it should be built from"),
    "unknown kind of tensor": (call("torch._utils", "_rebuild_new_tensor"), r"not read \(_rebuild_new_tensor\)"),
    "quantized tensor": (call("torch._utils", "_rebuild_qtensor", b"N", b"N", value((3, 2))), "it is quantized"),
}


@pytest.mark.parametrize("name", LYING)
def test_tensors_that_lie(tmp_path: Path, name: str) -> None:
    body, reason = LYING[name]
    reader = read(write_archive(tmp_path / "x.pt", mapping({"emb.weight": tensor(), "bad.weight": body})))
    names = ["emb.weight"] if reason else ["emb.weight", "bad.weight"]
    assert [info.name for info in reader.matrices] == names
    assert reader.read_rows("emb.weight", 0, 3).tolist() == VALUES.tolist()
    assert [message.params["tensor"] for message in reader.skipped] == ["bad.weight"] * bool(reason)
    if reason:
        assert re.search(reason, reader.skipped[0].text)


def test_wrappers_around_wrappers(tmp_path: Path) -> None:
    body = tensor()
    for _ in range(3):
        body = call("torch._utils", "_rebuild_parameter", body, b"\x88", b"N")
    assert one_tensor(tmp_path, body).matrices
    for _ in range(100):
        body = call("torch._utils", "_rebuild_parameter", body, b"\x88", b"N")
    with pytest.raises(UnsupportedError, match="it holds no tensors of one"):
        one_tensor(tmp_path, body)


# ---- pickles and archives that are refused: each costs the file

EVIL = call("posix", "system", value("touch canary"))
REFUSED: dict[str, tuple[bytes, type[ReadError], str]] = {
    "os.system": (
        mapping({"emb.weight": tensor(), "x": EVIL}),
        UnsupportedError,
        r"posix\.system; 1 in all\)\. Nothing in it was",
    ),
    "builtins.eval": (
        mapping({"emb.weight": tensor(), "x": call("builtins", "eval", value("1"))}),
        UnsupportedError,
        r"builtins\.eval; 1 in all",
    ),
    "many functions": (
        b"".join(symbol("subprocess", f"f{number}") + b"0" for number in range(9)) + mapping({"emb.weight": tensor()}),
        UnsupportedError,
        r"subprocess\.f0, subprocess\.f1, subprocess\.f2, …; 9 in all",
    ),
    "memo entry of 2³²": (b"j\xff\xff\xff\xff", DamagedError, "its pickle makes no sense"),
    "opcode of the registry": (b"\x82\x01", DamagedError, "its pickle makes no sense"),
    "bytes of 2⁶²": (b"\x8e" + (1 << 62).to_bytes(8, "little"), IncompleteError, "its pickle ends before it is complete"),
    "integer of 2 GB": (b"\x8b\xff\xff\xff\x7f", IncompleteError, "its pickle ends before it is complete"),
    "two million marks": (b"(" * 2_000_001, UnsupportedError, "the number of steps in its pickle"),
    "billion laughs": (b"]" + b"2\x86" * 100_000, UnsupportedError, "it holds no tensors of one"),
    "list that holds itself": (b"]q\0h\0a", UnsupportedError, "it holds no tensors of one"),
    "mapping that holds itself": (b"}q\0" + value("model") + b"h\0s", UnsupportedError, "it holds no tensors of one"),
    "tuple within a tuple, 100,000 times": (b")" + b"\x85" * 100_000, UnsupportedError, "it holds no tensors of one"),
    "an optimizer alone": (
        mapping({"state": mapping({"0": tensor()}), "param_groups": b"]"}),
        UnsupportedError,
        "it holds no tensors of one",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_refused_pickles(tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    body, error, message = REFUSED[name]
    with pytest.raises(error, match=message):
        read(write_archive(tmp_path / "x.pt", body))
    assert not (tmp_path / "canary").exists()


def test_the_canary_sings_where_the_pickle_is_loaded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Python's own machine does what the pickle says: the test above would notice."""
    monkeypatch.chdir(tmp_path)
    pickle.loads(program(EVIL))
    assert (tmp_path / "canary").exists()


def edit_archive(path: Path, old: bytes, new: bytes) -> None:
    data = path.read_bytes()
    assert old in data
    path.write_bytes(data.replace(old, new, 1))


def test_refused_archives(tmp_path: Path) -> None:
    path, body = tmp_path / "x.pt", mapping({"emb.weight": tensor()})
    write_archive(path, body, **{"other/data.pkl": b"N."})
    with pytest.raises(DamagedError, match=r"it has several data\.pkl"):
        read(path)
    with pytest.warns(UserWarning, match="Duplicate name"):
        write_archive(path, body, **{"archive/data/0": bytes(24)})
    with pytest.raises(DamagedError, match="it holds archive/data/0 twice"):
        read(path)
    write_archive(path, body)
    path.write_bytes(b"#!/bin/sh\n" + path.read_bytes())
    with pytest.raises(UnsupportedError, match="it does not start like one"):
        read(path)
    write_archive(path, body)
    path.write_bytes(path.read_bytes() + b"more")
    with pytest.raises(IncompleteError, match="end record"):
        read(path)
    write_archive(path, body)
    edit_archive(path, b"archive/data/0", b"archive/data/1")  # in the header before the storage, not in the directory
    with pytest.raises(DamagedError, match="the header of archive/data/0 says something else than the directory"):
        read(path)


def test_a_pickle_larger_than_the_limit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Deflated, a small file could hold a huge one."""
    monkeypatch.setattr(torch_containers, "MAX_PICKLE_BYTES", 1000)
    with zipfile.ZipFile(tmp_path / "x.pt", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("archive/data.pkl", b"N" * 1001 + b".")
    with pytest.raises(UnsupportedError, match="its content is 1002 bytes, and the limit is 1000 bytes"):
        read(tmp_path / "x.pt")


def test_programs_and_other_archives(tmp_path: Path) -> None:
    path, body = tmp_path / "x.pt", mapping({"emb.weight": tensor()})
    for name in ("archive/constants.pkl", "archive/code/__torch__.py"):
        write_archive(path, body, **{name: b"N."})
        with pytest.raises(UnsupportedError, match=r"it is a program \(TorchScript\)\. Load it with torch\.jit\.load"):
            read(path)
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("something/else", b"")
    with pytest.raises(UnsupportedError, match=r"it has no data\.pkl"):
        read(path)
    with tarfile.open(path, "w") as tar:
        tar.add(__file__, "storages")
    with pytest.raises(UnsupportedError, match=r"it is a tar archive, as PyTorch wrote before 0\.1\.10"):
        read(path)


@pytest.mark.parametrize("content", [b"\x80\x02N.", b"binary \xff\0 noise" * 30, b"a", b"word2vec 3\n", b"\x89HDF\r\n\x1a\n"])
def test_foreign_files(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "x.bin"
    path.write_bytes(content)
    with pytest.raises(UnsupportedError) as caught:
        read(path)
    assert caught.value.code == "file_foreign"


def test_an_empty_file_is_being_written(tmp_path: Path) -> None:
    (tmp_path / "x.pt").touch()
    with pytest.raises(IncompleteError, match="it is empty"):
        read(tmp_path / "x.pt")


# ---- files from before PyTorch 1.6

OLD = mapping({"emb.weight": tensor()})
OLD_REFUSED: dict[str, tuple[bytes, Any, list[tuple[int, bytes]], type[ReadError], str]] = {
    "storage cut off": (OLD, ["0"], [(6, bytes(23))], IncompleteError, "ends at byte"),
    "storage of 2⁶³ numbers": (OLD, ["0"], [(-1, bytes(24))], IncompleteError, "ends at byte"),
    "storage twice": (OLD, ["0", "0"], [(6, bytes(24))] * 2, DamagedError, "its storage '0' belongs to nothing in it"),
    "storage that nothing refers to": (OLD, ["1"], [(6, bytes(24))], DamagedError, "its storage '1' belongs to nothing"),
    "storage called by a number": (OLD, [0], [(6, bytes(24))], DamagedError, "its storage '0' belongs to nothing"),
    "no list of storages": (OLD, {"0": 1}, [(6, bytes(24))], DamagedError, "it has no list of its storages"),
    "foreign calls": (mapping({"emb.weight": tensor(), "x": EVIL}), ["0"], [(6, bytes(24))], UnsupportedError, "1 in all"),
    "pickle cut off": (b"(" * 100, ["0"], [], DamagedError, "its pickle makes no sense"),
}


@pytest.mark.parametrize("name", OLD_REFUSED)
def test_refused_files_from_before(tmp_path: Path, name: str) -> None:
    body, keys, storages, error, message = OLD_REFUSED[name]
    with pytest.raises(error, match=message):
        read(write_sequence(tmp_path / "x.pt", body, keys, storages))


def test_a_storage_that_says_another_size_than_its_tensor(tmp_path: Path) -> None:
    reader = read(write_sequence(tmp_path / "x.pt", OLD, ["0"], [(5, bytes(24))]))
    assert "its storage has 20 bytes, not the 24" in reader.skipped[0].text


def test_a_pickle_longer_than_what_is_read_at_first(tmp_path: Path) -> None:
    body = mapping({"emb.weight": tensor(), "remark": value("x" * (3 << 20))})
    reader = read(write_sequence(tmp_path / "x.pt", body, ["0"], [(6, VALUES.tobytes())]))
    assert reader.read_rows("emb.weight", 0, 3).tolist() == VALUES.tolist()
