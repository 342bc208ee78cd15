"""Non-negative parts against scipy's non-negative least squares, and planted parts."""

from __future__ import annotations

import numpy as np
import scipy.optimize

from tb_embfactor.linalg.blocks import ArrayBlocks
from tb_embfactor.linalg.parts import Parts, find_parts
from tb_embfactor.linalg.rotation import match


def test_scores_are_the_non_negative_least_squares() -> None:
    rng = np.random.default_rng(0)
    directions = np.abs(rng.normal(size=(12, 4)))
    rows = rng.normal(size=(60, 12))
    rows[7, 2] = np.nan
    (scores,) = Parts(directions, np.ones(4), 0).apply(ArrayBlocks(rows))
    assert np.isnan(scores[7]).all()
    for row, score in zip(np.delete(rows, 7, axis=0), np.delete(scores, 7, axis=0), strict=True):
        assert np.allclose(score, scipy.optimize.nnls(directions, row)[0], atol=1e-8)


def test_planted_parts_are_found() -> None:
    rng = np.random.default_rng(1)
    parts = np.where(rng.random((30, 3)) < 0.4, rng.exponential(size=(30, 3)), 0.0)
    scores = np.where(rng.random((2000, 3)) < 0.3, rng.exponential(size=(2000, 3)), 0.0)
    found = find_parts(scores @ parts.T, 3, seed=0)
    assert np.all(match(found.directions, parts / np.linalg.norm(parts, axis=0))[1] > 0.99)
    assert np.all(found.consistency > 0.99)
