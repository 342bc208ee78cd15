"""Models and vectors that gensim saved (`.model`, `.kv`, …): a pickle, and beside it files of the arrays that are large.

The pickle is read by the inert machine of `pickle_machine`: nothing in it is imported or called. An object of gensim is a node
with a dictionary of attributes; arrays lie among them or, if they are large, in `NAME.ATTRIBUTE.npy` (`NAME.wv.vectors.npy` for
those of an object within). Words are `index_to_key`, which was `index2word` before gensim 4.
"""

from __future__ import annotations

import math
import os
import re
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from tb_embfactor.errors import DamagedError, IncompleteError, UnsupportedError, UsageError
from tb_embfactor.formats import Folder, MatrixInfo, OwnColumn, Role
from tb_embfactor.formats.npy import HEAD_BYTES, parse_header
from tb_embfactor.formats.pickle_machine import Limits, Node, Symbol, as_mapping, load
from tb_embfactor.formats.steps import step_in_name
from tb_embfactor.formats.stored import ArrayTensor, FileTensors, Tensor, only_our_errors
from tb_embfactor.messages import Message
from tb_embfactor.sources import FileSource

LIMITS = Limits(n_bytes=512 << 20, n_opcodes=20_000_000)  # a vocabulary of three million words
MAX_OBJECTS = 1000
_SNIFFED_BYTES = 256

_KEYS = ("index_to_key", "index2word", "index2entity", "offset2doctag")
_TABLES = (
    "vectors", "syn0", "vectors_vocab", "syn0_vocab", "vectors_ngrams", "syn0_ngrams", "vectors_docs", "doctag_syn0",
    "syn1neg", "syn1",
)  # fmt: skip
_MASKS = "_lockf"  # arrays that tell which vectors are trained
_ARRAYS = {
    Symbol(f"numpy.{core}.{module}", name)
    for core in ("core", "_core")
    for module, name in (("multiarray", "_reconstruct"), ("numeric", "_frombuffer"))
}
_NUMBERS = re.compile(r"[fiu][1248]")


class Attribute(NamedTuple):
    """An array of an object. path : `wv.vectors`. holder : the attributes of the object. value : None where it lies apart."""

    path: str
    holder: Mapping[str, Any]
    value: Node | None


def open_reader(folder: Folder, name: str) -> GensimReader:
    with only_our_errors(folder.confinement.show(folder.path / name)), ExitStack() as opened:
        file = opened.enter_context(folder.open(name))
        reader = GensimReader(folder, name, list(_find_arrays(_load(file))), file, opened)
        reader.opened = opened.pop_all()
        return reader


class GensimReader(FileTensors):
    """See `tb_embfactor.formats.Reader`. opened : the files to be closed."""

    _paths: list[Path]

    def __init__(self, folder: Folder, name: str, attributes: list[Attribute], file: FileSource, opened: ExitStack) -> None:
        self.opened = opened
        self._paths = [folder.path / name]
        vocabularies = [words for words in (_words(attribute.holder) for attribute in attributes) if words]
        tensors: dict[str, Tensor] = {}
        infos, skipped = [], []
        labels: dict[str, partial[dict[str, OwnColumn]]] = {}
        for path, holder, value in attributes:
            try:
                tensor = self._open(folder, f"{name}.{path}.npy") if value is None else _array_tensor(value)
            except (UsageError, IncompleteError) as error:
                if error.code == "file_truncated":  # it is being written
                    raise
                reason = f"its numbers lie in {name}.{path}.npy, and {error.message.text.rstrip('.')}"
                skipped.append(Message("tensor_skipped", {"tensor": path, "path": file.name, "reason": reason}))
                continue
            if tensor is None or path.endswith(_MASKS):
                continue
            n_rows = tensor.shape[0]
            words = next((words for words in (_words(holder), *vocabularies) if len(words) == n_rows), [])
            counts = _counts(holder, n_rows)
            columns = ("key",) * bool(words) + ("count",) * (counts is not None)
            role: Role = "embedding" if path.rpartition(".")[2] in _TABLES else "other"
            tensors[path] = tensor
            labels[path] = partial(_columns, words, counts)
            infos.append(MatrixInfo(path, tensor.shape, tensor.dtype.name, role, labels=columns))
        if not infos and not skipped:
            got = "none of its attributes is a matrix"
            raise UnsupportedError("file_foreign", path=file.name, expected="a model of vectors of gensim", got=got)
        super().__init__(file.name, tensors, {}, labels)
        self.matrices, self.skipped = tuple(sorted(infos, key=_rank)), tuple(skipped)
        self.step = step_in_name(self._paths[0].stem)
        self.wall_time = os.stat(self._paths[0]).st_mtime

    def _open(self, folder: Folder, name: str) -> Tensor | None:
        """An array that lies apart, if it is a matrix."""
        source = self.opened.enter_context(folder.open(name))
        self._paths.append(folder.path / name)
        array = parse_header(source.read_at(0, min(HEAD_BYTES, source.size)), source.size, source.name)
        return array.tensor(source) if array.is_matrix and array.dtype is not None else None

    def close(self) -> None:
        self.opened.close()


def _rank(info: MatrixInfo) -> int:
    """The vectors themselves first."""
    name = info.name.rpartition(".")[2]
    return _TABLES.index(name) if name in _TABLES else len(_TABLES)


def _load(file: FileSource) -> Node:
    """The object that a file holds."""
    head = file.read_at(0, min(_SNIFFED_BYTES, file.size))
    if head[:1] != b"\x80" or b"gensim" not in head:
        got = "it does not begin as one"
        raise UnsupportedError("file_foreign", path=file.name, expected="a model of gensim", got=got)
    if file.size > LIMITS.n_bytes:
        size, limit = f"{file.size} bytes", f"{LIMITS.n_bytes} bytes"
        raise UnsupportedError("file_too_large", path=file.name, what="its pickle", size=size, limit=limit)
    root = load(file.read_at(0, file.size), file.name, limits=LIMITS).value
    if not _is_object(root):
        raise DamagedError("file_damaged", path=file.name, what="its pickle does not make an object of gensim")
    return root


def _is_object(value: Any) -> bool:
    return isinstance(value, Node) and isinstance(value.callee, Symbol) and value.callee.module.startswith("gensim.")


def _find_arrays(root: Node) -> Iterator[Attribute]:
    """The arrays among the attributes of an object of gensim, and of the objects of gensim among them."""
    pending, seen = [("", root)], set[int]()
    while pending:
        prefix, node = pending.pop(0)
        holder = as_mapping(node.state)
        if id(node) in seen or len(seen) > MAX_OBJECTS:
            continue
        seen.add(id(node))
        apart = holder.get("__numpys")
        yield from (
            Attribute(prefix + name, holder, None) for name in (apart if isinstance(apart, list) else ()) if isinstance(name, str)
        )
        for name, value in holder.items():
            if isinstance(value, Node) and value.callee in _ARRAYS:
                yield Attribute(f"{prefix}{name}", holder, value)
            elif _is_object(value):
                pending.append((f"{prefix}{name}.", value))


def _words(holder: Mapping[str, Any]) -> list[Any]:
    return next((holder[name] for name in _KEYS if isinstance(holder.get(name), list) and holder[name]), [])


def _counts(holder: Mapping[str, Any], n_rows: int) -> np.ndarray | None:
    """How often each word was met, as gensim 4 keeps it."""
    counts = _array(as_mapping(holder.get("expandos")).get("count"))
    return counts if counts is not None and counts.shape == (n_rows,) and counts.dtype.kind in "iu" else None


def _columns(words: list[Any], counts: np.ndarray | None) -> dict[str, OwnColumn]:
    columns: dict[str, OwnColumn] = {"key": [str(word) for word in words]} if words else {}
    return columns if counts is None else {**columns, "count": counts}


def _array_tensor(value: Node) -> Tensor | None:
    array = _array(value)
    return ArrayTensor(array) if array is not None and array.ndim == 2 and min(array.shape) > 1 else None


def _array(value: Any) -> np.ndarray | None:
    """An array of numbers that lies in the pickle."""
    if not isinstance(value, Node) or value.callee not in _ARRAYS:
        return None
    if value.callee.name == "_reconstruct":  # up to protocol 4
        _, shape, kind, is_fortran, data = value.state
    else:
        data, kind, shape, layout = value.args
        is_fortran = layout == "F"
    code, order = kind.args[0], kind.state[1]
    if isinstance(data, Node):  # how protocol 2 writes bytes: text, to be encoded
        data = data.args[0]
    data = data.encode("latin-1") if isinstance(data, str) else data
    if not _NUMBERS.fullmatch(code) or order not in "<>|=" or math.prod(shape) * int(code[1:]) != len(data):
        return None
    array = np.frombuffer(data, f"{order}{code}").reshape(shape, order="F" if is_fortran else "C")
    return array.astype(array.dtype.newbyteorder("="), copy=False)
