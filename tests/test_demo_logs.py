"""The committed demo runs: small, without a trace of the machine that made them, readable, each showing what it is there for."""

from __future__ import annotations

import csv
import re
import socket
from pathlib import Path

import numpy as np
import pytest
from sklearn.cluster import KMeans
from sklearn.metrics import adjusted_rand_score
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboard.util.tensor_util import make_ndarray

import tb_embfactor as ef
from tb_embfactor.analysis.verdicts import verdicts
from tb_embfactor.logdir import Matrix

MAX_BYTES = 12 << 20
STEPS = [0, 10, 30, 100, 300, 800, 1600, 3000]
EMBEDDINGS = {
    "article_example": {"random_embedding": (100, 300), "trained_embedding": (100, 300)},
    "chinese_reviews": {"word_embedding": (1000, 32)},
    "collapsed": {"word_embedding": (1000, 32)},
    "sentiment_factorized": {"word_factors": (1000, 8)},
    "sentiment_plain": {"word_embedding": (1000, 32)},
    "transformer": {"token_embedding": (1000, 32), "position_embedding": (128, 32)},
}
WORDS = [
    ("article_example", "trained_embedding"),
    ("chinese_reviews", "word_embedding"),
    ("collapsed", "word_embedding"),
    ("sentiment_factorized", "word_factors"),
    ("sentiment_plain", "word_embedding"),
    ("transformer", "token_embedding"),
]
ABSOLUTE_PATH = re.compile(rb"/(?:home|root|work|tmp|mnt|var|opt|srv|Users)/[\w.]")


def run_files(demo_logs: Path) -> list[Path]:
    return [path for run in EMBEDDINGS for path in (demo_logs / run).rglob("*") if path.is_file()]


@pytest.fixture(scope="module")
def runs(demo_logs: Path) -> dict[str, ef.Run]:
    logdir = ef.open_logdir(demo_logs)
    assert logdir.problems == ()
    return {run.name.split("/")[0]: run for run in logdir.runs if run.checkpoints}


def layer(run: ef.Run, name: str, checkpoint: str = "latest") -> Matrix:
    (matrix,) = (matrix for matrix in run.checkpoint(checkpoint).matrices if matrix.layer == name)
    return matrix


def verdict(matrix: Matrix, is_first: bool = False) -> str:
    return verdicts(ef.metrics(ef.factorize(matrix)), matrix.shape, is_first=is_first)[0].code


def labels(demo_logs: Path, matrix: Matrix) -> list[dict[str, str]]:
    assert matrix.labels is not None
    with (demo_logs / matrix.labels.source).open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE))


def last_scalar(directory: Path, tag: str) -> float:
    events = EventAccumulator(str(directory))
    events.Reload()
    return float(make_ndarray(events.Tensors(tag)[-1].tensor_proto))


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


def test_every_run_has_its_steps_its_embeddings_and_labels(runs: dict[str, ef.Run], demo_logs: Path) -> None:
    assert runs.keys() == EMBEDDINGS.keys()
    for name, run in runs.items():
        assert [checkpoint.step for checkpoint in run.checkpoints] == (STEPS[-1:] if name == "article_example" else STEPS)
        for checkpoint in run.checkpoints:
            found = {matrix.layer: matrix.shape for matrix in checkpoint.matrices if matrix.role == "embedding"}
            assert found == EMBEDDINGS[name]
    for name, embedding in WORDS:
        matrix = layer(runs[name], embedding)
        rows = labels(demo_logs, matrix)
        assert len(rows) == matrix.shape[0]
        assert [row["word"] for row in rows[:2]] == ["[PAD]", "[UNK]"]


@pytest.mark.parametrize(("name", "embedding"), WORDS)
def test_the_polarity_of_words_is_the_first_principal_component(
    runs: dict[str, ef.Run], demo_logs: Path, name: str, embedding: str
) -> None:
    correlations = {}
    for checkpoint in runs[name].checkpoints:
        matrix = layer(runs[name], embedding, checkpoint.id)
        polarity = np.array([float(row["polarity"]) for row in labels(demo_logs, matrix)])
        points = ef.project(matrix, method="pca", n_components=1).points[:, 0]
        correlations[checkpoint.step] = abs(np.corrcoef(points[2:], polarity[2:])[0, 1])
    assert correlations.pop(0, 0) < 0.1
    assert all(correlation > 0.75 for step, correlation in correlations.items() if step >= 100), correlations


def test_verdicts_begin_as_initialised_and_end_without_trouble(runs: dict[str, ef.Run]) -> None:
    for name in ("chinese_reviews", "sentiment_factorized", "sentiment_plain", "transformer"):
        for embedding in EMBEDDINGS[name]:
            assert verdict(layer(runs[name], embedding, "first"), is_first=True) == "verdict_initial"
            assert verdict(layer(runs[name], embedding)) == "verdict_fine"


def test_nothing_is_found_in_the_random_matrix_and_something_beside_it(runs: dict[str, ef.Run]) -> None:
    assert verdict(layer(runs["article_example"], "random_embedding")) == "verdict_untrained"
    assert verdict(layer(runs["article_example"], "trained_embedding")) == "verdict_fine"


def test_one_run_collapses_and_its_accuracy_does_not_show_it(runs: dict[str, ef.Run], demo_logs: Path) -> None:
    run = runs["collapsed"]
    assert verdict(layer(run, "word_embedding", "first"), is_first=True) == "verdict_initial"
    assert verdict(layer(run, "word_embedding")) == "verdict_collapsed"
    assert ef.metrics(ef.factorize(layer(run, "word_embedding")))["energy_rank_99_9"] <= 3
    of_collapsed = last_scalar(demo_logs / "collapsed", "validation/accuracy")
    assert of_collapsed >= last_scalar(demo_logs / "sentiment_plain" / "validation", "accuracy") > 0.8


def test_chinese_words_cluster_by_topic(runs: dict[str, ef.Run], demo_logs: Path) -> None:
    matrix = layer(runs["chinese_reviews"], "word_embedding")
    topics = np.array([row["topic"] for row in labels(demo_logs, matrix)])
    assert set(topics) == {"general", "hotel", "book", "computer"}
    of_topic = topics != "general"
    assert of_topic.sum() > 400

    def agreement(matrix: Matrix) -> float:
        rows = matrix.rows(0, len(topics))[of_topic].astype(np.float64)
        rows /= np.linalg.norm(rows, axis=1, keepdims=True)
        return float(adjusted_rand_score(topics[of_topic], KMeans(3, n_init=10, random_state=0).fit_predict(rows)))

    assert agreement(matrix) > 0.9
    assert agreement(layer(runs["chinese_reviews"], "word_embedding", "first")) < 0.1
