"""The service: catalogue, answers from cache or worker, and what happens when files come, go, break and change."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tiny_format
from support import N_COLUMNS, N_ROWS, all_spectra, eventually, full_disk, table, write_run

from tb_embfactor import arrays, compare, formats
from tb_embfactor.analysis.drift import DRIFT
from tb_embfactor.errors import IncompleteError, NotFoundError, WorkerError
from tb_embfactor.linalg.estimate import Sample
from tb_embfactor.messages import Message
from tb_embfactor.service import Pending, Service
from tb_embfactor.service.answers import GLANCE, Answers
from tb_embfactor.worker import Settings
from tb_embfactor.worker.process import Job, Rank, Worker

RUN, TABLE = "run", "table"


@pytest.fixture
def logs(tmp_path: Path, tiny: None) -> Path:
    write_run(tmp_path / "logs" / RUN)
    return tmp_path / "logs"


@pytest.fixture
def open_service(logs: Path, tmp_path: Path) -> Iterator[Callable[..., Service]]:
    services: list[Service] = []

    def begin(**settings: object) -> Service:
        settings = {"logdir": str(logs), "cache_directory": str(tmp_path / "cache"), "formats": formats.table()} | settings
        services.append(Service(Settings(**settings)))  # type: ignore[arg-type]
        services[-1].start_scan()
        eventually(lambda: services[-1].catalogue()["state"] == "ready")
        return services[-1]

    yield begin
    for service in services:
        service.close()


def rescanned(service: Service, check: Callable[[dict], object]) -> dict:
    """The catalogue once `check` holds for it; scans as often as that takes."""

    def look() -> dict | None:
        service.start_scan(0)
        catalogue = service.catalogue()
        return catalogue if check(catalogue) else None

    return eventually(look)


def ids(catalogue: dict) -> list[str]:
    return [item["checkpoint"] for run in catalogue["runs"] for item in run["checkpoints"]]


def test_the_catalogue(open_service: Callable[..., Service]) -> None:
    service = open_service()
    catalogue = service.catalogue()
    assert ids(catalogue) == ["run/step_0.tiny", "run/step_10.tiny", "run/step_20.tiny"]
    (signature,) = catalogue["signatures"]
    assert signature[0]["shape"] == [N_ROWS, N_COLUMNS]
    assert signature[0]["labels"] == {"source": "run/metadata.tsv", "n_rows": N_ROWS, "columns": ["word", "count"], "offset": 0}
    assert service.catalogue(since=catalogue["version"]) == {"version": catalogue["version"], "state": "ready", "unchanged": True}
    assert service.is_active()


def test_spectra_of_every_checkpoint(open_service: Callable[..., Service]) -> None:
    service = open_service()
    tensors, info = all_spectra(lambda: service.spectra(RUN, TABLE))
    assert [item["step"] for item in info["checkpoints"]] == [0, 10, 20]
    for row, step in enumerate((0, 10, 20)):
        assert np.allclose(tensors["singular_values"][row], np.linalg.svd(table(step), compute_uv=False), rtol=1e-12)
        spread = table(step) - table(step).mean(axis=0)
        assert np.allclose(tensors["centered_singular_values"][row], np.linalg.svd(spread, compute_uv=False), rtol=1e-12)
        assert info["checkpoints"][row]["metrics"]["effective_rank"] > 1


def test_points_and_axes_of_another_step(open_service: Callable[..., Service]) -> None:
    service = open_service()
    tensors, info = arrays.decode(service.points(RUN, "run/step_0.tiny", TABLE, n_components=3, axes="run/step_20.tiny"))
    _, _, vt = np.linalg.svd(table(20) - table(20).mean(axis=0))
    expected = (table(0) - table(0).mean(axis=0)) @ vt[:3].T
    assert np.allclose(np.abs(tensors["points"]), np.abs(expected), atol=1e-6)
    assert info["step"] == 0 and info["axes"] == "run/step_20.tiny"


def test_an_answer_survives_in_the_cache_and_needs_no_worker(open_service: Callable[..., Service], logs: Path) -> None:
    first = open_service()
    before = first.points(RUN, "run/step_0.tiny", TABLE)
    all_spectra(lambda: first.spectra(RUN, TABLE))
    first.close()
    second = open_service()
    second._worker.close()  # from here on nothing can be computed
    assert second.points(RUN, "run/step_0.tiny", TABLE) == before
    assert arrays.decode_info(second.spectra(RUN, TABLE))["n_pending"] == 0


def test_a_changed_checkpoint_is_computed_anew(open_service: Callable[..., Service], logs: Path) -> None:
    service = open_service()
    fingerprint = service.catalogue()["runs"][0]["checkpoints"][0]["fingerprint"]
    before = service.points(RUN, "run/step_0.tiny", TABLE)
    tiny_format.write(logs / RUN / "step_0.tiny", table(77), 0)
    stale = service.points(RUN, "run/step_0.tiny", TABLE)
    assert stale == before, "known under the old fingerprint until the next scan"
    with pytest.raises(IncompleteError, match="changed while it was being read"):
        service.points(RUN, "run/step_0.tiny", TABLE, method="u")
    rescanned(service, lambda catalogue: catalogue["runs"][0]["checkpoints"][0]["fingerprint"] != fingerprint)
    after = arrays.decode(service.points(RUN, "run/step_0.tiny", TABLE, method="u"))[0]["points"]
    assert np.allclose(np.abs(after), np.abs(np.linalg.svd(table(77), full_matrices=False)[0]), atol=1e-5)


def test_checkpoints_that_come_and_go(open_service: Callable[..., Service], logs: Path) -> None:
    service = open_service()
    all_spectra(lambda: service.spectra(RUN, TABLE))
    tiny_format.write(logs / RUN / "step_30.tiny", table(30), 30)
    rescanned(service, lambda catalogue: len(ids(catalogue)) == 4)
    (logs / RUN / "step_0.tiny").unlink()
    catalogue = rescanned(service, lambda catalogue: catalogue["runs"][0]["checkpoints"][0]["gone"])
    assert [item["gone"] for item in catalogue["runs"][0]["checkpoints"]] == [True, False, False, False]
    tensors, info = all_spectra(lambda: service.spectra(RUN, TABLE))
    assert [item["state"] for item in info["checkpoints"]] == ["done"] * 4, "its results stay"
    assert np.allclose(tensors["singular_values"][0], np.linalg.svd(table(0), compute_uv=False))
    with pytest.raises(NotFoundError, match="no checkpoint"):
        service.points(RUN, "run/step_0.tiny", TABLE)
    tiny_format.write(logs / RUN / "step_40.tiny", table(40), 40)
    rescanned(service, lambda catalogue: "run/step_40.tiny" in ids(catalogue))
    (logs / RUN / "step_40.tiny").unlink()
    rescanned(service, lambda catalogue: "run/step_40.tiny" not in ids(catalogue))  # nothing of it was known


def test_a_half_written_file_is_a_problem_until_it_is_whole(open_service: Callable[..., Service], logs: Path) -> None:
    service = open_service()
    tiny_format.write(logs / RUN / "whole.tiny", table(5), 5)
    body = (logs / RUN / "whole.tiny").read_bytes()
    (logs / RUN / "whole.tiny").write_bytes(body[:100])
    catalogue = rescanned(service, lambda catalogue: catalogue["problems"])
    assert catalogue["problems"][0]["path"] == "run/whole.tiny"
    assert len(ids(catalogue)) == 3, "the others still show"
    (logs / RUN / "whole.tiny").write_bytes(body)
    assert "run/whole.tiny" in ids(rescanned(service, lambda catalogue: not catalogue["problems"]))


def test_files_that_crash_their_parser_are_set_aside(open_service: Callable[..., Service], logs: Path) -> None:
    for name in ("bad1", "bad2"):
        tiny_format.write(logs / RUN / f"{name}.tiny", np.zeros((666, 1)))
    service = open_service()
    catalogue = service.catalogue()
    assert [(item["path"], item["error"]["code"]) for item in catalogue["problems"]] == [
        ("run/bad1.tiny", "set_aside"),
        ("run/bad2.tiny", "set_aside"),
    ]
    assert len(ids(catalogue)) == 3
    n_restarts = service.status()["n_restarts"]
    service.start_scan(0)
    eventually(lambda: not service.is_scanning)
    assert service.status()["n_restarts"] == n_restarts, "not opened again while it stays the same"
    tiny_format.write(logs / RUN / "bad1.tiny", table(1), 1)
    assert "run/bad1.tiny" in ids(rescanned(service, lambda catalogue: len(catalogue["problems"]) == 1))


def test_numbers_that_kill_the_worker_fail_once_and_the_series_goes_on(open_service: Callable[..., Service], logs: Path) -> None:
    matrix = table(15)
    matrix[3, 3] = 668
    tiny_format.write(logs / RUN / "step_15.tiny", matrix, 15)
    service = open_service()
    _, info = all_spectra(lambda: service.spectra(RUN, TABLE))
    assert [item["state"] for item in info["checkpoints"]] == ["done", "done", "failed", "done"]
    assert info["checkpoints"][2]["error"]["code"] == "worker_died"
    n_restarts = service.status()["n_restarts"]
    service.spectra(RUN, TABLE)
    assert service.status()["n_restarts"] == n_restarts, "not tried again"
    with pytest.raises(WorkerError):
        service.points(RUN, "run/step_15.tiny", TABLE)
    assert isinstance(service.points(RUN, "run/step_0.tiny", TABLE), bytes)


def test_waiting_has_an_end(open_service: Callable[..., Service]) -> None:
    service = open_service()
    pending = service.points(RUN, "run/step_0.tiny", TABLE, wait_seconds=0)
    assert isinstance(pending, Pending)
    assert pending.to_json()["pending"]["task"]["text"] == "Projecting table of run/step_0.tiny"
    assert isinstance(service.points(RUN, "run/step_0.tiny", TABLE), bytes)


def test_labels_follow_the_file(open_service: Callable[..., Service], logs: Path) -> None:
    service = open_service()
    labels = service.labels(RUN, "run/step_0.tiny", TABLE)
    assert [(column["name"], column["kind"]) for column in labels["columns"]] == [("word", "text"), ("count", "number")]
    assert labels["columns"][1]["values"] == list(range(N_ROWS))
    (logs / RUN / "metadata.tsv").write_text("\n".join(f"w{index}" for index in range(10)))
    version = service.catalogue()["version"]
    rescanned(service, lambda catalogue: catalogue["version"] != version)
    labels = service.labels(RUN, "run/step_0.tiny", TABLE)
    assert labels["columns"][0]["values"] == [f"w{index}" for index in range(10)] + [None] * (N_ROWS - 10)
    assert labels["notes"][0]["code"] == "labels_short"


def test_rows(open_service: Callable[..., Service]) -> None:
    body = open_service().rows(RUN, "run/step_10.tiny", TABLE, 5, 9)
    assert np.array_equal(arrays.decode(body)[0]["rows"], table(10)[5:9].astype(np.float32))


def test_names_that_are_not_there(open_service: Callable[..., Service]) -> None:
    service = open_service()
    with pytest.raises(NotFoundError, match=r"no run 'x'. The runs are: run"):
        service.spectra("x", TABLE)
    with pytest.raises(NotFoundError, match=r"no matrix 'x'. Its matrices are: table"):
        service.spectra(RUN, "x")
    with pytest.raises(NotFoundError, match=r"Its checkpoints are: run/step_0.tiny, run/step_10.tiny"):
        service.points(RUN, "x", TABLE)
    with pytest.raises(NotFoundError, match="no checkpoint 'x'"):
        service.points(RUN, "run/step_0.tiny", TABLE, axes="x")


def test_an_empty_log_directory_says_where_to_look(open_service: Callable[..., Service], tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    service = open_service(logdir=str(tmp_path / "empty"))
    catalogue = service.catalogue()
    assert catalogue["scanned"]["n_checkpoints"] == 0
    assert "--embfactor_checkpoints" in catalogue["hints"][-1]["text"]
    assert not service.is_active()


def test_a_missing_log_directory_is_one_sentence(open_service: Callable[..., Service], tmp_path: Path) -> None:
    catalogue = open_service(logdir=str(tmp_path / "nowhere")).catalogue()
    assert catalogue["error"]["code"] == "logdir_missing"


def test_a_flag_that_cannot_be_understood_is_one_sentence(open_service: Callable[..., Service]) -> None:
    service = open_service(checkpoints=("no-equals-sign",))
    assert service.catalogue()["error"]["code"] == "checkpoints_flag"


def test_without_a_cache_directory_everything_still_works(open_service: Callable[..., Service]) -> None:
    service = open_service(cache_directory=None)
    assert isinstance(service.points(RUN, "run/step_0.tiny", TABLE), bytes)


def test_answers_in_memory_make_room_for_later_ones(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tb_embfactor.service.answers._MEMORY_BYTES", 100)
    answers = Answers(Worker(Settings(logdir="")), None)
    for key, size in (("first", 40), ("second", 50), ("second", 50), ("second", 60)):
        answers._remember(key, bytes(size))
    assert answers.known("second") and answers.known("first"), "one key counts once"
    answers._remember("third", bytes(1))
    assert answers.known("second") is None, "looked at longest ago"
    answers._remember("large", bytes(1000))
    assert [len(answers.known(key) or b"") for key in ("first", "third", "large")] == [0, 0, 1000]


def test_an_answer_that_was_harmed_on_disk_is_computed_again(open_service: Callable[..., Service], tmp_path: Path) -> None:
    first = open_service()
    before, _ = all_spectra(lambda: first.spectra(RUN, TABLE))
    first.close()
    for path in (tmp_path / "cache").glob("*/*/*"):
        body = path.read_bytes()
        path.write_bytes(body[: len(body) // 2])
    second = open_service()
    after, _ = all_spectra(lambda: second.spectra(RUN, TABLE))
    assert np.array_equal(before["singular_values"], after["singular_values"])


def test_a_full_disk_costs_no_answer(open_service: Callable[..., Service], tmp_path: Path) -> None:
    with full_disk(100):
        service = open_service()  # starts the worker, which does the writing
    tensors, _ = all_spectra(lambda: service.spectra(RUN, TABLE))
    assert np.allclose(tensors["singular_values"][0], np.linalg.svd(table(0), compute_uv=False))
    assert isinstance(service.points(RUN, "run/step_0.tiny", TABLE), bytes)
    assert not list((tmp_path / "cache").glob("*/*/*"))


def test_two_log_directories_by_name(open_service: Callable[..., Service], logs: Path, tmp_path: Path) -> None:
    write_run(tmp_path / "other", (1,))
    service = open_service(logdir="", logdir_spec=f"a:{logs},b:{tmp_path / 'other'}")
    assert [run["run"] for run in service.catalogue()["runs"]] == ["a/run", "b/."], "as TensorBoard names them"


def test_the_overview(open_service: Callable[..., Service], logs: Path) -> None:
    rng = np.random.default_rng(0)
    for step in range(30):
        tiny_format.write(logs / "healthy" / f"s{step}.tiny", rng.normal(size=(400, 10)), step) if step else (
            logs / "healthy"
        ).mkdir()
        collapsing = rng.normal(size=(400, 10)) * np.r_[np.ones(2), np.full(8, 0.5**step)]
        tiny_format.write(logs / "collapsing" / f"s{step}.tiny", collapsing, step) if step else (logs / "collapsing").mkdir()
    service = open_service()
    overview = eventually(lambda: (answer := service.overview())["n_pending"] == 0 and answer)
    assert [item["run"] for item in overview["items"]] == ["collapsing", "healthy", "run"], "most troubled first"
    collapsing, healthy, run = overview["items"]
    assert [verdict["code"] for verdict in collapsing["verdicts"]] == ["verdict_collapsed"]
    assert collapsing["verdicts"][0]["params"] == {"k": 2, "d": 10}
    assert [verdict["code"] for verdict in healthy["verdicts"]] == ["verdict_unlearnt"]
    assert [verdict["code"] for verdict in run["verdicts"]] == ["verdict_unlearnt"]
    assert len(collapsing["trend"]["steps"]) == 12
    assert collapsing["trend"]["steps"] == sorted(collapsing["trend"]["steps"])
    assert collapsing["trend"]["effective_rank"][-1] < 3 < collapsing["trend"]["effective_rank"][0]
    assert service.overview(roles=("kernel",)) == {"version": overview["version"], "n_pending": 0, "items": []}


def test_rows_that_never_moved(open_service: Callable[..., Service], logs: Path) -> None:
    start, later = table(0), table(20)
    later[:25] = start[:25]
    later[30:40] = 0
    start[30:40, 4] = 0
    later[:, 4] = start[:, 4]
    tiny_format.write(logs / RUN / "step_0.tiny", start, 0)
    tiny_format.write(logs / RUN / "step_20.tiny", later, 20)
    service = open_service()
    _, info = all_spectra(lambda: service.spectra(RUN, TABLE))
    assert [entry["metrics"]["rows_unmoved"] for entry in info["checkpoints"]] == [None, 0, 25]
    assert [entry["metrics"]["dead_rows"] for entry in info["checkpoints"]] == [None, 0, 35], "25 unmoved, 10 zero"
    assert [entry["metrics"]["columns_unmoved"] for entry in info["checkpoints"]] == [None, 0, 1]


def drift(info: dict) -> list[list[float | None]]:
    return [[entry["metrics"][key] for key in DRIFT] for entry in info["checkpoints"]]


def test_how_far_a_matrix_has_come(open_service: Callable[..., Service], tmp_path: Path) -> None:
    service = open_service()
    _, info = all_spectra(lambda: service.spectra(RUN, TABLE))
    matrices = [table(step) for step in (0, 10, 20)]
    (first_to_second, second_to_third, first_to_third) = (
        compare(matrices[now], matrices[then]).measures for then, now in ((0, 1), (1, 2), (0, 2))
    )
    expected = [
        [first_to_second[key] for key in ("linear_cka", "linear_cka", "procrustes", "procrustes")],
        [measures[key] for key in ("linear_cka", "procrustes") for measures in (first_to_third, second_to_third)],
    ]
    assert np.allclose(np.array(drift(info)[1:], float), expected, rtol=1e-9)
    assert drift(info)[0] == [None] * 4, "nothing came before it"
    _, of_rows = all_spectra(lambda: service.spectra(RUN, TABLE, transform="relu"))
    activated = [np.maximum(matrix, 0) for matrix in matrices]
    assert drift(of_rows)[2][1] == pytest.approx(compare(activated[2], activated[1]).measures["linear_cka"], rel=1e-9)


def submissions(service: Service, monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, dict, Rank]]:
    """Grows with what is queued: the task, its parameters and its rank."""
    queued: list[tuple[str, dict, Rank]] = []
    submit = service._worker.submit

    def noted(task: str, params: dict, title: Message, key: str, rank: Rank = (0,), **more: Any) -> Job:
        queued.append((task, params, rank))
        return submit(task, params, title, key, rank, **more)

    monkeypatch.setattr(service._worker, "submit", noted)
    return queued


def test_drift_comes_after_the_spectra_of_the_view(open_service: Callable[..., Service], monkeypatch: pytest.MonkeyPatch) -> None:
    service = open_service()
    queued = submissions(service, monkeypatch)
    all_spectra(lambda: service.spectra(RUN, TABLE, first="run/step_10.tiny"))
    spectra = [rank for task, _, rank in queued if task in ("spectrum", "movement")]
    drifts = {(params["checkpoint"], params["then"]): rank for task, params, rank in queued if task == "drift"}
    assert list(drifts) and max(rank[2] for rank in spectra) < min(rank[2] for rank in drifts.values())
    assert set(drifts) == {
        ("run/step_10.tiny", "run/step_0.tiny"),
        ("run/step_20.tiny", "run/step_0.tiny"),
        ("run/step_20.tiny", "run/step_10.tiny"),
    }
    assert min(drifts.values(), key=lambda rank: rank[2:]) == drifts["run/step_10.tiny", "run/step_0.tiny"], "what is looked at"


def test_no_drift_where_rows_are_not_the_same_or_cannot_be_read(
    open_service: Callable[..., Service], logs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    grown = np.vstack([table(30), table(31)])
    tiny_format.write(logs / RUN / "step_30.tiny", grown, 30)
    tiny_format.write(logs / RUN / "step_40.tiny", np.vstack([table(40), table(31)]), 40)
    tiny_format.write(logs / RUN / "step_50.tiny", np.full((N_ROWS, N_COLUMNS), 668.0), 50)
    tiny_format.write(logs / RUN / "step_60.tiny", table(60), 60)
    service = open_service()
    queued = submissions(service, monkeypatch)
    _, info = all_spectra(lambda: service.spectra(RUN, TABLE))
    assert [entry["state"] for entry in info["checkpoints"]] == ["done"] * 5 + ["failed", "done"]
    known = [[number is not None for number in numbers] for numbers in drift({"checkpoints": info["checkpoints"][:5]})]
    assert known == [[False] * 4, [True] * 4, [True] * 4, [False] * 4, [False, True] * 2]
    assert [number is not None for number in drift({"checkpoints": info["checkpoints"][6:]})[0]] == [True, False] * 2
    assert {"run/step_50.tiny"}.isdisjoint(
        {name for task, params, _ in queued if task == "drift" for name in (params["checkpoint"], params["then"])}
    ), "what ended the worker once is left alone"


def test_what_was_known_of_a_checkpoint_that_is_gone_stays(open_service: Callable[..., Service], logs: Path) -> None:
    service = open_service()
    _, before = all_spectra(lambda: service.spectra(RUN, TABLE))
    (logs / RUN / "step_0.tiny").unlink()
    tiny_format.write(logs / RUN / "step_30.tiny", table(30), 30)
    rescanned(service, lambda catalogue: catalogue["runs"][0]["checkpoints"][0]["gone"] and len(ids(catalogue)) == 4)
    _, after = all_spectra(lambda: service.spectra(RUN, TABLE))
    assert [entry["metrics"] for entry in after["checkpoints"][:3]] == [entry["metrics"] for entry in before["checkpoints"]]
    assert [number is not None for number in drift(after)[3]] == [False, True] * 2, "of the later one only what it can be told"
    assert after["checkpoints"][3]["metrics"]["rows_unmoved"] is None


def test_a_series_reopens_with_its_drift(open_service: Callable[..., Service]) -> None:
    first = open_service()
    _, before = all_spectra(lambda: first.spectra(RUN, TABLE))
    first.close()
    second = open_service()
    second._worker.close()  # from here on nothing can be computed
    assert drift(arrays.decode_info(second.spectra(RUN, TABLE))) == drift(before)


def test_large_tables_wait_until_somebody_asks(open_service: Callable[..., Service], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tb_embfactor.service.effort.UNASKED_BYTES", 1000)
    service = open_service()
    info = arrays.decode_info(service.spectra(RUN, TABLE))
    assert info["n_pending"] == 0
    assert [(entry["state"], entry["bytes"]) for entry in info["checkpoints"]] == [("waiting", 4 * N_ROWS * N_COLUMNS)] * 3
    (item,) = service.overview()["items"]
    assert (item["state"], item["bytes"], item["verdicts"]) == ("waiting", 4 * N_ROWS * N_COLUMNS, [])
    _, info = all_spectra(lambda: service.spectra(RUN, TABLE, ask=True))
    assert [entry["state"] for entry in info["checkpoints"]] == ["done"] * 3
    assert None not in drift(info)[2]
    assert arrays.decode_info(service.spectra(RUN, TABLE))["checkpoints"] == info["checkpoints"], "what is known needs no asking"
    overview = service.overview()
    assert (overview["n_pending"], overview["items"][0]["state"]) == (0, "done")


def test_drift_of_large_tables_waits_too(open_service: Callable[..., Service], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tb_embfactor.service.effort.UNASKED_BYTES", 1000)
    service = open_service()
    queued = submissions(service, monkeypatch)
    for step in (0, 10, 20):
        names = {"run": RUN, "checkpoint": f"run/step_{step}.tiny", "matrix": TABLE}
        service._answers.wait("spectrum", service.listing.find(**names)[0], {**names, "transform": ""}, 30)
    _, info = all_spectra(lambda: service.spectra(RUN, TABLE))
    assert [entry["state"] for entry in info["checkpoints"]] == ["done"] * 3
    assert drift(info) == [[None] * 4] * 3
    assert "drift" not in {task for task, _, _ in queued}


def test_a_sample_is_looked_at_where_a_pass_takes_long(
    open_service: Callable[..., Service], logs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tb_embfactor.service.effort.SAMPLED_SECONDS", 0)
    rng = np.random.default_rng(0)
    matrix = rng.normal(size=(4000, 8))
    sampled = np.zeros(4000, bool)
    list(Sample(lambda start, stop: sampled.__setitem__(slice(start, stop), True), *matrix.shape))
    matrix[np.flatnonzero(~sampled)[0], 0] = 669  # the pass over all rows does not come to an end
    (logs / "large").mkdir()
    tiny_format.write(logs / "large" / "s1.tiny", matrix, 1)
    matrix[matrix == 669] = 0
    tiny_format.write(logs / "large" / "s0.tiny", matrix, 0)
    service = open_service()

    def look() -> tuple[dict[str, np.ndarray], dict] | None:
        tensors, info = arrays.decode(service.spectra("large", TABLE, first="large/s0.tiny"))
        return (tensors, info) if [entry["state"] for entry in info["checkpoints"]] == ["done", "estimated"] else None

    tensors, info = eventually(look)
    assert info["n_pending"] == 1
    exact, estimate = info["checkpoints"]
    assert estimate["rows_sampled"] == sampled.sum() < 4000
    for key, uncertainty in estimate["uncertainty"].items():
        assert abs(estimate["metrics"][key] - exact["metrics"][key]) <= 2 * uncertainty, key
    values, bound = tensors["centered_singular_values"], tensors["centered_error_bound"]
    assert np.all(np.abs(values[1] - values[0]) <= 2 * bound[1] * values[1])
    assert np.isnan(tensors["singular_values"][1]).all()
    service.cancel("all")
    info = arrays.decode_info(service.spectra("large", TABLE, transform="center"))
    assert info["n_pending"] == 2, "a mean of all rows is not known from a sample"
    service.cancel("all")


def test_the_sample_is_looked_at_before_what_takes_a_pass(
    open_service: Callable[..., Service], logs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tb_embfactor.service.effort.SAMPLED_SECONDS", 0)
    matrix = np.full((4000, 8), 669.0)  # no pass over these rows comes to an end
    service = open_service()
    tiny_format.write(logs / RUN / "step_0.tiny", matrix, 0)
    before = service.catalogue()["version"]
    rescanned(service, lambda catalogue: catalogue["version"] != before)
    submitted: list[str] = []
    submit = service._worker.submit
    monkeypatch.setattr(
        service._worker, "submit", lambda task, *args, **more: submitted.append(task) or submit(task, *args, **more)
    )
    service.points(RUN, "run/step_0.tiny", TABLE, wait_seconds=0)
    assert submitted == ["estimate", "estimated_points", "points"]
    ranks = {job.task: job.rank for job in service._worker._jobs.values()}
    assert ranks["estimate"] < ranks["estimated_points"] < ranks["points"]
    submitted.clear()
    service.spectra(RUN, TABLE, first="run/step_20.tiny")
    assert submitted[:2] == ["estimate", "estimated_points"]
    assert {job.params["checkpoint"] for job in service._worker._jobs.values() if job.rank[0] == GLANCE} >= {"run/step_20.tiny"}
    service.cancel("all")


def test_the_first_points_are_those_of_a_sample_until_the_exact_ones_are_known(
    open_service: Callable[..., Service], monkeypatch: pytest.MonkeyPatch
) -> None:
    names = {"run": RUN, "checkpoint": "run/step_10.tiny", "matrix": TABLE}
    service = open_service()
    assert service.first_points(**names) is None, "a pass takes no time"
    monkeypatch.setattr("tb_embfactor.service.effort.SAMPLED_SECONDS", 0)
    tensors, info = arrays.decode(service.first_points(**names))
    assert info["estimated"] is True and info["checkpoint"] == "run/step_10.tiny"
    assert tensors["points"].shape == (N_ROWS, 8)
    assert service.first_points(**names, transform="center") is None
    all_spectra(lambda: service.spectra(RUN, TABLE))
    assert service.first_points(**names) is None, "the spectrum is known"


def test_a_sample_that_tells_nothing_is_not_shown(
    open_service: Callable[..., Service], logs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tb_embfactor.service.effort.SAMPLED_SECONDS", 0)
    (logs / "even").mkdir()
    tiny_format.write(logs / "even" / "s0.tiny", np.ones((100, 3)), 0)
    service = open_service()
    assert service.first_points("even", "even/s0.tiny", TABLE) is None
    _, info = all_spectra(lambda: service.spectra("even", TABLE))
    assert info["checkpoints"][0]["state"] == "done"


def test_large_tables_that_wait_say_what_a_sample_tells(
    open_service: Callable[..., Service], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tb_embfactor.service.effort.SAMPLED_SECONDS", 0)
    monkeypatch.setattr("tb_embfactor.service.effort.UNASKED_BYTES", 1000)
    service = open_service()
    tensors, info = all_spectra(lambda: service.spectra(RUN, TABLE))
    assert [entry["state"] for entry in info["checkpoints"]] == ["waiting"] * 3
    assert np.isfinite(tensors["centered_singular_values"]).all()
    (item,) = service.overview()["items"]
    assert (item["state"], item["bytes"]) == ("waiting", 4 * N_ROWS * N_COLUMNS)
    assert item["metrics"]["effective_rank"] > item["uncertainty"]["effective_rank"] > 0
    _, info = all_spectra(lambda: service.spectra(RUN, TABLE, ask=True))
    assert [entry["state"] for entry in info["checkpoints"]] == ["done"] * 3


def test_pausing_leaves_what_somebody_waits_for(open_service: Callable[..., Service]) -> None:
    service = open_service()
    assert service.pause(True)["paused"] is True
    assert arrays.decode_info(service.spectra(RUN, TABLE))["n_pending"] == 3
    assert isinstance(service.points(RUN, "run/step_0.tiny", TABLE), bytes)
    assert arrays.decode_info(service.spectra(RUN, TABLE))["n_pending"] == 3
    service.pause(False)
    all_spectra(lambda: service.spectra(RUN, TABLE))
