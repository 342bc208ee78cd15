"""The error tree. Each error carries one sentence; the HTTP status and the exit status follow from its class.

EmbfactorError
├── UsageError             a parameter is wrong                  400   exit 2
├── NotFoundError          no such run, checkpoint, matrix       404   exit 1
├── ReadError              a file cannot be read                 422   exit 1
│   ├── ConfinementError       it lies outside the allowed roots
│   ├── IncompleteError        it is truncated, being written, or changed under the reader
│   ├── DamagedError           its bytes contradict each other
│   └── UnsupportedError       it is sound, and not something we read
├── MatrixError            the numbers do not allow the question 422   exit 1
└── WorkerError            the worker process died or was ended  503   exit 1
    └── CancelledError         somebody asked for that
"""

from __future__ import annotations

from typing import Any

from tb_embfactor.messages import Message


class EmbfactorError(Exception):
    """Anything this package raises on purpose. `message` is the sentence; `str(error)` its English text."""

    http_status = 500
    exit_status = 1

    def __init__(self, code: str, **params: Any) -> None:
        self.message = Message(code, params)
        super().__init__(self.message.text)

    @property
    def code(self) -> str:
        return self.message.code

    def to_json(self) -> dict[str, Any]:
        """The one error body on the wire."""
        return {"error": self.message.to_json()}

    def __reduce__(self) -> Any:
        return (_rebuild, (type(self).__name__, self.message.code, self.message.params))


class UsageError(EmbfactorError):
    http_status = 400
    exit_status = 2


class NotFoundError(EmbfactorError):
    http_status = 404


class ReadError(EmbfactorError):
    http_status = 422


class ConfinementError(ReadError):
    pass


class IncompleteError(ReadError):
    pass


class DamagedError(ReadError):
    pass


class UnsupportedError(ReadError):
    pass


class MatrixError(EmbfactorError):
    http_status = 422


class WorkerError(EmbfactorError):
    http_status = 503


class CancelledError(WorkerError):
    pass


def _subclasses(cls: type[EmbfactorError]) -> dict[str, type[EmbfactorError]]:
    found = {cls.__name__: cls}
    for child in cls.__subclasses__():
        found.update(_subclasses(child))
    return found


def from_json(kind: str, message: dict[str, Any]) -> EmbfactorError:
    """Rebuild an error that crossed a process border as its class name and message."""
    return _rebuild(kind, message["code"], message["params"])


def _rebuild(kind: str, code: str, params: dict[str, Any]) -> EmbfactorError:
    return _subclasses(EmbfactorError)[kind](code, **params)
