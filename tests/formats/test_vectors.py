"""Arrays of numpy, vectors in text and in binary: those of the frameworks through the contract, and others by hand."""

from __future__ import annotations

import struct
import warnings
from pathlib import Path

import ml_dtypes
import numpy as np
import pytest

import tb_embfactor as ef
from tb_embfactor.errors import DamagedError, EmbfactorError, IncompleteError, UnsupportedError
from tb_embfactor.formats import Reader, text_rows
from tb_embfactor.formats.file_names import says_embedding, split_step
from tb_embfactor.formats.text_dialect import Dialect, recognize
from tb_embfactor.logdir import Scanner
from tests.formats.contract import Checkpoint, Contract, load_case, open_reader, read_everything

VALUES = np.arange(24, dtype=np.float32).reshape(6, 4)


class TestNpy(Contract):
    @pytest.fixture
    def case(self, fixtures_dir: Path) -> list[Checkpoint]:
        return load_case(fixtures_dir / "npy")


class TestNpz(Contract):
    @pytest.fixture
    def case(self, fixtures_dir: Path) -> list[Checkpoint]:
        return load_case(fixtures_dir / "npz")


class TestText(Contract):
    notices_every_loss = False

    @pytest.fixture(params=["word2vec_text", "tables", "projected"])
    def case(self, request: pytest.FixtureRequest, fixtures_dir: Path) -> list[Checkpoint]:
        return load_case(fixtures_dir / request.param)


class TestWord2VecBinary(Contract):
    @pytest.fixture
    def case(self, fixtures_dir: Path) -> list[Checkpoint]:
        return load_case(fixtures_dir / "word2vec_binary")


class TestFastText(Contract):
    @pytest.fixture
    def case(self, fixtures_dir: Path) -> list[Checkpoint]:
        return load_case(fixtures_dir / "fasttext")


# ---- .npy


def npy(header: bytes, data: bytes = VALUES.tobytes(), version: int = 1) -> bytes:
    return b"\x93NUMPY" + bytes([version, 0]) + struct.pack("<H" if version == 1 else "<I", len(header)) + header + data


GOLDEN = npy(b"{'descr': '<f4', 'fortran_order': False, 'shape': (6, 4), }" + b" " * 20 + b"\n")


def read(path: Path, content: bytes, format_name: str) -> Reader:
    path.write_bytes(content)
    return open_reader(path, format_name)


@pytest.mark.parametrize(
    "header",
    [
        b"{'descr': '<f4', 'fortran_order': False, 'shape': (6, 4), }",
        b"{'shape': (6L, 4L), 'descr': '<f4', 'fortran_order': False}\n",
        b"  {  'fortran_order' :False,'descr':'<f4','shape':(6,4)  }  ",
    ],
)
@pytest.mark.parametrize("version", [1, 2, 3])
def test_headers_as_numpy_has_written_them(tmp_path: Path, header: bytes, version: int) -> None:
    reader = read(tmp_path / "x.npy", npy(header, version=version), "npy")
    assert reader.read_rows("x", 0, 6).tobytes() == VALUES.tobytes()


@pytest.mark.parametrize(
    ("content", "error", "text"),
    [
        (b"", UnsupportedError, "not an array of numpy"),
        (b"\x93NUMPY", DamagedError, "IndexError"),
        (b"\x93NUMPX" + GOLDEN[6:], UnsupportedError, "not an array of numpy"),
        (npy(b"{}"), DamagedError, "header is not that of an array"),
        (npy(b"__import__('os').system('touch /tmp/canary')"), DamagedError, "header is not"),
        (
            npy(b"{'descr': '<f4', 'fortran_order': False, 'shape': (__import__('os').getpid(), 4)}"),
            DamagedError,
            "header is not",
        ),
        (npy(b"{'descr': '<f4', 'fortran_order': False, 'shape': (6, 4), 'shape': (6, 4)}"), DamagedError, "header is not"),
        (npy(b"{'descr': '<f4', 'fortran_order': False, 'shape': (6, 4), 'more': True}"), DamagedError, "header is not"),
        (npy(b"{'descr': '<f4', 'fortran_order': False}"), DamagedError, "header is not"),
        (npy(b"{'descr': '<f4', 'fortran_order': (6, 4), 'shape': False}"), DamagedError, "header is not"),
        (
            npy(b"{'descr': '<f4', 'fortran_order': False, 'shape': (" + b"9" * 4000 + b", 4)}"),
            DamagedError,
            "its shape|not that|Value",
        ),
        (npy(b"{'descr': '<f4', 'fortran_order': False, 'shape': (1" + b"0" * 30 + b", 4)}"), DamagedError, "its shape"),
        (npy(b"{'descr': '<f4', 'fortran_order': False, 'shape': (7, 4)}"), IncompleteError, "its numbers"),
        (npy(b"{'descr': '<f4', 'fortran_order': False, 'shape': (5, 4)}"), DamagedError, "16 bytes follow"),
        (npy(b"{'descr': '<f4', 'fortran_order': False, 'shape': (6, 4)}", version=9), UnsupportedError, "version 9"),
        (npy(b" " * 5000), UnsupportedError, "header has 5000 bytes"),
        (npy(b"{'descr': '<V2', 'fortran_order': False, 'shape': (6, 8)}"), UnsupportedError, "bfloat16 or of another type"),
        (npy(b"{'descr': '<c8', 'fortran_order': False, 'shape': (6, 2)}"), UnsupportedError, "complex"),
        (npy(b"{'descr': '<f16', 'fortran_order': False, 'shape': (6, 4)}"), UnsupportedError, "type is <f16"),
        (npy(b"{'descr': '|O', 'fortran_order': False, 'shape': (6, 4)}"), UnsupportedError, "not a matrix of numbers"),
        (
            npy(b"{'descr': [('a', '<f4'), ('b', '<f4')], 'fortran_order': False, 'shape': (12, 2)}"),
            UnsupportedError,
            "not a matrix",
        ),
        (npy(b"{'descr': '<f4', 'fortran_order': False, 'shape': (24,)}"), UnsupportedError, "shape \\(24,\\)"),
        (npy(b"{'descr': '<f4', 'fortran_order': False, 'shape': ()}", b"abcd"), UnsupportedError, "shape \\(\\)"),
        (npy(b"{'descr': '<f4', 'fortran_order': False, 'shape': (1, 24)}"), UnsupportedError, "not a matrix"),
    ],
)
def test_arrays_that_are_no_matrix_or_damaged(tmp_path: Path, content: bytes, error: type[EmbfactorError], text: str) -> None:
    with pytest.raises(error, match=text):
        read(tmp_path / "x.npy", content, "npy")


def test_bfloat16_saved_by_numpy_is_refused_loudly_and_a_vector_in_silence(tmp_path: Path) -> None:
    np.save(tmp_path / "emb.npy", VALUES.astype(ml_dtypes.bfloat16))
    np.save(tmp_path / "losses.npy", VALUES[0])
    np.save(tmp_path / "words.npy", np.array(["a", {}], object))
    logdir = ef.open_logdir(tmp_path)
    assert [problem.path for problem in logdir.problems] == ["emb.npy"]


# ---- .npz


def test_archives_without_a_matrix(tmp_path: Path) -> None:
    np.savez(tmp_path / "x.npz", a=np.arange(5), b=np.zeros((2, 3, 4)), c=VALUES > 3, d=np.array([["a", {}]], object))
    with pytest.raises(UnsupportedError, match="none of its arrays") as raised:
        open_reader(tmp_path / "x.npz", "npz")
    assert raised.value.code == "file_foreign"
    np.savez(tmp_path / "x.npz", a=np.arange(5), wte=VALUES.astype(ml_dtypes.bfloat16))
    with pytest.raises(UnsupportedError, match="wte: its numbers have 2 bytes each"):
        open_reader(tmp_path / "x.npz", "npz")
    np.savez(tmp_path / "x.npz", a=VALUES, wte=VALUES.astype(ml_dtypes.bfloat16))
    reader = open_reader(tmp_path / "x.npz", "npz")
    assert [message.params["tensor"] for message in reader.skipped] == ["wte"]


def test_numbers_beside_several_matrices_are_no_labels(tmp_path: Path) -> None:
    np.savez(tmp_path / "x.npz", a=VALUES, b=VALUES, bias=np.arange(6))
    assert [info.labels for info in open_reader(tmp_path / "x.npz", "npz").matrices] == [(), ()]


# ---- which text is an embedding


GLOVE = "the 0.418 0.24968 -0.41242 0.1217 0.34527 -0.044457 -0.49688 -0.17862"
NUMBERS = "0.1 0.2 0.3 0.4 0.5 0.6 0.7 0.8"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2 3\nthe 1 2 3\nof 4 5 6\n", Dialect(" ", 1, ("token",), 3, (), 2, True)),
        ("2 3 \r\nthe 1 2 3 \r\nof 4 5 6 \r\n", Dialect(" ", 1, ("token",), 3, (), 2, True)),
        ("2\t2\nNew York\t1\t2\nof\t4\t5\n", Dialect("\t", 1, ("token",), 2, (), 2, True)),
        (f"{GLOVE}\n. . . {NUMBERS}\n", Dialect(" ", 0, ("token",), 8, (), None, True)),
        (f"{GLOVE}\n1 {NUMBERS}\n", Dialect(" ", 0, ("token",), 8, (), None, True)),
        ("element,0,1,2\nH,1,2,3\nHe,4,,6\n", Dialect(",", 1, ("element",), 3)),
        (",dim_1,dim_2,dim_3,kind\na,1,2,3,x\nb,4,5,6,y\n", Dialect(",", 1, ("label",), 3, ("kind",))),
        ("id,v9,v10,v11,v12,v13,v14,v15,v16\n1,1,2,3,4,5,6,7,8\n2,1,2,3,4,5,6,7,8\n", Dialect(",", 1, ("id",), 8)),
        ("a\t" + NUMBERS.replace(" ", "\t") + "\nb\t" + NUMBERS.replace(" ", "\t") + "\n", Dialect("\t", 0, ("label",), 8)),
        (f"{GLOVE}1234567891\nof {NUMBERS}\n", Dialect(" ", 0, ("token",), 8, (), None, True, True)),
        (f"the 0.10000000149011612 {NUMBERS}\nof 1 {NUMBERS}\n", Dialect(" ", 0, ("token",), 9, (), None, True, False)),
    ],
)
def test_vectors_in_text(text: str, expected: Dialect) -> None:
    assert recognize(text.encode(), True, False) == expected
    assert recognize(b"\xef\xbb\xbf" + text.encode(), True, False) == expected


@pytest.mark.parametrize(
    "text",
    [
        "",
        "hello\n",
        "# notes\n\nWhat I did today was 1 2 3 4 5 6 7 8 9\n",
        "numpy>=1.26\ntorch==2.13\n",
        "0 0.5 0.5 0.1 0.2\n1 0.5 0.5 0.1 0.2\n",  # boxes beside an image
        "epoch,step,train_loss,val_loss\n0,10,0.5,0.6\n1,20,0.4,0.5\n",
        "epoch,a,b,c,d,e,f,g,h,i\n0,1,2,3,4,5,6,7,8,9\n1,1,2,3,4,5,6,7,8,9\n",
        "element,Number,MeltingT,a,b,c,d,e,f,g\nH,1,14,1,2,3,4,5,6,7\nHe,2,1,1,2,3,4,5,6,7\n",
        "word\tcount\nthe\t10\nof\t9\n",
        "step,x_1,x_2\n1,2,3\n2,3,4\n",
        f"{NUMBERS}\n{NUMBERS}\n",
        f"{GLOVE}\nof 1 2 3\n",
        "2 3\n1 1 0.5\n2 2 0.5\n",  # a sparse matrix
        "2 3\n",
        "a\0b 1 2 3\n" * 3,
    ],
)
def test_text_that_is_no_embedding(text: str) -> None:
    assert isinstance(recognize(text.encode(), True, False), str)


@pytest.mark.parametrize(
    ("text", "n_labels", "n_columns"),
    [
        (f"{NUMBERS}\n{NUMBERS}\n", 0, 8),
        ("0.5\t1\n2\t3\n", 0, 2),
        ("a 1 2\nb 2 3\n", 1, 2),
        ("0,0.5,1.5\n1,2.5,3.5\n", 1, 2),
        ("name,width,height\na,1,2\nb,1,2\n", 1, 2),
    ],
)
def test_a_telling_name_makes_up_for_what_is_missing(text: str, n_labels: int, n_columns: int) -> None:
    assert isinstance(recognize(text.encode(), True, False), str)
    dialect = recognize(text.encode(), True, True)
    assert isinstance(dialect, Dialect)
    assert (len(dialect.left + dialect.right), dialect.n_columns) == (n_labels, n_columns)


@pytest.mark.parametrize(
    ("name", "tells"),
    [
        ("word_embeddings", True), ("glove.6B.50d", True), ("vectors", True), ("emb", True), ("my-vecs", True), ("tensors", True),
        ("item_emb_0300", True), ("metrics", False), ("members", False), ("assembly", False), ("vectorized", False), ("", False),
    ],
)  # fmt: skip
def test_names_that_tell(name: str, tells: bool) -> None:
    assert says_embedding(name) == tells


@pytest.mark.parametrize(
    ("name", "n_columns", "expected"),
    [
        ("emb_step_0300.npy", 50, ("emb", 300)),
        ("emb-300.txt", 50, ("emb", 300)),
        ("vectors_300.txt", 300, ("vectors_300", None)),
        ("glove.6B.50d.txt", 50, ("glove.6B.50d", None)),
        ("crawl-300d-2M.vec", 300, ("crawl-300d-2M", None)),
        ("0300.npy", 50, ("0300", 300)),
        ("emb.npy", 50, ("emb", None)),
    ],
)
def test_a_matrix_keeps_its_name_from_step_to_step(name: str, n_columns: int, expected: tuple[str, int | None]) -> None:
    assert split_step(name, n_columns) == expected


def test_a_log_directory_full_of_other_text(tmp_path: Path) -> None:
    for k in range(500):
        (tmp_path / f"{k}.txt").write_text("0 0.5 0.5 0.1 0.2\n" * 3)
        (tmp_path / f"{k}.npy").write_bytes(b"no array")
    (tmp_path / "emb.npy").write_bytes(GOLDEN)
    (tmp_path / "metadata.tsv").write_text("\n".join(f"word {k}" for k in range(6)))
    opened: list[str] = []
    logdir = Scanner(tmp_path).scan(on_open=opened.append)
    assert logdir.problems == ()
    (checkpoint,) = logdir.runs[0].checkpoints
    assert checkpoint["emb"].labels is not None
    assert len(opened) == 1, "hundreds of files of one kind are data"
    for k in range(400):
        (tmp_path / f"{k}.txt").unlink()
    Scanner(tmp_path).scan(on_open=opened.append)
    assert len(opened) == 1 + 101


# ---- damaged text


def text_reader(tmp_path: Path, text: str | bytes, name: str = "vectors.txt") -> Reader:
    return read(tmp_path / name, text.encode() if isinstance(text, str) else text, "text")


MANY = "\n".join(f"word{k} " + " ".join(f"{k}.{j}" for j in range(8)) for k in range(100))


@pytest.mark.parametrize(
    ("text", "error", "reason"),
    [
        (MANY + "\nlast 1 2 3\n", DamagedError, "line 101 has 3 numbers instead of 8"),
        (MANY + "\nlast 1 2 3", IncompleteError, "last line is cut off"),
        (MANY + "\nlast 1 2 3 4 5 6 7 x\n", DamagedError, "in line 101, could not convert string to float: 'x'"),
        (f"101 8\n{MANY}\n", IncompleteError, "ends after 100 of 101 rows"),
        (f"99 8\n{MANY}\n", DamagedError, "more rows than the 99"),
        (f"{10**12 - 1} 8\n{MANY}\n", UnsupportedError, "limit is"),
    ],
)
def test_rows_that_are_not_as_the_first_ones(tmp_path: Path, text: str, error: type[EmbfactorError], reason: str) -> None:
    with pytest.raises(error, match=reason):
        read_everything(text_reader(tmp_path, text))


def test_tokens_that_hold_spaces_or_numbers(tmp_path: Path) -> None:
    tokens = ["the", ". . .", "at name@domain.com", "1", "0.5 0.6", "字", "\u00a0"]
    lines = [f"{token} {NUMBERS}" for token in tokens]
    reader = text_reader(tmp_path, "\n".join(lines) + "\n")
    assert reader.read_labels("vectors")["token"] == tokens
    assert np.array_equal(reader.read_rows("vectors", 0, 7), np.tile(np.arange(1, 9, dtype=np.float32) / np.float32(10), (7, 1)))


def test_missing_numbers_are_nan(tmp_path: Path) -> None:
    reader = text_reader(tmp_path, "e,0,1,2\nH,1,,3\nHe,NA,nan,inf\n", "e.csv")
    assert str(reader.read_rows("e", 0, 2).tolist()) == "[[1.0, nan, 3.0], [nan, nan, inf]]"


def test_lines_end_in_crlf_and_blank_lines_are_none(tmp_path: Path) -> None:
    reader = text_reader(tmp_path, b"\xef\xbb\xbfe,0,1,2\r\nH,1,2,3\r\n\r\nHe,4,5,6\r\n\r\n", "e.csv")
    assert reader.matrices[0].shape == (2, 3)
    assert reader.read_rows("e", 1, 2).tolist() == [[4, 5, 6]]
    assert reader.read_labels("e") == {"e": ["H", "He"]}


def test_a_line_of_a_gigabyte_is_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(text_rows, "MAX_LINE_BYTES", 10_000)
    with pytest.raises(UnsupportedError, match="a line of it is larger"):
        text_reader(tmp_path, MANY + "\n" + "x" * (3 << 20))
    with pytest.raises(UnsupportedError, match="does not begin with lines"):
        text_reader(tmp_path, "x" * (1 << 20))


def test_words_beyond_the_limit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(text_rows, "MAX_LABEL_BYTES", 100)
    with pytest.raises(UnsupportedError, match="the words in it"):
        read_everything(text_reader(tmp_path, MANY))


def test_warnings_of_numpy_stay_inside(tmp_path: Path) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        read_everything(text_reader(tmp_path, MANY + f"\nNew York {NUMBERS}\n"))


# ---- word2vec's binary format, and fastText's


ROW = np.arange(3, dtype="<f4").tobytes()


@pytest.mark.parametrize("ending", [b"", b"\n"])
def test_golden_bytes_of_word2vec(tmp_path: Path, ending: bytes) -> None:
    """gensim writes row after row; word2vec itself ends each with an end of line."""
    reader = read(tmp_path / "x.bin", b"2 3\n" + b"the " + ROW + ending + "böse ".encode() + ROW + ending, "word2vec")
    assert reader.read_labels("x") == {"token": ["the", "böse"]}
    assert reader.read_rows("x", 1, 2).tolist() == [[0, 1, 2]]


@pytest.mark.parametrize(
    ("content", "error", "text"),
    [
        (b"", UnsupportedError, "not a file of vectors"),
        (b"\x80\x04", UnsupportedError, "not a file of vectors"),
        (b"0 3\n", UnsupportedError, "not a file of vectors"),
        (b"9999999999 999999\n", IncompleteError, "9999999999 vectors"),
        (b"1 3\nthe " + ROW + b"more", DamagedError, "4 bytes follow"),
        (b"1 3\n" + b"x" * 5000 + ROW, DamagedError, "no word at the start of row 0"),
        (b"1 3\nthe_word_without_an_end", IncompleteError, "ends in row 0 of 1"),
    ],
)
def test_damaged_binary_vectors(tmp_path: Path, content: bytes, error: type[EmbfactorError], text: str) -> None:
    with pytest.raises(error, match=text):
        read_everything(read(tmp_path / "x.bin", content, "word2vec"))


def test_models_of_fasttext_itself(packages_dir: Path) -> None:
    """The package of gensim brings files that fastText wrote, with the same vectors as text."""
    folder = packages_dir / "gensim-4.4.0" / "gensim" / "test" / "test_data"
    supervised = ef.open_checkpoint(folder / "pang_lee_polarity_fasttext.bin")
    assert {matrix.name: matrix.shape for matrix in supervised.matrices} == {"words": (1694, 100), "output": (2, 100)}
    assert supervised["output"].labels.read(2).columns[0].values == ["__label__pos", "__label__neg"]
    as_text = ef.open_checkpoint(folder / "pang_lee_polarity_fasttext.vec").matrices[0]
    assert np.allclose(supervised["words"].rows(0, 1694), as_text.rows(0, 1694), atol=6e-6), "it has no n-grams"
    with_ngrams = ef.open_checkpoint(folder / "toy-model.bin")
    assert [matrix.shape for matrix in with_ngrams.matrices] == [(22, 5), (100, 5), (22, 5)]


def patched(data: bytes, offset: int, code: str, value: int) -> bytes:
    out = bytearray(data)
    struct.pack_into(code, out, offset, value)
    return bytes(out)


@pytest.mark.parametrize(
    ("offset", "code", "value", "error", "text"),
    [
        (0, "<i", 1, UnsupportedError, "not a model of fastText"),
        (4, "<i", 13, UnsupportedError, "another version"),
        (64, "<i", -1, DamagedError, "entries"),
        (64, "<i", 1 << 30, DamagedError, "entries"),
        (68, "<i", 11, DamagedError, "entries"),
        (84, "<q", 5, UnsupportedError, "quantized"),
    ],
)
def test_damaged_models_of_fasttext(
    fixtures_dir: Path, tmp_path: Path, offset: int, code: str, value: int, error: type[EmbfactorError], text: str
) -> None:
    data = (fixtures_dir / "fasttext" / "files" / "model.bin").read_bytes()
    with pytest.raises(error, match=text):
        read_everything(read(tmp_path / "x.bin", patched(data, offset, code, value), "fasttext"))
