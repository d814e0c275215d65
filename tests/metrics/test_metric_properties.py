"""What must hold for every map: invariances, bounds, symmetry, and arguments that stay as they were.

The maps hold whole numbers; gains are powers of two and offsets whole numbers, so the transformed map is exact and
range normalisation gives the same bits. Where a mean enters (NSS, CC), its rounding is allowed for.
"""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from map_strategies import scenes
from pytest import approx

from salbench.metrics import (
    MAP_METRICS,
    Truth,
    auc_borji,
    auc_judd,
    auc_shuffled,
    cc,
    information_gain,
    kl_divergence,
    nss,
    sim,
)

GAINS = st.integers(-6, 6).map(lambda power: 2.0**power)
OFFSETS = st.integers(-1000, 1000).map(float)


def arguments_of(metric, scene):
    by_need = {
        Truth.FIXATIONS: scene.fixations,
        Truth.DENSITY: scene.truth,
        Truth.OTHERS: scene.others,
        Truth.BASELINE: scene.truth,
    }
    return [scene.saliency, *(by_need[need] for need in metric.needs)]


def options_of(key):
    return {"jitter": False} if key == "auc_judd" else {"rng": 3} if key.startswith("auc_") else {}


@given(scene=scenes(), gain=GAINS, offset=OFFSETS)
def test_gain_and_offset_leave_rank_and_range_metrics_alone(scene, gain, offset):
    """Catches a metric that sees absolute values: exact, as the range-normalised map has the same bits."""
    moved = gain * (scene.saliency + offset)
    assert auc_judd(moved, scene.fixations, jitter=False) == auc_judd(scene.saliency, scene.fixations, jitter=False)
    assert auc_borji(moved, scene.fixations, rng=1) == auc_borji(scene.saliency, scene.fixations, rng=1)
    others = scene.others
    assert auc_shuffled(moved, scene.fixations, others, rng=1) == auc_shuffled(
        scene.saliency, scene.fixations, others, rng=1
    )
    if moved.any():  # an all-zero map is a case of its own, and the offset cannot make one of a map that is not flat
        assert sim(moved, scene.truth) == sim(scene.saliency, scene.truth)
    assert information_gain(moved, scene.fixations, scene.truth) == information_gain(
        scene.saliency, scene.fixations, scene.truth
    )


@given(scene=scenes(), gain=GAINS, offset=OFFSETS)
def test_gain_and_offset_leave_standardised_metrics_alone(scene, gain, offset):
    """Catches a missing centring or scaling. A mean near 1,000 is known to 1e-13, a deviation above 0.1."""
    moved = gain * (scene.saliency + offset)
    assert nss(moved, scene.fixations) == approx(nss(scene.saliency, scene.fixations), abs=1e-10)
    assert cc(moved, scene.truth) == approx(cc(scene.saliency, scene.truth), abs=1e-10)
    assert cc(-moved, scene.truth) == approx(-cc(scene.saliency, scene.truth), abs=1e-10)
    assert nss(-moved, scene.fixations) == approx(-nss(scene.saliency, scene.fixations), abs=1e-10)


@given(scene=scenes(), gain=GAINS)
def test_kl_and_emd_ignore_gain(scene, gain):
    """Catches maps that are not divided by their sums. A power of two changes no bit of the quotients."""
    for key in ("kl_divergence", "emd"):
        metric = MAP_METRICS[key].function
        assert metric(gain * scene.saliency, scene.truth) == metric(scene.saliency, scene.truth)
        assert metric(scene.saliency, gain * scene.truth) == metric(scene.saliency, scene.truth)


@given(scene=scenes(), power=st.sampled_from([2, 3]))
def test_a_monotone_transform_leaves_auc_judd_alone(scene, power):
    """Catches thresholds that are not the fixations' own values. Whole numbers to a power stay exact and distinct."""
    transformed = scene.saliency**power
    assert auc_judd(transformed, scene.fixations, jitter=False) == auc_judd(
        scene.saliency, scene.fixations, jitter=False
    )


@given(scenes())
def test_bounds(scene):
    """Catches a value outside of what the docstrings promise; one unit of rounding is allowed for."""
    tiny = 1e-12
    assert -tiny <= auc_borji(scene.saliency, scene.fixations, rng=0) <= 1 + tiny
    assert -tiny <= auc_shuffled(scene.saliency, scene.fixations, scene.others, rng=0) <= 1 + tiny
    assert -1 - tiny <= cc(scene.saliency, scene.truth) <= 1 + tiny
    assert -tiny <= sim(scene.saliency, scene.truth) <= 1 + tiny
    assert kl_divergence(scene.saliency, scene.truth) >= -tiny
    n = scene.saliency.size
    assert abs(nss(scene.saliency, scene.fixations)) <= (n - 1) / math.sqrt(n) + tiny  # Samuelson's inequality
    assert abs(information_gain(scene.saliency, scene.fixations, scene.truth)) <= 52 + tiny


@given(scenes())
def test_auc_judd_of_distinct_values_is_the_rank_statistic(scene):
    """Catches thresholds anywhere else: the area is the chance that a fixated pixel exceeds one that is not, and a bit.

    The chance is Mann and Whitney's. As the curve slopes from one fixation's threshold to the next where the exact one
    is a stair, half a step, 1 / 2n, comes on top over the false-positive rates up to the lowest fixation.
    """
    distinct = scene.saliency * scene.saliency.size + np.arange(scene.saliency.size).reshape(scene.saliency.shape)
    fixated = scene.fixations > 0
    hits, misses = distinct[fixated], distinct[~fixated]
    expected = (hits[:, None] > misses).mean() + (misses > hits.min()).mean() / (2 * hits.size)
    assert auc_judd(distinct, scene.fixations, jitter=False) == approx(expected, abs=1e-12)


@given(scenes())
def test_symmetry(scene):
    """Catches two maps that are not treated alike, and a map that does not match itself."""
    assert cc(scene.saliency, scene.truth) == cc(scene.truth, scene.saliency)
    assert sim(scene.saliency, scene.truth) == sim(scene.truth, scene.saliency)
    assert cc(scene.truth, scene.truth) == approx(1, abs=1e-12)
    assert sim(scene.truth, scene.truth) == approx(1, abs=1e-12)
    assert kl_divergence(scene.truth, scene.truth) == approx(0, abs=1e-12)
    swapped = information_gain(scene.truth, scene.fixations, scene.saliency)
    assert swapped == approx(-information_gain(scene.saliency, scene.fixations, scene.truth), abs=1e-12)


def padded(array):
    """The same values in the middle of a larger array, every other row and column: not contiguous."""
    room = np.full((2 * array.shape[0] + 1, 2 * array.shape[1] + 3), 99, dtype=array.dtype)
    room[1:-1:2, 2:-1:2] = array
    return room[1:-1:2, 2:-1:2]


LAYOUTS = {
    "fortran": np.asfortranarray,
    "strided": padded,
    "reversed": lambda array: array[::-1, ::-1].copy()[::-1, ::-1],
    "big-endian": lambda array: array.astype(array.dtype.newbyteorder(">")),
    "float32": lambda array: array.astype(np.float32),
    "int32": lambda array: array.astype(np.int32),
}


@pytest.mark.parametrize("key", MAP_METRICS)
@pytest.mark.parametrize("layout", LAYOUTS)
@settings(max_examples=10)
@given(scene=scenes())
def test_memory_layout_and_type_do_not_matter(key, layout, scene):
    """Catches flat indices taken in memory order, and types that change values. Sums may round in another order."""
    metric = MAP_METRICS[key]
    plain = arguments_of(metric, scene)
    laid_out = [LAYOUTS[layout](array) for array in plain]
    expected = metric.function(*plain, **options_of(key))
    assert metric.function(*laid_out, **options_of(key)) == approx(expected, abs=1e-10, nan_ok=True)


@pytest.mark.parametrize("key", MAP_METRICS)
@settings(max_examples=10)
@given(scene=scenes(), larger=st.booleans())
def test_arguments_are_never_changed(key, scene, larger):
    """Catches arithmetic in place on an array that is the caller's: a float64 map is not copied on the way in."""
    metric = MAP_METRICS[key]
    arguments = arguments_of(metric, scene)
    if larger:
        arguments[0] = np.kron(arguments[0], np.ones((2, 2)))
    before = [array.copy() for array in arguments]
    for array in arguments:
        array.flags.writeable = False
    metric.function(*arguments, **options_of(key))
    for array, copy in zip(arguments, before, strict=True):
        np.testing.assert_array_equal(array, copy)


@pytest.mark.parametrize("key", MAP_METRICS)
@settings(max_examples=10)
@given(scene=scenes())
def test_a_score_is_a_python_float(key, scene):
    """Catches NumPy scalars, which JSON refuses, and 0-dimensional arrays."""
    metric = MAP_METRICS[key]
    assert type(metric.function(*arguments_of(metric, scene), **options_of(key))) is float
