"""What a protocol is: a name that fixes every choice between a saliency map and a score."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from salbench.arrays import BoolArray, FixationMap, FloatArray, IntArray, SaliencyMap
from salbench.errors import UsageError
from salbench.metrics import METRICS
from salbench.names import unknown_name

OTHER_IMAGES = 10
"""How many other images give sAUC's negatives, unless a protocol takes all."""

RngOf = Callable[[str], np.random.Generator]
"""A key to a generator that depends on run seed, stimulus and key alone."""


@dataclass(frozen=True)
class GroundTruth:
    """All that one stimulus's map may be compared with; a part that no metric asked for is None.

    Every array is (height, width) of the stimulus. `other_map`: fixated pixels of other images, for sAUC.
    `baseline_map`: the density that information gain is measured against. `positions`: (n, 2) int, the counted
    fixations as [row, column], repeats included; `fixation_map` is True at these. `other_counts`: how many other images
    have a counted fixation at each pixel.
    """

    fixation_map: BoolArray
    density: FloatArray | None = None
    other_map: BoolArray | None = None
    baseline_map: FloatArray | None = None
    positions: IntArray | None = None
    other_counts: FloatArray | None = None

    @property
    def known_positions(self) -> IntArray:
        """The fixations with their repeats; each fixated pixel once where no list is known."""
        return np.argwhere(self.fixation_map) if self.positions is None else self.positions


def every_position(positions: IntArray) -> IntArray:
    """All fixations count."""
    return positions


@dataclass(frozen=True)
class Protocol:
    """A protocol: `density` makes a ground-truth map of a fixation map (blur sigma in pixels, None for the protocol's
    own), `evaluate` scores a saliency map by the metrics of the given keys, `describe_blur` tells what `density` does.

    `counted`: from all fixations inside the frame, (n, 2) int [row, column], to those that the protocol counts.
    `other_images`: of how many other images, drawn at random, sAUC gets the union as `GroundTruth.other_map`; None: it
    gets `GroundTruth.other_counts` of all. `symbols`: what a person reads for a metric that is not the usual one.
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

    def symbol(self, key: str) -> str:
        """What a person reads for a metric under this protocol."""
        return self.symbols.get(key, METRICS[key].symbol)

    def choose(self, keys: Sequence[str] | None) -> tuple[str, ...]:
        """The metrics to compute, in printing order: those named, or all. UsageError for one it does not have."""
        if keys is None:
            return self.metrics
        for key in keys:
            if key not in self.metrics:
                raise UsageError(f"protocol {self.key}: " + unknown_name("metric", key, self.metrics))
        if not keys:
            raise UsageError(f"no metric named. Protocol {self.key} has: {', '.join(self.metrics)}.")
        return tuple(key for key in METRICS if key in keys)
