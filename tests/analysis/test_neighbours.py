"""What may be asked for, and what is said; the distances themselves are tested with linalg."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.neighbors import NearestNeighbors

import tb_embfactor as ef
from tb_embfactor.errors import NotFoundError, UsageError
from tb_embfactor.logdir import Matrix

MATRIX = np.random.default_rng(0).normal(size=(200, 6))


@pytest.fixture
def words(repository: Path) -> Matrix:
    return ef.open_logdir(repository / "demo_logs").run("sentiment_plain/train").checkpoint("latest")["word_embedding"]


def test_a_word_a_row_and_numbers_ask_for_the_same(words: Matrix) -> None:
    rows = words.rows(0, words.shape[0]).astype(np.float64)
    good = words.label_column(words.labels.columns[0]).index("good")  # type: ignore[union-attr]
    expected = NearestNeighbors(n_neighbors=6, metric="cosine", algorithm="brute").fit(rows).kneighbors(rows[[good]])
    found = ef.neighbors(words, "good", k=5)
    assert found.of() == [
        (row, pytest.approx(distance)) for distance, row in zip(*(each[0, 1:] for each in expected), strict=True)
    ]
    assert ef.neighbors(words, good, k=5).of() == found.of()
    of_numbers = ef.neighbors(words, rows[good], k=6)
    assert of_numbers.queries is None and of_numbers.of() == [(good, 0.0), *found.of()]


def test_several_rows_in_any_order_and_one_of_them_twice() -> None:
    found = ef.neighbors(MATRIX, [7, 150, 7], k=4, metric="euclidean")
    assert found.rows.shape == found.distances.shape == (3, 4)
    assert found.queries is not None and found.queries.tolist() == [7, 150, 7]
    assert found.of(0) == found.of(2) == ef.neighbors(MATRIX, 7, k=4, metric="euclidean").of()


def test_fewer_rows_than_are_asked_for() -> None:
    found = ef.neighbors(MATRIX[:3], 1, k=5)
    assert len(found.of()) == 2 and found.rows[0, 2:].tolist() == [-1, -1, -1]


def test_rows_without_neighbours_are_said() -> None:
    matrix = MATRIX.copy()
    matrix[4], matrix[5, 0] = 0, np.nan
    found = ef.neighbors(matrix, [3, 4, 5])
    assert [len(found.of(index)) for index in range(3)] == [10, 0, 0]
    (note,) = found.notes
    assert note.params == {"matrix": "the array", "n": 2, "n_asked": 3}


def test_of_a_transposed_matrix_columns_are_compared(words: Matrix) -> None:
    columns = words.rows(0, words.shape[0]).T
    assert ef.neighbors(words, 3, transform="transpose").rows.tolist() == ef.neighbors(columns, 3).rows.tolist()


@pytest.mark.parametrize("query", ["good", [0.5, 1.0], 200, -1, [], np.zeros((2, 2, 6)), None])
def test_what_cannot_be_asked(query: Any) -> None:
    with pytest.raises(UsageError, match="neighbors: query must be"):
        ef.neighbors(MATRIX, query)


def test_a_word_that_no_row_has(words: Matrix) -> None:
    with pytest.raises(NotFoundError, match=r"no row with the label 'goo'\. Labels like it: good"):
        ef.neighbors(words, ["bad", "goo"])
