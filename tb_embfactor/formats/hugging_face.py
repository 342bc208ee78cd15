"""What Hugging Face's libraries write beside a model: its sizes in `config.json`, its step in `trainer_state.json`.

Neither is needed to read a model. So a file that is missing, damaged or something else tells nothing, and that is all.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

from tb_embfactor.errors import EmbfactorError
from tb_embfactor.formats import Folder
from tb_embfactor.formats.parameters import AdapterSettings, ModelSizes, Parameter, StateDict
from tb_embfactor.formats.steps import choose_step, step_in_path

CONFIG, ADAPTER_CONFIG, TRAINER_STATE = "config.json", "adapter_config.json", "trainer_state.json"
MAX_CONFIG_BYTES = 4 << 20
MAX_STATE_BYTES = 64 << 20  # it holds the history of all logged numbers
_ROWS = re.compile(r"vocab_size|\w+_vocab_size|n_vocab|(max|n)(_\w+)?_positions?(_embeddings)?|n_ctx|num_embeddings")
_WIDTHS = re.compile(
    r"(hidden|embedding)_size|n_embd|n_embed|d_model|d_embed|dim|\w*embed_dim|word_embed_proj_dim|hidden_dim|emb_dim"
)


def read_sizes(folder: Folder) -> ModelSizes:
    """Sizes of tables from the model's configuration, those of its parts (`text_config`, `vision_config`) included."""
    config = read_json(folder, CONFIG, MAX_CONFIG_BYTES)
    rows, widths = set(), set()
    for part in [config, *(value for value in config.values() if isinstance(value, dict))]:
        sizes = {name: size for name, size in part.items() if type(size) is int and size > 0}
        rows |= {size for name, size in sizes.items() if _ROWS.fullmatch(name)}
        widths |= {size for name, size in sizes.items() if _WIDTHS.fullmatch(name)}
    return ModelSizes(frozenset(rows), frozenset(widths))


def read_model(folder: Folder, parameters: Mapping[str, Parameter], classes: Mapping[str, str] | None = None) -> StateDict:
    """A model with what lies beside it."""
    beside = (folder.path / CONFIG, folder.path / ADAPTER_CONFIG)
    return StateDict(parameters, classes or {}, read_sizes(folder), read_adapter(folder), beside)


def read_adapter(folder: Folder) -> AdapterSettings:
    """How the pairs of a LoRA are scaled."""
    config = read_json(folder, ADAPTER_CONFIG, MAX_CONFIG_BYTES)
    patterns = config.get("alpha_pattern")
    told = {name: _number(alpha) for name, alpha in patterns.items()} if isinstance(patterns, dict) else {}
    alphas = {name: alpha for name, alpha in told.items() if alpha is not None}
    return AdapterSettings(_number(config.get("lora_alpha")), alphas, config.get("use_rslora") is True)


def _number(value: Any) -> float | None:
    return float(value) if type(value) in (int, float) and abs(value) < 1e9 else None


def find_step(folder: Folder, name: str, inside: int | None = None) -> int | None:
    """The step of the checkpoint `name` in a directory; `inside` is what the checkpoint itself tells."""
    if inside is None:
        written = read_json(folder, TRAINER_STATE, MAX_STATE_BYTES).get("global_step")
        inside = written if type(written) is int and written >= 0 else None
    return choose_step(inside, step_in_path(folder.path / name))


def read_json(folder: Folder, name: str, limit: int) -> dict[str, Any]:
    """The object in a file of a directory; empty where there is none."""
    try:
        with folder.open(name) as source:
            document = json.loads(source.read_at(0, source.size)) if source.size <= limit else {}
    except (EmbfactorError, ValueError, RecursionError):
        return {}
    return document if isinstance(document, dict) else {}
