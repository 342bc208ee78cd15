"""Matrices and their rows, names and selectors, and files that change while they are read."""

from __future__ import annotations

import os
import pickle
import threading
import time
from pathlib import Path

import ml_dtypes
import npmat_format
import numpy as np
import pytest
from npmat_format import TinyReader, content, events, matrix, write

from tb_embfactor.errors import IncompleteError, NotFoundError, ReadError, UnsupportedError, UsageError
from tb_embfactor.logdir import READERS, Scanner, open_checkpoint, open_logdir


def code_of(error: pytest.ExceptionInfo) -> str:
    return error.value.code


def test_rows_and_blocks_give_the_stored_numbers(tmp_path: Path) -> None:
    path = write(tmp_path / "a.npmat", [matrix("first", (2, 2)), matrix("tok", (1000, 3))])
    m = open_checkpoint(path)["tok"]
    expected = np.arange(3000, dtype="f4").reshape(1000, 3)
    assert (m.name, m.shape, m.dtype, m.role, m.layer, m.has_bias) == ("tok", (1000, 3), "float32", "embedding", None, False)
    np.testing.assert_array_equal(m.rows(10, 20), expected[10:20])
    assert m.rows(5, 5).shape == (0, 3)
    for block_rows in (None, 1, 7, 1000, 5000):
        blocks = m.blocks(block_rows)
        assert (blocks.shape, blocks.n_rows, blocks.n_columns) == ((1000, 3), 1000, 3)
        for _ in range(2):  # each iteration starts anew
            np.testing.assert_array_equal(np.concatenate(list(blocks)), expected)


def test_two_passes_at_once_do_not_disturb_each_other(tmp_path: Path) -> None:
    m = open_checkpoint(write(tmp_path / "a.npmat", [matrix("tok", (100, 3))]))["tok"]
    for one, other in zip(m.blocks(7), m.blocks(7), strict=True):
        np.testing.assert_array_equal(one, other)
    failures = []

    def read() -> None:
        total = sum(block.sum() for block in m.blocks(3))
        if total != sum(range(300)):
            failures.append(total)

    threads = [threading.Thread(target=read) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures
    assert TinyReader.n_open == len(READERS) <= READERS.max_idle


@pytest.mark.parametrize(
    ("stored", "given"),
    [
        *((stored, "float32") for stored in ("float16", "int16", "uint8", "float32", "bool")),
        *((stored, "float64") for stored in ("int32", "int64", "float64")),
    ],
)
def test_stored_types_widen_without_loss(tmp_path: Path, stored: str, given: str) -> None:
    m = open_checkpoint(write(tmp_path / "a.npmat", [matrix("tok", (4, 3), dtype=stored)]))["tok"]
    assert m.rows(0, 4).dtype == given
    assert next(iter(m.blocks())).dtype == given


def test_widening_bfloat16(tmp_path: Path) -> None:
    from tb_embfactor.logdir.model import widen

    for dtype in (ml_dtypes.bfloat16, ml_dtypes.float8_e4m3fn):
        assert widen(np.ones((2, 2), dtype)).dtype == np.float32


def test_bias(tmp_path: Path) -> None:
    checkpoint = open_checkpoint(write(tmp_path / "a.npmat", [matrix("k", role="kernel", bias="b"), matrix("e")]))
    assert checkpoint["k"].has_bias
    bias = checkpoint["k"].bias()
    assert bias is not None
    assert bias.dtype == np.float64
    assert bias.tolist() == [0, 1, 2]
    assert checkpoint["e"].bias() is None


@pytest.mark.parametrize(("start", "stop"), [(-1, 2), (3, 2), (0, 5)])
def test_rows_out_of_range(tmp_path: Path, start: int, stop: int) -> None:
    m = open_checkpoint(write(tmp_path / "a.npmat"))["tok/embeddings"]
    with pytest.raises(UsageError) as error:
        m.rows(start, stop)
    assert code_of(error) == "bad_parameter"
    with pytest.raises(UsageError):
        m.blocks(0)


def test_names(tmp_path: Path) -> None:
    matrices = [matrix("a/tok/embeddings", layer="words"), matrix("b/pos/embeddings"), matrix("tok.weight"), matrix("b/kernel")]
    checkpoint = open_checkpoint(write(tmp_path / "a.npmat", matrices))
    for name, found in [
        ("b/kernel", "b/kernel"),
        ("kernel", "b/kernel"),
        ("tok/embeddings", "a/tok/embeddings"),
        ("words", "a/tok/embeddings"),
        ("pos", "b/pos/embeddings"),
        ("tok.weight", "tok.weight"),
    ]:
        assert checkpoint[name].name == found
    with pytest.raises(NotFoundError) as error:
        checkpoint["embeddings"]
    assert code_of(error) == "ambiguous_matrix"
    assert error.value.message.params["known"] == "a/tok/embeddings, b/pos/embeddings"
    with pytest.raises(NotFoundError) as error:
        checkpoint["beddings"]  # an end, but not at a boundary
    assert code_of(error) == "unknown_matrix"


def test_a_whole_name_wins_over_an_end(tmp_path: Path) -> None:
    checkpoint = open_checkpoint(write(tmp_path / "a.npmat", [matrix("x/tok"), matrix("tok"), matrix("y/tok")]))
    assert checkpoint["tok"].name == "tok"


def test_errors_list_a_few_names_only(tmp_path: Path) -> None:
    checkpoint = open_checkpoint(write(tmp_path / "a.npmat", [matrix(f"m{i}") for i in range(30)]))
    with pytest.raises(NotFoundError) as error:
        checkpoint["nothing"]
    assert error.value.message.params["known"].endswith("m7 and 22 more")


def test_loops_over_all_there_is(tmp_path: Path) -> None:
    for run, step in (("a", 1), ("a", 2), ("b", 1)):
        (tmp_path / run).mkdir(exist_ok=True)
        write(tmp_path / run / f"{step}.npmat", [matrix("tok", (2, 2)), matrix("out", (2, 3))])
    names = [f"{checkpoint.id} {m.name}" for run in open_logdir(tmp_path) for checkpoint in run for m in checkpoint]
    assert names == [f"{path}.npmat {name}" for path in ("a/1", "a/2", "b/1") for name in ("tok", "out")]


def test_selectors(tmp_path: Path) -> None:
    for name, step, wall_time in [("c", 300, 1), ("a", 100, 2), ("b", 200, 3), ("again", 200, 9), ("none", None, 0)]:
        write(tmp_path / "run" / f"{name}.npmat", step=step, wall_time=wall_time)
    run = open_logdir(tmp_path).run("run")
    assert [item.id for item in run.checkpoints] == [f"run/{name}.npmat" for name in ("a", "b", "again", "c", "none")]
    assert run.checkpoint("first").step == 100
    assert run.checkpoint("latest").id == "run/none.npmat"
    assert run.checkpoint("step:300").id == run.checkpoint("run/c.npmat").id == run.checkpoint("c.npmat").id == "run/c.npmat"
    assert run.checkpoint("step:200").id == "run/again.npmat"
    for selector in ("step:1", "step:x", "nothing", ""):
        with pytest.raises(NotFoundError) as error:
            run.checkpoint(selector)
        assert code_of(error) == "unknown_checkpoint"
    with pytest.raises(NotFoundError) as error:
        open_logdir(tmp_path).run("nothing")
    assert (code_of(error), error.value.message.params["known"]) == ("unknown_run", "run")


def test_a_file_rewritten_after_the_scan_gives_no_numbers(tmp_path: Path) -> None:
    path = write(tmp_path / "a.npmat")
    m = open_checkpoint(path)["tok/embeddings"]
    assert m.rows(0, 1).tolist() == [[0, 1, 2]]  # now a reader is kept open on the old file
    npmat_format.replace_atomically(path, content(fill=7))
    with pytest.raises(IncompleteError) as error:
        m.rows(0, 1)
    assert code_of(error) == "file_changed"
    with pytest.raises(IncompleteError):
        list(m.blocks())
    assert open_checkpoint(path)["tok/embeddings"].rows(0, 1).tolist() == [[7, 7, 7]]


def test_a_file_rewritten_during_a_pass_ends_the_pass(tmp_path: Path) -> None:
    path = write(tmp_path / "a.npmat", [matrix("tok", (100, 3))])
    m = open_checkpoint(path)["tok"]
    blocks = iter(m.blocks(10))
    assert len([next(blocks) for _ in range(10)]) == 10  # all rows were given, and yet:
    npmat_format.replace_atomically(path, content([matrix("tok", (100, 3))], fill=1))
    with pytest.raises(IncompleteError) as error:
        next(blocks)
    assert code_of(error) == "file_changed"


def test_a_file_truncated_during_a_pass_is_called_changed_not_damaged(tmp_path: Path) -> None:
    path = write(tmp_path / "a.npmat", [matrix("tok", (100, 3))])
    blocks = iter(open_checkpoint(path)["tok"].blocks(10))
    next(blocks)
    os.truncate(path, 200)
    with pytest.raises(IncompleteError) as error:
        list(blocks)
    assert code_of(error) == "file_changed"


def test_a_deleted_file(tmp_path: Path) -> None:
    path = write(tmp_path / "a.npmat")
    m = open_checkpoint(path)["tok/embeddings"]
    path.unlink()
    with pytest.raises(IncompleteError) as error:
        m.rows(0, 1)
    assert code_of(error) == "file_missing"


def test_kept_readers_are_few_and_closed(tmp_path: Path) -> None:
    for index in range(10):
        write(tmp_path / f"{index}.npmat", step=index)
    scanner = Scanner(tmp_path)
    for checkpoint in scanner.scan().runs[0].checkpoints:
        checkpoint["tok/embeddings"].rows(0, 1)
    assert TinyReader.n_open == len(READERS) == READERS.max_idle
    npmat_format.OPENED.clear()
    checkpoint["tok/embeddings"].rows(0, 2)
    assert npmat_format.OPENED == []  # the last one was still open
    for index in range(10):
        (tmp_path / f"{index}.npmat").unlink()
    scanner.scan()
    assert TinyReader.n_open == 0  # a deleted file is not held


def test_a_pass_broken_off_leaves_nothing_open(tmp_path: Path) -> None:
    blocks = iter(open_checkpoint(write(tmp_path / "a.npmat"))["tok/embeddings"].blocks(1))
    next(blocks)
    assert TinyReader.n_open == 1
    blocks.close()  # type: ignore[attr-defined]
    assert TinyReader.n_open == 0


def test_fingerprints(tmp_path: Path) -> None:
    checked = [matrix("e", checksum="c1"), matrix("f", checksum="c1"), matrix("g"), matrix("k", checksum="c2", bias="b")]
    one, two = write(tmp_path / "1.npmat", checked), write(tmp_path / "2.npmat", checked)
    a, b = open_checkpoint(one), open_checkpoint(two)
    assert a.fingerprint != b.fingerprint
    assert a["e"].fingerprint == b["e"].fingerprint, "equal content of one directory is computed once"
    assert len({a["e"].fingerprint, a["f"].fingerprint, a["g"].fingerprint, b["g"].fingerprint}) == 4
    assert a["k"].fingerprint != b["k"].fingerprint, "the bias may differ"
    before = a["g"].fingerprint
    assert open_checkpoint(one)["g"].fingerprint == before
    (tmp_path / "metadata.tsv").write_text("a\nb\nc\nd\n")
    assert open_checkpoint(one)["g"].fingerprint == before, "labels are not part of it"
    time.sleep(0.01)
    write(one, checked)
    again = open_checkpoint(one)
    assert again["g"].fingerprint != before
    assert again["e"].fingerprint == a["e"].fingerprint


def test_objects_can_be_pickled(tmp_path: Path) -> None:
    write(tmp_path / "a.npmat")
    (tmp_path / "metadata.tsv").write_text("a\nb\nc\nd\n")
    logdir = pickle.loads(pickle.dumps(open_logdir(tmp_path)))
    m = logdir.runs[0].checkpoints[0]["tok/embeddings"]
    assert m.rows(0, 1).tolist() == [[0, 1, 2]]
    assert m.labels.read(4).columns[0].values == list("abcd")


# --- open_checkpoint


def test_open_by_file_prefix_shard_or_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path / "d" / "ckpt-1.npx")
    (tmp_path / "d" / "ckpt-1.data-00000-of-00001").write_bytes(b"")
    for path in ("d", "d/", "d/ckpt-1", "d/ckpt-1.npx", "d/ckpt-1.data-00000-of-00001"):
        checkpoint = open_checkpoint(tmp_path / path if path != "d/" else f"{tmp_path}/d/")
        assert (checkpoint.id, checkpoint.format, checkpoint.step) == ("ckpt-1", "tiny-prefix", 1)
    monkeypatch.chdir(tmp_path)
    assert open_checkpoint("d").path == open_checkpoint("d/ckpt-1").path == "d/ckpt-1"
    monkeypatch.chdir(tmp_path / "d")
    assert open_checkpoint("ckpt-1.npx").path == "ckpt-1"
    assert open_checkpoint(".").path == "./ckpt-1"


def test_open_an_empty_basename(tmp_path: Path) -> None:
    write(tmp_path / "d" / ".npx")
    for path in (f"{tmp_path}/d", f"{tmp_path}/d/", f"{tmp_path}/d/.npx"):
        checkpoint = open_checkpoint(path)
        assert checkpoint.id == "./"
        assert checkpoint["tok"].rows(0, 1).shape == (1, 3)
    checkpoint = open_logdir(tmp_path).run("d").checkpoints[0]
    assert checkpoint.id == checkpoint.path == "d/"
    assert open_logdir(tmp_path / "d").runs[0].checkpoints[0].id == "./"


def test_open_a_directory_checkpoint_and_a_saved_model(tmp_path: Path) -> None:
    write(tmp_path / "big.npmats" / "part-0.npmat")
    write(tmp_path / "saved" / "variables" / "variables.npx")
    assert open_checkpoint(tmp_path / "big.npmats").format == "tiny-directory"
    assert open_checkpoint(tmp_path / "saved")["tok"].shape == (4, 3)


def test_opening_what_is_not_one_checkpoint(tmp_path: Path) -> None:
    write(tmp_path / "two" / "a.npmat")
    write(tmp_path / "two" / "b.npmat")
    (tmp_path / "notes.txt").write_text("hello")
    (tmp_path / "notes.md").write_text("hello")
    (tmp_path / "empty").mkdir()
    for path, code, kind in [
        ("two", "several_checkpoints", NotFoundError),
        ("notes.txt", "file_foreign", UnsupportedError),
        ("notes.md", "not_a_checkpoint", UnsupportedError),
        ("empty", "no_checkpoints", UnsupportedError),
        ("nothing.npmat", "file_missing", ReadError),
        ("nowhere/nothing.npmat", "file_missing", ReadError),
    ]:
        with pytest.raises(kind) as error:
            open_checkpoint(tmp_path / path)
        assert code_of(error) == code
    with pytest.raises(NotFoundError) as error:
        open_checkpoint(tmp_path / "two")
    assert "a.npmat, b.npmat" in str(error.value)


def test_a_link_given_by_hand_is_followed(tmp_path: Path) -> None:
    write(tmp_path / "elsewhere" / "a.npmat")
    (tmp_path / "here").mkdir()
    (tmp_path / "here" / "link.npmat").symlink_to(tmp_path / "elsewhere" / "a.npmat")
    assert open_checkpoint(tmp_path / "here" / "link.npmat")["tok"].rows(0, 1).shape == (1, 3)


def test_open_checkpoint_reads_labels_of_its_directory_only(tmp_path: Path) -> None:
    events(tmp_path)
    (tmp_path / "metadata.tsv").write_text("a\nb\nc\nd\n")
    path = write(tmp_path / "ckpt" / "a.npmat")
    assert open_checkpoint(path)["tok"].labels is None
    (tmp_path / "ckpt" / "vocab.txt").write_text("w\nx\ny\nz\n")
    labels = open_checkpoint(path)["tok"].labels
    assert labels is not None
    assert labels.read(4).columns[0].values == list("wxyz")
