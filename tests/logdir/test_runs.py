"""Run names, with TensorBoard's own loader as the oracle, and the run that each checkpoint directory belongs to."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from npmat_format import events, write

from tb_embfactor.errors import UsageError
from tb_embfactor.logdir import Scanner, open_logdir, parse_checkpoints_flag, parse_logdir_spec
from tb_embfactor.logdir.runs import EventRuns, home_of, is_event_file

TABLE = [
    # event directories, checkpoint directory, run
    (["run"], "run", "run"),
    (["run"], "run/ckpt", "run"),
    (["run"], "run/a/b/c", "run"),
    (["."], "ckpt", "."),
    (["."], "a/b", "."),
    (["run/train"], "run/ckpt", "run/train"),
    (["run/train", "run/validation"], "run/ckpt", "run/train"),
    (["run/train", "run/validation"], "run", "run/train"),
    (["run/eval", "run/a"], "run/ckpt", "run/eval"),
    (["run/eval", "run/validation"], "run/ckpt", "run/eval"),
    (["run/train", "run/validation"], "run/best/model", "run/train"),
    (["run/seed1"], "run/ckpt", "run/seed1"),
    (["run/seed1", "run/seed2"], "run/ckpt", "run/seed1"),
    (["run/seed1", "run/seed2"], "run", "run"),  # right above two runs: of neither
    (["a", "b"], ".", "."),
    (["a", "b"], "ckpt", "."),
    (["train", "validation"], "ckpt", "train"),
    (["train", "validation"], ".", "train"),
    (["train"], "saved_model/variables", "train"),
    (["a/train", "b/train"], "a/ckpt/step-5", "a/train"),
    (["a/train", "b/train"], "b/ckpt", "b/train"),
    (["a/train"], "b/ckpt", "b"),  # another run without events is never taken for `a`
    (["a"], "b", "b"),
    (["a"], "b/checkpoints", "b"),
    (["exp/a"], "exp/b/ckpt", "exp/b"),
    ([".", "a/train"], "a/ckpt", "a/train"),  # the nearer ones count, not a stray file at the root
    (["out/runs/Nov23_host"], "out/checkpoint-500", "out/runs/Nov23_host"),
    (["out/runs/Nov23_host", "out/runs/Nov24_host"], "out/checkpoint-500", "out/runs/Nov23_host"),
    (["runs/Nov23_host"], "checkpoint-500", "runs/Nov23_host"),
    (["lightning_logs/version_0"], "lightning_logs/version_0/checkpoints", "lightning_logs/version_0"),
    (
        ["lightning_logs/version_0", "lightning_logs/version_1"],
        "lightning_logs/version_1/checkpoints",
        "lightning_logs/version_1",
    ),
    ([], ".", "."),
    ([], "exp/checkpoint-500", "exp"),
    ([], "exp/ckpt/step_10", "exp"),
    ([], "exp/saved_model/variables", "exp"),
    ([], "checkpoints", "."),
    ([], "1/ckpt", "1"),
    ([], "model_1", "model_1"),
]


@pytest.mark.parametrize(("event_directories", "directory", "run"), TABLE)
def test_the_run_of_a_directory(event_directories: list[str], directory: str, run: str) -> None:
    assert EventRuns(event_directories).run_of(directory) == run
    assert EventRuns(event_directories, "name").run_of(directory) == f"name/{run}"


@pytest.mark.parametrize(("event_directories", "directory", "run"), TABLE)
def test_the_run_of_a_checkpoint_on_disk(tmp_path: Path, event_directories: list[str], directory: str, run: str) -> None:
    for event_directory in event_directories:
        events(tmp_path / event_directory)
    write(tmp_path / directory / "a.npmat")
    logdir = open_logdir(tmp_path)
    assert [item.name for item in logdir.runs] == [run]
    assert logdir.scanned.n_runs == len(event_directories)


def test_home() -> None:
    assert [home_of(path) for path in (".", "ckpt", "a", "a/ckpt", "a/models/epoch=3-step=9")] == [".", ".", "a", "a", "a"]


def tensorboard_runs(spec: dict[str, str | None]) -> set[str]:
    from tensorboard.backend.event_processing.plugin_event_multiplexer import EventMultiplexer

    multiplexer = EventMultiplexer()
    for path, name in spec.items():
        multiplexer.AddRunsFromDirectory(path, name)
    return set(multiplexer.Runs())


def make_runs(root: Path) -> None:
    for directory in (".", "a", "a/train", "b.c/validation", "deep/er/est", "with space"):
        events(root / directory)
        write(root / directory / "m.npmat")
    (root / "odd").mkdir()
    (root / "odd" / "my.tfevents.profile-empty").write_text("")
    write(root / "odd" / "m.npmat")
    (root / "no").mkdir()
    (root / "no" / "events.txt").write_text("")


def test_run_names_are_tensorboards(tmp_path: Path) -> None:
    make_runs(tmp_path)
    expected = tensorboard_runs({str(tmp_path): None})
    logdir = open_logdir(tmp_path)
    assert {run.name for run in logdir.runs} == expected
    assert logdir.scanned.n_runs == len(expected) == 7
    assert "." in expected


@pytest.mark.parametrize(
    "template", ["{a}", "one:{a}", "one:{a},two:{b}", "one:{a},{b}", "{a},{b}", "one:{a},one:{b}", "o/ne:{a}"]
)
def test_run_names_of_a_logdir_spec_are_tensorboards(tmp_path: Path, template: str) -> None:
    from tensorboard.backend.event_processing.data_ingester import _parse_event_files_spec

    make_runs(tmp_path / "first")
    events(tmp_path / "second" / "x")
    write(tmp_path / "second" / "x" / "m.npmat")
    spec = template.format(a=tmp_path / "first", b=tmp_path / "second")
    logdir = open_logdir(spec)
    assert {run.name for run in logdir.runs} == tensorboard_runs(_parse_event_files_spec(spec))
    assert not logdir.problems
    for run in logdir.runs:
        assert len({checkpoint.id for checkpoint in run.checkpoints}) == len(run.checkpoints)
        for checkpoint in run.checkpoints:
            assert checkpoint["tok"].rows(0, 1).shape == (1, 3)


@pytest.mark.parametrize(
    "spec",
    [
        "/a,/b",
        "one:/a,two:/b",
        "one:relative/dir",
        "relative",
        "one:~/logs",
        "/a:b/c",
        "one:/a:b",
        "gs://bucket/logs",
        "one:gs://bucket/logs",
        "one:/a,two:/a",
        ":/a",
        "a.b:/c",
        "one:/a/../b/",
    ],
)
def test_logdir_spec_is_parsed_as_tensorboard_does(spec: str) -> None:
    from tensorboard.backend.event_processing.data_ingester import _parse_event_files_spec

    expected = [(name or None, path) for path, name in _parse_event_files_spec(spec).items()]
    assert [(entry.name, entry.path) for entry in parse_logdir_spec(spec)] == expected


def test_a_logdir_spec_entry_without_a_path_is_a_problem_and_the_rest_is_read(tmp_path: Path) -> None:
    write(tmp_path / "m.npmat")
    logdir = open_logdir(f"one:{tmp_path},two:,,three:{tmp_path}/missing,four:gs://bucket/x")
    assert [run.name for run in logdir.runs] == ["one/."]
    assert {problem.path: problem.message.code for problem in logdir.problems} == {
        "two:": "logdir_spec_entry",
        "": "logdir_spec_entry",
        f"three:{tmp_path}/missing": "logdir_missing",
        "four:gs://bucket/x": "file_unsupported",
    }
    assert logdir.error is None


def test_paths_of_a_logdir_spec_begin_with_the_name(tmp_path: Path) -> None:
    write(tmp_path / "a" / "run" / "m.npmat")
    write(tmp_path / "b" / "run" / "m.npmat")
    logdir = open_logdir(f"one:{tmp_path}/a,two:{tmp_path}/b")
    assert [(run.name, c.id, c.path) for run in logdir.runs for c in run.checkpoints] == [
        ("one/run", "run/m.npmat", "one/run/m.npmat"),
        ("two/run", "run/m.npmat", "two/run/m.npmat"),
    ]


def test_one_id_in_two_unnamed_roots(tmp_path: Path) -> None:
    write(tmp_path / "a" / "run" / "m.npmat", step=1)
    write(tmp_path / "b" / "run" / "m.npmat", step=2)
    run = open_logdir(f"{tmp_path}/a,{tmp_path}/b").run("run")
    assert [(item.id, item.step) for item in run.checkpoints] == [("run/m.npmat", 1), ("b/run/m.npmat", 2)]


def test_roots_that_overlap(tmp_path: Path) -> None:
    events(tmp_path / "a" / "sub")
    write(tmp_path / "a" / "sub" / "m.npmat")
    scanner = Scanner(parse_logdir_spec(f"one:{tmp_path}/a,two:{tmp_path}/a/sub"))
    for _ in range(2):
        logdir = scanner.scan()
        found = [(run.name, item.id, item.path) for run in logdir.runs for item in run.checkpoints]
        assert found == [("one/sub", "sub/m.npmat", "one/sub/m.npmat"), ("two/.", "m.npmat", "two/m.npmat")]
    assert scanner.scan().runs[0].checkpoints[0] is logdir.runs[0].checkpoints[0]


def test_checkpoints_flag() -> None:
    assert parse_checkpoints_flag(["a=/x", "b/c=/y=z", "a=rel"]) == [("a", "/x"), ("b/c", "/y=z"), ("a", "rel")]
    for entry in ("a", "=x", "a=", ""):
        with pytest.raises(UsageError) as error:
            parse_checkpoints_flag([entry])
        assert error.value.code == "checkpoints_flag"


def test_extra_checkpoints(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    logs = tmp_path / "logs"
    events(logs / "run")
    write(logs / "run" / "0.npmat", step=0)
    write(tmp_path / "outside" / "deep" / "1.npmat", step=1)
    write(tmp_path / "single" / "2.npmat", step=2)
    write(tmp_path / "single" / "3.npmat", step=3)
    write(tmp_path / "single" / "ckpt-4.npx", step=4)
    write(tmp_path / "single" / "5.npmats" / "part-0.npmat", step=5)
    monkeypatch.chdir(tmp_path)
    extra = [("run", "outside"), ("run", "single/2.npmat"), ("new", "single/ckpt-4"), ("new", "single/5.npmats")]
    logdir = open_logdir("logs", checkpoints=extra)
    assert not logdir.problems
    assert [(c.step, c.id, c.path) for c in logdir.run("run").checkpoints] == [
        (0, "run/0.npmat", "run/0.npmat"),
        (1, "deep/1.npmat", "outside/deep/1.npmat"),
        (2, "2.npmat", "single/2.npmat"),
    ]
    assert [(c.step, c.path) for c in logdir.run("new").checkpoints] == [(4, "single/ckpt-4"), (5, "single/5.npmats")]
    for run in logdir.runs:
        for checkpoint in run.checkpoints:
            assert checkpoint["tok"].rows(0, 1).shape == (1, 3)


def test_extra_checkpoints_outdo_where_they_lie(tmp_path: Path) -> None:
    events(tmp_path / "a")
    write(tmp_path / "a" / "1.npmat")
    write(tmp_path / "stray" / "2.npmat")
    write(tmp_path / "b" / "3.npmat")
    logdir = open_logdir(tmp_path, checkpoints=[("a", f"{tmp_path}/stray"), ("c", f"{tmp_path}/b/3.npmat")])
    assert {run.name: sorted(os.path.basename(item.id) for item in run.checkpoints) for run in logdir.runs} == {
        "a": ["1.npmat", "2.npmat"],
        "c": ["3.npmat"],
    }
    assert logdir.scanned.n_runs == 1


def test_extra_checkpoints_allow_links_into_their_root(tmp_path: Path) -> None:
    write(tmp_path / "outside" / "1.npmat")
    events(tmp_path / "logs")
    (tmp_path / "logs" / "link.npmat").symlink_to(tmp_path / "outside" / "1.npmat")
    assert open_logdir(tmp_path / "logs").problems[0].message.code == "outside_roots"
    logdir = open_logdir(tmp_path / "logs", checkpoints={"x": str(tmp_path / "outside")})
    assert not logdir.problems
    assert [run.name for run in logdir.runs] == [".", "x"]


def test_extra_checkpoints_that_are_not_there(tmp_path: Path) -> None:
    (tmp_path / "notes.md").write_text("")
    write(tmp_path / "a.npmat")
    extra = [("x", f"{tmp_path}/nothing"), ("y", f"{tmp_path}/no/where"), ("z", f"{tmp_path}/notes.md")]
    logdir = open_logdir(tmp_path, checkpoints=extra)
    assert {os.path.basename(problem.path): problem.message.code for problem in logdir.problems} == {
        "where": "checkpoints_missing",
        "nothing": "checkpoints_missing",
        "notes.md": "not_a_checkpoint",
    }
    assert len(logdir.runs) == 1


def test_event_files() -> None:
    from tensorboard.backend.event_processing.io_wrapper import IsTensorFlowEventsFile

    for name in ("events.out.tfevents.1.host", "tfevents", "my.tfevents.profile-empty", "events.out", "event", "TFEVENTS"):
        assert is_event_file(name) == IsTensorFlowEventsFile(name)
