"""The threads that share a pass: order, errors, and BLAS as it was afterwards."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator

import numpy as np
import pytest
import scipy.linalg.blas  # so that both BLAS libraries are loaded
from threadpoolctl import threadpool_info, threadpool_limits

from tb_embfactor.linalg.crew import BLAS, Blas, Crew
from tb_embfactor.linalg.products import Map

assert scipy.linalg.blas


class Seen:
    """Sums that remember what was added, and by which thread."""

    def __init__(self) -> None:
        self.items: list[int] = []
        self.threads: set[int] = set()

    def add(self, item: int, each: Map) -> None:
        if item == 666:
            raise ZeroDivisionError
        time.sleep(0.001 * (item % 3))
        self.items.append(item)
        list(each(lambda part: self.threads.add(threading.get_ident()), range(20)))

    def merge(self, other: Seen) -> None:
        self.items += other.items
        self.threads |= other.threads


@pytest.fixture
def three_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(BLAS, "n_threads", 3)


def blas_threads() -> list[int]:
    return [library["num_threads"] for library in threadpool_info() if library["user_api"] == "blas"]


@pytest.mark.usefixtures("three_threads")
def test_every_thread_has_every_third_item_and_they_are_put_together_in_order() -> None:
    with Crew() as crew:
        sums = crew.accumulate(Seen, range(11), share_items=False)
    assert sums.items == [0, 3, 6, 9, 1, 4, 7, 10, 2, 5, 8]


@pytest.mark.usefixtures("three_threads")
def test_threads_that_share_items_take_them_in_order() -> None:
    seen: list[int] = []
    with Crew() as crew:
        sums = crew.accumulate(Seen, range(11), share_items=True, seen=seen.append)
    assert sums.items == seen == list(range(11))
    assert threading.get_ident() not in sums.threads


@pytest.mark.usefixtures("three_threads")
def test_mapping_keeps_the_order_and_stays_few_items_ahead() -> None:
    drawn = 0

    def items() -> Iterator[int]:
        nonlocal drawn
        for item in range(50):
            drawn = item
            yield item

    with Crew() as crew:
        for expected, result in enumerate(crew.map(lambda item: item * item, items())):
            assert result == expected**2
            assert drawn <= expected + 5


@pytest.mark.usefixtures("three_threads")
@pytest.mark.parametrize("share_items", [False, True])
def test_an_error_ends_the_pass_and_closes_what_was_read(share_items: bool) -> None:
    closed = threading.Event()

    def items() -> Iterator[int]:
        try:
            yield from (1, 2, 666, *range(1000))
        finally:
            closed.set()

    with pytest.raises(ZeroDivisionError), Crew() as crew:
        crew.accumulate(Seen, items(), share_items)
    assert closed.wait(10)


@pytest.mark.usefixtures("three_threads")
def test_an_error_while_reading_arrives() -> None:
    def items() -> Iterator[int]:
        yield 1
        raise OSError("the disk is gone")

    with pytest.raises(OSError, match="gone"), Crew() as crew:
        crew.accumulate(Seen, items(), share_items=False)


def test_blas_has_one_thread_inside_and_as_many_as_before_outside() -> None:
    blas = Blas()
    with threadpool_limits(2, "blas"):
        before = blas_threads()
        assert len(before) >= 2
        with blas as n_threads:
            assert n_threads == max(before)
            with blas as again:  # as from another thread
                assert again == n_threads
            assert set(blas_threads()) == {1}
        assert blas_threads() == before


def test_one_thread_gives_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(BLAS, "n_threads", 1)
    with Crew() as crew:
        assert list(crew.map(np.negative, range(3))) == [0, -1, -2]
        assert crew.accumulate(Seen, range(4), share_items=False).items == [0, 1, 2, 3]
