"""What is known and not read: each with a sentence that says what to do, and one sentence only."""

from __future__ import annotations

import json
import os
import struct
from pathlib import Path

import numpy as np
import pytest

import tb_embfactor as ef
from tests.formats.torch_writer import call, mapping, tensor, value, write_archive


def problems(folder: Path) -> dict[str, str]:
    return {problem.path: problem.message.text for problem in ef.open_logdir(folder).problems}


def test_gguf(tmp_path: Path) -> None:
    (tmp_path / "model.Q4_K_M.gguf").write_bytes(b"GGUF\3\0\0\0")
    assert problems(tmp_path) == {
        "model.Q4_K_M.gguf": "model.Q4_K_M.gguf cannot be read yet: it is a GGUF file, whose weights are packed in blocks for "
        "llama.cpp. Open the model that it was converted from (its safetensors or PyTorch files)."
    }


def test_orbax(tmp_path: Path) -> None:
    for step in (100, 200):
        folder = tmp_path / "run" / str(step) / "default"
        (folder / "d").mkdir(parents=True)
        (folder / "_METADATA").write_text("{}")
        (folder / "manifest.ocdbt").write_bytes(b"\x0c\xdb\x3a\x2a")
        (folder / "d" / "0123abcd").write_bytes(b"numbers")
        (folder.parent / "_CHECKPOINT_METADATA").write_text("{}")
    found = problems(tmp_path)
    assert list(found) == ["run/100/default", "run/200/default"]
    assert "run/100/default cannot be read yet: it is an Orbax checkpoint of JAX" in found["run/100/default"]
    assert "safetensors.flax.save_file" in found["run/100/default"]


def test_what_only_bears_such_a_name(tmp_path: Path) -> None:
    os.symlink("nowhere", tmp_path / "a.gguf")
    os.mkfifo(tmp_path / "b.gguf")
    found = problems(tmp_path)
    assert found["a.gguf"] == "a.gguf is not there any more."
    assert "is a named pipe" in found["b.gguf"]


def test_deepspeed_zero_3(tmp_path: Path) -> None:
    """Each rank has a file in which every tensor is empty; one of them is told about, and what to run."""
    empty = mapping({"emb.weight": tensor(sizes=(0,), strides=(1,))})
    shapes = b"](" + mapping({"emb.weight": call("torch", "Size", value((30, 4)))}) + b"e"
    folder = tmp_path / "global_step500"
    folder.mkdir()
    for rank in range(3):
        body = mapping({"module": empty, "param_shapes": shapes, "global_steps": value(500)})
        write_archive(folder / f"zero_pp_rank_{rank}_mp_rank_00_model_states.pt", body)
        body = mapping({"optimizer_state_dict": mapping({"fp32_flat_groups": tensor(sizes=(6,), strides=(1,))})})
        write_archive(folder / f"bf16_zero_pp_rank_{rank}_mp_rank_00_optim_states.pt", body)
    ((path, text),) = problems(tmp_path).items()
    assert path == "global_step500/zero_pp_rank_0_mp_rank_00_model_states.pt"
    assert "DeepSpeed ZeRO-3 has cut its weights into flat parts, one for each rank. Run zero_to_fp32.py" in text


def test_deepspeed_that_keeps_its_model_whole(tmp_path: Path) -> None:
    folder = tmp_path / "global_step500"
    folder.mkdir()
    body = mapping({"module": mapping({"emb.weight": tensor()}), "param_shapes": b"]", "global_steps": value(512)})
    write_archive(folder / "mp_rank_00_model_states.pt", body)
    (checkpoint,) = ef.open_logdir(tmp_path).runs[0].checkpoints
    assert (checkpoint.step, [matrix.name for matrix in checkpoint.matrices]) == (512, ["emb.weight"])


SIZES = {"F16": 2, "F32": 4, "I32": 4, "U8": 1, "I8": 1, "F8_E4M3": 1, "BF16": 2, "I64": 8}
PACKED = {
    "GPTQ": (
        {"qweight": ("I32", (2, 4)), "qzeros": ("I32", (1, 1)), "scales": ("F16", (1, 4)), "g_idx": ("I32", (16,))},
        "qweight",
        "packed in 4 bits (GPTQ or AWQ)",
    ),
    "bitsandbytes, 4 bits": (
        {
            "weight": ("U8", (8, 1)),
            "weight.absmax": ("F32", (1,)),
            "weight.quant_map": ("F32", (16,)),
            "weight.quant_state.bitsandbytes__nf4": ("U8", (90,)),
        },
        "weight",
        "packed in 4 bits (bitsandbytes)",
    ),
    "bitsandbytes, 8 bits": (
        {"weight": ("I8", (4, 4)), "SCB": ("F32", (4,))},
        "weight",
        "have 8 bits and scales beside them (bitsandbytes)",
    ),
    "compressed-tensors": (
        {"weight_packed": ("I32", (4, 1)), "weight_scale": ("BF16", (4, 1)), "weight_shape": ("I64", (2,))},
        "weight_packed",
        "packed (compressed-tensors)",
    ),
    "float8 with scales of blocks": (
        {"weight": ("F8_E4M3", (4, 4)), "weight_scale_inv": ("F32", (1, 1))},
        "weight",
        "scaled by others beside it",
    ),
}


@pytest.mark.parametrize("name", PACKED)
def test_packed_weights(tmp_path: Path, name: str) -> None:
    """One sentence for all of them; the table of words, which is not packed, is read; the scales are not shown as matrices."""
    parts, weight, reason = PACKED[name]
    tensors = {"model.embed_tokens.weight": ("F16", (5, 4))}
    tensors |= {f"model.layers.{layer}.mlp.up_proj.{part}": told for layer in range(8) for part, told in parts.items()}
    header, end = {}, 0
    for tensor_name, (kind, shape) in tensors.items():
        n_bytes = SIZES[kind] * int(np.prod(shape))
        header[tensor_name] = {"dtype": kind, "shape": shape, "data_offsets": [end, end + n_bytes]}
        end += n_bytes
    text = json.dumps(header).encode()
    (tmp_path / "model.safetensors").write_bytes(struct.pack("<Q", len(text)) + text + bytes(end))
    checkpoint = ef.open_checkpoint(tmp_path / "model.safetensors")
    assert [matrix.name for matrix in checkpoint.matrices] == ["model.embed_tokens.weight"]
    (message,) = checkpoint.skipped
    assert reason in message.text and "open the model as it was before, or save it dequantized" in message.text
    shown = ", ".join(f"model.layers.{layer}.mlp.up_proj.{weight}" for layer in range(3))
    assert message.params["tensor"] == f"{shown} and 5 more"
