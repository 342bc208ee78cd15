"""The HTTP routes as a WSGI application: parameters, bodies, headers, the one error shape; and their documentation."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import numpy as np
import pytest
from support import N_COLUMNS, N_ROWS, all_spectra, eventually, table, write_run
from werkzeug.test import Client, TestResponse

from tb_embfactor import arrays, formats
from tb_embfactor.service import Service
from tb_embfactor.web.routes import make_apps
from tb_embfactor.worker import Settings

PREFIX = "/data/plugin/embfactor"
NAMES = {"run": "run", "checkpoint": "run/step_10.tiny", "matrix": "table"}


class Dispatcher:
    """Routes as TensorBoard does: exact paths, and prefixes that end in /*."""

    def __init__(self, apps: dict[str, Callable[..., Iterable[bytes]]]) -> None:
        self.apps = {PREFIX + route: app for route, app in apps.items()}

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        path = environ["PATH_INFO"]
        app = self.apps.get(path) or next(
            app for route, app in self.apps.items() if route[-2:] == "/*" and path.startswith(route[:-1])
        )
        return app(environ, start_response)


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    import tiny_format

    formats.register(tiny_format.FORMAT)
    base = tmp_path_factory.mktemp("web")
    write_run(base / "logs" / "run")
    tiny_format.write(base / "logs" / "run" / "nan.tiny", np.full((4, 3), np.nan), 99)
    opened = Service(Settings(logdir=str(base / "logs"), cache_directory=str(base / "cache"), formats=formats.table()))
    opened.start_scan()
    eventually(lambda: opened.catalogue()["state"] == "ready")
    yield opened
    opened.close()
    del formats.FORMATS["tiny"]


@pytest.fixture(scope="module")
def get(service: Service) -> Callable[..., TestResponse]:
    client = Client(Dispatcher(make_apps(service)))

    def ask(route: str, verb: str = "GET", **parameters: Any) -> TestResponse:
        return client.open(f"{PREFIX}/{route}?{urlencode(parameters)}", method=verb)

    return ask


def check_error(response: TestResponse, status: int, code: str) -> dict[str, Any]:
    assert response.status_code == status
    (error,) = response.get_json().values()
    assert set(error) == {"code", "params", "text"}
    assert error["code"] == code
    assert "Traceback" not in error["text"]
    return error


def test_the_documentation_names_every_route_and_no_other(service: Service, repository: Path) -> None:
    text = (repository / "docs" / "http-api.md").read_text()
    documented = {name.strip() for heading in re.findall(r"^## (.+)$", text, re.M) for name in heading.split(",")}
    routes = {route.strip("/") for route in make_apps(service)}
    static = {entry.name for entry in (repository / "tb_embfactor" / "static").iterdir()}
    assert {name.split("/")[0] for name in documented} - {"Static files"} == {name.split("/")[0] for name in routes - static}


def test_catalogue(get: Callable[..., TestResponse]) -> None:
    response = get("catalogue")
    assert response.content_type.startswith("application/json")
    catalogue = response.get_json()
    assert catalogue["scanned"]["n_checkpoints"] == 4
    assert get("catalogue", since=catalogue["version"]).get_json()["unchanged"] is True


def test_spectra(get: Callable[..., TestResponse]) -> None:
    tensors, info = all_spectra(lambda: get("spectra", run="run", matrix="table").data)
    assert np.allclose(tensors["singular_values"][1], np.linalg.svd(table(10), compute_uv=False), rtol=1e-12)
    states = [item["state"] for item in info["checkpoints"]]
    assert states == ["done", "done", "done", "failed"]
    assert info["checkpoints"][3]["error"]["code"] == "rows_not_finite"
    assert info["shape"] == [N_ROWS, N_COLUMNS]
    activated = all_spectra(lambda: get("spectra", run="run", matrix="table", transform="relu").data)[0]
    assert np.allclose(activated["singular_values"][1], np.linalg.svd(np.maximum(table(10), 0), compute_uv=False), rtol=1e-12)


@pytest.mark.parametrize(("method", "n"), [("pca", N_ROWS), ("u", N_ROWS), ("v", N_COLUMNS), ("pca_of_u", N_ROWS)])
def test_points(get: Callable[..., TestResponse], method: str, n: int) -> None:
    response = get("points", **NAMES, method=method, n_components=3)
    assert response.content_type == "application/octet-stream", response.text
    tensors, info = arrays.decode(response.data)
    assert tensors["points"].shape == (n, 3)
    assert tensors["points"].dtype == np.float32
    assert info["points_are"] == ("columns" if method == "v" else "rows")
    assert info["total_share"] == pytest.approx(tensors["share"].sum())


def test_first_points(get: Callable[..., TestResponse], service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tb_embfactor.service.effort.SAMPLED_SECONDS", 0)
    monkeypatch.setattr(service._series, "is_known", lambda step, transform: False)
    version = service.listing.find(**NAMES)[0]["fingerprint"]
    response = get("points", **NAMES, first=1, v=version)
    assert arrays.decode_info(response.data)["estimated"] is True
    assert "no-cache" in response.headers["Cache-Control"], "the exact answer will stand at the same address"
    response = get("points", **NAMES, first=1, v=version, method="u")
    assert "estimated" not in arrays.decode_info(response.data)
    assert "immutable" in response.headers["Cache-Control"]


@pytest.mark.parametrize("method", ["svd", "pca", "varimax", "ica"])
def test_factors(get: Callable[..., TestResponse], method: str) -> None:
    found = get("factors", **NAMES, method=method, k=2, n_top=4, reference="run/step_0.tiny").get_json()
    assert (found["step"], found["method"], found["reference"]) == (10, method, "run/step_0.tiny")
    assert {"factors", "blocks", "notes", "sample", "rows_used", "rows_skipped", "transform"} <= set(found)
    assert [len(factor["top"]) for factor in found["factors"]] == [4, 4]
    assert {"row", "label", "score"} == set(found["factors"][0]["top"][0])
    assert {"column", "entry"} == set(found["factors"][0]["columns"][0])


@pytest.mark.parametrize("match", ["index", "label"])
def test_compare(get: Callable[..., TestResponse], match: str) -> None:
    found = get("compare", **NAMES, checkpoint_b="run/step_20.tiny", match=match, n_top=3).get_json()
    assert (found["a"]["step"], found["b"]["step"], found["rows_matched"]) == (10, 20, N_ROWS)
    assert 0 < found["measures"]["linear_cka"] < 1 and len(found["most_changed"]) == 3
    same = get("compare", **NAMES).get_json()
    assert same["measures"]["procrustes"] == pytest.approx(0, abs=1e-9)


@pytest.mark.parametrize("metric", ["cosine", "euclidean"])
def test_neighbors(get: Callable[..., TestResponse], metric: str) -> None:
    found = get("neighbors", **NAMES, rows="7,0", k=3, metric=metric).get_json()
    rows = table(10) / np.linalg.norm(table(10), axis=1)[:, None] if metric == "cosine" else table(10)
    apart = np.linalg.norm(rows - rows[7], axis=1)
    nearest = np.argsort(apart)[1:4].tolist()
    assert [query["row"] for query in found["queries"]] == [7, 0] and found["metric"] == metric and found["notes"] == []
    assert [near["row"] for near in found["queries"][0]["neighbors"]] == nearest
    expected = apart[nearest] ** 2 / 2 if metric == "cosine" else apart[nearest]
    assert [near["distance"] for near in found["queries"][0]["neighbors"]] == pytest.approx(expected)


def test_neighbors_of_a_row_without_numbers(get: Callable[..., TestResponse]) -> None:
    found = get("neighbors", **{**NAMES, "checkpoint": "run/nan.tiny"}, rows="1").get_json()
    assert found["queries"][0]["neighbors"] == [] and [note["code"] for note in found["notes"]] == ["no_neighbours"]


def test_sparsity(get: Callable[..., TestResponse]) -> None:
    found = get("sparsity", **NAMES, transform="relu").get_json()
    assert found["zero_share"] == pytest.approx(np.mean(table(10) <= 0))
    assert len(found["pruned"]) == len(found["threshold"]) == len(found["error"]) == 101


@pytest.mark.parametrize(
    ("method", "more"), [("varimax", {}), ("ica", {"seed": 3}), ("line", {"between": "1,2|7"}), ("tsne", {"seed": 1})]
)
def test_other_points(get: Callable[..., TestResponse], method: str, more: dict[str, Any]) -> None:
    asked = {**NAMES, "method": method, "n_components": 2, "quality": 1, "wait": 30, **more}
    response = eventually(lambda: (answer := get("points", **asked)).status_code != 202 and answer, 120)
    tensors, info = arrays.decode(response.data)
    assert tensors["points"].shape == (N_ROWS, 2) and len(tensors["share"]) == 2
    assert 0 < info["quality"]["trustworthiness"] <= 1 and info["quality"]["rows"] == N_ROWS
    assert (info["total_share"] is None) == (method == "tsne")
    assert info.get("sample", {}).get("seed", 0) == more.get("seed", 0)


def test_a_reply_is_immutable_only_for_the_current_fingerprint(get: Callable[..., TestResponse], service: Service) -> None:
    fingerprint = service.listing.find(**NAMES)[0]["fingerprint"]
    assert "immutable" in get("points", **NAMES, v=fingerprint).headers["Cache-Control"]
    for other in ({}, {"v": "old"}, {"v": fingerprint, "axes": "run/step_0.tiny"}):
        assert "no-cache" in get("points", **NAMES, **other).headers["Cache-Control"]


def test_waiting_for_an_answer(get: Callable[..., TestResponse]) -> None:
    response = get("points", **NAMES, n_components=7, wait=0)
    if response.status_code == 202:  # otherwise the worker was faster than this test
        assert set(response.get_json()["pending"]) == {"job", "task", "progress", "queued_before"}
    assert get("points", **NAMES, n_components=7).status_code == 200


def test_labels_rows_metrics_status_cancel(get: Callable[..., TestResponse]) -> None:
    assert get("labels", **NAMES).get_json()["columns"][0]["values"][:2] == ["word0", "word1"]
    assert arrays.decode(get("rows", **NAMES, start=1, stop=3).data)[0]["rows"].shape == (2, N_COLUMNS)
    assert {"key", "name", "description", "formula", "source", "subject", "first"} == set(get("metrics").get_json()["metrics"][0])
    ranks = get("ranks", **NAMES).get_json()
    assert (ranks["step"], ranks["matrix"]) == (10, "table")
    assert {"key", "name", "assumes", "formula", "source", "centered", "rank", "line"} == set(ranks["ranks"][0])
    assert get("status").get_json()["state"] in ("idle", "busy")
    assert get("cancel", "POST", job="none").get_json() == {"cancelled": 0}


def test_the_tab_is_served_as_a_module(get: Callable[..., TestResponse]) -> None:
    response = get("index.js")
    assert response.status_code == 200
    assert response.content_type.startswith("text/javascript")


@pytest.mark.parametrize(
    ("route", "parameters", "status", "code"),
    [
        ("spectra", {"run": "run"}, 400, "missing_parameter"),
        ("spectra", {"run": "nope", "matrix": "table"}, 404, "unknown_run"),
        ("spectra", {"run": "run", "matrix": "table", "transform": "log"}, 400, "bad_parameter"),
        ("points", {**NAMES, "method": "mds"}, 400, "bad_parameter"),
        ("points", {**NAMES, "method": "lda"}, 400, "missing_parameter"),
        ("points", {**NAMES, "method": "lda", "column": "color"}, 404, "unknown_column"),
        ("points", {**NAMES, "method": "lda", "column": "word"}, 422, "too_many_groups"),
        ("points", {**NAMES, "method": "line", "between": "1|x"}, 400, "bad_parameter"),
        ("points", {**NAMES, "method": "line", "between": "1|60"}, 400, "bad_parameter"),
        ("points", {**NAMES, "n_components": "17"}, 400, "bad_parameter"),
        ("points", {**NAMES, "n_components": "x"}, 400, "bad_parameter"),
        ("points", {**NAMES, "method": "u", "axes": "run/step_0.tiny"}, 400, "bad_parameter"),
        ("points", {**NAMES, "checkpoint": "../../etc/passwd"}, 404, "unknown_checkpoint"),
        ("points", {**NAMES, "checkpoint": "run/nan.tiny"}, 422, "rows_not_finite"),
        ("points", {**NAMES, "wait": "31"}, 400, "bad_parameter"),
        ("labels", {**NAMES, "matrix": "x"}, 404, "unknown_matrix"),
        ("ranks", {**NAMES, "checkpoint": "run/nan.tiny"}, 422, "rows_not_finite"),
        ("factors", {**NAMES, "method": "umap"}, 400, "bad_parameter"),
        ("factors", {**NAMES, "k": 65}, 400, "bad_parameter"),
        ("sparsity", {**NAMES, "checkpoint": "run/nan.tiny"}, 422, "rows_not_finite"),
        ("compare", {**NAMES, "checkpoint_b": "run/step_7.tiny"}, 404, "unknown_checkpoint"),
        ("compare", {**NAMES, "match": "order"}, 400, "bad_parameter"),
        ("compare", {**NAMES, "checkpoint_b": "run/nan.tiny"}, 422, "no_matched_rows"),
        ("neighbors", NAMES, 400, "missing_parameter"),
        ("neighbors", {**NAMES, "rows": "1,b"}, 400, "bad_parameter"),
        ("neighbors", {**NAMES, "rows": ",".join(map(str, range(101)))}, 400, "bad_parameter"),
        ("neighbors", {**NAMES, "rows": "60"}, 400, "bad_parameter"),
        ("factors", {**NAMES, "method": "nmf"}, 422, "negative_entries"),
        ("factors", {**NAMES, "reference": "run/step_7.tiny"}, 404, "unknown_checkpoint"),
        ("rows", {**NAMES, "start": 0, "stop": 61}, 400, "bad_parameter"),
        ("rows", {**NAMES, "start": -1, "stop": 1}, 400, "bad_parameter"),
        ("cancel", {"job": "1"}, 400, "bad_parameter"),
        ("projector/!!/about", {}, 400, "bad_parameter"),
        ("projector/e30/about", {}, 400, "bad_parameter"),
        ("projector", {}, 400, "bad_parameter"),
    ],
)
def test_every_error_has_one_shape(
    get: Callable[..., TestResponse], route: str, parameters: dict, status: int, code: str
) -> None:
    if route == "projector":
        route = "projector/" + selection(values="everything") + "/about"
    check_error(get(route, **parameters), status, code)


def test_a_bug_of_ours_is_one_bad_answer(
    get: Callable[..., TestResponse], service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(service, "status", lambda: 1 / 0)
    check_error(get("status"), 500, "internal")


def selection(**changes: Any) -> str:
    text = json.dumps({**NAMES, "values": "scores"} | changes)
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def test_the_standard_projector_asks_and_is_answered(get: Callable[..., TestResponse]) -> None:
    page = f"projector/{selection()}"
    assert b"vz-projector-dashboard" in get(f"{page}/projector_binary.html").data
    assert len(get(f"{page}/projector_binary.js").data) > 100_000
    assert get(f"{page}/runs").get_json() == ["run"]
    (embedding,) = get(f"{page}/info", run="run").get_json()["embeddings"]
    assert embedding == {"tensorName": "table", "tensorShape": [N_ROWS, N_COLUMNS], "metadataPath": "run/metadata.tsv"}
    scores = np.frombuffer(get(f"{page}/tensor", run="run", name="table", num_rows=100000).data, "<f4").reshape(N_ROWS, N_COLUMNS)
    centered = table(10) - table(10).mean(axis=0)
    assert np.allclose(scores @ scores.T, centered @ centered.T, atol=1e-4), "a rotation of the centred rows"
    assert get(f"{page}/about").get_json()["share"] == pytest.approx(1)
    lines = get(f"{page}/metadata", run="run", name="table", num_rows=3).text.split("\n")
    assert lines == ["word\tcount", "word0\t0", "word1\t1", "word2\t2"]
    assert get(f"{page}/bookmarks").get_json() == []


def test_the_projector_on_the_full_matrix(get: Callable[..., TestResponse]) -> None:
    page = f"projector/{selection(values='matrix')}"
    rows = np.frombuffer(get(f"{page}/tensor", num_rows=7).data, "<f4").reshape(7, N_COLUMNS)
    assert np.array_equal(rows, table(10)[:7].astype(np.float32))
    assert (
        get(f"{page}/about").get_json() | {"share": 1.0, "n_columns": N_COLUMNS, "n_rows": N_ROWS}
        == get(f"{page}/about").get_json()
    )


def test_the_projector_of_a_matrix_without_labels(get: Callable[..., TestResponse], tmp_path: Path) -> None:
    check_error(get(f"projector/{selection(checkpoint='run/nan.tiny')}/tensor"), 422, "rows_not_finite")
