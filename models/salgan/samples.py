"""What the network makes of a few stimuli after each epoch, as a picture: image, ground truth, map."""

import logging
import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from salbench.arrays import FloatArray, RGBImage, SaliencyMap
from salbench.datasets.stimulus import Stimulus
from salbench.errors import DataError
from salbench.models import TrainingJob
from salbench_models.salgan.files import prepare_folder

SAMPLES = "samples"
SCRATCH_PICTURE = re.compile(r"\.epoch-\d{3,}\.png\.[0-9a-f]{8}\.tmp")
MOST_PIXELS = 640
"""A longer side is not needed in a picture: this bounds what is kept of large photographs."""
HEADINGS = ("image", "ground truth", "map")

Predict = Callable[[RGBImage], SaliencyMap]


@dataclass(frozen=True)
class Shown:
    """A stimulus as pictures show it: `image` (H, W, 3) uint8, `truth` (H, W)."""

    image: RGBImage
    truth: FloatArray


class SamplePictures:
    """Pictures of the first `count` stimuli of the validation that can be read; without one, of the training.

    They are read for the first picture and kept. Whatever goes wrong with a picture is told once and ends nothing.
    """

    def __init__(self, job: TrainingJob, count: int) -> None:
        self.job = job
        self.count = count
        self.folder = job.out / SAMPLES
        self.shown: list[Shown] = []
        self.told = False

    def write(self, epoch: int, predict: Predict) -> Path | None:
        """Write `samples/epoch-001.png`, whole or not at all; its path. None where there is none."""
        if not self.count:
            return None
        try:
            return self.written(epoch, predict)
        except Exception as error:  # a picture is not worth a training
            if not self.told:
                self.job.progress.note(f"no picture of epoch {epoch} ({type(error).__name__}: {error})")
            self.told = True
            return None

    def written(self, epoch: int, predict: Predict) -> Path:
        """The same. Raises what goes wrong."""
        with quiet_matplotlib():
            from salbench.figures import GridRow, write_grid  # noqa: PLC0415 - imports matplotlib

            if not self.shown:
                prepare_folder(self.folder, SCRATCH_PICTURE)
                self.shown = readable(self.job, self.count)
            rows = [GridRow(one.image, [one.truth, predict(one.image)]) for one in self.shown]
            path = self.folder / f"epoch-{epoch:03}.png"
            write_grid(path, HEADINGS, rows)
        return path


def readable(job: TrainingJob, count: int) -> list[Shown]:
    """The first stimuli that can be read. DataError where there is none."""
    for stimuli in (job.validation, job.train):
        found = list(islice(those_read(job, stimuli), count))
        if found:
            return found
    raise DataError("no stimulus can be read")


def those_read(job: TrainingJob, stimuli: Sequence[Stimulus]) -> Iterator[Shown]:
    """Those of the stimuli that can be read, in order, made small."""
    for stimulus in stimuli:
        try:
            image, truth = stimulus.image(), job.ground_truth(stimulus)
        except DataError:
            continue
        yield Shown(np.asarray(smaller(image), dtype=np.uint8), np.asarray(smaller(truth), dtype=np.float64))


def smaller(pixels: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """An image or map whose longer side is at most MOST_PIXELS, by pixel area."""
    height, width = pixels.shape[:2]
    scale = min(1.0, MOST_PIXELS / max(height, width))
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    return np.asarray(cv2.resize(np.ascontiguousarray(pixels), size, interpolation=cv2.INTER_AREA))


@contextmanager
def quiet_matplotlib() -> Iterator[None]:
    """Without what matplotlib logs of its font cache and its folders, which tells nothing of a training."""
    logger = logging.getLogger("matplotlib")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        logger.setLevel(level)
