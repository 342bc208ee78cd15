"""Vocabularies of tokenizers: `tokenizer.json`, as Hugging Face's tokenizers writes it (WordPiece, BPE, Unigram), `vocab.json`.

Both tell the number of each token, so a number that is reserved or left out has no label. Tokens are made readable: where they
stand for bytes (the BPE of GPT-2 and its like), the text of those bytes is shown, with `▁` for a space, as SentencePiece writes
it, and `\\xe4` for a byte that is no whole character.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tb_embfactor.errors import ReadError
from tb_embfactor.logdir.labels import file_state, unusable
from tb_embfactor.sources import Confinement, FileSource

TOKENS = ".json"
MAX_FILE_BYTES = 64 << 20
MAX_NUMBER = 1 << 31
_SPACE = "\u2581"
_BYTE_SPACE = "\u0120"  # how byte-level BPE writes a space
_MAX_KNOWN = 1000

_known: dict[bytes, int] = {}
"""How many numbers of tokens a file goes up to, by its digest: a trainer writes the same file into each of its checkpoints."""


@dataclass(frozen=True)
class TokenFile:
    """See `tb_embfactor.logdir.labels.LabelSource`. n_tokens : one more than the highest number of a token."""

    path: Path
    shown: str
    confinement: Confinement
    n_tokens: int
    state: str
    columns: tuple[str, ...] = ("token",)

    def current(self) -> TokenFile:
        return self if file_state(self.path) == self.state else survey_tokens(self.confinement, self.path)

    def n_labels(self, n_rows: int) -> int:
        return self.n_tokens

    def read_columns(self, n_rows: int) -> list[list[str | None]]:
        with self.confinement.open(self.path) as source:
            tokens, is_of_bytes = _parse(_read(source), source.name)
        return [[readable(tokens[row], is_of_bytes) if row in tokens else None for row in range(min(n_rows, self.n_tokens))]]


def survey_tokens(confinement: Confinement, path: Path) -> TokenFile:
    """Count the tokens of a file; any ReadError says why it cannot be used."""
    with confinement.open(path) as source:
        state, data = source.fingerprint(), _read(source)
        digest = hashlib.blake2b(data, digest_size=20).digest()
        if digest not in _known:
            if len(_known) >= _MAX_KNOWN:
                _known.clear()
            _known[digest] = max(_parse(data, source.name)[0]) + 1
        return TokenFile(path, source.name, confinement, _known[digest], state)


def readable(token: str, is_of_bytes: bool = False) -> str:
    """A token as one can read it: on one line, and with no space that could be overlooked."""
    if is_of_bytes and all(letter in _BYTES for letter in token):
        token = bytes(_BYTES[letter] for letter in token).decode("utf-8", "backslashreplace").replace(" ", _SPACE)
    if token.isspace():
        token = token.replace(" ", _SPACE)
    if token.isprintable():
        return token
    return "".join(letter if letter.isprintable() else letter.encode("unicode_escape").decode() for letter in token)


def _read(source: FileSource) -> bytes:
    if source.size > MAX_FILE_BYTES:
        size, limit = f"{source.size:,} bytes", f"{MAX_FILE_BYTES:,} bytes"
        raise ReadError("file_too_large", path=source.name, what="a vocabulary", size=size, limit=limit)
    return source.read_at(0, source.size)


def _parse(data: bytes, shown: str) -> tuple[dict[int, str], bool]:
    """The tokens by number, and whether they are made of bytes."""
    try:
        document = json.loads(data)
    except (ValueError, RecursionError):
        raise unusable(shown, "it is no JSON that can be read") from None
    is_whole = isinstance(document, dict) and isinstance(document.get("model"), dict)
    tokens = _numbered(document["model"].get("vocab")) | _added(document) if is_whole else _numbered(document)
    if not tokens or min(tokens) < 0 or not all(isinstance(text, str) for text in tokens.values()):
        raise unusable(shown, "it is no vocabulary: it does not give each token its number")
    if is_whole:
        return tokens, "ByteLevel" in {*_types(document.get("decoder")), *_types(document.get("pre_tokenizer"))}
    return tokens, 20 * sum(text.startswith(_BYTE_SPACE) for text in tokens.values()) > len(tokens)


def _numbered(vocabulary: Any) -> dict[int, Any]:
    """Tokens by number: of {token: number}, of [token, …], or of [[token, score], …], as Unigram has it. -1 is no number."""
    if isinstance(vocabulary, dict):
        return {number if type(number) is int and number < MAX_NUMBER else -1: token for token, number in vocabulary.items()}
    if isinstance(vocabulary, list):
        return dict(enumerate(entry[0] if isinstance(entry, list) and entry else entry for entry in vocabulary))
    return {}


def _added(document: dict[str, Any]) -> dict[int, Any]:
    """Tokens by number that were added to those of the model."""
    listed = document.get("added_tokens")
    entries = [entry for entry in listed if isinstance(entry, dict)] if isinstance(listed, list) else []
    return _numbered({entry["content"]: entry.get("id") for entry in entries if isinstance(entry.get("content"), str)})


def _types(part: Any) -> Iterator[Any]:
    """The types of a step of a tokenizer, and of those that it is a sequence of."""
    if isinstance(part, dict):
        inner = [step for steps in part.values() if isinstance(steps, list) for step in steps if isinstance(step, dict)]
        yield from (step["type"] for step in (part, *inner) if isinstance(step.get("type"), str))


def _byte_letters() -> dict[str, int]:
    """The bytes that the letters of byte-level BPE stand for: themselves where they are printable, else letters from 256 on."""
    plain = [*range(ord("!"), ord("~") + 1), *range(ord("¡"), ord("¬") + 1), *range(ord("®"), ord("ÿ") + 1)]
    others = [byte for byte in range(256) if byte not in plain]
    return {chr(byte): byte for byte in plain} | {chr(256 + number): byte for number, byte in enumerate(others)}


_BYTES = _byte_letters()
