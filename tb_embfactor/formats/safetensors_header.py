"""The header of a safetensors file, read as strictly as its specification is written.

A file is: the length of the header (8 bytes, little-endian), the header (JSON), and the numbers. The header gives each tensor's
type, shape, and first and last byte. The tensors must tile the numbers: a hole could hide something, an overlap could make two
readers see two things.

    https://github.com/huggingface/safetensors#format
"""

from __future__ import annotations

import json
import math
import re
from dataclasses import dataclass
from typing import Any, NoReturn, TypeGuard

import ml_dtypes
import numpy as np

from tb_embfactor.errors import DamagedError, IncompleteError, UnsupportedError
from tb_embfactor.sources import Source

MAX_HEADER_BYTES = 16 << 20
MAX_AXES = 64
MAX_NAME_LENGTH = 1000
_MAX_DIMENSION = 1 << 62

DTYPES = {
    "F64": np.dtype(np.float64), "F32": np.dtype(np.float32), "F16": np.dtype(np.float16), "BF16": np.dtype(ml_dtypes.bfloat16),
    "F8_E5M2": np.dtype(ml_dtypes.float8_e5m2), "F8_E4M3": np.dtype(ml_dtypes.float8_e4m3fn),
    "F8_E8M0": np.dtype(ml_dtypes.float8_e8m0fnu), "BOOL": np.dtype(np.bool_),
    "I64": np.dtype(np.int64), "I32": np.dtype(np.int32), "I16": np.dtype(np.int16), "I8": np.dtype(np.int8),
    "U64": np.dtype(np.uint64), "U32": np.dtype(np.uint32), "U16": np.dtype(np.uint16), "U8": np.dtype(np.uint8),
}  # fmt: skip
_BITS = {name: 8 * dtype.itemsize for name, dtype in DTYPES.items()} | {"C64": 64, "F4": 4, "F6_E2M3": 6, "F6_E3M2": 6}


@dataclass(frozen=True)
class Entry:
    """A tensor. dtype : None for a type whose numbers are not read, which is called `type_name`."""

    shape: tuple[int, ...]
    dtype: np.dtype | None
    type_name: str
    offset: int


def read_header(source: Source) -> tuple[dict[str, Entry], dict[str, str]]:
    """The tensors by name, and the remarks of who wrote the file."""
    length = int.from_bytes(source.read_at(0, min(8, source.size)), "little")
    if source.size < 8:
        raise IncompleteError("file_incomplete", path=source.name, what="it ends before its header")
    if source.size > 8 and source.read_at(8, 1) != b"{":
        expected, got = "a safetensors file", "it does not start like one"
        raise UnsupportedError("file_foreign", path=source.name, expected=expected, got=got)
    if length > MAX_HEADER_BYTES:
        size, limit = f"{length:,} bytes", f"{MAX_HEADER_BYTES:,} bytes"
        raise UnsupportedError("file_too_large", path=source.name, what="its header", size=size, limit=limit)
    document = _parse(source.read_at(8, length), source)
    remarks = document.pop("__metadata__", {})
    if not isinstance(remarks, dict) or not all(isinstance(value, str) for value in remarks.values()):
        raise _damaged(source, "its remarks (__metadata__) are not texts")
    _check_tiling(document, source, 8 + length)
    return {name: _entry(told, 8 + length) for name, told in document.items()}, remarks


def _parse(text: bytes, source: Source) -> dict[str, Any]:
    try:
        document = json.loads(text, object_pairs_hook=_unique, parse_constant=_refuse, parse_float=_refuse)
    except RecursionError:
        raise _damaged(source, "its header is nested too deeply") from None
    except ValueError as error:
        raise _damaged(source, f"its header is not what it should be ({str(error)[:100]})") from None
    if not isinstance(document, dict):
        raise _damaged(source, "its header is not an object")
    return document


def _check_tiling(document: dict[str, Any], source: Source, start: int) -> None:
    """Each tensor begins where the one before it ends, from the first byte behind the header to the last of the file."""
    spans = []
    for name, told in document.items():
        shape, type_name, first, last = _check_tensor(name, told, source)
        if math.prod(shape) * _BITS[type_name] != 8 * (last - first):
            what = f"{_show(name)} has the shape {_show(shape)} of type {type_name}, and {last - first} bytes"
            raise _damaged(source, what)
        spans.append((first, last, name))
    end = 0
    for first, last, name in sorted(spans):
        if first != end:
            what = "overlaps the tensor before it" if first < end else "leaves a hole before it"
            raise _damaged(source, f"{_show(name)} {what}")
        end = last
    if start + end > source.size:
        what = "the tensors that its header lists"
        raise IncompleteError("file_truncated", path=source.name, size=source.size, needed=start + end, what=what)
    if start + end < source.size:
        raise _damaged(source, f"{source.size - start - end} bytes follow its last tensor")


def _check_tensor(name: str, told: Any, source: Source) -> tuple[list[int], str, int, int]:
    """Shape, type, first and last byte as the header tells them, if they are what they should be."""
    told = told if isinstance(told, dict) else {}
    shape, type_name, span = told.get("shape"), told.get("dtype"), told.get("data_offsets")
    is_known = isinstance(type_name, str) and type_name in _BITS and len(name) <= MAX_NAME_LENGTH
    if not (is_known and _is_sizes(shape) and len(shape) <= MAX_AXES and _is_sizes(span) and len(span) == 2):
        raise _damaged(source, f"what its header says of {_show(name)} is no tensor")
    return shape, type_name, *span


def _entry(told: dict[str, Any], start: int) -> Entry:
    return Entry(tuple(told["shape"]), DTYPES.get(told["dtype"]), told["dtype"], start + told["data_offsets"][0])


def _is_sizes(value: Any) -> TypeGuard[list[int]]:
    return isinstance(value, list) and all(type(size) is int and 0 <= size <= _MAX_DIMENSION for size in value)


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError("a name stands in it twice")
    return found


def _refuse(text: str) -> NoReturn:
    raise ValueError(f"the number {text[:20]} in it is no whole number")


def _show(value: Any) -> str:
    text = re.sub(r"\s+", " ", str(value))
    return text if len(text) <= 100 else f"{text[:100]}…"


def _damaged(source: Source, what: str) -> DamagedError:
    return DamagedError("file_damaged", path=source.name, what=what)
