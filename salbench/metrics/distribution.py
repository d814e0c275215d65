"""Metrics that compare a saliency map with a continuous ground-truth map: CC, SIM, KL and EMD."""

import numpy as np
import numpy.typing as npt

from salbench.arrays import FloatArray
from salbench.errors import UsageError
from salbench.maps import (
    SAFE_SQUARES,
    deviations_from_mean,
    imresize,
    in_blocks,
    is_flat,
    normalise_sum,
    resize_to,
    value_range,
)
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
    if is_flat(saliency) or is_flat(truth):
        return np.nan
    products = _centred_products(saliency, truth)
    if not all(SAFE_SQUARES[0] < squares < SAFE_SQUARES[1] for squares in products[1:]):
        ours, theirs = (deviations_from_mean(values)[0] for values in (saliency, truth))
        products = float(np.vdot(ours, theirs)), float(np.vdot(ours, ours)), float(np.vdot(theirs, theirs))
    together, our_squares, their_squares = products
    return float(together / (np.sqrt(our_squares) * np.sqrt(their_squares)))


def _centred_products(saliency: FloatArray, truth: FloatArray) -> tuple[float, float, float]:
    """Sums over pixels of the products of deviations from the means: saliency x truth, saliency², truth²."""
    our_mean, their_mean = saliency.mean(), truth.mean()
    products = np.zeros(3)
    for ours, theirs in in_blocks(saliency, truth):
        a, b = ours - our_mean, theirs - their_mean
        products += (a @ b, a @ a, b @ b)
    together, our_squares, their_squares = products.tolist()
    return together, our_squares, their_squares


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
    ours, theirs = Histogram(saliency), Histogram(truth)
    blocks = in_blocks(saliency, truth)
    return float(sum(np.minimum(ours.of(some), theirs.of(others)).sum() for some, others in blocks))


class Histogram:
    """A map range-normalised and divided by its sum, without a copy of the map; an all-zero map stays zero."""

    def __init__(self, values: FloatArray) -> None:
        self.low, high = value_range(values)
        self.zero = self.low == 0 and high == 0 and not np.isnan(values.sum())
        self.mass = np.nan
        if high > self.low:
            self.mass = float(sum((block - self.low).sum() for (block,) in in_blocks(values)))

    def of(self, block: FloatArray) -> FloatArray:
        """The histogram's values for some pixels of the map; NaN everywhere for a flat map that is not zero."""
        if self.zero:
            return np.zeros(block.shape)
        part: FloatArray = block - self.low
        part /= self.mass
        return part


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
    our_mass, their_mass = (_mass(values) for values in (saliency, truth))
    with np.errstate(divide="ignore", invalid="ignore"):
        blocks = in_blocks(saliency, truth)
        return float(sum(_kl_terms(ours / our_mass, theirs / their_mass).sum() for ours, theirs in blocks))


def _mass(values: FloatArray) -> float:
    """What a map is divided by: its sum, or 1 for one without any mass."""
    total = float(values.sum())
    return 1.0 if total == 0 and not np.any(values) else total


def _kl_terms(p: FloatArray, q: FloatArray) -> FloatArray:
    """q * log(eps + q / (p + eps)), with the memory of p."""
    p += EPSILON
    np.divide(q, p, out=p)
    p += EPSILON
    np.log(p, out=p)
    p *= q
    return p


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
