"""Suggested ranks: what each rule says of planted directions, and where it has nothing to say."""

from __future__ import annotations

import numpy as np
import pytest
from planted import lapack, planted

from tb_embfactor import factorize
from tb_embfactor.analysis.ranks import RULES, suggested_ranks

NOISE = np.random.default_rng(0).normal(size=(3000, 60))


def test_rules_agree_on_strong_directions_and_differ_on_weak_ones() -> None:
    strong, weak = (
        np.geomspace(900, 400, 5),
        np.full(2, 45.0),
    )  # with noise 72; the noise ends at 62.5, what is worth keeping begins at 79
    found = suggested_ranks(factorize(NOISE + planted(3000, 60, np.append(strong, weak), seed=2)))
    ranks = {key: answer["rank"] for key, answer in found.items()}
    assert ranks["gavish_donoho"] == ranks["elbow"] == ranks["parallel_analysis"] == ranks["broken_stick"] == 5
    assert ranks["mp_edge"] == ranks["tracy_widom"] == 7
    assert found["mp_edge"]["line"] < found["tracy_widom"]["line"] < found["gavish_donoho"]["line"]


def test_what_a_line_keeps_is_above_it() -> None:
    matrix = NOISE + 0.5
    found = suggested_ranks(factorize(matrix))
    for key, answer in found.items():
        if answer["line"] is not None:
            values = lapack(matrix - matrix.mean(axis=0) if RULES[key].centered else matrix)
            assert np.all(values[: answer["rank"]] > answer["line"]) and values[answer["rank"]] <= answer["line"], key
    assert found["gavish_donoho"]["rank"] == 1, "as stored, the common mean is a direction"


@pytest.mark.parametrize("shape", [(40, 300), (300, 40), (41, 40)])
def test_noise_alone_has_no_rank_on_either_side(shape: tuple[int, int]) -> None:
    found = suggested_ranks(factorize(np.random.default_rng(1).normal(size=shape)))
    assert found["tracy_widom"]["rank"] == found["parallel_analysis"]["rank"] == found["gavish_donoho"]["rank"] == 0


def test_no_answer_where_nothing_tells_the_noise() -> None:
    equal = suggested_ranks(factorize(np.ones((9, 4))))
    assert all(answer == {"rank": None, "line": None} for answer in equal.values())
    exact = suggested_ranks(factorize(planted(100, 20, np.array([3.0, 2, 1]))))
    assert exact["mp_edge"]["rank"] is exact["gavish_donoho"]["rank"] is None
    assert exact["energy_99"]["rank"] == 3
    assert suggested_ranks(factorize(np.ones((1, 4))))["tracy_widom"]["rank"] is None
