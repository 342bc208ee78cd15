"""Weights that Keras saved in several files: `NAME.weights.json`, which names them, and `NAME_0000N.weights.h5`."""

from __future__ import annotations

from contextlib import ExitStack

from tb_embfactor.errors import DamagedError, UnsupportedError
from tb_embfactor.formats import Folder
from tb_embfactor.formats.hdf5 import Contents, read_contents
from tb_embfactor.formats.keras_reader import MAX_JSON_BYTES, KerasReader, read_json, recognize
from tb_embfactor.formats.steps import step_in_name
from tb_embfactor.formats.stored import only_our_errors
from tb_embfactor.sources import FileSource, Source

INDEX_ENDING = ".weights.json"
MAX_SHARDS = 1000


def open_reader(folder: Folder, name: str) -> KerasReader:
    index_name = f"{name}{INDEX_ENDING}"
    with only_our_errors(folder.confinement.show(folder.path / index_name)), ExitStack() as opened:
        index = opened.enter_context(folder.open(index_name))
        shards = _list_shards(index)
        files = [index, *(opened.enter_context(folder.open(shard)) for shard in shards)]
        paths = [folder.path / file for file in (index_name, *shards)]
        reader = KerasReader(files, paths, recognize(_merge(files[1:]), index), step_in_name(name))
        opened.pop_all()  # from here on they are the reader's
        return reader


def _list_shards(index: Source) -> list[str]:
    """The files that the index of a sharded model names, each of which lies beside it."""
    if index.size > MAX_JSON_BYTES:
        size, limit = f"{index.size} bytes", f"{MAX_JSON_BYTES} bytes"
        raise UnsupportedError("file_too_large", path=index.name, what="the index of a sharded model", size=size, limit=limit)
    weights = read_json(index.read_at(0, index.size)).get("weight_map")
    if not isinstance(weights, dict):
        expected, got = "the index of a sharded model of Keras", "it has no weight_map"
        raise UnsupportedError("file_foreign", path=index.name, expected=expected, got=got)
    named = (file for files in weights.values() for file in (files if isinstance(files, list) else [files]))
    shards = list(dict.fromkeys(named))
    if len(shards) > MAX_SHARDS or not all(isinstance(shard, str) and "/" not in shard and "\\" not in shard for shard in shards):
        raise DamagedError("file_damaged", path=index.name, what="it names files that do not lie beside it")
    return shards


def _merge(shards: list[FileSource]) -> Contents:
    merged = Contents()
    for shard in shards:
        contents = read_contents(shard)
        if twice := contents.datasets.keys() & merged.datasets.keys():
            raise DamagedError("file_damaged", path=shard.name, what=f"{min(twice)} is in another shard, too")
        merged.datasets |= contents.datasets
        for path, attributes in contents.attributes.items():
            merged.attributes.setdefault(path, {}).update(attributes)
    return merged
