"""Models that gensim saved: those of the framework through the contract, and pickles that it would not write."""

from __future__ import annotations

import os
import pickle
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest

from tb_embfactor.errors import DamagedError, EmbfactorError, IncompleteError, UnsupportedError
from tb_embfactor.formats import Reader, gensim_model
from tb_embfactor.formats.pickle_machine import Limits
from tb_embfactor.logdir import open_checkpoint, open_logdir
from tests.formats.contract import Checkpoint, Contract, load_case, open_reader, read_everything

VALUES = np.arange(24, dtype=np.float32).reshape(6, 4)


class TestFrameworkFiles(Contract):
    @pytest.fixture
    def case(self, fixtures_dir: Path) -> list[Checkpoint]:
        return load_case(fixtures_dir / "gensim_models")

    @pytest.fixture
    def checkpoint(self, case: list[Checkpoint]) -> Checkpoint:
        return next(checkpoint for checkpoint in case if checkpoint.name == "apart.model")


class Vectors:
    """Pickled under the name of gensim's class."""

    def __init__(self, **attributes: Any) -> None:
        self.__dict__ |= attributes


Vectors.__module__, Vectors.__qualname__, Vectors.__name__ = "gensim.models.keyedvectors", "KeyedVectors", "KeyedVectors"


class Pickler(pickle._Pickler):  # type: ignore[name-defined]
    """The one in Python, which can be kept from looking for the class."""

    def save_global(self, obj: Any, name: str | None = None) -> None:
        if obj is Vectors:
            self.write(b"cgensim.models.keyedvectors\nKeyedVectors\n")
            self.memoize(obj)
        else:
            super().save_global(obj, name)

    dispatch: ClassVar = {**pickle._Pickler.dispatch, type: save_global}  # type: ignore[attr-defined]


def write(path: Path, *, protocol: int = 4, **attributes: Any) -> Reader:
    with path.open("wb") as file:
        Pickler(file, protocol).dump(Vectors(**attributes))
    return open_reader(path, "gensim")


@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
@pytest.mark.parametrize("dtype", ["<f4", ">f8", "<i2"])
def test_arrays_in_the_pickle(tmp_path: Path, protocol: int, dtype: str) -> None:
    values = np.asfortranarray(VALUES.astype(dtype))
    reader = write(tmp_path / "x.kv", protocol=protocol, vectors=values, index_to_key=list("abcdef"), cube=np.zeros((2, 2, 2)))
    assert reader.read_rows("vectors", 1, 5).tolist() == VALUES[1:5].tolist()
    assert reader.read_rows("vectors", 0, 1).dtype == np.dtype(dtype[1:])
    assert reader.read_labels("vectors") == {"key": list("abcdef")}


def test_words_of_another_number_are_no_labels(tmp_path: Path) -> None:
    (info,) = write(tmp_path / "x.kv", vectors=VALUES, index_to_key=list("abcde")).matrices
    assert info.labels == ()


def test_an_array_that_lies_apart_and_is_missing(fixtures_dir: Path, tmp_path: Path) -> None:
    checkpoint = next(item for item in load_case(fixtures_dir / "gensim_models") if item.name == "apart.model").copy_to(tmp_path)
    (tmp_path / "apart.model.wv.vectors.npy").unlink()
    with checkpoint.open() as reader:
        assert [info.name for info in reader.matrices] == ["syn1neg"]
        (message,) = reader.skipped
        assert "apart.model.wv.vectors.npy is not there any more" in message.text


def test_files_that_lie_apart_are_no_checkpoints(fixtures_dir: Path) -> None:
    folder = fixtures_dir / "gensim_models" / "files"
    log = open_logdir(folder)
    assert log.problems == ()
    assert {checkpoint.format for checkpoint in log.runs[0].checkpoints} == {"gensim"}
    assert open_checkpoint(folder / "apart.model.wv.vectors.npy").id == "apart.model"


@pytest.mark.parametrize("name", ["../../secret", "/etc/passwd", "..", "a\0b"])
def test_no_path_leads_out_of_the_directory(tmp_path: Path, name: str) -> None:
    (tmp_path / "logs").mkdir()
    np.save(tmp_path / "secret.npy", VALUES)
    reader = write(tmp_path / "logs" / "x.kv", vectors=VALUES, __numpys=[name, 3, None])
    assert [info.name for info in reader.matrices] == ["vectors"]
    assert len(reader.skipped) == 1


class Evil:
    def __init__(self, canary: Path) -> None:
        self.canary = canary

    def __reduce__(self) -> Any:
        return os.system, (f"touch {self.canary}",)


def test_nothing_is_called(tmp_path: Path) -> None:
    reader = write(
        tmp_path / "x.kv", vectors=VALUES, more=Evil(tmp_path / "canary"), index_to_key=[Evil(tmp_path / "canary")] * 6
    )
    read_everything(reader)
    (tmp_path / "y.kv").write_bytes(b"\x80\x02" + pickle.dumps(("gensim", Evil(tmp_path / "canary")), 2)[2:])
    with pytest.raises(DamagedError, match="does not make an object of gensim"):
        open_reader(tmp_path / "y.kv", "gensim")
    assert not (tmp_path / "canary").exists()


@pytest.mark.parametrize(
    ("content", "error", "text"),
    [
        (b"", UnsupportedError, "not a model of gensim"),
        (b"\x80\x04 sentencepiece", UnsupportedError, "not a model of gensim"),
        (b"\x80\x02cgensim.models\nX\n", IncompleteError, "ends before"),
        (b"\x80\x02cgensim.models\nX\n.", DamagedError, "does not make an object"),
        (b"\x80\x02cgensim.models\nX\n)\x81.", UnsupportedError, "none of its attributes"),
        (b"\x80\x02cgensim.models\nX\n)\x81(K\x01K\x02lb.", UnsupportedError, "none of its attributes"),
    ],
)
def test_pickles_that_are_no_model(tmp_path: Path, content: bytes, error: type[EmbfactorError], text: str) -> None:
    (tmp_path / "x.model").write_bytes(content)
    with pytest.raises(error, match=text):
        open_reader(tmp_path / "x.model", "gensim")


def test_more_than_the_limit(fixtures_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = fixtures_dir / "gensim_models" / "files" / "small_300.model"
    monkeypatch.setattr(gensim_model, "LIMITS", Limits(n_bytes=100))
    with pytest.raises(UnsupportedError, match="limit is 100 bytes"):
        open_reader(path, "gensim")
    monkeypatch.setattr(gensim_model, "LIMITS", Limits(n_opcodes=100))
    with pytest.raises(UnsupportedError, match="number of steps"):
        open_reader(path, "gensim")


def test_an_array_that_lies_about_its_size_is_left_out(tmp_path: Path) -> None:
    write(tmp_path / "x.kv", vectors=VALUES, good=VALUES.copy())
    data = (tmp_path / "x.kv").read_bytes()
    at = data.find(b"K\x06K\x04")
    (tmp_path / "x.kv").write_bytes(data[:at] + b"K\x09K\x04" + data[at + 4 :])
    assert [info.name for info in open_reader(tmp_path / "x.kv", "gensim").matrices] == ["good"]
