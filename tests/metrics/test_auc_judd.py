import math

import loop_ports
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from map_strategies import scenes
from pytest import approx

from salbench.metrics import auc, auc_judd
from salbench.metrics.prepared import PreparedMap

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
    assert len({auc_judd(close, fixations, rng=seed) for seed in range(60)}) > 10


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


def adjacent(values, steps):
    """The float64 values so many units of rounding further."""
    return (np.asarray(values, dtype=np.float64).view(np.int64) + steps).view(np.float64)


@st.composite
def crowded_maps(draw):
    """Few values, some only an ulp or two apart, at any scale and offset, NaN among them: ties in sight of rounding."""
    shape = draw(st.tuples(st.integers(2, 8), st.integers(3, 8)))
    levels = np.array(draw(st.lists(st.floats(0.125, 64, width=32), min_size=2, max_size=6)), dtype=np.float64)
    choice = draw(hnp.arrays(np.int64, shape, elements=st.integers(0, len(levels) - 1)))
    steps = draw(hnp.arrays(np.int64, shape, elements=st.integers(-2, 2)))
    values = adjacent(levels[choice], steps) * 2.0 ** draw(st.sampled_from([-600, -40, 0, 40, 600]))
    values += draw(st.sampled_from([0.0, 0.0, -1.0, 1e6]))
    if draw(st.booleans()):
        values[draw(st.integers(0, shape[0] - 1)), draw(st.integers(0, shape[1] - 1))] = np.nan
    count = draw(st.integers(1, values.size // 4))
    fixations = np.zeros(shape, dtype=np.uint8)
    fixations.flat[draw(st.permutations(range(values.size)))[:count]] = 1
    return values, fixations


@settings(max_examples=300)
@given(crowded_maps())
def test_values_next_to_each_other_are_counted_as_the_loop_counts_them(scene):
    """Catches a bucket that takes in or leaves out a pixel which the range normalisation's rounding ties."""
    saliency, fixations = scene
    value = auc_judd(saliency, fixations, jitter=False)
    known = saliency[~np.isnan(saliency)]
    if known.size == 0 or np.ptp(known) == 0:
        assert np.isnan(value)
    else:
        assert value == approx(loop_ports.auc_judd(saliency, fixations), abs=1e-12)


def straightforward(saliency, fixations, noise):
    """AUC-J with jitter as defined: noise on every pixel, range normalisation, a count for each fixation's value."""
    shaken = saliency + noise
    shaken = (shaken - shaken.min()) / (shaken.max() - shaken.min())
    thresholds = np.sort(shaken[fixations > 0])[::-1]
    hits = np.arange(1, thresholds.size + 1)
    reached = np.array([np.count_nonzero(shaken >= threshold) for threshold in thresholds])
    x = np.array([0, *((reached - hits) / (shaken.size - hits.size)), 1])
    y = np.array([0, *(hits / hits.size), 1])
    return float(((x[1:] - x[:-1]) * (y[1:] + y[:-1]) / 2).sum())


def noise_of(seed, shape):
    """SplitMix64 as it is published, one number after the other, in C order; its seed is a generator's first number."""
    state, mask, noise = int(np.random.default_rng(seed).integers(2**64, dtype=np.uint64)), 2**64 - 1, []
    for _ in range(math.prod(shape)):
        state = (state + 0x9E3779B97F4A7C15) & mask
        z = ((state ^ (state >> 30)) * 0xBF58476D1CE4E5B9) & mask
        z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & mask
        noise.append(((z ^ (z >> 31)) >> 11) * 2.0**-53 * 1e-7)
    return np.array(noise).reshape(shape)


def scattered(shape, count, seed=0):
    fixations = np.zeros(shape, dtype=np.uint8)
    fixations.flat[np.random.default_rng(seed).choice(fixations.size, count, replace=False)] = 1
    return fixations


TEXTURE = np.random.default_rng(8).random((40, 50)) ** 2
JITTERED = {
    "8-bit, many ties": np.round(12 * TEXTURE) / 255,
    "binary": (TEXTURE > 0.6).astype(float),
    "spacing near the jitter's width": np.round(TEXTURE * 30) * 3e-8 + 1,
    "some pixels within its reach": np.round(TEXTURE * 6) + TEXTURE * 2e-7,
    "so large that noise is a few units of rounding": np.round(TEXTURE * 40) * 2**-26 + 2.0**26,
    "zero background": np.maximum(TEXTURE - 0.5, 0),
    "noise as wide as several buckets": TEXTURE * 2e-5,
    "noise as wide as a bucket": TEXTURE * 8e-4,
}


def independent_noise(shape):
    rng = np.random.default_rng(1000)
    return (rng.random(shape) * 1e-7 for _ in range(400))


@pytest.mark.parametrize("name", JITTERED)
def test_jitter_where_it_matters_has_the_distribution_of_jitter_everywhere(name):
    """Catches pixels that get no noise though it could change their rank, and noise of another width or rounding.

    Means of 400 values each, five standard errors apart at most; spreads within a fifth: the deviation of 400 values
    has a standard error of 3.5 per cent.
    """
    saliency, fixations = JITTERED[name], scattered((40, 50), 30)
    ours = np.array([auc_judd(saliency, fixations, rng=seed) for seed in range(400)])
    theirs = np.array([straightforward(saliency, fixations, noise) for noise in independent_noise(saliency.shape)])
    error = math.hypot(ours.std(), theirs.std()) / 20
    assert ours.mean() == approx(theirs.mean(), abs=5 * error + 1e-12)
    assert ours.std() == approx(theirs.std(), rel=0.25, abs=1e-12)


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("name", JITTERED)
def test_jitter_where_it_matters_gives_the_value_of_jitter_everywhere(name, seed):
    """Catches, to the last digit, a pixel left without the noise that would have changed its rank."""
    saliency, fixations = JITTERED[name], scattered((40, 50), 30, seed)
    expected = straightforward(saliency, fixations, noise_of(seed, (40, 50)))
    assert auc_judd(saliency, fixations, rng=seed) == approx(expected, abs=1e-12)


@given(scenes(), st.integers(0, 99), st.sampled_from([0.0, 1e-12, 1e-10, 2e-8, 1e-7, 1e-4, 1.0, 1e8]))
def test_jitter_of_any_width_against_the_map(scene, seed, gain):
    """Catches the same on maps of any scale: flat ones, those that drown in the noise, those it hardly touches."""
    saliency = scene.saliency * gain
    expected = straightforward(saliency, scene.fixations, noise_of(seed, saliency.shape))
    assert auc_judd(saliency, scene.fixations, rng=seed) == approx(expected, abs=1e-12)


def test_noise_is_uniform_and_not_correlated():
    """Catches a hash that is none: 200,000 numbers in 50 bins, and neighbours along rows and columns."""
    noise = auc._noise(np.arange(200_000), np.random.default_rng(0)) / 1e-7
    assert 0 <= noise.min() < noise.max() < 1
    counts = np.histogram(noise, 50, (0, 1))[0]
    assert ((counts - 4000) ** 2 / 4000).sum() < 100  # chi-square of 49 degrees of freedom: five deviations
    for lag in (1, 2, 50, 640):
        assert abs(np.corrcoef(noise[lag:], noise[:-lag])[0, 1]) < 5 / math.sqrt(200_000)


def test_one_seed_shakes_two_maps_alike():
    """Catches noise handed out in the order of need: a change of one pixel would reshuffle the ties of all others."""
    saliency, fixations = JITTERED["8-bit, many ties"].copy(), scattered((40, 50), 30)
    value = auc_judd(saliency, fixations, rng=6)
    first = np.flatnonzero(fixations.ravel() == 0)[0]
    saliency.flat[first] = saliency.max() - saliency.flat[first]
    # A pixel that is not fixated passes 30 thresholds at most: 1 / 1970 of the false-positive rate.
    assert auc_judd(saliency, fixations, rng=6) == approx(value, abs=1 / 1970 + 1e-12)


def test_on_huge_values_the_noise_vanishes_and_ties_stay():
    """Catches ranks made by noise that float64 would have rounded away: 1e12 has steps of 1e-4."""
    saliency, fixations = (np.round(TEXTURE * 9) + 1) * 1e12, scattered((40, 50), 30)
    expected = loop_ports.auc_judd(saliency, fixations)
    assert [auc_judd(saliency, fixations, rng=seed) for seed in range(5)] == approx([expected] * 5, abs=1e-12)
    assert np.isnan(auc_judd(np.full((40, 50), 1e12), fixations, rng=0))


def test_maps_of_several_strides():
    """Catches pixels counted in the wrong place, or not at all, where a map is counted piece by piece."""
    saliency, fixations = np.random.default_rng(9).normal(size=(300, 401)), scattered((300, 401), 200)
    fixations.flat[[saliency.argmax(), saliency.argmin()]] = 1
    thresholds = np.sort(saliency[fixations > 0])[::-1]
    reached = saliency.size - np.searchsorted(np.sort(saliency, axis=None), thresholds)
    hits = np.arange(1, thresholds.size + 1)
    x = np.array([0, *((reached - hits) / (saliency.size - hits.size)), 1])
    y = np.array([0, *(hits / hits.size), 1])
    assert auc_judd(saliency, fixations, jitter=False) == approx(np.trapezoid(y, x), abs=1e-12)
    assert auc_judd(saliency, fixations, rng=1) == approx(np.trapezoid(y, x), abs=1e-9)


@pytest.mark.parametrize("width", [1.0, 1.1, 1.62, 3.7, 1e-3, 5e11])
@pytest.mark.parametrize("low", [0.0, 1.0, -0.3])
def test_values_at_the_borders_of_the_buckets(width, low):
    """Catches pixels that the range normalisation ties with a fixated one, but that lie across a bucket's border.

    Around each border, seven values one unit of rounding apart; the count is of the normalised values themselves.
    """
    borders = low + np.arange(1, auc.BUCKETS) * (width / auc.BUCKETS)
    near = [adjacent(borders, steps) for steps in range(-3, 4)]
    saliency = np.concatenate([[np.full(borders.size, low), np.full(borders.size, low + width)], near])
    fixations = np.zeros(saliency.shape, dtype=np.uint8)
    columns = np.arange(0, borders.size, 5)
    fixations[2 + columns // 5 % 7, columns] = 1  # one of the seven, each in its turn
    scaled = (saliency - saliency.min()) / (saliency.max() - saliency.min())
    thresholds, every = np.sort(scaled[fixations > 0])[::-1], np.sort(scaled, axis=None)
    hits = np.arange(1, thresholds.size + 1)
    reached = every.size - np.searchsorted(every, thresholds, side="left")
    compared, _ = auc._count_by_buckets(PreparedMap(saliency), np.flatnonzero(fixations), 0.0)
    assert compared.size < every.size  # else nothing would be left to the buckets
    x = np.array([0, *((reached - hits) / (every.size - hits.size)), 1])
    y = np.array([0, *(hits / hits.size), 1])
    assert auc_judd(saliency, fixations, jitter=False) == approx(np.trapezoid(y, x), abs=1e-13)


def test_noise_does_not_depend_on_the_memory_layout():
    """Catches noise handed out in memory order."""
    saliency, fixations = JITTERED["8-bit, many ties"], scattered((40, 50), 30)
    expected = auc_judd(saliency, fixations, rng=4)
    for laid_out in (np.asfortranarray(saliency), np.repeat(saliency, 2, axis=1)[:, ::2]):
        assert auc_judd(laid_out, fixations, rng=4) == expected


def test_noise_reaches_a_ten_millionth_and_no_less():
    """Catches pixels near the end of the noise's reach left out: 10,000 within two hundred of its widths."""
    saliency = np.random.default_rng(5).random((100, 100)) * 2e-5
    fixations = scattered((100, 100), 200)
    expected = straightforward(saliency, fixations, noise_of(2, (100, 100)))
    assert auc_judd(saliency, fixations, rng=2) == approx(expected, abs=1e-12)
