"""Scanning: what is found, refused, remembered and tried again."""

from __future__ import annotations

import json
import os
import pickle
import pwd
import shutil
import socket
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import npmat_format
import pytest
from npmat_format import content, events, matrix, write

from tb_embfactor import formats
from tb_embfactor.errors import NotFoundError
from tb_embfactor.formats import Format
from tb_embfactor.logdir import Logdir, Scanner, open_logdir
from tb_embfactor.messages import Message


def ids(logdir: Logdir) -> list[str]:
    return [checkpoint.id for run in logdir.runs for checkpoint in run.checkpoints]


def problems(logdir: Logdir) -> dict[str, str]:
    assert len({problem.path for problem in logdir.problems}) == len(logdir.problems)
    return {problem.path: problem.message.code for problem in logdir.problems}


def opened() -> list[str]:
    names = sorted(npmat_format.OPENED)
    npmat_format.OPENED.clear()
    return names


# --- what is found


def test_a_log_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    events(tmp_path / "logs" / "plain")
    events(tmp_path / "logs" / "idle")
    write(tmp_path / "logs" / "plain" / "ckpt-1.npx", step=10, wall_time=5.5)
    (tmp_path / "logs" / "plain" / "ckpt-1.data-00000-of-00001").write_bytes(b"")
    write(tmp_path / "logs" / "plain" / "m.npmat", step=20)
    logdir = open_logdir("logs")
    assert (logdir.path, logdir.problems, logdir.hints, logdir.error) == ("logs", (), (), None)
    assert logdir.scanned.to_json() == {"n_runs": 2, "n_directories": 2, "n_files": 5, "n_checkpoints": 2}
    first, second = logdir.run("plain").checkpoints
    assert (first.id, first.path, first.step, first.wall_time, first.format) == (
        "plain/ckpt-1",
        "plain/ckpt-1",
        10,
        5.5,
        "tiny-prefix",
    )
    assert (second.id, second.format, second.skipped) == ("plain/m.npmat", "tiny", ())


def test_a_trailing_slash_and_a_tilde(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path / "logs" / "a" / "m.npmat")
    monkeypatch.setenv("HOME", str(tmp_path))
    for path in (f"{tmp_path}/logs/", "~/logs", f"{tmp_path}/other/../logs"):
        assert ids(open_logdir(path)) == ["a/m.npmat"]


def test_hidden_entries_are_skipped(tmp_path: Path) -> None:
    write(tmp_path / ".trash" / "m.npmat")
    write(tmp_path / "a" / ".m.npmat")
    write(tmp_path / "a" / "._m.npmat")
    write(tmp_path / "a" / ".npx")
    assert ids(open_logdir(tmp_path)) == ["a/"]


def test_what_tensorflow_is_about_to_write_is_not_a_checkpoint(tmp_path: Path) -> None:
    write(tmp_path / "ckpt-1_temp" / "part-00000-of-00001.npx")
    write(tmp_path / "run_temp" / "ckpt-1.npx")
    assert ids(open_logdir(tmp_path)) == ["run_temp/ckpt-1"]


def test_a_directory_checkpoint_is_one_checkpoint(tmp_path: Path) -> None:
    write(tmp_path / "run" / "big.npmats" / "part-0.npmat", step=3)
    write(tmp_path / "run" / "big.npmats" / "deep" / "part-1.npmat")
    scanner = Scanner(tmp_path)
    assert ids(scanner.scan()) == ["run/big.npmats"]
    assert opened() == ["big.npmats"]
    assert (ids(scanner.scan()), opened()) == (["run/big.npmats"], [])
    (tmp_path / "run" / "big.npmats" / "deep" / "part-1.npmat").write_bytes(b"changed")
    scanner.scan()
    assert opened() == ["big.npmats"], "a file anywhere inside belongs to it"


def test_names_that_are_not_utf8_can_be_sent(tmp_path: Path) -> None:
    write(Path(os.fsdecode(os.fsencode(tmp_path) + b"/r\xff")) / os.fsdecode(b"m\xfe.npmat"))
    write(tmp_path / "字" / "m.npmat")
    logdir = open_logdir(tmp_path)
    assert ids(logdir) == ["r\\xff/m\\xfe.npmat", "字/m.npmat"]
    assert [run.name for run in logdir.runs] == ["r\\xff", "字"]
    for run in logdir.runs:
        json.dumps([run.name, run.checkpoints[0].path], ensure_ascii=False).encode()
        assert run.checkpoints[0]["tok"].rows(0, 1).shape == (1, 3)


def test_the_first_format_that_can_read_a_file_counts(tmp_path: Path) -> None:
    picky = Format("picky", "picky_format", r"(?P<checkpoint>.+\.npmat)", "claims the same files", package="picky")
    with npmat_format.registered(picky):
        formats.FORMATS["tiny"] = formats.FORMATS.pop("tiny")  # now asked after `picky`
        write(tmp_path / "a.npmat")
        (tmp_path / "b.npmat").write_bytes(b"neither")
        logdir = open_logdir(tmp_path)
        assert [item.format for item in logdir.runs[0].checkpoints] == ["tiny"]
        assert problems(logdir) == {"b.npmat": "library_missing"}


# --- what is refused


def test_a_logdir_that_is_not_there_yet(tmp_path: Path) -> None:
    scanner = Scanner(tmp_path / "logs")
    logdir = scanner.scan()
    assert logdir.error is not None
    assert (logdir.error.code, logdir.runs, problems(logdir)) == (
        "logdir_missing",
        (),
        {str(tmp_path / "logs"): "logdir_missing"},
    )
    with pytest.raises(NotFoundError):
        open_logdir(tmp_path / "logs")
    write(tmp_path / "logs" / "m.npmat")
    logdir = scanner.scan()
    assert (logdir.error, ids(logdir), logdir.problems) == (None, ["m.npmat"], ())


def test_a_logdir_that_is_a_file(tmp_path: Path) -> None:
    path = write(tmp_path / "m.npmat")
    with pytest.raises(NotFoundError) as error:
        open_logdir(path)
    assert error.value.code == "logdir_not_directory"
    error_of_uri = Scanner("gs://bucket/logs").scan().error
    assert error_of_uri is not None
    assert error_of_uri.code == "file_unsupported"


def test_link_loops_end_and_a_directory_is_listed_once_under_its_own_name(tmp_path: Path) -> None:
    write(tmp_path / "run" / "m.npmat")
    (tmp_path / "run" / "up").symlink_to(tmp_path)
    (tmp_path / "run" / "self").symlink_to(".")
    (tmp_path / "latest").symlink_to("run")
    (tmp_path / "a").symlink_to("b")
    (tmp_path / "b").symlink_to("a")
    logdir = open_logdir(tmp_path)
    assert (ids(logdir), logdir.problems) == (["run/m.npmat"], ())


def test_a_linked_logdir_is_read(tmp_path: Path) -> None:
    write(tmp_path / "real" / "run" / "m.npmat")
    (tmp_path / "logs").symlink_to("real")
    logdir = open_logdir(tmp_path / "logs")
    assert ids(logdir) == ["run/m.npmat"]
    assert logdir.runs[0].checkpoints[0]["tok"].rows(0, 1).shape == (1, 3)


def test_links_that_leave_the_logdir(tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    write(outside / "run" / "m.npmat")
    write(outside / "run" / "sub" / "n.npmat")
    logs = events(tmp_path / "logs")
    (logs / "linked").symlink_to(outside / "run")
    (logs / "file.npmat").symlink_to(outside / "run" / "m.npmat")
    (logs / "unrelated.txt").symlink_to("/etc/hostname")
    logdir = open_logdir(logs)
    assert problems(logdir) == {"linked": "outside_roots", "file.npmat": "outside_roots"}
    assert ids(logdir) == []
    assert logdir.hints[0].code == "hint_allow_root"
    suggestion = logdir.problems[1].message.params["suggestion"]
    assert f"--embfactor_allow_root {suggestion}" in logdir.problems[1].message.text
    allowed = open_logdir(logs, allow_roots=[suggestion])
    assert ids(allowed) == ["file.npmat", "linked/m.npmat", "linked/sub/n.npmat"]
    assert allowed.problems == ()


def test_a_link_within_the_logdir_is_normal(tmp_path: Path) -> None:
    write(tmp_path / ".store" / "run" / "m.npmat")
    write(tmp_path / ".store" / "blob.npmat")
    (tmp_path / "run").symlink_to(".store/run")
    (tmp_path / "snapshot.npmat").symlink_to(".store/blob.npmat")
    logdir = open_logdir(tmp_path)
    assert (ids(logdir), logdir.problems) == (["snapshot.npmat", "run/m.npmat"], ())


def test_what_is_not_a_regular_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    os.mkfifo(tmp_path / "pipe.npmat")
    (tmp_path / "directory.npmat").mkdir()
    write(tmp_path / "directory.npmat" / "inner.npmat")
    (tmp_path / "dangling.npmat").symlink_to("nothing")
    (tmp_path / "device.npmat").symlink_to("/dev/null")
    with socket.socket(socket.AF_UNIX) as server:
        monkeypatch.chdir(tmp_path)  # the path of a socket must be short
        server.bind("socket.npmat")
        logdir = open_logdir(tmp_path)
    assert problems(logdir) == {
        "pipe.npmat": "not_regular_file",
        "directory.npmat": "not_regular_file",
        "dangling.npmat": "file_missing",
        "device.npmat": "outside_roots",
        "socket.npmat": "not_regular_file",
    }
    assert ids(logdir) == ["directory.npmat/inner.npmat"]


@pytest.fixture
def unprivileged() -> Iterator[Path]:
    """A directory of somebody who may not read everything: root, who may, becomes nobody meanwhile."""
    with tempfile.TemporaryDirectory() as directory:
        if os.geteuid() != 0:
            yield Path(directory)
            return
        nobody = pwd.getpwnam("nobody").pw_uid
        os.chown(directory, nobody, -1)
        os.seteuid(nobody)
        try:
            yield Path(directory)
        finally:
            os.seteuid(0)


def test_unreadable_directories_and_files(unprivileged: Path) -> None:
    closed = unprivileged / "closed"
    write(closed / "m.npmat")
    write(unprivileged / "open" / "m.npmat")
    secret = write(unprivileged / "open" / "secret.npmat")
    secret.chmod(0)
    closed.chmod(0)
    try:
        scanner = Scanner(unprivileged)
        logdir = scanner.scan()
        assert problems(logdir) == {"closed": "directory_unreadable", "open/secret.npmat": "file_unreadable"}
        assert ids(logdir) == ["open/m.npmat"]
    finally:
        closed.chmod(0o755)
    secret.chmod(0o644)
    assert len(ids(scanner.scan())) == 3


def test_a_directory_that_cannot_be_listed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path / "closed" / "m.npmat")
    write(tmp_path / "open" / "m.npmat")
    real = os.scandir

    def scandir(path: str) -> object:
        if str(path).endswith("closed"):
            raise PermissionError(13, "Permission denied")
        return real(path)

    monkeypatch.setattr(os, "scandir", scandir)
    logdir = open_logdir(tmp_path)
    assert (problems(logdir), ids(logdir)) == ({"closed": "directory_unreadable"}, ["open/m.npmat"])
    assert logdir.problems[0].message.params["reason"] == "Permission denied"


def test_a_directory_that_goes_during_the_scan(tmp_path: Path) -> None:
    for name in ("a", "b"):
        write(tmp_path / name / "m.npmat")
    scanner = Scanner(tmp_path, extra_checkpoints={"b": str(tmp_path / "b")})
    logdir = scanner.scan(on_open=lambda key: shutil.rmtree(tmp_path / "a", ignore_errors=True))
    assert (ids(logdir), logdir.problems) == (["m.npmat"], ())
    scanner = Scanner(tmp_path)
    write(tmp_path / "a" / "m.npmat")
    logdir = scanner.scan(on_open=lambda key: shutil.rmtree(tmp_path / "a", ignore_errors=True))
    assert problems(logdir) == {"a/m.npmat": "file_missing"}


def test_the_limit_cuts_off_what_lies_deep(tmp_path: Path) -> None:
    write(tmp_path / "z.npmat")
    for index in range(20):
        (tmp_path / "a" / f"deep{index}").mkdir(parents=True)
        write(tmp_path / "a" / f"deep{index}" / "m.npmat")
    logdir = Scanner(tmp_path, entry_limit=25).scan()
    assert problems(logdir) == {".": "scan_limit"}
    assert "z.npmat" in ids(logdir)
    assert 1 < len(ids(logdir)) < 21


def test_one_huge_directory_is_cut_off(tmp_path: Path) -> None:
    for index in range(50):
        (tmp_path / f"{index}.txt").write_bytes(b"")
    logdir = Scanner(tmp_path, entry_limit=10).scan()
    assert logdir.scanned.n_files == 10


def test_a_bug_in_a_format_costs_one_problem(tmp_path: Path) -> None:
    write(tmp_path / "good.npmat")
    (tmp_path / "bug.npmat").write_bytes(b"{crash")
    logdir = open_logdir(tmp_path)
    assert (problems(logdir), ids(logdir)) == ({"bug.npmat": "internal"}, ["good.npmat"])
    assert "ZeroDivisionError: a bug in a format" in logdir.problems[0].message.text


def test_problems_as_json(tmp_path: Path) -> None:
    (tmp_path / "bad.npmat").write_bytes(b"bad")
    (problem,) = open_logdir(tmp_path).problems
    assert problem.to_json() == {"path": "bad.npmat", "error": problem.message.to_json()}


# --- scanning again


def test_a_rescan_opens_only_what_is_new_or_changed(tmp_path: Path) -> None:
    for index in range(1, 12):
        write(tmp_path / "run" / f"ckpt-{index}.npx", step=index)
        (tmp_path / "run" / f"ckpt-{index}.data-0").write_bytes(b"")
    scanner = Scanner(tmp_path)
    first = scanner.scan()
    assert len(opened()) == 11
    second = scanner.scan()
    assert opened() == []
    assert [a is b for a, b in zip(first.runs[0].checkpoints, second.runs[0].checkpoints, strict=True)] == [True] * 11
    write(tmp_path / "run" / "ckpt-100.npx", step=100)
    scanner.scan()
    assert opened() == ["ckpt-100"], "ckpt-1 and ckpt-10 are not touched by it"
    (tmp_path / "run" / "ckpt-3.data-0").write_bytes(b"more")
    third = scanner.scan()
    assert opened() == ["ckpt-3"], "a shard belongs to its prefix"
    assert third.runs[0].checkpoint("step:3") is not second.runs[0].checkpoint("step:3")
    (tmp_path / "run" / "ckpt-5.npx").unlink()
    assert "run/ckpt-5" not in ids(scanner.scan())
    assert opened() == []
    write(tmp_path / "run" / "ckpt-5.npx", step=5)
    assert "run/ckpt-5" in ids(scanner.scan())


def test_a_half_written_file_is_tried_again_when_it_changes(tmp_path: Path) -> None:
    whole = content(step=7)
    path = tmp_path / "m.npmat"
    scanner = Scanner(tmp_path)
    path.write_bytes(whole[:-5])
    assert problems(scanner.scan()) == {"m.npmat": "file_truncated"}
    assert opened() == ["m.npmat"]
    assert problems(scanner.scan()) == {"m.npmat": "file_truncated"}
    assert opened() == [], "not while it stays as it is"
    path.write_bytes(whole)
    logdir = scanner.scan()
    assert (opened(), problems(logdir), ids(logdir)) == (["m.npmat"], {}, ["m.npmat"])
    path.write_bytes(b"rubbish")
    assert problems(scanner.scan()) == {"m.npmat": "file_damaged"}
    path.unlink()
    assert problems(scanner.scan()) == {}


def test_a_replaced_file_of_equal_size_and_time_is_noticed(tmp_path: Path) -> None:
    path = write(tmp_path / "m.npmat", fill=1.0)
    status = path.stat()
    scanner = Scanner(tmp_path)
    before = scanner.scan().runs[0].checkpoints[0].fingerprint
    npmat_format.replace_atomically(path, content(fill=2.0))
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))
    checkpoint = scanner.scan().runs[0].checkpoints[0]
    assert checkpoint.fingerprint != before
    assert checkpoint["tok"].rows(0, 1).tolist() == [[2, 2, 2]]


def test_a_run_that_gets_events_later_takes_its_name(tmp_path: Path) -> None:
    write(tmp_path / "run" / "ckpt" / "m.npmat")
    scanner = Scanner(tmp_path)
    assert [run.name for run in scanner.scan().runs] == ["run"]
    events(tmp_path / "run" / "train")
    assert [run.name for run in scanner.scan().runs] == ["run/train"]
    assert opened() == ["m.npmat"]


def test_files_are_named_before_they_are_opened_and_can_be_set_aside(tmp_path: Path) -> None:
    write(tmp_path / "run" / "good.npmat")
    bad = write(tmp_path / "run" / "bad file.npmat")
    keys: list[str] = []
    scanner = Scanner(tmp_path)
    scanner.scan(on_open=keys.append)
    assert sorted(Scanner.set_aside_path(key) for key in keys) == ["run/bad file.npmat", "run/good.npmat"]
    (key,) = [key for key in keys if "bad" in key]
    message = Message("set_aside", {"path": "run/bad file.npmat", "how": "ended the worker process"})
    keys.clear()
    for again in (scanner, Scanner(tmp_path)):
        opened()
        logdir = again.scan({key: message}, keys.append)
        assert (ids(logdir), [problem.message for problem in logdir.problems]) == (["run/good.npmat"], [message])
        assert "bad file.npmat" not in opened()
    assert len(keys) == 1
    assert sorted(ids(scanner.scan())) == ["run/bad file.npmat", "run/good.npmat"], "no longer set aside"
    write(bad, step=2)
    assert len(ids(scanner.scan({key: message}))) == 2, "a changed file is tried again"
    checkpoint = scanner.scan().runs[0].checkpoint("bad file.npmat")
    assert Scanner.set_aside_key(checkpoint.path, checkpoint.signature) != key


def test_the_key_of_a_checkpoint_is_the_one_that_on_open_was_told(tmp_path: Path) -> None:
    write(tmp_path / "a.npmat")
    keys: list[str] = []
    checkpoint = Scanner(tmp_path).scan(on_open=keys.append).runs[0].checkpoints[0]
    assert keys == [Scanner.set_aside_key(checkpoint.path, checkpoint.signature)]


def test_a_new_scanner_goes_on_from_an_earlier_answer(tmp_path: Path) -> None:
    write(tmp_path / "a.npmat")
    changed = write(tmp_path / "b.npmat")
    previous = pickle.loads(pickle.dumps(Scanner(tmp_path).scan()))
    write(changed, step=9)
    opened()
    logdir = Scanner(tmp_path).scan(previous=previous)
    assert opened() == ["b.npmat"]
    assert [item["tok"].rows(0, 1).shape for item in logdir.runs[0].checkpoints] == [(1, 3)] * 2


def test_a_thousand_checkpoints_of_three_hundred_matrices(tmp_path: Path) -> None:
    """The rescan of the largest log directory that we promise; a bound on its work, not on its time: no file is opened."""
    matrices = [matrix(f"layer{i}/kernel", (1, 1), role="kernel") for i in range(299)] + [matrix("tok", (4, 1))]
    data = content(matrices)
    events(tmp_path / "run" / "train")
    (tmp_path / "run" / "ckpt").mkdir()
    (tmp_path / "run" / "metadata.tsv").write_text("a\nb\nc\nd\n")
    for index in range(1000):
        (tmp_path / "run" / "ckpt" / f"ckpt-{index}.npx").write_bytes(data)
    scanner = Scanner(tmp_path)
    first = scanner.scan()
    assert (first.scanned.n_checkpoints, len(opened())) == (1000, 1000)
    started = time.perf_counter()
    second = scanner.scan()
    seconds = time.perf_counter() - started
    assert opened() == []
    assert all(a is b for a, b in zip(first.runs[0].checkpoints, second.runs[0].checkpoints, strict=True))
    assert second.runs[0].checkpoints[-1]["tok"].labels is not None
    print(f"rescan: {seconds * 1000:.0f} ms")
    assert seconds < 5  # measured: 0.05 s; a quadratic walk would take minutes


# --- names that other programs use, too


def test_a_foreign_file_of_a_common_name_is_passed_over_unless_it_was_named(tmp_path: Path) -> None:
    (tmp_path / "logs").mkdir()
    for name in ("data.h5", "broken.h5", "model.keras"):
        (tmp_path / "logs" / name).write_bytes(b"no HDF5" * 100)
    (tmp_path / "logs" / "broken.h5").write_bytes(b"\x89HDF\r\n\x1a\n" + bytes(10))
    (tmp_path / "logs" / "directory.h5").mkdir()
    expected = {"broken.h5": "file_truncated", "model.keras": "file_foreign"}
    assert problems(open_logdir(tmp_path / "logs")) == expected
    named = Scanner(tmp_path / "logs", extra_checkpoints={"mine": str(tmp_path / "logs" / "data.h5")}).scan()
    assert problems(named).items() >= {**expected, str(tmp_path / "logs" / "data.h5"): "file_foreign"}.items()


def test_a_foreign_file_is_opened_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "data.h5").write_bytes(b"no HDF5" * 100)
    scanner, seen = Scanner(tmp_path), list[str]()
    for _ in range(3):
        assert scanner.scan(on_open=seen.append).problems == ()
    assert len(seen) == 1
