"""Workers of a Dask cluster, which share folders with the driver and nothing else.

What all of them need (the work itself, the fixated pixels) lies at the place of results while they work, so that one
that joins late, or in place of a lost one, finds it, and no more than a chunk's stimuli pass through the scheduler.
Whether they see that place shows in whether they find what the driver has just put there.

The one module that imports distributed: `workers.find_workers` asks for it.
"""

import asyncio
import hashlib
import logging
import os
import pickle
import secrets
import threading
import time
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import CancelledError, Executor, Future
from contextlib import chdir, contextmanager, nullcontext, suppress
from copy import copy
from dataclasses import dataclass, replace
from itertools import chain
from pathlib import Path
from typing import Any, ClassVar, TypeVar

import cloudpickle
from distributed import Client, KilledWorker, get_worker
from distributed.comm.addressing import parse_address, parse_host_port

from salbench.array_cache import open_cache, passing_cache
from salbench.atomic import replacing
from salbench.digests import digest_file
from salbench.errors import RunError, UsageError, going_on
from salbench.places import SHARED_WORK, Place
from salbench.progress import Progress
from salbench.scoring.crew import keep_freed_memory
from salbench.scoring.fixated_pixels import FixatedPixels
from salbench.scoring.manifest import installed_version
from salbench.scoring.stimulus_score import Numbered, StimulusScorer
from salbench.scoring.workers import (
    IN_FLIGHT,
    Chunk,
    Finished,
    SplitWork,
    as_finished,
    in_chunks,
    one_thread,
)

SCHEMES = ("tcp", "tls", "ws", "wss", "ucx")
"""How Dask's schedulers are spoken to from other processes."""
LAST_PORT = 65_535
ANSWER_SECONDS = 10.0
"""How long a scheduler may take to answer."""
PATIENCE = 5.0
"""Seconds from one count of the workers to the next."""
DECIDING = ("salbench", "numpy", "scipy", "POT", "opencv-python-headless", "pillow")
"""Packages whose versions a run records as those that made its scores: a worker must have the driver's."""
SHARE = "data, models and results must lie on a file system that all machines share, under the same name"
WORK = "work.pickle"
AGAIN = "nothing that was finished is lost: run the same command again"

Result = TypeVar("Result")


@dataclass(frozen=True)
class Ticket:
    """What travels with each chunk: where the work lies, and what a worker must see and be.

    `name`: that of this piece of work, and no other has it. `place`: where the work lies. `digest`: of the file with
    the work, which is run as code. `home`: the folder that names of files are relative to. `needed`: files and folders
    that are read.
    """

    name: str
    place: Place
    digest: str
    home: Path
    needed: tuple[Path, ...]
    versions: tuple[tuple[str, str | None], ...]


@dataclass(frozen=True)
class Cluster:
    """The workers of a Dask scheduler. `address`: such as tcp://head-node:8786. `progress`: hears of a lack of them."""

    elsewhere: ClassVar[bool] = True
    address: str
    progress: Progress

    @property
    def beside(self) -> bool:
        """See `Workers`."""
        return True

    def reach(self) -> None:
        """UsageError for what is no address, RunError unless a scheduler answers there."""
        check_address(self.address)
        with _client(self.address):
            pass

    def run(self, work: SplitWork[Result], items: Iterable[Numbered]) -> Finished[Result]:
        """See `Workers`. A chunk whose worker is lost is done again by another.

        Raises RunError where no worker can finish a chunk, or the scheduler is lost, or a worker lacks what it needs.
        """
        chunks = in_chunks(items)
        first = next(chunks, None)
        if first is None:
            return
        with _client(self.address) as client, _shared(work, first) as ticket, _told_clearly():
            executor = client.get_executor(pure=False)
            window = _Window(client, self.address, self.progress)

            def submit(chunk: Chunk) -> Future[list[Result]]:
                future: Future[list[Result]] = executor.submit(_do_chunk, ticket, _pickled(chunk, "stimuli"))
                return future

            try:
                yield from as_finished(submit, chain([first], chunks), window, PATIENCE)
            finally:
                _end_work(client, executor, ticket.name)


def check_address(address: str) -> None:
    """UsageError for what no scheduler can listen at: Dask would try for half a minute, and print tracebacks."""
    try:
        scheme, place = parse_address(address)
        host, port = parse_host_port(place)
    except ValueError:
        scheme, host, port = "", "", 0
    if scheme not in SCHEMES or not host or not 0 < port <= LAST_PORT:
        raise UsageError(f"{address!r} is no address of a scheduler; wanted: such as tcp://head-node:8786")


class _Window:
    """How many chunks may be in flight: some for each worker that there is now."""

    def __init__(self, client: Client, address: str, progress: Progress) -> None:
        self.client, self.address, self.progress = client, address, progress
        self.counted_at = -PATIENCE
        self.chunks = IN_FLIGHT
        self.told = ""

    def __call__(self) -> int:
        if time.monotonic() - self.counted_at >= PATIENCE:
            self.chunks = IN_FLIGHT * max(1, self._workers())
            self.counted_at = time.monotonic()
        return self.chunks

    def _workers(self) -> int:
        try:
            threads = self.client.nthreads()
        except (OSError, TimeoutError) as error:
            raise RunError(f"the scheduler was lost ({error}); {AGAIN}") from error
        mend = f"`dask worker {self.address} --nworkers CORES --nthreads 1`"
        if not threads:
            self._tell(f"no worker at {self.address}: waiting for one; {mend}")
        elif max(threads.values()) > 1:
            self._tell(f"some workers have several threads, of which one works at a time; better: {mend}")
        return len(threads)

    def _tell(self, text: str) -> None:
        """Once, not at every count."""
        if text != self.told:
            self.progress.note(text)
        self.told = text


@contextmanager
def _client(address: str) -> Iterator[Client]:
    try:
        client = Client(address, timeout=ANSWER_SECONDS, set_as_default=False)
    except (OSError, ValueError) as error:
        raise RunError(
            f"no Dask scheduler answers at {address} ({error}); start one with `dask scheduler` and name the address "
            "that it prints"
        ) from error
    log = logging.getLogger("distributed.client")
    level = log.level
    log.setLevel(logging.CRITICAL)  # a lost scheduler is told by an error of ours, without a traceback
    try:
        yield client
    finally:
        with suppress(OSError, TimeoutError):
            client.close()
        log.setLevel(level)


@contextmanager
def _told_clearly() -> Iterator[None]:
    """Dask's errors as those of a run."""
    try:
        yield
    except KilledWorker as error:
        raise RunError(
            f"{error.allowed_failures + 1} workers died one after another of the same stimuli, perhaps for lack of "
            f"memory, the last at {error.last_worker.address}; {AGAIN}"
        ) from error
    except CancelledError as error:
        raise RunError(f"the scheduler was lost; {AGAIN}") from error
    except ImportError as error:
        raise RunError(f"a worker cannot import what the driver can ({error}); install the same there") from error


@contextmanager
def _shared(work: SplitWork[Any], first: Chunk) -> Iterator[Ticket]:
    """The work and its fixated pixels at a place that is gone after the block."""
    name = f"{SHARED_WORK}{secrets.token_hex(4)}"
    place = work.results.below(name)
    try:
        with going_on(place):
            place.make()
            pixels = _files_of(work.scorer)
            digests = {path.name: digest_file(path) for path in pixels}
            for path in pixels:
                place.put(path, path.name)
            content = _pickled((work, digests), "work")
            place.write(WORK, content)
        needed = _needed(work.scorer, first)
        yield Ticket(name, place, hashlib.sha256(content).hexdigest(), Path.cwd(), needed, _versions())
    finally:
        with suppress(OSError):
            place.clear()


def _files_of(scorer: StimulusScorer) -> set[Path]:
    both = (scorer.pixels, scorer.counted)
    return {pixels.file for pixels in both if pixels is not None and pixels.file is not None}


def _needed(scorer: StimulusScorer, first: Chunk) -> tuple[Path, ...]:
    """What the driver sees and workers must: the model's files, and an image for all the others."""
    images = [one.stimulus.image_file for one in first]
    seen = [path for path in images if path is not None and path.is_file()][:1]
    return tuple(path for path in (scorer.source.folder, scorer.source.checkpoint, *seen) if path is not None)


def _versions() -> tuple[tuple[str, str | None], ...]:
    return tuple((package, installed_version(package)) for package in DECIDING)


def _pickled(value: object, what: str) -> bytes:
    """By cloudpickle: a model's class may be of the script that is run, which no worker can import."""
    try:
        content: bytes = cloudpickle.dumps(value)
    except Exception as error:  # an object may raise anything while it is pickled
        raise UsageError(f"the {what} cannot be sent to the workers of a cluster ({error})") from error
    return content


def _end_work(client: Client, executor: Executor, name: str) -> None:
    """Cancel what has not begun, have every worker drop the work, and wait for those that are still at a chunk.

    Without that, a late one could write into the folder of the next run.
    """
    with suppress(OSError, TimeoutError):
        executor.shutdown(wait=False)
        if client.status == "running":
            client.run(_drop_work, name, on_error="ignore")


# What follows runs on workers.

_lock = threading.Lock()
_prepared: tuple[str, SplitWork[Any]] | None = None
_ended: set[str] = set()


def _do_chunk(ticket: Ticket, content: bytes) -> list[Any]:
    """One chunk at a time, however many threads the worker has: models and the limits on threads are the process's."""
    home = chdir(ticket.home) if ticket.home.is_dir() else nullcontext()
    with _lock, home:
        work = _prepared_work(ticket)
        chunk: Sequence[Numbered] = pickle.loads(content)  # noqa: S301 - from the driver, by way of the scheduler
        with one_thread():
            return work(list(chunk))


def _prepared_work(ticket: Ticket) -> SplitWork[Any]:
    """The work with its model loaded: once per process, not per chunk."""
    global _prepared  # noqa: PLW0603 - a process has one piece of work at a time
    if ticket.name in _ended:
        raise CancelledError
    if _prepared is None or _prepared[0] != ticket.name:
        _prepared = None  # two models need not fit into memory together
        work = _fetched(ticket)
        keep_freed_memory()
        work.prepare()
        _prepared = ticket.name, work
    return _prepared[1]


def _fetched(ticket: Ticket) -> SplitWork[Any]:
    """The work, as the driver put it there, with what this machine has for itself.

    RunError where this worker cannot do it as the driver would.
    """
    own = dict(_versions())
    different = [
        f"{package} {own[package]} instead of {wanted}" for package, wanted in ticket.versions if own[package] != wanted
    ]
    if different:
        raise RunError(f"{_who()} has {', '.join(different)}: install the driver's versions there")
    for path in ticket.needed:
        if not path.exists():
            raise RunError(f"{_who()} does not see {path}, which the driver sees: {SHARE}")
    try:
        content = ticket.place.read(WORK)
    except FileNotFoundError as error:
        raise RunError(f"{_who()} does not see {ticket.place}/{WORK}, which the driver sees: {SHARE}") from error
    except (OSError, UsageError) as error:
        raise RunError(f"{_who()} cannot read {ticket.place}/{WORK}: {error}") from error
    if hashlib.sha256(content).hexdigest() != ticket.digest:
        raise RunError(f"{ticket.place}/{WORK}: is not what the driver wrote")
    work, digests = pickle.loads(content)  # noqa: S301 - it is what the driver wrote
    located: SplitWork[Any] = copy(work)
    located.scorer = _located(work.scorer, ticket.place, digests)
    return located


def _located(scorer: StimulusScorer, place: Place, digests: dict[str, str]) -> StimulusScorer:
    """The scorer with the cache of this machine, and its fixated pixels there: a file that is mapped must not vanish
    with what is shared while a chunk is being worked on.
    """

    def kept(pixels: FixatedPixels | None) -> FixatedPixels | None:
        if pixels is None or pixels.file is None:
            return pixels
        name = pixels.file.name
        return replace(pixels, file=_kept_copy(place, name, digests[name]))

    pixels = kept(scorer.pixels)
    assert pixels is not None  # noqa: S101 - narrows the type
    counted = pixels if scorer.counted is scorer.pixels else kept(scorer.counted)
    cache = None if scorer.cache is None else open_cache()
    return replace(scorer, pixels=pixels, counted=counted, cache=cache)


def _kept_copy(place: Place, name: str, digest: str) -> Path:
    """A shared file in the cache of this machine: it may be there from an earlier run.

    RunError where it cannot be put there.
    """
    stem, suffix = Path(name).stem, Path(name).suffix
    failure: object = "it is not what the driver wrote"
    for cache in (open_cache(), passing_cache()):
        path = cache.path(stem, suffix)
        try:
            if not (path.is_file() and digest_file(path) == digest):
                with replacing(path, durable=False) as scratch:
                    place.fetch(name, scratch)
            if digest_file(path) == digest:
                os.utime(path)
                return path
        except OSError as error:
            failure = error
    raise RunError(f"{_who()} cannot copy {place}/{name} to its own disk: {failure}")


def _who() -> str:
    return f"the worker {get_worker().address}"


async def _drop_work(name: str) -> None:
    await asyncio.to_thread(_drop_when_done, name)


def _drop_when_done(name: str) -> None:
    global _prepared  # noqa: PLW0603 - as above
    _ended.add(name)
    with _lock:
        if _prepared is not None and _prepared[0] == name:
            _prepared = None
