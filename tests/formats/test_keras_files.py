"""Files of Keras: those of the framework through the contract, and archives and indexes that were tampered with."""

from __future__ import annotations

import io
import json
import struct
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tb_embfactor.errors import DamagedError, EmbfactorError, IncompleteError, UnsupportedError
from tb_embfactor.formats import Reader
from tb_embfactor.formats.zip_archive import list_members
from tb_embfactor.logdir import open_checkpoint, open_logdir
from tb_embfactor.sources import Confinement, FileSource, Window
from tests.formats.contract import Checkpoint, Contract, load_case, open_reader, read_everything


class TestFrameworkFiles(Contract):
    @pytest.fixture(params=["keras_functional", "keras_plain", "keras_subclassed", "deflated", "planted"])
    def case(self, request: pytest.FixtureRequest, fixtures_dir: Path) -> list[Checkpoint]:
        return [checkpoint for checkpoint in load_case(fixtures_dir / request.param) if checkpoint.format == "keras"]


class TestWeights(Contract):
    @pytest.fixture(params=["weights", "weights_subclassed", "weights_of_types", "repacked", "backup", "keras_2_newer"])
    def case(self, request: pytest.FixtureRequest, fixtures_dir: Path) -> list[Checkpoint]:
        return load_case(fixtures_dir / request.param)


class TestLegacy(Contract):
    @pytest.fixture(params=["legacy_of_keras_3", "keras_2"])
    def case(self, request: pytest.FixtureRequest, fixtures_dir: Path) -> list[Checkpoint]:
        return load_case(fixtures_dir / request.param)


class TestShards(Contract):
    @pytest.fixture
    def case(self, fixtures_dir: Path) -> list[Checkpoint]:
        return load_case(fixtures_dir / "shards")


@pytest.fixture
def original(fixtures_dir: Path) -> Path:
    return fixtures_dir / "keras_functional" / "files" / "epoch-01.keras"


def rewrite(original: Path, path: Path, edit: Callable[[str, bytes], bytes | None], **options: Any) -> Reader:
    """Write the archive anew with its members edited (None leaves one out), and open it."""
    with zipfile.ZipFile(original) as old, zipfile.ZipFile(path, "w", **options) as new:
        for name in old.namelist():
            if (content := edit(name, old.read(name))) is not None:
                new.writestr(name, content)
    return open_reader(path, "keras")


def keep(name: str, content: bytes) -> bytes:
    return content


def edit_config(change: Callable[[dict[str, Any]], Any]) -> Callable[[str, bytes], bytes]:
    return lambda name, content: json.dumps(change(json.loads(content))).encode() if name == "config.json" else content


# ---- the model


def test_without_a_configuration_classes_follow_from_paths(original: Path, tmp_path: Path) -> None:
    with_config = open_reader(original, "keras")
    without = rewrite(original, tmp_path / "m.keras", lambda name, content: None if name == "config.json" else content)
    assert sorted(without.matrices, key=lambda info: info.name) == sorted(with_config.matrices, key=lambda info: info.name)


def test_settings_tell_an_embedding_of_another_class(original: Path, tmp_path: Path) -> None:
    """The class is the framework's word for the role; a layer of any class with the settings of an embedding is one, too."""

    def rename(name: str, content: bytes) -> bytes:
        return content.replace(b'"Embedding"', b'"MyTable"') if name == "config.json" else content

    roles = {info.name: info.role for info in rewrite(original, tmp_path / "m.keras", rename).matrices}
    assert roles["tok/embeddings"] == "embedding"


@pytest.mark.parametrize(
    "config",
    [
        [],
        "text",
        3,
        {"config": []},
        {"config": {"layers": {}}},
        {"config": {"layers": [1, {"class_name": 2}, {"class_name": "Dense"}]}},
    ],
)
def test_configurations_that_are_none(original: Path, tmp_path: Path, config: Any) -> None:
    assert len(rewrite(original, tmp_path / "m.keras", edit_config(lambda _: config)).matrices) == 4


@pytest.mark.parametrize("text", [b"", b"{", b"[" * 100_000, b"\xff", b'{"a": ' + b"1" * 10_000 + b"}"])
def test_damaged_configuration(original: Path, tmp_path: Path, text: bytes) -> None:
    with pytest.raises(DamagedError):
        rewrite(original, tmp_path / "m.keras", lambda name, content: text if name == "config.json" else content)


def test_configuration_nested_hundreds_of_times(original: Path, tmp_path: Path) -> None:
    config: dict[str, Any] = {"class_name": "Dense", "config": {}}
    for _ in range(300):
        config = {"class_name": "Sequential", "config": {"layers": [config]}}
    assert len(rewrite(original, tmp_path / "m.keras", edit_config(lambda _: config)).matrices) == 4


def test_large_configuration(original: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tb_embfactor.formats.keras_files.MAX_JSON_BYTES", 100)
    with pytest.raises(UnsupportedError, match="limit is 100 bytes"):
        open_reader(original, "keras")


@pytest.mark.parametrize(
    ("name", "step"), [("model_0300.keras", 300), ("epoch-03.keras", 3), ("weights.05-0.32.keras", 5), ("glove_300d.keras", None)]
)
def test_step_in_the_name_of_a_model_without_optimizer(fixtures_dir: Path, tmp_path: Path, name: str, step: int | None) -> None:
    plain = fixtures_dir / "keras_plain" / "files" / "model_0300.keras"
    assert rewrite(plain, tmp_path / name, keep).step == step


def test_step_of_an_optimizer_that_was_never_used(fixtures_dir: Path, tmp_path: Path) -> None:
    fresh = fixtures_dir / "keras_functional" / "files" / "fresh.keras"
    assert rewrite(fresh, tmp_path / "m.keras", keep).step == 0
    assert rewrite(fresh, tmp_path / "m_0700.keras", keep).step == 700


def test_a_link_in_the_file_is_told(fixtures_dir: Path) -> None:
    reader = open_reader(fixtures_dir / "repacked" / "files" / "linked.weights.h5", "keras-hdf5")
    assert [message.text for message in reader.skipped] == [
        "layers/elsewhere in linked.weights.h5 was left out: it is a link, and links in HDF5 files are not followed."
    ]


# ---- shards


@pytest.fixture
def sharded(fixtures_dir: Path, tmp_path: Path) -> Checkpoint:
    return load_case(fixtures_dir / "shards")[0].copy_to(tmp_path)


@pytest.mark.parametrize(
    ("index", "error", "text"),
    [
        ({}, UnsupportedError, "no weight_map"),
        ([], UnsupportedError, "no weight_map"),
        ({"weight_map": {}}, UnsupportedError, "not a model or weights of Keras"),
        ({"weight_map": {"/vars": "../secret.weights.h5"}}, DamagedError, "do not lie beside it"),
        ({"weight_map": {"/vars": "/etc/passwd"}}, DamagedError, "do not lie beside it"),
        ({"weight_map": {"/vars": ["a", 3]}}, DamagedError, "do not lie beside it"),
        ({"weight_map": {"/vars": [f"{k}.h5" for k in range(2000)]}}, DamagedError, "do not lie beside it"),
        ({"weight_map": {"/vars": {"a": "b"}}}, DamagedError, "TypeError"),
        ({"weight_map": {"/vars": ".."}}, EmbfactorError, "bare name"),
        ({"weight_map": {"/vars": "missing.weights.h5"}}, IncompleteError, "not there"),
        ({"weight_map": {"/vars": "large_300.weights.json"}}, UnsupportedError, "not an HDF5 file"),
    ],
)
def test_indexes_that_name_something_else(sharded: Checkpoint, index: Any, error: type[EmbfactorError], text: str) -> None:
    (sharded.folder / "large_300.weights.json").write_text(json.dumps(index))
    with pytest.raises(error, match=text), sharded.open():
        pass


def test_a_variable_in_two_shards(sharded: Checkpoint) -> None:
    first = sharded.folder / "large_300_00000.weights.h5"
    (sharded.folder / "copy.weights.h5").write_bytes(first.read_bytes())
    names = {"/a": first.name, "/b": "copy.weights.h5"}
    (sharded.folder / "large_300.weights.json").write_text(json.dumps({"weight_map": names}))
    with pytest.raises(DamagedError, match="in another shard"), sharded.open():
        pass


def test_shards_are_no_checkpoints_beside_their_index(sharded: Checkpoint) -> None:
    (found,) = open_logdir(sharded.folder).runs[0].checkpoints
    assert (found.id, found.step) == ("large_300", 2)
    assert open_checkpoint(sharded.folder / "large_300_00001.weights.h5").id == "large_300"
    (sharded.folder / "large_300.weights.json").unlink()
    alone = open_logdir(sharded.folder).runs[0].checkpoints
    assert alone[0].id == "large_300_00000.weights.h5"


# ---- the archive


def test_archives_that_somebody_made_smaller(original: Path, tmp_path: Path) -> None:
    smaller = rewrite(original, tmp_path / "m.keras", keep, compression=zipfile.ZIP_DEFLATED)
    stored = open_reader(original, "keras")
    assert (smaller.matrices, smaller.step) == (stored.matrices, stored.step)
    for name, rows in read_everything(stored).items():
        assert read_everything(smaller)[name].tobytes() == rows.tobytes()


def test_incomplete_archives(original: Path, tmp_path: Path) -> None:
    with pytest.raises(UnsupportedError, match=r"no model\.weights\.h5"):
        rewrite(original, tmp_path / "m.keras", lambda name, content: None if name == "model.weights.h5" else content)
    with pytest.raises(UnsupportedError, match="not an HDF5 file"):
        rewrite(original, tmp_path / "m.keras", lambda name, content: bytes(200) if name == "model.weights.h5" else content)


def test_large_archives_use_64_bit_sizes(original: Path, tmp_path: Path) -> None:
    """The extra field that zip uses for members of 4 GB, which Python writes when asked even for small ones."""
    path = tmp_path / "m.keras"
    with zipfile.ZipFile(original) as old, zipfile.ZipFile(path, "w") as new:
        for name in old.namelist():
            with new.open(name, "w", force_zip64=True) as member:
                member.write(old.read(name))
    assert read_everything(open_reader(path, "keras")).keys() == read_everything(open_reader(original, "keras")).keys()


def test_64_bit_fields_of_the_directory(tmp_path: Path) -> None:
    """A directory as it is after 4 GB, with each field moved to where it has room."""
    content = b"content"
    local = struct.pack("<4s5H3I2H", b"PK\3\4", 45, 0, 0, 0, 0, 0, 0xFFFFFFFF, 0xFFFFFFFF, 1, 20)
    local += b"a" + struct.pack("<2H2Q", 1, 16, len(content), len(content))
    sizes = struct.pack("<2H3Q", 1, 24, len(content), len(content), 0)
    central = struct.pack(
        "<4s6H3I5H2I", b"PK\1\2", 45, 45, 0, 0, 0, 0, 0, 0xFFFFFFFF, 0xFFFFFFFF, 1, len(sizes), 0, 0, 0, 0, 0xFFFFFFFF
    )
    central += b"a" + sizes
    at = len(local) + len(content)
    end = struct.pack("<4sQ2H2I4Q", b"PK\6\6", 44, 45, 45, 0, 0, 1, 1, len(central), at)
    end += struct.pack("<4sIQI", b"PK\6\7", 0, at + len(central), 1)
    end += struct.pack("<4s4H2IH", b"PK\5\6", 0, 0, 0xFFFF, 0xFFFF, 0xFFFFFFFF, 0xFFFFFFFF, 0)
    (tmp_path / "x").write_bytes(local + content + central + end)
    member = list_members(Confinement([tmp_path]).open(tmp_path / "x"))["a"].open()
    assert member.read_at(0, member.size) == content


def archive(*members: tuple[str, bytes]) -> bytearray:
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w") as file:
        for name, content in members:
            file.writestr(name, content)
    return bytearray(data.getvalue())


def patched(data: bytearray, find: bytes, at: int, new: bytes, *, last: bool = False) -> bytearray:
    start = (data.rfind(find) if last else data.find(find)) + at
    data[start : start + len(new)] = new
    return data


def open_first(source: FileSource) -> Window:
    members = list_members(source)
    if "a" not in members:
        raise DamagedError("file_damaged", path=source.name, what="no member a")
    return members["a"].open()


TWO = [("a", b"first"), ("b", b"second")]


@pytest.mark.parametrize(
    ("data", "error", "text"),
    [
        (b"", UnsupportedError, "not a zip archive"),
        (b"P", UnsupportedError, "not a zip archive"),
        (b"PK", IncompleteError, "22 bytes"),
        (archive(), DamagedError, "no member a"),
        (archive(*TWO)[:-1], IncompleteError, "end record"),
        (archive(*TWO) + b"x", IncompleteError, "end record"),
        (b"PK#!" + archive(*TWO), DamagedError, "directory"),
        (b"#!/bin/sh\n" + archive(*TWO), UnsupportedError, "not a zip archive"),
        (patched(archive(*TWO), b"PK\5\6", 20, b"\1\0"), DamagedError, "comment"),
        (patched(archive(*TWO), b"PK\5\6", 10, b"\3\0"), DamagedError, "single"),
        (patched(archive(*TWO), b"PK\5\6", 8, b"\3\0\3\0"), DamagedError, "last member"),
        (patched(archive(*TWO), b"PK\5\6", 8, b"\1\0\1\0"), DamagedError, "longer"),
        (patched(archive(*TWO), b"PK\5\6", 16, b"\0\0\0\0"), DamagedError, "lie where"),
        (patched(archive(*TWO), b"PK\5\6", 12, b"\xff\xff\xff\xff"), DamagedError, "large archive"),
        (patched(archive(*TWO), b"PK\1\2", 46, b"b"), DamagedError, "twice"),
        (patched(archive(*TWO), b"PK\1\2", 46, b"x"), DamagedError, "no member a"),
        (patched(archive(*TWO), b"PK\3\4", 30, b"x"), DamagedError, "header of a"),
        (patched(archive(*TWO), b"PK\3\4", 18, b"\7"), DamagedError, "header of a"),
        (patched(archive(*TWO), b"PK\3\4", 0, b"PK\3\5"), DamagedError, "header of a"),
        (patched(archive(*TWO), b"PK\1\2", 24, b"\7"), DamagedError, "two sizes"),
        (patched(archive(*TWO), b"PK\1\2", 8, b"\1"), UnsupportedError, "encrypted"),
        (patched(archive(*TWO), b"PK\1\2", 10, b"\x0c"), UnsupportedError, "method 12"),
        (patched(archive(*TWO), b"PK\1\2", 42, b"\0", last=True), DamagedError, "overlap"),
        (patched(archive(*TWO), b"PK\1\2", 42, b"\1"), DamagedError, "precedes"),
        (patched(archive(*TWO), b"PK\1\2", 20, b"\xff\xff", last=True), DamagedError, "into its directory"),
    ],
)
def test_archives_that_contradict_themselves(tmp_path: Path, data: bytes, error: type[EmbfactorError], text: str) -> None:
    (tmp_path / "x").write_bytes(data)
    with pytest.raises(error, match=text):
        open_first(Confinement([tmp_path]).open(tmp_path / "x"))


def test_members_that_are_not_stored_are_no_obstacle_until_they_are_opened(tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(patched(archive(*TWO), b"PK\1\2", 10, b"\x0c"))
    members = list_members(Confinement([tmp_path]).open(tmp_path / "x"))
    assert members["b"].open().read_at(0, 6) == b"second"
