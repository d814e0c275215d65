"""Pure operations on maps: MATLAB's `imresize`, the normalisations of the metrics, the ground-truth blurs.

Everything here takes and returns NumPy arrays, opens no file and draws no random number.
"""

from collections.abc import Iterator
from functools import lru_cache
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import scipy  # its parts are loaded when they are first used: a run's driver uses none

from salbench.arrays import FixationMap, FloatArray
from salbench.errors import ShapeError, UsageError

MIT_CUTOFF = 8.0
"""Cycles per image at which MIT300's ground-truth blur halves a frequency."""

LONGEST_PADDED_SIDE = 16384
SAFE_SQUARES = (1e-200, 1e200)
NEGLIGIBLE = 1e-18
"""Gain below which a frequency adds less to a blurred map than rounding does."""
LONGEST_MATRIX = 2048
"""Longest side that a Gaussian blurs by matrix products; beyond, the matrices would outgrow the map."""
FEW_POINTS = 5000
"""Fixated pixels up to which their waves are summed one by one."""
BLOCK = 8192
"""Pixels that are worked on at a time: 64 KiB, which stay in a core's second-level cache.

Below the 10,000 from which OpenBLAS shares a dot product among threads, so sums do not depend on their number.
"""


def to_float(array: npt.NDArray[Any]) -> FloatArray:
    """A map as float64: 8-bit divided by 255, 16-bit by 65535, bool as 0 and 1, other types with their values.

    A float64 array is returned itself, not copied.
    """
    if array.dtype.kind == "u" and array.dtype.itemsize <= 2:
        return array / float(np.iinfo(array.dtype).max)
    return array.astype(np.float64, copy=False)


def is_flat(array: FloatArray) -> bool:
    """Whether all values that are not NaN are equal; also true where there are none."""
    low, high = value_range(array)
    return not high > low


def value_range(array: FloatArray) -> tuple[float, float]:
    """Smallest and largest value, NaN left out; (NaN, NaN) where there is none."""
    return value_range_and_nan(array)[:2]


def value_range_and_nan(array: FloatArray) -> tuple[float, float, bool]:
    """Smallest and largest value, NaN left out, and whether there is a NaN; (NaN, NaN, ...) where there is no value."""
    if array.size == 0:
        return np.nan, np.nan, False
    with np.errstate(invalid="ignore"):
        low, high = float(array.min()), float(array.max())
    if np.isnan(low) or np.isnan(high):  # the reductions that pass NaN over are several times slower
        return float(np.fmin.reduce(array, axis=None)), float(np.fmax.reduce(array, axis=None)), True
    return low, high, False


def normalise_range(array: FloatArray) -> FloatArray:
    """(m - min) / (max - min), NaN left out of both; a flat map has no range and becomes NaN everywhere."""
    return scale_to_range(array, *value_range(array))


def scale_to_range(values: FloatArray, low: float, high: float) -> FloatArray:
    """(v - low) / (high - low) of any values, such as those at fixated pixels; NaN where high is not above low."""
    if not high > low:
        return np.full(values.shape, np.nan)
    shifted: FloatArray = values - low
    shifted /= high - low
    return shifted


def normalise_sum(array: FloatArray) -> FloatArray:
    """The map divided by its sum. A map without any mass stays as it is; the sum may be negative."""
    if not np.any(array):
        return array
    with np.errstate(divide="ignore", invalid="ignore"):
        normalised: FloatArray = array / array.sum()
    return normalised


def standardise(array: FloatArray) -> FloatArray:
    """Z-scores with the sample standard deviation (N - 1); NaN everywhere for a flat map or where a pixel is NaN."""
    deviations, squares = deviations_from_mean(array)
    deviations /= np.sqrt(squares / max(1, array.size - 1))
    return deviations


def deviations_from_mean(array: FloatArray) -> tuple[FloatArray, float]:
    """The map minus its mean, and the sum of the squares of that; all NaN for a flat map or where a pixel is NaN.

    Where squares would leave float64's range the deviations come scaled by a power of two, which changes no digit and
    no ratio of the two.
    """
    if array.size < 2 or is_flat(array):
        return np.full(array.shape, np.nan), np.nan
    deviations: FloatArray = array - array.mean()
    squares = float(np.vdot(deviations, deviations))
    if not SAFE_SQUARES[0] < squares < SAFE_SQUARES[1]:
        deviations = np.ldexp(deviations, -int(np.frexp(np.abs(deviations).max())[1]))
        squares = float(np.vdot(deviations, deviations))
    return deviations, squares


def in_blocks(*arrays: FloatArray) -> Iterator[tuple[FloatArray, ...]]:
    """The pixels of maps of one size, a cache's fill at a time: what is computed of a block never leaves the cache."""
    flat = [array.ravel() for array in arrays]
    for start in range(0, flat[0].size, BLOCK):
        yield tuple(values[start : start + BLOCK] for values in flat)


def resize_to(array: FloatArray, size: tuple[int, int]) -> FloatArray:
    """The map itself where it has the (height, width) wanted, else `imresize` to it."""
    if array.shape == size:
        return array
    return imresize(array, size=size)


def imresize(
    image: npt.NDArray[Any], *, scale: float | None = None, size: tuple[int, int] | None = None
) -> npt.NDArray[Any]:
    """MATLAB's `imresize` with its defaults: bicubic (a = -0.5), antialiased when shrinking.

    `image`: (H, W) floats, uint8, uint16 or bool; the result has its type. Exactly one of `scale` (output size is the
    ceiling of scale times size) and `size` (height, width) is given. Unsigned integers are rounded half up and clamped
    after each pass; bool is resized as 0 and 255 and cut above 128, as MATLAB does.
    Raises ShapeError unless the image is two-dimensional and not empty, UsageError for scale and size.
    """
    if image.ndim != 2 or image.size == 0:
        raise ShapeError(f"imresize wants a two-dimensional image that is not empty, not shape {image.shape}")
    height, width = _output_size(image.shape, scale, size)
    scales = (scale, scale) if scale is not None else (height / image.shape[0], width / image.shape[1])
    if image.dtype == np.bool_:
        bytes_image = np.where(image, np.uint8(255), np.uint8(0))
        return imresize(bytes_image, scale=scale, size=size) > 128
    result = image
    # MATLAB resizes first along the dimension that shrinks most; at equal scales along the rows.
    for axis in sorted((0, 1), key=lambda a: scales[a]):
        result = _resize_axis(result, axis, (height, width)[axis], scales[axis])
    return result


def _output_size(shape: tuple[int, ...], scale: float | None, size: tuple[int, int] | None) -> tuple[int, int]:
    if (scale is None) == (size is None):
        raise UsageError("imresize wants either scale or size")
    if size is not None:
        height, width = int(size[0]), int(size[1])
    else:
        assert scale is not None  # noqa: S101 - narrows the type, checked above
        if not 0 < scale < np.inf:
            raise UsageError(f"scale must be positive and finite, not {scale}")
        height, width = int(np.ceil(scale * shape[0])), int(np.ceil(scale * shape[1]))
    if height < 1 or width < 1:
        raise UsageError(f"size must be at least 1 x 1, not {height} x {width}")
    return height, width


def _resize_axis(image: npt.NDArray[Any], axis: int, length: int, scale: float) -> npt.NDArray[Any]:
    weights = _resize_weights(image.shape[axis], length, scale)
    values = image.astype(np.float64, copy=False)
    resized = np.asarray(weights @ values if axis == 0 else (weights @ values.T).T)
    if np.issubdtype(image.dtype, np.integer):
        limit = np.iinfo(image.dtype)
        return np.clip(np.floor(resized + 0.5), limit.min, limit.max).astype(image.dtype)
    return resized.astype(image.dtype, copy=False)


@lru_cache(maxsize=64)
def _resize_weights(in_length: int, out_length: int, scale: float) -> "scipy.sparse.csr_array[np.float64]":
    """(out_length, in_length) weights. Taps of weight zero stay stored: a NaN under one spreads as in MATLAB."""
    shrink = min(scale, 1.0)
    width = 4.0 / shrink
    position = np.arange(1, out_length + 1) / scale + 0.5 * (1 - 1 / scale)
    taps = np.floor(position - width / 2)[:, None] + np.arange(int(np.ceil(width)) + 2)
    weights = _cubic(shrink * (position[:, None] - taps))
    weights /= weights.sum(axis=1, keepdims=True)
    used = np.any(weights != 0, axis=0)
    taps, weights = taps[:, used].astype(np.int64), weights[:, used]
    mirrored = np.concatenate([np.arange(in_length), np.arange(in_length)[::-1]])[(taps - 1) % (2 * in_length)]
    rows = np.repeat(np.arange(out_length), mirrored.shape[1])
    return scipy.sparse.csr_array((weights.ravel(), (rows, mirrored.ravel())), shape=(out_length, in_length))


def _cubic(x: FloatArray) -> FloatArray:
    """The cubic convolution kernel of Keys (1981) with a = -0.5."""
    near, far = np.abs(x), np.abs(x) ** 2
    inner = (1.5 * near - 2.5) * far + 1
    outer = ((-0.5 * near + 2.5) * near - 4) * near + 2
    return np.where(near <= 1, inner, np.where(near <= 2, outer, 0.0))


def mit_blur(fixation_map: FixationMap, *, cutoff: float = MIT_CUTOFF) -> FloatArray:
    """MIT300's low-pass filter: a Gaussian in the frequency domain that halves `cutoff` cycles per image.

    (H, W) to (H, W) float64. The map is zero-padded to a square whose side is a power of two, so the width of the blur
    in pixels depends on that side, and it wraps around. Round-off leaves values near -1e-18: see `mit_density`.
    Raises ShapeError for a side above 16384, which would need many gigabytes.
    Source: antonioGaussian of the MIT Saliency Benchmark.
    """
    height, width = fixation_map.shape
    longest = max(height, width)
    side = 1 << int(np.ceil(np.log2(longest + longest % 2)))
    if side > LONGEST_PADDED_SIDE:
        raise ShapeError(
            f"a map of {height} x {width} would be blurred as {side} x {side} pixels; scale it down, or name a sigma"
        )
    points = to_float(np.asarray(fixation_map))
    spread = cutoff / np.sqrt(np.log(2))
    highest = int(np.ceil(spread * np.sqrt(-np.log(NEGLIGIBLE))))
    if side >= 256 and highest < side // 4:
        return _blur_by_waves(points, side, spread, highest)
    spectrum = scipy.fft.rfft2(points, s=(side, side))
    spectrum *= np.exp(-((scipy.fft.fftfreq(side, 1 / side) / spread) ** 2))[:, None]
    spectrum *= np.exp(-((scipy.fft.rfftfreq(side, 1 / side) / spread) ** 2))
    blurred: FloatArray = scipy.fft.irfft2(spectrum, s=(side, side))[:height, :width]
    return blurred


def _blur_by_waves(points: FloatArray, side: int, spread: float, highest: int) -> FloatArray:
    """The same filter as sums of the few waves that it lets through: two to four times faster than whole FFTs."""
    (rows, row_gains), (columns, column_gains) = (_waves(n, side, spread, highest) for n in points.shape)
    at = np.nonzero(points)
    if len(at[0]) < FEW_POINTS:
        amplitudes = (rows[at[0]] * points[at][:, None]).T @ columns[at[1]]
    else:
        amplitudes = rows.T @ points @ columns
    amplitudes *= row_gains[:, None]
    amplitudes *= column_gains
    blurred: FloatArray = rows @ amplitudes @ columns.T
    return blurred


@lru_cache(maxsize=16)
def _waves(length: int, side: int, spread: float, highest: int) -> tuple[FloatArray, FloatArray]:
    """Cosines of frequency 0 to `highest` per `side` and sines from 1, (length, waves), and each wave's gain."""
    frequencies = np.arange(highest + 1)
    phases = 2 * np.pi * np.outer(np.arange(length), frequencies) / side
    gains = np.exp(-((frequencies / spread) ** 2)) / side
    gains[1:] *= 2  # each stands for its negative too
    return np.concatenate([np.cos(phases), np.sin(phases[:, 1:])], axis=1), np.concatenate([gains, gains[1:]])


def check_sigma(sigma: float | None) -> None:
    """UsageError unless a blur's sigma is None or a positive, finite number of pixels."""
    if sigma is not None and not 0 < sigma < np.inf:
        raise UsageError(f"blur sigma is {sigma}; wanted: a positive, finite number of pixels")


def mit_density(fixation_map: FixationMap, *, sigma: float | None = None) -> FloatArray:
    """The continuous ground truth of a fixation map, without the blur's negative round-off.

    (H, W) to (H, W) float64, at least 0, not normalised. `sigma` None: MIT300's filter (`mit_blur` at 8 cycles per
    image). Else a Gaussian of that many pixels, cut at four sigma, zero outside the frame.
    """
    if sigma is None:
        return np.maximum(mit_blur(fixation_map), 0.0)
    return gaussian_blur(to_float(np.asarray(fixation_map)), sigma, "constant")


def gaussian_blur(counts: FloatArray, sigma: float, mode: Literal["constant", "reflect"]) -> FloatArray:
    """A Gaussian of sigma pixels, cut at four sigma, as SciPy's `gaussian_filter` makes it: (H, W) to (H, W).

    `mode`: zeros beyond the frame, or its mirror image. Raises UsageError for a sigma that is not positive and finite.
    """
    check_sigma(sigma)
    if max(counts.shape) > LONGEST_MATRIX:
        blurred: FloatArray = scipy.ndimage.gaussian_filter(counts, sigma, mode=mode)
        return blurred
    over_rows, over_columns = (_gaussian_matrix(length, float(sigma), mode) for length in counts.shape)
    rows, columns = np.nonzero(counts)
    if rows.size < min(counts.shape):  # a sum of that many outer products is cheaper than two full products
        return (over_rows[:, rows] * counts[rows, columns]) @ over_columns[:, columns].T
    return over_rows @ counts @ over_columns.T


@lru_cache(maxsize=8)
def _gaussian_matrix(length: int, sigma: float, mode: Literal["constant", "reflect"]) -> FloatArray:
    """(length, length): the Gaussian along one axis as a matrix; column i is what a point at i becomes."""
    matrix: FloatArray = scipy.ndimage.gaussian_filter1d(np.eye(length), sigma, axis=0, mode=mode)
    matrix.flags.writeable = False
    return matrix
