"""Worker processes that may die or hang: each has one chunk at a time and tells which of its items it is at.

So a death is known to be this item's, and costs no more than the items of one chunk, which another worker does again.
"""

import ctypes
import multiprocessing
import os
import pickle
import signal
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from multiprocessing.reduction import ForkingPickler
from typing import Any, Generic, Protocol, TypeVar

import cv2
from threadpoolctl import threadpool_limits

from salbench.errors import RunError, UsageError
from salbench.scoring.preload import THREAD_VARIABLES, get_ready, interrupts_held_back, start_method

DIED = (
    "a worker process died, perhaps for lack of memory; nothing that was finished is lost: run the same command again, "
    'with fewer --jobs. A script needs the guard `if __name__ == "__main__":` for workers'
)
DIED_TWICE = "its worker process died twice, the second time alone, perhaps for lack of memory"
MOST_UNREADY = 3
"""Workers that may die before they are ready: more means that none will be, or that memory is short."""
MOST_IN_A_ROW = 16
"""Deaths without a finished chunk in between, before the run ends: it is not some stimuli that are to blame."""
LEAVING_SECONDS = 10.0
"""For how long a worker may finish its chunk when the run ends early."""

KEPT_BYTES = 1 << 28
"""Freed memory that a worker keeps for its next arrays."""
LARGE_BYTES = 1 << 25
"""Arrays larger than this are not kept: the most that every version of glibc allows."""
_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3  # of glibc's mallopt
_DIE_WITH_PARENT = 1  # of Linux's prctl

Item = TypeVar("Item")
Result = TypeVar("Result")


class ChunkWork(Protocol[Item, Result]):
    """Work on stimuli, or on what belongs to one each, some at a time."""

    def prepare(self) -> None:
        """Load what the work needs: before the limits on threads are set, which see only loaded libraries."""

    def __call__(self, chunk: list[Item]) -> list[Result]:
        """Do the work on these, one after the other, and return what there is to tell of it."""


Done = tuple[list[Item], list[Result]]
GiveUp = Callable[[Item, str], list[Result]]
"""What is to be told of an item that cannot be done, and why."""


def run_apart(
    work: ChunkWork[Item, Result],
    chunks: Iterator[list[Item]],
    jobs: int,
    *,
    timeout: float | None,
    give_up: GiveUp[Item, Result] | None,
) -> Iterator[Done[Item, Result]]:
    """Do the work in so many processes; yields chunks, or what is left of them, as they are finished.

    An item whose worker dies is done again at the end, alone, so that it has the memory of all; where that one dies,
    too, or where an item takes longer than `timeout` seconds, it is given up. RunError where there is no `give_up`, and
    where workers die whatever they do.
    """
    told = give_up or _no_way_out
    with _crew(work, jobs, timeout, told, MOST_IN_A_ROW) as crew:
        yield from crew.run(chunks)
        suspects = crew.suspects
    if not suspects:
        return
    with _crew(work, 1, timeout, told, len(suspects)) as crew:
        yield from crew.run([item] for item in suspects)
        for item in crew.suspects:
            yield [item], told(item, DIED_TWICE)


def _no_way_out(item: object, reason: str) -> list[Any]:
    raise RunError(DIED if reason == DIED_TWICE else f"a stimulus {reason}")


class _Worker(Generic[Item]):
    """A process. `chunk`: what it has to do, None for nothing; `at`: the place in it, from `since` on, None before."""

    def __init__(self, work: ChunkWork[Item, Any], chunk: list[Item]) -> None:
        context: Any = multiprocessing.get_context(start_method())  # the stubs' common class has no Process
        pair: tuple[Connection, Connection] = context.Pipe()
        self.link, theirs = pair
        with interrupts_held_back():
            self.process: BaseProcess = context.Process(target=_serve, args=(theirs, work, dict(os.environ)))
            self.process.start()
        theirs.close()  # so that its death is this link's end
        self.chunk: list[Item] | None = chunk
        self.ready = False
        self.at: int | None = None
        self.since = 0.0

    def send(self) -> None:
        """Give it its chunk."""
        self.at = None
        try:
            content = ForkingPickler.dumps(self.chunk)
        except (pickle.PicklingError, AttributeError, TypeError) as error:
            raise UsageError(f"the stimuli cannot be sent to worker processes ({error}); use jobs=1") from error
        with suppress(OSError):  # dead: what it says next is that
            self.link.send_bytes(content)

    @property
    def item(self) -> Item | None:
        """What it is at; None before the first and after the last."""
        if self.chunk is None or self.at is None or self.at == len(self.chunk):
            return None
        return self.chunk[self.at]

    def end(self, patience: float) -> None:
        """Let it leave, and kill it where it does not in so many seconds."""
        self.link.close()
        self.process.join(patience)
        if self.process.is_alive():
            self.process.kill()
            self.process.join()


class _Crew(Generic[Item, Result]):
    """Workers and what they have left to do. `suspects`: items at which a worker died."""

    def __init__(
        self,
        work: ChunkWork[Item, Result],
        jobs: int,
        timeout: float | None,
        give_up: GiveUp[Item, Result],
        most_deaths: int,
    ) -> None:
        self.work, self.jobs, self.timeout, self.give_up = work, jobs, timeout, give_up
        self.workers: list[_Worker[Item]] = []
        self.waiting: deque[list[Item]] = deque()
        self.suspects: list[Item] = []
        self.most_deaths, self.unready_deaths, self.deaths = most_deaths, 0, 0

    def run(self, chunks: Iterator[list[Item]]) -> Iterator[Done[Item, Result]]:
        """Chunks as they are finished. They are taken as workers have use for them, each a step ahead."""
        while True:
            while len(self.waiting) < self.jobs and (chunk := next(chunks, None)) is not None:
                self.waiting.append(chunk)
                self._hand_out()
                yield from self._heard(0)
            self._hand_out()
            if not any(worker.chunk for worker in self.workers):
                return
            yield from self._heard(self._patience())

    def _hand_out(self) -> None:
        idle = [worker for worker in self.workers if worker.chunk is None]
        while self.waiting and (idle or len(self.workers) < self.jobs):
            chunk = self.waiting.popleft()
            if idle:
                worker = idle.pop()
                worker.chunk = chunk
                worker.send()
            else:
                self.workers.append(_Worker(self.work, chunk))  # it gets it when it is ready

    def _heard(self, patience: float | None) -> Iterator[Done[Item, Result]]:
        """What workers have to tell, waiting for that many seconds."""
        speakers = {worker.link: worker for worker in self.workers}
        for link in wait(list(speakers), patience):
            assert isinstance(link, Connection)  # noqa: S101 - narrows the type
            yield from self._answer(speakers[link])
        for worker in [worker for worker in self.workers if self._is_late(worker)]:
            yield from self._stop(worker)

    def _answer(self, worker: _Worker[Item]) -> Iterator[Done[Item, Result]]:
        try:
            kind, content = worker.link.recv()
        except (EOFError, OSError):
            self._bury(worker)
            return
        if kind == "failed":
            raise content
        if kind == "ready":
            worker.ready = True
            worker.send()
        elif kind == "at":
            worker.at, worker.since = content, time.monotonic()
        elif worker.chunk is not None:
            chunk, worker.chunk = worker.chunk, None
            self.deaths = 0
            yield chunk, content

    def _bury(self, worker: _Worker[Item]) -> None:
        """Account for a worker that died. RunError where too many did."""
        self.deaths += 1
        self.unready_deaths += not worker.ready
        item = self._without(worker)
        if item is not None:
            self.suspects.append(item)
        if self.unready_deaths >= MOST_UNREADY or self.deaths > self.most_deaths:
            raise RunError(DIED)

    def _stop(self, worker: _Worker[Item]) -> Iterator[Done[Item, Result]]:
        """Kill a worker that is at one item for too long, and give that up."""
        worker.process.kill()
        item = self._without(worker)
        if item is not None:
            yield [item], self.give_up(item, f"took longer than {self.timeout:g} seconds, the --timeout")

    def _without(self, worker: _Worker[Item]) -> Item | None:
        """Have the others do what a lost worker had to do, but for the item that it was at."""
        self.workers.remove(worker)
        worker.end(LEAVING_SECONDS)
        left = [one for place, one in enumerate(worker.chunk or []) if worker.item is None or place != worker.at]
        if left:
            self.waiting.appendleft(left)
        return worker.item

    def _is_late(self, worker: _Worker[Item]) -> bool:
        if self.timeout is None or worker.item is None:
            return False
        return time.monotonic() - worker.since > self.timeout and not worker.link.poll()

    def _patience(self) -> float | None:
        """Seconds until the next worker may be late."""
        if self.timeout is None:
            return None
        ends = [worker.since + self.timeout for worker in self.workers if worker.item is not None]
        return max(0.0, min(ends) - time.monotonic()) + 0.01 if ends else None

    def leave(self) -> None:
        """Have every worker finish its chunk and go, all at once."""
        for worker in self.workers:
            worker.link.close()
        deadline = time.monotonic() + LEAVING_SECONDS
        for worker in self.workers:
            worker.end(max(0.0, deadline - time.monotonic()))


@contextmanager
def _crew(
    work: ChunkWork[Item, Result],
    jobs: int,
    timeout: float | None,
    give_up: GiveUp[Item, Result],
    most_deaths: int,
) -> Iterator[_Crew[Item, Result]]:
    get_ready(jobs, apart=True)
    crew = _Crew(work, jobs, timeout, give_up, most_deaths)
    try:
        yield crew
    finally:
        crew.leave()


# What follows runs in workers.


class _Told(list[Item]):
    """A chunk that tells at which of its items the work is; after the last one, its number of items."""

    def __init__(self, items: list[Item], link: Connection) -> None:
        super().__init__(items)
        self.link = link

    def __iter__(self) -> Iterator[Item]:
        for place, item in enumerate(super().__iter__()):
            self._tell(place)
            yield item
        self._tell(len(self))

    def _tell(self, place: int) -> None:
        """Where the driver is gone nothing more is done, and above all nothing written into a folder that may be
        another's by now.
        """
        try:
            self.link.send(("at", place))
        except OSError:
            os._exit(1)


def _serve(link: Connection, work: ChunkWork[Any, Any], environment: dict[str, str]) -> None:
    """A worker's life: get ready, then a chunk after the other, until the driver closes the link."""
    _settle(environment)
    with suppress(EOFError, OSError):
        try:
            work.prepare()
        except Exception as error:  # of a plugin: the driver's to tell
            link.send(("failed", _portable(error)))
            return
        threadpool_limits(1)
        cv2.setNumThreads(1)
        link.send(("ready", None))
        while True:
            link.send(_answer(work, _Told(link.recv(), link)))


def _answer(work: ChunkWork[Any, Any], chunk: list[Any]) -> tuple[str, Any]:
    try:
        return "done", work(chunk)
    except Exception as error:  # as above
        return "failed", _portable(error)


def _portable(error: Exception) -> Exception:
    """An error that can travel: some classes cannot be made anew from what they tell of themselves."""
    try:
        pickle.loads(pickle.dumps(error))  # noqa: S301 - what was just made
    except Exception:  # whatever such a class raises
        return RuntimeError(f"{type(error).__name__}: {error}")
    return error


def _settle(environment: dict[str, str]) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    _die_with_parent()
    threading.Thread(target=_leave_with_driver, daemon=True).start()
    # The server that this is a fork of may be older than the driver's variables. One thread is for libraries that are
    # loaded later, such as PyTorch's OpenMP; those loaded already are limited later.
    keep_freed_memory()
    os.environ.clear()
    os.environ.update(environment | dict.fromkeys(THREAD_VARIABLES, "1"))


def keep_freed_memory() -> None:
    """Arrays of a map's size are made and dropped all the time: asking the system for each anew costs an eighth of it.

    Does nothing where the C library is not glibc.
    """
    with suppress(OSError, AttributeError, TypeError):
        adjust = ctypes.CDLL(None).mallopt
        # The second alone would turn off what glibc learns of sizes by itself.
        if adjust(ctypes.c_int(_MMAP_THRESHOLD), ctypes.c_int(LARGE_BYTES)):
            adjust(ctypes.c_int(_TRIM_THRESHOLD), ctypes.c_int(KEPT_BYTES))


def _die_with_parent() -> None:
    """Be killed when the parent goes, which for a fork of the server is with the driver: code that hangs in C may hold
    up a thread that waits for that. Does nothing where the system is not Linux.
    """
    with suppress(OSError, AttributeError, TypeError):
        ctypes.CDLL(None).prctl(_DIE_WITH_PARENT, signal.SIGKILL)


def _leave_with_driver() -> None:
    """Without this, workers of a killed driver would go on with their chunk."""
    driver = multiprocessing.parent_process()
    if driver is not None:
        driver.join()
        os._exit(1)
