"""Metrics that compare a saliency map with a continuous ground-truth map: CC, SIM, KL and EMD."""

import numpy as np
import numpy.typing as npt

from salbench.arrays import FloatArray
from salbench.errors import UsageError
from salbench.maps import imresize, normalise_range, normalise_sum, resize_to, standardise
from salbench.metrics.inputs import as_map
from salbench.metrics.location import EPSILON
from salbench.metrics.transport import transport_cost


def cc(saliency_map: npt.ArrayLike, ground_truth_map: npt.ArrayLike) -> float:
    """Pearson's linear correlation coefficient of the two maps.

    Shapes: (H, W) and (H', W'); the saliency map is resized to the ground-truth map.
    Range -1 to 1; symmetric. NaN where one of the maps is constant.
    Raises ShapeError and ValueRangeError for maps that cannot be what their argument's name says.
    Source: CC of the MIT Saliency Benchmark.
    """
    truth = as_map(ground_truth_map, "ground_truth_map")
    saliency = resize_to(as_map(saliency_map, "saliency_map"), truth.shape)
    if truth.size < 2:
        return np.nan
    return float(np.vdot(standardise(saliency), standardise(truth)) / (truth.size - 1))


def sim(saliency_map: npt.ArrayLike, ground_truth_map: npt.ArrayLike) -> float:
    """Similarity, the intersection of the two maps as histograms: each range-normalised, then divided by its sum.

    Shapes: (H, W) and (H', W'); the saliency map is resized to the ground-truth map.
    Range 0 to 1; symmetric. An all-zero map has similarity 0 with any other; NaN for another constant map or where a
    pixel is NaN.
    Raises ShapeError and ValueRangeError for maps that cannot be what their argument's name says.
    Source: Judd et al. 2012; similarity of the MIT Saliency Benchmark.
    """
    truth = as_map(ground_truth_map, "ground_truth_map")
    saliency = resize_to(as_map(saliency_map, "saliency_map"), truth.shape)
    return float(np.minimum(_histogram(saliency), _histogram(truth)).sum())


def _histogram(values: FloatArray) -> FloatArray:
    return normalise_sum(normalise_range(values)) if np.any(values) else values


def kl_divergence(saliency_map: npt.ArrayLike, ground_truth_map: npt.ArrayLike) -> float:
    """Kullback-Leibler divergence of the saliency map from the ground truth, each divided by its sum.

    Shapes: (H, W) and (H', W'); the saliency map is resized to the ground-truth map.
    Unit: nats; 0 for equal maps, large where the saliency map misses mass of the ground truth. NaN where a pixel is NaN
    or where negative values leave the logarithm undefined.
    Raises ShapeError and ValueRangeError for maps that cannot be what their argument's name says.
    Source: KLdiv of the MIT Saliency Benchmark.
    """
    truth = as_map(ground_truth_map, "ground_truth_map")
    saliency = _resize_non_negative(as_map(saliency_map, "saliency_map"), truth.shape)
    p, q = normalise_sum(saliency), normalise_sum(truth)
    with np.errstate(divide="ignore", invalid="ignore"):
        return float(np.sum(q * np.log(EPSILON + q / (p + EPSILON))))


def _resize_non_negative(values: FloatArray, size: tuple[int, int]) -> FloatArray:
    """Resized; where the kernel overshoots below zero on a map that has no negative value, zero."""
    resized = resize_to(values, size)
    if resized is values or np.any(values < 0):
        return resized
    return np.maximum(resized, 0.0)


def emd(saliency_map: npt.ArrayLike, ground_truth_map: npt.ArrayLike, *, downsize: int = 32) -> float:
    """Earth mover's distance: the least work that turns one map into the other, on maps shrunk by `downsize`.

    Shapes: (H, W) and (H', W'); the ground truth is shrunk to ceil(H' / downsize) x ceil(W' / downsize) cells, the
    saliency map resized to that, each divided by its sum.
    Unit: cells, Euclidean. 0 for equal histograms; a map against itself may be slightly above 0 where the sides do not
    divide by `downsize`. NaN for a map without mass or with a NaN (there the reference gives a perfect 0).
    The exact optimum, not the reference solver's, which rounds to 1e-6.
    Raises ShapeError and ValueRangeError for maps that cannot be what their argument's name says, UsageError for a
    `downsize` below 1.
    Source: Rubner et al. 2000, Pele and Werman 2009; EMD of the MIT Saliency Benchmark.
    """
    if downsize < 1:
        raise UsageError(f"downsize is {downsize}; wanted: at least 1")
    small_truth = imresize(as_map(ground_truth_map, "ground_truth_map"), scale=1 / downsize)
    small_saliency = imresize(as_map(saliency_map, "saliency_map"), size=small_truth.shape)
    if not (np.any(small_truth) and np.any(small_saliency)):
        return np.nan
    return transport_cost(normalise_sum(small_truth), normalise_sum(small_saliency))
