"""Bytes that can only be made from the first one on: made once, kept whole or not at all, within bounds."""

from __future__ import annotations

import errno
import os
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tb_embfactor import copies
from tb_embfactor.copies import Chunks, Copies, evict
from tb_embfactor.errors import DamagedError, EmbfactorError, IncompleteError, ReadError, UnsupportedError
from tb_embfactor.formats import Folder
from tb_embfactor.sources import Confinement

CONTENT = bytes(range(256)) * 10


class Maker:
    """Makes CONTENT in chunks of 100 bytes and counts them."""

    def __init__(self, content: bytes = CONTENT, appendix: bytes | None = None) -> None:
        self.content, self.appendix, self.n_chunks = content, appendix, 0

    def __call__(self) -> Chunks:
        for start in range(0, len(self.content), 100):
            self.n_chunks += 1
            yield self.content[start : start + 100]
        return self.appendix


@pytest.fixture(params=["directory", "temporary"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Copies:
    return Copies((lambda: tmp_path / "copies") if request.param == "directory" else lambda: None)


def kept(directory: Path) -> list[str]:
    return sorted(path.name for path in (directory / "copies").iterdir())


def test_bytes_are_made_up_to_where_they_are_read_and_once(store: Copies) -> None:
    make = Maker()
    copy = store.open("key", "name", len(CONTENT), make)
    assert (copy.name, copy.size, make.n_chunks) == ("name", len(CONTENT), 0)
    assert copy.read_at(150, 100) == CONTENT[150:250]
    assert make.n_chunks == 3
    assert copy.read_at(0, 300) == CONTENT[:300]
    buffer = bytearray(50)
    copy.read_into(0, memoryview(buffer))
    assert buffer == CONTENT[:50]
    assert make.n_chunks == 3
    assert copy.read_at(0, len(CONTENT)) == CONTENT
    assert copy.read_at(7, 3) == CONTENT[7:10]
    assert make.n_chunks == 26
    copy.close()


def test_a_complete_copy_is_kept_for_others(tmp_path: Path) -> None:
    store, make = Copies(lambda: tmp_path / "copies"), Maker(appendix=b"tokens")
    store.open("key", "name", len(CONTENT), make).read_at(len(CONTENT) - 1, 1)
    assert kept(tmp_path) == ["key"]
    again = Copies(lambda: tmp_path / "copies").open("key", "other name", len(CONTENT), make)
    assert (again.read_at(0, len(CONTENT)), again.appendix(), again.name) == (CONTENT, b"tokens", "other name")
    assert make.n_chunks == 26


def test_what_is_not_complete_leaves_nothing(tmp_path: Path) -> None:
    store = Copies(lambda: tmp_path / "copies")
    copy = store.open("key", "name", len(CONTENT), Maker())
    copy.read_at(0, 100)
    assert len(kept(tmp_path)) == 1
    copy.close()
    assert kept(tmp_path) == []


def test_what_the_maker_returns_lies_behind_the_bytes(store: Copies) -> None:
    assert store.open("a", "name", len(CONTENT), Maker(appendix=b"tokens")).appendix() == b"tokens"
    assert store.open("b", "name", len(CONTENT), Maker()).appendix() == b""
    assert store.open("c", "name", 0, Maker(b"", b"only tokens")).appendix() == b"only tokens"


def test_nothing_can_be_read_past_the_size(store: Copies) -> None:
    copy = store.open("key", "name", len(CONTENT), Maker(appendix=b"tokens"))
    for offset, n_bytes in ((len(CONTENT), 1), (-1, 1), (0, len(CONTENT) + 1)):
        with pytest.raises(IncompleteError):
            copy.read_at(offset, n_bytes)


@pytest.mark.parametrize("content", [CONTENT + b"x", CONTENT[:-1], b""])
def test_more_or_less_than_was_stated(store: Copies, content: bytes, tmp_path: Path) -> None:
    copy = store.open("key", "name", len(CONTENT), Maker(content))
    for _ in range(2):
        with pytest.raises(DamagedError, match="than the 2560 bytes that it states"):
            copy.read_at(0, len(CONTENT))
    copy.close()
    assert not (tmp_path / "copies" / "key").exists()


def test_an_error_of_the_maker_stays(store: Copies) -> None:
    def make() -> Chunks:
        yield CONTENT[:100]
        raise UnsupportedError("file_unsupported", path="x", what="line 2 is odd", next="")

    copy = store.open("key", "name", len(CONTENT), make)
    assert copy.read_at(0, 100) == CONTENT[:100]
    for _ in range(2):
        with pytest.raises(UnsupportedError, match="line 2 is odd"):
            copy.read_at(0, 200)


def test_progress_is_told(tmp_path: Path) -> None:
    shares: list[float] = []
    Copies(report=shares.append).open("key", "name", len(CONTENT), Maker()).read_at(1200, 100)
    assert shares == [pytest.approx(100 * k / len(CONTENT)) for k in range(1, 14)]


def test_a_copy_may_not_be_larger_than_the_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(copies, "LIMIT_BYTES", 1000)
    with pytest.raises(UnsupportedError, match="2560 bytes, and the limit is 1000 bytes"):
        Copies().open("key", "name", len(CONTENT), Maker())


def test_the_copies_used_longest_ago_make_room(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(copies, "LIMIT_BYTES", 2 * len(CONTENT))
    store = Copies(lambda: tmp_path / "copies")
    for age, key in enumerate("abc"):
        store.open(key, "name", len(CONTENT), Maker()).read_at(0, len(CONTENT))
        os.utime(tmp_path / "copies" / key, (age, age))
    assert kept(tmp_path) == ["b", "c"]
    store.open("b", "name", len(CONTENT), Maker()).read_at(0, 1)  # used: younger now
    store.open("d", "name", len(CONTENT), Maker()).read_at(0, len(CONTENT))
    assert kept(tmp_path) == ["b", "d"]


def test_what_a_killed_process_left_is_removed(tmp_path: Path) -> None:
    old, new = tmp_path / ".old.part", tmp_path / ".new.part"
    for path in (old, new):
        path.write_bytes(b"half")
    os.utime(old, (time.time() - 7200, time.time() - 7200))
    evict(tmp_path.iterdir(), 0)
    assert (old.exists(), new.exists()) == (False, True)


def test_a_directory_that_cannot_be_used_costs_nothing_else(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    copy = Copies(lambda: tmp_path / "file" / "copies").open("key", "name", len(CONTENT), Maker())
    assert copy.read_at(0, len(CONTENT)) == CONTENT


def test_a_full_disk_says_where_and_how_much(store: Copies, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def write(fd: int, data: bytes, offset: int) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    copy = store.open("key", "glove.txt", len(CONTENT), Maker())
    monkeypatch.setattr(os, "pwrite", write)
    with pytest.raises(ReadError, match=r"glove\.txt has to be unpacked .* 2560 bytes in .* \(No space left on device\)"):
        copy.read_at(0, 1)
    copy.close()
    assert not (tmp_path / "copies").exists() or kept(tmp_path) == []


# ---- copies of the entries of a folder


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    (tmp_path / "logs").mkdir()
    (tmp_path / "logs" / "a").write_bytes(b"compressed")
    return Folder(tmp_path / "logs", Confinement([tmp_path / "logs"]), Copies(lambda: tmp_path / "copies"))


def read_copy(folder: Folder, make: Callable[[], Chunks], what: str = "inflated") -> bytes:
    with folder.open("a") as source, folder.copy(source, what, len(CONTENT), make) as copy:
        return copy.read_at(0, len(CONTENT))


def test_a_copy_stands_for_one_state_of_its_file(folder: Folder) -> None:
    make = Maker()
    assert read_copy(folder, make) == read_copy(folder, make) == CONTENT
    assert make.n_chunks == 26
    read_copy(folder, make, "converted")
    assert make.n_chunks == 52
    os.utime(folder.path / "a", (1, 1))
    read_copy(folder, make)
    assert make.n_chunks == 78


def test_no_copy_is_kept_of_a_file_that_changed_meanwhile(folder: Folder, tmp_path: Path) -> None:
    def make() -> Chunks:
        yield CONTENT[:-1]
        (folder.path / "a").write_bytes(b"another state")
        yield CONTENT[-1:]
        return None

    with pytest.raises(IncompleteError, match="changed while it was being read"):
        read_copy(folder, make)
    assert kept(tmp_path) == []


def test_errors_of_ours_only(folder: Folder) -> None:
    with pytest.raises(EmbfactorError):
        read_copy(folder, Maker(CONTENT[:-1]))
