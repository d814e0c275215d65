"""What must hold under protocol tuebingen for every map: the AUCs against a count of pairs, invariances, bounds."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from pytest import approx

from salbench.protocols.tuebingen import TUEBINGEN, auc, auc_shuffled, cc, density, kl_divergence, nss, sim

TINY = 1e-12


@st.composite
def scenes(draw):
    """A map of whole numbers that is not flat, fixations with repeats, and counts of other images' fixations."""
    size = draw(st.tuples(st.integers(2, 8), st.integers(2, 8)))
    top = draw(st.sampled_from([1, 4, 255]))
    saliency = draw(hnp.arrays(np.int64, size, elements=st.integers(0, top)).filter(lambda values: np.ptp(values) > 0))
    pixel = st.tuples(st.integers(0, size[0] - 1), st.integers(0, size[1] - 1))
    own = draw(st.lists(pixel, min_size=1, max_size=9))
    counts = draw(hnp.arrays(np.int64, size, elements=st.integers(0, 3)).filter(np.any))
    return saliency.astype(np.float64), np.array(own), counts.astype(np.float64)


def pairs_won(positives, negatives):
    """The share of pairs in which the fixation has the larger value; equal ones count half."""
    larger = positives[:, None] > negatives
    equal = positives[:, None] == negatives
    return (larger + equal / 2).mean()


@given(scenes())
def test_auc_is_the_share_of_pairs_won(scene):
    """Catches any other treatment of ties, repeats or negatives: every pair is counted."""
    saliency, own, _ = scene
    assert auc(saliency, own) == approx(pairs_won(saliency[tuple(own.T)], saliency.ravel()), abs=TINY)


@given(scenes())
def test_shuffled_auc_is_the_share_of_pairs_won_against_every_fixation_of_others(scene):
    """Catches weights that do not stand for repeats."""
    saliency, own, counts = scene
    negatives = np.repeat(saliency.ravel(), counts.ravel().astype(int))
    assert auc_shuffled(saliency, own, counts) == approx(pairs_won(saliency[tuple(own.T)], negatives), abs=TINY)


@given(scenes(), st.sampled_from([np.sqrt, np.exp2, lambda values: values**3, lambda values: 7 * values - 1000]))
def test_monotone_transforms_leave_the_aucs_alone(scene, transform):
    """Catches thresholds that are no values of the map. Exactly: only the order may count."""
    saliency, own, counts = scene
    moved = transform(saliency)
    assert auc(moved, own) == auc(saliency, own)
    assert auc_shuffled(moved, own, counts) == auc_shuffled(saliency, own, counts)


@given(scenes())
def test_a_negated_map_has_the_aucs_left_over(scene):
    """Catches ties that do not count half."""
    saliency, own, counts = scene
    assert auc(-saliency, own) == approx(1 - auc(saliency, own), abs=TINY)
    assert auc_shuffled(-saliency, own, counts) == approx(1 - auc_shuffled(saliency, own, counts), abs=TINY)


@given(scenes())
def test_shuffled_auc_against_every_pixel_once_is_auc(scene):
    """Catches two ROC curves that are computed by different rules."""
    saliency, own, _ = scene
    assert auc_shuffled(saliency, own, np.ones(saliency.shape)) == approx(auc(saliency, own), abs=TINY)


@given(scenes())
def test_every_fixation_twice_changes_nothing_but_the_counts(scene):
    """Catches a mean that is not over fixations, and a ground truth that is not normalised."""
    saliency, own, counts = scene
    twice = np.concatenate([own, own])
    first, second = (density(TUEBINGEN.points(one, saliency.shape), 1.0) for one in (own, twice))
    assert auc(saliency, twice) == approx(auc(saliency, own), abs=TINY)
    assert auc_shuffled(saliency, twice, counts) == approx(auc_shuffled(saliency, own, counts), abs=TINY)
    assert nss(saliency, twice) == approx(nss(saliency, own), abs=TINY)
    for metric in (cc, sim, kl_divergence):
        assert metric(saliency, second) == approx(metric(saliency, first), abs=1e-9)


@given(scenes(), st.integers(-6, 6), st.integers(-1000, 1000))
def test_gain_and_offset_leave_nss_and_cc_alone(scene, power, offset):
    """Catches a missing centring or scaling; a mean near 1,000 is known to 1e-13."""
    saliency, own, _ = scene
    target = density(TUEBINGEN.points(own, saliency.shape), 1.0)
    moved = 2.0**power * (saliency + offset)
    assert nss(moved, own) == approx(nss(saliency, own), abs=1e-9)
    assert cc(moved, target) == approx(cc(saliency, target), abs=1e-9)


@given(scenes(), st.integers(-6, 6))
def test_sim_and_kl_ignore_gain_and_know_themselves(scene, power):
    """Catches maps that are not divided by their sums, and a map that does not match itself."""
    saliency, own, _ = scene
    target = density(TUEBINGEN.points(own, saliency.shape), 1.0)
    assert sim(2.0**power * saliency, target) == approx(sim(saliency, target), abs=TINY)
    assert kl_divergence(2.0**power * saliency, target) == approx(kl_divergence(saliency, target), abs=1e-9)
    assert sim(target, target) == approx(1, abs=TINY)
    assert kl_divergence(target, target) == approx(0, abs=1e-9)
    assert -TINY <= sim(saliency, target) <= 1 + TINY
    assert kl_divergence(saliency, target) >= -TINY
