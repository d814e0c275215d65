"""What a protocol is: a name that fixes every choice between a saliency map and a score."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from salbench.arrays import BoolArray, FixationMap, FloatArray, IntArray, SaliencyMap
from salbench.errors import UsageError
from salbench.metrics import MAP_METRICS, METRICS
from salbench.names import unknown_name

OTHER_IMAGES = 10
"""How many other images give sAUC's negatives, unless a protocol takes all."""

LOG_DENSITY_METRICS = frozenset(METRICS) - frozenset(MAP_METRICS)
"""The metrics that, whatever the protocol, only a model that gives log densities has."""

RngOf = Callable[[str], np.random.Generator]
"""A key to a generator that depends on run seed, stimulus and key alone."""


@dataclass(frozen=True)
class GroundTruth:
    """All that one stimulus's map may be compared with; a part that no metric asked for is None.

    Every array is (height, width) of the stimulus. `other_map`: fixated pixels of other images, for sAUC.
    `density_statistics`: what `PreparedMap.statistics` gives for `density`, where it is known already. `baseline_map`:
    the density that information gain is measured against; instead of it, `baseline_log2`: (n fixated pixels,), what
    `log2_density_at` gives for it at the fixated pixels, in C order. `positions`: (n, 2) int, the counted
    fixations as [row, column], repeats included; `fixation_map` is True at these. `other_counts`: how many other images
    have a counted fixation at each pixel; under a protocol with `repeats`, how many counted fixations they have there.
    """

    fixation_map: BoolArray
    density: FloatArray | None = None
    other_map: BoolArray | None = None
    baseline_map: FloatArray | None = None
    positions: IntArray | None = None
    other_counts: FloatArray | None = None
    density_statistics: Mapping[str, Any] | None = None
    baseline_log2: FloatArray | None = None

    @property
    def known_positions(self) -> IntArray:
        """The fixations with their repeats; each fixated pixel once where no list is known."""
        return np.argwhere(self.fixation_map) if self.positions is None else self.positions


def every_position(positions: IntArray) -> IntArray:
    """All fixations count."""
    return positions


def middle_rescaled(coordinates: IntArray, own: int, wanted: int) -> IntArray:
    """Rows or columns of a frame of length `own` in one of length `wanted`: where the middle of each pixel falls."""
    return (2 * coordinates + 1) * wanted // (2 * own)


@dataclass(frozen=True)
class Protocol:
    """A protocol: `density` makes a ground-truth map of a fixation map (blur sigma in pixels, None for the protocol's
    own), `evaluate` scores a saliency map by the metrics of the given keys, `describe_blur` tells what `density` does.

    `counted`: from all fixations inside the frame, (n, 2) int [row, column], to those that the protocol counts.
    `other_images`: of how many other images, drawn at random, sAUC gets the union as `GroundTruth.other_map`; None: it
    gets `GroundTruth.other_counts` of all. `symbols`: what a person reads for a metric that is not the usual one.
    `repeats`: whether a pixel fixated k times counts k times, not once, in the map that `density` blurs, in
    `GroundTruth.other_counts` and in the baseline of information gain. `rescaled`: rows or columns, the length of their
    frame and another frame's length to rows or columns there, for fixations of images of another size.
    `needs_log_density`: the metrics that are left out for a model that gives mere maps. `takes_statistics`: whether
    `evaluate` makes use of `GroundTruth.density_statistics`.
    """

    key: str
    label: str
    description: str
    metrics: tuple[str, ...]
    density: Callable[[FixationMap, float | None], FloatArray]
    evaluate: Callable[[SaliencyMap, GroundTruth, Sequence[str], RngOf], dict[str, float]]
    describe_blur: Callable[[float | None], str]
    counted: Callable[[IntArray], IntArray] = every_position
    other_images: int | None = OTHER_IMAGES
    symbols: Mapping[str, str] = field(default_factory=dict)
    repeats: bool = False
    rescaled: Callable[[IntArray, int, int], IntArray] = middle_rescaled
    needs_log_density: frozenset[str] = LOG_DENSITY_METRICS
    takes_statistics: bool = False

    def symbol(self, key: str) -> str:
        """What a person reads for a metric under this protocol."""
        return self.symbols.get(key, METRICS[key].symbol)

    def points(self, positions: IntArray, size: tuple[int, int]) -> FloatArray:
        """The map that `density` blurs: (height, width), how often each pixel was fixated; at most 1 unless `repeats`.

        `positions`: (n, 2) [row, column], all inside.
        """
        flat = positions[:, 0] * size[1] + positions[:, 1]
        counts = np.bincount(flat, minlength=size[0] * size[1]).reshape(size)
        return (counts if self.repeats else counts > 0).astype(np.float64)

    def scored_positions(self, truth: GroundTruth) -> IntArray:
        """The fixations that a mean over fixations goes over: all, or each fixated pixel once unless `repeats`."""
        return truth.known_positions if self.repeats else np.argwhere(truth.fixation_map)

    def choose(self, keys: Sequence[str] | None, *, log_density: bool = False) -> tuple[str, ...]:
        """The metrics to compute, in printing order: those named, or all that the model can have.

        `log_density`: whether the model gives log densities. UsageError for a metric that the protocol does not have,
        and for one that needs a log density where the model gives none.
        """
        if isinstance(keys, str):
            raise UsageError(f"metrics is {keys!r}; wanted: a list of keys, such as [{keys!r}]")
        if keys is None:
            return tuple(key for key in self.metrics if log_density or key not in self.needs_log_density)
        for key in keys:
            if key not in self.metrics:
                raise UsageError(f"protocol {self.key}: " + unknown_name("metric", key, self.metrics))
            if key in self.needs_log_density and not log_density:
                raise UsageError(
                    f"protocol {self.key} computes {key} from log densities alone: a saliency map says which pixels "
                    "are more salient, not how probable a fixation is. Leave the metric out, or score a model whose "
                    "card says log_density"
                )
        if not keys:
            raise UsageError(f"no metric named. Protocol {self.key} has: {', '.join(self.metrics)}.")
        return tuple(key for key in METRICS if key in keys)
