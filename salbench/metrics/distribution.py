"""Metrics that compare a saliency map with a continuous ground-truth map: CC, SIM, KL and EMD."""

import numpy as np
import numpy.typing as npt

from salbench.errors import UsageError
from salbench.maps import SAFE_SQUARES, in_blocks, normalise_sum
from salbench.metrics.location import EPSILON
from salbench.metrics.prepared import DOWNSIZE, PreparedMap, centred_dot, dot, prepare
from salbench.metrics.transport import transport_cost


def cc(saliency_map: npt.ArrayLike, ground_truth_map: npt.ArrayLike) -> float:
    """Pearson's linear correlation coefficient of the two maps.

    Shapes: (H, W) and (H', W'); the saliency map is resized to the ground-truth map.
    Range -1 to 1; symmetric. NaN where one of the maps is constant.
    Raises ShapeError and ValueRangeError for maps that cannot be what their argument's name says.
    Source: CC of the MIT Saliency Benchmark.
    """
    truth = prepare(ground_truth_map, "ground_truth_map")
    return cc_of(prepare(saliency_map, "saliency_map").resized(truth.shape), truth)


def cc_of(saliency: PreparedMap, truth: PreparedMap) -> float:
    """CC of two maps of one size."""
    if saliency.is_flat or truth.is_flat:
        return np.nan
    if not all(SAFE_SQUARES[0] < values.squares < SAFE_SQUARES[1] for values in (saliency, truth)):
        saliency, truth = saliency.moderate, truth.moderate
    return _product_of_deviations(saliency, truth) / (float(np.sqrt(saliency.squares)) * float(np.sqrt(truth.squares)))


def _product_of_deviations(saliency: PreparedMap, truth: PreparedMap) -> float:
    """Sum over pixels of the products of the deviations from the means."""
    means = saliency.total * truth.total / truth.size
    # As for a map's own squares: where the means are small against the deviations, hardly a digit cancels.
    if means * means <= 8 * saliency.squares * truth.squares:
        return dot(saliency.flat, truth.flat) - means
    return centred_dot(saliency, truth)


def sim(saliency_map: npt.ArrayLike, ground_truth_map: npt.ArrayLike) -> float:
    """Similarity, the intersection of the two maps as histograms: each range-normalised, then divided by its sum.

    Shapes: (H, W) and (H', W'); the saliency map is resized to the ground-truth map.
    Range 0 to 1; symmetric. An all-zero map has similarity 0 with any other; NaN for another constant map or where a
    pixel is NaN.
    Raises ShapeError and ValueRangeError for maps that cannot be what their argument's name says.
    Source: Judd et al. 2012; similarity of the MIT Saliency Benchmark.
    """
    truth = prepare(ground_truth_map, "ground_truth_map")
    return sim_of(prepare(saliency_map, "saliency_map").resized(truth.shape), truth)


def sim_of(saliency: PreparedMap, truth: PreparedMap) -> float:
    """SIM of two maps of one size."""
    pair = saliency, truth
    if any(np.isnan(values.total) or not (values.is_zero or values.high > values.low) for values in pair):
        return np.nan
    if any(values.is_zero for values in pair):
        return 0.0
    ours, theirs = (_moderate_unless_safe(values, values.mass) for values in pair)
    low, gain, truth_low, truth_gain = ours.low, 1 / ours.mass, theirs.low, 1 / theirs.mass
    similarity = 0.0
    for block, truth_block in in_blocks(ours.values, theirs.values):
        share, truth_share = block - low, truth_block - truth_low
        share *= gain
        truth_share *= truth_gain
        similarity += float(np.minimum(share, truth_share, out=share).sum())
    return similarity


def _moderate_unless_safe(values: PreparedMap, divisor: float) -> PreparedMap:
    """The map, or a multiple of it, such that one over its sum is finite: products are quicker than quotients."""
    return values if SAFE_SQUARES[0] < abs(divisor) < SAFE_SQUARES[1] else values.moderate


def kl_divergence(saliency_map: npt.ArrayLike, ground_truth_map: npt.ArrayLike) -> float:
    """Kullback-Leibler divergence of the saliency map from the ground truth, each divided by its sum.

    Shapes: (H, W) and (H', W'); the saliency map is resized to the ground-truth map.
    Unit: nats; 0 for equal maps, large where the saliency map misses mass of the ground truth. NaN where a pixel is NaN
    or where negative values leave the logarithm undefined.
    Raises ShapeError and ValueRangeError for maps that cannot be what their argument's name says.
    Source: KLdiv of the MIT Saliency Benchmark.
    """
    truth = prepare(ground_truth_map, "ground_truth_map")
    return kl_divergence_of(prepare(saliency_map, "saliency_map"), truth)


def kl_divergence_of(saliency: PreparedMap, truth: PreparedMap) -> float:
    """KL of a saliency map as it was read: its sign counts before it is resized."""
    pair = _resized_non_negative(saliency, truth.shape), truth
    ours, theirs = (_moderate_unless_safe(values, values.total) for values in pair)
    gain, truth_gain, divergence = _reciprocal(ours), _reciprocal(theirs), 0.0
    with np.errstate(divide="ignore", invalid="ignore"):
        for block, truth_block in in_blocks(ours.values, theirs.values):
            q, p = truth_block * truth_gain, block * gain
            p += EPSILON
            np.divide(q, p, out=p)
            p += EPSILON
            divergence += float(np.dot(q, np.log(p, out=p)))
    return divergence


def _reciprocal(values: PreparedMap) -> float:
    """What a map is multiplied by: one over its sum, or 1 for one without any mass."""
    if values.total == 0:
        return 1.0 if values.is_zero else np.inf
    return 1 / values.total


def _resized_non_negative(saliency: PreparedMap, size: tuple[int, int]) -> PreparedMap:
    """Resized; where the kernel overshoots below zero on a map that has no negative value, zero."""
    resized = saliency.resized(size)
    if resized is saliency or saliency.low < 0 or not resized.low < 0:
        return resized
    return PreparedMap(np.maximum(resized.values, 0.0))


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
    truth = prepare(ground_truth_map, "ground_truth_map")
    return emd_of(prepare(saliency_map, "saliency_map"), truth, downsize=downsize)


def emd_of(saliency: PreparedMap, truth: PreparedMap, *, downsize: int = DOWNSIZE) -> float:
    """EMD of a saliency map as it was read: it is resized to the ground truth's cells, not to its pixels."""
    small_truth = truth.shrunken if downsize == DOWNSIZE else truth.at_scale(1 / downsize)
    height, width = small_truth.shape
    small_saliency = saliency.resized((height, width)).values
    if not (np.any(small_truth) and np.any(small_saliency)):
        return np.nan
    return transport_cost(normalise_sum(small_truth), normalise_sum(small_saliency))
