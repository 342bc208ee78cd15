"""The route table. What each route takes and gives is written in docs/http-api.md; a test compares the two."""

from __future__ import annotations

import mimetypes
from importlib import resources
from typing import Any

from tensorboard.backend import http_util
from werkzeug import wrappers

from tb_embfactor.errors import UsageError
from tb_embfactor.service import Service
from tb_embfactor.transforms import Transform
from tb_embfactor.web.projector import projector_app
from tb_embfactor.web.respond import App, choice, json_response, number, reply, route, row_groups, row_list, text

ROLES = ("embedding", "kernel", "other")
DEFAULT_WAIT, MAX_WAIT = 10, 30  # seconds


def make_apps(service: Service) -> dict[str, App]:
    """Routes under /data/plugin/embfactor, each a WSGI app."""

    @route()
    def catalogue(request: wrappers.Request) -> wrappers.Response:
        return reply(request, service.catalogue(request.args.get("since")))

    @route()
    def spectra(request: wrappers.Request) -> wrappers.Response:
        run, matrix = text(request, "run"), text(request, "matrix")
        ask = number(request, "ask", 0, 0, 1) == 1
        return reply(request, service.spectra(run, matrix, _transform(request), request.args.get("first"), ask))

    @route()
    def overview(request: wrappers.Request) -> wrappers.Response:
        roles = text(request, "roles", "embedding").split(",")
        if not set(roles) <= set(ROLES):
            raise UsageError("bad_parameter", owner=request.path, name="roles", needed=f"a list of {', '.join(ROLES)}", got=roles)
        return reply(request, service.overview(tuple(roles)))

    @route()
    def metrics(request: wrappers.Request) -> wrappers.Response:
        from tb_embfactor.analysis.numbers import METRICS

        return reply(request, {"metrics": [metric.to_json() for metric in METRICS.values()]})

    @route()
    def ranks(request: wrappers.Request) -> wrappers.Response:
        names = _matrix(request)
        answer = service.ranks(**names, transform=_transform(request), wait_seconds=_wait(request))
        return reply(request, answer, _is_current(request, names))

    @route()
    def compare(request: wrappers.Request) -> wrappers.Response:
        names = _matrix(request)
        answer = service.compare(
            **names,
            other={name: text(request, f"{name}_b", names[name]) for name in names},
            match=choice(request, "match", "index", ("index", "label")),
            transform=_transform(request),
            n_top=number(request, "n_top", 10, 1, 100),
            seed=_seed(request),
            wait_seconds=_wait(request),
        )
        return reply(request, answer)

    @route()
    def neighbors(request: wrappers.Request) -> wrappers.Response:
        names = _matrix(request)
        answer = service.neighbors(
            **names,
            rows=row_list(request, "rows", 100),
            k=number(request, "k", 10, 1, 100),
            metric=choice(request, "metric", "cosine", ("cosine", "euclidean")),
            transform=_transform(request),
            wait_seconds=_wait(request),
        )
        return reply(request, answer, _is_current(request, names))

    @route()
    def sparsity(request: wrappers.Request) -> wrappers.Response:
        names = _matrix(request)
        answer = service.sparsity(**names, transform=_transform(request), wait_seconds=_wait(request))
        return reply(request, answer, _is_current(request, names))

    @route()
    def factors(request: wrappers.Request) -> wrappers.Response:
        from tb_embfactor.analysis.axes import AXES

        names, reference = _matrix(request), request.args.get("reference")
        answer = service.factors(
            **names,
            method=choice(request, "method", "pca", AXES),
            k=number(request, "k", 8, 1, 64),
            transform=_transform(request),
            n_top=number(request, "n_top", 10, 1, 100),
            seed=_seed(request),
            reference=reference or None,
            wait_seconds=_wait(request),
        )
        return reply(request, answer, immutable=not reference and _is_current(request, names))

    @route()
    def points(request: wrappers.Request) -> wrappers.Response:
        from tb_embfactor.analysis.projection import METHODS, SEEDED

        names, axes = _matrix(request), request.args.get("axes")
        method = text(request, "method", "pca")
        if method not in METHODS or (axes and method != "pca"):
            needed = f"one of {', '.join(METHODS)}" + (", and pca where axes is given" if axes else "")
            raise UsageError("bad_parameter", owner=request.path, name="method", needed=needed, got=method)
        transform = _transform(request)
        if number(request, "first", 0, 0, 1) and method == "pca" and not axes:
            sample = service.first_points(**names, transform=transform, wait_seconds=_wait(request))
            if sample is not None:
                return reply(request, sample)
        more: dict[str, Any] = {}
        if method == "lda":
            more["column"] = text(request, "column")
        if method == "line":
            more["between"] = row_groups(request, "between")
        if method in SEEDED:
            more["seed"] = _seed(request)
        if number(request, "quality", 0, 0, 1):
            more["with_quality"] = True
        answer = service.points(
            **names,
            method=method,
            n_components=number(request, "n_components", 8, 1, 16),
            axes=axes or None,
            transform=transform,
            wait_seconds=_wait(request),
            **more,
        )
        return reply(request, answer, immutable=not axes and "column" not in more and _is_current(request, names))

    @route()
    def labels(request: wrappers.Request) -> wrappers.Response:
        return reply(request, service.labels(**_matrix(request), wait_seconds=_wait(request)))

    @route()
    def rows(request: wrappers.Request) -> wrappers.Response:
        names = _matrix(request)
        start, stop = (number(request, name, None, 0, 1 << 62) for name in ("start", "stop"))
        return reply(
            request, service.rows(**names, start=start, stop=stop, wait_seconds=_wait(request)), _is_current(request, names)
        )

    @route()
    def status(request: wrappers.Request) -> wrappers.Response:
        return reply(request, service.status())

    @route("POST")
    def cancel(request: wrappers.Request) -> wrappers.Response:
        return reply(request, service.cancel(text(request, "job")))

    @route("POST")
    def pause(request: wrappers.Request) -> wrappers.Response:
        return reply(request, service.pause(number(request, "on", None, 0, 1) == 1))

    @route()
    def static(request: wrappers.Request) -> wrappers.Response:
        name = request.path.rpartition("/")[2]
        file = resources.files("tb_embfactor") / "static" / name
        if not file.is_file():
            return json_response(request, {"error": {"code": "not_found", "params": {}, "text": f"No file {name}."}}, 404)
        kind = "text/javascript" if name.endswith(".js") else mimetypes.guess_type(name)[0] or "application/octet-stream"
        return http_util.Respond(request, file.read_bytes(), kind)

    def _is_current(request: wrappers.Request, names: dict[str, str]) -> bool:
        checkpoint, _ = service.listing.find(**names)
        return request.args.get("v") == checkpoint["fingerprint"]

    table: dict[str, Any] = {
        "/catalogue": catalogue,
        "/spectra": spectra,
        "/overview": overview,
        "/metrics": metrics,
        "/ranks": ranks,
        "/factors": factors,
        "/neighbors": neighbors,
        "/sparsity": sparsity,
        "/compare": compare,
        "/points": points,
        "/labels": labels,
        "/rows": rows,
        "/status": status,
        "/cancel": cancel,
        "/pause": pause,
        "/projector/*": projector_app(service),
    }
    files = (entry.name for entry in (resources.files("tb_embfactor") / "static").iterdir() if entry.is_file())
    return table | {f"/{name}": static for name in files}


def _matrix(request: wrappers.Request) -> dict[str, str]:
    return {name: text(request, name) for name in ("run", "checkpoint", "matrix")}


def _transform(request: wrappers.Request) -> str:
    return Transform.parse(request.args.get("transform")).spec


def _seed(request: wrappers.Request) -> int:
    return number(request, "seed", 0, 0, (1 << 32) - 1)


def _wait(request: wrappers.Request) -> float:
    return number(request, "wait", DEFAULT_WAIT, 0, MAX_WAIT)
