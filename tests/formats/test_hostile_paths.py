"""What is named like a checkpoint and is no file, or lies elsewhere: refused by every format in the table, at once, by name."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable
from pathlib import Path

import pytest

from tb_embfactor import formats
from tb_embfactor.errors import ReadError
from tb_embfactor.formats import Folder
from tb_embfactor.logdir import open_logdir
from tb_embfactor.sources import Confinement

NAMES = {
    "tf-checkpoint": "x.index",
    "safetensors": "x.safetensors",
    "torch": "x.pt",
    "torch-distributed": ".metadata",
    "onnx": "x.onnx",
    "gguf": "x.gguf",
    "orbax": "_METADATA",
    "model-shards": "x.safetensors.index.json",
    "keras": "x.keras",
    "keras-hdf5": "x.h5",
    "npy": "vectors.npy",
    "npz": "vectors.npz",
    "text": "x.vec",
    "word2vec": "vectors.bin",
    "gensim": "x.kv",
    "fasttext": "vectors.bin",
    "keras-shards": "x.weights.json",
}
LABELS = ["metadata.tsv", "vocab.txt", "tokenizer.json", "vocab.json", "x_metadata.tsv", "projector_config.pbtxt"]


def bind(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(path.name)  # whose path must be short


def link_outside(path: Path) -> None:
    outside = path.parent.parent / "secret"
    outside.write_bytes(b"secret" * 100)
    path.symlink_to(outside)


KINDS: dict[str, tuple[Callable[[Path], object], str]] = {
    "pipe": (os.mkfifo, "is a named pipe, not a regular file"),
    "socket": (bind, "is a socket, not a regular file"),
    "directory": (Path.mkdir, "is a directory, not a regular file"),
    "device": (lambda path: path.symlink_to("/dev/zero"), "is a character device, not a regular file"),
    "link that leaves the directory": (link_outside, "outside the log directory, so it was not opened"),
    "link to nothing": (lambda path: path.symlink_to("nothing"), "is not there any more"),
    "link to itself": (lambda path: path.symlink_to(path.name), "could not be opened"),
}


@pytest.fixture
def logs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "logs").mkdir()
    monkeypatch.chdir(tmp_path / "logs")
    return tmp_path / "logs"


def test_every_format_is_tried() -> None:
    assert NAMES.keys() == formats.FORMATS.keys()


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", NAMES)
def test_what_is_no_file(logs: Path, name: str, kind: str) -> None:
    make, message = KINDS[kind]
    make(logs / NAMES[name])
    claimed = formats.get(name).claims(NAMES[name])
    assert claimed is not None
    allowed = [logs, Path("/dev")] if kind == "device" else [logs]  # so that it is refused for what it is
    with pytest.raises(ReadError, match=message):
        formats.get(name).open_reader(Folder(logs, Confinement(allowed, base=logs)), claimed)


@pytest.mark.parametrize("kind", KINDS)
def test_a_log_directory_of_such_things_is_scanned_to_its_end(logs: Path, kind: str) -> None:
    for name in [*dict.fromkeys(NAMES.values()), *LABELS]:
        KINDS[kind][0](logs / name)
    log = open_logdir(logs)
    assert log.runs == ()
    told = {problem.path for problem in log.problems}
    assert told >= {"x.safetensors", "x.onnx", "x.keras"}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", LABELS)
def test_labels_that_are_no_file(logs: Path, name: str, kind: str, fixtures_dir: Path) -> None:
    source = fixtures_dir / "safetensors_model" / "files"
    for path in source.glob("*.safetensors"):
        (logs / path.name).write_bytes(path.read_bytes())
    KINDS[kind][0](logs / name)
    log = open_logdir(logs)
    assert [run.name for run in log.runs] == ["."]
    assert all(not matrix.labels for checkpoint in log.runs[0].checkpoints for matrix in checkpoint.matrices)
