"""CC, SIM and KL; EMD has a file of its own."""

import math

import loop_ports
import numpy as np
import pytest
from hypothesis import given
from map_strategies import scenes
from pytest import approx

from salbench.maps import imresize
from salbench.metrics import cc, kl_divergence, sim

EPSILON = 2.0**-52


@given(scenes())
def test_cc_is_the_pearson_correlation(scene):
    """Catches N against N - 1 mixed, and a map centred twice or not at all."""
    value = cc(scene.saliency, scene.truth)
    assert value == approx(loop_ports.cc(scene.saliency, scene.truth), abs=1e-12)
    assert value == approx(np.corrcoef(scene.saliency.ravel(), scene.truth.ravel())[0, 1], abs=1e-12)


@given(scenes())
def test_sim_is_the_sum_of_minima(scene):
    """Catches a missing range normalisation, which changes every value."""
    assert sim(scene.saliency, scene.truth) == approx(loop_ports.sim(scene.saliency, scene.truth), abs=1e-12)


def test_sim_worked_by_hand():
    """Catches the sum alone as normalisation. Shares 0, 1/6, 2/6, 3/6 against 3/6, 2/6, 1/6, 0: minima 0, 1/6, 1/6, 0.

    Divided by their sums without the range, 1..4 and 4..1 would give 2 (1 + 2) / 10 = 0.6.
    """
    assert sim([[1.0, 2.0], [3.0, 4.0]], [[4.0, 3.0], [2.0, 1.0]]) == approx(1 / 3, abs=1e-15)


def test_an_all_zero_map_is_similar_to_nothing():
    """Catches NaN for the one flat map that the reference scores."""
    ramp = np.arange(6.0).reshape(2, 3)
    assert sim(np.zeros((2, 3)), ramp) == sim(ramp, np.zeros((2, 3))) == 0.0
    assert math.isnan(sim(np.ones((2, 3)), ramp))
    assert math.isnan(sim([[np.nan, 1, 2], [3, 4, 5]], ramp))


def test_cc_has_no_value_for_flat_maps_and_nan():
    """Catches a correlation with rounding noise: the mean of 0.1 is not 0.1."""
    ramp = np.arange(6.0).reshape(2, 3)
    assert math.isnan(cc(np.full((2, 3), 0.1), ramp))
    assert math.isnan(cc(ramp, np.zeros((2, 3))))
    assert math.isnan(cc([[np.nan, 1, 2], [3, 4, 5]], ramp))
    assert math.isnan(cc([[1.0]], [[1.0]]))


@given(scenes())
def test_kl_is_the_sum_over_pixels(scene):
    """Catches a range normalisation, swapped arguments, a missing or misplaced epsilon."""
    value = kl_divergence(scene.saliency, scene.truth)
    assert value == approx(loop_ports.kl_divergence(scene.saliency, scene.truth), abs=1e-11)


def test_kl_worked_by_hand():
    """Catches bits in place of nats. q = 3/4, 1/4 against p = 1/2, 1/2."""
    expected = 0.75 * math.log(1.5) + 0.25 * math.log(0.5)
    assert kl_divergence([[2.0, 2.0]], [[3.0, 1.0]]) == approx(expected, abs=1e-15)


def test_kl_of_a_missed_pixel_is_capped_by_epsilon():
    """Catches infinity: q = 1 where p = 0 costs log(1 / eps) = 52 log 2."""
    assert kl_divergence([[0.0, 1.0]], [[1.0, 0.0]]) == approx(52 * math.log(2), abs=1e-12)


def test_kl_of_an_all_zero_map():
    """Catches 0 / 0: a map without mass is not divided. As saliency it misses everything, as truth it asks nothing."""
    ramp = np.array([[1.0, 3.0]])
    missed = sum(q * math.log(EPSILON + q / EPSILON) for q in (0.25, 0.75))
    assert kl_divergence(np.zeros((1, 2)), ramp) == approx(missed, abs=1e-12)
    assert kl_divergence(ramp, np.zeros((1, 2))) == 0


def test_kl_of_an_all_negative_map_is_that_of_its_opposite():
    """Catches a clip of the map as handed in: a negative sum makes the shares positive, as in the reference."""
    saliency, truth = np.array([[1.0, 3.0], [2.0, 2.0]]), np.array([[4.0, 1.0], [1.0, 2.0]])
    assert kl_divergence(-saliency, truth) == kl_divergence(saliency, truth) > 0


def test_kl_clips_what_the_kernel_overshoots():
    """Catches a logarithm of a negative number: the bicubic kernel undershoots beside a step from 0 to 1."""
    saliency = np.repeat([[0.0, 0.0, 0.0, 1.0, 1.0, 1.0]], 6, axis=0)
    resized = imresize(saliency, size=(12, 12))
    assert resized.min() < 0
    expected = kl_divergence(np.maximum(resized, 0), np.ones((12, 12)))
    assert kl_divergence(saliency, np.ones((12, 12))) == expected
    assert math.isfinite(expected)


def test_kl_does_not_clip_a_map_that_is_negative_itself():
    """Catches the clip hiding a wrong input, a log density say: its logarithm has no value."""
    signed = np.repeat([[-1.0, 0.0, 0.0, 1.0, 1.0, 1.0]], 6, axis=0)
    assert math.isnan(kl_divergence(signed, np.ones((6, 6))))
    assert math.isnan(kl_divergence(signed, np.ones((12, 12))))


@pytest.mark.parametrize("metric", [cc, sim, kl_divergence])
def test_the_saliency_map_is_resized_to_the_truth(metric):
    """Catches the truth resized to the saliency map, which would change the ground truth from model to model."""
    rng = np.random.default_rng(2)
    # Two is far enough from zero that the kernel's overshoot stays positive: KL clips nothing.
    saliency, truth = rng.random((9, 15)) + 2, rng.random((14, 11))
    assert metric(saliency, truth) == metric(imresize(saliency, size=(14, 11)), truth)


@pytest.mark.parametrize(("dtype", "top"), [(np.uint8, 255), (np.uint16, 65535)])
def test_integers_are_floats_before_they_are_resized(dtype, top):
    """Catches the rounding of integer resizing, and of MATLAB's integer division, in the scores."""
    rng = np.random.default_rng(3)
    whole, truth = rng.integers(0, top, (9, 15), endpoint=True, dtype=dtype), rng.random((18, 30))
    assert cc(whole, truth) == cc(whole / top, truth)
    assert kl_divergence(whole, truth) == kl_divergence(whole / top, truth)
    assert abs(cc(whole, truth) - cc(imresize(whole, size=(18, 30)), truth)) > 1e-9
