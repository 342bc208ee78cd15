"""A spectrum comes back from the cache as it was, axes that are found on demand included."""

from __future__ import annotations

import numpy as np
import pytest
from planted import planted

from tb_embfactor import arrays
from tb_embfactor.linalg.blocks import ArrayBlocks
from tb_embfactor.linalg.spectrum import decompose
from tb_embfactor.worker.packing import n_bytes, pack, unpack

MATRICES = {
    "one pass": np.random.default_rng(0).normal(size=(300, 12)) + 1,
    "two passes": planted(300, 12, np.geomspace(1, 1e-6, 12)),
    "wide": np.random.default_rng(1).normal(size=(12, 300)),
    "wide, of rank 3": np.random.default_rng(2).normal(size=(12, 3)) @ np.random.default_rng(3).normal(size=(3, 300)),
}


@pytest.mark.parametrize("name", MATRICES)
def test_what_was_packed_comes_back(name: str) -> None:
    matrix = MATRICES[name].copy()
    matrix[3, 5] = np.nan
    blocks = ArrayBlocks(matrix)
    before = decompose(blocks)
    after = unpack(*arrays.decode(arrays.encode(*pack(before))), blocks)
    for one, other in ((before.stored, after.stored), (before.centered, after.centered)):
        assert np.array_equal(one.singular_values, other.singular_values)
        assert np.array_equal(one.error_bound, other.error_bound)
        assert one.null_bound == other.null_bound
        assert np.array_equal(one.right, other.right)
    for field in ("n_rows", "n_skipped", "n_columns", "n_nonzero", "passes", "rows"):
        assert getattr(before, field) == getattr(after, field)
    assert np.array_equal(before.mean, after.mean) and np.array_equal(before.unit_sum, after.unit_sum)
    assert n_bytes(after) >= 8 * 11**2
