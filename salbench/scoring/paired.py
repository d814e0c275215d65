"""Whether two models differ on the same stimuli, and by how much: pure functions of paired scores."""

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import scipy

from salbench.arrays import FloatArray, IntArray
from salbench.scoring.randomness import generator
from salbench.scoring.statistics import HELD, RESAMPLES, ROUNDING, interval

MOST_EXACT = 13
"""Stimuli whose 2^n exchanges are all looked at."""


@dataclass(frozen=True)
class Difference:
    """Scores of a model less those of another on `n` stimuli that have both.

    `low`, `high`: 95 % BCa bootstrap interval of the mean difference, None for fewer than three stimuli. `p`: two-sided
    paired permutation test (the signs of the differences are exchanged), None where there is nothing to test.
    `effect`: Cohen's d for paired values, mean over standard deviation of the differences, None where all are equal.
    `wins`: share of stimuli with a higher score, equal ones counted half.
    """

    n: int
    mean: float
    low: float | None
    high: float | None
    p: float | None
    effect: float | None
    wins: float


def difference(ours: FloatArray, theirs: FloatArray, seed: int, key: str) -> Difference | None:
    """How (n,) scores differ from (n,) others of the same stimuli, NaN where undefined; None where no pair is defined.

    Differences at the level of rounding count as none. The permutation test is exact for up to 13 stimuli, else of
    9,999 random exchanges; `seed` and `key` draw them.
    """
    paired = ~(np.isnan(ours) | np.isnan(theirs))
    values = ours[paired] - theirs[paired]
    if values.size == 0:
        return None
    level = ROUNDING * np.maximum(np.abs(ours[paired]), np.abs(theirs[paired]))
    values = np.where(np.abs(values) <= level, 0.0, values)
    low, high = interval(values, seed, f"difference/{key}")
    return Difference(
        n=int(values.size),
        mean=float(values.mean()),
        low=low,
        high=high,
        p=_permutation_p(values, seed, key),
        effect=_effect(values),
        wins=float(np.mean((values > 0) + 0.5 * (values == 0))),
    )


def _effect(values: FloatArray) -> float | None:
    """Cohen's d of paired values; None where they hardly differ from each other."""
    deviation = float(values.std(ddof=1)) if values.size > 1 else 0.0
    return float(values.mean()) / deviation if deviation > ROUNDING * float(np.abs(values).max()) else None


def _permutation_p(values: FloatArray, seed: int, key: str) -> float | None:
    """Two-sided p of the mean of paired differences when their signs are exchanged at random."""
    if values.size < 2:
        return None
    total = float(np.abs(values).sum())
    bound = abs(float(values.sum())) - ROUNDING * total
    if values.size <= MOST_EXACT:
        signs = np.array(list(itertools.product((1.0, -1.0), repeat=values.size)))
        return float(np.mean(np.abs(signs @ values) >= bound))
    rng, block = generator(seed, "permutation", key), max(1, HELD // values.size)
    beyond = 0
    for start in range(0, RESAMPLES, block):
        flipped = rng.integers(0, 2, size=(min(block, RESAMPLES - start), values.size), dtype=np.int8)
        sums = values.sum() - 2 * (flipped.astype(np.float64) @ values)
        beyond += int((np.abs(sums) >= bound).sum())
    return (beyond + 1) / (RESAMPLES + 1)


def holm(p_values: Sequence[float]) -> list[float]:
    """Holm's step-down adjustment of p-values for the number of tests (Holm 1979), in the order given."""
    order = np.argsort(p_values, kind="stable")
    adjusted = [0.0] * len(p_values)
    highest = 0.0
    for place, index in enumerate(order):
        highest = max(highest, min(1.0, (len(p_values) - place) * p_values[index]))
        adjusted[index] = highest
    return adjusted


def ranks(scores: FloatArray, *, higher_is_better: bool) -> FloatArray:
    """Ranks of the models along the last axis of means, 1 the best; equal ones share the mean of their ranks."""
    ranked: FloatArray = scipy.stats.rankdata(-scores if higher_is_better else scores, axis=-1)
    return ranked


@dataclass(frozen=True)
class RankStability:
    """How firm a ranking of m models is when stimuli are drawn anew, with replacement.

    `rank`: (m,) of the means over all stimuli. `low`, `high`: (m,) range of the ranks in 95 % of the draws. `first`:
    (m,) share of the draws in which a model is the best, shared where several are. `agreement`: mean Kendall tau-b
    between a draw's ranking and that of all stimuli, None for fewer than two models.
    """

    rank: FloatArray
    low: FloatArray
    high: FloatArray
    first: FloatArray
    agreement: float | None


def rank_stability(
    scores: FloatArray, seed: int, key: str, *, higher_is_better: bool, draws: int = 999
) -> RankStability:
    """The stability of the ranking that (m, n) scores of m models on n stimuli give; n at least 3, no NaN."""
    models, stimuli = scores.shape
    whole = ranks(scores.mean(axis=1), higher_is_better=higher_is_better)
    picked: IntArray = generator(seed, "ranks", key).integers(stimuli, size=(draws, stimuli))
    means = np.stack([scores[:, rows].mean(axis=1) for rows in picked])
    drawn = ranks(means, higher_is_better=higher_is_better)
    best = drawn == drawn.min(axis=1, keepdims=True)
    low, high = np.quantile(drawn, [0.025, 0.975], axis=0, method="inverted_cdf")
    return RankStability(
        rank=whole,
        low=low,
        high=high,
        first=(best / best.sum(axis=1, keepdims=True)).mean(axis=0),
        agreement=_mean_tau(whole, drawn) if models > 1 else None,
    )


def _mean_tau(whole: FloatArray, drawn: FloatArray) -> float:
    taus = [float(scipy.stats.kendalltau(whole, one).statistic) for one in drawn]
    return float(np.nanmean(taus)) if not np.isnan(taus).all() else 1.0
