"""The array types that signatures name. All are NumPy arrays; the names tell what an array stands for."""

from typing import Any

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]
BoolArray = npt.NDArray[np.bool_]

RGBImage = npt.NDArray[np.uint8]
"""An image: (height, width, 3), 0 to 255, red first."""

SaliencyMap = npt.NDArray[Any]
"""A saliency or density map: (height, width), any numeric type."""

FixationMap = npt.NDArray[Any]
"""Fixated pixels: (height, width), non-zero where at least one fixation fell."""
