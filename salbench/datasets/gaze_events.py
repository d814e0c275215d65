"""From a gaze trace to its fixations, as MIT1003's authors did it.

The rule is that of `checkFixations` in the data set's own code (Hidalgo-Sotelo 2006, with Judd et al. 2009), for traces
of 240 samples a second: a saccade begins where the gaze's acceleration stays above a threshold for three samples and
ends where it comes back from below the negative one; saccades that leave no fixation between them are one. Sample
numbers here count from 0, and a segment's end is exclusive.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import scipy

from salbench.arrays import BoolArray, FloatArray

RATE = 240
"""Samples a second."""
THRESHOLD = 34 * 6
"""Change of velocity, pixels a second, between neighbouring samples: 6 degrees at 34 pixels a degree."""
WINDOW = 4
SHORTEST_RUN = 3
SHORTEST_FIXATION = 12
"""Samples, 50 ms: what lies between two saccades must be longer."""
SEARCH = 25
"""Samples after its acceleration in which a saccade must slow down."""


@dataclass(frozen=True)
class Fixation:
    """A fixation: the median (x, y) of its samples in the trace's own pixels, NaN where none is known; its samples from
    `start` to before `stop`.
    """

    x: float
    y: float
    start: int
    stop: int

    @property
    def seconds(self) -> float:
        """How long it lasted."""
        return (self.stop - self.start) / RATE


def find_fixations(x: FloatArray, y: FloatArray) -> list[Fixation]:
    """The fixations of a trace (n,), the one at its very beginning included; NaN where the eye was not seen.

    A trace without saccades is one fixation, an empty one has none.
    """
    count = len(x)
    if count == 0:
        return []
    stops = [0]
    found: list[tuple[int, int]] = []
    for begin, end in _merged(list(_saccades(_acceleration(x, y))), count):
        found.append((stops[-1], begin))
        stops.append(end)
    if stops[-1] < count:
        found.append((stops[-1], count))
    return [Fixation(_median(x[a:b]), _median(y[a:b]), a, b) for a, b in found]


def _acceleration(x: FloatArray, y: FloatArray) -> FloatArray:
    """(n,): how much faster the gaze moves in the window after a sample than in the one that begins with it."""
    count = len(x)
    moved = np.concatenate([[0.0], np.hypot(np.diff(x), np.diff(y))])
    smooth: FloatArray = scipy.signal.lfilter(np.full(WINDOW, 1 / WINDOW), np.ones(1), moved)
    acceleration = np.zeros(count)
    known = count - 2 * WINDOW + 2  # samples 1 to count - 6, whose windows lie within the trace
    if known > 0:
        sums = np.lib.stride_tricks.sliding_window_view(smooth, WINDOW + 1).sum(axis=1) / (WINDOW / RATE)
        last = count - WINDOW - 1
        acceleration[1:last] = sums[2 : last + 1] - sums[1:last]
    return acceleration


def _saccades(acceleration: FloatArray) -> Iterator[tuple[int, int]]:
    """First sample, and the last before the gaze is slow again, of each saccade."""
    runs = [run for run in _runs(acceleration > THRESHOLD) if run[1] - run[0] + 1 >= SHORTEST_RUN]
    moving = np.flatnonzero(acceleration != 0)
    for first, last in runs:
        end = _slowed_down(acceleration < -THRESHOLD, last)
        if end is not None:
            yield first, end
        elif len(runs) == 1 and last == moving[-1]:  # the trace ends within its only saccade
            yield first, len(acceleration) - 1


def _runs(marked: BoolArray) -> list[tuple[int, int]]:
    """First and last place of each stretch of marked samples."""
    edges = np.flatnonzero(np.diff(np.concatenate([[0], marked.astype(np.int8), [0]])))
    return [(int(first), int(stop) - 1) for first, stop in zip(edges[::2], edges[1::2], strict=True)]


def _slowed_down(braking: BoolArray, last: int) -> int | None:
    """The last braking sample after which the gaze brakes no more; None where that does not come in time."""
    count = len(braking)
    for step in range(SEARCH):
        place = last + 1 + step
        if step and place + 1 >= count - 1:
            return None
        if braking[place] and not braking[place + 1]:
            return place
    return None


def _merged(saccades: list[tuple[int, int]], count: int) -> list[tuple[int, int]]:
    """Start, and the sample after the end, of saccades with a fixation between each two; the last one reaches the
    trace's end where too little is left for a fixation.
    """
    if not saccades:
        return []
    starts, ends = [saccades[0][0]], []
    for (_, end), (start, _) in pairwise(saccades):
        if start - end > SHORTEST_FIXATION:
            ends.append(end)
            starts.append(start)
    ends.append(saccades[-1][1])
    if count - (ends[-1] + 1) <= SHORTEST_FIXATION:
        ends[-1] = count - 1
    return [(start, end + 1) for start, end in zip(starts, ends, strict=True)]


def _median(values: FloatArray) -> float:
    known = values[~np.isnan(values)]
    return float(np.median(known)) if known.size else float("nan")
