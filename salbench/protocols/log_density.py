"""Scores of a probabilistic model: each metric gets the map that the model's density makes best for it.

Kümmerer, Wallis and Bethge (2018), "Saliency benchmarking made easy: separating models, maps and metrics": a model says
where fixations fall, as a log density; the map that a metric wants follows from the density and the metric.

| metric | map |
|---|---|
| AUC-J, AUC-B, Tübingen's AUC, NSS | the density |
| sAUC | the density over the baseline density, as ranks |
| CC, KL | the density under the protocol's own ground-truth blur |
| SIM | the map of the largest expected SIM, see `salbench.protocols.expected_sim` |
| EMD | the blurred density; the paper has no EMD, so it is a choice, not the optimum |

Log-likelihood and information gain have the density itself, without any map: bits per fixation, exact. Log-likelihood
is absolute; pysaliency's `log_likelihoods` is absolute too, but in nats. Information gain is relative to the baseline
density; only under mit300 and with the same map for all metrics it stays MIT's, on range-normalised maps.

Ranks are what sAUC's negatives at fixed thresholds need (mit300), and the same to an exact ROC curve: the ratio itself
is so long-tailed that nearly all of its values would lie below the lowest threshold. Under mit300 the expected SIM does
not see that MIT stretches both maps down to 0 first, which changes nothing where they get there by themselves.

What differs from pysaliency and the public benchmark built on it: the runner's baseline is the cross-validated centre
prior of the other images (`salbench.densities`; there, for sAUC, the mean of the model's own predictions for the other
images; for IG, a uniform density); the density is blurred exactly as the ground truth is (there the density with zeros
outside the frame, the ground truth with mirrored edges); the map for SIM is computed from a quantile (there by
stochastic gradient descent towards the same optimum); ties share a rank (there equal values are ranked by their place,
in the order of a sort).
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Literal

import numpy as np
import numpy.typing as npt
import scipy

from salbench.arrays import FloatArray, IntArray
from salbench.errors import UsageError
from salbench.metrics.likelihood import as_log_density, information_gain_at, log_likelihood_at
from salbench.protocols.expected_sim import best_sim_map
from salbench.protocols.protocol import GroundTruth, Protocol, RngOf

MapChoice = Literal["same", "metric-specific"]
"""Whether all metrics that compare maps get the density, or each the map that suits it."""

MAP_CHOICES: tuple[MapChoice, ...] = ("same", "metric-specific")


class MapKind(Enum):
    """A map made of a log density."""

    DENSITY = "density"
    OVER_BASELINE = "density over the baseline density, as ranks"
    BLURRED = "blurred density"
    BEST_SIM = "map of the largest expected SIM"


MAP_KINDS = {
    "auc_judd": MapKind.DENSITY,
    "auc_borji": MapKind.DENSITY,
    "auc_shuffled": MapKind.OVER_BASELINE,
    "nss": MapKind.DENSITY,
    "cc": MapKind.BLURRED,
    "sim": MapKind.BEST_SIM,
    "kl_divergence": MapKind.BLURRED,
    "emd": MapKind.BLURRED,
}
"""Which map suits a metric."""


@dataclass(frozen=True)
class DensityMaps:
    """The maps of one log density, by kind.

    `log_density`: (H, W), checked. `baseline`: likewise, or None where no kind needs it. `blurred`: from a map to its
    blurred form, the protocol's ground-truth blur. `points`: from positions, (n, 2), to the map that is blurred.
    `fixation_count`: of how many fixations SIM's ground truth is made. `rng`: what SIM's fixations are drawn from.
    """

    log_density: FloatArray
    baseline: FloatArray | None
    blurred: Callable[[FloatArray], FloatArray]
    points: Callable[[IntArray], FloatArray]
    fixation_count: int
    rng: RngOf

    def make(self, kind: MapKind) -> FloatArray:
        """The map of a kind: (H, W) float64, finite. UsageError where it needs a baseline and there is none."""
        density = np.exp(self.log_density)
        if kind is MapKind.DENSITY:
            return density
        if kind is MapKind.OVER_BASELINE:
            return over_baseline(self.log_density, known(self.baseline))
        if kind is MapKind.BLURRED:
            return self.blurred(density)
        count = max(1, self.fixation_count)  # without fixations SIM is NaN, whatever the map
        return best_sim_map(density, count, lambda drawn: self.blurred(self.points(drawn)), self.rng("sim"))


def over_baseline(log_density: FloatArray, baseline_log_density: FloatArray) -> FloatArray:
    """The ranks of the density over the baseline density, (H, W), up to 1; equal ratios have their mean rank.

    A pixel without probability under both is among the lowest.
    """
    with np.errstate(invalid="ignore"):
        ratio = log_density - baseline_log_density
    ratio[np.isnan(ratio)] = -np.inf
    ranks: FloatArray = scipy.stats.rankdata(ratio).reshape(ratio.shape) / ratio.size
    return ranks


def known(baseline: FloatArray | None) -> FloatArray:
    """The baseline. UsageError where there is none."""
    if baseline is None:
        raise UsageError("sAUC's map and exact information gain need a baseline_log_density, and none is given")
    return baseline


def evaluate_log_density(
    protocol: Protocol,
    log_density: npt.ArrayLike,
    truth: GroundTruth,
    keys: Sequence[str],
    rng: RngOf,
    *,
    maps: MapChoice,
    baseline_log_density: npt.ArrayLike | None,
    blur: Callable[[FloatArray], FloatArray],
    fixation_count: int,
) -> dict[str, float]:
    """Scores of one log density by metric key, in the order of `keys`.

    `log_density`: (H, W) of the stimulus, natural logarithms of probabilities that sum to 1; -inf is allowed, NaN is
    not. `maps`: whether the metrics of maps get the density or each its own map. `baseline_log_density`: likewise; None
    where no key needs it. `blur`: the ground-truth blur, with the run's sigma. `fixation_count`: of how many fixations
    the ground truth is made; SIM's map depends on it.
    Log-likelihood and information gain are -inf where a counted fixation has probability 0.
    Raises ShapeError for a log density of another size than the stimulus, ValueRangeError for one that does not sum to
    1, UsageError for an unknown `maps` and a missing baseline.
    """
    if maps not in MAP_CHOICES:
        raise UsageError(f"maps is {maps!r}; wanted: {' or '.join(MAP_CHOICES)}")
    size = truth.fixation_map.shape
    logs = as_log_density(log_density, size)
    baseline = None
    if baseline_log_density is not None:
        baseline = as_log_density(baseline_log_density, size, "baseline_log_density")
    sources = DensityMaps(logs, baseline, blur, lambda drawn: protocol.points(drawn, size), fixation_count, rng)
    exact = {"log_likelihood", "information_gain"} if maps == "metric-specific" else protocol.needs_log_density
    scores = {key: _bits(key, sources, protocol.scored_positions(truth)) for key in keys if key in exact}
    for kind, judged in _by_kind([key for key in keys if key not in exact], maps).items():
        scores |= protocol.evaluate(sources.make(kind), truth, judged, rng)
    return {key: scores[key] for key in keys}


def _bits(key: str, sources: DensityMaps, positions: IntArray) -> float:
    if key == "log_likelihood":
        return log_likelihood_at(sources.log_density, positions)
    return information_gain_at(sources.log_density, known(sources.baseline), positions)


def _by_kind(keys: Sequence[str], maps: MapChoice) -> dict[MapKind, list[str]]:
    """The keys that share a map, so that each map is made once."""
    groups: dict[MapKind, list[str]] = {}
    for key in keys:
        groups.setdefault(MapKind.DENSITY if maps == "same" else MAP_KINDS[key], []).append(key)
    return groups
