from __future__ import annotations

import json

import numpy as np
import pytest
from safetensors.numpy import load

from tb_embfactor import arrays


def test_a_body_is_a_safetensors_file_with_one_document() -> None:
    tensors = {"values": np.array([[1.5, np.nan], [np.inf, -2.0]]), "n": np.arange(3, dtype=np.int32)}
    body = arrays.encode(
        tensors, {"run": "été", "share": np.float64("nan"), "k": np.int64(3), "list": (1, np.array([0.5, np.inf]))}
    )
    loaded = load(body)
    assert np.array_equal(loaded["values"], tensors["values"], equal_nan=True)
    back, info = arrays.decode(body)
    assert set(back) == {"values", "n"}
    assert info == {"run": "été", "share": None, "k": 3, "list": [1, [0.5, None]]}


def test_the_layout_byte_by_byte() -> None:
    """What the browser parses: eight bytes of header length, JSON, then little-endian data aligned to eight bytes."""
    body = arrays.encode({"x": np.array([1.0, 2.0])}, {"a": 1})
    length = int.from_bytes(body[:8], "little")
    header = json.loads(body[8 : 8 + length])
    assert header == {"__metadata__": {"info": '{"a":1}'}, "x": {"dtype": "F64", "shape": [2], "data_offsets": [0, 16]}}
    assert (8 + length) % 8 == 0
    assert body[8 + length :] == bytes.fromhex("000000000000f03f0000000000000040")


def test_arrays_that_are_not_contiguous() -> None:
    matrix = np.arange(12.0).reshape(3, 4)
    assert np.array_equal(arrays.decode(arrays.encode({"t": matrix.T[::-1]}, {}))[0]["t"], matrix.T[::-1])


def test_writing_leaves_the_old_file_when_it_fails(tmp_path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "deep" / "file"
    arrays.write_atomically(path, b"old")

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(arrays.os, "replace", full)
    with pytest.raises(OSError, match="No space"):
        arrays.write_atomically(path, b"new")
    assert path.read_bytes() == b"old"
    assert len(list(path.parent.iterdir())) == 1
