import loop_ports
import numpy as np
import pytest
from hypothesis import given
from map_strategies import scenes
from pytest import approx

from salbench.metrics import auc_judd

RAMP = np.arange(16.0).reshape(4, 4)


def points(shape, *places):
    fixations = np.zeros(shape, dtype=np.uint8)
    for place in places:
        fixations[place] = 1
    return fixations


@given(scenes())
def test_it_is_the_loop_over_fixations(scene):
    """Catches errors of sorting, counting and tie handling of the vectorised curve."""
    value = auc_judd(scene.saliency, scene.fixations, jitter=False)
    assert value == approx(loop_ports.auc_judd(scene.saliency, scene.fixations), abs=1e-12)


def test_fixations_on_the_highest_pixels_are_perfect():
    """Catches an area that forgets an end of the curve."""
    assert auc_judd(RAMP, points((4, 4), (3, 3), (3, 2)), jitter=False) == approx(1.0, abs=1e-15)


def test_a_curve_worked_by_hand():
    """Catches rates over all pixels in place of those without a fixation.

    Fixations at 15 and 12 of 0..15: points (0, 1/2), then (4 - 2) / 14 and 1. Area: 2/14 * (1/2 + 1) / 2 + 12/14.
    """
    assert auc_judd(RAMP, points((4, 4), (3, 3), (3, 0)), jitter=False) == approx(1.5 / 14 + 12 / 14, abs=1e-15)


def test_ties_follow_the_reference_and_not_the_textbook():
    """Catches a tie-aware curve. A binary map, 4 of 40 pixels on, fixated at two of them and two others.

    Thresholds 1, 1, 0, 0. Reached: 4, 4, 40, 40. False positives (4-1, 4-2, 40-3, 40-4) / 36, true 1/4 .. 1: the curve
    runs backwards wherever values tie. A tie-aware curve gives (1 + 1/2 - 2/36) / 2 = 0.722.
    """
    saliency = np.zeros((5, 8))
    saliency[0, :4] = 1
    fixations = points((5, 8), (0, 0), (0, 1), (4, 0), (4, 1))
    x, y = [0, 3 / 36, 2 / 36, 37 / 36, 36 / 36, 1], [0, 1 / 4, 2 / 4, 3 / 4, 1, 1]
    by_hand = sum((x[i + 1] - x[i]) * (y[i] + y[i + 1]) / 2 for i in range(5))
    assert auc_judd(saliency, fixations, jitter=False) == approx(by_hand, abs=1e-15)
    assert by_hand < 0.65


def test_all_fixations_off_a_binary_map():
    """Catches the same at its worst: far below chance where a tie-aware curve gives nearly 0.5.

    5 of 100 pixels on, 10 fixations off: each reaches 100 pixels, so the curve starts at (99/90, 0.1) and creeps back
    to (1, 1). The first trapezoid, 99/90 * 0.05, is undone by the nine that run backwards, (0.15 + .. + 0.95) / 90.
    """
    saliency = np.zeros((10, 10))
    saliency[0, :5] = 1
    fixations = points((10, 10), *((9, column) for column in range(10)))
    assert auc_judd(saliency, fixations, jitter=False) == approx(0.0, abs=1e-15)


def test_jitter_breaks_ties():
    """Catches a jitter without effect: on a binary map it comes near the tie-aware area."""
    saliency = np.zeros((40, 40))
    saliency[0, :] = 1
    saliency[1, :20] = 1
    fixations = points((40, 40), *((row, column) for row in range(10, 20) for column in range(0, 40, 2)))
    values = [auc_judd(saliency, fixations, rng=seed) for seed in range(10)]
    # 60 of 1400 negatives are on and no fixation is: 0.5 * (1 - 60 / 1400). Spread of one run: 0.02.
    assert np.mean(values) == approx(0.5 * (1 - 60 / 1400), abs=0.03)
    assert len(set(values)) == 10


def test_jitter_comes_before_the_range_normalisation():
    """Catches jitter added to the stretched map: a density of tiny values drowns in it, as in the reference."""
    saliency = np.tile(np.arange(64.0), (64, 1)) * 1e-12
    fixations = points((64, 64), *((row, 63) for row in range(0, 64, 2)))
    assert auc_judd(saliency, fixations, jitter=False) > 0.98
    assert auc_judd(saliency, fixations, rng=0) == approx(0.5, abs=0.2)
    assert auc_judd(saliency / 1e-12, fixations, rng=0) > 0.98


def test_jitter_is_a_ten_millionth_wide():
    """Catches another width: values further apart than 1e-7 keep their ranks, closer ones do not."""
    fixations = points((4, 4), (3, 3), (3, 0), (1, 1))
    apart, close = RAMP * 1.001e-7, RAMP * 2e-8
    expected = auc_judd(RAMP, fixations, jitter=False)
    assert {auc_judd(apart, fixations, rng=seed) for seed in range(20)} == {expected}
    assert len({auc_judd(close, fixations, rng=seed) for seed in range(20)}) > 10


def test_a_constant_map_has_no_value_without_jitter_and_chance_with_it():
    """Catches a flat map ranked by rounding, or scored as perfect."""
    constant, fixations = np.full((50, 50), 0.3), points((50, 50), *((row, 7) for row in range(50)))
    assert np.isnan(auc_judd(constant, fixations, jitter=False))
    assert auc_judd(constant, fixations, rng=3) == approx(0.5, abs=0.2)


def test_the_same_seed_gives_the_same_value():
    """Catches global random state, and a generator that is not the one handed in."""
    saliency, fixations = np.tile([0.0, 1.0], (8, 4)), points((8, 8), (0, 1), (3, 3), (5, 6), (7, 0))
    value = auc_judd(saliency, fixations, rng=5)
    np.random.seed(0)  # noqa: NPY002 - the point: the global state must not matter
    assert auc_judd(saliency, fixations, rng=5) == value
    assert auc_judd(saliency, fixations, rng=np.random.default_rng(5)) == value
    assert len({auc_judd(saliency, fixations, rng=seed) for seed in range(20)}) > 1


@pytest.mark.parametrize("jitter", [True, False])
def test_no_fixation_no_value(jitter):
    """Catches a division by no fixation, or a 0 that would enter a mean."""
    assert np.isnan(auc_judd(RAMP, np.zeros((4, 4)), jitter=jitter))


def test_a_nan_at_a_fixation_is_the_highest_threshold():
    """Catches NaN sorted last. It is reached by no pixel: the first point of the curve is ((0 - 1) / 14, 1/2)."""
    saliency = RAMP.copy()
    saliency[0, 0] = np.nan
    fixations = points((4, 4), (0, 0), (3, 3))
    # Then 15 reaches its own value: ((1 - 2) / 14, 1), and (1, 1).
    by_hand = (-1 / 14) * (1 / 2) / 2 + 0 + (1 + 1 / 14) * 1
    assert auc_judd(saliency, fixations, jitter=False) == approx(by_hand, abs=1e-15)
    assert loop_ports.auc_judd(saliency, fixations) == approx(by_hand, abs=1e-15)


def test_a_nan_elsewhere_is_reached_by_nothing():
    """Catches NaN counted as larger than every threshold, which sorting alone would do."""
    saliency = RAMP.copy()
    saliency[0, 0] = np.nan
    fixations = points((4, 4), (3, 0), (2, 0))
    assert auc_judd(saliency, fixations, jitter=False) == approx(loop_ports.auc_judd(saliency, fixations), abs=1e-15)


def test_a_map_of_nan_has_no_value():
    """Catches a curve drawn from nothing."""
    assert np.isnan(auc_judd(np.full((4, 4), np.nan), points((4, 4), (0, 0)), jitter=False))
    assert np.isnan(auc_judd(np.full((4, 4), np.nan), points((4, 4), (0, 0)), rng=0))
