"""What the metrics accept, checked once at the door; the errors name the argument, what came and what is wanted."""

from typing import Any

import numpy as np
import numpy.typing as npt

from salbench.arrays import BoolArray, FloatArray
from salbench.errors import ShapeError, ValueRangeError
from salbench.maps import to_float

DENSEST_FIXATION_MAP = 0.25
"""A map with a larger share of non-zero pixels is a blurred one: points never cover a quarter of an image."""


def as_map(array: npt.ArrayLike, argument: str) -> FloatArray:
    """A saliency, ground-truth or baseline map as float64, (H, W). NaN is accepted, infinity is not.

    Raises ShapeError unless two-dimensional and not empty, ValueRangeError for infinities or anything not numeric.
    """
    numbers = _numeric(array, argument)
    values = to_float(numbers)
    # A finite sum has no infinity in it, and is an order of magnitude quicker to make than a mask.
    if numbers.dtype.kind == "f" and not np.isfinite(values.sum()) and np.isinf(values).any():
        raise ValueRangeError(f"{argument} holds {int(np.isinf(values).sum())} infinite values; wanted: finite or NaN")
    return values


def as_point_mask(array: npt.ArrayLike, argument: str) -> BoolArray:
    """A map of points as a mask, (H, W), True where it is not zero.

    Raises ShapeError unless two-dimensional and not empty, ValueRangeError for values that are no whole numbers.
    """
    numbers = _numeric(array, argument)
    if numbers.dtype.kind == "f" and not (np.isfinite(numbers).all() and np.array_equal(numbers, np.floor(numbers))):
        raise ValueRangeError(
            f"{argument} holds values that are not whole numbers, so it looks like a blurred map; "
            "wanted: a fixation map, non-zero only at fixated pixels (a blurred map is a ground-truth map)"
        )
    mask: BoolArray = numbers != 0
    return mask


def as_fixation_mask(array: npt.ArrayLike, argument: str = "fixation_map") -> BoolArray:
    """A fixation map as a mask, (H, W), True at fixated pixels; counts above one count once.

    Raises ShapeError and ValueRangeError as `as_point_mask`, ValueRangeError also where more than a quarter of the
    pixels are not zero: that is a blurred map.
    """
    mask = as_point_mask(array, argument)
    share = np.count_nonzero(mask) / mask.size
    if share > DENSEST_FIXATION_MAP:
        raise ValueRangeError(
            f"{argument} is non-zero at {share:.0%} of its pixels, so it looks like a blurred map; "
            "wanted: a fixation map, non-zero only at fixated pixels (a blurred map is a ground-truth map)"
        )
    return mask


def as_indices(array: npt.ArrayLike, argument: str, *, size: int) -> npt.NDArray[np.int64]:
    """Pixel indices, (n drawn, n splits), flat, 0-based, in C order of a map of `size` pixels.

    Raises ShapeError unless two-dimensional, ValueRangeError for anything that is no index of such a map.
    """
    indices = np.asarray(array)
    if indices.ndim != 2 or indices.shape[1] == 0:
        raise ShapeError(f"{argument} has shape {indices.shape}; wanted: (number drawn, number of splits)")
    if indices.dtype.kind not in "iu":
        raise ValueRangeError(f"{argument} has type {indices.dtype}; wanted: whole numbers")
    if indices.size and not (indices.min() >= 0 and indices.max() < size):
        raise ValueRangeError(
            f"{argument} runs from {indices.min()} to {indices.max()}; wanted: flat pixel indices from 0 to {size - 1}"
        )
    return indices.astype(np.int64, copy=False)


def _numeric(array: npt.ArrayLike, argument: str) -> npt.NDArray[Any]:
    try:
        numbers = np.asarray(array)
    except ValueError as error:
        raise ShapeError(f"{argument} is no array ({error}); wanted: two dimensions, (height, width)") from error
    if numbers.ndim != 2 or numbers.size == 0:
        raise ShapeError(f"{argument} has shape {numbers.shape}; wanted: two dimensions, (height, width), not empty")
    if numbers.dtype.kind not in "biuf":
        raise ValueRangeError(f"{argument} has type {numbers.dtype}; wanted: bool, integers or floats")
    return numbers
