from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from tb_embfactor import arrays, cache
from tb_embfactor.cache import Cache
from tb_embfactor.copies import default_directory


def test_what_is_put_comes_back(tmp_path: Path) -> None:
    store = Cache(tmp_path)
    assert store.get("results", "ab12") is None
    store.put("results", "ab12", b"body")
    assert store.get("results", "ab12") == b"body"
    assert store.get("factors", "ab12") is None, "tiers are apart"
    assert Cache(tmp_path).get("results", "ab12") == b"body", "another process sees it"
    assert (store.hits, store.misses) == (1, 2)


def test_a_key_depends_on_every_part() -> None:
    base = {"kind": "spectrum", "checkpoint": "c", "matrix": "m", "transform": ""}
    keys = {cache.key(**base), *(cache.key(**{**base, name: "other"}) for name in base), cache.key(**base, axes=None)}
    assert len(keys) == 6
    assert cache.key(**base) == cache.key(**dict(reversed(base.items())))


def test_the_least_recently_used_goes_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(cache.LIMIT_BYTES, "results", 1000)
    store = Cache(tmp_path)
    for index in range(4):
        store.put("results", f"k{index}", bytes(240))
        os.utime(store._path("results", f"k{index}"), (index, index))
    assert store.get("results", "k0")  # used again: now the newest
    store.put("results", "k4", bytes(240))
    assert [index for index in range(5) if store.get("results", f"k{index}")] == [0, 2, 3, 4]


def test_left_over_temporary_files_are_removed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = Cache(tmp_path)
    store.put("results", "aa", b"x")
    old, new = tmp_path / "results" / "aa" / ".1.part", tmp_path / "results" / "aa" / ".2.part"
    old.write_bytes(b"killed")
    new.write_bytes(b"being written")
    os.utime(old, (time.time() - 7200, time.time() - 7200))
    Cache(tmp_path).put("results", "bb", b"y")
    assert not old.exists()
    assert new.exists()


def test_a_cache_that_cannot_be_written_costs_nothing_else(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(arrays, "write_atomically", full)
    store = Cache(tmp_path)
    store.put("results", "aa", b"x")
    assert store.get("results", "aa") is None
    nothing = Cache(None)
    nothing.put("results", "aa", b"x")
    assert nothing.get("results", "aa") is None


def test_the_directory_is_the_users(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", "/somewhere")
    assert default_directory() == Path("/somewhere/tb_embfactor/v1")
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setenv("HOME", "/home/u")
    assert default_directory() == Path("/home/u/.cache/tb_embfactor/v1")
