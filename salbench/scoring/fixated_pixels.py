"""Where all images of a split were fixated: what sAUC's negatives and the centre prior are made of."""

import hashlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from salbench.arrays import BoolArray, FloatArray, IntArray
from salbench.datasets.stimulus import Fixations, Stimulus
from salbench.errors import DataError
from salbench.progress import Progress
from salbench.protocols.protocol import every_position

KEPT_TOTALS = 4
"""Image sizes whose total counts stay in memory: data sets have few sizes, folders of photographs have many."""


@dataclass(eq=False)
class FixatedPixels:
    """The fixated pixels of every stimulus of a split.

    `sizes[i]`: (height, width) of stimulus i; `pixels[i]`: its fixated pixels, flat in C order, each once, or None
    where its fixations could not be read.
    """

    sizes: Sequence[tuple[int, int]]
    pixels: Sequence[npt.NDArray[np.int32] | None]
    _totals: dict[tuple[int, int], FloatArray] = field(default_factory=dict, repr=False)

    def others_of(self, index: int) -> IntArray:
        """The stimuli that may serve as other images of one: all readable ones but itself."""
        others: IntArray = self._readable[self._readable != index]
        return others

    @cached_property
    def _readable(self) -> IntArray:
        return np.array([i for i, pixels in enumerate(self.pixels) if pixels is not None], dtype=np.int64)

    def counts_of_others(self, index: int) -> FloatArray:
        """How many other images were fixated at each pixel of stimulus `index`: (height, width) float64.

        Coordinates of images of another size are scaled to this one.
        """
        size = self.sizes[index]
        if size not in self._totals:
            if len(self._totals) >= KEPT_TOTALS:
                self._totals.clear()
            self._totals[size] = self._counts(range(len(self.sizes)), size)
        own = self.pixels[index]
        counts = self._totals[size].copy()
        if own is not None:
            counts.ravel()[own] -= 1
        return counts

    def union(self, indices: Iterable[int], size: tuple[int, int]) -> BoolArray:
        """(height, width) bool, True where at least one of the stimuli was fixated, coordinates scaled to `size`."""
        return self._counts(indices, size) > 0

    def _counts(self, indices: Iterable[int], size: tuple[int, int]) -> FloatArray:
        readable = ((self.pixels[index], self.sizes[index]) for index in indices)
        scaled = [_scaled(pixels, own_size, size) for pixels, own_size in readable if pixels is not None]
        every = np.concatenate([np.zeros(0, dtype=np.int64), *scaled])
        return np.bincount(every, minlength=size[0] * size[1]).astype(np.float64).reshape(size)


def _scaled(
    pixels: npt.NDArray[np.int32], size: tuple[int, int], target: tuple[int, int]
) -> npt.NDArray[np.integer[Any]]:
    """Flat pixels of a frame as flat pixels of another: the middle of a pixel falls into the pixel that it becomes."""
    if size == target:
        return pixels
    rows, columns = np.divmod(pixels.astype(np.int64), size[1])
    new_rows = (2 * rows + 1) * target[0] // (2 * size[0])
    new_columns = (2 * columns + 1) * target[1] // (2 * size[1])
    scaled: IntArray = new_rows * target[1] + new_columns
    return scaled


@dataclass(frozen=True)
class RecordedFixations:
    """What the driver keeps of all fixations of a split: the fixated pixels, and a SHA-256 over everything recorded.

    `counted`: the pixels of the fixations that the protocol counts; `pixels` itself where it counts all.
    """

    pixels: FixatedPixels
    digest: str
    counted: FixatedPixels


def read_fixations(
    stimuli: Sequence[Stimulus], progress: Progress, counted: Callable[[IntArray], IntArray] = every_position
) -> RecordedFixations:
    """Read every fixation once. Files that cannot be read give their stimulus an error row later.

    `counted`: from the positions inside the frame, (n, 2), to those that the protocol counts.
    """
    whole = hashlib.sha256()
    pixels: list[Any] = []
    counted_pixels: list[Any] = []
    progress.start("reading fixations", len(stimuli))
    for stimulus in stimuli:
        recorded = _readable_fixations(stimulus)
        whole.update(_digest(stimulus, recorded))
        inside = None if recorded is None else recorded.within(stimulus.size).positions
        pixels.append(None if inside is None else _flat_pixels(inside, stimulus.size))
        if counted is not every_position:
            counted_pixels.append(None if inside is None else _flat_pixels(counted(inside), stimulus.size))
        progress.advance()
    progress.finish()
    sizes = [stimulus.size for stimulus in stimuli]
    every = FixatedPixels(sizes, pixels)
    chosen = every if counted is every_position else FixatedPixels(sizes, counted_pixels)
    return RecordedFixations(every, whole.hexdigest(), chosen)


def _readable_fixations(stimulus: Stimulus) -> Fixations | None:
    try:
        return stimulus.recorded_fixations()
    except DataError:
        return None


def _flat_pixels(positions: IntArray, size: tuple[int, int]) -> Any:
    return np.unique(positions[:, 0] * size[1] + positions[:, 1]).astype(np.int32)


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
