"""Tiny scenes whose salient spot is known, and a progress that remembers."""

import csv
import json
import math
from dataclasses import dataclass, field
from functools import partial

import numpy as np

from salbench.datasets.stimulus import Stimulus
from salbench.progress import Silent
from salbench_models.salgan.checkpoint import Header, read_weights
from salbench_models.salgan.layers import GENERATOR_SHAPES
from salbench_models.salgan.preprocessing import TORCHVISION

SIZE = (32, 48)


def blob(row, column, size=SIZE):
    rows, columns = np.mgrid[: size[0], : size[1]]
    return np.exp(-((rows - row) ** 2 + (columns - column) ** 2) / (2 * 4.0**2))


def centre_of(number, size=SIZE):
    rng = np.random.default_rng((7, number))
    return rng.integers(6, size[0] - 6), rng.integers(6, size[1] - 6)


def scene(number):
    """A red spot on dark noise: where to look is plain to see, and differs from scene to scene."""
    noise = np.random.default_rng(number).integers(0, 60, (*SIZE, 3), dtype=np.uint8)
    noise[..., 0] += (blob(*centre_of(number)) * 190).astype(np.uint8)
    return noise


def truth_of(stimulus):
    return blob(*centre_of(int(stimulus.id)))


def scenes(count):
    return [Stimulus(str(number), SIZE, partial(scene, number)) for number in range(count)]


def nss_at_centre(predict, number):
    saliency = np.asarray(predict(scene(number)), dtype=np.float64)
    return ((saliency - saliency.mean()) / saliency.std(ddof=1))[centre_of(number)]


def hollow_checkpoint(path, metadata, first=b""):
    """A checkpoint whose weights are a hole in the file, all zero but for the bytes of `first`."""
    entries, end = {"__metadata__": metadata}, 0
    for name, shape in GENERATOR_SHAPES.items():
        begin, end = end, end + 4 * math.prod(shape)
        entries[name] = {"dtype": "F32", "shape": shape, "data_offsets": [begin, end]}
    text = json.dumps(entries).encode()
    text += b" " * (-len(text) % 8)
    with path.open("wb") as file:
        file.write(len(text).to_bytes(8, "little") + text + first)
        file.truncate(8 + len(text) + end)


def checkpoint(path, epoch):
    """An empty file that passes for the checkpoint of an epoch."""
    hollow_checkpoint(path, Header({}, TORCHVISION, "48x32", ("toy/train",), epoch, {}, 0).as_metadata())


def rows_of(folder):
    """The rows of a training's epochs.csv."""
    with (folder / "epochs.csv").open(encoding="utf-8") as handle:
        return list(csv.DictReader(handle))


def without_cost(row):
    """A row without what no two trainings have in common."""
    return {key: value for key, value in row.items() if key not in ("seconds", "images_per_second")}


def same_weights(one, other):
    """Whether two checkpoints hold the same to the bit."""
    ours, theirs = read_weights(one), read_weights(other)
    return all((ours[name] == theirs[name]).all() for name in theirs)


@dataclass
class Recorder(Silent):
    """A progress that remembers, and that can stop a training as Ctrl-C would."""

    notes: list = field(default_factory=list)
    started: list = field(default_factory=list)
    advanced: list = field(default_factory=list)
    interrupt_after: int | None = None

    def start(self, description, total, done=0):
        self.started.append((description, total, done))

    def advance(self, steps=1, **figures):
        if figures:
            self.advanced.append((steps, figures))
            if len(self.advanced) == self.interrupt_after:
                raise KeyboardInterrupt

    def note(self, text):
        self.notes.append(text)
