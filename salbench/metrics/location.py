"""Metrics that read a saliency map at the fixated pixels: NSS and information gain."""

import numpy as np
import numpy.typing as npt

from salbench.arrays import FloatArray, IntArray
from salbench.maps import SAFE_SQUARES, standardise
from salbench.metrics.inputs import FixatedPoints, as_fixated_points
from salbench.metrics.prepared import PreparedMap, prepare

EPSILON = float(np.finfo(np.float64).eps)
"""MATLAB's eps, 2 ** -52, which keeps the reference's logarithms finite."""


def nss(saliency_map: npt.ArrayLike, fixation_map: npt.ArrayLike) -> float:
    """Normalized scanpath saliency: mean z-score of the saliency map at fixated pixels.

    Shapes: (H, W) and (H', W'); the saliency map is resized to the fixation map.
    Unit: standard deviations (N - 1); chance 0. NaN without fixations or for a constant map.
    Raises ShapeError and ValueRangeError for maps that cannot be what their argument's name says.
    Source: Peters et al. 2005; NSS of the MIT Saliency Benchmark.
    """
    fixated = as_fixated_points(fixation_map)
    return nss_of(prepare(saliency_map, "saliency_map").resized(fixated.shape), fixated)


def nss_of(saliency: PreparedMap, fixated: FixatedPoints) -> float:
    """NSS of a map that has the size of the fixation map."""
    at_fixations = saliency.flat[fixated.indices]
    if SAFE_SQUARES[0] < saliency.squares < SAFE_SQUARES[1] and not saliency.is_flat:
        return _mean_or_nan((at_fixations - saliency.mean) / np.sqrt(saliency.squares / (saliency.size - 1)))
    return _mean_or_nan(standardise(saliency.values).ravel()[fixated.indices])


def information_gain(saliency_map: npt.ArrayLike, fixation_map: npt.ArrayLike, baseline_map: npt.ArrayLike) -> float:
    """Information gain: how much better than the baseline map the saliency map tells where the fixations are.

    Shapes: (H, W), (H', W') and any; saliency and baseline map are resized to the fixation map, range-normalised and
    divided by their sums. Unit: bits per fixation; the baseline itself has 0. NaN without fixations or for a constant
    map. Range normalisation leaves at least one pixel at zero, worth log2(eps) = -52 bits where it is fixated: single
    fixations can dominate the mean.
    Raises ShapeError and ValueRangeError for maps that cannot be what their argument's name says.
    Source: Kümmerer et al. 2015; InfoGain of the MIT Saliency Benchmark.
    """
    fixated = as_fixated_points(fixation_map)
    saliency, baseline = prepare(saliency_map, "saliency_map"), prepare(baseline_map, "baseline_map")
    return information_gain_of(saliency.resized(fixated.shape), fixated, baseline.resized(fixated.shape))


def information_gain_of(saliency: PreparedMap, fixated: FixatedPoints, baseline: PreparedMap) -> float:
    """Information gain of maps that have the size of the fixation map."""
    return gain_over(saliency, fixated, log2_density_at(fixated.indices, baseline))


def gain_over(saliency: PreparedMap, fixated: FixatedPoints, baseline_log2: FloatArray) -> float:
    """The same where only the baseline's `log2_density_at` the fixated pixels is at hand, (n,)."""
    return _mean_or_nan(log2_density_at(fixated.indices, saliency) - baseline_log2)


def log2_density_at(indices: IntArray, values: PreparedMap) -> FloatArray:
    """log2 at these pixels of the map, range-normalised and divided by its sum: the range itself cancels."""
    if not values.high > values.low:
        return np.full(indices.shape, np.nan)
    return np.log2(EPSILON + (values.flat[indices] - values.low) / values.mass)


def _mean_or_nan(values: FloatArray) -> float:
    return float(values.mean()) if values.size else np.nan
