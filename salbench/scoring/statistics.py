"""Means over stimuli and how sure they are."""

import warnings
from collections.abc import Mapping

import numpy as np
import numpy.typing as npt
import scipy

from salbench.arrays import FloatArray
from salbench.scoring.randomness import generator

RESAMPLES = 9999
CONFIDENCE = 0.95
HELD = 60_000
"""Resampled values held in memory at a time."""
ROUNDING = 1e-12
"""Values that differ by less than this share of the largest differ by rounding only."""


def summarise(columns: Mapping[str, npt.ArrayLike], seed: int) -> dict[str, dict[str, float | int | None]]:
    """For each metric mean, bootstrap interval and number of stimuli with a value; None where undefined."""
    return {key: _summary(np.asarray(values, dtype=np.float64), seed, key) for key, values in columns.items()}


def _summary(values: FloatArray, seed: int, key: str) -> dict[str, float | int | None]:
    defined = values[~np.isnan(values)]
    low, high = interval(defined, seed, key)
    mean = float(defined.mean()) if defined.size else None
    return {"mean": mean, "ci_low": low, "ci_high": high, "n": int(defined.size)}


def interval(values: FloatArray, seed: int, key: str) -> tuple[float | None, float | None]:
    """95 % bootstrap interval (BCa, Efron 1987) of the mean of (n,) values; (None, None) for fewer than three.

    Where BCa is undefined, as when nearly all values are equal, the percentiles of the resampled means.
    """
    if values.size < 3:
        return None, None
    if np.ptp(values) <= ROUNDING * np.abs(values).max():
        return float(values.min()), float(values.max())
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # SciPy warns of resampled means that are all the same
        means = scipy.stats.bootstrap(
            (values,),
            np.mean,
            n_resamples=RESAMPLES,
            method="percentile",
            batch=max(1, HELD // values.size),
            rng=generator(seed, "bootstrap", key),
        ).bootstrap_distribution
    tails = np.array([(1 - CONFIDENCE) / 2, (1 + CONFIDENCE) / 2])
    corrected = _bca(tails, values, means)
    low, high = np.quantile(means, corrected if np.isfinite(corrected).all() else tails)
    return float(low), float(high)


def _bca(tails: FloatArray, values: FloatArray, means: FloatArray) -> FloatArray:
    """The quantiles of resampled means that BCa takes for these tails; NaN where it is undefined.

    SciPy's own would leave out each value in turn, n sums of n values. Means of all but one value are known without.
    """
    mean = values.mean()
    deviations = values - mean
    below = (np.mean(means < mean) + np.mean(means <= mean)) / 2
    with np.errstate(all="ignore"):
        acceleration = np.sum(deviations**3) / (6 * np.sum(deviations**2) ** 1.5)
        bias = scipy.special.ndtri(below)
        shifted = bias + scipy.special.ndtri(tails)
        quantiles: FloatArray = scipy.special.ndtr(bias + shifted / (1 - acceleration * shifted))
    return quantiles
