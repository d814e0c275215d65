"""Small pictures of stimuli and maps, as bytes of JPEG and SVG files."""

from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from salbench.arrays import IntArray, RGBImage, SaliencyMap
from salbench.figures import FIXATION_COLOUR, stretch

SIDE = 320
"""Pixels of a thumbnail's longer side."""
LARGE_SIDE = 1200
"""Pixels of the longer side of a picture that is looked at alone."""
QUALITY = 80
LEVELS = 6


def small_size(height: int, width: int, side: int = SIDE) -> tuple[int, int]:
    """(height, width) of a picture whose longer side is at most `side`; a small one keeps its size."""
    scale = min(1.0, side / max(height, width))
    return max(1, round(height * scale)), max(1, round(width * scale))


def image_thumbnail(image: RGBImage, side: int = SIDE) -> bytes:
    """An image (H, W, 3) as JPEG."""
    small = _resized(np.asarray(image), small_size(image.shape[0], image.shape[1], side))
    return _jpeg(cv2.cvtColor(small, cv2.COLOR_RGB2BGR))


def map_thumbnail(values: SaliencyMap, size: tuple[int, int], side: int = SIDE) -> bytes:
    """A map of any size, in its image's proportions (`size`: (height, width)), stretched to its range, as JPEG."""
    return _jpeg(_small_map(values, size, side))


def level_sets(values: SaliencyMap, size: tuple[int, int]) -> bytes:
    """The level sets of a map, as in the paper's Figure 5: an SVG of closed lines at equal steps of its range."""
    small = _small_map(values, size)
    height, width = small.shape
    paths = []
    for level in range(1, LEVELS + 1):
        mask = (small >= 255 * level / (LEVELS + 1)).astype(np.uint8)
        found, _ = cv2.findContours(mask, cv2.RETR_LIST, cv2.CHAIN_APPROX_TC89_L1)
        path = "".join(_closed(points[:, 0]) for points in found if len(points) > 2)
        if path:
            paths.append(f'<path d="{path}" stroke="hsl({260 - 35 * level} 85% 55%)"/>')
    return _svg(width, height, f'<g fill="none" stroke-width="1.2">{"".join(paths)}</g>')


def fixation_dots(positions: IntArray, size: tuple[int, int]) -> bytes:
    """Fixations (n, 2) [row, column] on an image of (height, width), as an SVG of dots that lies over a thumbnail."""
    height, width = small_size(*size)
    down, across = height / size[0], width / size[1]
    dots = "".join(
        f'<circle cx="{(column + 0.5) * across:.1f}" cy="{(row + 0.5) * down:.1f}" r="2"/>' for row, column in positions
    )
    return _svg(width, height, f'<g fill="{FIXATION_COLOUR}" stroke="#003a52" stroke-width=".5">{dots}</g>')


def _small_map(values: SaliencyMap, size: tuple[int, int], side: int = SIDE) -> npt.NDArray[np.uint8]:
    small = _resized(stretch(values).astype(np.float32), small_size(*size, side))
    return np.asarray(np.rint(small * 255), dtype=np.uint8)


def _resized(pixels: npt.NDArray[Any], size: tuple[int, int]) -> npt.NDArray[Any]:
    """Pixels averaged where they shrink; where they grow averages would be blocks."""
    shrinks = size[0] <= pixels.shape[0] and size[1] <= pixels.shape[1]
    way = cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR
    return np.asarray(cv2.resize(pixels, (size[1], size[0]), interpolation=way))


def _jpeg(pixels: npt.NDArray[Any]) -> bytes:
    return bytes(cv2.imencode(".jpg", pixels, [cv2.IMWRITE_JPEG_QUALITY, QUALITY])[1])


def _closed(points: npt.NDArray[Any]) -> str:
    return "M" + "L".join(f"{x} {y}" for x, y in points) + "Z"


def _svg(width: int, height: int, content: str) -> bytes:
    head = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}">'
    return f"{head}{content}</svg>".encode()
