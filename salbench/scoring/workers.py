"""Worker processes: started clean, on one thread each, gone when their driver is gone."""

import ctypes
import multiprocessing
import os
import pickle
import signal
import threading
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any, ClassVar, Protocol, TypeVar

import cv2
from threadpoolctl import threadpool_limits

from salbench.errors import RunError, SalbenchError, UsageError
from salbench.names import unknown_name
from salbench.progress import Progress
from salbench.scoring.preload import THREAD_VARIABLES, get_ready, interrupts_held_back, start_method
from salbench.scoring.stimulus_score import Numbered, StimulusScorer

CHUNK = 8
"""Stimuli that a worker finishes before it stores their results: what a kill can cost, per worker."""
IN_FLIGHT = 4
"""Chunks per worker that are with it or on their way."""

KEPT_BYTES = 1 << 28
"""Freed memory that a worker keeps for its next arrays."""
LARGE_BYTES = 1 << 25
"""Arrays larger than this are not kept: the most that every version of glibc allows."""
_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3  # of glibc's mallopt

Chunk = list[Numbered]
Failure = tuple[str, str]
"""Stimulus id and error text."""

Item = TypeVar("Item")
Result = TypeVar("Result")


class ChunkWork(Protocol[Item, Result]):
    """Work on stimuli, or on what belongs to one each, some at a time."""

    def prepare(self) -> None:
        """Load what the work needs: before the limits on threads are set, which see only loaded libraries."""

    def __call__(self, chunk: list[Item]) -> list[Result]:
        """Do the work on these and return what there is to tell of it."""


Finished = Generator[tuple[Chunk, list[Result]], None, None]
"""Stimuli as they are finished, with what the work on them returned. To be closed by who leaves it early."""


class SplitWork(ChunkWork[Numbered, Result], Protocol[Result]):
    """Work on the stimuli of a split that can be done on other machines, too."""

    scorer: StimulusScorer

    @property
    def results(self) -> Path:
        """The folder that every worker writes into."""


class Workers(Protocol):
    """Who does the work on a split. `elsewhere`: on machines that share no more than folders with this one."""

    elsewhere: ClassVar[bool]

    @property
    def beside(self) -> bool:
        """Whether this process only waits meanwhile."""

    def run(self, work: SplitWork[Result], items: Iterable[Numbered]) -> Finished[Result]:
        """Do the work on every stimulus, some at a time; yields those as they are finished, as `run_chunks` does."""


@dataclass(frozen=True)
class LocalWorkers:
    """Processes of this machine. `jobs`: how many."""

    elsewhere: ClassVar[bool] = False
    jobs: int

    @property
    def beside(self) -> bool:
        """See `Workers`."""
        return self.jobs > 1

    def run(self, work: SplitWork[Result], items: Iterable[Numbered]) -> Finished[Result]:
        """See `Workers` and `run_chunks`."""
        yield from run_chunks(work, items, self.jobs)


EXECUTORS = ("local", "dask")


def find_workers(executor: str, scheduler: str | None, jobs: int, progress: Progress) -> Workers:
    """The workers that a command or a call names.

    `scheduler`: the address of a Dask scheduler, for the executor `dask` alone. `jobs`: processes of this machine.
    Raises UsageError for what does not go together, and RunError where no scheduler answers.
    """
    if executor not in EXECUTORS:
        raise UsageError(unknown_name("executor", executor, EXECUTORS))
    if executor == "local":
        if scheduler is not None:
            raise UsageError(f"the scheduler {scheduler} belongs to the executor dask: name that, too")
        return LocalWorkers(jobs)
    if scheduler is None:
        raise UsageError("the executor dask needs the address of its scheduler, such as tcp://head-node:8786")
    if jobs != 1:
        raise UsageError(f"{jobs} jobs are processes of this machine: a cluster has its own, leave them out")
    try:
        import distributed  # noqa: F401, PLC0415 - an optional extra, and heavy
    except ModuleNotFoundError as error:
        raise UsageError(f'the executor dask needs {error.name}: pip install "salbench[cluster]"') from error
    from salbench.scoring.cluster import Cluster  # noqa: PLC0415 - it imports the same

    cluster = Cluster(scheduler, progress)
    cluster.reach()
    return cluster


_work: ChunkWork[Any, Any] | None = None
_failure: SalbenchError | None = None


def run_chunks(
    work: ChunkWork[Item, Result], items: Iterable[Item], jobs: int, size: int = CHUNK
) -> Iterator[tuple[list[Item], list[Result]]]:
    """Do the work on every item, in `jobs` processes (1: in this one), `size` at a time; yields those as they are
    finished, with what the work returned. Arithmetic runs on one thread per process either way. Raises RunError where a
    worker process dies.

    Items are taken as workers have use for them, so an iterator may make them while others are worked on.
    """
    chunks = in_chunks(items, size)
    if jobs == 1:
        yield from _in_this_process(work, chunks)
        return
    with _pool(work, jobs) as pool:
        try:
            yield from as_finished(lambda chunk: pool.submit(_do_chunk, chunk), chunks, lambda: IN_FLIGHT * jobs)
        except BrokenProcessPool as error:
            raise RunError(
                "a worker process died, perhaps for lack of memory; nothing that was finished is lost: run the same "
                'command again, with fewer --jobs. A script needs the guard `if __name__ == "__main__":` for workers'
            ) from error
        except pickle.PicklingError as error:
            raise UsageError(f"the stimuli cannot be sent to worker processes ({error}); use jobs=1") from error


def in_chunks(items: Iterable[Item], size: int = CHUNK) -> Iterator[list[Item]]:
    """The items, so many at a time, taken when they are asked for."""
    left = iter(items)
    return iter(lambda: list(islice(left, size)), [])


def _in_this_process(
    work: ChunkWork[Item, Result], chunks: Iterator[list[Item]]
) -> Iterator[tuple[list[Item], list[Result]]]:
    work.prepare()
    for chunk in chunks:
        with one_thread():
            results = work(chunk)
        yield chunk, results


@contextmanager
def one_thread() -> Iterator[None]:
    """Arithmetic of the block on one thread, so that sums do not depend on how many there are."""
    threads = cv2.getNumThreads()
    cv2.setNumThreads(1)
    try:
        with threadpool_limits(1):
            yield
    finally:
        cv2.setNumThreads(threads)


@contextmanager
def _pool(work: ChunkWork[Any, Any], jobs: int) -> Iterator[ProcessPoolExecutor]:
    get_ready(jobs)
    context = multiprocessing.get_context(start_method())
    environment = dict(os.environ)
    pool = ProcessPoolExecutor(jobs, mp_context=context, initializer=_start_worker, initargs=(work, environment))
    try:
        yield pool
    except BaseException:
        pool.shutdown(wait=True, cancel_futures=True)
        raise
    pool.shutdown(wait=True)


def as_finished(
    submit: Callable[[list[Item]], Future[list[Any]]],
    chunks: Iterator[list[Item]],
    window: Callable[[], int],
    patience: float | None = None,
) -> Iterator[tuple[list[Item], list[Any]]]:
    """Keeps only `window()` chunks in flight, so that memory does not grow with their number.

    `patience`: seconds after which the window is looked at anew where nothing was finished.
    """
    running: dict[Future[list[Any]], list[Item]] = {}
    while True:
        for chunk in islice(chunks, max(0, window() - len(running))):
            with interrupts_held_back():
                running[submit(chunk)] = chunk
        if not running:
            return
        for future in wait(running, patience, return_when=FIRST_COMPLETED).done:
            yield running.pop(future), future.result()


def _start_worker(work: ChunkWork[Any, Any], environment: dict[str, str]) -> None:
    global _work, _failure  # noqa: PLW0603 - a worker process has one job for life
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_leave_with_driver, daemon=True).start()
    # The server that this is a fork of may be older than the driver's variables. One thread is for libraries that are
    # loaded later, such as PyTorch's OpenMP; those loaded already are limited below.
    keep_freed_memory()
    os.environ.clear()
    os.environ.update(environment | dict.fromkeys(THREAD_VARIABLES, "1"))
    _work = work
    try:
        work.prepare()
    except SalbenchError as error:
        _failure = error  # raised by the first chunk: an error in here would only break the pool
    threadpool_limits(1)
    cv2.setNumThreads(1)


def keep_freed_memory() -> None:
    """Arrays of a map's size are made and dropped all the time: asking the system for each anew costs an eighth of it.

    Does nothing where the C library is not glibc.
    """
    with suppress(OSError, AttributeError, TypeError):
        adjust = ctypes.CDLL(None).mallopt
        # The second alone would turn off what glibc learns of sizes by itself.
        if adjust(ctypes.c_int(_MMAP_THRESHOLD), ctypes.c_int(LARGE_BYTES)):
            adjust(ctypes.c_int(_TRIM_THRESHOLD), ctypes.c_int(KEPT_BYTES))


def _leave_with_driver() -> None:
    """Without this, workers of a killed driver would wait for work for ever."""
    driver = multiprocessing.parent_process()
    if driver is not None:
        driver.join()
        os._exit(1)


def _do_chunk(chunk: list[Any]) -> list[Any]:
    if _failure is not None:
        raise _failure
    assert _work is not None  # noqa: S101 - set by the initializer
    return _work(chunk)
