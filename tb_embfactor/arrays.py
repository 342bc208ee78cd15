"""The one container for arrays, everywhere: replies, cache entries and exports are safetensors files.

The header's `__metadata__` holds one string, `info`, a JSON document. The browser parses the layout in a few lines,
Python users load it with `safetensors`, and a cached answer goes from disk to the socket untouched.
"""

from __future__ import annotations

import io
import json
import math
import os
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from safetensors.numpy import load, save


def encode(tensors: Mapping[str, np.ndarray], info: Mapping[str, Any]) -> bytes:
    """Arrays and a JSON document as one safetensors body."""
    metadata = {"info": json.dumps(finite(info), ensure_ascii=False, separators=(",", ":"), allow_nan=False)}
    return save({name: np.ascontiguousarray(array) for name, array in tensors.items()}, metadata)


def decode(body: bytes) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
    """The arrays and the JSON document of a body written by `encode` (trusted: our own cache and worker)."""
    return load(body), decode_info(body)


def decode_info(body: bytes) -> dict[str, Any]:
    header = json.loads(body[8 : 8 + int.from_bytes(body[:8], "little")])
    return json.loads(header["__metadata__"]["info"])


def encode_npz(tensors: Mapping[str, np.ndarray]) -> bytes:
    buffer = io.BytesIO()
    np.savez(buffer, **tensors)  # type: ignore[arg-type]
    return buffer.getvalue()


def finite(value: Any) -> Any:
    """The value as JSON can say it: NaN and Infinity become null, numpy numbers and arrays become plain ones."""
    if isinstance(value, Mapping):
        return {key: finite(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [finite(item) for item in value]
    if isinstance(value, np.ndarray):
        return finite(value.tolist())
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value


def write_atomically(path: Path, *parts: bytes) -> None:
    """Write a file that appears whole or not at all, also when the process is killed half-way."""
    path.parent.mkdir(parents=True, exist_ok=True)
    fd, temporary = tempfile.mkstemp(prefix=".", suffix=".part", dir=path.parent)
    try:
        with os.fdopen(fd, "wb") as file:
            file.writelines(parts)
        os.chmod(temporary, 0o666 & ~_umask())
        os.replace(temporary, path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise


def _umask() -> int:
    mask = os.umask(0o022)
    os.umask(mask)
    return mask
