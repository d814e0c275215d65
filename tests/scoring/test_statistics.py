"""Means and intervals."""

import numpy as np
import pytest
import scipy

from salbench.scoring.randomness import generator
from salbench.scoring.statistics import CONFIDENCE, RESAMPLES, interval, summarise


def test_undefined_values_are_left_out_and_counted():
    summary = summarise({"nss": [1.0, np.nan, 2.0, 3.0]}, seed=0)["nss"]
    assert (summary["mean"], summary["n"]) == (2.0, 3)


def test_a_metric_that_is_nowhere_defined_has_no_mean():
    assert summarise({"nss": [np.nan, np.nan]}, 0)["nss"] == {"mean": None, "ci_low": None, "ci_high": None, "n": 0}


def test_intervals_need_three_values():
    assert interval(np.array([1.0, 2.0]), 0, "nss") == (None, None)


def test_equal_values_have_an_interval_of_no_width():
    assert interval(np.full(10, 0.3), 0, "nss") == (0.3, 0.3)


def test_the_interval_is_the_same_for_the_same_seed():
    values = np.random.default_rng(0).normal(size=50)
    assert interval(values, 1, "nss") == interval(values, 1, "nss")
    assert interval(values, 1, "nss") != interval(values, 2, "nss")


def test_the_interval_agrees_with_the_normal_theory_for_normal_values():
    values = np.random.default_rng(0).normal(5, 2, size=400)
    low, high = interval(values, 0, "nss")
    half = 1.96 * values.std(ddof=1) / 20
    assert (low, high) == pytest.approx((values.mean() - half, values.mean() + half), abs=0.02)


@pytest.mark.parametrize("n", [3, 5, 20, 300])
def test_the_interval_is_scipys_of_skewed_values(n):
    """Catches a wrong sign or power in the correction for skewness: SciPy leaves out each value in turn."""
    values = np.random.default_rng(n).gamma(0.7, size=n)
    expected = scipy.stats.bootstrap(
        (values,), np.mean, n_resamples=RESAMPLES, confidence_level=CONFIDENCE, rng=generator(0, "bootstrap", "nss")
    ).confidence_interval
    assert interval(values, 0, "nss") == pytest.approx((expected.low, expected.high), rel=1e-12)


def test_nearly_constant_values_still_have_a_finite_interval():
    low, high = interval(np.array([1.0, 1.0, 1.0, 1.0, 2.0]), 0, "nss")
    assert 1.0 <= low <= 1.2 <= high <= 2.0
