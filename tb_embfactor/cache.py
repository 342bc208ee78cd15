"""Answers on disk, in two tiers, under the user's cache directory; never in a log directory.

    results/   small answers (spectra, numbers, projections): evicted last
    factors/   d×d factors that answers are made from: evicted first, since a pass over the matrix brings them back
    copies/    (beside them; see copies.py) what had to be unpacked to be read

An entry is a safetensors body and its CRC-32C in a file named after its key. It appears whole or not at all (atomic rename), so
no lock is needed, two TensorBoards share one cache, and a killed process leaves at most a temporary file. What a crash of the
machine or a worn disk made of an entry is no answer: it is deleted and computed again. A cache that cannot be written
(full disk, read-only home) costs speed, never an answer.
"""

from __future__ import annotations

import hashlib
import json
import os
from contextlib import suppress
from pathlib import Path
from typing import Any, Literal

from tb_embfactor.copies import evict

Tier = Literal["results", "factors"]
LIMIT_BYTES: dict[Tier, int] = {"results": 2 << 30, "factors": 2 << 30}
_CHECKSUM_BYTES = 4


def key(**parts: Any) -> str:
    """The key of an answer: a hash of everything it depends on (fingerprints, transform, parameters, algorithm)."""
    text = json.dumps(parts, sort_keys=True, ensure_ascii=True, allow_nan=False)
    return hashlib.blake2b(text.encode(), digest_size=20).hexdigest()


class Cache:
    """Counts its `hits` and `misses`. `directory` None keeps nothing."""

    def __init__(self, directory: Path | None) -> None:
        self.directory = directory
        self.hits = self.misses = 0
        self._written: dict[Tier, int] = {}

    def get(self, tier: Tier, name: str) -> bytes | None:
        if self.directory is None:
            return None
        path = self._path(tier, name)
        try:
            with path.open("rb") as file:
                body = file.read(max(0, os.fstat(file.fileno()).st_size - _CHECKSUM_BYTES))
                checksum = file.read()
            os.utime(path)  # recently used: evicted later
        except OSError:
            self.misses += 1
            return None
        if checksum != _checksum(body):
            self.misses += 1
            with suppress(OSError):
                path.unlink()
            return None
        self.hits += 1
        return body

    def put(self, tier: Tier, name: str, body: bytes) -> None:
        """Keep an answer if it can be kept."""
        if self.directory is None or len(body) > LIMIT_BYTES[tier] // 4:
            return
        from tb_embfactor.arrays import write_atomically

        try:
            write_atomically(self._path(tier, name), body, _checksum(body))
        except OSError:
            return
        self._written[tier] = self._written.get(tier, LIMIT_BYTES[tier]) + len(body)
        if self._written[tier] > LIMIT_BYTES[tier] // 16:  # look at the whole tier only now and then, and at first
            self._written[tier] = 0
            self._evict(tier)

    def _path(self, tier: Tier, name: str) -> Path:
        assert self.directory is not None
        return self.directory / tier / name[:2] / f"{name}.entry"

    def _evict(self, tier: Tier) -> None:
        assert self.directory is not None
        evict((self.directory / tier).glob("*/*"), LIMIT_BYTES[tier])


def _checksum(body: bytes) -> bytes:
    import google_crc32c

    return int(google_crc32c.value(body)).to_bytes(_CHECKSUM_BYTES, "little")
