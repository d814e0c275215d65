"""Protocol `mit300`: the MIT Saliency Benchmark's reference code, the default."""

from collections.abc import Callable, Sequence
from functools import cached_property

import numpy as np

from salbench.arrays import FixationMap, FloatArray, IntArray, SaliencyMap
from salbench.maps import MIT_CUTOFF, mit_density, normalise_range
from salbench.metrics import METRICS
from salbench.metrics.auc import as_pool, auc_borji_of, auc_judd_of, auc_shuffled_of
from salbench.metrics.distribution import cc_of, emd_of, kl_divergence_of, sim_of
from salbench.metrics.inputs import FixatedPoints, as_fixated_points
from salbench.metrics.location import gain_over, log2_density_at, nss_of
from salbench.metrics.prepared import PreparedMap, prepare
from salbench.protocols.protocol import GroundTruth, Protocol, RngOf


def density(fixation_map: FixationMap, sigma: float | None) -> FloatArray:
    """The ground-truth map: MIT300's filter, or a Gaussian of sigma pixels. See `salbench.maps.mit_density`."""
    return mit_density(fixation_map, sigma=sigma)


def describe_blur(sigma: float | None) -> str:
    """What `density` does, in words."""
    if sigma is None:
        return f"MIT300 low-pass, {MIT_CUTOFF:g} cycles per image"
    return f"Gaussian, sigma {sigma:g} px"


def evaluate(saliency_map: SaliencyMap, truth: GroundTruth, keys: Sequence[str], rng: RngOf) -> dict[str, float]:
    """Scores of one saliency map by metric key.

    `saliency_map`: (H, W), resized to the ground truth where its size differs. Raises ShapeError and ValueRangeError
    for a map that no metric accepts.
    """
    pair = _Pair(saliency_map, truth, rng)
    return {key: _SCORES[key](pair) for key in keys}


class _Pair:
    """A saliency map and what it is compared with, each made ready once for all metrics that ask for it."""

    def __init__(self, saliency_map: SaliencyMap, truth: GroundTruth, rng: RngOf) -> None:
        self.read = prepare(saliency_map, "saliency_map")
        self.truth, self.rng = truth, rng

    @cached_property
    def fixated(self) -> FixatedPoints:
        return as_fixated_points(self.truth.fixation_map)

    @cached_property
    def fitted(self) -> PreparedMap:
        """The saliency map in the size of the ground truth."""
        return self.read.resized(self.fixated.shape)

    @cached_property
    def stretched(self) -> PreparedMap:
        """AUC-J's jitter is absolute, so a density of tiny values would drown in it: its range is stretched first."""
        low, high = self.fitted.low, self.fitted.high
        if low == high:
            return PreparedMap(np.zeros(self.fitted.shape))
        if (low, high) == (0.0, 1.0):
            return self.fitted
        return PreparedMap(normalise_range(self.fitted.values))

    @cached_property
    def density(self) -> PreparedMap:
        assert self.truth.density is not None  # noqa: S101 - narrows the type: the runner makes what metrics need
        if self.truth.density_statistics is not None:
            return PreparedMap(self.truth.density, self.truth.density_statistics)
        return prepare(self.truth.density, "ground_truth_map")

    @cached_property
    def baseline_log2(self) -> FloatArray:
        """Of the baseline at the fixated pixels."""
        if self.truth.baseline_log2 is not None:
            return self.truth.baseline_log2
        assert self.truth.baseline_map is not None  # noqa: S101
        baseline = prepare(self.truth.baseline_map, "baseline_map").resized(self.fixated.shape)
        return log2_density_at(self.fixated.indices, baseline)

    @cached_property
    def others(self) -> IntArray:
        assert self.truth.other_map is not None  # noqa: S101
        return as_pool(self.truth.other_map, self.fixated)


_SCORES: dict[str, Callable[[_Pair], float]] = {
    "auc_judd": lambda pair: auc_judd_of(pair.stretched, pair.fixated, rng=pair.rng("auc_judd")),
    "auc_borji": lambda pair: auc_borji_of(pair.fitted, pair.fixated, rng=pair.rng("auc_borji")),
    "auc_shuffled": lambda pair: auc_shuffled_of(pair.fitted, pair.fixated, pair.others, rng=pair.rng("auc_shuffled")),
    "nss": lambda pair: nss_of(pair.fitted, pair.fixated),
    "information_gain": lambda pair: gain_over(pair.fitted, pair.fixated, pair.baseline_log2),
    "cc": lambda pair: cc_of(pair.fitted.resized(pair.density.shape), pair.density),
    "sim": lambda pair: sim_of(pair.fitted.resized(pair.density.shape), pair.density),
    # These look at the map before it is resized: KL at its sign, EMD resizes it to its own grid.
    "kl_divergence": lambda pair: kl_divergence_of(pair.read, pair.density),
    "emd": lambda pair: emd_of(pair.read, pair.density),
}


MIT300 = Protocol(
    key="mit300",
    label="MIT300",
    description="MIT Saliency Benchmark's MATLAB code (Bylinskii et al.); IG against the centre prior of the split",
    metrics=tuple(METRICS),
    density=density,
    evaluate=evaluate,
    describe_blur=describe_blur,
    takes_statistics=True,
)
