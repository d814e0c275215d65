"""NSS and information gain."""

import math

import loop_ports
import numpy as np
from hypothesis import given
from map_strategies import scenes
from pytest import approx

from salbench.metrics import information_gain, nss

FOUR = np.array([[1.0, 2.0], [3.0, 6.0]])
AT_SIX = np.array([[0, 0], [0, 1]])


@given(scenes())
def test_nss_is_the_mean_z_score(scene):
    """Catches errors of the sums; round-off of 81 values in whole numbers is far below 1e-12."""
    expected = loop_ports.nss(scene.saliency, scene.fixations)
    assert nss(scene.saliency, scene.fixations) == approx(expected, abs=1e-12)


def test_nss_uses_the_sample_deviation():
    """Catches a deviation over N. Mean 3, squares 4 + 1 + 0 + 9 = 14: (6 - 3) / sqrt(14 / 3), not / sqrt(14 / 4)."""
    assert nss(FOUR, AT_SIX) == approx(3 / math.sqrt(14 / 3), rel=1e-15)


def test_nss_counts_a_repeated_fixation_once():
    """Catches weights by count."""
    saliency, fixations = np.arange(12.0).reshape(3, 4), np.zeros((3, 4), dtype=int)
    fixations[0, 0], fixations[2, 3] = 40, 1
    assert nss(saliency, fixations) == nss(saliency, fixations != 0) == approx(0.0, abs=1e-15)


def test_nss_has_no_value_for_flat_maps_no_fixations_and_nan():
    """Catches a division by a deviation that is zero but for rounding: 0.1 has no exact mean."""
    assert math.isnan(nss(np.full((7, 11), 0.1), np.eye(7, 11)))
    assert math.isnan(nss(FOUR, np.zeros((2, 2))))
    assert math.isnan(nss([[np.nan, 2.0], [3.0, 6.0]], AT_SIX))
    assert math.isnan(nss(np.ones((1, 1)), np.zeros((1, 1))))


@given(scenes())
def test_information_gain_is_the_mean_log_ratio(scene):
    """Catches natural logarithms, a missing epsilon (52 bits where a map is zero), unnormalised maps."""
    value = information_gain(scene.saliency, scene.fixations, scene.truth)
    assert value == approx(loop_ports.information_gain(scene.saliency, scene.fixations, scene.truth), abs=1e-11)


def test_information_gain_worked_by_hand():
    """Catches another unit. Shares 0, 1/8, 2/8, 5/8 against 0, 1/4, 1/4, 1/2: log2(5/8 / (1/2)) bits."""
    baseline = np.array([[0.0, 1.0], [1.0, 2.0]])
    assert information_gain(FOUR, AT_SIX, baseline) == approx(math.log2(1.25), abs=1e-14)


def test_the_lowest_pixel_is_worth_minus_52_bits():
    """Catches another epsilon, and one added after the logarithm."""
    at_lowest = np.array([[1, 0], [0, 0]])
    baseline = np.array([[2.0, 1.0], [1.0, 2.0]])
    assert information_gain(FOUR, at_lowest, baseline) == approx(-52 + 1, abs=1e-12)


def test_a_baseline_gains_nothing_on_itself():
    """Catches two maps treated differently."""
    assert information_gain(FOUR, AT_SIX, FOUR) == 0


def test_information_gain_has_no_value_without_fixations_or_for_flat_maps():
    """Catches a flat map taken for a uniform density: the reference's range normalisation leaves none."""
    assert math.isnan(information_gain(FOUR, np.zeros((2, 2)), FOUR))
    assert math.isnan(information_gain(np.ones((2, 2)), AT_SIX, FOUR))
    assert math.isnan(information_gain(FOUR, AT_SIX, np.zeros((2, 2))))


def test_maps_of_other_sizes_are_resized_to_the_fixation_map():
    """Catches fixations read at the wrong pixels: on a linear ramp of twice the size, the resized one is the ramp."""
    fixations = np.zeros((20, 20))
    fixations[10, 10] = 1
    large = np.add.outer(np.arange(40.0), np.arange(40.0))
    small = np.add.outer(np.arange(20.0), np.arange(20.0))
    # Both are symmetric about the frame's centre; pixel (10, 10) lies half a pixel below it each way.
    assert nss(large, fixations) == approx(nss(small, fixations), abs=0.01)
    assert nss(small, fixations) > 0.1
    assert information_gain(large, fixations, small) == approx(0, abs=0.01)
