"""Steps in the names of files and directories, as the programs of the field write them."""

from __future__ import annotations

from pathlib import Path

import pytest

from tb_embfactor.formats.steps import choose_step, step_in_name, step_in_path

NAMES = {
    "epoch=3-step=400.ckpt": 400,  # Lightning
    "epoch=3-step=400-v1.ckpt": 400,  # Lightning, the second of that name
    "epoch=03-val_loss=0.25.ckpt": 3,
    "sentiment-epoch=09-step=1000-val_acc=0.91.ckpt": 1000,
    "last.ckpt": None,
    "model.ckpt-300": 300,  # TensorFlow 1
    "ckpt-7": 7,
    "cp-0300.ckpt": 300,
    "model_0300.keras": 300,
    "weights.05-0.32.keras": 5,
    "weights.12.hdf5": 12,
    "checkpoint-500": 500,  # Hugging Face
    "checkpoint_5": 5,
    "global_step500": 500,  # DeepSpeed
    "pytorch_model_step_300.bin": 300,
    "model_step300_loss0.12.pt": 300,
    "checkpoint0010.pth": 10,
    "checkpoint_epoch_10_best.pth.tar": 10,
    "ckpt_epoch_12.pth": 12,
    "iter_0000100": 100,  # Megatron
    "iter_80000.pth": 80000,
    "step1000-tokens4B": 1000,
    "step-20": 20,
    "400.pt": 400,
    "model_best.pth.tar": None,
    "model.safetensors": None,
    "glove_300d.keras": None,
    "glove.6B.50d.npy": None,
    "ckpt_7b.pt": None,
    "timestep_encoder.pt": None,
    "all-MiniLM-L6-v2": None,
    "chgnet_0.3.0_e29f68s314m37.pth.tar": None,
    "step_99999999999999999999.pt": None,
}


@pytest.mark.parametrize("name", NAMES)
def test_step_in_a_name(name: str) -> None:
    assert step_in_name(name) == NAMES[name]


@pytest.mark.parametrize(
    ("path", "step"),
    [
        ("out/checkpoint-500/model.safetensors", 500),
        ("out/checkpoint-500/unet/diffusion_pytorch_model.safetensors", 500),
        ("out/checkpoint_5/pytorch_model_1.bin", 5),
        ("out/global_step500/mp_rank_00_model_states.pt", 500),
        ("glove-300/vectors.npy", None),
        ("bert-base-512/model.safetensors", None),
        ("exp/step-100/.metadata", 100),
        ("epoch_2/step_30.pt", 30),
        ("model_7.pt", 7),
        ("step_9/a/b/model.pt", None),
    ],
)
def test_step_in_a_path(path: str, step: int | None) -> None:
    assert step_in_path(Path("/data") / path) == step


@pytest.mark.parametrize(
    ("inside", "in_name", "counter", "step"),
    [(7, 300, None, 7), (0, 300, None, 300), (0, 5, 5, 0), (None, 5, None, 5), (None, None, 4, 4), (0, None, None, 0)],
)
def test_what_is_inside_is_the_truth_unless_nothing_counted(
    inside: int | None, in_name: int | None, counter: int | None, step: int | None
) -> None:
    assert choose_step(inside, in_name, counter) == step
