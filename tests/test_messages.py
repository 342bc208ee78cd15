"""The sentences and the errors that carry them."""

from __future__ import annotations

import pickle
import re
from pathlib import Path

import pytest

import tb_embfactor
from tb_embfactor import errors
from tb_embfactor.messages import TEMPLATES, Message

SOURCE = Path(tb_embfactor.__file__).parent


def test_a_message_has_code_params_and_text() -> None:
    message = Message("unknown_run", {"run": "x", "known": "a, b"})
    assert message.to_json() == {
        "code": "unknown_run",
        "params": {"run": "x", "known": "a, b"},
        "text": "There is no run 'x'. The runs are: a, b.",
    }
    assert Message.from_json(message.to_json()) == message


def test_unlisted_codes_and_missing_parameters_are_bugs() -> None:
    with pytest.raises(KeyError):
        Message("nonsense")
    with pytest.raises(KeyError):
        Message("unknown_run", {"run": "x"})


def test_every_listed_sentence_is_said_somewhere() -> None:
    code = "\n".join(path.read_text() for path in SOURCE.rglob("*.py") if path.name != "messages.py")
    said = set(re.findall(r"""["']([a-z_]+)["']""", code)) | {f"task_{name}" for name in re.findall(r"def do_([a-z_]+)", code)}
    assert set(TEMPLATES) <= said


def test_every_error_crosses_a_process_border() -> None:
    for kind in (errors.UsageError, errors.NotFoundError, errors.DamagedError, errors.MatrixError, errors.CancelledError):
        error = kind("cancelled", task="x")
        back = errors.from_json(kind.__name__, error.to_json()["error"])
        assert type(back) is kind and back.message == error.message
        assert type(pickle.loads(pickle.dumps(error))) is kind


def test_statuses() -> None:
    assert errors.UsageError("cancelled", task="x").http_status == 400
    assert errors.NotFoundError("cancelled", task="x").http_status == 404
    assert errors.IncompleteError("cancelled", task="x").http_status == 422
    assert errors.WorkerError("cancelled", task="x").http_status == 503
    assert errors.UsageError("cancelled", task="x").exit_status == 2
