"""The three areas under a ROC curve of the MIT300 benchmark: AUC-J, AUC-B and sAUC.

They differ in their negatives: all pixels that are not fixated (Judd), random pixels (Borji), pixels that were fixated
in other images (shuffled). None is "the" AUC; call them by their names.
"""

import numpy as np
import numpy.typing as npt

from salbench.arrays import BoolArray, FloatArray, IntArray
from salbench.errors import ShapeError, UsageError
from salbench.maps import resize_to, scale_to_range, value_range
from salbench.metrics.inputs import as_fixation_mask, as_indices, as_map, as_point_mask

JITTER = 1e-7
"""Width of the uniform noise that breaks ties in AUC-J."""

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
    fixated = as_fixation_mask(fixation_map)
    saliency = resize_to(as_map(saliency_map, "saliency_map"), fixated.shape)
    if not fixated.any():
        return np.nan
    shaken = _shaken(saliency, np.random.default_rng(rng)) if jitter else saliency.copy()
    low, high = value_range(shaken)
    if not high > low:
        return np.nan
    shaken -= low
    shaken /= high - low
    return _judd_area(shaken, fixated)


def _shaken(saliency: FloatArray, rng: np.random.Generator) -> FloatArray:
    """A new map: the saliency map plus uniform noise in [0, 1e-7)."""
    shaken: FloatArray = rng.random(saliency.shape)
    shaken *= JITTER
    shaken += saliency
    return shaken


def _judd_area(saliency: FloatArray, fixated: BoolArray) -> float:
    """The area of a map that may be sorted in place."""
    thresholds = _descending(saliency[fixated])
    hits = np.arange(1, thresholds.size + 1)
    # A NaN threshold is reached by no pixel, as in a comparison with NaN.
    reached = np.where(np.isnan(thresholds), 0, _count_at_least(saliency.ravel(), thresholds))
    negatives = saliency.size - thresholds.size
    return float(_area((reached - hits) / negatives, hits / thresholds.size))


def _descending(values: FloatArray) -> FloatArray:
    """Sorted from large to small, NaN first."""
    return np.sort(values)[::-1]


def _count_at_least(values: FloatArray, thresholds: FloatArray) -> IntArray:
    """For each threshold, how many values reach it. Sorts the values in place."""
    values.sort()
    finite = values.size - int(np.isnan(values).sum()) if np.isnan(values[-1]) else values.size  # NaN sorts last
    return finite - np.searchsorted(values[:finite], thresholds, side="left")


def _area(false_positives: FloatArray, true_positives: FloatArray) -> FloatArray:
    """Trapezoidal area of curves along the last axis, with the points (0, 0) and (1, 1) put at their ends."""
    ends = [(0, 0)] * (false_positives.ndim - 1)
    x = np.pad(false_positives, [*ends, (1, 1)], constant_values=(0.0, 1.0))
    y = np.pad(true_positives, [*ends, (1, 1)], constant_values=(0.0, 1.0))
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
    fixated = as_fixation_mask(fixation_map)
    saliency = resize_to(as_map(saliency_map, "saliency_map"), fixated.shape)
    _check_sampling(n_splits, step_size)
    count = int(np.count_nonzero(fixated))
    drawn: IntArray | None = None
    if random_indices is not None:
        drawn = _checked_draws(random_indices, fixated.size, count)
    if count <= 1:
        return np.nan
    if drawn is None:
        drawn = np.random.default_rng(rng).integers(0, fixated.size, size=(count, n_splits))
    return _split_area(saliency, fixated, drawn, step_size)


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
    fixated = as_fixation_mask(fixation_map)
    others = as_point_mask(other_map, "other_map")
    if others.shape != fixated.shape:
        raise ShapeError(f"other_map has shape {others.shape}; wanted: that of fixation_map, {fixated.shape}")
    saliency = resize_to(as_map(saliency_map, "saliency_map"), fixated.shape)
    _check_sampling(n_splits, step_size)
    pool = np.flatnonzero(others)
    drawn: IntArray | None = None
    count = min(int(np.count_nonzero(fixated)), pool.size)
    if random_indices is not None:
        drawn = _checked_draws(random_indices, fixated.size, count)
    if count == 0:
        return np.nan
    if drawn is None:
        drawn = _draw_without_replacement(pool, count, n_splits, np.random.default_rng(rng))
    return _split_area(saliency, fixated, drawn, step_size)


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
    """(count, n_splits) entries of the pool, each column without repetition."""
    # A generator's choice touches only what it draws; shuffling whole decks at once costs more from large pools.
    return np.stack([rng.choice(pool, count, replace=False, shuffle=False) for _ in range(n_splits)], axis=1)


def _split_area(saliency: FloatArray, fixated: BoolArray, drawn: IntArray, step_size: float) -> float:
    """Mean area over the splits, all of which are counted at once, threshold by threshold."""
    low, high = value_range(saliency)
    if not high > low:
        return np.nan
    positives = scale_to_range(saliency[fixated], low, high)
    negatives = scale_to_range(saliency.ravel()[drawn], low, high)
    tops = np.fmax(np.fmax.reduce(positives), np.fmax.reduce(negatives, axis=0))
    thresholds = colon_descending(tops, step_size)
    true_positives = np.stack([(positives[:, None] >= t).mean(axis=0) for t in thresholds], axis=-1)
    false_positives = np.stack([(negatives >= t).mean(axis=0) for t in thresholds], axis=-1)
    return float(_area(false_positives, true_positives).mean())


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
