"""Metrics of models that give probabilities: log-likelihood and information gain at the fixations, in bits.

A log density is a map of natural logarithms of probabilities, one per pixel, whose exponentials sum to 1.
"""

import math
from typing import Any

import numpy as np
import numpy.typing as npt
import scipy

from salbench.arrays import FloatArray, IntArray
from salbench.errors import ShapeError, ValueRangeError
from salbench.maps import to_float
from salbench.metrics.inputs import as_fixation_mask

NORMALISED_WITHIN = 1e-6
"""How far from 0 the log of a density's sum may be: float64 is far below, a float32 softmax just so."""


def as_log_density(array: npt.ArrayLike, size: tuple[int, int], argument: str = "log_density") -> FloatArray:
    """A log density as float64, (H, W) = `size`. Minus infinity, for pixels that are never fixated, is accepted.

    Raises ShapeError for another size: a log density cannot be resized, since it would no longer sum to 1.
    Raises ValueRangeError for anything but floats, for NaN, and where the log of the sum of exponentials is not 0.
    """
    values: npt.NDArray[Any] = np.asarray(array)
    if values.shape != size:
        raise ShapeError(
            f"{argument} has shape {values.shape}; wanted: the stimulus's {size}. A log density is never resized, "
            "since the result would not sum to 1: the model must give one of the stimulus's size"
        )
    if values.dtype.kind != "f":
        raise ValueRangeError(f"{argument} has type {values.dtype}; wanted: floats, natural logarithms of densities")
    logs = to_float(values)
    total = float(scipy.special.logsumexp(logs))
    if not abs(total) <= NORMALISED_WITHIN:
        reason = "it holds NaN" if np.isnan(logs).any() else f"the log of its summed exponentials is {total:.9g}"
        raise ValueRangeError(
            f"{argument} is no log density: {reason}; wanted: natural logarithms of probabilities that sum to 1, so 0 "
            f"within {NORMALISED_WITHIN:g} (subtract scipy.special.logsumexp of the map, in float64)"
        )
    return logs


def log_likelihood(log_density: npt.ArrayLike, fixation_map: npt.ArrayLike) -> float:
    """Log-likelihood: the mean binary logarithm of the probabilities at fixated pixels, each pixel counted once.

    Shapes: (H, W) both. Unit: bits per fixation, absolute: a uniform density has -log2(H * W). NaN without fixations;
    minus infinity where a fixated pixel has no probability.
    Raises ShapeError where the sizes differ, ValueRangeError for a map that is no log density or no fixation map.
    Source: Kümmerer et al. 2015, 2018, who give it relative to the uniform density: plus log2(H * W).
    """
    fixated = as_fixation_mask(fixation_map)
    return log_likelihood_at(as_log_density(log_density, fixated.shape), np.argwhere(fixated))


def log_likelihood_at(log_density: FloatArray, positions: IntArray) -> float:
    """The same over a list of fixations, (n, 2) [row, column], which may repeat, and a log density already checked."""
    if not len(positions):
        return math.nan
    return float(log_density[positions[:, 0], positions[:, 1]].mean()) / math.log(2)


def information_gain_at(log_density: FloatArray, baseline_log_density: FloatArray, positions: IntArray) -> float:
    """How many bits per fixation the log density is above the baseline's, both (H, W) and checked; exact.

    `positions`: (n, 2) [row, column], which may repeat. NaN without fixations, and where the difference is undefined:
    some fixated pixels have probability 0 under one and some under the other.
    Source: Kümmerer et al. 2015.
    """
    ours, baseline = (log_likelihood_at(logs, positions) for logs in (log_density, baseline_log_density))
    return ours - baseline
