"""What the metrics accept, checked once at the door; the errors name the argument, what came and what is wanted."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from salbench.arrays import BoolArray, FloatArray, IntArray
from salbench.errors import ShapeError, ValueRangeError
from salbench.maps import to_float

DENSEST_FIXATION_MAP = 0.25
"""A map with a larger share of non-zero pixels is a blurred one: points never cover a quarter of an image."""


def as_map(array: npt.ArrayLike, argument: str) -> FloatArray:
    """A saliency, ground-truth or baseline map as float64, (H, W). NaN is accepted, infinity is not.

    Raises ShapeError unless two-dimensional and not empty, ValueRangeError for infinities or anything not numeric.
    """
    values = as_numbers(array, argument)
    # A finite sum has no infinity in it, and is an order of magnitude quicker to make than a mask.
    if not np.isfinite(values.sum()):
        refuse_infinity(values, argument)
    return values


def as_numbers(array: npt.ArrayLike, argument: str) -> FloatArray:
    """A map as float64, (H, W), whatever its values; errors as `as_map`."""
    return to_float(_numeric(array, argument))


def refuse_infinity(values: FloatArray, argument: str) -> None:
    """ValueRangeError where a value is infinite."""
    if np.isinf(values).any():
        raise ValueRangeError(f"{argument} holds {int(np.isinf(values).sum())} infinite values; wanted: finite or NaN")


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
    mask: BoolArray = numbers if numbers.dtype == np.bool_ else numbers != 0
    return mask


def as_fixation_mask(array: npt.ArrayLike, argument: str = "fixation_map") -> BoolArray:
    """A fixation map as a mask, (H, W), True at fixated pixels; counts above one count once.

    Raises ShapeError and ValueRangeError as `as_point_mask`, ValueRangeError also where more than a quarter of the
    pixels are not zero: that is a blurred map.
    """
    mask = as_point_mask(array, argument)
    _refuse_blurred(np.count_nonzero(mask) / mask.size, argument)
    return mask


def _refuse_blurred(share: float, argument: str) -> None:
    if share > DENSEST_FIXATION_MAP:
        raise ValueRangeError(
            f"{argument} is non-zero at {share:.0%} of its pixels, so it looks like a blurred map; "
            "wanted: a fixation map, non-zero only at fixated pixels (a blurred map is a ground-truth map)"
        )


@dataclass(frozen=True)
class FixatedPoints:
    """The fixated pixels of a map of `shape`, (height, width): flat, 0-based, ascending indices in C order, (n,)."""

    shape: tuple[int, int]
    indices: IntArray


def as_fixated_points(array: npt.ArrayLike, argument: str = "fixation_map") -> FixatedPoints:
    """The fixated pixels of a fixation map. Raises ShapeError and ValueRangeError as `as_fixation_mask`."""
    mask = as_point_mask(array, argument)
    indices = np.flatnonzero(mask)
    _refuse_blurred(indices.size / mask.size, argument)
    height, width = mask.shape
    return FixatedPoints((height, width), indices)


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
