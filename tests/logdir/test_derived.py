"""Products and layers side by side: as numpy makes them, by name, in the catalogue, and what does not fit."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import tb_embfactor as ef
from tb_embfactor.errors import NotFoundError, UsageError
from tb_embfactor.formats import MatrixInfo
from tb_embfactor.logdir import Checkpoint, Matrix
from tb_embfactor.logdir.derived import evaluate, offered, part_names


@pytest.fixture(scope="module")
def checkpoint(demo_logs: Path) -> Checkpoint:
    return ef.open_logdir(demo_logs).run("sentiment_factorized").checkpoint("latest")


def whole(matrix: Matrix) -> np.ndarray:
    return matrix.rows(0, matrix.shape[0]).astype(np.float64)


def test_a_factorized_embedding_is_one_matrix(checkpoint: Checkpoint) -> None:
    product = checkpoint["word_factors @ factor_embedding"]
    expected = whole(checkpoint["word_factors"]) @ whole(checkpoint["factor_embedding"])
    assert product.shape == (1000, 32) and product.dtype == "float64" and product.role == "other"
    assert np.allclose(np.concatenate(list(product.blocks(300))), expected, rtol=1e-14)
    assert np.allclose(product.rows(5, 9), expected[5:9], rtol=1e-14)
    f = ef.factorize(product)
    assert np.allclose(f.singular_values[:8], np.linalg.svd(expected, compute_uv=False)[:8], rtol=1e-10)
    assert np.count_nonzero(f.singular_values) == 8, "it has no more directions than its factors"
    assert product.labels is not None and len(product.labels.read(1000).columns[0].values) == 1000


def test_it_is_offered_and_nothing_else_is(checkpoint: Checkpoint) -> None:
    assert [matrix.name for matrix in checkpoint.derived] == ["word_factors/embeddings @ factor_embedding/kernel"]


def test_what_fits_in_several_ways_is_not_offered(demo_logs: Path) -> None:
    logdir = ef.open_logdir(demo_logs)
    assert logdir.run("transformer").checkpoint("latest").derived == ()
    assert logdir.run("article_example").checkpoint("latest").derived == (), "two embeddings of one width"
    info = MatrixInfo("a", (5, 3), "float32", "kernel")
    assert offered([Matrix(logdir.runs[0].checkpoints[0], info)]) == ()


def test_layers_side_by_side(checkpoint: Checkpoint) -> None:
    both = checkpoint["word_factors | word_factors"]
    expected = np.hstack([whole(checkpoint["word_factors"])] * 2)
    assert both.shape == (1000, 16)
    assert np.array_equal(whole(both), expected)
    assert np.array_equal(np.concatenate(list(both.blocks(7))), expected)


def test_products_bind_more_tightly_and_chain(checkpoint: Checkpoint) -> None:
    first, second, third = (whole(checkpoint[name]) for name in ("word_factors", "factor_embedding", "hidden"))
    mixed = checkpoint["word_factors | word_factors @ factor_embedding @ hidden"]
    assert mixed.shape == (1000, 8 + 16)
    assert np.allclose(whole(mixed), np.hstack([first, first @ second @ third]), rtol=1e-12)


def test_biases_go_through_the_layers_after_them(checkpoint: Checkpoint) -> None:
    hidden, last = checkpoint["hidden"], checkpoint["is_positive"]
    first, second = hidden.bias(), last.bias()
    assert first is not None and second is not None
    chained = checkpoint["factor_embedding @ hidden @ is_positive"].bias()
    own = checkpoint["factor_embedding"].bias()
    assert chained is not None
    start = first if own is None else own @ whole(hidden) + first
    assert np.allclose(chained, start @ whole(last) + second)
    beside = checkpoint["hidden | hidden"].bias()
    assert beside is not None and np.array_equal(beside, np.concatenate([first, first]))
    assert not checkpoint["word_factors | word_factors"].has_bias and checkpoint["word_factors | word_factors"].bias() is None


def test_activated_outputs_of_an_embedding_and_its_layer(checkpoint: Checkpoint) -> None:
    """What a word does to the hidden layer: ReLU of its embedding times the kernel, plus the bias."""
    words = checkpoint["word_factors @ factor_embedding @ hidden"]
    bias = words.bias()
    assert bias is not None
    expected = np.maximum(whole(words) + bias, 0)
    found = ef.factorize(words, transform="bias,relu").singular_values
    assert np.allclose(found, np.linalg.svd(expected, compute_uv=False), rtol=1e-9, atol=1e-9)


def test_fingerprints_follow_the_parts(demo_logs: Path) -> None:
    run = ef.open_logdir(demo_logs).run("sentiment_factorized")
    name = "word_factors @ factor_embedding"
    prints = [run.checkpoint(selector)[name].fingerprint for selector in ("first", "latest")]
    assert len({*prints, run.checkpoint("first")["word_factors | word_factors"].fingerprint}) == 3
    assert run.checkpoint("first")[name].fingerprint == prints[0]
    assert run.having("word_factors/embeddings @ factor_embedding/kernel") == list(run.checkpoints)
    assert run.having("word_factors/embeddings @ nothing") == []


@pytest.mark.parametrize(
    ("expression", "error", "said"),
    [
        ("word_factors @ hidden", UsageError, "each has as many rows as the one before has columns; got '1000 × 8, 32 × 16'"),
        ("word_factors | hidden", UsageError, "with as many rows each; got '1000 × 8, 32 × 16'"),
        ("word_factors @ nothing", NotFoundError, "no matrix 'nothing'"),
        ("word_factors @ ", NotFoundError, "no matrix"),
        (" | ".join(["hidden"] * 17), UsageError, "at most 16 matrices"),
    ],
)
def test_what_does_not_fit(checkpoint: Checkpoint, expression: str, error: type[Exception], said: str) -> None:
    with pytest.raises(error, match=said):
        checkpoint[expression]


def test_expressions() -> None:
    joined = evaluate("a @ b | c|d", lambda name: name, lambda operator, parts: f"({operator.strip().join(parts)})")
    assert joined == "((a@b)|c|d)", "operators stand between spaces"
    assert part_names("a @ b | c") == ["a", "b", "c"] and part_names("a") == ["a"]
