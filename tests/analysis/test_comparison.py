"""Two matrices: against scipy, scikit-learn and the papers' definitions on the rows themselves."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import scipy.spatial
from planted import centered, orthonormal
from scipy.linalg import subspace_angles
from sklearn.metrics.pairwise import cosine_similarity

import tb_embfactor as ef
from tb_embfactor import compare
from tb_embfactor.errors import MatrixError, UsageError
from tb_embfactor.linalg.blocks import IterableBlocks
from tb_embfactor.linalg.moments import cross_moments

RNG = np.random.default_rng(0)
A = RNG.normal(size=(300, 12)) @ np.diag(np.geomspace(4, 0.3, 12)) + 2
B = A @ RNG.normal(size=(12, 9)) * 0.4 + RNG.normal(size=(300, 9))
SAME = A[:, :9] + 0.5 * RNG.normal(size=(300, 9))


def scores(matrix: np.ndarray, share: float) -> np.ndarray:
    """U·S of the leading directions that hold this share of the variance."""
    u, s, _ = np.linalg.svd(centered(matrix), full_matrices=False)
    k = int(np.searchsorted(np.cumsum(s**2) / np.sum(s**2), share)) + 1
    return u[:, :k] * s[:k]


def correlations(one: np.ndarray, other: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Canonical correlations by QR of the rows (Björck & Golub), and the canonical variables of the first."""
    q_one, q_other = np.linalg.qr(one)[0], np.linalg.qr(other)[0]
    left, values, _ = np.linalg.svd(q_one.T @ q_other, full_matrices=False)
    return values, q_one @ left


def test_linear_cka_is_that_of_the_row_by_row_kernels() -> None:
    k, m = (centered(x) @ centered(x).T for x in (A, B))
    expected = np.sum(k * m) / (np.linalg.norm(k) * np.linalg.norm(m))
    assert compare(A, B).measures["linear_cka"] == pytest.approx(expected, rel=1e-10)


def test_procrustes_is_scipys() -> None:
    _, _, disparity = scipy.spatial.procrustes(SAME, A[:, :9])
    assert compare(A[:, :9], SAME).measures["procrustes"] == pytest.approx(disparity, rel=1e-9)


def test_svcca_and_pwcca_follow_their_definitions() -> None:
    one, other = scores(A, 0.99), scores(B, 0.99)
    values, variables = correlations(one, other)
    measures = compare(A, B).measures
    assert measures["svcca"] == pytest.approx(values.mean(), rel=1e-9)
    reduced = one @ np.linalg.lstsq(one, centered(A), rcond=None)[0]  # the columns of A within what is kept
    weights = np.sum(np.abs(variables.T @ reduced), axis=1)
    assert measures["pwcca"] == pytest.approx(values @ weights / weights.sum(), rel=1e-9)


def test_principal_angles_are_scipys() -> None:
    u_a, u_b = (np.linalg.svd(centered(x), full_matrices=False)[0][:, :10] for x in (A, B))
    expected = np.sort(subspace_angles(u_a, u_b[:, :9]))
    assert np.allclose(compare(A, B).measures["principal_angles"], expected, atol=1e-7)


def test_neighbours_are_those_of_all_pairs() -> None:
    def nearest(matrix: np.ndarray) -> list[set[int]]:
        similarity = cosine_similarity(matrix)
        np.fill_diagonal(similarity, -np.inf)
        return [set(np.argsort(-row)[:10].tolist()) for row in similarity]

    expected = np.mean([len(one & other) / 10 for one, other in zip(nearest(A), nearest(B), strict=True)])
    assert compare(A, B).measures["neighbour_overlap"] == pytest.approx(expected)


def test_a_turned_and_scaled_matrix_is_the_same() -> None:
    turned = 3 * A @ orthonormal(np.random.default_rng(1), 12, 12) + 7
    found = compare(A, turned)
    for key in ("linear_cka", "svcca", "pwcca"):
        assert found.measures[key] == pytest.approx(1)
    assert found.measures["procrustes"] == pytest.approx(0, abs=1e-12)
    assert max(found.measures["principal_angles"]) < 1e-6
    assert found.most_changed[0].change < 1e-6


def test_rows_that_changed_are_found_after_the_rotation() -> None:
    turned = A @ orthonormal(np.random.default_rng(2), 12, 12)
    turned[[7, 31]] += [[4.0], [9.0]]
    found = compare(A, turned, n_top=3)
    assert [each.row for each in found.most_changed[:2]] == [31, 7]
    mtx1, mtx2, _ = scipy.spatial.procrustes(turned, A)
    expected = np.linalg.norm(mtx1 - mtx2, axis=1) * np.sqrt(300)
    assert found.most_changed[0].change == pytest.approx(expected[31], rel=1e-9)


def test_rows_are_matched_by_label_in_whatever_order() -> None:
    order = np.random.default_rng(3).permutation(300)[:250]
    names = [f"w{row}" for row in range(300)]
    others: list[str | None] = [names[row] for row in order]
    others[5] = None
    others[9] = others[8]  # twice: the first counts
    found = compare(A, B[order], "label", labels=(names, others))
    kept = np.sort(np.delete(order, [5, 9]))
    direct = compare(A[kept], B[kept])
    assert found.rows_matched == 248
    assert found.measures["linear_cka"] == pytest.approx(direct.measures["linear_cka"], rel=1e-12)
    first = found.most_changed[0]
    assert first.row == kept[direct.most_changed[0].row] and order[first.row_b] == first.row


def test_by_index_as_far_as_both_go_and_without_nan() -> None:
    longer = np.vstack([B, B])
    longer[3, 1] = np.nan
    found = compare(A, longer)
    assert (found.rows_matched, found.rows_skipped) == (299, 1)
    assert found.measures["svcca"] == pytest.approx(compare(np.delete(A, 3, axis=0), np.delete(B, 3, axis=0)).measures["svcca"])
    assert 3 not in {each.row for each in found.most_changed}


@pytest.mark.parametrize("step", [7, 50, 1000])
def test_moments_do_not_depend_on_the_blocks(step: int) -> None:
    """Also of blocks that are cut at other rows, and of a common mean far larger than the spread."""
    one, other = A + 1e4, B.copy()
    other[11] = np.inf
    kept = np.delete(np.arange(300), 11)
    found = cross_moments(
        IterableBlocks([one[start : start + step] for start in range(0, 300, step)]),
        IterableBlocks([other[start : start + 60] for start in range(0, 300, 60)]),
    )
    assert (found.n_rows, found.n_skipped) == (299, 1)
    assert np.allclose(found.cross, centered(A[kept]).T @ centered(B[kept]), rtol=1e-9, atol=1e-7)
    assert np.allclose(found.gram_a, centered(A[kept]).T @ centered(A[kept]), rtol=1e-9, atol=1e-7)
    assert np.allclose(found.mean_b, B[kept].mean(axis=0))


def test_no_spread_has_no_measures_and_no_rows_a_sentence() -> None:
    flat = compare(A, np.ones((300, 4)))
    assert flat.measures["linear_cka"] is flat.measures["procrustes"] is None and flat.most_changed == ()
    with pytest.raises(MatrixError, match=r"have 0 rows in common \(by label\)"):
        compare(A, B, "label", labels=(list(range(300)), ["x"] * 300))
    with pytest.raises(UsageError, match="match must be one of index, label; got 'order'"):
        compare(A, B, "order")
    with pytest.raises(UsageError, match="the array has no labels"):
        compare(A, B, "label")


def test_steps_of_a_demo_run_grow_alike(demo_logs: Path) -> None:
    run = ef.open_logdir(demo_logs).run("sentiment_plain/train")
    last = run.checkpoint("latest")["word_embedding"]
    alike = [compare(run.checkpoint(f"step:{step}")["word_embedding"], last).measures["linear_cka"] for step in (0, 100, 1600)]
    assert alike == sorted(alike) and alike[0] < 0.1 < 0.98 < alike[-1]
    other = ef.open_logdir(demo_logs).run("transformer").checkpoint("latest")["token_embedding"]
    by_label = compare(last, other, "label")
    assert by_label.rows_matched == 1000, "the same words, whatever their rows"
