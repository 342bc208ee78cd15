"""Label files: how they are parsed, and which one belongs to which matrix."""

from __future__ import annotations

from pathlib import Path

import pytest
from npmat_format import events, matrix, write

from tb_embfactor.errors import ReadError
from tb_embfactor.formats import MatrixInfo
from tb_embfactor.logdir import Labels, Logdir, Scanner, open_logdir
from tb_embfactor.logdir import labels as labels_module
from tb_embfactor.logdir.label_search import layer_names
from tb_embfactor.logdir.labels import survey_file, typed_column
from tb_embfactor.logdir.projector_config import ConfigEntry, canonical, match_entries
from tb_embfactor.sources import Confinement


def labels_of(directory: Path, text: str | bytes, n_rows: int, name: str = "metadata.tsv") -> Labels:
    path = directory / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    file = survey_file(Confinement([directory], directory), path, is_table=name.endswith(".tsv"))
    return Labels(file, "tok", file.n_labels(n_rows))


def values(labels: Labels, n_rows: int) -> dict[str, list[object]]:
    return {column.name: column.values for column in labels.read(n_rows).columns}


# --- parsing


def test_one_column_has_no_header(tmp_path: Path) -> None:
    labels = labels_of(tmp_path, "the\ncat\nsat\n", 3)
    assert labels.to_json() == {"source": "metadata.tsv", "n_rows": 3, "columns": ["label"], "offset": 0}
    assert values(labels, 3) == {"label": ["the", "cat", "sat"]}
    assert labels.read(3).notes == ()


def test_several_columns_have_one(tmp_path: Path) -> None:
    labels = labels_of(tmp_path, "word\tcount\nthe\t10\ncat\t2.5\n", 2)
    assert (labels.n_rows, labels.columns) == (2, ("word", "count"))
    table = labels.read(2)
    assert [(column.name, column.kind, column.values) for column in table.columns] == [
        ("word", "text", ["the", "cat"]),
        ("count", "number", [10, 2.5]),
    ]


@pytest.mark.parametrize("ending", ["\n", ""])
def test_the_last_line_may_lack_its_end(tmp_path: Path, ending: str) -> None:
    assert labels_of(tmp_path, "a\nb" + ending, 2).n_rows == 2


@pytest.mark.parametrize(
    ("text", "n_rows", "expected"),
    [
        ("a\r\nb\r\n", 2, ["a", "b"]),
        ("\ufeffa\nb\n", 2, ["a", "b"]),
        ('"a\nb"\n', 2, ['"a', 'b"']),  # no quoting
        ("a\u2028x\nb\x0cy\n", 2, ["a\u2028x", "b\x0cy"]),  # only a newline ends a line
        ("a\rx\nb\n", 2, ["a\rx", "b"]),
        ("a\n\nb\n", 3, ["a", None, "b"]),  # a blank line is a row's label where that fits
        ("a\n\nb\n", 2, ["a", "b"]),  # and dropped, as TensorBoard drops it, where that fits
        ("\na\nb\n", 3, [None, "a", "b"]),
        ("a\nb\n\n\n", 2, ["a", "b"]),  # blank lines at the end are never labels
        ("字\n🙂\n", 2, ["字", "🙂"]),
        (b"\xff\xfe\nb\n", 2, ["\ufffd\ufffd", "b"]),
    ],
)
def test_lines(tmp_path: Path, text: str | bytes, n_rows: int, expected: list[str]) -> None:
    labels = labels_of(tmp_path, text, n_rows)
    assert labels.n_rows == n_rows
    assert values(labels, n_rows) == {"label": expected}


def test_crlf_columns(tmp_path: Path) -> None:
    labels = labels_of(tmp_path, "word\tkind\r\na\tx\r\nb\ty\r\n", 2)
    assert values(labels, 2) == {"word": ["a", "b"], "kind": ["x", "y"]}


def test_ragged_rows_and_odd_headers(tmp_path: Path) -> None:
    labels = labels_of(tmp_path, "\n\nw\tw\t\n a \n\tx\ty\tz\n", 2)
    assert labels.columns == ("w", "w (2)", "column 3")
    assert values(labels, 2) == {"w": [" a ", None], "w (2)": [None, "x"], "column 3": [None, "y"]}


def test_vocabulary(tmp_path: Path) -> None:
    labels = labels_of(tmp_path, "\n[UNK]\na\tb\n\n c\n", 5, "vocab.txt")
    assert (labels.columns, labels.n_rows) == (("token",), 5)
    assert values(labels, 5) == {"token": [None, "[UNK]", "a\tb", None, " c"]}


def test_too_few_and_too_many(tmp_path: Path) -> None:
    labels = labels_of(tmp_path, "a\nb\nc\n", 3)
    table = labels.read(5)
    assert table.columns[0].values == ["a", "b", "c", None, None]
    (note,) = table.notes
    assert (note.code, note.params) == (
        "labels_short",
        {"path": "metadata.tsv", "n_labels": 3, "matrix": "tok", "n_rows": 5, "n_missing": 2},
    )
    table = labels.read(1)
    assert table.columns[0].values == ["a"]
    assert (table.notes[0].code, table.notes[0].params["n_extra"]) == ("labels_long", 2)
    assert labels.read(0).columns[0].values == []


def test_an_offset_shifts_the_labels(tmp_path: Path) -> None:
    labels = labels_of(tmp_path, "a\nb\n", 2)
    shifted = Labels(labels.file, "tok", 2, offset=1)
    table = shifted.read(3)
    assert (table.columns[0].values, table.notes) == ([None, "a", "b"], ())
    assert shifted.read(2).columns[0].values == [None, "a"]


def test_a_file_that_changed_after_the_survey_is_read_as_it_is(tmp_path: Path) -> None:
    labels = labels_of(tmp_path, "a\nb\n", 2)
    (tmp_path / "metadata.tsv").write_text("word\tcount\nx\t1\ny\t2\nz\t3\n")
    table = labels.read(2)
    assert [column.values for column in table.columns] == [["x", "y"], [1, 2]]
    assert table.notes[0].params["n_labels"] == 3


@pytest.mark.parametrize(
    ("texts", "kind", "expected"),
    [
        (["1", "-2.5", "3e4", ".5", "+7", None], "number", [1, -2.5, 3e4, 0.5, 7, None]),
        (["1", "nan"], "text", ["1", "nan"]),
        (["1", "1e999"], "text", ["1", "1e999"]),
        (["1_000", "2_000"], "text", ["1_000", "2_000"]),
        (["٣", "٤"], "text", ["٣", "٤"]),
        (["noun", "verb", "noun", None], "category", ["noun", "verb", "noun", None]),
        (["a", "b", "c"], "text", ["a", "b", "c"]),
        (["0", "1", "0", "9"], "category", ["0", "1", "0", "9"]),
        (["0.5", "1", "0.5"], "number", [0.5, 1, 0.5]),
        ([str(i % 12) for i in range(30)], "category", [str(i % 12) for i in range(30)]),
        ([str(i % 13) for i in range(30)], "number", [i % 13 for i in range(30)]),
        ([f"w{i % 50}" for i in range(60)], "category", [f"w{i % 50}" for i in range(60)]),
        ([f"w{i % 51}" for i in range(60)], "text", [f"w{i % 51}" for i in range(60)]),
        ([None, None], "text", [None, None]),
        (["123456789012345678901234567890", "1"], "number", [123456789012345678901234567890.0, 1]),
    ],
)
def test_kinds(texts: list[str | None], kind: str, expected: list[object]) -> None:
    column = typed_column("x", texts)
    assert (column.kind, column.values) == (kind, expected)


def test_chunk_borders_do_not_matter(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text = "\ufeffword\tn\r\n" + "".join(f"wörd{i}\t{i}\r\n" for i in range(40)) + "\r\n"
    expected = values(labels_of(tmp_path, text, 40), 40)
    assert expected["word"][:2] == ["wörd0", "wörd1"]
    for size in (3, 4, 5, 7, 64):  # the first chunk holds the byte order mark
        monkeypatch.setattr(labels_module, "_CHUNK_BYTES", size)
        assert values(labels_of(tmp_path, text, 40), 40) == expected


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (b"", "it holds no labels"),
        (b"\n\n", "it holds no labels"),
        (b"word\tcount\n", "it holds no labels"),
        (b"\x89PNG\0\0\n", "it is not a text file"),
        (b"x" * 1_100_000, "it has a line longer than 1,048,576 bytes"),
        (b"x" * 1_100_000 + b"\na\n", "it has a line longer than 1,048,576 bytes"),
        (b"a\t" * 300 + b"\na\n", "it has 301 columns, and the limit is 200"),
    ],
)
def test_what_cannot_be_used(tmp_path: Path, text: bytes, reason: str) -> None:
    with pytest.raises(ReadError) as error:
        labels_of(tmp_path, text, 1)
    assert (error.value.code, error.value.message.params["reason"]) == ("labels_unreadable", reason)


def test_a_huge_file_is_refused_by_its_size(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(labels_module, "MAX_FILE_BYTES", 10)
    with pytest.raises(ReadError) as error:
        labels_of(tmp_path, "a\n" * 20, 1)
    assert error.value.code == "file_too_large"


# --- which file


def sources(logdir: Logdir) -> dict[str, str | None]:
    """The label file of each matrix of the only checkpoint."""
    (checkpoint,) = (checkpoint for run in logdir.runs for checkpoint in run.checkpoints)
    return {m.name: m.labels.source if m.labels else None for m in checkpoint.matrices}


def put(path: Path, n_rows: int = 4) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(f"w{i}\n" for i in range(n_rows)))


def test_metadata_comes_before_vocabulary_and_nearer_before_farther(tmp_path: Path) -> None:
    write(tmp_path / "run" / "ckpt" / "a.npmat")
    for path in ("metadata.tsv", "run/vocab.txt", "run/metadata.tsv", "run/ckpt/vocab.txt", "run/ckpt/metadata.tsv"):
        put(tmp_path / path)
        assert sources(open_logdir(tmp_path)) == {"tok/embeddings": path}


def test_a_file_that_fits_comes_before_one_that_does_not(tmp_path: Path) -> None:
    write(tmp_path / "run" / "ckpt" / "a.npmat")
    put(tmp_path / "run" / "ckpt" / "metadata.tsv", 5)
    assert sources(open_logdir(tmp_path)) == {"tok/embeddings": "run/ckpt/metadata.tsv"}
    put(tmp_path / "vocab.txt", 4)
    assert sources(open_logdir(tmp_path)) == {"tok/embeddings": "vocab.txt"}


def test_above_the_run_only_an_equal_count_fits(tmp_path: Path) -> None:
    events(tmp_path / "run")
    write(tmp_path / "run" / "ckpt" / "a.npmat")
    put(tmp_path / "metadata.tsv", 5)
    assert sources(open_logdir(tmp_path)) == {"tok/embeddings": None}
    put(tmp_path / "run" / "metadata.tsv", 5)
    assert sources(open_logdir(tmp_path)) == {"tok/embeddings": "run/metadata.tsv"}


def test_the_directory_of_the_run_counts_where_it_is_no_ancestor(tmp_path: Path) -> None:
    events(tmp_path / "run" / "train")
    write(tmp_path / "run" / "ckpt" / "a.npmat")
    put(tmp_path / "run" / "train" / "metadata.tsv")
    assert sources(open_logdir(tmp_path)) == {"tok/embeddings": "run/train/metadata.tsv"}


def test_plain_files_go_to_embeddings_of_as_many_rows(tmp_path: Path) -> None:
    matrices = [matrix("tok"), matrix("pos", (6, 3)), matrix("tag", (4, 2)), matrix("dense", (4, 3), role="kernel")]
    write(tmp_path / "a.npmat", matrices)
    put(tmp_path / "metadata.tsv", 4)
    expected = {"tok": "metadata.tsv", "pos": None, "tag": "metadata.tsv", "dense": None}
    assert sources(open_logdir(tmp_path)) == expected
    put(tmp_path / "vocab.txt", 6)
    assert sources(open_logdir(tmp_path)) == {**expected, "pos": "vocab.txt"}


def test_files_that_name_the_layer(tmp_path: Path) -> None:
    matrices = [
        matrix("enc/tok/embeddings", layer="tok"),
        matrix("pos.weight", (6, 3)),
        matrix("out/kernel", (4, 3), role="kernel"),
    ]
    write(tmp_path / "a.npmat", matrices)
    put(tmp_path / "metadata.tsv", 4)
    put(tmp_path / "tok_vocab.txt", 3)
    put(tmp_path / "metadata_pos.tsv", 6)
    put(tmp_path / "out_metadata.tsv", 4)
    assert sources(open_logdir(tmp_path)) == {
        "enc/tok/embeddings": "tok_vocab.txt",
        "pos.weight": "metadata_pos.tsv",
        "out/kernel": "out_metadata.tsv",
    }


def test_layer_names() -> None:
    info = MatrixInfo("model/tok emb/embeddings", (1, 1), "float32", "embedding", layer="net/tok emb")
    names = layer_names(info)
    assert {"net/tok emb", "net_tok_emb", "tok emb", "tok_emb", "model/tok emb", "model_tok_emb"} <= set(names)
    assert layer_names(MatrixInfo("embeddings", (1, 1), "float32", "embedding")) == ["embeddings"]


def test_broken_label_files_are_problems_and_the_matrix_stays(tmp_path: Path) -> None:
    write(tmp_path / "run" / "a.npmat")
    (tmp_path / "run" / "metadata.tsv").write_bytes(b"\0\0\0\0")
    logdir = open_logdir(tmp_path)
    assert [(problem.path, problem.message.code) for problem in logdir.problems] == [("run/metadata.tsv", "labels_unreadable")]
    assert sources(logdir) == {"tok/embeddings": None}
    (tmp_path / "run" / "metadata.tsv").unlink()
    (tmp_path / "run" / "metadata.tsv").symlink_to("/etc/hostname")
    assert [problem.message.code for problem in open_logdir(tmp_path).problems] == ["outside_roots"]


def test_labels_that_appear_or_change_later(tmp_path: Path) -> None:
    write(tmp_path / "a.npmat")
    scanner = Scanner(tmp_path)
    assert sources(scanner.scan()) == {"tok/embeddings": None}
    put(tmp_path / "metadata.tsv", 3)
    logdir = scanner.scan()
    assert logdir.runs[0].checkpoints[0]["tok"].labels.n_rows == 3
    put(tmp_path / "metadata.tsv", 4)
    assert scanner.scan().runs[0].checkpoints[0]["tok"].labels.n_rows == 4
    (tmp_path / "metadata.tsv").write_bytes(b"\0")
    logdir = scanner.scan()
    assert (sources(logdir), len(logdir.problems), len(scanner.scan().problems)) == ({"tok/embeddings": None}, 1, 1)
    (tmp_path / "metadata.tsv").unlink()
    assert scanner.scan().problems == ()


# --- projector_config.pbtxt


def config(directory: Path, *entries: tuple[str, str], more: str = "") -> None:
    directory.mkdir(parents=True, exist_ok=True)
    lines = [f'embeddings {{ tensor_name: "{name}" metadata_path: "{path}" }}\n' for name, path in entries]
    (directory / "projector_config.pbtxt").write_text("".join(lines) + more)


def test_a_projector_config_comes_first(tmp_path: Path) -> None:
    events(tmp_path / "run" / "train")
    write(tmp_path / "run" / "ckpt" / "a.npmat", [matrix("tok/embeddings"), matrix("pos/embeddings", (6, 3))])
    put(tmp_path / "run" / "ckpt" / "metadata.tsv")
    put(tmp_path / "run" / "train" / "meta" / "words.tsv", 5)
    config(tmp_path / "run" / "train", ("tok/embeddings:0", "meta/words.tsv"))
    logdir = open_logdir(tmp_path)
    assert sources(logdir) == {"tok/embeddings": "run/train/meta/words.tsv", "pos/embeddings": None}
    config(tmp_path / "run" / "ckpt", ("embeddings", "none.tsv"), ("pos", "metadata.tsv"))
    assert sources(open_logdir(tmp_path))["pos/embeddings"] is None


def test_the_plugins_directory_of_the_run_counts(tmp_path: Path) -> None:
    events(tmp_path / "run")
    write(tmp_path / "run" / "a.npmat")
    assets = tmp_path / "run" / "plugins" / "org_tensorflow_tensorboard_projector"
    config(assets, ("", "m.tsv"))
    put(assets / "m.tsv")
    assert sources(open_logdir(tmp_path)) == {"tok/embeddings": "run/plugins/org_tensorflow_tensorboard_projector/m.tsv"}


def infos(*names: str, **more: str) -> list[MatrixInfo]:
    return [MatrixInfo(name, (4, 3), "float32", "embedding", **more) for name in names]  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("tensor_name", "matrices", "found"),
    [
        ("tok/embeddings", infos("tok/embeddings", "pos/embeddings"), "tok/embeddings"),
        ("tok/embeddings:0", infos("tok/embeddings", "pos/embeddings"), "tok/embeddings"),
        ("tok/embeddings/.ATTRIBUTES/VARIABLE_VALUE", infos("tok/embeddings", "pos/embeddings"), "tok/embeddings"),
        ("tok", infos("tok/embeddings/.ATTRIBUTES/VARIABLE_VALUE", "x"), None),
        ("tok.Semb", infos("tok/emb", "x/emb"), "tok/emb"),
        ("tok/emb", infos("tok.Semb", "x.Semb"), "tok.Semb"),
        ("embeddings", infos("model/tok/embeddings", "kernel"), "model/tok/embeddings"),
        ("model/tok/embeddings", infos("tok/embeddings", "pos/embeddings"), "tok/embeddings"),
        ("embeddings", infos("tok/embeddings", "pos/embeddings"), None),
        ("model/layer-0/tok/embeddings", [*infos("a", layer="tok"), *infos("b", layer="pos")], "a"),
        ("layer_with_weights-0/embeddings/.ATTRIBUTES/VARIABLE_VALUE", infos("tok/embeddings"), "tok/embeddings"),
        ("embedding/.ATTRIBUTES/VARIABLE_VALUE", infos("Variable"), "Variable"),
        ("", infos("tok"), "tok"),
        ("", infos("tok", "pos"), None),
    ],
)
def test_tensor_names(tensor_name: str, matrices: list[MatrixInfo], found: str | None) -> None:
    entry = ConfigEntry(tensor_name, "m.tsv", False)
    assert match_entries([entry], matrices) == ({found: entry} if found else {})


def test_an_entry_with_its_own_tensor_file_is_not_taken_for_the_checkpoints() -> None:
    """tensorboardX and torch add such entries for each add_embedding."""
    entries = [ConfigEntry("default:00001", "00001/default/metadata.tsv", True), ConfigEntry("", "x.tsv", True)]
    assert match_entries(entries, infos("tok")) == {}


def test_the_first_entry_of_a_tensor_counts() -> None:
    entries = [ConfigEntry("tok", "1.tsv", False), ConfigEntry("tok:0", "2.tsv", False)]
    assert match_entries(entries, infos("tok")) == {"tok": entries[0]}


def test_a_tensor_may_be_named_as_the_file_names_it() -> None:
    """What Keras 3 calls an embedding under tf.train.Checkpoint(model=, optimizer=); we give its path in the model."""
    key = "optimizer/_trainable_variables/0/.ATTRIBUTES/VARIABLE_VALUE"
    matrices = [
        MatrixInfo("model/tok/embeddings", (4, 2), "float32", "embedding", stored_name=key),
        MatrixInfo("model/pos/embeddings", (4, 2), "float32", "embedding", stored_name=key.replace("0", "1")),
    ]
    for name in (key, key.removesuffix("/.ATTRIBUTES/VARIABLE_VALUE")):
        entry = ConfigEntry(name, "metadata.tsv", False)
        assert match_entries([entry], matrices) == {"model/tok/embeddings": entry}


def test_canonical_names() -> None:
    assert canonical("a.Sb..c/.ATTRIBUTES/VARIABLE_VALUE") == "a/b.c"
    assert canonical("emb:0") == "emb"


def test_config_paths_stay_in_the_directory_of_the_config(tmp_path: Path) -> None:
    logs = tmp_path / "logs"
    write(logs / "run" / "a.npmat")
    put(tmp_path / "secret.tsv")
    put(logs / "shared.tsv")
    put(logs / "run" / "sub" / "m.tsv")
    for written, source, code in [
        ("sub/m.tsv", "run/sub/m.tsv", None),
        ("./sub/../sub/m.tsv", "run/sub/m.tsv", None),
        (str(logs / "run" / "sub" / "m.tsv"), "run/sub/m.tsv", None),
        ("../../secret.tsv", None, "outside_roots"),
        (str(tmp_path / "secret.tsv"), None, "outside_roots"),
        ("/etc/passwd", None, "outside_roots"),
        ("../shared.tsv", None, "labels_unreadable"),
        ("~/x.tsv", None, "file_missing"),
        ("nothing.tsv", None, "file_missing"),
        ("sub", None, "not_regular_file"),
    ]:
        config(logs / "run", ("tok/embeddings", written))
        logdir = open_logdir(logs)
        assert sources(logdir) == {"tok/embeddings": source}, written
        assert [problem.message.code for problem in logdir.problems] == ([code] if code else []), written
    config(logs / "run", ("tok/embeddings", "../../secret.tsv"))
    allowed = open_logdir(logs, allow_roots=[tmp_path])
    assert sources(allowed) == {"tok/embeddings": str(tmp_path / "secret.tsv")}
    (logs / "run" / "link.tsv").symlink_to(tmp_path / "secret.tsv")
    config(logs / "run", ("tok/embeddings", "link.tsv"))
    assert [problem.message.code for problem in open_logdir(logs).problems] == ["outside_roots"]


def test_a_config_path_with_a_zero_byte(tmp_path: Path) -> None:
    write(tmp_path / "a.npmat")
    config(tmp_path, ("tok/embeddings", "a\\000b"))
    assert [problem.message.code for problem in open_logdir(tmp_path).problems] == ["labels_unreadable"]


@pytest.mark.parametrize("text", [b"{{{{", b"\xff\xfe", b"embeddings {" * 5000, b"embeddings { tensor_name: 5 }", b"\0"])
def test_a_broken_config_is_one_problem(tmp_path: Path, text: bytes) -> None:
    for index in range(3):
        write(tmp_path / f"{index}.npmat")
    (tmp_path / "projector_config.pbtxt").write_bytes(text)
    logdir = open_logdir(tmp_path)
    assert [(problem.path, problem.message.code) for problem in logdir.problems] == [
        ("projector_config.pbtxt", "labels_unreadable")
    ]
    assert len(logdir.runs[0].checkpoints) == 3


def test_an_unknown_field_does_not_spoil_a_config(tmp_path: Path) -> None:
    write(tmp_path / "a.npmat")
    put(tmp_path / "m.tsv")
    config(tmp_path, ("tok/embeddings", "m.tsv"), more='model_checkpoint_path: "/x/y"\nfuture { a: 1 }\n')
    assert sources(open_logdir(tmp_path)) == {"tok/embeddings": "m.tsv"}


def test_a_config_written_by_tensorboard_itself(tmp_path: Path) -> None:
    from google.protobuf import text_format
    from tensorboard.plugins.projector.projector_config_pb2 import ProjectorConfig

    written = ProjectorConfig()
    embedding = written.embeddings.add()
    embedding.tensor_name = "tok/embeddings/.ATTRIBUTES/VARIABLE_VALUE"
    embedding.metadata_path = "m.tsv"
    embedding.sprite.image_path = "sprite.png"
    write(tmp_path / "a.npmat")
    put(tmp_path / "m.tsv")
    (tmp_path / "projector_config.pbtxt").write_text(text_format.MessageToString(written))
    assert sources(open_logdir(tmp_path)) == {"tok/embeddings": "m.tsv"}
