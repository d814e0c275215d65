"""From the network's map to one as large as the image. Which way belongs to the checkpoint."""

from collections.abc import Callable, Mapping

import cv2
import numpy as np

from salbench.arrays import SaliencyMap

Size = tuple[int, ...]

BLUR = 5
"""Side in pixels of the Gaussian that the released code blurs its maps with: OpenCV's (1, 4, 6, 4, 1) / 16."""


def exact(saliency: SaliencyMap, size: Size) -> SaliencyMap:
    """A map in 0 to 1 at (height, width), cubic; the little that cubic interpolation overshoots is clipped."""
    resized = np.asarray(cv2.resize(saliency, (size[1], size[0]), interpolation=cv2.INTER_CUBIC), dtype=np.float32)
    return resized.clip(0, 1)


def original(saliency: SaliencyMap, size: Size) -> SaliencyMap:
    """A map in 0 to 1 at (height, width) as the authors published theirs: in 8 bits, which they cut off, and blurred.

    Every value is a multiple of 1/255. Clipping, their last step, is what 8 bits do by themselves.
    Source: `predict` in the released code's scripts/utils.py.
    """
    levels = (saliency * 255).astype(np.uint8)
    resized = cv2.resize(levels, (size[1], size[0]), interpolation=cv2.INTER_CUBIC)
    blurred = cv2.GaussianBlur(resized, (BLUR, BLUR), 0)
    return np.asarray(blurred, dtype=np.float32) / 255


POSTPROCESSES: Mapping[str, Callable[[SaliencyMap, Size], SaliencyMap]] = {"exact": exact, "original": original}
