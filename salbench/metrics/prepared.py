"""Maps and fixations as the metrics take them: checked once, what several metrics ask of them worked out once."""

from collections.abc import Mapping
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from salbench.arrays import FloatArray
from salbench.maps import BLOCK, SAFE_SQUARES, imresize, in_blocks, is_flat, value_range_and_nan
from salbench.metrics.inputs import as_numbers, refuse_infinity

DOWNSIZE = 32
"""The factor by which MIT300's EMD shrinks the maps."""

_NUMBERS = ("low", "high", "total", "mass", "squares")


class PreparedMap:
    """A map, (H, W) float64, with its statistics, each computed when it is first asked for.

    `statistics`: what `PreparedMap.statistics` gave for the same map, to spare the computation. The map must not be
    changed afterwards. Values may be NaN, not infinite; `prepare` checks that.
    """

    def __init__(self, values: FloatArray, statistics: Mapping[str, Any] | None = None) -> None:
        self.values = np.ascontiguousarray(values)
        self._resized: dict[tuple[int, int], PreparedMap] = {}
        known = statistics or {}
        # A cached property is an entry of the instance's dictionary: what is known is never computed.
        self.__dict__.update({name: float(known[name]) for name in _NUMBERS if name in known})
        if "shrunken" in known:
            self.__dict__["shrunken"] = np.asarray(known["shrunken"], dtype=np.float64)

    @property
    def statistics(self) -> dict[str, float | FloatArray]:
        """All that a ground-truth map is asked for: five floats, and `shrunken`, (h, w), for EMD."""
        return {**{name: getattr(self, name) for name in _NUMBERS}, "shrunken": self.shrunken}

    @property
    def flat(self) -> FloatArray:
        """The pixels in C order, (H * W,), without a copy."""
        return self.values.reshape(-1)

    @property
    def size(self) -> int:
        """The number of pixels."""
        return self.values.size

    @property
    def shape(self) -> tuple[int, int]:
        """(height, width)."""
        height, width = self.values.shape
        return height, width

    @cached_property
    def low(self) -> float:
        """The smallest value, NaN left out; NaN where there is none."""
        self._find_range()
        return self.low

    @cached_property
    def high(self) -> float:
        """The largest value, NaN left out; NaN where there is none."""
        self._find_range()
        return self.high

    @cached_property
    def has_nan(self) -> bool:
        """Whether a pixel is NaN."""
        self._find_range()
        return self.has_nan

    def _find_range(self) -> None:
        low, high, has_nan = value_range_and_nan(self.values)
        self.__dict__.update(low=low, high=high, has_nan=has_nan)

    @cached_property
    def total(self) -> float:
        """The sum; NaN where a pixel is NaN."""
        return float(self.values.sum())

    @cached_property
    def mass(self) -> float:
        """The sum of what exceeds the smallest value."""
        below = self.size * self.low
        # Unless most digits cancel, the difference of the sums is as exact as the sum of the differences.
        if abs(below) <= 8 * abs(self.total - below):
            return self.total - below
        return sum(float((block - self.low).sum()) for (block,) in in_blocks(self.values))

    @property
    def mean(self) -> float:
        """The mean; NaN where a pixel is NaN."""
        return self.total / self.size

    @cached_property
    def squares(self) -> float:
        """The sum of the squares of the deviations from the mean; NaN where a pixel is NaN."""
        raw = dot(self.flat, self.flat)
        if self.total * self.mean <= 0.9 * raw < SAFE_SQUARES[1]:  # as above: not more than one digit cancels
            return raw - self.total * self.mean
        return centred_dot(self, self)

    @property
    def is_flat(self) -> bool:
        """Whether all values that are not NaN are equal."""
        # Rounding of the mean leaves less than this of a flat map; a look at all values is needed below it only.
        return not self.squares > 1e-20 * self.total * self.mean and is_flat(self.values)

    @property
    def is_zero(self) -> bool:
        """Whether there is no other value than zero."""
        return self.total == 0 and self.low == 0 == self.high

    @cached_property
    def moderate(self) -> "PreparedMap":
        """The map times the power of two that brings its largest absolute value near 1.

        Sums and squares of very large and very small values leave float64's range; ratios of them do not care.
        """
        top = max(abs(self.low), abs(self.high))
        return PreparedMap(np.ldexp(self.values, -int(np.frexp(top)[1]))) if 0 < top < np.inf else self

    @cached_property
    def shrunken(self) -> FloatArray:
        """The map at 1/32 of its size, as EMD shrinks a ground truth."""
        return self.at_scale(1 / DOWNSIZE)

    def at_scale(self, scale: float) -> FloatArray:
        """The map resized by MATLAB's rule for a scale, in C order: numpy adds up in the order of the memory."""
        return np.ascontiguousarray(imresize(self.values, scale=scale))

    def resized(self, size: tuple[int, int]) -> "PreparedMap":
        """The map itself where it has the (height, width) wanted, else `imresize` to it."""
        if self.shape == size:
            return self
        if size not in self._resized:
            self._resized[size] = PreparedMap(imresize(self.values, size=size))
        return self._resized[size]


def flat_statistics(prepared: PreparedMap) -> FloatArray:
    """A map's statistics as one row of numbers, (1, n)."""
    known = prepared.statistics
    numbers = [float(known[name]) for name in _NUMBERS]
    return np.concatenate([numbers, np.ravel(known["shrunken"])])[None]


def named_statistics(row: FloatArray, size: tuple[int, int]) -> dict[str, Any]:
    """The statistics that `flat_statistics` gave for a map of (height, width) `size`, by their names."""
    numbers = dict(zip(_NUMBERS, row[0, : len(_NUMBERS)].tolist(), strict=True))
    shrunken = row[0, len(_NUMBERS) :].reshape(-(-size[0] // DOWNSIZE), -(-size[1] // DOWNSIZE))
    return numbers | {"shrunken": shrunken}


def prepare(array: npt.ArrayLike | PreparedMap, argument: str) -> PreparedMap:
    """A saliency, ground-truth or baseline map, checked (see `as_map`); one that is prepared is taken as it is."""
    if isinstance(array, PreparedMap):
        return array
    prepared = PreparedMap(as_numbers(array, argument))
    if not np.isfinite(prepared.total):
        refuse_infinity(prepared.values, argument)
    return prepared


def prepare_for_ranks(array: npt.ArrayLike, argument: str) -> PreparedMap:
    """As `prepare`, for metrics that ask for the range of values and not for sums: a finite range tells as much."""
    prepared = PreparedMap(as_numbers(array, argument))
    if not np.isfinite([prepared.low, prepared.high]).all():
        refuse_infinity(prepared.values, argument)
    return prepared


def dot(ours: FloatArray, theirs: FloatArray) -> float:
    """Sum of the products of two flat arrays, added up in an order that does not depend on the number of threads.

    Infinite where it leaves float64's range, without a warning: callers check, and use moderate maps then.
    """
    whole = ours.size - ours.size % BLOCK
    with np.errstate(over="ignore", under="ignore", invalid="ignore"):
        rows = np.vecdot(ours[:whole].reshape(-1, BLOCK), theirs[:whole].reshape(-1, BLOCK))
        return float(rows.sum() + np.dot(ours[whole:], theirs[whole:]))


def centred_dot(ours: PreparedMap, theirs: PreparedMap) -> float:
    """As `dot`, of the deviations of two maps from their means."""
    pairs = in_blocks(ours.values, theirs.values)
    return sum(dot(a - ours.mean, b - theirs.mean) for a, b in pairs)
