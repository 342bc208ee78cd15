"""The committed demo runs: small, without a trace of the machine that made them, readable, and worth looking at."""

from __future__ import annotations

import re
import socket
from pathlib import Path

import numpy as np
import pytest

import tb_embfactor as ef

MAX_BYTES = 12 << 20
STEPS = [0, 10, 30, 100, 300, 800, 1600, 3000]
ABSOLUTE_PATH = re.compile(rb"/(?:home|root|work|tmp|mnt|var|opt|srv|Users)/[\w.]")


def run_files(demo_logs: Path) -> list[Path]:
    return [path for run in demo_logs.glob("*/") for path in run.rglob("*") if path.is_file() and "__pycache__" not in path.parts]


def test_they_are_small(demo_logs: Path) -> None:
    assert sum(path.stat().st_size for path in run_files(demo_logs)) <= MAX_BYTES


def test_they_name_no_machine(demo_logs: Path) -> None:
    host = socket.gethostname().encode()
    for path in run_files(demo_logs):
        content = path.read_bytes()
        assert not ABSOLUTE_PATH.search(content), path
        assert len(host) < 6 or host not in content, path  # a short name is in random bytes, too
        if "tfevents" in path.name:
            assert re.fullmatch(r"events\.out\.tfevents\.\d+\.demo\.v2", path.name)


@pytest.mark.parametrize(
    ("name", "layer", "shape"),
    [("sentiment_plain", "word_embedding", (1000, 32)), ("sentiment_factorized", "word_factors", (1000, 8))],
)
def test_training_shows_in_the_first_principal_component(demo_logs: Path, name: str, layer: str, shape: tuple[int, int]) -> None:
    logdir = ef.open_logdir(demo_logs)
    assert logdir.problems == ()
    (run,) = (run for run in logdir.runs if run.name.split("/")[0] == name and run.checkpoints)
    assert [checkpoint.step for checkpoint in run.checkpoints] == STEPS

    correlations = []
    for checkpoint in run.checkpoints:
        (matrix,) = (matrix for matrix in checkpoint.matrices if matrix.role == "embedding")
        assert (matrix.layer, matrix.shape) == (layer, shape)
        points = ef.project(matrix, method="pca", n_components=1).points[:, 0]
        correlations.append(abs(np.corrcoef(points[2:], polarity(demo_logs / name / "metadata.tsv")[2:])[0, 1]))
    assert correlations[0] < 0.1
    assert min(correlations[3:]) > 0.8


def polarity(path: Path) -> np.ndarray:
    lines = path.read_text(encoding="utf-8").splitlines()[1:]
    return np.array([float(line.split("\t")[2]) for line in lines])
