"""The embedded data set: scenes of coloured shapes with a known fixation density, made on the spot from a seed.

A scene is a textured background with warm and cool shapes. Warm shapes (red to yellow) attract gaze, the larger and
purer the more; cool ones (green to blue) of the same forms and sizes attract none. Positions are uniform, so a model
must look at the image: position alone tells little. The density is a sum of Gaussians on the warm shapes over a small
uniform part, and the viewers' fixations are drawn from it.
"""

import hashlib
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import cv2
import numpy as np

from salbench.arrays import FloatArray, RGBImage
from salbench.datasets.dataset import Dataset
from salbench.datasets.stimulus import Fixations, Stimulus

GROUND_TRUTH = "drawn from a known density, 10 viewers"
SPLIT_SIZES = {"train": 64, "val": 16, "test": 32}
SIZES = ((96, 128), (120, 160), (128, 96), (108, 144))
"""(height, width) of the scenes, in turn."""
VIEWERS = 10
FIXATIONS_PER_VIEWER = (4, 8)
UNIFORM_SHARE = 0.08
WARM_HUES, COOL_HUES = (0, 28), (50, 130)
"""Ranges of OpenCV's hue, 0 to 179."""


@dataclass(frozen=True)
class Shape:
    """One shape of a scene: centre and radius in pixels, corners (0: a disc), colour, and how much gaze it attracts."""

    x: float
    y: float
    radius: float
    corners: int
    turn: float
    colour: tuple[int, int, int]
    weight: float


@dataclass(frozen=True)
class Scene:
    """A scene of the synthetic data set, fully determined by seed, split and number."""

    seed: int
    split: str
    number: int

    @property
    def size(self) -> tuple[int, int]:
        """(height, width) in pixels."""
        return SIZES[self.number % len(SIZES)]

    def _rng(self, part: str) -> np.random.Generator:
        key = f"synthetic/{self.seed}/{self.split}/{self.number}/{part}"
        return np.random.default_rng(int.from_bytes(hashlib.sha256(key.encode()).digest()[:16]))

    def shapes(self) -> list[Shape]:
        """The scene's shapes, those in front last; at least one attracts gaze and at least one does not."""
        rng = self._rng("shapes")
        warm = [True] * int(rng.integers(1, 4)) + [False] * int(rng.integers(1, 4))
        rng.shuffle(warm)
        return [self._shape(rng, is_warm) for is_warm in warm]

    def _shape(self, rng: np.random.Generator, warm: bool) -> Shape:
        height, width = self.size
        radius = min(height, width) * rng.uniform(0.06, 0.14)
        purity = rng.uniform(0.6, 1.0)
        hue = int(rng.integers(*(WARM_HUES if warm else COOL_HUES)))
        pixel = np.array([[[hue, round(255 * purity), int(rng.integers(170, 256))]]], dtype=np.uint8)
        red, green, blue = (int(value) for value in cv2.cvtColor(pixel, cv2.COLOR_HSV2RGB)[0, 0])
        return Shape(
            x=rng.uniform(radius, width - radius),
            y=rng.uniform(radius, height - radius),
            radius=radius,
            corners=int(rng.choice([0, 3, 4])),
            turn=rng.uniform(0, 2 * np.pi),
            colour=(red, green, blue),
            weight=radius * purity if warm else 0.0,
        )

    def image(self) -> RGBImage:
        """The picture: (height, width, 3) uint8 RGB."""
        canvas = self._background()
        for shape in self.shapes():
            cv2.fillPoly(canvas, [_outline(shape)], shape.colour, lineType=cv2.LINE_AA)
        return canvas

    def _background(self) -> RGBImage:
        rng = self._rng("background")
        height, width = self.size
        coarse = rng.normal(0, 1, (height // 12, width // 12)).astype(np.float32)
        texture = 22 * cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC)
        grey = rng.uniform(80, 150) + texture + rng.normal(0, 8, (height, width))
        tint = rng.uniform(0.9, 1.1, 3)
        canvas: RGBImage = np.clip(grey[:, :, None] * tint, 0, 255).astype(np.uint8)
        return np.ascontiguousarray(canvas)

    def density(self) -> FloatArray:
        """The fixation density that the viewers' fixations are drawn from: (height, width) float64, its sum 1."""
        height, width = self.size
        rows, columns = np.arange(height)[:, None], np.arange(width)[None, :]
        blobs = np.zeros(self.size)
        for shape in self.shapes():
            spread = 2 * (0.7 * shape.radius) ** 2
            blobs += shape.weight * np.exp(-((columns - shape.x) ** 2 + (rows - shape.y) ** 2) / spread)
        mixed: FloatArray = (1 - UNIFORM_SHARE) * blobs / blobs.sum() + UNIFORM_SHARE / blobs.size
        return mixed

    def fixations(self) -> Fixations:
        """The fixations of every viewer, drawn from the density."""
        rng = self._rng("fixations")
        density = self.density().ravel()
        parts = []
        for viewer in range(VIEWERS):
            count = int(rng.integers(*FIXATIONS_PER_VIEWER, endpoint=True))
            rows, columns = np.unravel_index(rng.choice(density.size, size=count, p=density), self.size)
            parts.append(Fixations.of_one_viewer(columns, rows, viewer=str(viewer + 1)))
        return Fixations.joined(parts)

    def stimulus(self) -> Stimulus:
        """The scene as a stimulus."""
        return Stimulus(f"{self.split}-{self.number:04d}", self.size, self.image, self.fixations)


def open_synthetic(seed: int = 0) -> Dataset:
    """`synthetic`: 64 scenes to train on, 16 to validate, 32 to test; the same for the same seed."""
    return Dataset(
        key="synthetic",
        title="synthetic",
        splits={split: partial(_stimuli, seed, split, count) for split, count in SPLIT_SIZES.items()},
        default_split="test",
        citation="Made by salbench itself.",
    )


def _stimuli(seed: int, split: str, count: int) -> list[Stimulus]:
    return [Scene(seed, split, number).stimulus() for number in range(count)]


def _outline(shape: Shape) -> "np.ndarray[tuple[int, ...], np.dtype[np.int32]]":
    corners = shape.corners or 48
    angles = shape.turn + 2 * np.pi * np.arange(corners) / corners
    points = np.stack([shape.x + shape.radius * np.cos(angles), shape.y + shape.radius * np.sin(angles)], axis=1)
    return np.floor(points + 0.5).astype(np.int32)


def open_in(folder: Path) -> Dataset:
    """The same, as the registry asks for a data set of a folder, which this one does not need."""
    del folder
    return open_synthetic()
