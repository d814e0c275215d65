"""What a protocol is: a name that fixes every choice between a saliency map and a score."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from salbench.arrays import BoolArray, FixationMap, FloatArray, SaliencyMap
from salbench.errors import UsageError
from salbench.metrics import METRICS
from salbench.names import unknown_name

RngOf = Callable[[str], np.random.Generator]
"""A key to a generator that depends on run seed, stimulus and key alone."""


@dataclass(frozen=True)
class GroundTruth:
    """All that one stimulus's map may be compared with; a part that no metric asked for is None.

    Every array is (height, width) of the stimulus. `other_map`: fixated pixels of other images, for sAUC.
    `baseline_map`: the density that information gain is measured against.
    """

    fixation_map: BoolArray
    density: FloatArray | None = None
    other_map: BoolArray | None = None
    baseline_map: FloatArray | None = None


@dataclass(frozen=True)
class Protocol:
    """A protocol: `density` makes a ground-truth map of a fixation map (blur sigma in pixels, None for the protocol's
    own), `evaluate` scores a saliency map by the metrics of the given keys, `describe_blur` tells what `density` does.
    """

    key: str
    label: str
    description: str
    metrics: tuple[str, ...]
    density: Callable[[FixationMap, float | None], FloatArray]
    evaluate: Callable[[SaliencyMap, GroundTruth, Sequence[str], RngOf], dict[str, float]]
    describe_blur: Callable[[float | None], str]

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
