"""Small data sets in the generic layout, made by the tests."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
from PIL import Image

SIZES = ((24, 32), (30, 20), (24, 32), (40, 40))
"""(height, width) of the images, in turn."""


def make_set(root: Path, count: int = 6, *, fixations: int = 9, seed: int = 0) -> Path:
    """`count` noise images with fixations of three viewers."""
    rng = np.random.default_rng(seed)
    for part in ("images", "fixations"):
        (root / part).mkdir(parents=True)
    for number in range(count):
        height, width = SIZES[number % len(SIZES)]
        Image.fromarray(rng.integers(0, 256, (height, width, 3), dtype=np.uint8)).save(
            root / "images" / f"s{number}.png"
        )
        rows = [f"{rng.integers(width)},{rng.integers(height)},{i % 3}" for i in range(fixations)]
        (root / "fixations" / f"s{number}.csv").write_text("\n".join(["x,y,viewer", *rows]) + "\n")
    return root


def make_maps(
    folder: Path, count: int = 6, *, seed: int = 1, sizes: Mapping[int, tuple[int, int]] | None = None
) -> Path:
    """A random 8-bit map for every image of `make_set`; `sizes`: those that are not of their image's size."""
    rng = np.random.default_rng(seed)
    folder.mkdir(parents=True)
    for number in range(count):
        size = (sizes or {}).get(number, SIZES[number % len(SIZES)])
        Image.fromarray(rng.integers(0, 256, size, dtype=np.uint8)).save(folder / f"s{number}.png")
    return folder
