"""Models that Hugging Face's libraries saved in several files, with an index that says which tensor lies in which.

The index is `NAME.safetensors.index.json`, or `NAME.bin.index.json` for files of PyTorch: {"weight_map": {tensor: file}}. The
files lie beside it.
"""

from __future__ import annotations

import json
from contextlib import ExitStack

from tb_embfactor.errors import DamagedError, IncompleteError, UnsupportedError
from tb_embfactor.formats import Folder, is_bare_name
from tb_embfactor.formats.hugging_face import find_step, read_model
from tb_embfactor.formats.parameters import Parameter
from tb_embfactor.formats.safetensors_file import read_parameters
from tb_embfactor.formats.state_dict import StateDictReader
from tb_embfactor.formats.stored import only_our_errors
from tb_embfactor.formats.torch_containers import open_container
from tb_embfactor.formats.torch_objects import find_saved
from tb_embfactor.sources import FileSource, Source

INDEX_ENDINGS = (".safetensors.index.json", ".bin.index.json")
MAX_INDEX_BYTES = 64 << 20
MAX_SHARDS = 1000


def open_reader(folder: Folder, name: str) -> StateDictReader:
    endings = (ending for ending in INDEX_ENDINGS if (folder.path / f"{name}{ending}").exists())
    index_name = f"{name}{next(endings, INDEX_ENDINGS[0])}"
    with only_our_errors(folder.confinement.show(folder.path / index_name)), ExitStack() as opened:
        index = opened.enter_context(folder.open(index_name))
        files = {index_name: index}
        parameters: dict[str, Parameter] = {}
        for shard_name, names in _read_index(index).items():
            problem = f"it is not in {shard_name}, where the index says it is"
            inside: dict[str, Parameter] = {}
            try:
                files[shard_name] = opened.enter_context(folder.open(shard_name))
                inside = _read_shard(files[shard_name], shard_name, folder)
            except IncompleteError as error:
                if error.code != "file_missing":
                    raise
                problem = f"its file {shard_name} is not there"
            parameters |= {tensor: inside.get(tensor) or Parameter((0, 0), problem=problem) for tensor in names}
        if len(files) == 1:
            raise IncompleteError("file_incomplete", path=index.name, what="none of the files that it names is there")
        paths = [folder.path / file_name for file_name in files]
        model = read_model(folder, parameters)
        reader = StateDictReader(list(files.values()), paths, model, find_step(folder, name))
        opened.pop_all()  # from here on they are the reader's
        return reader


def _read_shard(file: FileSource, name: str, folder: Folder) -> dict[str, Parameter]:
    if name.endswith(".safetensors"):
        return read_parameters(file)[0]
    container = open_container(file, folder)
    return find_saved(container.value, container.read).parameters


def _read_index(index: Source) -> dict[str, list[str]]:
    """The names of the tensors in each file."""
    if index.size > MAX_INDEX_BYTES:
        size, limit = f"{index.size:,} bytes", f"{MAX_INDEX_BYTES:,} bytes"
        raise UnsupportedError("file_too_large", path=index.name, what="an index of shards", size=size, limit=limit)
    document = json.loads(index.read_at(0, index.size))
    weights = document.get("weight_map") if isinstance(document, dict) else None
    if not isinstance(weights, dict):
        expected, got = "the index of a model in several files", "it has no weight_map"
        raise UnsupportedError("file_foreign", path=index.name, expected=expected, got=got)
    if not all(map(is_bare_name, weights.values())):
        raise DamagedError("file_damaged", path=index.name, what="it names files that do not lie beside it")
    shards: dict[str, list[str]] = {}
    for tensor, shard in weights.items():
        shards.setdefault(shard, []).append(tensor)
    if len(shards) > MAX_SHARDS:
        size, limit = f"{len(shards)}", f"{MAX_SHARDS}"
        raise UnsupportedError("file_too_large", path=index.name, what="the number of files", size=size, limit=limit)
    return shards
