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
        warnings.simplefilter("ignore")  # SciPy warns of what the lines below handle
        result = scipy.stats.bootstrap(
            (values,),
            np.mean,
            n_resamples=RESAMPLES,
            confidence_level=CONFIDENCE,
            batch=max(1, HELD // values.size),
            rng=generator(seed, "bootstrap", key),
        )
    low, high = result.confidence_interval
    if not (np.isfinite(low) and np.isfinite(high)):
        tail = (1 - CONFIDENCE) / 2
        low, high = np.quantile(result.bootstrap_distribution, [tail, 1 - tail])
    return float(low), float(high)
