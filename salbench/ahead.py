"""Work done ahead in threads: for reading and decoding files, which let other threads run."""

import os
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import islice
from typing import TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")

MOST_THREADS = 16
"""Beyond these, threads wait for the disk and for Python's lock more than they gain."""


def cores() -> int:
    """How many cores this process may use."""
    affinity = getattr(os, "sched_getaffinity", None)
    return len(affinity(0)) if affinity is not None else (os.cpu_count() or 1)


def readers() -> int:
    """Threads that read: one per core, fewer where torchrun started several processes on this machine."""
    processes = int(os.environ.get("LOCAL_WORLD_SIZE") or 1)
    return max(1, min(cores() // processes, MOST_THREADS))


def in_order(
    function: Callable[[Item], Result], items: Iterable[Item], threads: int | None = None
) -> Generator[Result, None, None]:
    """`function(item)` of each item, in the order of the items, computed in threads (by default `readers()`).

    No more than two results per thread are there or on their way at any time. What the function raises is raised where
    its result would come; then, and where nobody wants the rest, what runs is waited for and nothing more is begun.
    """
    count = threads or readers()
    left = iter(items)
    running: deque[Future[Result]] = deque()
    pool = ThreadPoolExecutor(count, thread_name_prefix="salbench-reader")
    try:
        running.extend(pool.submit(function, item) for item in islice(left, 2 * count))
        while running:
            result = running.popleft().result()
            running.extend(pool.submit(function, item) for item in islice(left, 1))
            yield result
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def one_ahead(items: Iterator[Item]) -> Generator[Item, None, None]:
    """The same items, the next of which is made in a thread while the caller works on this one.

    What the iterator raises is raised where its item would come. The thread ends with the last item, an error, or when
    nobody wants the rest.
    """
    pool = ThreadPoolExecutor(1, thread_name_prefix="salbench-ahead")
    try:
        following = pool.submit(_next_of, items)
        while (found := following.result()) is not None:
            following = pool.submit(_next_of, items)
            yield found[0]
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def _next_of(items: Iterator[Item]) -> tuple[Item] | None:
    """The next item; None where there is none, since a StopIteration cannot leave a thread."""
    for item in items:
        return (item,)
    return None
