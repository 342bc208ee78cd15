"""Log directories that Hugging Face's libraries write: what is a checkpoint in them, its name, and the run it belongs to."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import pytest

import tb_embfactor as ef
from tb_embfactor.logdir import Logdir, Scanner


@pytest.fixture
def out(fixtures_dir: Path, tmp_path: Path) -> Path:
    """A run of the Trainer with two checkpoints, its events beside them."""
    return Path(shutil.copytree(fixtures_dir / "hf_trainer" / "files" / "out", tmp_path / "logs" / "out"))


def checkpoints(log: Logdir) -> dict[str, list[tuple[str, int | None]]]:
    return {run.name: [(item.id, item.step) for item in run.checkpoints] for run in log.runs}


def test_a_run_of_the_trainer(out: Path) -> None:
    """Each directory is one checkpoint, in order of step though the names sort otherwise, under TensorBoard's run of the events;
    optimizer, schedule, random state and arguments are neither checkpoints nor problems."""
    log = ef.open_logdir(out.parent)
    (events,) = (out / "runs").iterdir()
    assert checkpoints(log) == {f"out/runs/{events.name}": [("out/checkpoint-8", 8), ("out/checkpoint-12", 12)]}
    assert log.problems == ()


def test_without_events_the_run_is_the_output_directory(out: Path) -> None:
    shutil.rmtree(out / "runs")
    assert list(checkpoints(ef.open_logdir(out.parent))) == ["out"]


def test_the_final_model_beside_the_checkpoints(out: Path) -> None:
    for name in ("model.safetensors", "config.json"):
        shutil.copy(out / "checkpoint-12" / name, out)
    (run,) = checkpoints(ef.open_logdir(out.parent)).values()
    assert [item for item, _ in run] == ["out/checkpoint-8", "out/checkpoint-12", "out"]
    (run,) = checkpoints(ef.open_logdir(out)).values()
    assert [item for item, _ in run] == ["checkpoint-8", "checkpoint-12", "model.safetensors"]


def test_rotation_takes_checkpoints_away(out: Path) -> None:
    scanner = Scanner(out.parent)
    assert len(scanner.scan().runs[0].checkpoints) == 2
    shutil.copytree(out / "checkpoint-12", out / "checkpoint-16")
    state = out / "checkpoint-16" / "trainer_state.json"
    state.write_text(json.dumps({**json.loads(state.read_text()), "global_step": 16}))
    shutil.rmtree(out / "checkpoint-8")
    (run,) = checkpoints(scanner.scan()).values()
    assert run == [("out/checkpoint-12", 12), ("out/checkpoint-16", 16)]


def test_a_state_written_after_the_model_is_noticed(out: Path) -> None:
    """The Trainer writes the model first, then the state that tells the step."""
    shutil.move(out / "checkpoint-8", out / "halfway")
    state = (out / "halfway" / "trainer_state.json").read_bytes()
    (out / "halfway" / "trainer_state.json").unlink()
    scanner = Scanner(out.parent)
    assert ("out/halfway", None) in checkpoints(scanner.scan()).popitem()[1]
    (out / "halfway" / "trainer_state.json").write_bytes(state)
    assert ("out/halfway", 8) in checkpoints(scanner.scan()).popitem()[1]


@pytest.mark.parametrize("state", [b"{", b"[]", b'{"global_step": "8"}', b'{"global_step": -1}', b"[" * 100_000, b"\xff"])
def test_a_state_that_tells_nothing_leaves_the_name(out: Path, state: bytes) -> None:
    (out / "checkpoint-8" / "trainer_state.json").write_bytes(state)
    log = ef.open_logdir(out.parent)
    assert ("out/checkpoint-8", 8) in checkpoints(log).popitem()[1]
    assert log.problems == ()


def test_one_model_in_several_formats_is_one_checkpoint(out: Path) -> None:
    """As in snapshots of the hub: the same weights for PyTorch, TensorFlow and in shards."""
    for name in ("pytorch_model.bin", "tf_model.h5"):
        (out / "checkpoint-8" / name).write_bytes(b"the same once more")
    log = ef.open_logdir(out.parent)
    assert len(log.runs[0].checkpoints) == 2
    assert log.problems == ()


def test_the_twin_can_be_named(fixtures_dir: Path, tmp_path: Path) -> None:
    folder = tmp_path / "snapshot"
    shutil.copytree(fixtures_dir / "hf_shards" / "files" / "checkpoint-20", folder)
    shutil.copy(fixtures_dir / "hf_bert" / "files" / "checkpoint-500" / "model.safetensors", folder)
    assert ef.open_checkpoint(folder).format == "safetensors"
    assert ef.open_checkpoint(folder / "model.safetensors.index.json").format == "model-shards"
    assert ef.open_checkpoint(folder / "model-00001-of-00005.safetensors").format == "model-shards"


def test_a_directory_opens_as_its_checkpoint(out: Path) -> None:
    checkpoint = ef.open_checkpoint(out / "checkpoint-12")
    assert (checkpoint.step, checkpoint.format) == (12, "safetensors")
    assert checkpoint["bert.embeddings.word_embeddings"].shape == (60, 16)


def test_an_adapter_beside_its_model_keeps_both_apart(out: Path) -> None:
    shutil.copy2(out / "checkpoint-8" / "model.safetensors", out / "checkpoint-8" / "adapter_model.safetensors")
    (run,) = checkpoints(ef.open_logdir(out.parent)).values()
    files = [f"out/checkpoint-8/{name}" for name in ("adapter_model.safetensors", "model.safetensors")]
    assert [item for item, _ in run] == [*files, "out/checkpoint-12"]


def test_snapshots_are_links_into_a_store_of_blobs(out: Path, tmp_path: Path) -> None:
    """The hub's cache: files of a snapshot are links to blobs, which lie elsewhere under the same directory."""
    blobs = out.parent / "blobs"
    blobs.mkdir()
    snapshot = out.parent / "models--org--name" / "snapshots" / "0123abcd"
    snapshot.mkdir(parents=True)
    for name in ("model.safetensors", "config.json"):
        shutil.move(out / "checkpoint-8" / name, blobs / f"blob-of-{name}")
        os.symlink(f"../../../blobs/blob-of-{name}", snapshot / name)
    log = ef.open_logdir(out.parent)
    found = log.run("models--org--name/snapshots/0123abcd").checkpoint("latest")
    assert found.id == "models--org--name/snapshots/0123abcd"
    assert found["bert.embeddings.word_embeddings"].role == "embedding"
