"""The standard Embedding Projector of the installed TensorBoard, showing one matrix of one checkpoint of any format.

TensorBoard ships the projector as one page and one script, which ask for `runs`, `info`, `tensor`, … relative to the page.
Here the page is served under a path that names the matrix, and these questions are answered with it. By default the
projector is given factor scores (the rows along the leading principal axes) instead of all columns: it starts several
times faster, and what share of the variance they keep is said beside it.
"""

from __future__ import annotations

import base64
import binascii
import json
import os
from collections.abc import Callable
from typing import Any

from tensorboard.backend import http_util
from werkzeug import wrappers

from tb_embfactor.errors import MatrixError, NotFoundError, UsageError, WorkerError
from tb_embfactor.service import Pending, Service
from tb_embfactor.web.respond import App, json_response, number, route

N_SCORES = 32
MAX_ROWS = 100_000  # the projector asks for no more
MAX_MATRIX_BYTES = 256 << 20
WAIT_SECONDS = 600.0  # the projector cannot be told to ask again
_MARKER = "/projector/"
_FILES = {"projector_binary.html": "text/html", "projector_binary.js": "text/javascript"}


def projector_app(service: Service) -> App:
    @route()
    def projector(request: wrappers.Request) -> wrappers.Response:
        selection, _, name = request.path.partition(_MARKER)[2].partition("/")
        chosen = _selection(selection)
        if name in _FILES:
            return http_util.Respond(request, _shipped(name), _FILES[name])
        if name not in _ANSWERS:
            raise NotFoundError(
                "bad_parameter", owner="projector", name="route", needed=f"one of {', '.join(_ANSWERS)}", got=name
            )
        return _ANSWERS[name](request, service, chosen)

    return projector


def _selection(encoded: str) -> dict[str, str]:
    try:
        chosen = json.loads(base64.urlsafe_b64decode(encoded + "=" * (-len(encoded) % 4)))
        names = {name: chosen[name] for name in ("run", "checkpoint", "matrix", "values")}
    except (binascii.Error, ValueError, KeyError, TypeError, RecursionError):
        names = {}
    if not all(isinstance(value, str) for value in names.values()) or names.get("values") not in ("scores", "matrix"):
        needed = "base64url of a JSON object with run, checkpoint, matrix and values (scores or matrix)"
        raise UsageError("bad_parameter", owner="projector", name="selection", needed=needed, got=encoded[:80])
    return names


def _shipped(name: str) -> bytes:
    import tensorboard.plugins.projector as package

    path = os.path.join(os.path.dirname(package.__file__), "tf_projector_plugin", name)
    try:
        with open(path, "rb") as file:
            return file.read()
    except FileNotFoundError:
        raise NotFoundError("projector_missing", path=path) from None


def _names(chosen: dict[str, str]) -> dict[str, str]:
    return {name: chosen[name] for name in ("run", "checkpoint", "matrix")}


def _scores(service: Service, chosen: dict[str, str]) -> tuple[Any, dict[str, Any]]:
    from tb_embfactor import arrays

    tensors, info = arrays.decode(_wait_for(service.points(**_names(chosen), n_components=N_SCORES, wait_seconds=WAIT_SECONDS)))
    return tensors["points"], info


def _wait_for(answer: Any) -> Any:
    if isinstance(answer, Pending):
        raise WorkerError("worker_timeout", task=answer.task.text, seconds=round(WAIT_SECONDS))
    return answer


def _about(request: wrappers.Request, service: Service, chosen: dict[str, str]) -> wrappers.Response:
    _, matrix = service.listing.find(**_names(chosen))
    n_rows, n_columns = matrix["shape"]
    share: float | None = 1.0
    if chosen["values"] == "scores":
        points, info = _scores(service, chosen)
        n_columns, share = points.shape[1], info["total_share"]
    _shipped("projector_binary.js")
    n_shown = min(n_rows, MAX_ROWS)
    about = {
        "values": chosen["values"],
        "n_rows": n_shown,
        "n_columns": n_columns,
        "share": share,
        "bytes": n_shown * n_columns * 4,
    }
    return json_response(request, about | {"available": True, "error": None})


def _runs(request: wrappers.Request, service: Service, chosen: dict[str, str]) -> wrappers.Response:
    return http_util.Respond(request, [chosen["run"]], "application/json")


def _info(request: wrappers.Request, service: Service, chosen: dict[str, str]) -> wrappers.Response:
    checkpoint, matrix = service.listing.find(**_names(chosen))
    n_rows, n_columns = matrix["shape"]
    if chosen["values"] == "scores":
        n_columns = _scores(service, chosen)[0].shape[1]
    embedding: dict[str, Any] = {"tensorName": chosen["matrix"], "tensorShape": [n_rows, n_columns]}
    if matrix["labels"]:
        embedding["metadataPath"] = matrix["labels"]["source"]
    return json_response(request, {"modelCheckpointPath": checkpoint["path"], "embeddings": [embedding]})


def _tensor(request: wrappers.Request, service: Service, chosen: dict[str, str]) -> wrappers.Response:
    import numpy as np

    n_rows = number(request, "num_rows", MAX_ROWS, 1, MAX_ROWS)
    if chosen["values"] == "scores":
        body = np.nan_to_num(_scores(service, chosen)[0][:n_rows]).tobytes()
    else:
        _, matrix = service.listing.find(**_names(chosen))
        n_rows = min(n_rows, matrix["shape"][0])
        n_bytes = n_rows * matrix["shape"][1] * 4
        if n_bytes > MAX_MATRIX_BYTES:
            size, limit = f"{n_bytes >> 20} MB", f"{MAX_MATRIX_BYTES >> 20} MB"
            raise MatrixError(
                "matrix_too_large", matrix=chosen["matrix"], size=size, what="the projector's full matrix", limit=limit
            )
        body = _wait_for(service.tensor(**_names(chosen), stop=n_rows, wait_seconds=WAIT_SECONDS))
    return http_util.Respond(request, body, "application/octet-stream")


def _metadata(request: wrappers.Request, service: Service, chosen: dict[str, str]) -> wrappers.Response:
    labels = _wait_for(service.labels(**_names(chosen), wait_seconds=WAIT_SECONDS))
    columns = labels["columns"]
    n_rows = number(request, "num_rows", MAX_ROWS, 1, MAX_ROWS)
    lines = ["\t".join(_cell(column["name"]) for column in columns)] if len(columns) > 1 else []
    lines += ["\t".join(map(_cell, values)) for values in zip(*(column["values"][:n_rows] for column in columns), strict=True)]
    return http_util.Respond(request, "\n".join(lines), "text/plain")


def _bookmarks(request: wrappers.Request, service: Service, chosen: dict[str, str]) -> wrappers.Response:
    return http_util.Respond(request, [], "application/json")


def _cell(value: Any) -> str:
    return "" if value is None else str(value).replace("\t", " ").replace("\n", " ")


_ANSWERS: dict[str, Callable[[wrappers.Request, Service, dict[str, str]], wrappers.Response]] = {
    "about": _about,
    "runs": _runs,
    "info": _info,
    "tensor": _tensor,
    "metadata": _metadata,
    "bookmarks": _bookmarks,
}
