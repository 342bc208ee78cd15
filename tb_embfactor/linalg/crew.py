"""The threads that share a pass over the rows.

Each thread computes with whole blocks of rows, and BLAS with one thread meanwhile. BLAS could use threads itself, but its threads
wait for each other by spinning: beside a training job, which takes a processor away now and then, two of them have been seen to
do a fifth of the work of one. Threads that share nothing but the queue of blocks lose only the processor's time. One more thread
reads ahead, so that reading, checksums and decoding are hidden behind the products.

What is summed does not depend on timing: block i always belongs to thread i mod n, and partial sums are added in that order.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from functools import cache
from typing import Any, Protocol, Self, TypeVar

import numpy as np
from threadpoolctl import ThreadpoolController

from tb_embfactor.linalg.products import Map, add_gram

Item = TypeVar("Item")
Result = TypeVar("Result")
_END = object()


class Sums(Protocol):
    """What a pass accumulates. `add` takes one item, whose parts threads may share by `each`; `merge` adds other sums."""

    def add(self, item: Any, each: Map) -> None: ...

    def merge(self, other: Self) -> None: ...


S = TypeVar("S", bound=Sums)


class Blas:
    """Keeps BLAS at one thread while anybody is inside, and tells how many it had. Callers may come from several threads."""

    def __init__(self) -> None:
        self.n_threads: int | None = None  # of a crew, where the process keeps BLAS at one thread for good
        self._lock = threading.Lock()
        self._n_inside = self._n_found = 0
        self._limit: Any = None

    def settle(self, n_threads: int) -> None:
        """Let a crew have `n_threads`, in a process that keeps BLAS at one for good and whose memory is limited.

        Each thread computes once, all together: OpenBLAS gives each a buffer then, and for one that it cannot have later,
        when memory is short, it would try for ever.
        """
        self.n_threads = n_threads
        together = threading.Barrier(n_threads)

        def compute(rows: np.ndarray) -> None:
            together.wait()
            add_gram(np.zeros((len(rows), len(rows)), order="F"), rows @ rows)

        with ThreadPoolExecutor(n_threads) as pool:
            list(pool.map(compute, [np.ones((256, 256))] * n_threads))

    def __enter__(self) -> int:
        if self.n_threads is not None:
            return self.n_threads
        with self._lock:
            if self._n_inside == 0:
                libraries = _blas_libraries()
                self._n_found = max((library["num_threads"] for library in libraries.info()), default=1)
                self._limit = libraries.limit(limits=1)
            self._n_inside += 1
            return self._n_found

    def __exit__(self, *exc: object) -> None:
        if self.n_threads is not None:
            return
        with self._lock:
            self._n_inside -= 1
            if self._n_inside == 0:
                self._limit.restore_original_limits()


@cache
def _blas_libraries() -> Any:
    """Those of numpy and SciPy, which `products` has loaded. Looking for them takes 2 ms."""
    return ThreadpoolController().select(user_api="blas")


BLAS = Blas()


class Crew:
    """As many threads as BLAS may use, and one that reads. Use it in a `with` statement."""

    def __init__(self) -> None:
        self.n_threads = 1
        self._read: list[Iterator[Any]] = []

    def __enter__(self) -> Self:
        self.n_threads = BLAS.__enter__()
        self._pool = ThreadPoolExecutor(self.n_threads, "embfactor-compute")
        self._reader = ThreadPoolExecutor(1, "embfactor-read")
        return self

    def __exit__(self, *exc: object) -> None:
        self._pool.shutdown(cancel_futures=True)
        self._reader.shutdown(cancel_futures=True)
        for iterator in self._read:  # now, for a reader may be open in it
            if isinstance(iterator, Generator):
                iterator.close()
        BLAS.__exit__()

    def ahead(self, items: Iterable[Item]) -> Iterator[Item]:
        """The items, each drawn while the one before is being used."""
        iterator = iter(items)
        self._read.append(iterator)
        coming: Future[Any] = self._reader.submit(next, iterator, _END)
        while (item := coming.result()) is not _END:
            coming = self._reader.submit(next, iterator, _END)
            yield item

    def map(self, work: Callable[[Item], Result], items: Iterable[Item]) -> Iterator[Result]:
        """work(item) for each item, in order; as many at once as there are threads."""
        running: deque[Future[Result]] = deque()
        for item in self.ahead(items):
            if len(running) >= self.n_threads:
                yield running.popleft().result()
            running.append(self._pool.submit(work, item))
        while running:
            yield running.popleft().result()

    def accumulate(
        self, make: Callable[[], S], items: Iterable[Any], share_items: bool, seen: Callable[[Any], None] = lambda item: None
    ) -> S:
        """The sums over all items. Each thread has sums of its own; with `share_items` there is one, and threads share each item.

        make : gives empty sums. seen : called with each item when its turn comes.
        """
        if share_items:
            whole = make()
            for item in self.ahead(items):
                seen(item)
                whole.add(item, self._pool.map)
            return whole
        lanes = [make() for _ in range(self.n_threads)]
        running: list[Future[None] | None] = [None] * len(lanes)
        for index, item in enumerate(self.ahead(items)):
            seen(item)
            lane = index % len(lanes)
            if (previous := running[lane]) is not None:
                previous.result()
            running[lane] = self._pool.submit(lanes[lane].add, item, map)
        for future in running:
            if future is not None:
                future.result()
        for lane_sums in lanes[1:]:
            lanes[0].merge(lane_sums)
        return lanes[0]
