"""Models in a file that `torch.save` wrote, Lightning's checkpoints among them."""

from __future__ import annotations

import re
from pathlib import PurePath

from tb_embfactor.errors import UnsupportedError
from tb_embfactor.formats import Folder
from tb_embfactor.formats.hugging_face import find_step, read_model
from tb_embfactor.formats.parameters import Parameter, StateDict
from tb_embfactor.formats.pickle_machine import as_mapping
from tb_embfactor.formats.state_dict import StateDictReader
from tb_embfactor.formats.stored import opening
from tb_embfactor.formats.torch_containers import Container, open_container
from tb_embfactor.formats.torch_objects import Saved, find_saved, step_in
from tb_embfactor.sources import Source

_OTHER_RANK = re.compile(r"zero_pp_rank_0*[1-9]\d*_")  # one sentence is enough for all of them


def open_reader(folder: Folder, name: str) -> StateDictReader:
    with opening(folder, name) as file:
        container = open_container(file, folder)
        saved = read_saved(container, file)
        step = _find_step(container, saved, folder, name)
        return StateDictReader([file], [folder.path / name], _model(saved, folder, name), step)


def read_saved(container: Container, file: Source) -> Saved:
    """What was saved; UnsupportedError (`file_foreign`) if that is no model but what a trainer keeps beside one."""
    saved = find_saved(container.value, container.read)
    if not any(map(_is_of_a_model, saved.parameters.values())):
        if "param_shapes" in as_mapping(container.value) and _OTHER_RANK.search(file.name) is None:
            what = "DeepSpeed ZeRO-3 has cut its weights into flat parts, one for each rank"
            advice = "Run zero_to_fp32.py, which DeepSpeed puts beside it, and open what it writes."
            raise UnsupportedError("file_unsupported", path=file.name, what=what, next=advice)
        expected, got = "a model of PyTorch", "it holds no tensors of one"
        raise UnsupportedError("file_foreign", path=file.name, expected=expected, got=got)
    return saved


def _model(saved: Saved, folder: Folder, name: str) -> StateDict:
    """The model in a file. A tensor that was saved all alone is called like its file, and taken for what is looked at here."""
    if not saved.is_bare:
        return read_model(folder, saved.parameters, saved.classes)
    stem = PurePath(name).name.partition(".")[0]
    return StateDict(dict.fromkeys([stem], *saved.parameters.values()), {stem: "Embedding"})


def _is_of_a_model(parameter: Parameter) -> bool:
    """Whether it has two axes or more and can be trained."""
    is_count = parameter.tensor is not None and parameter.tensor.dtype.kind in "iub"
    return len(parameter.shape) > 1 and not is_count


def _find_step(container: Container, saved: Saved, folder: Folder, name: str) -> int | None:
    """As told beside the model, counted by its optimizers, told by names; else the epoch that is told beside it."""
    told, epoch = step_in(container.value, container.read)
    inside = max(saved.counts, default=None) if told is None else told
    step = find_step(folder, name, inside)
    return epoch if step is None else step
