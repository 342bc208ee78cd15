"""TensorFlow checkpoints: those of the framework through the contract, and by hand what it would not write."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import ml_dtypes
import numpy as np
import pytest

from tb_embfactor.errors import DamagedError, EmbfactorError, IncompleteError, UnsupportedError
from tb_embfactor.formats import Reader, bundle_protos
from tb_embfactor.formats.bundle import _ordered_integer, _slice_key
from tb_embfactor.formats.graph_roles import find_roles
from tb_embfactor.formats.variable_names import find_slots, guess_role
from tests.formats.bundle_writer import graph, table, write_bundle
from tests.formats.contract import Checkpoint, Contract, load_case, open_reader

CASES = [
    "tf_functional", "tf_sequential", "tf_subclassed", "tf_keras_weights", "tf_module", "tf_slots", "tf_saver", "saved_model",
    "saved_model_1", "estimator", "adagrad", "hash_tables", "planted",
]  # fmt: skip
GRAPH_KEY = "_CHECKPOINTABLE_OBJECT_GRAPH"
VALUES = np.arange(24, dtype=np.float32).reshape(6, 4)


class TestFrameworkFiles(Contract):
    @pytest.fixture(params=CASES)
    def case(self, request: pytest.FixtureRequest, fixtures_dir: Path) -> list[Checkpoint]:
        return [checkpoint for checkpoint in load_case(fixtures_dir / request.param) if checkpoint.format == "tf-checkpoint"]


def read(tmp_path: Path, name: str = "ckpt") -> Reader:
    return open_reader(tmp_path / name, "tf-checkpoint")


# ---- numbers


@pytest.mark.parametrize(("directory", "step"), [("step_300", 300), ("12", 12), ("1596038821", None), ("model", None)])
def test_a_saved_model_is_numbered_by_its_directory(tmp_path: Path, directory: str, step: int | None) -> None:
    folder = tmp_path / directory / "variables"
    folder.mkdir(parents=True)
    write_bundle(folder, "variables", {"w": VALUES})
    assert read(folder, "variables").step == step


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64", "int16", "int64", "int8", "bfloat16", "float8_e5m2"])
def test_big_endian(tmp_path: Path, dtype: str) -> None:
    values = VALUES.astype(getattr(ml_dtypes, dtype, dtype))
    root = graph({"children": {"table": 1}}, {"key": "w"})
    write_bundle(tmp_path, "ckpt", {"w": values, GRAPH_KEY: root}, big_endian=True)
    reader = read(tmp_path)
    rows = reader.read_rows("table", 2, 5)
    assert rows.dtype == values.dtype
    assert rows.tobytes() == values[2:5].tobytes()


def flip_a_byte_of_the_data(folder: Path, position: int) -> None:
    path = folder / "ckpt.data-00000-of-00001"
    data = bytearray(path.read_bytes())
    data[position] ^= 1
    path.write_bytes(data)


@pytest.mark.parametrize("block_rows", [1, 4, 6])
def test_a_pass_over_all_rows_verifies_the_checksum(tmp_path: Path, block_rows: int) -> None:
    write_bundle(tmp_path, "ckpt", {"w": VALUES})
    flip_a_byte_of_the_data(tmp_path, 40)
    reader = read(tmp_path)
    reader.read_rows("w", 2, 6)  # not a pass from the first row, so it cannot be verified
    last = 6 - (6 % block_rows or block_rows)
    for start in range(0, last, block_rows):
        reader.read_rows("w", start, start + block_rows)
        reader.read_rows("w", start, start + block_rows)  # a look back does not disturb the pass
    with pytest.raises(DamagedError, match="checksum"):
        reader.read_rows("w", last, 6)


def test_a_sound_matrix_passes_many_times(tmp_path: Path) -> None:
    write_bundle(tmp_path, "ckpt", {"w": VALUES})
    reader = read(tmp_path)
    for _ in range(3):
        assert [reader.read_rows("w", start, start + 2)[0, 0] for start in (0, 2, 4)] == [0, 8, 16]


def test_checksums_of_slices_are_verified(fixtures_dir: Path, tmp_path: Path) -> None:
    checkpoint = load_case(fixtures_dir / "tf_saver")[0].copy_to(tmp_path)
    values = checkpoint.arrays["rows"]
    for path in checkpoint.files():
        data = path.read_bytes()
        if ".data-" in path.name and (at := data.find(values[:2].tobytes())) >= 0:
            path.write_bytes(data[: at + 3] + bytes([data[at + 3] ^ 1]) + data[at + 4 :])
    with checkpoint.open() as reader, pytest.raises(DamagedError, match="checksum"):
        reader.read_rows("rows", 0, len(values))


# ---- the index: one tensor is left out, or the file is refused


def set_shape(*sizes: int) -> Callable[[str, Any], None]:
    def edit(name: str, entry: Any) -> None:
        if name == "w":
            del entry.shape.dim[:]
            for size in sizes:
                entry.shape.dim.add(size=size)

    return edit


def set_field(field: str, value: int) -> Callable[[str, Any], None]:
    return lambda name, entry: setattr(entry, field, value) if name == "w" else None


@pytest.mark.parametrize(
    ("edit", "reason"),
    [
        (set_shape(6, 5), "does not fit its shape"),
        (set_field("size", 95), "does not fit its shape"),
        (set_field("size", -96), "does not fit its shape"),
        (set_field("offset", 1 << 40), "past the end"),
        (set_field("offset", -1), "past the end"),
        (set_field("shard_id", 7), "is not there"),
        (set_field("shard_id", -1), "is not there"),
        (set_field("dtype", 7), "type string"),
        (set_field("dtype", 10), "type bool"),
        (set_field("dtype", 20), "type resource"),
        (set_field("dtype", 999), "type number 999"),
    ],
)
def test_a_tensor_that_cannot_be_read_is_left_out(tmp_path: Path, edit: Callable[[str, Any], None], reason: str) -> None:
    write_bundle(tmp_path, "ckpt", {"sound": VALUES, "w": VALUES}, edit=edit)
    reader = read(tmp_path)
    assert [info.name for info in reader.matrices] == ["sound"]
    assert [reason in message.text for message in reader.skipped] == [True]


@pytest.mark.parametrize(
    ("options", "error", "text"),
    [
        ({"edit": set_shape(-6, -4)}, DamagedError, "shape"),
        ({"edit": set_shape(1 << 62, 4)}, DamagedError, "shape"),
        ({"edit": set_shape(1 << 40, 0)}, None, ""),
        ({"n_shards": 2**31 - 1}, DamagedError, "data files"),
        ({"extra": {b"": b""}}, DamagedError, "data files"),
        ({"extra": {b"": b"\xff\xff"}}, DamagedError, "DecodeError"),
        ({"extra": {b"x": b"\x0a"}}, DamagedError, "DecodeError"),
        ({"extra": {b"\xff\xfe": b""}}, DamagedError, "UnicodeDecodeError"),
    ],
)
def test_an_index_that_contradicts_itself(
    tmp_path: Path, options: dict[str, Any], error: type[EmbfactorError] | None, text: str
) -> None:
    write_bundle(tmp_path, "ckpt", {"w": VALUES}, **options)
    if error is None:
        read(tmp_path)
    else:
        with pytest.raises(error, match=text):
            read(tmp_path)


def test_data_file_missing_or_cut(tmp_path: Path) -> None:
    write_bundle(tmp_path, "ckpt", {"w": VALUES, "v": VALUES})
    data = tmp_path / "ckpt.data-00000-of-00001"
    data.write_bytes(data.read_bytes()[:-1])
    with pytest.raises(IncompleteError, match="191"):
        read(tmp_path)
    data.unlink()
    with pytest.raises(IncompleteError, match="not there"):
        read(tmp_path)


def test_one_data_file_of_two_is_missing(fixtures_dir: Path, tmp_path: Path) -> None:
    checkpoint = load_case(fixtures_dir / "tf_saver")[-1].copy_to(tmp_path)
    late = tmp_path / f"{checkpoint.name}.data-00001-of-00002"
    content = late.read_bytes()
    late.unlink()
    with checkpoint.open() as reader:
        assert [message.params["tensor"] for message in reader.skipped] == ["optimizers/Adam"]
        assert len(reader.matrices) == 4
        before = reader.fingerprint()
        late.write_bytes(content)
        assert reader.fingerprint() != before  # so it is opened again, and then all is there


def write_slices(folder: Path, extents: list[tuple[int, int]], dtype: int = 1) -> None:
    """A 6 × 4 tensor in slices of rows (start, length)."""
    protos = bundle_protos.load()
    whole = protos.Entry(dtype=1)
    for size in VALUES.shape:
        whole.shape.dim.add(size=size)
    extra = {}
    for start, length in extents:
        part = whole.slices.add()
        part.extent.add(start=start, length=length)
        part.extent.add()
        entry = protos.Entry(dtype=dtype, offset=start * 16, size=length * 16)
        entry.shape.dim.add(size=length)
        entry.shape.dim.add(size=4)
        extra[_slice_key("sliced", [(start, length), (0, -1)])] = entry.SerializeToString()
    extra[b"sliced"] = whole.SerializeToString()
    write_bundle(folder, "ckpt", {"w": VALUES}, extra=extra)


@pytest.mark.parametrize("extents", [[(0, 2), (3, 3)], [(0, 4), (3, 3)], [(0, 3), (3, 2)], [(0, 3), (0, 3)]])
def test_slices_that_do_not_tile_the_tensor(tmp_path: Path, extents: list[tuple[int, int]]) -> None:
    write_slices(tmp_path, extents)
    reader = read(tmp_path)
    assert [info.name for info in reader.matrices] == ["w"]
    assert len(reader.skipped) == 1


def test_slices_of_another_type(tmp_path: Path) -> None:
    write_slices(tmp_path, [(0, 6)], dtype=7)
    assert [info.name for info in read(tmp_path).matrices] == ["w"]


def test_ten_thousand_slices_take_no_time(tmp_path: Path) -> None:
    protos = bundle_protos.load()
    values = np.arange(40_000, dtype=np.float32).reshape(10_000, 4)
    whole = protos.Entry(dtype=1)
    whole.shape.dim.add(size=10_000)
    whole.shape.dim.add(size=4)
    extra = {}
    for row in range(10_000):
        part = whole.slices.add()
        part.extent.add(start=row, length=1)
        part.extent.add()
        entry = protos.Entry(dtype=1, offset=row * 16, size=16)
        entry.shape.dim.add(size=1)
        entry.shape.dim.add(size=4)
        extra[_slice_key("sliced", [(row, 1), (0, -1)])] = entry.SerializeToString()
    extra[b"sliced"] = whole.SerializeToString()
    write_bundle(tmp_path, "ckpt", {"w": values}, extra=extra)
    assert [info.name for info in read(tmp_path).matrices] == ["sliced", "w"]


@pytest.mark.parametrize(
    ("value", "encoded"),
    [
        (0, "80"),
        (-1, "7f"),
        (63, "bf"),
        (-64, "40"),
        (64, "c040"),
        (-65, "3fbf"),
        (8191, "dfff"),
        (8192, "e02000"),
        (10**6, "ef4240"),
    ],
)
def test_integers_in_the_keys_of_slices(value: int, encoded: str) -> None:
    """Golden values of OrderedCode, in whose encoding the bytes sort as the numbers do."""
    assert _ordered_integer(value).hex() == encoded


# ---- the object graph


def test_variables_of_an_optimizer_are_left_out_by_structure(tmp_path: Path) -> None:
    names = ["emb", "m", "v", "momentum_of_the_song", "slot"]
    root = graph(
        {"children": {"model": 1, "optimizer": 2}},
        {"children": {"_embeddings": 3, "Adam": 6}},
        {"children": {"_iterations": 8, "_variables": 4, "_trainable_variables": 9}, "slots": [("m", 3, 7)]},
        {"key": "emb", "full_name": "emb"},
        {"children": {"0": 5, "1": 10}},
        {"key": "m", "full_name": "adam/emb_momentum"},
        {"key": "momentum_of_the_song", "full_name": "momentum_of_the_song"},
        {"key": "slot"},
        {"key": "count"},
        {"children": {"0": 3}},
        {"key": "v"},
    )
    write_bundle(tmp_path, "ckpt-3", {**dict.fromkeys(names, VALUES), "count": np.int64(20), GRAPH_KEY: root})
    reader = read(tmp_path, "ckpt-3")
    assert [info.name for info in reader.matrices] == ["model/embeddings", "model/Adam"]
    assert reader.step == 20


def test_a_trainer_with_a_learning_rate_is_no_optimizer(tmp_path: Path) -> None:
    trainer = {"iterations": 2, "learning_rate": 3, "model": 4}
    root = graph(
        {"children": {"trainer": 1}}, {"children": trainer}, {"key": "n"}, {"key": "rate"}, {"children": {"w": 5}}, {"key": "w"}
    )
    write_bundle(tmp_path, "ckpt", {"w": VALUES, "n": np.int64(30), "rate": np.float32(0.1), GRAPH_KEY: root})
    reader = read(tmp_path)
    assert [info.name for info in reader.matrices] == ["trainer/model/w"]
    assert reader.step == 30


def test_cycles_and_unreachable_objects(tmp_path: Path) -> None:
    root = graph(
        {"children": {"root": 0, "a": 1}}, {"children": {"back": 0, "w": 2}}, {"key": "w"}, {"children": {"w": 2, "self": 3}}
    )
    write_bundle(tmp_path, "ckpt", {"w": VALUES, "lonely": VALUES, GRAPH_KEY: root})
    assert [info.name for info in read(tmp_path).matrices] == ["a/w", "lonely"]


@pytest.mark.parametrize("target", [9, -1])
def test_an_object_that_is_not_there(tmp_path: Path, target: int) -> None:
    write_bundle(tmp_path, "ckpt", {"w": VALUES, GRAPH_KEY: graph({"children": {"a": target}})})
    with pytest.raises(DamagedError, match="object graph"):
        read(tmp_path)


def test_a_chain_of_objects_deeper_than_any_program(tmp_path: Path) -> None:
    n = 50_000
    nodes: list[dict[str, Any]] = [{"children": {"next": k + 1, "w": n + 1}} for k in range(n)]
    nodes += [{"key": "deep"}, {"key": "w"}]
    write_bundle(tmp_path, "ckpt", {"deep": VALUES, "w": VALUES, GRAPH_KEY: graph(*nodes)})
    assert {info.name for info in read(tmp_path).matrices} == {"deep", "w"}


def test_names_are_unique_whatever_the_graph_says(tmp_path: Path) -> None:
    root = graph({"children": {"a": 1, "b": 2, "c": 3}}, {"key": "b"}, {"key": "x"}, {"children": {"d": 4}}, {"key": "b"})
    write_bundle(tmp_path, "ckpt", {"b": VALUES, "x": VALUES, "a": VALUES, GRAPH_KEY: root})
    names = [info.name for info in read(tmp_path).matrices]
    assert len(names) == len(set(names)) == 3


def test_damaged_graph(tmp_path: Path) -> None:
    write_bundle(tmp_path, "ckpt", {"w": VALUES, GRAPH_KEY: b"\xff\xff\xff"})
    with pytest.raises(DamagedError):
        read(tmp_path)
    write_bundle(tmp_path, "ckpt", {"w": VALUES, GRAPH_KEY: graph({"children": {"w": 1}}, {"key": "w"})})
    flip_a_byte_of_the_data(tmp_path, -1)
    with pytest.raises(DamagedError, match="checksum"):
        read(tmp_path)


# ---- hash tables and accumulators


KEYS = [b"a", b"\xff", b"", b"long " * 50, b"x", b"y"]


@pytest.mark.parametrize("big_endian", [False, True])
def test_keys_that_are_words(tmp_path: Path, big_endian: bool) -> None:
    write_bundle(tmp_path, "ckpt", {"t-keys": KEYS, "t-values": VALUES}, big_endian=big_endian)
    reader = read(tmp_path)
    assert [(info.name, info.role, info.labels) for info in reader.matrices] == [("t", "embedding", ("key",))]
    assert reader.read_labels("t") == {"key": ["a", "\ufffd", "", "long " * 50, "x", "y"]}


def test_what_only_looks_like_a_hash_table(tmp_path: Path) -> None:
    tensors = {"a-keys": KEYS[:5], "a-values": VALUES, "b-values": VALUES, "c-keys": VALUES, "c-values": VALUES, "d-keys": KEYS}
    write_bundle(tmp_path, "ckpt", tensors)
    found = [(info.name, info.role, info.labels) for info in read(tmp_path).matrices]
    assert found == [(name, "other", ()) for name in ("a-values", "b-values", "c-keys", "c-values")]


def test_damaged_keys(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tensors = {"t-keys": KEYS, "t-values": VALUES}
    for field, value, error in (("size", 20, DamagedError), ("offset", 1, DamagedError), ("shard_id", 3, EmbfactorError)):
        write_bundle(
            tmp_path, "ckpt", tensors, edit=lambda name, entry, change=(field, value): _change_keys(name, entry, *change)
        )
        reader = read(tmp_path)
        assert reader.read_rows("t", 0, 6).tobytes() == VALUES.tobytes()
        with pytest.raises(error):
            reader.read_labels("t")
    write_bundle(tmp_path, "ckpt", tensors)
    flip_a_byte_of_the_data(tmp_path, 12)
    with pytest.raises(DamagedError, match="checksum of t-keys"):
        read(tmp_path).read_labels("t")
    monkeypatch.setattr("tb_embfactor.formats.tf_bundle.MAX_KEYS_BYTES", 10)
    with pytest.raises(UnsupportedError, match="limit is 10 bytes"):
        read(tmp_path).read_labels("t")


def _change_keys(name: str, entry: Any, field: str, value: int) -> None:
    if name == "t-keys":
        setattr(entry, field, value)


def test_an_accumulator_of_another_shape_is_not_offered(tmp_path: Path) -> None:
    root = graph(
        {"children": {"w": 1, "optimizer": 2}},
        {"key": "w"},
        {"children": {"_variables": 3, "iterations": 5}, "slots": [("accumulator", 1, 4)]},
        {"children": {}},
        {"key": "slot"},
        {"key": "n"},
    )
    for slot, labels in ((VALUES, ("squared gradients",)), (VALUES[:5], ()), (np.float32(1), ())):
        write_bundle(tmp_path, "ckpt", {"w": VALUES, "slot": slot, "n": np.int64(3), GRAPH_KEY: root})
        assert [(info.name, info.labels) for info in read(tmp_path).matrices] == [("w", labels)]


# ---- the graph of TensorFlow 1


def graph_of(*nodes: tuple[str, str, list[str]]) -> list[Any]:
    from tensorboard.compat.proto.node_def_pb2 import NodeDef

    return [NodeDef(name=name, op=op, input=inputs) for name, op, inputs in nodes]


def test_roles_follow_what_is_done_with_a_variable() -> None:
    found = find_roles(
        graph_of(
            ("table", "VarHandleOp", []),
            ("table/Read", "ReadVariableOp", ["table"]),
            ("look", "ResourceGather", ["table", "ids"]),
            ("tied", "MatMul", ["x", "table/Read:0"]),
            ("kernel/part_0", "VariableV2", []),
            ("kernel/part_0/read", "Identity", ["kernel/part_0"]),
            ("kernel/whole", "ConcatV2", ["kernel/part_0/read", "kernel/part_1/read", "axis"]),
            ("product", "MatMul", ["look", "kernel/whole"]),
            ("circle", "Identity", ["circle"]),
            ("look in a circle", "GatherV2", ["circle"]),
            ("look at nothing", "GatherV2", []),
            ("look nowhere", "GatherV2", ["^missing"]),
        )
    )
    assert found == {"table": "embedding", "kernel": "kernel"}


@pytest.mark.parametrize("content", [b"", b"\xff" * 100, b"\n\x05"])
def test_a_graph_that_cannot_be_read_is_no_obstacle(tmp_path: Path, content: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    write_bundle(tmp_path, "ckpt", {"items/w": VALUES})
    (tmp_path / "ckpt.meta").write_bytes(content)
    assert [info.role for info in read(tmp_path).matrices] == ["other"]
    monkeypatch.setattr("tb_embfactor.formats.graph_roles.MAX_META_BYTES", 1)
    assert [info.role for info in read(tmp_path).matrices] == ["other"]


# ---- names, steps, times


def test_slots_of_tensorflow_1() -> None:
    shapes = {
        "emb/table": (8, 3), "emb/table/Adam": (8, 3), "emb/table/Adam_1": (8, 3), "train/emb/table/m": (8, 3),
        "emb/Adam": (8, 3), "table": (8, 3), "emb/table/norms": (8, 1), "Momentum": (8, 3),
    }  # fmt: skip
    assert find_slots(shapes) == {"emb/table/Adam", "emb/table/Adam_1", "train/emb/table/m"}


@pytest.mark.parametrize(
    ("name", "role"),
    [
        ("bert/embeddings/word_embeddings", "embedding"),
        ("embedding/W", "embedding"),
        ("embeddings/hidden_mapping/kernel", "kernel"),
        ("w", "other"),
        ("embedding_scope/deeper/w", "other"),
    ],
)
def test_roles_of_tensorflow_1(name: str, role: str) -> None:
    assert guess_role(name) == role


@pytest.mark.parametrize(
    ("name", "tensors", "step"),
    [
        ("ckpt-300", {}, 300),
        ("cp-0010.ckpt", {}, 10),
        ("weights.05-0.32", {}, 5),
        ("model", {}, None),
        ("model", {"save_counter": 4}, 4),
        ("ckpt-4", {"save_counter": 4, "global_step": 1200}, 1200),
        ("ckpt-4", {"save_counter": 4, "step": 1200}, 1200),
        ("ckpt-4", {"save_counter": 4, "iterations": 1200, "step": 7}, 1200),
        ("ckpt-1", {"save_counter": 1, "iterations": 0}, 0),
        ("model-500", {"iterations": 0}, 500),
        ("ckpt-9", {"save_counter": 5}, 9),
    ],
)
def test_step(tmp_path: Path, name: str, tensors: dict[str, int], step: int | None) -> None:
    children = {key: position for position, key in enumerate(tensors, start=2)}
    optimizer = {"iterations": children.pop("iterations"), "learning_rate": 0} if "iterations" in children else {}
    root = graph({"children": {"optimizer": 1, **children}}, {"children": optimizer}, *({"key": key} for key in tensors))
    write_bundle(tmp_path, name, {"w": VALUES, GRAPH_KEY: root, **{key: np.int64(value) for key, value in tensors.items()}})
    assert read(tmp_path, name).step == step


def test_wall_time_from_the_state_file_beside_it(tmp_path: Path) -> None:
    write_bundle(tmp_path, "ckpt-1", {"w": VALUES})
    modified = read(tmp_path, "ckpt-1").wall_time
    state = tmp_path / "checkpoint"
    state.write_text(
        'model_checkpoint_path: "ckpt-2"\n'
        'all_model_checkpoint_paths: "/elsewhere/ckpt-1"\nall_model_checkpoint_paths: "ckpt-2"\n'
        "all_model_checkpoint_timestamps: 1600000000.5\nall_model_checkpoint_timestamps: 1600000900\n"
    )
    assert read(tmp_path, "ckpt-1").wall_time == 1600000000.5
    state.write_text('all_model_checkpoint_paths: "ckpt-1"\n')
    assert read(tmp_path, "ckpt-1").wall_time == modified
    state.write_bytes(b"\xff\xff")
    assert read(tmp_path, "ckpt-1").wall_time == modified


def test_a_file_that_is_called_index_and_is_none(tmp_path: Path) -> None:
    (tmp_path / "faiss.index").write_bytes(b"IxF2" + bytes(100))
    with pytest.raises(UnsupportedError, match="is not the index of a TensorFlow checkpoint"):
        read(tmp_path, "faiss")


def test_an_empty_table(tmp_path: Path) -> None:
    (tmp_path / "ckpt.index").write_bytes(table([]))
    with pytest.raises(DamagedError, match="0 data files"):
        read(tmp_path)
