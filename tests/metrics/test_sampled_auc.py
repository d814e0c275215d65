"""AUC-B and sAUC: the same curve over negatives that are drawn differently."""

import collections
import itertools
import math

import loop_ports
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from map_strategies import scenes
from pytest import approx

from salbench.errors import ShapeError, UsageError, ValueRangeError
from salbench.metrics import auc, auc_borji, auc_shuffled

RAMP = np.arange(100.0).reshape(10, 10)
FIXATIONS = np.zeros((10, 10), dtype=np.uint8)
FIXATIONS[[9, 9, 5], [9, 4, 5]] = 1
OTHERS = np.zeros((10, 10), dtype=np.uint8)
OTHERS[[0, 2, 4, 6, 8], [1, 3, 5, 7, 9]] = 1


class Untouchable(np.random.Generator):
    """A generator that must not be asked for anything."""

    def __init__(self):
        super().__init__(np.random.PCG64(0))

    def integers(self, *args, **kwargs):
        raise AssertionError("a random number was drawn")

    choice = random = permutation = permuted = shuffle = integers


@pytest.fixture
def drawn_columns(monkeypatch):
    """What auc_shuffled draws: every matrix of indices that it scores."""
    seen = []
    monkeypatch.setattr(auc, "_split_area", lambda saliency, fixated, drawn, step: seen.append(drawn) or 0.5)
    return seen


@given(scene=scenes(), step=st.sampled_from([0.1, 0.05, 0.25]), seed=st.integers(0, 99))
def test_auc_borji_is_the_loop_over_splits_and_thresholds(scene, step, seed):
    """Catches errors of binning: `>` for `>=`, thresholds of another split, an end of the curve forgotten."""
    indices = np.random.default_rng(seed).integers(0, scene.saliency.size, (np.count_nonzero(scene.fixations), 7))
    value = auc_borji(scene.saliency, scene.fixations, step_size=step, random_indices=indices)
    assert value == approx(loop_ports.auc_sampled(scene.saliency, scene.fixations, indices, step), abs=1e-12)


@given(scene=scenes(), seed=st.integers(0, 99))
def test_auc_shuffled_is_the_loop_over_splits_and_thresholds(scene, seed):
    """Catches false-positive rates over n in place of the number drawn, which is smaller where others are few."""
    pool = np.flatnonzero(scene.others)
    count = min(np.count_nonzero(scene.fixations), pool.size)
    indices = np.random.default_rng(seed).choice(pool, (count, 7))
    value = auc_shuffled(scene.saliency, scene.fixations, scene.others, random_indices=indices)
    assert value == approx(loop_ports.auc_sampled(scene.saliency, scene.fixations, indices), abs=1e-12)


def test_a_split_worked_by_hand():
    """Catches the curve as a whole. Map 0..8 over 8 -> 0, 1/8 ..; fixated 1.0 and 0.5; drawn 0.25 and 0.5; step 0.5.

    Thresholds 1, 0.5, 0: (0, 1/2), (1/2, 1), (1, 1). Area 1/2 * 3/4 + 1/2 = 0.875.
    """
    saliency = np.arange(9.0).reshape(1, 9)
    fixations = np.array([[0, 0, 0, 0, 1, 0, 0, 0, 1]])
    assert auc_borji(saliency, fixations, step_size=0.5, random_indices=[[2], [4]]) == approx(0.875, abs=1e-15)


def test_a_value_on_the_threshold_six_tenths_counts():
    """Catches `k * step` thresholds: 6 * 0.1 is one bit above 0.6, and the fixation there would be missed.

    Fixated 0.6 and 1, drawn 0.55 and 1. From 1 to 0.7 the rates are (1/2, 1/2), at 0.6 (1/2, 1), from 0.5 on (1, 1):
    area 1/8 + 1/2. With 0.6 missed the curve would be the diagonal, area 1/2.
    """
    saliency = np.array([[0.0, 0.6, 1.0, 0.55, 0.0, 0.2, 0.3, 0.4]])
    fixations = np.array([[0, 1, 1, 0, 0, 0, 0, 0]])
    assert auc_borji(saliency, fixations, random_indices=[[3], [2]]) == approx(0.625, abs=1e-15)


def test_thresholds_end_at_the_highest_value_of_their_own_split():
    """Catches thresholds up to 1, or up to the highest of all splits: they hold 3 * 0.1, one bit above 0.3.

    Fixated 0.3 twice. Split one draws 0.25 and 0: its range ends at 0.3 itself, area 1. Split two draws 1 and 0: the
    range ends at 1, passes 0.3 by, and the rates are (1/2, 0) down to 0.3, (1/2, 1) from 0.2 on: area 1/2.
    """
    saliency = np.array([[0.0, 0.3, 0.3, 0.25, 1.0, 0.1, 0.1, 0.1]])
    fixations = np.array([[0, 1, 1, 0, 0, 0, 0, 0]])
    assert auc_borji(saliency, fixations, random_indices=[[3, 4], [0, 0]]) == approx((1 + 0.5) / 2, abs=1e-15)


def test_injected_indices_draw_no_random_number():
    """Catches a generator advanced in vain, which would change every number drawn after it."""
    indices = np.zeros((3, 4), dtype=np.int32)
    rng = Untouchable()
    assert auc_borji(RAMP, FIXATIONS, random_indices=indices, rng=rng) > 0.5
    assert auc_shuffled(RAMP, FIXATIONS, OTHERS, random_indices=indices, rng=rng) > 0.5
    with pytest.raises(AssertionError, match="was drawn"):
        auc_borji(RAMP, FIXATIONS, rng=rng)


def test_the_same_seed_gives_the_same_value():
    """Catches global random state, and seeds that are not used."""
    for score in (
        lambda rng: auc_borji(RAMP, FIXATIONS, rng=rng),
        lambda rng: auc_shuffled(RAMP, FIXATIONS, OTHERS, rng=rng),
    ):
        assert score(7) == score(7) == score(np.random.default_rng(7))
        assert len({score(seed) for seed in range(5)}) > 1


def test_auc_borji_draws_over_all_pixels():
    """Catches negatives that leave out fixated pixels, or that are not uniform.

    Fixated: the 25 highest of 100 ranks. Drawn over all, a negative reaches them in a quarter of the cases.
    Exact curve on thresholds of 0.1; its mean over 4,000 splits has a standard error below 0.001.
    """
    fixations = RAMP >= 75
    every_pixel = np.arange(100)[:, None]
    with_all = loop_ports.auc_sampled(RAMP, fixations, every_pixel)
    without_fixated = loop_ports.auc_sampled(RAMP, fixations, every_pixel[:75])
    value = auc_borji(RAMP, fixations, n_splits=4000, rng=0)
    assert value == approx(with_all, abs=0.005)
    assert abs(without_fixated - with_all) > 0.05


@pytest.mark.parametrize(("others", "drawn"), [(2, 2), (3, 3), (20, 3)])
def test_auc_shuffled_draws_as_many_as_it_can_and_none_twice(drawn_columns, others, drawn):
    """Catches drawing with replacement, drawing from elsewhere, and min(n, m) gone wrong."""
    other_map = np.zeros((10, 10))
    other_map.flat[np.arange(others) * 4] = 1
    auc_shuffled(RAMP, FIXATIONS, other_map, n_splits=50, rng=1)
    (indices,) = drawn_columns
    assert indices.shape == (drawn, 50)
    assert set(indices.ravel()) <= set(np.flatnonzero(other_map))
    assert all(len(set(column)) == drawn for column in indices.T)
    assert set(indices.ravel()) == set(np.flatnonzero(other_map))  # in 50 splits every one has its turn


def test_undefined_cases_are_nan():
    """Catches a 0 or 0.5 invented for a map or an observer that gives none."""
    nothing, single = np.zeros((10, 10)), np.zeros((10, 10))
    single[4, 4] = 1
    constant = np.full((10, 10), 0.7)
    assert np.isnan(auc_borji(RAMP, nothing))
    assert np.isnan(auc_borji(RAMP, single))  # AUC_Borji of the reference wants two
    assert np.isnan(auc_borji(constant, FIXATIONS))
    assert np.isnan(auc_shuffled(RAMP, nothing, OTHERS))
    assert np.isnan(auc_shuffled(RAMP, FIXATIONS, nothing))
    assert np.isnan(auc_shuffled(constant, FIXATIONS, OTHERS))
    assert auc_shuffled(RAMP, single, OTHERS, rng=0) == approx(0.5, abs=0.5)


def test_a_nan_reaches_no_threshold():
    """Catches NaN pixels that count as hits, or that turn the whole curve into NaN."""
    saliency = RAMP.copy()
    saliency[9, 9] = saliency[0, 1] = np.nan
    indices = np.array([[1, 50], [55, 60], [70, 98]])
    expected = loop_ports.auc_sampled(saliency, FIXATIONS, indices)
    assert auc_borji(saliency, FIXATIONS, random_indices=indices) == approx(expected, abs=1e-15)


def test_only_nan_at_fixations_and_draws():
    """Catches a crash or a warning where no value is known: every rate is zero, the area that of (0, 0) to (1, 1)."""
    saliency = RAMP.copy()
    saliency[FIXATIONS > 0] = np.nan
    drawn = np.repeat(np.flatnonzero(FIXATIONS)[:, None], 2, axis=1)
    assert auc_borji(saliency, FIXATIONS, random_indices=drawn) == 0.5


@pytest.mark.parametrize("n_splits", [0, -1])
def test_splits_are_counted_from_one(n_splits):
    """Catches a mean of no splits."""
    with pytest.raises(UsageError, match=rf"n_splits is {n_splits}; wanted: at least 1"):
        auc_borji(RAMP, FIXATIONS, n_splits=n_splits)
    with pytest.raises(UsageError, match="n_splits"):
        auc_shuffled(RAMP, FIXATIONS, OTHERS, n_splits=n_splits)


@pytest.mark.parametrize("step_size", [0, -0.1, 1.5, 1e-9, np.nan, np.inf])
def test_the_step_lies_between_a_millionth_and_one(step_size):
    """Catches an endless or an empty range of thresholds, and billions of them."""
    with pytest.raises(UsageError, match=r"step_size is .*; wanted: between 1e-6 and 1"):
        auc_borji(RAMP, FIXATIONS, step_size=step_size)
    with pytest.raises(UsageError, match="step_size"):
        auc_shuffled(RAMP, FIXATIONS, OTHERS, step_size=step_size)


@pytest.mark.parametrize(
    ("indices", "error", "text"),
    [
        ([1, 2, 3], ShapeError, r"random_indices has shape \(3,\); wanted: \(number drawn, number of splits\)"),
        (np.zeros((3, 0), dtype=int), ShapeError, r"random_indices has shape \(3, 0\)"),
        (np.zeros((2, 5), dtype=int), ShapeError, "random_indices has 2 rows; wanted: 3"),
        (np.zeros((3, 5)), ValueRangeError, "random_indices has type float64; wanted: whole numbers"),
        (np.full((3, 5), 100), ValueRangeError, "random_indices runs from 100 to 100; wanted: .* from 0 to 99"),
        (np.full((3, 5), -1), ValueRangeError, "random_indices runs from -1 to -1"),
    ],
)
def test_bad_indices_are_refused(indices, error, text):
    """Catches indices that wrap around, are 1-based as in MATLAB, or fit another number of fixations."""
    with pytest.raises(error, match=text):
        auc_borji(RAMP, FIXATIONS, random_indices=indices)
    with pytest.raises(error, match=text):
        auc_shuffled(RAMP, FIXATIONS, OTHERS, random_indices=indices)


def test_the_other_map_has_the_size_of_the_fixation_map():
    """Catches negatives read at wrong places: an other map is never resized in silence."""
    with pytest.raises(ShapeError, match=r"other_map has shape \(5, 20\); wanted: that of fixation_map, \(10, 10\)"):
        auc_shuffled(RAMP, FIXATIONS, np.zeros((5, 20)))


def test_the_union_of_other_fixations_may_be_dense():
    """Catches the limit for one image's fixation map applied to the fixations of ten."""
    assert auc_shuffled(RAMP, FIXATIONS, np.ones((10, 10)), rng=0) > 0.5


@pytest.mark.parametrize("count", [1, 2, 3, 4, 5])
def test_every_subset_of_the_others_is_equally_likely(count):
    """Catches draws that favour some pixels: two drawn at once and thinned out, or the wrong half of the pool kept.

    6,000 splits over at most ten subsets of five pixels; five standard errors.
    """
    pool = np.array([3, 8, 20, 21, 77])
    drawn = auc._draw_without_replacement(pool, count, 6000, np.random.default_rng(count))
    assert drawn.shape == (count, 6000)
    subsets = list(itertools.combinations(pool.tolist(), count))
    seen = collections.Counter(tuple(sorted(column)) for column in drawn.T.tolist())
    assert set(seen) == set(subsets)
    expected = 6000 / len(subsets)
    assert max(abs(seen[subset] - expected) for subset in subsets) <= 5 * math.sqrt(expected)
