"""The command line: tables, JSON, exports, exit statuses, and what a tired user reads when something is wrong."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import tiny_format
from safetensors.numpy import load_file
from support import N_COLUMNS, N_ROWS, table, write_run

from tb_embfactor import compare
from tb_embfactor.analysis.drift import DRIFT
from tb_embfactor.cli import main


@pytest.fixture
def logs(tmp_path: Path, tiny: None) -> Path:
    write_run(tmp_path / "logs" / "run")
    write_run(tmp_path / "logs" / "测试", (5,))
    return tmp_path / "logs"


def test_list(logs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["list", str(logs)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 5
    assert lines[0].split() == ["run", "checkpoint", "step", "matrix", "shape", "dtype", "role", "labels"]
    assert "60 × 8" in lines[1] and "metadata.tsv (word, count)" in lines[1]
    # Double-width characters: the columns still stand under each other on a terminal.
    assert lines[4].startswith("测试  测试/step_5.tiny")


def test_list_json(logs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["list", str(logs), "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert set(document) == {"logdir", "runs", "problems"}
    checkpoint = document["runs"][0]["checkpoints"][1]
    assert set(checkpoint) == {"checkpoint", "step", "wall_time", "format", "path", "matrices"}
    assert set(checkpoint["matrices"][0]) == {"matrix", "shape", "dtype", "role", "labels"}
    assert checkpoint["matrices"][0]["labels"]["columns"] == ["word", "count"]


def test_spectrum(logs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["spectrum", str(logs), "--run", "run"]) == 0
    header, line = capsys.readouterr().out.splitlines()
    assert "effective rank" in header
    assert "step_20.tiny" in line and "of 8" in line
    assert main(["spectrum", str(logs), "--checkpoint", "all"]) == 0
    assert len(capsys.readouterr().out.splitlines()) == 5


def test_spectrum_json(logs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["spectrum", str(logs), "--run", "run", "--checkpoint", "step:10", "--matrix", "table", "--json"]) == 0
    (result,) = json.loads(capsys.readouterr().out)["results"]
    assert result["step"] == 10 and result["shape"] == [N_ROWS, N_COLUMNS]
    assert np.allclose(result["singular_values"], np.linalg.svd(table(10), compute_uv=False), rtol=1e-12)
    assert sum(result["energy_ratio"]) == pytest.approx(1)
    assert len(result["error_bound"]) == N_COLUMNS
    assert result["metrics"]["effective_rank"] > 1
    assert set(result["suggested_ranks"]["tracy_widom"]) == {"rank", "line"}
    assert main(["spectrum", str(logs), "--run", "run", "--center", "--rank", "2", "--json"]) == 0
    (centered,) = json.loads(capsys.readouterr().out)["results"]
    spread = table(20) - table(20).mean(axis=0)
    assert centered["centered"] is True
    assert np.allclose(centered["singular_values"], np.linalg.svd(spread, compute_uv=False)[:2], rtol=1e-12)


def test_drift_along_a_run(logs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    chosen = ["spectrum", str(logs), "--run", "run", "--checkpoint", "all"]
    assert main([*chosen, "--drift", "--json"]) == 0
    found = [result["metrics"] for result in json.loads(capsys.readouterr().out)["results"]]
    measures = compare(table(20), table(10)).measures
    assert found[2]["cka_previous"] == pytest.approx(measures["linear_cka"], rel=1e-9)
    assert found[2]["procrustes_previous"] == pytest.approx(measures["procrustes"], rel=1e-9)
    assert found[1]["cka_first"] == found[1]["cka_previous"]
    assert found[0]["cka_first"] is found[0]["procrustes_previous"] is None
    assert main([*chosen, "--drift"]) == 0
    header, *lines = capsys.readouterr().out.splitlines()
    assert "CKA to first" in header and f"{measures['linear_cka']:.4f}" in lines[2]
    assert main([*chosen, "--json"]) == 0
    unasked = [result["metrics"] for result in json.loads(capsys.readouterr().out)["results"]]
    assert all(metrics[key] is None for metrics in unasked for key in DRIFT), "it takes long, so it is asked for"
    tiny_format.write(logs / "run" / "step_15.tiny", np.full((N_ROWS, N_COLUMNS), np.nan), 15)
    assert main([*chosen, "--drift", "--json"]) == 1
    last = json.loads(capsys.readouterr().out)["results"][-1]["metrics"]
    assert last["cka_first"] > 0 and last["cka_previous"] is None, "the one before cannot be read"


def test_factors(logs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["factors", str(logs), "--run", "run", "--k", "2", "--top", "3"]) == 0
    title, header, first, _ = capsys.readouterr().out.splitlines()[:4]
    assert title == "table at run/step_20.tiny, pca"
    assert header.split() == ["factor", "share", "kurtosis", "found", "again", "most", "least"]
    right = np.linalg.svd(table(20) - table(20).mean(axis=0))[2][0]
    order = np.argsort((table(20) @ right) * np.sign(right[np.argmax(np.abs(right))]))
    assert " ".join(f"word{row}" for row in order[::-1][:3]) in first
    assert first.endswith(" ".join(f"word{row}" for row in order[:3]))


@pytest.mark.parametrize("method", ["svd", "pca", "varimax", "ica", "nmf"])
def test_factors_json(logs: Path, capsys: pytest.CaptureFixture[str], method: str) -> None:
    arguments = [
        "factors",
        str(logs),
        "--run",
        "run",
        "--method",
        method,
        "--transform",
        "relu",
        "--k",
        "3",
        "--reference",
        "first",
    ]
    assert main([*arguments, "--json"]) == 0
    (result,) = json.loads(capsys.readouterr().out)["results"]
    assert (result["step"], result["method"], result["transform"], result["rows_used"]) == (20, method, "relu", N_ROWS)
    assert [factor["factor"] for factor in result["factors"]] == [1, 2, 3]
    for factor in result["factors"]:
        assert len(factor["top"]) == 10 and len(factor["bottom"]) == (0 if method == "nmf" else 10)
        assert factor["top"][0]["label"] == f"word{factor['top'][0]['row']}"
        assert (factor["consistency"] is None) == (method in ("svd", "pca")) == (factor["gap"] is not None)
        assert factor["continues"] is None or 1 <= factor["continues"]["factor"] <= 3


def test_project(logs: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    spread = table(20) - table(20).mean(axis=0)
    left, values, _ = np.linalg.svd(spread, full_matrices=False)
    out = tmp_path / "points.tsv"
    assert main(["project", str(logs / "run" / "step_20.tiny"), "--out", str(out)]) == 0
    said = capsys.readouterr().out
    assert "60 points in 2 dimensions" in said and f"{np.sum(values[:2] ** 2) / np.sum(values**2):.1%} of the variance" in said
    assert "trustworthiness 0." in said
    header, *lines = out.read_text().splitlines()
    assert header == "axis_1\taxis_2\tword\tcount" and lines[7].endswith("\tword7\t7")
    points = np.array([line.split("\t")[:2] for line in lines], float)
    assert np.allclose(np.abs(points), np.abs(left * values)[:, :2], atol=1e-6)
    for ending in ("npz", "safetensors"):
        out = tmp_path / f"points.{ending}"
        assert main(["project", str(logs / "run" / "step_20.tiny"), "--out", str(out), "--k", "3"]) == 0
        assert (load_file(out) if ending == "safetensors" else np.load(out))["points"].shape == (60, 3)


def test_project_json(logs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    chosen = ["project", str(logs), "--run", "run", "--method", "line", "--between", "word3,4|word9", "--json"]
    assert main(chosen) == 0
    result = json.loads(capsys.readouterr().out)
    assert (result["step"], result["method"], result["points_are"]) == (20, "line", "rows")
    line = table(20)[9] - table(20)[[3, 4]].mean(axis=0)
    expected = (table(20) - table(20).mean(axis=0)) @ line / np.linalg.norm(line)
    assert np.allclose(np.array(result["points"])[:, 0], expected)


def test_compare(logs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    chosen = ["compare", str(logs), "--run", "run", "--checkpoint", "first", "--checkpoint-b", "latest"]
    assert main(chosen) == 0
    said = capsys.readouterr().out
    assert "a: table at run/step_0.tiny\nb: table at run/step_20.tiny\n60 rows matched by index" in said
    assert "linear_cka" in said and "farthest apart: word" in said
    assert main([*chosen, "--match", "label", "--json"]) == 0
    result = json.loads(capsys.readouterr().out)
    one, other = (rows - rows.mean(axis=0) for rows in (table(0), table(20)))
    cka = np.sum((one.T @ other) ** 2) / np.linalg.norm(one.T @ one) / np.linalg.norm(other.T @ other)
    assert result["measures"]["linear_cka"] == pytest.approx(cka)
    assert (result["a"]["step"], result["b"]["step"], result["rows_matched"]) == (0, 20, N_ROWS)
    assert result["most_changed"][0]["label"] == f"word{result['most_changed'][0]['row']}"
    assert main(["compare", str(logs / "run" / "step_0.tiny"), str(logs / "run" / "step_0.tiny"), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["measures"]["linear_cka"] == pytest.approx(1)


def test_neighbors(logs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    chosen = ["neighbors", str(logs), "--run", "run", "--token", "word3", "4", "--k", "2"]
    assert main(chosen) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "nearest to word3 in table at run/step_20.tiny, cosine" and lines[1].split() == [
        "row",
        "label",
        "distance",
    ]
    assert len(lines) == 9 and lines[5].startswith("nearest to word4")
    assert main([*chosen, "--metric", "euclidean", "--transform", "unit_rows", "--json"]) == 0
    result = json.loads(capsys.readouterr().out)
    assert (result["step"], result["metric"], result["transform"]) == (20, "euclidean", "unit_rows")
    query = result["queries"][1]
    units = table(20) / np.linalg.norm(table(20), axis=1)[:, None]
    apart = np.linalg.norm(units - units[4], axis=1)
    nearest = np.argsort(apart)[1:3]
    assert (query["row"], query["label"]) == (4, "word4")
    assert [(each["row"], each["label"]) for each in query["neighbors"]] == [(row, f"word{row}") for row in nearest]
    assert [each["distance"] for each in query["neighbors"]] == pytest.approx(apart[nearest])
    assert main([*chosen[:4], "--token", "3", "--transform", "transpose"]) == 0
    assert "nearest to 3 in table" in capsys.readouterr().out


def test_sparsity(logs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["sparsity", str(logs), "--run", "run", "--transform", "relu"]) == 0
    header, line = capsys.readouterr().out.splitlines()
    assert "zeros" in header and "error at 90 %" in header
    assert f"{np.mean(table(20) <= 0):.1%}" in line
    assert main(["sparsity", str(logs), "--run", "run", "--json"]) == 0
    (result,) = json.loads(capsys.readouterr().out)["results"]
    assert result["zero_share"] == 0 and result["error"][100] == pytest.approx(1)


@pytest.mark.parametrize("ending", ["safetensors", "npz"])
def test_export(logs: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], ending: str) -> None:
    out = tmp_path / f"factors.{ending}"
    assert main(["export", str(logs / "run" / "step_0.tiny"), "--out", str(out)]) == 0
    assert "U 60 × 8, S 8, Vt 8 × 8 (float64)" in capsys.readouterr().out
    factors = load_file(out) if ending == "safetensors" else np.load(out)
    assert np.allclose(factors["U"] * factors["S"] @ factors["Vt"], table(0))


def test_export_asks_for_one_matrix(logs: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["export", str(logs), "--out", str(tmp_path / "x.npz")]) == 2
    assert "--matrix must be given so that one matrix is chosen" in capsys.readouterr().err
    assert not (tmp_path / "x.npz").exists()


def test_what_can_be_read_is_printed_and_the_rest_is_said(logs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (logs / "run" / "broken.tiny").write_bytes(b"abc")
    assert main(["list", str(logs)]) == 1
    out, err = capsys.readouterr()
    assert len(out.splitlines()) == 5
    assert err.splitlines() == [
        "tb-embfactor: run/broken.tiny ends at byte 3, but 12 bytes are needed (reading past its end). "
        "It is incomplete or still being written; it is tried again when it changes."
    ]


def test_a_matrix_that_cannot_be_factored_does_not_hide_the_others(logs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    tiny_format.write(logs / "run" / "nan.tiny", np.full((4, 3), np.nan), 99)
    assert main(["spectrum", str(logs), "--checkpoint", "all", "--json"]) == 1
    out, err = capsys.readouterr()
    assert len(json.loads(out)["results"]) == 4
    assert "All 4 rows of table hold NaN or Inf" in err


@pytest.mark.parametrize(
    ("arguments", "status", "said"),
    [
        (["spectrum", "{logs}", "--run", "nope"], 1, "There is no run 'nope'. The runs are: run, 测试."),
        (["spectrum", "{logs}", "--matrix", "nope"], 1, "has no matrix 'nope'. Its matrices are: table."),
        (["spectrum", "{logs}", "--checkpoint", "step:7"], 1, "no checkpoint 'step:7'"),
        (["spectrum", "{logs}", "--transform", "log"], 2, "transform must be a list of bias, relu, leaky_relu"),
        (["spectrum", "{logs}", "--rank", "99"], 2, "rank must be from 1 to 8; got 99"),
        (["factors", "{logs}", "--method", "umap"], 2, "method must be one of svd, pca, varimax, ica, nmf; got 'umap'"),
        (["factors", "{logs}", "--k", "65"], 2, "k must be from 1 to 64; got 65"),
        (["factors", "{logs}/run", "--method", "nmf"], 1, "has negative entries"),
        (["compare", "{logs}", "--run", "run", "--match", "order"], 2, "match must be one of index, label; got 'order'"),
        (["compare", "{logs}", "--run", "run", "--checkpoint-b", "step:7"], 1, "no checkpoint 'step:7'"),
        (
            ["neighbors", "{logs}", "--run", "run", "--token", "ord3"],
            1,
            "no row with the label 'ord3'. Labels like it: word3, word39",
        ),
        (["neighbors", "{logs}", "--run", "run", "--token", "60"], 2, "query must be row numbers from 0 to 59; got [60]"),
        (["neighbors", "{logs}", "--run", "run", "--token", "1", "--k", "0"], 2, "k must be from 1 to 1000; got 0"),
        (["neighbors", "{logs}", "--run", "run", "--token", "1", "--metric", "l1"], 2, "metric must be one of cosine, euclidean"),
        (["project", "{logs}"], 2, "--matrix must be given so that one matrix is chosen"),
        (["project", "{logs}/run/step_0.tiny", "--method", "lda", "--column", "color"], 1, "no label column 'color'"),
        (["project", "{logs}/run/step_0.tiny", "--method", "lda", "--column", "word"], 1, "60 groups, too many"),
        (["project", "{logs}/run/step_0.tiny", "--method", "line", "--between", "1|nobody"], 1, "no row with the label 'nobody'"),
        (["project", "{logs}/run/step_0.tiny", "--method", "line", "--between", "1"], 2, "two groups of rows or labels"),
        (["project", "{logs}/run/step_0.tiny", "--out", "{logs}/x.csv"], 2, "ending in .tsv, .npz, .safetensors"),
        (["list", "{logs}/nowhere"], 1, "nowhere"),
        (["list", "{logs}/../empty"], 1, "No checkpoint was found under"),
        (["list", "{logs}/run/metadata.tsv"], 1, "neither a checkpoint nor a log directory"),
        (["export", "{logs}/run/step_0.tiny", "--out", "{logs}/x.csv"], 2, "ending in .safetensors or .npz"),
    ],
)
def test_errors_are_one_line(
    logs: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], status: int, said: str
) -> None:
    (logs.parent / "empty").mkdir()
    assert main([argument.format(logs=logs) for argument in arguments]) == status
    out, err = capsys.readouterr()
    assert out == ""
    assert said in err.splitlines()[-1]
    assert err.splitlines()[-1].startswith("tb-embfactor: ")


def test_wrong_usage(capsys: pytest.CaptureFixture[str]) -> None:
    for arguments in ([], ["nonsense"], ["list"]):
        with pytest.raises(SystemExit) as stop:
            main(arguments)
        assert stop.value.code == 2


def test_control_characters_do_not_reach_the_terminal(logs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_run(logs / "evil\x1b[31m", (1,))
    main(["list", str(logs)])
    assert "\x1b" not in capsys.readouterr().out


def test_as_a_module_and_into_a_closed_pipe(demo_logs: Path) -> None:
    command = f"{sys.executable} -m tb_embfactor list {demo_logs}"
    process = subprocess.run(["bash", "-c", f"set -o pipefail; {command} | head -1"], capture_output=True, text=True, timeout=120)
    assert process.stdout.startswith("run ")
    assert process.stderr == ""
