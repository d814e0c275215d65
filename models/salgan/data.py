"""The training images and ground truths at the network's size, read once."""

import errno
import itertools
import math
import os
import tempfile
from collections.abc import Generator, Iterator
from contextlib import closing
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path
from typing import IO, Any

import cv2
import numpy as np
import numpy.typing as npt
import torch

from salbench.ahead import in_order, one_ahead
from salbench.arrays import FloatArray, RGBImage
from salbench.datasets.stimulus import Stimulus
from salbench.errors import DataError, RunError
from salbench.models import TrainingJob
from salbench_models.salgan.preprocessing import shrink
from salbench_models.salgan.reasons import reason_of

Sample = tuple[RGBImage, FloatArray]
Share = tuple[int, int]

TRACE_SEED = 20170104
"""Of the signs that images are known again by: the day of the paper's first version. Another one knows none again."""
MIRRORS = 1
"""Tells the coins of mirroring from the order of images; not 0, which NumPy takes for no number at the end."""


@dataclass(frozen=True)
class Batch:
    """`images`: (n, 3, H, W) RGB in 0 to 1. `truth`: (n, 1, H, W) in 0 to 1.

    `features`: (n, 256, H/8, W/8), the frozen encoder's output, where it is kept. All float32.
    """

    images: torch.Tensor
    truth: torch.Tensor
    features: torch.Tensor | None = None

    def __len__(self) -> int:
        return len(self.images)

    def parts(self, count: int) -> Iterator["Batch"]:
        """The batch in `count` pieces in order, whose sizes differ by one at most; none is empty, so maybe fewer."""
        edges = [len(self) * number // count for number in range(count + 1)]
        for start, stop in itertools.pairwise(edges):
            if stop > start:
                yield self.part(slice(start, stop))

    def part(self, rows: slice) -> "Batch":
        """Some consecutive images of the batch; nothing is copied."""
        features = None if self.features is None else self.features[rows]
        return Batch(self.images[rows], self.truth[rows], features)


@dataclass(frozen=True)
class TrainingSet:
    """`images`: (n, H, W, 3) uint8 RGB. `truths`: (n, H, W) float16 in 0 to 1, finer than the 8 bits of map files.

    `features`: (n, H/8, W/8, 256) float16, the frozen encoder's output of each image, or None where it is not kept.
    `flips`: whether each image is mirrored in every other epoch or so, which features do not go with. `skipped`: how
    many stimuli could not be trained on. `stimuli`: the names of those that could, where they have any.
    """

    images: npt.NDArray[np.uint8]
    truths: npt.NDArray[np.float16]
    features: npt.NDArray[np.float16] | None = None
    flips: bool = False
    skipped: int = 0
    stimuli: tuple[str, ...] = ()

    @cached_property
    def traces(self) -> torch.Tensor:
        """(n, 2) float32: what each image and its truth are known by again, in a later process or on another machine.

        Sums of their values, 0 to 1, with signs drawn from a fixed seed, over the root of their number. Another image
        changes the first by about 0.3, other libraries by 0.002; one fixation elsewhere changes the second by about
        0.02, how a processor rounds by 0.00001.
        """
        signs = np.random.default_rng(TRACE_SEED).choice(np.array([-1, 1], np.float32), self.images[0].size)
        traces = np.empty((len(self), 2), np.float32)
        for trace, image, truth in zip(traces, self.images, self.truths, strict=True):
            trace[0] = image.ravel() @ signs / (255 * math.sqrt(image.size))
            trace[1] = truth.ravel().astype(np.float32) @ signs[: truth.size] / math.sqrt(truth.size)
        return torch.from_numpy(traces)

    def __len__(self) -> int:
        return len(self.images)

    def batches(
        self, size: int, seed: int, epoch: int, device: torch.device, *, first: int = 0, share: Share = (0, 1)
    ) -> Generator[Batch, None, None]:
        """All images in an order that depends on seed and epoch alone; the last batch may be smaller.

        `first`: the number of the batch to begin with. `share`: the number of one of so many processes, which is given
        its part of each batch; parts differ by one image at most, so some may be empty.
        While one is worked on, the next is gathered in a thread and, where the device is a GPU, copied to it.
        """
        return one_ahead(self.gathered(size, seed, epoch, device, first=first, share=share))

    def gathered(
        self, size: int, seed: int, epoch: int, device: torch.device, *, first: int = 0, share: Share = (0, 1)
    ) -> Iterator[Batch]:
        """The same, each when it is asked for."""
        order = np.random.default_rng((seed, epoch)).permutation(len(self))
        mirrored = self.mirrored(seed, epoch)
        number, count = share
        for start in range(first * size, len(order), size):
            batch = order[start : start + size]
            rows = batch[len(batch) * number // count : len(batch) * (number + 1) // count]
            yield self.batch(rows, mirrored[rows], device)

    def mirrored(self, seed: int, epoch: int) -> npt.NDArray[np.bool_]:
        """(n,): which rows are mirrored in an epoch. A row's coin depends on seed, epoch and its number alone."""
        if not self.flips:
            return np.zeros(len(self), dtype=np.bool_)
        coins = np.random.default_rng((seed, epoch, MIRRORS)).random(len(self))
        return np.asarray(coins < 0.5, dtype=np.bool_)

    def batch(self, rows: npt.NDArray[np.int64], mirrored: npt.NDArray[np.bool_], device: torch.device) -> Batch:
        """The images of these rows. Their memory order, channels last, is the one that the network runs in."""
        images = mirror(self.images[rows], mirrored)
        truth = on_device(mirror(self.truths[rows], mirrored), device)
        features = None
        if self.features is not None:
            features = on_device(self.features[rows], device).permute(0, 3, 1, 2).float()
        return Batch(network_images(images, device), truth[:, None].float(), features)


def network_images(images: npt.NDArray[np.uint8], device: torch.device) -> torch.Tensor:
    """(n, H, W, 3) uint8 to (n, 3, H, W) float32 in 0 to 1, on a device."""
    return on_device(images, device).permute(0, 3, 1, 2).float() / 255


def on_device(array: npt.NDArray[Any], device: torch.device) -> torch.Tensor:
    """An array as a tensor on a device; on the CPU the two share their memory.

    A CUDA device fetches it by itself, from memory that stays where it is, while this process goes on.
    """
    tensor = torch.from_numpy(array)
    if device.type == "cuda":
        return tensor.pin_memory().to(device, non_blocking=True)
    return tensor.to(device)


def mirror(arrays: npt.NDArray[Any], mirrored: npt.NDArray[np.bool_]) -> npt.NDArray[Any]:
    """Exchange left and right, axis 2, of the (n, H, W, ...) arrays marked in (n,); in place, and returned."""
    arrays[mirrored] = arrays[mirrored, :, ::-1]
    return arrays


def read_training_set(job: TrainingJob, size: tuple[int, int], memory_gb: float) -> TrainingSet:
    """Read every training stimulus at (height, width), several at a time.

    A stimulus that cannot be read, or that nobody fixated, is named and left out. DataError where none is left,
    RunError where they fit neither into memory nor on the disk.
    """
    images, truths = room_for(len(job.train), size, memory_gb, job.out)
    stimuli: list[str] = []
    for stimulus, (image, truth) in samples(job, size):
        images[len(stimuli)], truths[len(stimuli)] = image, truth
        stimuli.append(stimulus.id)
    count = len(stimuli)
    skipped = len(job.train) - count
    if count == 0:
        raise DataError(f"{job.dataset}: none of its {skipped} stimuli can be trained on")
    if skipped:
        job.progress.note(f"training on {count} of {len(job.train)} stimuli, {skipped} skipped")
    return TrainingSet(images[:count], truths[:count], skipped=skipped, stimuli=tuple(stimuli))


def room_for(count: int, size: tuple[int, int], memory_gb: float, folder: Path) -> tuple[Any, Any]:
    """Arrays for so many images and truths: in memory, or beyond `memory_gb` in files that vanish with the process."""
    image_bytes, truth_bytes = 3, 2
    total = count * size[0] * size[1] * (image_bytes + truth_bytes)
    spill = folder if total > memory_gb * 1e9 else None
    return blank((count, *size, 3), np.uint8, spill), blank((count, *size), np.float16, spill)


def blank(shape: tuple[int, ...], dtype: type, folder: Path | None) -> npt.NDArray[Any]:
    """An array whose values are yet to be set, in memory or in an unnamed file of a folder.

    RunError where the folder's disk has no room for it.
    """
    if folder is None:
        return np.empty(shape, dtype)
    size = math.prod(shape) * np.dtype(dtype).itemsize
    try:
        with tempfile.TemporaryFile(dir=folder) as file:  # the mapping outlives the open file
            reserve(file, size)
            return np.memmap(file, dtype=dtype, mode="w+", shape=shape)
    except OSError as error:
        raise RunError(
            f"{folder} does not take {size / 1e9:.2g} GB of training images ({reason_of(error)}): make room, "
            "train into another folder, or keep more in memory with a larger --memory-gb"
        ) from error


def reserve(file: IO[bytes], size: int) -> None:
    """Take a file's room on the disk now: a mapped page that finds none later ends the process without a word.

    OSError where there is none. Systems that cannot reserve go without.
    """
    if not hasattr(os, "posix_fallocate"):
        return
    try:
        os.posix_fallocate(file.fileno(), 0, size)
    except OSError as error:
        if error.errno not in (errno.EOPNOTSUPP, errno.EINVAL, errno.ENOSYS):
            raise


def samples(job: TrainingJob, size: tuple[int, int]) -> Iterator[tuple[Stimulus, Sample]]:
    """Each usable stimulus with its image and truth, in the order given; one that is not is named."""
    job.progress.start(f"reading {job.dataset}", len(job.train))
    try:
        # Threads do: Python's lock is held for a fifth of the work, most of which is decoding and Fourier transforms.
        with closing(in_order(partial(outcome, job, size), job.train)) as outcomes:
            for stimulus, found in zip(job.train, outcomes, strict=True):
                if isinstance(found, str):
                    job.progress.note(f"skipped {found}")
                else:
                    yield stimulus, found
                job.progress.advance()
    finally:
        job.progress.finish()


def outcome(job: TrainingJob, size: tuple[int, int], stimulus: Stimulus) -> Sample | str:
    """A stimulus's sample, or its name and why it has none."""
    try:
        return sample(job, stimulus, size)
    except DataError as error:
        return f"{stimulus.id}: {error}"


def sample(job: TrainingJob, stimulus: Stimulus, size: tuple[int, int]) -> Sample:
    """One stimulus at the network's size. DataError where it cannot be used."""
    return shrink(stimulus.image(), size), shrink_truth(job.ground_truth(stimulus), size)


def shrink_truth(truth: FloatArray, size: tuple[int, int]) -> FloatArray:
    """A ground-truth map at (height, width), pixel area, its maximum again 1. DataError for one without a maximum."""
    height, width = size
    resized = cv2.resize(np.asarray(truth, dtype=np.float64), (width, height), interpolation=cv2.INTER_AREA)
    peak = float(resized.max())
    if not np.isfinite(resized).all() or peak <= 0:
        raise DataError("its ground truth is zero everywhere, or not finite")
    return np.clip(resized / peak, 0.0, 1.0)
