"""Worker processes: started clean, on one thread each, gone when their driver is gone."""

import multiprocessing
import os
import signal
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from itertools import islice
from typing import Protocol

import cv2
from threadpoolctl import threadpool_limits

from salbench.errors import RunError, SalbenchError

CHUNK = 8
"""Stimuli that a worker finishes before it stores their results: what a kill can cost, per worker."""

Chunk = list[int]


class ChunkWork(Protocol):
    """Work on stimuli, some at a time."""

    def prepare(self) -> None:
        """Load what the work needs: before the limits on threads are set, which see only loaded libraries."""

    def __call__(self, chunk: Chunk) -> list[tuple[int, str]]:
        """Do the work on these stimuli and return index and error text of those that failed."""


_work: ChunkWork | None = None
_failure: SalbenchError | None = None


def chunks_of(indices: Sequence[int]) -> list[Chunk]:
    """The indices, in their order, a worker's portion at a time."""
    return [list(indices[start : start + CHUNK]) for start in range(0, len(indices), CHUNK)]


def run_chunks(work: ChunkWork, chunks: list[Chunk], jobs: int) -> Iterator[tuple[Chunk, list[tuple[int, str]]]]:
    """Do the work on every chunk, in `jobs` processes (1: in this one); yields each chunk as it is finished, with its
    failures. Arithmetic runs on one thread per process either way. Raises RunError where a worker process dies.
    """
    if jobs == 1:
        yield from _in_this_process(work, chunks)
        return
    with _pool(work, min(jobs, max(1, len(chunks)))) as pool:
        try:
            yield from _as_finished(pool, chunks, window=4 * jobs)
        except BrokenProcessPool as error:
            raise RunError(
                "a worker process died, perhaps for lack of memory; nothing that was finished is lost: "
                "run the same command again, with fewer --jobs"
            ) from error


def _in_this_process(work: ChunkWork, chunks: list[Chunk]) -> Iterator[tuple[Chunk, list[tuple[int, str]]]]:
    work.prepare()
    for chunk in chunks:
        threads = cv2.getNumThreads()
        cv2.setNumThreads(1)
        try:
            with threadpool_limits(1):
                failures = work(chunk)
        finally:
            cv2.setNumThreads(threads)
        yield chunk, failures


@contextmanager
def _pool(work: ChunkWork, jobs: int) -> Iterator[ProcessPoolExecutor]:
    # Started clean ("spawn"): a fork would copy locks that another thread, of PyTorch or OpenMP, may hold.
    context = multiprocessing.get_context("spawn")
    pool = ProcessPoolExecutor(jobs, mp_context=context, initializer=_start_worker, initargs=(work,))
    try:
        yield pool
    except BaseException:
        pool.shutdown(wait=True, cancel_futures=True)
        raise
    pool.shutdown(wait=True)


def _as_finished(
    pool: ProcessPoolExecutor, chunks: list[Chunk], window: int
) -> Iterator[tuple[Chunk, list[tuple[int, str]]]]:
    """Keeps only `window` chunks in flight, so that memory does not grow with their number."""
    waiting = iter(chunks)
    running: dict[Future[list[tuple[int, str]]], Chunk] = {}
    while True:
        for chunk in islice(waiting, window - len(running)):
            with _interrupts_held_back():
                running[pool.submit(_do_chunk, chunk)] = chunk
        if not running:
            return
        for future in wait(running, return_when=FIRST_COMPLETED).done:
            yield running.pop(future), future.result()


@contextmanager
def _interrupts_held_back() -> Iterator[None]:
    """Ctrl-C reaches every process of the terminal; a worker started meanwhile inherits the block and stays quiet."""
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _start_worker(work: ChunkWork) -> None:
    global _work, _failure  # noqa: PLW0603 - a worker process has one job for life
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_leave_with_driver, daemon=True).start()
    # For libraries that are loaded later, such as PyTorch's OpenMP; those loaded already are limited below.
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
        os.environ[name] = "1"
    _work = work
    try:
        work.prepare()
    except SalbenchError as error:
        _failure = error  # raised by the first chunk: an error in here would only break the pool
    threadpool_limits(1)
    cv2.setNumThreads(1)


def _leave_with_driver() -> None:
    """Without this, workers of a killed driver would wait for work for ever."""
    driver = multiprocessing.parent_process()
    if driver is not None:
        driver.join()
        os._exit(1)


def _do_chunk(chunk: Chunk) -> list[tuple[int, str]]:
    if _failure is not None:
        raise _failure
    assert _work is not None  # noqa: S101 - set by the initializer
    return _work(chunk)
