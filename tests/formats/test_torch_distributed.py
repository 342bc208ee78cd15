"""Distributed checkpoints of PyTorch: those of the framework through the contract, and metadata that lies."""

from __future__ import annotations

import pickle
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import tb_embfactor as ef
from tb_embfactor.errors import DamagedError, EmbfactorError, IncompleteError, UnsupportedError
from tb_embfactor.formats import Folder, Reader, torch_distributed
from tb_embfactor.sources import Confinement
from tests.formats.contract import Checkpoint, Contract, load_case
from tests.formats.torch_writer import call, group, mapping, program, symbol, tensor, value, write_archive


class TestFiles(Contract):
    @pytest.fixture(params=["distributed", "distributed_ranks"])
    def case(self, request: pytest.FixtureRequest, fixtures_dir: Path) -> list[Checkpoint]:
        return load_case(fixtures_dir / request.param)


def instance(name: str, **fields: bytes) -> bytes:
    return symbol("torch.distributed.checkpoint.metadata", name) + b")\x81" + mapping(fields) + b"b"


def sizes(*numbers: Any) -> bytes:
    return call("torch", "Size", value(tuple(numbers)))


def described(shape: tuple[int, ...], *chunks: tuple[tuple[int, ...], tuple[int, ...]], dtype: str = "float32") -> bytes:
    """What the metadata says of a tensor. chunks : corner and sizes of each."""
    properties = instance("TensorProperties")[: -len(b"}(ub")] + group(symbol("torch", dtype)) + b"b"
    listed = b"".join(instance("ChunkStorageMetadata", offsets=sizes(*at), sizes=sizes(*size)) for at, size in chunks)
    return instance("TensorStorageMetadata", properties=properties, size=sizes(*shape), chunks=b"](" + listed + b"e")


def placed(name: str, at: tuple[int, ...], length: Any, file: Any = "__0_0.distcp", offset: Any = 0, **more: bytes) -> bytes:
    index = instance("MetadataIndex", fqn=value(name), offset=sizes(*at))
    place = {"relative_path": value(file), "offset": value(offset), "length": value(length)}
    return index + instance("_StorageInfo", **place, **more)


def write(folder: Path, tensors: dict[str, bytes], *places: bytes) -> Path:
    """A checkpoint whose only file holds one tensor of 3 × 2 numbers."""
    folder.mkdir(exist_ok=True)
    write_archive(folder / "__0_0.distcp", tensor())
    storage = b"}(" + b"".join(places) + b"u"
    body = instance("Metadata", state_dict_metadata=mapping(tensors), storage_data=storage)
    (folder / ".metadata").write_bytes(program(body))
    return folder


def length_of(folder: Path) -> int:
    folder.mkdir(exist_ok=True)
    return write_archive(folder / "__0_0.distcp", tensor()).stat().st_size


def read(folder: Path) -> Reader:
    return torch_distributed.open_reader(Folder(folder, Confinement([folder], base=folder)), "")


WHOLE = described((3, 2), ((0, 0), (3, 2)))


def test_one_tensor(tmp_path: Path) -> None:
    length = length_of(tmp_path / "step_9")
    reader = read(write(tmp_path / "step_9", {"emb.weight": WHOLE}, placed("emb.weight", (0, 0), length)))
    assert reader.step == 9
    assert reader.read_rows("emb.weight", 1, 3).tolist() == [[2, 3], [4, 5]]


SKIPPED: dict[str, tuple[bytes, Callable[[int], list[bytes]], str]] = {
    "chunk without a place": (WHOLE, lambda n: [], "the place of one of its chunks is not told"),
    "chunk elsewhere": (WHOLE, lambda n: [placed("bad.weight", (1, 0), n)], "the place of one of its chunks is not told"),
    "place that is text": (WHOLE, lambda n: [placed("bad.weight", (0, 0), "9")], "the place of one of its chunks is not told"),
    "file that is missing": (WHOLE, lambda n: [placed("bad.weight", (0, 0), n, "__1_0.distcp")], "__1_0.distcp is not there"),
    "compressed chunk": (
        WHOLE,
        lambda n: [placed("bad.weight", (0, 0), n, transform_descriptors=value(["zstd"]))],
        "it was compressed or otherwise changed",
    ),
    "gap between chunks": (
        described((7, 2), ((0, 0), (3, 2)), ((4, 0), (3, 2))),
        lambda n: [placed("bad.weight", (0, 0), n), placed("bad.weight", (4, 0), n)],
        "its chunks overlap or leave gaps",
    ),
    "chunks that overlap": (
        described((5, 2), ((0, 0), (3, 2)), ((2, 0), (3, 2))),
        lambda n: [placed("bad.weight", (0, 0), n), placed("bad.weight", (2, 0), n)],
        "its chunks overlap or leave gaps",
    ),
    "no chunks": (described((3, 2)), lambda n: [], "its chunks overlap or leave gaps"),
    "complex numbers": (described((3, 2), ((0, 0), (3, 2)), dtype="complex64"), lambda n: [], "of the type complex64"),
}


@pytest.mark.parametrize("name", SKIPPED)
def test_tensors_that_cannot_be_read_cost_only_themselves(tmp_path: Path, name: str) -> None:
    told, places, reason = SKIPPED[name]
    n = length_of(tmp_path / "x")
    tensors = {"emb.weight": WHOLE, "bad.weight": told}
    reader = read(write(tmp_path / "x", tensors, placed("emb.weight", (0, 0), n), *places(n)))
    assert [info.name for info in reader.matrices] == ["emb.weight"]
    assert [message.params["tensor"] for message in reader.skipped] == ["bad.weight"]
    assert reason in reader.skipped[0].text


@pytest.mark.parametrize("file", ["../outside", "/etc/passwd", "a\\b", "", "..", "x\0y"])
def test_files_that_do_not_lie_beside_the_metadata(tmp_path: Path, file: str) -> None:
    (tmp_path / "outside").write_bytes(bytes(2000))
    with pytest.raises(DamagedError, match="it names files that do not lie beside it"):
        read(write(tmp_path / "x", {"emb.weight": WHOLE}, placed("emb.weight", (0, 0), 700, file)))


@pytest.mark.parametrize(("offset", "length"), [(0, 10**6), (10**6, 10), (-1, 700), (0, -1), (1 << 62, 1 << 62)])
def test_chunks_past_the_end_of_their_file(tmp_path: Path, offset: int, length: int) -> None:
    with pytest.raises(IncompleteError, match="a part lies past the end"):
        read(write(tmp_path / "x", {"emb.weight": WHOLE}, placed("emb.weight", (0, 0), length, offset=offset)))


@pytest.mark.parametrize(
    "told",
    [
        described((2, 3), ((0, 0), (2, 3))),
        described((3, 2), ((0, 0), (3, 2)), dtype="float16"),
        described((9, 9), ((0, 0), (9, 9))),
    ],
)
def test_a_chunk_that_holds_another_tensor(tmp_path: Path, told: bytes) -> None:
    length = length_of(tmp_path / "x")
    reader = read(write(tmp_path / "x", {"emb.weight": told}, placed("emb.weight", (0, 0), length)))
    with pytest.raises(DamagedError, match="is not the tensor that the metadata tells of"):
        reader.read_rows("emb.weight", 0, 1)


def test_a_chunk_that_calls_functions(tmp_path: Path) -> None:
    """Each chunk is a pickle of its own, and as inert as the metadata."""
    (tmp_path / "x").mkdir()
    evil = call("posix", "system", value(f"touch {tmp_path}/canary"))
    length = write_archive(tmp_path / "x" / "__0_0.distcp", evil).stat().st_size
    places = b"}(" + placed("emb.weight", (0, 0), length) + b"u"
    body = instance("Metadata", state_dict_metadata=mapping({"emb.weight": WHOLE}), storage_data=places)
    (tmp_path / "x" / ".metadata").write_bytes(program(body))
    with pytest.raises(UnsupportedError, match=r"posix\.system"):
        read(tmp_path / "x").read_rows("emb.weight", 0, 1)
    (tmp_path / "x" / ".metadata").write_bytes(program(evil))
    with pytest.raises(UnsupportedError, match=r"posix\.system"):
        read(tmp_path / "x")
    assert not (tmp_path / "canary").exists()


@pytest.mark.parametrize("content", [pickle.dumps({"a": 1}), pickle.dumps([]), program(instance("Metadata"))])
def test_metadata_of_something_else(tmp_path: Path, content: bytes) -> None:
    (tmp_path / ".metadata").write_bytes(content)
    with pytest.raises(UnsupportedError, match="is not the metadata of a distributed checkpoint"):
        read(tmp_path)
    assert ef.open_logdir(tmp_path).problems == ()


def test_a_tensor_that_is_also_a_group(tmp_path: Path) -> None:
    length = length_of(tmp_path / "x")
    folder = write(tmp_path / "x", {"a": WHOLE, "b": WHOLE}, placed("a", (0, 0), length), placed("b", (0, 0), length))
    body = (folder / ".metadata").read_bytes()
    paths = mapping({"a": value(("model",)), "b": value(("model", "emb.weight"))})
    (folder / ".metadata").write_bytes(body[:-3] + value("planner_data") + paths + body[-3:])
    with pytest.raises(DamagedError, match="model is both a tensor and a group of them"):
        read(folder)


def test_in_a_log_directory(fixtures_dir: Path, tmp_path: Path) -> None:
    """Each directory is one checkpoint, called like it; one that is still being written has no metadata and is not there yet."""
    logs = Path(shutil.copytree(fixtures_dir / "distributed" / "files", tmp_path / "logs" / "run"))
    (logs / "step-500").mkdir()
    (logs / "step-500" / "__0_0.distcp").write_bytes(b"PK\3\4")
    log = ef.open_logdir(tmp_path / "logs")
    assert [(run.name, [item.id for item in run.checkpoints]) for run in log.runs] == [
        ("run", ["run/step-200", "run/step-400"]),
        ("run/model_300", ["run/model_300"]),
    ]
    assert log.problems == ()


def test_names_are_those_of_the_model(fixtures_dir: Path) -> None:
    checkpoint = ef.open_checkpoint(fixtures_dir / "distributed" / "files" / "step-400")
    assert checkpoint.format == "torch-distributed"
    assert checkpoint["words"].name == "words.weight"
    with pytest.raises(EmbfactorError):
        checkpoint["exp_avg"]
    f = ef.factorize(checkpoint["words"])
    rows = np.concatenate(list(checkpoint["words"].blocks())).astype(np.float64)
    assert np.allclose(f.singular_values, np.linalg.svd(rows, compute_uv=False), rtol=1e-6)
