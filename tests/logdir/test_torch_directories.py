"""Log directories of PyTorch programs: what is a checkpoint in them, and that nothing in them is ever run."""

from __future__ import annotations

import pickle
import shutil
import sys
from pathlib import Path

import pytest

import tb_embfactor as ef
from tb_embfactor.logdir import Logdir
from tests.formats.torch_writer import call, mapping, program, tensor, value, write_archive


def checkpoints(log: Logdir) -> dict[str, list[tuple[str, int | None]]]:
    return {run.name: [(item.id, item.step) for item in run.checkpoints] for run in log.runs}


def problems(log: Logdir) -> dict[str, str]:
    return {problem.path: problem.message.text for problem in log.problems}


def test_a_run_of_lightning(fixtures_dir: Path) -> None:
    log = ef.open_logdir(fixtures_dir / "lightning_run" / "files")
    folder = "lightning_logs/version_0/checkpoints"
    assert checkpoints(log) == {
        "lightning_logs/version_0": [
            (f"{folder}/epoch=0-step=4.ckpt", 4),
            (f"{folder}/epoch=1-step=8.ckpt", 8),
            (f"{folder}/epoch=2-step=12.ckpt", 12),
            (f"{folder}/last.ckpt", 12),
        ]
    }
    assert log.problems == ()


def test_names_that_sort_wrong_steps_that_repeat_and_steps_that_are_missing(tmp_path: Path) -> None:
    for name in ("model_9.pt", "model_10.pt", "model_100.pt", "best.pt"):
        write_archive(tmp_path / name, mapping({"emb.weight": tensor()}))
    body = mapping({"model": mapping({"emb.weight": tensor()}), "step": value(10)})
    write_archive(tmp_path / "again.pt", body)
    (run,) = checkpoints(ef.open_logdir(tmp_path)).values()
    assert run == [("model_9.pt", 9), ("model_10.pt", 10), ("again.pt", 10), ("model_100.pt", 100), ("best.pt", None)]


def test_what_lies_beside_models_is_no_noise(tmp_path: Path) -> None:
    """Other programs' files with such names, and what trainers keep: neither checkpoints nor problems."""
    write_archive(tmp_path / "model.pt", mapping({"emb.weight": tensor()}))
    write_archive(tmp_path / "optimizer.pt", mapping({"state": mapping({"0": tensor()}), "param_groups": b"]"}))
    write_archive(tmp_path / "rng.pth", mapping({"cpu": tensor(sizes=(6,), strides=(1,))}))
    write_archive(tmp_path / "scheduler.pt", mapping({"last_epoch": value(3)}))
    (tmp_path / "firmware.bin").write_bytes(bytes(range(256)))
    (tmp_path / "cache.bin").write_bytes(pickle.dumps({"a": 1}))
    (tmp_path / "notes.ckpt").write_text("not a checkpoint\n")
    (tmp_path / "logs.pt").mkdir()
    log = ef.open_logdir(tmp_path)
    assert checkpoints(log) == {".": [("model.pt", None)]}
    assert log.problems == ()


def test_a_file_that_somebody_named_is_told_about(tmp_path: Path) -> None:
    (tmp_path / "firmware.bin").write_bytes(bytes(range(256)))
    with pytest.raises(ef.EmbfactorError, match=r"firmware\.bin is not a file of torch\.save: it does not start like one"):
        ef.open_checkpoint(tmp_path / "firmware.bin")
    log = ef.open_logdir(tmp_path, checkpoints={"run": str(tmp_path / "firmware.bin")})
    assert "is not a file of torch.save" in problems(log)[str(tmp_path / "firmware.bin")]


def test_damaged_and_unfinished_models_are_problems(tmp_path: Path) -> None:
    path = write_archive(tmp_path / "cut.pt", mapping({"emb.weight": tensor()}))
    path.write_bytes(path.read_bytes()[:-10])
    write_archive(tmp_path / "broken.pt", b"t")
    found = problems(ef.open_logdir(tmp_path))
    assert "cut.pt is incomplete" in found["cut.pt"]
    assert "broken.pt is damaged" in found["broken.pt"]


def test_files_of_strangers_are_read_and_nothing_is_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Python's own machine makes the canary from each of these pickles. A scan does not, says so, and imports nothing."""
    monkeypatch.chdir(tmp_path)
    canary = tmp_path / "canary"
    make = f"open({str(canary)!r}, 'w').close()"
    evil = {
        "system.pt": call("posix", "system", value(f"touch {canary}")),
        "eval.pt": call("builtins", "eval", value(make)),
        "exec.bin": call("builtins", "exec", value(make)),
        "run.ckpt": call("subprocess", "call", value(["touch", str(canary)])),
        "instance.pth": b"(" + value(f"touch {canary}") + b"iposix\nsystem\n",
    }
    for name, body in evil.items():
        pickle.loads(program(body))
        canary.unlink()
        write_archive(tmp_path / name, mapping({"emb.weight": tensor(), "x": body}))
    write_archive(tmp_path / "strange.pt", mapping({"emb.weight": tensor(), "x": call("antigravity", "fly")}))
    before = set(sys.modules)
    log = ef.open_logdir(tmp_path)
    assert not canary.exists()
    assert set(problems(log)) == set(evil)
    assert all("Nothing in it was executed here" in text for text in problems(log).values())
    assert checkpoints(log) == {".": [("strange.pt", None)]}
    assert "antigravity" not in set(sys.modules) - before


def test_shards_without_their_index_are_models_themselves(fixtures_dir: Path, tmp_path: Path) -> None:
    folder = tmp_path / "checkpoint-30"
    shutil.copytree(fixtures_dir / "torch_shards" / "files" / "checkpoint-30", folder)
    assert checkpoints(ef.open_logdir(tmp_path)) == {".": [("checkpoint-30", 30)]}
    (folder / "pytorch_model.bin.index.json").unlink()
    names = [f"checkpoint-30/pytorch_model-0000{number}-of-00002.bin" for number in (1, 2)]
    assert checkpoints(ef.open_logdir(tmp_path)) == {".": [(name, 30) for name in names]}
