"""Labels that somebody named by flag: which file, which matrix, which row; CSV and parquet."""

from __future__ import annotations

import sys
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from npmat_format import matrix, write

from tb_embfactor.errors import ReadError, UsageError
from tb_embfactor.logdir import Logdir, Scanner, open_checkpoint, open_logdir
from tb_embfactor.logdir.label_flags import LabelFlag


def put(path: Path, n: int = 4, prefix: str = "word") -> str:
    path.write_text("".join(f"{prefix}{k}\n" for k in range(n)))
    return str(path)


def values(logdir: Logdir, name: str = "tok/embeddings") -> list[object] | None:
    labels = logdir.runs[0].checkpoints[0][name].labels
    return labels.read(logdir.runs[0].checkpoints[0][name].shape[0]).columns[0].values if labels else None


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("vocab.txt", (None, "vocab.txt", 0)),
        ("tok=vocab.txt", ("tok", "vocab.txt", 0)),
        ("model/tok = /data/vocab.txt@2", ("model/tok", "/data/vocab.txt", 2)),
        ("vocab.txt@-1", (None, "vocab.txt", -1)),
        ("a@b.txt", (None, "a@b.txt", 0)),
    ],
)
def test_what_the_flag_says(text: str, expected: tuple[str | None, str, int]) -> None:
    flag = LabelFlag.parse(text)
    assert (flag.matrix, flag.path, flag.offset) == expected


@pytest.mark.parametrize("text", ["", "tok=", "tok= "])
def test_a_flag_without_a_file(text: str) -> None:
    with pytest.raises(UsageError, match="name no file"):
        LabelFlag.parse(text)


def test_a_file_whose_name_looks_like_a_flag(tmp_path: Path) -> None:
    put(tmp_path / "a=b.txt@2")
    assert LabelFlag.parse(f"{tmp_path}/a=b.txt@2").path == f"{tmp_path}/a=b.txt@2"


def test_a_named_file_comes_before_what_is_found(tmp_path: Path) -> None:
    write(tmp_path / "logs" / "a.npmat")
    put(tmp_path / "logs" / "metadata.tsv", prefix="found")
    mine = put(tmp_path / "mine.txt")
    assert values(open_logdir(tmp_path / "logs")) == ["found0", "found1", "found2", "found3"]
    logdir = open_logdir(tmp_path / "logs", labels=[mine])
    assert values(logdir) == ["word0", "word1", "word2", "word3"]
    assert logdir.runs[0].checkpoints[0]["tok"].labels.source == mine
    assert open_checkpoint(tmp_path / "logs" / "a.npmat", labels=[mine])["tok"].labels.source == mine


def test_without_a_name_the_file_is_for_embeddings_of_as_many_rows(tmp_path: Path) -> None:
    write(tmp_path / "a.npmat", [matrix("tok"), matrix("pos", (6, 3)), matrix("dense", (4, 3), role="kernel")])
    logdir = open_logdir(tmp_path, labels=[put(tmp_path / "mine.txt")])
    found = {item.name: item.labels and item.labels.n_rows for item in logdir.runs[0].checkpoints[0].matrices}
    assert found == {"tok": 4, "pos": None, "dense": None}


def test_with_a_name_it_is_for_that_matrix(tmp_path: Path) -> None:
    write(tmp_path / "a.npmat", [matrix("enc/tok"), matrix("enc/pos", (6, 3)), matrix("out/kernel", (4, 3), role="kernel")])
    logdir = open_logdir(tmp_path, labels=[f"pos={put(tmp_path / 'p.txt', 5)}", f"out/kernel={put(tmp_path / 'k.txt')}"])
    assert values(logdir, "enc/pos") == ["word0", "word1", "word2", "word3", "word4", None]
    labels = logdir.runs[0].checkpoints[0]["enc/pos"].labels
    assert [note.code for note in labels.read(6).notes] == ["labels_short"]
    assert values(logdir, "out/kernel") == ["word0", "word1", "word2", "word3"]
    assert values(logdir, "enc/tok") is None


@pytest.mark.parametrize(
    ("n_labels", "row", "expected", "note"),
    [
        (2, 2, [None, None, "word0", "word1"], None),
        (5, -1, ["word1", "word2", "word3", "word4"], None),
        (3, 2, [None, None, "word0", "word1"], "labels_long"),
        (3, -1, ["word1", "word2", None, None], "labels_short"),
        (3, 0, ["word0", "word1", "word2", None], "labels_short"),
        (6, 0, ["word0", "word1", "word2", "word3"], "labels_long"),
    ],
)
def test_ids_that_are_reserved(tmp_path: Path, n_labels: int, row: int, expected: list[object], note: str | None) -> None:
    write(tmp_path / "a.npmat")
    logdir = open_logdir(tmp_path, labels=[f"{put(tmp_path / 'mine.txt', n_labels)}@{row}"])
    labels = logdir.runs[0].checkpoints[0]["tok"].labels
    assert labels.offset == row
    table = labels.read(4)
    assert table.columns[0].values == expected
    assert [message.code for message in table.notes] == ([note] if note else [])


def test_a_file_of_quite_another_length_is_said_and_not_used(tmp_path: Path) -> None:
    write(tmp_path / "a.npmat")
    logdir = open_logdir(tmp_path, labels=[put(tmp_path / "mine.txt", 9)])
    assert values(logdir) is None
    assert [problem.message.code for problem in logdir.problems] == ["labels_unmatched"]
    with pytest.raises(ReadError, match="No matrix was found for the labels"):
        open_checkpoint(tmp_path / "a.npmat", labels=[f"nothing={tmp_path}/mine.txt"])


def test_files_that_cannot_be_used(tmp_path: Path) -> None:
    write(tmp_path / "a.npmat")
    (tmp_path / "binary.txt").write_bytes(b"\0\0")
    (tmp_path / "bad.parquet").write_bytes(b"PAR1 and so on")
    (tmp_path / "empty.csv").write_bytes(b"")
    names = ["missing.txt", "binary.txt", "bad.parquet", "empty.csv"]
    logdir = open_logdir(tmp_path, labels=[str(tmp_path / name) for name in names])
    assert {Path(problem.path).name: problem.message.code for problem in logdir.problems} == {
        "missing.txt": "file_missing",
        **dict.fromkeys(names[1:], "labels_unreadable"),
    }


def test_a_file_that_changes_is_read_anew(tmp_path: Path) -> None:
    write(tmp_path / "logs" / "a.npmat")
    mine = put(tmp_path / "mine.txt")
    scanner = Scanner(tmp_path / "logs", labels=[mine])
    logdir = scanner.scan()
    put(tmp_path / "mine.txt", prefix="new")
    assert values(logdir) == ["new0", "new1", "new2", "new3"], "also before the next scan"
    (tmp_path / "mine.txt").unlink()
    assert [problem.message.code for problem in scanner.scan().problems] == ["file_missing"]
    put(tmp_path / "mine.txt")
    assert values(scanner.scan()) == ["word0", "word1", "word2", "word3"]


# ---- CSV and parquet


def test_csv(tmp_path: Path) -> None:
    write(tmp_path / "a.npmat")
    (tmp_path / "one.csv").write_text('the\n"a, b"\n"say ""hi"""\nend\n')
    assert values(open_logdir(tmp_path, labels=[f"{tmp_path}/one.csv"])) == ["the", "a, b", 'say "hi"', "end"]
    (tmp_path / "two.csv").write_text("\ufeffword,count\r\na,1\r\nb,\r\n\r\nc,3\r\nd,4\r\n")
    columns = open_logdir(tmp_path, labels=[f"{tmp_path}/two.csv"]).runs[0].checkpoints[0]["tok"].labels.read(4).columns
    assert [(column.name, column.values) for column in columns] == [("word", ["a", "b", "c", "d"]), ("count", [1, None, 3, 4])]


def test_parquet(tmp_path: Path) -> None:
    write(tmp_path / "a.npmat")
    table = {"word": ["a", None, "c", "d"], "count": [1, 2, 3, 4], "list": [[1], [2], [], []], "flag": [True, False, True, None]}
    pq.write_table(pa.table(table), tmp_path / "w.parquet", row_group_size=2)
    labels = open_logdir(tmp_path, labels=[f"{tmp_path}/w.parquet"]).runs[0].checkpoints[0]["tok"].labels
    assert (labels.columns, labels.n_rows) == (("word", "count", "flag"), 4)
    assert [column.values for column in labels.read(4).columns] == [
        ["a", None, "c", "d"], [1, 2, 3, 4], ["True", "False", "True", None],
    ]  # fmt: skip


def test_parquet_without_pyarrow(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path / "a.npmat")
    (tmp_path / "w.parquet").write_bytes(b"PAR1")
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    (problem,) = open_logdir(tmp_path, labels=[f"{tmp_path}/w.parquet"]).problems
    assert "pip install tb-embfactor[parquet]" in problem.message.text
