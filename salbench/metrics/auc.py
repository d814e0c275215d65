"""The three areas under a ROC curve of the MIT300 benchmark: AUC-J, AUC-B and sAUC.

They differ in their negatives: all pixels that are not fixated (Judd), random pixels (Borji), pixels that were fixated
in other images (shuffled). None is "the" AUC; call them by their names.
"""

import numpy as np
import numpy.typing as npt

from salbench.arrays import BoolArray, FloatArray, IntArray
from salbench.errors import ShapeError, UsageError
from salbench.maps import BLOCK, scale_to_range, value_range
from salbench.metrics.inputs import FixatedPoints, as_fixated_points, as_indices, as_point_mask
from salbench.metrics.prepared import PreparedMap, prepare_for_ranks

JITTER = 1e-7
"""Width of the uniform noise that breaks ties in AUC-J."""

BUCKETS = 8192
"""Buckets into which AUC-J counts the pixels: few pixels share one with a fixation, and the counts stay in a cache."""

STRIDE = 32768
"""Pixels that are counted at a time."""

RandomState = int | np.random.Generator | np.random.SeedSequence | None
"""Anything that `numpy.random.default_rng` takes."""


def auc_judd(
    saliency_map: npt.ArrayLike, fixation_map: npt.ArrayLike, *, jitter: bool = True, rng: RandomState = None
) -> float:
    """AUC-J: every fixation's value is a threshold; the negatives are all pixels without a fixation.

    Shapes: (H, W) and (H', W'); the saliency map is resized to the fixation map.
    Range 0 to 1, chance 0.5. NaN without fixations and, without jitter, for a constant map.
    `jitter` adds uniform noise in [0, 1e-7) before the map is range-normalised, so hand in a map whose range is far
    above that. Without it, tied pixels are counted as the reference counts them, not as a tie-aware curve would.
    Raises ShapeError and ValueRangeError for maps that cannot be what their argument's name says.
    Source: Judd et al. 2009; AUC_Judd of the MIT Saliency Benchmark.
    """
    fixated = as_fixated_points(fixation_map)
    saliency = prepare_for_ranks(saliency_map, "saliency_map").resized(fixated.shape)
    return auc_judd_of(saliency, fixated, jitter=jitter, rng=rng)


def auc_judd_of(
    saliency: PreparedMap, fixated: FixatedPoints, *, jitter: bool = True, rng: RandomState = None
) -> float:
    """AUC-J of a map that has the size of the fixation map.

    The jitter is computed only for the pixels whose place among the thresholds it could change, and for those that may
    become the smallest or the largest. As each pixel's jitter is its own, the value is that of jitter on every pixel.
    """
    if fixated.indices.size == 0:
        return np.nan
    undecided, reached = _count_by_buckets(saliency, fixated.indices, JITTER if jitter else 0.0)
    values = saliency.flat[undecided]
    low, high = saliency.low, saliency.high
    if jitter:
        values += _noise(undecided, np.random.default_rng(rng))
        low, high = value_range(values)
    if not high > low:
        return np.nan
    values -= low
    values /= high - low
    thresholds = values[np.searchsorted(undecided, fixated.indices)]
    falling = np.argsort(thresholds)[::-1]  # NaN first
    return _judd_area(reached[falling] + _count_at_least(values, thresholds[falling]), saliency.size)


def _noise(pixels: IntArray, rng: np.random.Generator) -> FloatArray:
    """Uniform in [0, JITTER): what a pixel gets depends on the generator and the pixel's index alone.

    So one seed shakes two maps alike, whichever of their pixels need it: differences between maps have less noise. The
    numbers are those of SplitMix64 (Steele, Lea and Flood 2014), which gives its n-th number without the ones before.
    """
    start = rng.integers(2**64, dtype=np.uint64)
    noise = np.empty(pixels.size)
    for first in range(0, pixels.size, BLOCK):
        block = slice(first, first + BLOCK)
        noise[block] = _split_mix(pixels[block].astype(np.uint64), start)
    noise *= 2.0**-53 * JITTER
    return noise


def _split_mix(state: npt.NDArray[np.uint64], start: np.uint64) -> npt.NDArray[np.uint64]:
    """The numbers that SplitMix64 gives from `start` at these places, their upper 53 bits. Overwrites the places."""
    state += np.uint64(1)
    state *= np.uint64(0x9E3779B97F4A7C15)
    state += start
    for shift, factor in ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB)):
        state ^= state >> np.uint64(shift)
        state *= np.uint64(factor)
    state ^= state >> np.uint64(31)
    state >>= np.uint64(11)
    return state


def _judd_area(reached: IntArray, pixels: int) -> float:
    """The area, given how many of the pixels reach each fixation's value, these in falling order."""
    hits = np.arange(1, reached.size + 1)
    return float(_area((reached - hits) / (pixels - hits.size), hits / hits.size))


def _count_by_buckets(saliency: PreparedMap, fixated: IntArray, jitter: float) -> tuple[IntArray, IntArray]:
    """Which pixels have to be compared with the fixated ones, ascending; and for each of these, how many others, which
    need not be compared with it, surely lie above it.

    Jitter and the rounding of the range normalisation move no pixel past a fixated one that is further away than
    `margin`. So whole buckets of values can be counted, but for those within that margin of a fixated pixel's value.
    """
    low, gain = saliency.low, _buckets_per_unit(saliency)
    if gain is None:
        return np.arange(saliency.size), np.zeros(fixated.size, dtype=np.int64)
    margin = jitter * (1 + 1e-9) + 16 * np.finfo(np.float64).eps * max(abs(low), abs(saliency.high))
    thresholds = saliency.flat[fixated]
    # With jitter, the pixel that becomes the smallest and the one that becomes the largest set the range.
    centres = np.append(thresholds, [low, saliency.high]) if jitter else thresholds
    is_open = _open_buckets((centres - margin - low) * gain, (centres + margin - low) * gain)
    counts, chosen = np.zeros(BUCKETS + 1, dtype=np.int64), []
    for start in range(0, saliency.size, STRIDE):
        places = saliency.flat[start : start + STRIDE] - low
        places *= gain
        buckets = places.astype(np.intp)
        counts += np.bincount(buckets, minlength=BUCKETS + 1)
        chosen.append(np.flatnonzero(is_open.take(buckets)) + start)
    counts[is_open] = 0
    above = np.cumsum(counts[::-1])[::-1]
    return np.concatenate(chosen), above[((thresholds - low) * gain).astype(np.intp)]


def _buckets_per_unit(saliency: PreparedMap) -> float | None:
    """None for maps that are not counted in buckets: flat ones, those with a NaN, those of extreme values."""
    width = saliency.high - saliency.low
    return BUCKETS / width if 1e-200 < width < 1e200 and not saliency.has_nan else None


def _open_buckets(first: FloatArray, last: FloatArray) -> BoolArray:
    """(BUCKETS + 1,), True from each first to its last, which are places on the buckets' scale and may lie outside."""
    starts, ends = (np.clip(places, 0, BUCKETS).astype(np.intp) for places in (first, last))
    steps = np.bincount(starts, minlength=BUCKETS + 2) - np.bincount(ends + 1, minlength=BUCKETS + 2)
    is_open: BoolArray = np.cumsum(steps)[:-1] > 0
    return is_open


def _count_at_least(values: FloatArray, thresholds: FloatArray) -> IntArray:
    """For each threshold, how many values reach it; a NaN reaches and is reached by none. Sorts the values in place."""
    values.sort()
    known = values[: values.size - int(np.count_nonzero(np.isnan(values)))]  # NaN sorts last
    return np.where(np.isnan(thresholds), 0, known.size - np.searchsorted(known, thresholds, side="left"))


def _area(false_positives: FloatArray, true_positives: FloatArray) -> FloatArray:
    """Trapezoidal area of curves along the last axis, with the points (0, 0) and (1, 1) put at their ends."""
    start = np.zeros((*false_positives.shape[:-1], 1))
    x = np.concatenate([start, false_positives, start + 1], axis=-1)
    y = np.concatenate([start, true_positives, start + 1], axis=-1)
    return np.asarray(np.trapezoid(y, x, axis=-1))


def auc_borji(
    saliency_map: npt.ArrayLike,
    fixation_map: npt.ArrayLike,
    *,
    n_splits: int = 100,
    step_size: float = 0.1,
    rng: RandomState = None,
    random_indices: npt.ArrayLike | None = None,
) -> float:
    """AUC-B: the negatives are pixels drawn uniformly, as many as there are fixations, `n_splits` times.

    Shapes: (H, W) and (H', W'); the saliency map is resized to the fixation map.
    Range 0 to 1, chance 0.5; the mean over the splits. NaN with fewer than two fixations or for a constant map.
    `step_size`: distance of the thresholds. `random_indices`: (n fixations, n splits) flat 0-based C-order pixel
    indices; given, no random number is drawn.
    Raises ShapeError and ValueRangeError for maps that cannot be what their argument's name says.
    Source: Borji et al. 2013; AUC_Borji of the MIT Saliency Benchmark.
    """
    fixated = as_fixated_points(fixation_map)
    saliency = prepare_for_ranks(saliency_map, "saliency_map").resized(fixated.shape)
    _check_sampling(n_splits, step_size)
    drawn: IntArray | None = None
    if random_indices is not None:
        drawn = _checked_draws(random_indices, saliency.size, fixated.indices.size)
    return auc_borji_of(saliency, fixated, n_splits=n_splits, step_size=step_size, rng=rng, drawn=drawn)


def auc_borji_of(
    saliency: PreparedMap,
    fixated: FixatedPoints,
    *,
    n_splits: int = 100,
    step_size: float = 0.1,
    rng: RandomState = None,
    drawn: IntArray | None = None,
) -> float:
    """AUC-B of a map that has the size of the fixation map; `drawn`: `random_indices`, checked."""
    count = fixated.indices.size
    if count <= 1:
        return np.nan
    if drawn is None:
        drawn = np.random.default_rng(rng).integers(0, saliency.size, size=(count, n_splits))
    return _split_area(saliency, fixated.indices, drawn, step_size)


def auc_shuffled(
    saliency_map: npt.ArrayLike,
    fixation_map: npt.ArrayLike,
    other_map: npt.ArrayLike,
    *,
    n_splits: int = 100,
    step_size: float = 0.1,
    rng: RandomState = None,
    random_indices: npt.ArrayLike | None = None,
) -> float:
    """sAUC, the shuffled AUC: the negatives are pixels that were fixated in other images.

    Shapes: (H, W), (H', W') and (H', W'); the saliency map is resized to the fixation map, the other map must have its
    size. `other_map` is non-zero where other images were fixated (MIT300: the union of ten of them).
    Range 0 to 1; a map that knows only the centre bias is near 0.5. NaN without fixations, with an empty other map, or
    for a constant map. Each split draws min(n fixations, n other pixels) of them without replacement.
    `random_indices`: (n drawn, n splits) flat 0-based C-order pixel indices; given, no random number is drawn.
    Raises ShapeError and ValueRangeError for maps that cannot be what their argument's name says.
    Source: Zhang et al. 2008, Borji et al. 2013; AUC_shuffled of the MIT Saliency Benchmark.
    """
    fixated = as_fixated_points(fixation_map)
    pool = as_pool(other_map, fixated)
    saliency = prepare_for_ranks(saliency_map, "saliency_map").resized(fixated.shape)
    _check_sampling(n_splits, step_size)
    drawn: IntArray | None = None
    if random_indices is not None:
        drawn = _checked_draws(random_indices, saliency.size, min(fixated.indices.size, pool.size))
    return auc_shuffled_of(saliency, fixated, pool, n_splits=n_splits, step_size=step_size, rng=rng, drawn=drawn)


def as_pool(other_map: npt.ArrayLike, fixated: FixatedPoints) -> IntArray:
    """The pixels that sAUC draws from, flat. Raises ShapeError and ValueRangeError, see `auc_shuffled`."""
    others = as_point_mask(other_map, "other_map")
    if others.shape != fixated.shape:
        raise ShapeError(f"other_map has shape {others.shape}; wanted: that of fixation_map, {fixated.shape}")
    return np.flatnonzero(others)


def auc_shuffled_of(
    saliency: PreparedMap,
    fixated: FixatedPoints,
    pool: IntArray,
    *,
    n_splits: int = 100,
    step_size: float = 0.1,
    rng: RandomState = None,
    drawn: IntArray | None = None,
) -> float:
    """sAUC of a map that has the size of the fixation map; `drawn`: `random_indices`, checked."""
    count = min(fixated.indices.size, pool.size)
    if count == 0:
        return np.nan
    if drawn is None:
        drawn = _draw_without_replacement(pool, count, n_splits, np.random.default_rng(rng))
    return _split_area(saliency, fixated.indices, drawn, step_size)


def _check_sampling(n_splits: int, step_size: float) -> None:
    if n_splits < 1:
        raise UsageError(f"n_splits is {n_splits}; wanted: at least 1")
    if not 1e-6 <= step_size <= 1:
        raise UsageError(f"step_size is {step_size}; wanted: between 1e-6 and 1")


def _checked_draws(random_indices: npt.ArrayLike, size: int, count: int) -> IntArray:
    drawn = as_indices(random_indices, "random_indices", size=size)
    if drawn.shape[0] != count:
        raise ShapeError(f"random_indices has {drawn.shape[0]} rows; wanted: {count}, one for each pixel to draw")
    return drawn


def _draw_without_replacement(pool: IntArray, count: int, n_splits: int, rng: np.random.Generator) -> IntArray:
    """(count, n_splits) entries of the pool, ascending, each column without repetition, all such sets equally likely.

    In each split as many are drawn as are missing, until none is: no entry has any advantage over another. Where more
    than half of the pool is wanted, the rest is drawn instead.
    """
    fewer = min(count, pool.size - count)
    is_drawn = np.zeros((n_splits, pool.size), dtype=np.bool_)
    missing = np.full(n_splits, fewer)
    while missing.any():
        splits = np.repeat(np.arange(n_splits), missing)
        is_drawn[splits, rng.integers(0, pool.size, splits.size)] = True
        # Counting bits is several times quicker than summing the mask along an axis.
        missing = fewer - np.bitwise_count(np.packbits(is_drawn, axis=1)).sum(axis=1, dtype=np.int64)
    chosen = np.flatnonzero(is_drawn if fewer == count else ~is_drawn).reshape(n_splits, count)
    entries: IntArray = pool[chosen - pool.size * np.arange(n_splits)[:, None]].T
    return entries


def _split_area(saliency: PreparedMap, fixated: IntArray, drawn: IntArray, step_size: float) -> float:
    """Mean area over the splits, all of which are counted at once."""
    low, high = saliency.low, saliency.high
    if not high > low:
        return np.nan
    positives = scale_to_range(saliency.flat[fixated], low, high)
    negatives = scale_to_range(saliency.flat[drawn], low, high)
    tops = np.fmax(np.fmax.reduce(positives), np.fmax.reduce(negatives, axis=0))
    thresholds = colon_descending(tops, step_size)
    true_positives = _count_at_least(positives, thresholds.ravel()).reshape(thresholds.shape) / fixated.size
    false_positives = np.stack([_reaching(negatives, t) for t in thresholds]) / drawn.shape[0]
    return float(_area(false_positives.T, true_positives.T).mean())


def _reaching(values: FloatArray, thresholds: FloatArray) -> FloatArray:
    """How many values of each column reach the column's threshold. Sums of ones in float32 are exact up to 2 ** 24."""
    reached = (values >= thresholds).astype(np.float32)
    counts = np.ones(values.shape[0], dtype=np.float32) @ reached
    return counts.astype(np.float64)


def colon_descending(stops: FloatArray, step: float) -> FloatArray:
    """MATLAB's `0 : step : stop`, from its end to its start, for several stops at once.

    (n,) to (k, n) where k is the length of the longest; shorter columns begin with infinity, which no value reaches.
    MATLAB fills a range from both ends, so an element may differ from `i * step` in its last bit, and a last element
    within two units of rounding of `stop` is `stop` itself: ties of saliency values with a threshold show it.
    A stop that is NaN gives the single threshold 0.
    """
    stops = np.asarray(stops, dtype=np.float64)
    tolerance = 2 * np.finfo(np.float64).eps * stops
    steps = np.floor(np.nan_to_num(stops) / step + 0.5)
    steps = np.where(steps * step - stops > tolerance, steps - 1, steps)
    last = np.where(steps * step - stops > -tolerance, stops, steps * step)
    from_end = np.arange(int(steps.max(initial=0)) + 1)[:, None] - (steps.max(initial=0) - steps)
    from_start = steps - from_end
    values = np.where(from_end <= from_start, last - from_end * step, from_start * step)
    values = np.where(from_end == from_start, last / 2, values)
    # A range of one element is its start; halving its end would be the same, since both are zero or NaN.
    return np.where(from_end < 0, np.inf, values)
