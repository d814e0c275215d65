"""Maps made ready once for several metrics: the statistics are right, and come and go without a change of any score."""

import math
import pickle

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from map_strategies import maps, scenes
from pytest import approx

from salbench.metrics import MAP_METRICS, Truth, cc, emd, information_gain, kl_divergence, nss, sim
from salbench.metrics.prepared import PreparedMap, centred_dot, dot, prepare

TRUTH = np.random.default_rng(0).random((70, 100)) ** 3
SALIENCY = np.random.default_rng(1).random((70, 100))


def exact(values):
    """The statistics once more, with sums that round once."""
    pixels = values.ravel().tolist()
    mean, low = math.fsum(pixels) / len(pixels), min(pixels)
    return {
        "low": low,
        "high": max(pixels),
        "total": math.fsum(pixels),
        "mass": math.fsum(value - low for value in pixels),
        "squares": math.fsum((value - mean) ** 2 for value in pixels),
    }


@pytest.mark.parametrize("offset", [0.0, 1.0, 7.0, -7.0, 1e3, 1e6, -1e6])
@pytest.mark.parametrize("shape", [(7, 9), (90, 91), (128, 200)])
def test_the_statistics_are_those_of_the_definition(offset, shape):
    """Catches sums taken from one another where their digits cancel, and the pixels past the last whole block."""
    values = np.random.default_rng(2).random(shape) + offset
    prepared, expected = PreparedMap(values), exact(values)
    assert (prepared.low, prepared.high) == (expected["low"], expected["high"])
    assert prepared.total == approx(expected["total"], rel=1e-14, abs=1e-11)
    assert prepared.mass == approx(expected["mass"], rel=1e-13)
    # The mean is known to the last bit of the offset, its square enters once per pixel.
    assert prepared.squares == approx(expected["squares"], rel=1e-13 + (2e-16 * offset) ** 2 * 100)


def test_products_do_not_depend_on_the_block():
    """Catches a tail that is left out or counted twice, in both kinds of sums."""
    for size in (1, 8191, 8192, 8193, 3 * 8192 + 5):
        a, b = np.random.default_rng(size).random((2, size))
        assert dot(a, b) == approx(math.fsum((a * b).tolist()), rel=1e-14)
        ours, theirs = PreparedMap(a[None]), PreparedMap(b[None])
        expected = math.fsum(((a - a.mean()) * (b - b.mean())).tolist())
        assert centred_dot(ours, theirs) == approx(expected, rel=1e-11, abs=1e-13)


@given(scenes(), st.sampled_from([0.0, 1e4, -1e4]))
def test_metrics_of_moments_see_through_an_offset(scene, offset):
    """Catches a shortcut by the sum of squares where the mean is large: 1e4 squared leaves 8 of 16 digits."""
    assert nss(scene.saliency + offset, scene.fixations) == approx(nss(scene.saliency, scene.fixations), abs=1e-9)
    assert cc(scene.saliency + offset, scene.truth) == approx(cc(scene.saliency, scene.truth), abs=1e-9)
    assert cc(scene.saliency, scene.truth + offset) == approx(cc(scene.saliency, scene.truth), abs=1e-9)


@given(scenes(), st.sampled_from([2.0**power for power in (-1000, -900, -500, 500, 900, 1000)]))
def test_extreme_values_score_as_ordinary_ones(scene, gain):
    """Catches squares, sums or their reciprocals that leave float64's range. A power of two changes no digit."""
    extreme = scene.saliency * gain
    assert nss(extreme, scene.fixations) == approx(nss(scene.saliency, scene.fixations), abs=1e-12)
    assert information_gain(extreme, scene.fixations, scene.truth) == approx(
        information_gain(scene.saliency, scene.fixations, scene.truth), abs=1e-12
    )
    for metric in (cc, sim, kl_divergence):
        assert metric(extreme, scene.truth) == approx(metric(scene.saliency, scene.truth), abs=1e-12)
        assert metric(scene.truth, extreme) == approx(metric(scene.truth, scene.saliency), abs=1e-12)


def density_metrics():
    return [key for key, metric in MAP_METRICS.items() if metric.needs == (Truth.DENSITY,)]


@pytest.mark.parametrize("key", density_metrics())
def test_a_map_with_its_stored_statistics_scores_to_the_same_bit(key):
    """Catches a statistic that is stored under another name, rounded, or of another map."""
    stored = pickle.loads(pickle.dumps(PreparedMap(TRUTH).statistics))
    metric = MAP_METRICS[key].function
    assert metric(SALIENCY, PreparedMap(TRUTH, stored)) == metric(SALIENCY, TRUTH)


def test_statistics_are_small_and_spare_the_computation():
    """Catches the map itself stored with them, and statistics that are handed in and computed all the same."""
    stored = PreparedMap(TRUTH).statistics
    assert set(stored) == {"low", "high", "total", "mass", "squares", "shrunken"}
    assert len(pickle.dumps(stored)) < 1000
    assert all(type(stored[name]) is float for name in stored if name != "shrunken")
    known = PreparedMap(np.full(TRUTH.shape, np.nan), stored)  # a map from which nothing of this could be computed
    assert known.statistics == {**stored, "shrunken": known.shrunken}
    np.testing.assert_array_equal(known.shrunken, stored["shrunken"])


def test_a_map_is_resized_once():
    """Catches a second resize for the next metric, and a copy where the size is right already."""
    prepared = prepare(SALIENCY, "saliency_map")
    assert prepared.resized((70, 100)) is prepared
    assert prepared.resized((35, 50)) is prepared.resized((35, 50))
    assert prepare(prepared, "saliency_map") is prepared


@settings(max_examples=25)
@given(maps((8, 9)))
def test_layout_changes_no_bit(values):
    """Catches sums in memory order: Fortran order would score differently in the last bits."""
    for laid_out in (np.asfortranarray(values), np.repeat(values, 2, axis=1)[:, ::2], values[::-1].copy()[::-1]):
        assert PreparedMap(laid_out).statistics["squares"] == PreparedMap(values).statistics["squares"]
        assert emd(laid_out, values, downsize=2) == emd(values, values, downsize=2)
