"""Directions that cannot be told apart, and axes that keep their identity."""

from __future__ import annotations

import numpy as np
from planted import orthonormal

from tb_embfactor.linalg.degeneracy import blocks_of, follow, gaps_of


def test_equal_directions_are_one_block_in_nineteen_of_twenty_samples() -> None:
    rng = np.random.default_rng(0)
    n_together = 0
    for _ in range(1000):
        values = np.linalg.svd(rng.normal(size=(400, 3)) * [5, 1, 1], compute_uv=False)
        blocks = blocks_of(values, 400)
        assert blocks[0] == (0, 1)
        n_together += blocks == [(0, 1), (1, 3)]
    assert 0.93 < n_together / 1000 < 0.99


def test_directions_within_a_block_turn_from_sample_to_sample_and_others_do_not() -> None:
    """What it is for: of rows drawn twice, the axes of a block differ, its subspace does not."""
    rng = np.random.default_rng(0)
    scale = np.array([5.0, 3.0, 3.0, 1.0])
    first, second = (np.linalg.svd(rng.normal(size=(2000, 4)) * scale, full_matrices=False) for _ in range(2))
    assert blocks_of(first[1], 2000) == [(0, 1), (1, 3), (3, 4)]
    cosines = first[2] @ second[2].T
    assert abs(cosines[0, 0]) > 0.99 and abs(cosines[3, 3]) > 0.99
    assert np.linalg.norm(cosines[1:3, 1:3]) ** 2 > 1.98


def test_blocks_do_not_depend_on_the_scale() -> None:
    values = np.array([1.0, 0.999, 0.5, 0.0])
    assert blocks_of(values, 800) == blocks_of(values * 1e6, 800) == [(0, 2), (2, 3), (3, 4)]
    assert blocks_of(np.array([2.0]), 5) == [(0, 1)]


def test_gaps() -> None:
    assert np.allclose(gaps_of(np.array([4.0, 3.0, 0.0])), [0.25, 1.0, 0.0])


def test_axes_are_followed_through_a_crossing_and_a_change_of_sign() -> None:
    axes = orthonormal(np.random.default_rng(1), 10, 4)
    later = axes[:, [1, 0, 3]] * [-1, 1, 1]
    followed = follow(later, axes, [(index, index + 1) for index in range(4)])
    assert [(each.axis, round(each.cosine)) for each in followed if each] == [(1, -1), (0, 1), (3, 1)]
    assert all(each and each.overlap > 0.999 for each in followed)


def test_an_axis_turns_within_its_block_and_is_still_followed() -> None:
    axes = orthonormal(np.random.default_rng(2), 10, 3)
    half = np.sqrt(0.5)
    turned = axes @ np.array([[1, 0, 0], [0, half, half], [0, half, -half]])
    alone = follow(turned, axes, [(0, 1), (1, 2), (2, 3)])
    together = follow(turned, axes, [(0, 1), (1, 3)])
    assert alone[1] is None or alone[1].overlap < 0.51
    assert all(each and each.overlap > 0.999 for each in together)
    assert together[1] is not None and together[1].block == (1, 3)


def test_a_new_axis_continues_none() -> None:
    axes = np.eye(5)
    followed = follow(axes[:, [0, 4]], axes[:, :2], [(0, 1), (1, 2)])
    assert followed[0] is not None and followed[1] is None
    assert follow(axes[:, :3], axes[:, :1], [(0, 1)])[1:] == [None, None]
