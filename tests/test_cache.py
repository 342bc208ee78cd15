from __future__ import annotations

import os
import random
import subprocess
import sys
import time
from pathlib import Path

import pytest
from support import full_disk

from tb_embfactor import cache
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


BUSY = """
import hashlib, random, sys
from pathlib import Path
from tb_embfactor import arrays, cache

directory, seed, n_turns, limit = Path(sys.argv[1]), *map(int, sys.argv[2:])
cache.LIMIT_BYTES["results"] = limit
store, rng = cache.Cache(directory), random.Random(seed)
print("ready", flush=True)
for _ in range(n_turns):
    name = f"{rng.randrange(40):02}"
    body = store.get("results", name)
    assert body in (None, hashlib.blake2b(name.encode()).digest() * 2000), name
    store.put("results", name, hashlib.blake2b(name.encode()).digest() * 2000)
"""
"""A process that writes entries which say themselves what is in them, and reads those of others."""


def busy(directory: Path, seed: int, n_turns: int, limit: int = 1 << 30) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-c", BUSY, str(directory), str(seed), str(n_turns), str(limit)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE)


def test_a_writer_killed_at_any_moment_leaves_no_broken_entry(tmp_path: Path) -> None:
    rng = random.Random(0)
    for seed in range(12):
        with busy(tmp_path, seed, 10**9) as writer:
            assert writer.stdout and writer.stdout.readline() == b"ready\n"
            time.sleep(rng.uniform(0.001, 0.1))
            writer.kill()
    entries = [path for path in tmp_path.glob("results/*/*") if not path.name.startswith(".")]
    assert entries
    store = Cache(tmp_path)
    for path in entries:
        assert store.get("results", path.stem), path
    with busy(tmp_path, 99, 200) as reader:  # compares what it reads with what it should be
        assert reader.wait() == 0, reader.stderr and reader.stderr.read()


def test_two_processes_share_a_cache_and_keep_it_bounded(tmp_path: Path) -> None:
    limit = 10 * 128_004
    with busy(tmp_path, 1, 600, limit) as one, busy(tmp_path, 2, 600, limit) as other:
        for process in (one, other):
            _, errors = process.communicate(timeout=120)
            assert process.returncode == 0, errors.decode()
    kept = list(tmp_path.glob("results/*/*"))
    assert kept and not [path for path in kept if path.name.startswith(".")]
    # Each looks at the whole tier after every sixteenth of the limit that it wrote itself.
    assert sum(path.stat().st_size for path in kept) <= limit * (1 + 2 / 16) + 2 * 128_004


def test_factors_make_no_room_at_the_cost_of_results(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(cache.LIMIT_BYTES, "factors", 4000)
    store = Cache(tmp_path)
    store.put("results", "ab", b"small")
    for index in range(20):
        store.put("factors", f"k{index}", bytes(900))
    assert sum(path.stat().st_size for path in tmp_path.glob("factors/*/*")) <= 4000
    assert store.get("factors", "k19") and not store.get("factors", "k0")
    assert store.get("results", "ab") == b"small"
    store.put("factors", "large", bytes(2000))
    assert store.get("factors", "large") is None, "one that would drive out most others is not kept"


@pytest.mark.parametrize("harm", ["flipped", "cut", "emptied", "zeroed"])
def test_an_entry_that_was_harmed_is_gone(tmp_path: Path, harm: str) -> None:
    store = Cache(tmp_path)
    store.put("results", "ab", b"an answer")
    (path,) = tmp_path.glob("results/*/*")
    body = path.read_bytes()
    harmed = {"flipped": b"b" + body[1:], "cut": body[:-1], "emptied": b"", "zeroed": bytes(len(body))}
    path.write_bytes(harmed[harm])
    assert store.get("results", "ab") is None
    assert not path.exists()
    store.put("results", "ab", b"an answer")
    assert store.get("results", "ab") == b"an answer"


def test_a_full_disk_keeps_what_was_there(tmp_path: Path) -> None:
    store = Cache(tmp_path)
    store.put("results", "aa", b"x")
    with full_disk(1000):
        store.put("results", "bb", bytes(5000))
        store.put("results", "aa", bytes(5000))
    assert (store.get("results", "aa"), store.get("results", "bb")) == (b"x", None)
    assert [path.name for path in tmp_path.glob("results/*/*")] == ["aa.entry"], "and nothing half-written"


def test_a_directory_that_cannot_be_made_costs_nothing_else(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for store in (Cache(tmp_path / "file"), Cache(None)):
        store.put("results", "aa", b"x")
        assert store.get("results", "aa") is None


def test_the_directory_is_the_users(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", "/somewhere")
    assert default_directory() == Path("/somewhere/tb_embfactor/v1")
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setenv("HOME", "/home/u")
    assert default_directory() == Path("/home/u/.cache/tb_embfactor/v1")
