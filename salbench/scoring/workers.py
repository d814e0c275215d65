"""Who does the work on a split: this process, others of this machine, or a cluster."""

from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, wait
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from typing import Any, ClassVar, Protocol, TypeVar

import cv2
from threadpoolctl import threadpool_limits

from salbench.errors import UsageError
from salbench.names import unknown_name
from salbench.places import Place
from salbench.progress import Progress
from salbench.scoring.crew import ChunkWork, GiveUp, run_apart
from salbench.scoring.preload import interrupts_held_back
from salbench.scoring.stimulus_score import Numbered, StimulusScorer

CHUNK = 8
"""Stimuli that a worker finishes before it stores their results: what a kill can cost, per worker."""
IN_FLIGHT = 4
"""Chunks per worker of a cluster that are with it or on their way."""

Chunk = list[Numbered]
Failure = tuple[str, str]
"""Stimulus id and error text."""

Item = TypeVar("Item")
Result = TypeVar("Result")


Finished = Generator[tuple[Chunk, list[Result]], None, None]
"""Stimuli as they are finished, with what the work on them returned. To be closed by who leaves it early."""


class SplitWork(ChunkWork[Numbered, Result], Protocol[Result]):
    """Work on the stimuli of a split that can be done on other machines, too."""

    scorer: StimulusScorer

    @property
    def results(self) -> Place:
        """The place that every worker writes to."""

    def give_up(self, one: Numbered, reason: str) -> list[Result]:
        """Tell of a stimulus that cost a worker its life, or too much time, what the work would tell of an error."""


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
    """Processes of this machine. `jobs`: how many. `timeout`: seconds that a stimulus may take, None for any."""

    elsewhere: ClassVar[bool] = False
    jobs: int
    timeout: float | None = None

    @property
    def beside(self) -> bool:
        """See `Workers`."""
        return self.jobs > 1 or self.timeout is not None

    def run(self, work: SplitWork[Result], items: Iterable[Numbered]) -> Finished[Result]:
        """See `Workers` and `run_chunks`."""
        yield from run_chunks(work, items, self.jobs, timeout=self.timeout, give_up=work.give_up)


EXECUTORS = ("local", "dask")


def find_workers(
    executor: str, scheduler: str | None, jobs: int, progress: Progress, timeout: float | None = None
) -> Workers:
    """The workers that a command or a call names.

    `scheduler`: the address of a Dask scheduler, for the executor `dask` alone. `jobs`: processes of this machine.
    `timeout`: seconds that these may spend on a stimulus.
    Raises UsageError for what does not go together, and RunError where no scheduler answers.
    """
    if executor not in EXECUTORS:
        raise UsageError(unknown_name("executor", executor, EXECUTORS))
    if executor == "local":
        if scheduler is not None:
            raise UsageError(f"the scheduler {scheduler} belongs to the executor dask: name that, too")
        return LocalWorkers(jobs, timeout)
    if scheduler is None:
        raise UsageError("the executor dask needs the address of its scheduler, such as tcp://head-node:8786")
    if jobs != 1:
        raise UsageError(f"{jobs} jobs are processes of this machine: a cluster has its own, leave them out")
    if timeout is not None:
        raise UsageError("a timeout is for processes of this machine: those of a cluster cannot be ended from here")
    try:
        import distributed  # noqa: F401, PLC0415 - an optional extra, and heavy
    except ModuleNotFoundError as error:
        raise UsageError(f'the executor dask needs {error.name}: pip install "salbench[cluster]"') from error
    from salbench.scoring.cluster import Cluster  # noqa: PLC0415 - it imports the same

    cluster = Cluster(scheduler, progress)
    cluster.reach()
    return cluster


def run_chunks(
    work: ChunkWork[Item, Result],
    items: Iterable[Item],
    jobs: int,
    size: int = CHUNK,
    *,
    timeout: float | None = None,
    give_up: GiveUp[Item, Result] | None = None,
) -> Iterator[tuple[list[Item], list[Result]]]:
    """Do the work on every item, in `jobs` processes, `size` at a time; yields those as they are finished, with what
    the work returned. Arithmetic runs on one thread per process.

    One job is done in this process, which then is not safe from what it does; with a `timeout`, seconds for an item, it
    has a process of its own. An item that takes longer, or costs two workers their lives, is given up, as `run_apart`
    tells. Items are taken as workers have use for them, so an iterator may make them while others are worked on.
    """
    chunks = in_chunks(items, size)
    if jobs == 1 and timeout is None:
        yield from _in_this_process(work, chunks)
    else:
        yield from run_apart(work, chunks, jobs, timeout=timeout, give_up=give_up)


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
