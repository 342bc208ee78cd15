"""Bodies, headers and the one error shape."""

from __future__ import annotations

import functools
import traceback
from collections.abc import Callable, Iterable
from typing import Any

from tensorboard.backend import http_util
from werkzeug import wrappers

from tb_embfactor.errors import EmbfactorError, UsageError
from tb_embfactor.messages import Message
from tb_embfactor.service import Pending

ARRAYS = "application/octet-stream"
IMMUTABLE_SECONDS = 31536000
App = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]


def reply(request: wrappers.Request, answer: dict[str, Any] | bytes | Pending, immutable: bool = False) -> wrappers.Response:
    """An answer of the service as a response: arrays as they are, JSON, or 202 while it is being computed."""
    if isinstance(answer, Pending):
        return json_response(request, answer.to_json(), 202)
    response = http_util.Respond(request, answer, ARRAYS) if isinstance(answer, bytes) else json_response(request, answer)
    if immutable:
        response.headers["Cache-Control"] = f"private, max-age={IMMUTABLE_SECONDS}, immutable"
    return response


def json_response(request: wrappers.Request, document: dict[str, Any], status: int = 200) -> wrappers.Response:
    return http_util.Respond(request, document, "application/json", status)


def route(method: str = "GET") -> Callable[[Callable[[wrappers.Request], wrappers.Response]], App]:
    """A WSGI app of a function from request to response; every error leaves it as the one error body."""

    def decorate(handler: Callable[[wrappers.Request], wrappers.Response]) -> App:
        @functools.wraps(handler)
        @wrappers.Request.application
        def app(request: wrappers.Request) -> wrappers.Response:
            try:
                if request.method != method and (method, request.method) != ("GET", "HEAD"):
                    raise UsageError("bad_parameter", owner=request.path, name="method", needed=method, got=request.method)
                return handler(request)
            except EmbfactorError as error:
                return json_response(request, error.to_json(), error.http_status)
            except Exception as error:  # a bug of ours is one bad answer, not a dead server
                traceback.print_exc()
                message = Message("internal", {"task": request.path, "reason": f"{type(error).__name__}: {error}"})
                return json_response(request, {"error": message.to_json()}, 500)

        return app

    return decorate


def text(request: wrappers.Request, name: str, default: str | None = None) -> str:
    """A parameter of the query; UsageError when it is missing and has no default."""
    value = request.args.get(name, default)
    if value is None:
        raise UsageError("missing_parameter", owner=request.path, name=name)
    return value


def choice(request: wrappers.Request, name: str, default: str, allowed: Iterable[str]) -> str:
    """One of several words of the query."""
    value = text(request, name, default)
    if value not in allowed:
        raise UsageError("bad_parameter", owner=request.path, name=name, needed=f"one of {', '.join(allowed)}", got=value)
    return value


def number(request: wrappers.Request, name: str, default: int | None, lowest: int, highest: int) -> int:
    """A whole number of the query within its range."""
    raw = text(request, name, None if default is None else str(default))
    try:
        value = int(raw)
    except ValueError:
        value = lowest - 1
    if not lowest <= value <= highest:
        raise UsageError(
            "bad_parameter", owner=request.path, name=name, needed=f"a whole number from {lowest} to {highest}", got=raw
        )
    return value


def row_list(request: wrappers.Request, name: str, most: int) -> list[int]:
    """Rows by number, as `1,2`, at most so many."""
    raw = text(request, name)
    rows = raw.split(",")
    if not _are_rows(rows) or len(rows) > most:
        needed = f"at most {most} rows by number, such as 1,2"
        raise UsageError("bad_parameter", owner=request.path, name=name, needed=needed, got=raw)
    return [int(row) for row in rows]


def row_groups(request: wrappers.Request, name: str) -> list[list[int]]:
    """Two groups of rows, as `1,2|7`."""
    raw = text(request, name)
    groups = [group.split(",") for group in raw.split("|")]
    if len(groups) != 2 or not all(map(_are_rows, groups)):
        needed = "two groups of rows, such as 1,2|7"
        raise UsageError("bad_parameter", owner=request.path, name=name, needed=needed, got=raw)
    return [[int(row) for row in group] for group in groups]


def _are_rows(texts: list[str]) -> bool:
    return all(row.isascii() and row.isdigit() for row in texts)
