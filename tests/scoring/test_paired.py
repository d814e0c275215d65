"""Paired statistics against cases worked by hand."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from salbench.scoring.paired import difference, holm, rank_stability, ranks


def test_the_permutation_test_is_exact_for_few_stimuli():
    """Catches a one-sided test, and one that counts wrongly: of 2^3 signs, two are as far off."""
    found = difference(np.array([2.0, 4.0, 6.0]), np.array([1.0, 2.0, 3.0]), 0, "nss")
    assert found.p == 2 / 8
    assert found.mean == 2.0
    assert found.effect == 2.0  # the differences 1, 2, 3 have mean 2 and standard deviation 1
    assert found.wins == 1.0


def test_the_pairs_are_what_is_tested():
    """Catches an unpaired test: a small steady gain among stimuli that differ widely is found by pairs alone."""
    rng = np.random.default_rng(1)
    hard = rng.normal(0, 10, 40)
    gain = 0.1 + rng.normal(0, 0.05, 40)
    found = difference(hard + gain, hard, 0, "nss")
    assert found.p < 0.001
    assert stats.ttest_ind(hard + gain, hard).pvalue > 0.9
    assert found.p == pytest.approx(1 / 10_000)  # none of 9,999 draws is as far off, on either side


def test_the_random_p_is_near_the_t_tests():
    """Catches a wrong null distribution: for normal differences both tests ask the same question."""
    values = np.random.default_rng(2).normal(0.2, 1.0, 60)
    found = difference(values, np.zeros(60), 0, "nss")
    assert found.p == pytest.approx(stats.ttest_1samp(values, 0.0).pvalue, abs=0.015)
    assert 0.02 < found.p < 0.3  # a value that neither side could hit by being degenerate


def test_only_stimuli_with_both_values_count():
    """Catches a mean of differences over stimuli that one model lost."""
    found = difference(np.array([1.0, np.nan, 3.0, 9.0]), np.array([0.0, 5.0, 1.0, np.nan]), 0, "nss")
    assert (found.n, found.mean) == (2, 1.5)
    assert difference(np.array([np.nan]), np.array([1.0]), 0, "nss") is None


def test_equal_scores_are_no_difference():
    """Catches a division by the zero spread of equal scores, and a p below 1 for no difference at all."""
    found = difference(np.ones(5), np.ones(5), 0, "nss")
    assert (found.mean, found.effect, found.wins, found.p) == (0.0, None, 0.5, 1.0)


def test_holm_by_hand():
    """Holm 1979: 0.01 by 3, 0.03 by 2, 0.04 by 1, and none below the one before it."""
    assert holm([0.01, 0.04, 0.03]) == pytest.approx([0.03, 0.06, 0.06])
    assert holm([0.5, 0.9]) == [1.0, 1.0]
    assert holm([]) == []


@given(st.lists(st.floats(0, 1), min_size=1, max_size=9))
def test_holm_lies_between_no_correction_and_bonferroni(p_values):
    """Catches an adjustment that forgets a step or is put back in another order."""
    for p, adjusted in zip(p_values, holm(p_values), strict=True):
        assert p <= adjusted <= min(1.0, len(p_values) * p) + 1e-12


def test_ranks_share_ties_and_know_the_direction():
    assert ranks(np.array([0.5, 0.7, 0.7]), higher_is_better=True).tolist() == [3.0, 1.5, 1.5]
    assert ranks(np.array([0.5, 0.7, 0.7]), higher_is_better=False).tolist() == [1.0, 2.5, 2.5]


def test_a_clear_order_is_firm_and_a_toss_up_is_not():
    """Catches draws that are not the same for all models: a steady gap on wild stimuli keeps every rank."""
    rng = np.random.default_rng(3)
    hard = rng.normal(0, 10, 50)
    firm = rank_stability(np.stack([hard, hard + 0.1, hard - 0.1]), 0, "nss", higher_is_better=True)
    assert firm.rank.tolist() == firm.low.tolist() == firm.high.tolist() == [2.0, 1.0, 3.0]
    assert firm.first.tolist() == [0.0, 1.0, 0.0]
    assert firm.agreement == 1.0
    noise = rng.normal(0, 1, (2, 50))
    noise -= noise.mean(axis=1, keepdims=True)
    toss = rank_stability(noise, 0, "nss", higher_is_better=True)
    assert (toss.low.tolist(), toss.high.tolist()) == ([1.0, 1.0], [2.0, 2.0])
    assert 0.35 < toss.first[0] < 0.65
    assert toss.first.sum() == pytest.approx(1.0)
