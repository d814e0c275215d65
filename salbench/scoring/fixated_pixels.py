"""Where all images of a split were fixated: what sAUC's negatives and the centre prior are made of.

The pixels lie in a file that every process maps: memory does not grow with the number of stimuli.
"""

import hashlib
import os
import secrets
import shutil
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import IO

import numpy as np
import numpy.typing as npt

from salbench.array_cache import FOLDER_VARIABLE, ArrayCache, passing_cache
from salbench.arrays import BoolArray, FloatArray, IntArray
from salbench.atomic import replacing
from salbench.datasets.stimulus import Fixations, Stimulus
from salbench.errors import DataError, RunError, going_on
from salbench.progress import Progress
from salbench.protocols.protocol import Protocol, every_position, middle_rescaled

KEPT_TOTALS = 4
"""Image sizes whose total counts stay in memory: data sets have few sizes, folders of photographs have many."""
PIXEL = np.dtype([("pixel", "<i4"), ("times", "<i4")])
"""A fixated pixel, flat in C order, and how often it was fixated."""
PIECE = 1 << 16
"""Pixels that are counted at a time."""

Pixels = npt.NDArray[np.void]


@dataclass(eq=False)
class FixatedPixels:
    """The fixated pixels of every stimulus of a split.

    `sizes`: (n, 2) int, height and width of each stimulus. `ends`: (n + 1,) int, where each stimulus's pixels begin in
    the file and, after it, where the last one's end. `readable`: (n,) bool, False where fixations could not be read.
    `by_name`: (n,) int, the places of the stimuli in the order of their ids.
    `file`: records of type PIXEL, those of a stimulus in ascending order, each pixel once; None where there are none.
    `rescaled`: the protocol's rule for fixations of images of another size.
    """

    sizes: IntArray
    ends: IntArray
    readable: BoolArray
    by_name: IntArray
    file: Path | None
    rescaled: Callable[[IntArray, int, int], IntArray] = middle_rescaled
    _totals: dict[tuple[tuple[int, int], bool], FloatArray] = field(default_factory=dict, init=False, repr=False)

    def __getstate__(self) -> dict[str, object]:
        """Without what each process makes for itself."""
        names = ("sizes", "ends", "readable", "by_name", "file", "rescaled")
        return {name: getattr(self, name) for name in names} | {"_totals": {}}

    def size(self, index: int) -> tuple[int, int]:
        """(height, width) of a stimulus."""
        return int(self.sizes[index, 0]), int(self.sizes[index, 1])

    def of(self, index: int) -> Pixels:
        """The fixated pixels of one stimulus: records of type PIXEL."""
        return np.asarray(self._records[self.ends[index] : self.ends[index + 1]])

    def others_of(self, index: int) -> IntArray:
        """The stimuli that may serve as other images of one: all readable ones but itself, in the order of their ids.

        So what is drawn of them does not depend on how a split is listed.
        """
        readable = self.by_name[self.readable[self.by_name]]
        others: IntArray = readable[readable != index]
        return others

    def prepare(self) -> None:
        """Map the file: from then on it may be removed. RunError where it is gone already."""
        _ = self._records

    def keep(self) -> None:
        """Have the file there, as just used, for processes that are yet to map it: a cache is trimmed, or deleted.

        WriteError where it is gone and cannot be written again.
        """
        records = self._records
        if self.file is None:
            return
        with going_on(self.file):
            try:
                os.utime(self.file)
            except FileNotFoundError:
                with replacing(self.file, durable=False) as scratch:
                    scratch.write_bytes(records.tobytes())

    @cached_property
    def _records(self) -> Pixels:
        if self.file is None:
            return np.zeros(0, PIXEL)
        try:
            if self.file.stat().st_size == 0:  # an empty file cannot be mapped
                return np.zeros(0, PIXEL)
            return np.memmap(self.file, PIXEL, mode="r")
        except OSError as error:
            raise RunError(f"{self.file} is gone ({error}); run the same command again") from error

    def counts_of_others(self, index: int, *, repeats: bool = False) -> FloatArray:
        """How many other images were fixated at each pixel of stimulus `index`: (height, width) float64.

        `repeats`: how many of their fixations fell there instead. Coordinates of images of another size are scaled to
        this one.
        """
        counts = self.counts_of_all(self.size(index), repeats=repeats).copy()
        own = self.of(index)
        counts.ravel()[own["pixel"]] -= own["times"] if repeats else 1
        return counts

    def counts_of_all(self, size: tuple[int, int], *, repeats: bool = False) -> FloatArray:
        """The same for all images, in a frame of any (height, width). Not to be changed: it is kept."""
        if (size, repeats) not in self._totals:
            if len(self._totals) >= KEPT_TOTALS:
                self._totals.clear()
            self._totals[size, repeats] = self._counts(range(len(self.sizes)), size, repeats=repeats)
        return self._totals[size, repeats]

    def union(self, indices: Iterable[int], size: tuple[int, int]) -> BoolArray:
        """(height, width) bool, True where at least one of the stimuli was fixated, coordinates scaled to `size`."""
        fixated = np.zeros(size, dtype=np.bool_)
        for pixels, _ in self._scaled_pieces(indices, size):
            fixated.ravel()[pixels] = True
        return fixated

    def _counts(self, indices: Iterable[int], size: tuple[int, int], *, repeats: bool) -> FloatArray:
        counts = np.zeros(size[0] * size[1])
        for pixels, times in self._scaled_pieces(indices, size):
            counts += np.bincount(pixels, times if repeats else None, minlength=counts.size)
        return counts.reshape(size)

    def _scaled_pieces(self, indices: Iterable[int], size: tuple[int, int]) -> Iterator[tuple[IntArray, IntArray]]:
        """The pixels of stimuli in a frame of `size`, and how often each was fixated, many stimuli at a time."""
        pixels: list[IntArray] = []
        times: list[IntArray] = []
        held = 0
        for index in indices:
            own = self.of(index)
            pixels.append(self._scaled(own["pixel"].astype(np.int64), self.size(index), size))
            times.append(own["times"].astype(np.int64))
            held += len(own)
            if held >= PIECE:
                yield np.concatenate(pixels), np.concatenate(times)
                pixels, times, held = [], [], 0
        if pixels:
            yield np.concatenate(pixels), np.concatenate(times)

    def _scaled(self, pixels: IntArray, size: tuple[int, int], target: tuple[int, int]) -> IntArray:
        """Flat pixels of a frame as flat pixels of another."""
        if size == target:
            return pixels
        rows, columns = np.divmod(pixels, size[1])
        scaled: IntArray = self.rescaled(rows, size[0], target[0]) * target[1]
        scaled += self.rescaled(columns, size[1], target[1])
        return scaled


@dataclass(frozen=True)
class RecordedFixations:
    """All fixations of a split: the fixated pixels, and a SHA-256 over everything recorded.

    `counted`: the pixels of the fixations that the protocol counts; `pixels` itself where it counts all. `viewers`: the
    names of all who fixated anything.
    """

    pixels: FixatedPixels
    digest: str
    counted: FixatedPixels
    viewers: frozenset[str] = frozenset()


def no_fixations(stimuli: Sequence[Stimulus]) -> FixatedPixels:
    """The fixated pixels of mere images: none."""
    sizes = np.array([stimulus.size for stimulus in stimuli], dtype=np.int64).reshape(-1, 2)
    ends = np.zeros(len(stimuli) + 1, dtype=np.int64)
    return FixatedPixels(sizes, ends, np.zeros(len(stimuli), dtype=np.bool_), np.arange(len(stimuli)), None)


def read_fixations(
    stimuli: Sequence[Stimulus],
    progress: Progress,
    cache: ArrayCache,
    protocol: Protocol,
) -> RecordedFixations:
    """Read every fixation once. Files that cannot be read give their stimulus an error row later.

    `cache`: where the pixels are kept. `protocol`: says which fixations count.
    """
    whole, viewers = hashlib.sha256(), set[str]()
    rules = list(dict.fromkeys([every_position, protocol.counted]))
    with _tables([rule.__name__ for rule in rules], cache) as tables:
        progress.start("reading fixations", len(stimuli))
        for stimulus in stimuli:
            recorded = _readable_fixations(stimulus)
            whole.update(_digest(stimulus, recorded))
            viewers.update(() if recorded is None else map(str, recorded.viewer.tolist()))
            inside = None if recorded is None else recorded.within(stimulus.size).positions
            for table, rule in zip(tables, rules, strict=True):
                table.add(stimulus, None if inside is None else rule(inside))
            progress.advance()
        progress.finish()
        digest = whole.hexdigest()
        found = [table.finish(digest, protocol) for table in tables]
    return RecordedFixations(found[0], digest, found[-1], frozenset(viewers))


class _Table:
    """Fixated pixels on their way into a file."""

    def __init__(self, file: IO[bytes], path: Path, rule: str, cache: ArrayCache) -> None:
        self.file, self.path, self.rule, self.cache = file, path, rule, cache
        self.names: list[str] = []
        self.sizes: list[tuple[int, int]] = []
        self.counts: list[int] = []
        self.readable: list[bool] = []

    def add(self, stimulus: Stimulus, positions: IntArray | None) -> None:
        """The next stimulus; None where its fixations could not be read."""
        records = np.zeros(0, PIXEL) if positions is None else _records(positions, stimulus.size)
        with _disk_errors():
            self.file.write(records.tobytes())
        self.names.append(stimulus.id)
        self.sizes.append(stimulus.size)
        self.counts.append(len(records))
        self.readable.append(positions is not None)

    def finish(self, digest: str, protocol: Protocol) -> FixatedPixels:
        """Give the file the name that its content has earned."""
        key = hashlib.sha256(f"fixated pixels\0{self.rule}\0{digest}".encode()).hexdigest()
        with _disk_errors():
            self.file.close()
        path = _placed(self.path, self.cache.path(key, ".pixels"))
        ends = np.concatenate([[0], np.cumsum(self.counts, dtype=np.int64)])
        sizes = np.array(self.sizes, dtype=np.int64).reshape(-1, 2)
        by_name = np.array(sorted(range(len(self.names)), key=self.names.__getitem__), dtype=np.int64)
        pixels = FixatedPixels(sizes, ends, np.array(self.readable, dtype=np.bool_), by_name, path, protocol.rescaled)
        pixels.prepare()
        return pixels


def _placed(scratch: Path, path: Path) -> Path:
    """Where the file is now: at its place in the cache, or, where another user owns that, in a passing folder."""
    for place in (path, passing_cache().folder / path.name):
        try:
            place.parent.mkdir(parents=True, exist_ok=True)
            shutil.move(scratch, place)
        except OSError:
            continue
        return place
    raise DataError(f"{path}: cannot be written; name another folder in {FOLDER_VARIABLE}")


@contextmanager
def _tables(rules: Sequence[str], cache: ArrayCache) -> Iterator[list[_Table]]:
    """Tables whose files are gone where they are not finished."""
    tables: list[_Table] = []
    try:
        tables.extend(_Table(*_scratch_file(cache), rule, cache) for rule in rules)
        yield tables
    finally:
        for table in tables:
            with suppress(OSError):
                table.file.close()
            table.path.unlink(missing_ok=True)


def _scratch_file(cache: ArrayCache) -> tuple[IO[bytes], Path]:
    """A new file that the cache knows as half-written; in the passing folder where its own cannot be written."""
    for place in (cache, passing_cache()):
        name = secrets.token_hex(32)
        path = place.path(name, ".pixels").with_name(f".{name}.pixels.{secrets.token_hex(4)}.tmp")
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            return path.open("xb"), path
        except OSError:
            continue
    raise DataError(f"{cache.folder}: cannot be written; name another folder in {FOLDER_VARIABLE}")


@contextmanager
def _disk_errors() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        text = f"the disk takes no more fixations ({error}); name another folder in {FOLDER_VARIABLE}"
        raise DataError(text) from error


def _records(positions: IntArray, size: tuple[int, int]) -> Pixels:
    pixels, times = np.unique(positions[:, 0] * size[1] + positions[:, 1], return_counts=True)
    records = np.zeros(len(pixels), PIXEL)
    records["pixel"], records["times"] = pixels, times
    return records


def _readable_fixations(stimulus: Stimulus) -> Fixations | None:
    try:
        return stimulus.recorded_fixations()
    except DataError:
        return None


def _digest(stimulus: Stimulus, fixations: Fixations | None) -> bytes:
    """SHA-256 over a stimulus's name, size and recorded fixations."""
    whole = hashlib.sha256(f"{stimulus.id}\0{stimulus.size}\0".encode())
    if fixations is None:
        whole.update(b"unreadable")
    else:
        for part in (fixations.x, fixations.y):
            whole.update(np.ascontiguousarray(part, dtype="<f8").tobytes())
        whole.update("\0".join(fixations.viewer.astype(str)).encode())
    return whole.digest()
