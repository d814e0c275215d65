"""Protocol `tuebingen`: today's MIT/Tübingen Saliency Benchmark, as the package pysaliency computes it.

Every fixation counts, repeats included. AUC and sAUC are exact areas under the ROC curve, ties counting half: against
all pixels, and against every fixation of all other images. NSS divides by N. CC, KL and SIM compare with the counted
fixations under a Gaussian of 24 px. Written from pysaliency 0.2.22 and the benchmark's settings (repository
matthias-k/saliency-benchmarking), which regularise KL by 2.2204e-16 where pysaliency's default is another.

Deliberate differences:

- a map of another size is resized (MATLAB's `imresize`; cut at zero where the kernel overshoots below it on a map
  without negative values); pysaliency refuses it;
- 8-bit and 16-bit values are divided by 255 and 65535, which only rounding in the last digits can see;
- a map with a NaN has NaN in every metric, where pysaliency's result depends on how a sort places it;
- a constant map is told by its equal values, not by a standard deviation of exactly 0, which rounding can miss; its
  scores are pysaliency's: AUC and sAUC 0.5, NSS and CC 0, KL and SIM those of a uniform map;
- without fixations, and sAUC without those of others, everything is NaN: pysaliency compares an empty ground truth as a
  uniform one;
- CC against a flat ground truth is NaN without a warning;
- the blur is 24 px as the benchmark's pages say; its code blurs the ground truth by 23.99 px;
- fixations are rounded to pixels (a whole number is the middle of a pixel); pysaliency cuts the decimals off;
- the benchmark's IG is relative to a uniform density; here it is relative to the centre prior of the other images, and
  LL is the absolute log-likelihood (see `salbench.protocols.log_density`, which also lists what differs in the maps of
  probabilistic models).
"""

import math
from collections.abc import Callable, Sequence

import numpy as np

from salbench.arrays import FixationMap, FloatArray, IntArray, SaliencyMap
from salbench.maps import deviations_from_mean, gaussian_blur, is_flat, resize_to
from salbench.metrics.inputs import as_map
from salbench.protocols.protocol import LOG_DENSITY_METRICS, GroundTruth, Protocol, RngOf

SIGMA = 24.0
"""Pixels: the Gaussian of the ground truth."""
KL_EPSILON = 2.2204e-16
"""The benchmark's regularisation of KL: MATLAB's eps, as its authors wrote it down."""


def density(fixation_counts: FixationMap, sigma: float | None = None) -> FloatArray:
    """The ground-truth map: counts of fixations under a Gaussian of 24 px (or `sigma`), cut at 4 sigma, edges mirrored.

    (H, W) to (H, W) float64, not normalised. Raises UsageError for a sigma that is not positive and finite.
    """
    return gaussian_blur(np.asarray(fixation_counts, dtype=np.float64), SIGMA if sigma is None else sigma, "reflect")


def describe_blur(sigma: float | None) -> str:
    """What `density` does, in words."""
    return f"Gaussian, sigma {SIGMA if sigma is None else sigma:g} px"


def corner_rescaled(coordinates: IntArray, own: int, wanted: int) -> IntArray:
    """Rows or columns of a frame of length `own` in one of length `wanted`: times wanted / own, decimals cut off.

    pysaliency's rule, in its order of arithmetic, of which some results on a pixel's border depend.
    """
    rescaled: IntArray = (coordinates * (wanted / own)).astype(np.int64)
    return rescaled


def fit_map(saliency_map: SaliencyMap, size: tuple[int, int]) -> FloatArray:
    """A saliency map as float64 of (height, width) `size`, resized where it has another.

    Raises ShapeError and ValueRangeError as `salbench.metrics.inputs.as_map`.
    """
    read = as_map(saliency_map, "saliency_map")
    fitted = resize_to(read, size)
    if fitted is read or np.any(read < 0):
        return fitted
    return np.maximum(fitted, 0.0)


def auc(saliency: FloatArray, positions: IntArray) -> float:
    """AUC: the chance that a fixation has a larger value than any pixel of the map, equal values counting half.

    `saliency`: (H, W), finite. `positions`: (n, 2) [row, column], repeats counted. Range 0 to 1, chance and constant
    maps 0.5; NaN without fixations.
    """
    if not len(positions):
        return math.nan
    below, up_to = _places(np.sort(saliency, axis=None), _values_at(saliency, positions))
    return float((below + up_to).mean()) / (2 * saliency.size)


def auc_shuffled(saliency: FloatArray, positions: IntArray, other_counts: FloatArray) -> float:
    """sAUC: the same against the fixations of all other images.

    `other_counts`: (H, W), how many fixations of other images each pixel has. NaN without any, or without fixations.
    """
    negative = other_counts > 0
    if not len(positions) or not negative.any():
        return math.nan
    values, weights = saliency[negative], other_counts[negative]
    order = np.argsort(values)
    cumulated = np.concatenate([[0.0], np.cumsum(weights[order])])
    below, up_to = _places(values[order], _values_at(saliency, positions))
    return float((cumulated[below] + cumulated[up_to]).mean() / (2 * cumulated[-1]))


def _values_at(saliency: FloatArray, positions: IntArray) -> FloatArray:
    values: FloatArray = saliency[positions[:, 0], positions[:, 1]]
    return values


def _places(ascending: FloatArray, values: FloatArray) -> tuple[IntArray, IntArray]:
    """For each value how many of the ascending ones are smaller, and how many are not larger."""
    return np.searchsorted(ascending, values, side="left"), np.searchsorted(ascending, values, side="right")


def nss(saliency: FloatArray, positions: IntArray) -> float:
    """NSS: mean z-score at the fixations, repeats counted; standard deviation over N.

    0 for a constant map; NaN without fixations.
    """
    if not len(positions):
        return math.nan
    if is_flat(saliency):
        return 0.0
    deviations, squares = deviations_from_mean(saliency)
    return float(_values_at(deviations, positions).mean() / np.sqrt(squares / saliency.size))


def cc(saliency: FloatArray, target: FloatArray) -> float:
    """CC: Pearson's correlation of the map and the ground truth, (H, W) both.

    0 for a constant map; NaN for a constant ground truth.
    """
    if is_flat(target):
        return math.nan
    if is_flat(saliency):
        return 0.0
    (ours, our_squares), (theirs, their_squares) = (deviations_from_mean(values) for values in (saliency, target))
    return float(np.vdot(ours, theirs)) / float(np.sqrt(our_squares) * np.sqrt(their_squares))


def kl_divergence(saliency: FloatArray, target: FloatArray) -> float:
    """KL of the ground truth from the map, each made a density by `histogram`; nats.

    Sum of q * log(eps + q / (p + eps)) over (H, W), eps = 2.2204e-16; NaN for a ground truth without mass.
    """
    if not np.any(target):
        return math.nan
    p, q = histogram(saliency), histogram(target)
    return float(np.vdot(q, np.log(KL_EPSILON + q / (p + KL_EPSILON))))


def sim(saliency: FloatArray, target: FloatArray) -> float:
    """SIM: the sum of the smaller of the two densities of `histogram`; NaN for a ground truth without mass."""
    if not np.any(target):
        return math.nan
    return float(np.minimum(histogram(saliency), histogram(target)).sum())


def histogram(values: FloatArray) -> FloatArray:
    """A map as a density: shifted up to 0 where it has negative values, divided by its sum; uniform without mass."""
    lowest = float(values.min())
    shifted = values - lowest if lowest < 0 else values
    mass = float(shifted.sum())
    if mass == 0:
        return np.full(values.shape, 1 / values.size)
    density_of_map: FloatArray = shifted / mass
    return density_of_map


_AT_FIXATIONS: dict[str, Callable[[FloatArray, IntArray], float]] = {"auc_judd": auc, "nss": nss}
_AGAINST_DENSITY: dict[str, Callable[[FloatArray, FloatArray], float]] = {
    "cc": cc,
    "sim": sim,
    "kl_divergence": kl_divergence,
}


def evaluate(saliency_map: SaliencyMap, truth: GroundTruth, keys: Sequence[str], rng: RngOf) -> dict[str, float]:
    """Scores of one saliency map by metric key; nothing is drawn.

    `saliency_map`: (H, W), resized to the ground truth where its size differs. Information gain and log-likelihood are
    not among the keys: see `salbench.protocols.log_density`.
    Raises ShapeError and ValueRangeError for a map that no metric accepts.
    """
    del rng  # every protocol is called alike
    saliency = fit_map(saliency_map, truth.fixation_map.shape)
    if np.isnan(saliency.sum()):
        return dict.fromkeys(keys, math.nan)
    return {key: _score(key, saliency, truth) for key in keys}


def _score(key: str, saliency: FloatArray, truth: GroundTruth) -> float:
    if key in _AT_FIXATIONS:
        return _AT_FIXATIONS[key](saliency, truth.known_positions)
    if key == "auc_shuffled":
        assert truth.other_counts is not None  # noqa: S101 - the runner gives what the metrics need
        return auc_shuffled(saliency, truth.known_positions, truth.other_counts)
    assert truth.density is not None  # noqa: S101 - likewise
    return _AGAINST_DENSITY[key](saliency, truth.density)


TUEBINGEN = Protocol(
    key="tuebingen",
    label="MIT/Tübingen",
    description="today's MIT/Tübingen Saliency Benchmark, as pysaliency computes it; IG against the centre prior",
    metrics=("auc_judd", "auc_shuffled", "nss", "information_gain", "log_likelihood", "cc", "sim", "kl_divergence"),
    density=density,
    evaluate=evaluate,
    describe_blur=describe_blur,
    other_images=None,
    symbols={"auc_judd": "AUC (Tübingen)"},
    repeats=True,
    rescaled=corner_rescaled,
    needs_log_density=LOG_DENSITY_METRICS | {"information_gain"},
)
