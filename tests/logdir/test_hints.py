"""What is said where a log directory holds no checkpoint. tests/logdir/test_recipes.py does it on what the frameworks wrote."""

from __future__ import annotations

from pathlib import Path

import pytest
from npmat_format import events, write

from tb_embfactor.logdir import Logdir, open_logdir


def hints(logdir: Logdir) -> list[tuple[str, dict[str, str]]]:
    return [(hint.code, hint.params) for hint in logdir.hints]


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A directory whose neighbours are no other test's."""
    (tmp_path / "home" / "project").mkdir(parents=True)
    return tmp_path / "home" / "project"


def test_nothing_at_all(project: Path) -> None:
    (project / "logs").mkdir()
    assert hints(open_logdir(project / "logs")) == [("hint_elsewhere", {})]


def test_no_hint_where_there_is_a_checkpoint(project: Path) -> None:
    write(project / "outputs" / "m.npmat")
    write(events(project / "logs" / "run") / "m.npmat")
    assert hints(open_logdir(project / "logs")) == []


@pytest.mark.parametrize(
    ("checkpoint", "logdir", "shown"),
    [
        ("out/checkpoint-500/m.npmat", "out/runs", "out"),
        ("out/checkpoint-500/m.npmat", "out/runs/Nov25_07-30-38_host", "out"),
        ("run/ckpt/m.npmat", "run/train", "run"),
        ("run/m.npmat", "run/train", "run"),
        ("run/big.npmats/part-0.npmat", "run/train", "run"),
        ("models/m.npmat", "tb_logs", "."),
    ],
)
def test_a_log_directory_that_is_too_deep(project: Path, checkpoint: str, logdir: str, shown: str) -> None:
    events(project / logdir)
    write(project / checkpoint)
    assert hints(open_logdir(project / logdir)) == [("hint_above", {"path": str(project / shown).removesuffix("/.")})]


@pytest.mark.parametrize("checkpoint", ["outputs/m.npmat", "outputs/checkpoint-500/m.npmat", "ckpt/model.h5"])
def test_checkpoints_beside(project: Path, checkpoint: str) -> None:
    beside = str(project / checkpoint.split("/")[0])
    events(project / "experiments" / "a")
    write(project / checkpoint)
    assert hints(open_logdir(project / "experiments")) == [("hint_beside", {"path": beside, "run": "a"})]
    events(project / "experiments" / "b")
    (hint,) = open_logdir(project / "experiments").hints
    assert f"use --embfactor_checkpoints RUN={beside} to" in hint.text
    followed = open_logdir(project / "experiments", checkpoints={"a": beside})
    assert followed.hints == () or "model.h5" in checkpoint  # which is none inside


def test_the_checkpoints_of_another_run_are_not_this_ones(project: Path) -> None:
    write(events(project / "experiments" / "b") / "ckpt" / "m.npmat")
    write(events(project / "experiments" / "c" / "train").parent / "m.npmat")
    events(project / "experiments" / "a")
    assert hints(open_logdir(project / "experiments" / "a")) == [("hint_loop", {"run": "."})]


def test_common_names_beside_are_not_taken_for_checkpoints(project: Path) -> None:
    events(project / "experiments" / "a")
    write(project / "data" / "images.h5")
    write(project / "holidays.h5")
    assert hints(open_logdir(project / "experiments")) == [("hint_loop", {"run": "a"})]


def test_paths_are_shown_as_the_user_writes_them(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    events(project / "logs" / "train")
    write(project / "outputs" / "m.npmat")
    monkeypatch.chdir(project)
    assert hints(open_logdir("logs/")) == [("hint_above", {"path": "."})]
    monkeypatch.chdir(project / "logs" / "train")
    assert hints(open_logdir("..")) == [("hint_above", {"path": "../.."})]


@pytest.mark.parametrize(
    ("run", "code"),
    [
        ("lightning_logs/version_0", "hint_lightning"),
        ("out/runs/Nov25_07-30-38_host", "hint_trainer"),
        ("keras/train", "hint_keras"),
        ("mine", "hint_loop"),
    ],
)
def test_what_the_program_does_that_wrote_the_events(project: Path, run: str, code: str) -> None:
    events(project / "logs" / run)
    (project / "logs" / run / "events.out.tfevents.1700000000.host.1.0.v2").touch()
    assert hints(open_logdir(project / "logs")) == [(code, {"run": run})]


def test_a_problem_is_the_reason_not_the_program(project: Path) -> None:
    events(project / "logs" / "keras" / "train")
    (project / "logs" / "keras" / "m.npmat").write_bytes(b"broken")
    assert hints(open_logdir(project / "logs")) == [("hint_elsewhere", {})]
