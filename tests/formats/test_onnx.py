"""ONNX: what exporters write and all layouts of small numbers through the contract, the layout to the byte, files that lie."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pytest

import tb_embfactor as ef
from tb_embfactor.errors import ConfinementError, DamagedError, IncompleteError, ReadError, UnsupportedError
from tb_embfactor.formats import Reader, onnx_model
from tb_embfactor.formats.wire_format import decode_varints
from tests.formats.bundle_writer import varint
from tests.formats.contract import Checkpoint, Contract, load_case, open_reader


class TestFiles(Contract):
    @pytest.fixture(params=["onnx_torch", "onnx_bert", "onnx_scaled_tables", "onnx_scaled_kernels", "onnx_types", "onnx_graphs"])
    def case(self, request: pytest.FixtureRequest, fixtures_dir: Path) -> list[Checkpoint]:
        return load_case(fixtures_dir / request.param)


def test_through_the_whole_product(fixtures_dir: Path, tmp_path: Path) -> None:
    shutil.copytree(fixtures_dir / "onnx_bert" / "files", tmp_path, dirs_exist_ok=True)
    log = ef.open_logdir(tmp_path)
    assert log.problems == ()
    (checkpoint,) = log.runs[0].checkpoints
    assert (checkpoint.id, checkpoint.step, checkpoint.format) == ("checkpoint-500", 500, "onnx")
    matrix = checkpoint["word_embeddings"]
    rows = np.concatenate(list(matrix.blocks()))
    assert np.allclose(ef.factorize(matrix).singular_values, np.linalg.svd(rows.astype(np.float64), compute_uv=False), rtol=1e-6)
    query = checkpoint["query"]
    assert (query.name, query.info.stored_name is not None, query.has_bias) == (
        "bert.encoder.layer.0.attention.self.query.weight",
        True,
        True,
    )


# ---- the layout to the byte

VALUES = np.arange(6, dtype="<f4").reshape(3, 2)


def number(field: int, value: int) -> bytes:
    return varint(field << 3) + varint(value)


def part(field: int, content: bytes | str) -> bytes:
    data = content.encode() if isinstance(content, str) else content
    return varint(field << 3 | 2) + varint(len(data)) + data


def tensor(name: str = "table", dims: Iterable[int] = (3, 2), kind: int = 1, data: bytes = part(9, VALUES.tobytes())) -> bytes:
    return b"".join(number(1, length) for length in dims) + number(2, kind) + part(8, name) + data


def node(operation: str = "Gather", inputs: Iterable[str] = ("table", "ids"), more: bytes = b"") -> bytes:
    return b"".join(part(1, name) for name in inputs) + part(2, "rows") + part(4, operation) + more


def model(*tensors: bytes, nodes: bytes = part(1, node())) -> bytes:
    return number(1, 8) + part(7, nodes + b"".join(part(5, data) for data in tensors)) + part(8, number(2, 17))


def read(folder: Path, content: bytes) -> Reader:
    path = folder / "x.onnx"
    path.write_bytes(content)
    return open_reader(path, "onnx")


def test_the_layout_to_the_byte(tmp_path: Path) -> None:
    reader = read(
        tmp_path,
        b"\x08\x08"  # version 8
        b"\x3a\x35"  # the graph
        b"\x0a\x1a\x0a\x05table\x0a\x03ids\x12\x04rows\x22\x06Gather"  # an operation
        b"\x2a\x17\x08\x02\x08\x01\x10\x01\x42\x05table\x4a\x08\0\0\x80\x3f\0\0\0\xc0"  # 2 x 1 numbers of type 1
        b"\x42\x02\x10\x11",  # operations of version 17
    )
    assert reader.read_rows("table", 0, 2).tolist() == [[1.0], [-2.0]]


def test_a_small_model(tmp_path: Path) -> None:
    reader = read(tmp_path, model(tensor()))
    (info,) = reader.matrices
    assert (info.name, info.shape, info.dtype, info.role, info.layer) == ("table", (3, 2), "float32", "embedding", None)
    assert reader.read_rows("table", 0, 3).tolist() == VALUES.tolist()


def test_varints() -> None:
    values = [0, 1, 127, 128, 300, 1 << 31, (1 << 63) - 1, (1 << 64) - 1]
    assert decode_varints(b"".join(map(varint, values))).tolist() == values
    assert decode_varints(b"").tolist() == []
    for data in (b"\x80", b"\x01\x80", b"\xff" * 10 + b"\x01", b"\xff" * 100):
        with pytest.raises(ValueError, match="make no sense"):
            decode_varints(data)


# ---- hostile and damaged files

IDENTITIES = part(1, node("Identity", ["table"])) + part(1, node("Identity", ["rows"], part(2, "table")))


def nested(depth: int) -> bytes:
    graph = b""
    for _ in range(depth):
        graph = part(1, part(4, "If") + part(5, part(1, "then_branch") + part(6, graph)))
    return graph


DAMAGED = {
    "group, which nobody writes": number(1, 8) + varint(7 << 3 | 3),
    "wire type that there is not": number(1, 8) + varint(7 << 3 | 7),
    "field number 0": number(1, 8) + b"\x00\x01",
    "varint of 11 bytes": number(1, 8) + b"\xff" * 10 + b"\x01",
    "part longer than what it lies in": number(1, 8) + part(7, varint(5 << 3 | 2) + b"\x7f") + bytes(200),
    "graphs in graphs": model(nodes=nested(10)),
    "two tensors of one name": model(tensor(), tensor()),
}


@pytest.mark.parametrize("name", DAMAGED)
def test_damaged_files(tmp_path: Path, name: str) -> None:
    with pytest.raises(DamagedError, match=r"make no sense at byte \d+|lie more than 8 deep|two of its tensors are called table"):
        read(tmp_path, DAMAGED[name])


@pytest.mark.parametrize("content", [b"version https://git-lfs", b"PK\3\4" + bytes(40), b"<html>", bytes(100)])
def test_other_files(tmp_path: Path, content: bytes) -> None:
    with pytest.raises(UnsupportedError, match="is not a model of ONNX: it does not begin as one"):
        read(tmp_path, content)


@pytest.mark.parametrize("content", [b"", number(1, 8), number(1, 8) + part(8, number(2, 17)), model(tensor())[:-4]])
def test_files_being_written(tmp_path: Path, content: bytes) -> None:
    with pytest.raises(IncompleteError, match="tried again"):
        read(tmp_path, content)


@pytest.mark.parametrize("length", [1 << 31, (1 << 63) - 1, (1 << 64) - 1])
def test_a_part_longer_than_the_file(tmp_path: Path, length: int) -> None:
    with pytest.raises(IncompleteError, match="the parts that it is made of"):
        read(tmp_path, number(1, 8) + varint(7 << 3 | 2) + varint(length) + bytes(20))


def test_more_parts_or_text_than_allowed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    content = model(tensor(), nodes=part(1, node()) * 100)
    monkeypatch.setattr(onnx_model, "MAX_BYTES", 1000)
    with pytest.raises(UnsupportedError, match="what is not numbers in it is more, and the limit is 1,000"):
        read(tmp_path, content)
    monkeypatch.setattr(onnx_model, "MAX_BYTES", 10_000)
    monkeypatch.setattr(onnx_model, "MAX_FIELDS", 100)
    with pytest.raises(UnsupportedError, match="the number of its parts is more, and the limit is 100"):
        read(tmp_path, content)


def test_numbers_are_not_read_with_the_graph(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """4 GB of numbers, which take no place here, in a file that opens by its graph alone."""
    monkeypatch.setattr(onnx_model, "MAX_BYTES", 1000)
    n_rows = 1 << 28
    head = number(1, 1 << 28) + number(1, 4) + number(2, 1) + part(8, "table") + varint(9 << 3 | 2) + varint(16 * n_rows)
    graph = part(1, node()) + varint(5 << 3 | 2) + varint(len(head) + 16 * n_rows) + head
    start = number(1, 8) + varint(7 << 3 | 2) + varint(len(graph) + 16 * n_rows) + graph
    path = tmp_path / "large.onnx"
    with open(path, "wb") as file:
        file.write(start)
        file.truncate(len(start) + 16 * n_rows)
        file.seek(0, os.SEEK_END)
        file.write(part(8, number(2, 17)))
        file.seek(len(start) + 16 * 123_456_789)
        file.write(VALUES.tobytes()[:16])
    reader = open_reader(path, "onnx")
    assert reader.matrices[0].shape == (n_rows, 4)
    assert reader.read_rows("table", 123_456_789, 123_456_790).tolist() == [[0, 1, 2, 3]]


SKIPPED = {
    "dimension of 2⁶³": (tensor(dims=[1 << 63, 0]), r"its shape makes no sense \(\[9223372036854775808, 0\]\)"),
    "negative dimension": (tensor(dims=[(1 << 64) - 3, (1 << 64) - 2]), "its shape makes no sense"),
    "shape that overflows to the right size": (tensor(dims=[1 << 32, 1 << 32], data=part(9, b"")), "and 0 bytes"),
    "fewer bytes than numbers": (tensor(data=part(9, bytes(23))), r"it has the shape \(3, 2\) of the type float32, and 23 bytes"),
    "more bytes than numbers": (tensor(data=part(9, bytes(25))), "and 25 bytes"),
    "no numbers": (tensor(data=b""), "its numbers do not lie side by side"),
    "two lots of numbers": (tensor(data=part(9, bytes(12)) * 2), "its numbers do not lie side by side"),
    "numbers one by one": (tensor(data=b"".join(varint(4 << 3 | 5) + bytes(4) for _ in range(6))), "do not lie side by side"),
    "segments": (tensor(data=part(3, number(1, 0)) + part(9, VALUES.tobytes())), "it is cut into segments"),
    "floats of the type double": (tensor(kind=11, data=part(4, bytes(48))), "are written in a way that is not read"),
    "varints of another number": (tensor(kind=10, data=part(5, bytes(5))), "it has 5 numbers, and its shape wants 6"),
    "type that there is not": (tensor(kind=99), "of the type with the number 99, which is not read"),
}


@pytest.mark.parametrize("name", SKIPPED)
def test_tensors_that_lie(tmp_path: Path, name: str) -> None:
    lying, reason = SKIPPED[name]
    sound = tensor("sound")
    reader = read(tmp_path, model(lying, sound, nodes=part(1, node()) + part(1, node(inputs=["sound", "ids"]))))
    assert [info.name for info in reader.matrices] == ["sound"]
    (message,) = reader.skipped
    assert message.params["tensor"] == "table"
    assert re.search(reason, message.text)


@pytest.mark.parametrize(
    "nodes",
    {
        "circle": IDENTITIES,
        "very many uses": part(1, node("Identity")) * 20_000,
        "chain": b"".join(part(1, part(1, f"r{k}") + part(2, f"r{k + 1}") + part(4, "Identity")) for k in range(5000)),
    }.values(),
    ids=["circle", "very many uses", "chain"],
)
def test_graphs_without_an_end(tmp_path: Path, nodes: bytes) -> None:
    reader = read(tmp_path, model(tensor(), tensor("r0"), nodes=nodes))
    assert {info.name: info.role for info in reader.matrices} == {"table": "other", "r0": "other"}


def test_factors_that_are_made_of_themselves(tmp_path: Path) -> None:
    """What may be a one-hot vector, a scale or a bias, each the cast of its own cast."""
    casts = (part(1, part(1, one) + part(2, other) + part(4, "Cast")) for one, other in (("a", "b"), ("b", "a")))
    uses = (("MatMul", "a table rows"), ("Add", "rows a sum"), ("Cast", "small wide"), ("Mul", "wide a scaled"))
    nodes = [
        part(1, b"".join(part(1, name) for name in names.split()[:-1]) + part(2, names.split()[-1]) + part(4, operation))
        for operation, names in uses
    ]
    reader = read(tmp_path, model(tensor(), tensor("small", kind=3, data=part(9, bytes(6))), nodes=b"".join([*casts, *nodes])))
    assert [(info.name, info.role, info.bias) for info in reader.matrices] == [("table", "kernel", None)]


@pytest.mark.parametrize(
    ("attributes", "role"),
    [
        (b"", "embedding"),
        (number(3, 0), "embedding"),
        (number(3, (1 << 64) - 2), "embedding"),
        (number(3, 1), "other"),
        (number(3, (1 << 64) - 1), "other"),
    ],
)
def test_rows_and_columns_that_are_looked_up(tmp_path: Path, attributes: bytes, role: str) -> None:
    """Along the axis 0 or -2 rows are looked up; an attribute without a value has the value 0."""
    lookup = part(1, node(more=part(5, part(1, "axis") + attributes)))
    assert [info.role for info in read(tmp_path, model(tensor(), nodes=lookup)).matrices] == [role]


# ---- numbers in another file


def external(**told: str) -> bytes:
    pairs = b"".join(part(13, part(1, key) + part(2, value)) for key, value in told.items())
    return model(tensor(data=pairs + number(14, 1)))


@pytest.mark.parametrize("location", ["../secret.bin", "/etc/passwd", "sub/secret.bin", "", ".", "..", "a\\b", "x\0y"])
def test_numbers_that_do_not_lie_beside_the_file(tmp_path: Path, location: str) -> None:
    folder = tmp_path / "logs"
    (folder / "sub").mkdir(parents=True)
    for secret in (tmp_path / "secret.bin", folder / "sub" / "secret.bin"):
        secret.write_bytes(VALUES.tobytes())
    with pytest.raises(DamagedError, match="names files that do not lie beside it"):
        read(folder, external(location=location))


def test_numbers_behind_a_link_that_leaves_the_directory(tmp_path: Path) -> None:
    folder = tmp_path / "logs"
    folder.mkdir()
    (tmp_path / "secret.bin").write_bytes(VALUES.tobytes())
    (folder / "x.data").symlink_to(tmp_path / "secret.bin")
    with pytest.raises(ConfinementError):
        read(folder, external(location="x.data"))
    (folder / "x.data").unlink()
    os.mkfifo(folder / "x.data")
    with pytest.raises(ReadError, match="is a named pipe"):
        read(folder, external(location="x.data"))


@pytest.mark.parametrize(
    ("told", "reason"),
    [
        ({"location": "nowhere.data"}, "its file nowhere.data is not there"),
        ({"location": "x.data", "offset": "-1"}, "at a place that makes no sense"),
        ({"location": "x.data", "offset": "1e3"}, "at a place that makes no sense"),
        ({"location": "x.data", "offset": "9" * 5000}, "at a place that makes no sense"),
        ({"location": "x.data", "length": "23"}, "and 23 bytes"),
    ],
)
def test_places_that_lie(tmp_path: Path, told: dict[str, str], reason: str) -> None:
    (tmp_path / "x.data").write_bytes(bytes(100))
    (message,) = read(tmp_path, external(**told)).skipped
    assert reason in message.text


def test_another_file_being_written(tmp_path: Path) -> None:
    (tmp_path / "x.data").write_bytes(bytes(40) + VALUES.tobytes()[:-1])
    content = external(location="x.data", offset="40", length="24")
    with pytest.raises(IncompleteError, match=r"x\.data ends at byte 63, but 64 bytes are needed"):
        read(tmp_path, content)
    (tmp_path / "x.data").write_bytes(bytes(40) + VALUES.tobytes())
    assert read(tmp_path, content).read_rows("table", 1, 3).tolist() == VALUES[1:].tolist()


def test_tied_tables_in_another_file_are_one(tmp_path: Path) -> None:
    (tmp_path / "x.data").write_bytes(VALUES.tobytes())
    pairs = part(13, part(1, "location") + part(2, "x.data")) + number(14, 1)
    (info,) = read(tmp_path, model(tensor("first", data=pairs), tensor("second", data=pairs))).matrices
    assert (info.name, info.aliases) == ("first", ("second",))


def test_names_that_would_meet(tmp_path: Path) -> None:
    """Two products of one module, numbered by the exporter; and a tensor that is called like another without its ending."""
    names = ["onnx::MatMul_1", "onnx::MatMul_2", "x_quantized", "x"]
    nodes = b"".join(part(1, node("MatMul", ["in", name], part(3, "/a/b/MatMul"))) for name in names)
    found = read(tmp_path, model(*map(tensor, names), nodes=nodes)).matrices
    assert [info.name for info in found] == ["a.b.weight", "onnx::MatMul_2", "x_quantized", "x"]


# ---- what is left out, each with its reason


def test_packed_and_sparse_numbers(tmp_path: Path) -> None:
    packed = tensor("packed", (4, 2, 8), 2, part(9, bytes(64)))
    sparse = part(15, part(1, tensor("sparse", (6,))))
    nodes = part(1, node("MatMulNBits", ["x", "packed"])) + part(1, node(inputs=["sparse", "ids"])) + sparse
    reader = read(tmp_path, model(packed, tensor(), nodes=nodes))
    assert [info.name for info in reader.matrices] == ["table"]
    reasons = {message.params["tensor"]: message.params["reason"] for message in reader.skipped}
    assert reasons == {"packed": "its numbers are packed in blocks (MatMulNBits)", "sparse": "it is sparse"}


def test_scales_of_blocks_or_of_another_length(tmp_path: Path) -> None:
    small = tensor("small", (3, 2), 3, part(9, bytes(6)))
    blocks = part(5, part(1, "block_size") + number(3, 2))
    for length, more in ((3, blocks), (4, b"")):
        scale = tensor("scale", (length,), 1, part(9, bytes(4 * length)))
        nodes = part(1, node("DequantizeLinear", ["small", "scale"], more)) + part(1, node(inputs=["small", "ids"]))
        (message,) = read(tmp_path, model(small, scale, nodes=nodes)).skipped
        assert "its numbers are whole, and no scale for them was found in the graph" in message.text
