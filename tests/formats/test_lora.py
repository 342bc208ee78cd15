"""LoRA pairs as their products: adapters through the contract, and settings that tell nothing."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import tb_embfactor as ef
from tb_embfactor.formats import lora
from tests.formats.contract import Checkpoint, Contract, load_case


class TestFiles(Contract):
    @pytest.fixture(params=["peft_adapter", "peft_stabilised", "other_layouts"])
    def case(self, request: pytest.FixtureRequest, fixtures_dir: Path) -> list[Checkpoint]:
        return load_case(fixtures_dir / request.param)


@pytest.fixture
def folder(fixtures_dir: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(fixtures_dir / "peft_adapter" / "files" / "checkpoint-40", tmp_path / "logs" / "checkpoint-40"))


def test_through_the_whole_product(folder: Path) -> None:
    log = ef.open_logdir(folder.parent)
    (checkpoint,) = log.runs[0].checkpoints
    assert (checkpoint.id, checkpoint.step, log.problems) == ("checkpoint-40", 40, ())
    matrix = checkpoint["model.embed_tokens.lora"]
    assert (matrix.role, matrix.shape) == ("embedding", (30, 7))
    f = ef.factorize(matrix)
    rows = np.concatenate(list(matrix.blocks())).astype(np.float64)
    truth = np.linalg.svd(rows, compute_uv=False)
    assert np.allclose(f.singular_values, truth, atol=1e-6 * truth[0])
    assert np.linalg.matrix_rank(rows, tol=1e-4) == 4


@pytest.mark.parametrize(
    ("config", "scale"),
    [
        (None, 1),
        ("{", 1),
        ([], 1),
        ({}, 1),
        ({"lora_alpha": 8}, 2),
        ({"lora_alpha": 8, "use_rslora": True}, 4),
        ({"lora_alpha": "8"}, 1),
        ({"lora_alpha": True}, 1),
        ({"lora_alpha": 1e300}, 1),
        ({"lora_alpha": 8, "alpha_pattern": {"self_attn.q_proj": 4}}, 1),
        ({"lora_alpha": 8, "alpha_pattern": {"attn.q_proj": 4, "q_proj": None}}, 2),
        ({"lora_alpha": 8, "alpha_pattern": [4]}, 2),
    ],
)
def test_scales(folder: Path, config: Any, scale: float) -> None:
    def rows() -> np.ndarray:
        return ef.open_checkpoint(folder)["model.layers.0.self_attn.q_proj.lora"].rows(0, 10)

    path = folder / "adapter_config.json"
    path.write_text(json.dumps({"lora_alpha": 4}))
    unscaled = rows()
    path.write_text(config if isinstance(config, str) else json.dumps(config)) if config is not None else path.unlink()
    assert np.allclose(rows(), unscaled * scale, rtol=1e-6)


def test_settings_that_change_are_noticed(folder: Path) -> None:
    checkpoint = ef.open_checkpoint(folder)
    (folder / "adapter_config.json").write_text("{}")
    assert ef.open_checkpoint(folder).signature != checkpoint.signature


def test_factors_too_large_to_hold_stay_as_they_are(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lora, "MAX_FACTOR_BYTES", 100)
    names = [matrix.name for matrix in ef.open_checkpoint(folder).matrices]
    assert "model.embed_tokens.lora_embedding_A" in names
    assert not [name for name in names if name.endswith(".lora")]
