"""Metrics that read a saliency map at the fixated pixels: NSS and information gain."""

import numpy as np
import numpy.typing as npt

from salbench.arrays import BoolArray, FloatArray
from salbench.maps import SAFE_SQUARES, in_blocks, is_flat, resize_to, standardise, value_range
from salbench.metrics.inputs import as_fixation_mask, as_map

EPSILON = float(np.finfo(np.float64).eps)
"""MATLAB's eps, 2 ** -52, which keeps the reference's logarithms finite."""


def nss(saliency_map: npt.ArrayLike, fixation_map: npt.ArrayLike) -> float:
    """Normalized scanpath saliency: mean z-score of the saliency map at fixated pixels.

    Shapes: (H, W) and (H', W'); the saliency map is resized to the fixation map.
    Unit: standard deviations (N - 1); chance 0. NaN without fixations or for a constant map.
    Raises ShapeError and ValueRangeError for maps that cannot be what their argument's name says.
    Source: Peters et al. 2005; NSS of the MIT Saliency Benchmark.
    """
    fixated = as_fixation_mask(fixation_map)
    saliency = resize_to(as_map(saliency_map, "saliency_map"), fixated.shape)
    mean, squares = _mean_and_squares(saliency)
    if SAFE_SQUARES[0] < squares < SAFE_SQUARES[1] and not is_flat(saliency):
        return _mean_or_nan((saliency[fixated] - mean) / np.sqrt(squares / (saliency.size - 1)))
    return _mean_or_nan(standardise(saliency)[fixated])


def _mean_and_squares(values: FloatArray) -> tuple[float, float]:
    """The mean, and the sum of the squares of the deviations from it."""
    mean = float(values.mean())
    squares = 0.0
    for (block,) in in_blocks(values):
        deviations = block - mean
        squares += float(deviations @ deviations)
    return mean, squares


def information_gain(saliency_map: npt.ArrayLike, fixation_map: npt.ArrayLike, baseline_map: npt.ArrayLike) -> float:
    """Information gain: how much better than the baseline map the saliency map tells where the fixations are.

    Shapes: (H, W), (H', W') and any; saliency and baseline map are resized to the fixation map, range-normalised and
    divided by their sums. Unit: bits per fixation; the baseline itself has 0. NaN without fixations or for a constant
    map. Range normalisation leaves at least one pixel at zero, worth log2(eps) = -52 bits where it is fixated: single
    fixations can dominate the mean.
    Raises ShapeError and ValueRangeError for maps that cannot be what their argument's name says.
    Source: Kümmerer et al. 2015; InfoGain of the MIT Saliency Benchmark.
    """
    fixated = as_fixation_mask(fixation_map)
    saliency = resize_to(as_map(saliency_map, "saliency_map"), fixated.shape)
    baseline = resize_to(as_map(baseline_map, "baseline_map"), fixated.shape)
    return _mean_or_nan(_log2_density_at(fixated, saliency) - _log2_density_at(fixated, baseline))


def _log2_density_at(fixated: BoolArray, values: FloatArray) -> FloatArray:
    """log2 at the fixated pixels of the map, range-normalised and divided by its sum: the range itself cancels."""
    low, high = value_range(values)
    if not high > low:
        return np.full(np.count_nonzero(fixated), np.nan)
    mass = sum(float((block - low).sum()) for (block,) in in_blocks(values))
    return np.log2(EPSILON + (values[fixated] - low) / mass)


def _mean_or_nan(values: FloatArray) -> float:
    return float(values.mean()) if values.size else np.nan
