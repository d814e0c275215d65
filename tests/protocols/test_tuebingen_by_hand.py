"""Protocol tuebingen on data worked out by hand."""

import math

import numpy as np
import pytest
from pytest import approx
from scipy import ndimage

from salbench.errors import ShapeError, UsageError, ValueRangeError
from salbench.maps import imresize
from salbench.protocols import GroundTruth, find_protocol
from salbench.protocols.tuebingen import (
    TUEBINGEN,
    auc,
    auc_shuffled,
    cc,
    corner_rescaled,
    density,
    evaluate,
    fit_map,
    histogram,
    kl_divergence,
    nss,
    sim,
)

EMPTY = np.zeros((0, 2), dtype=np.int64)
MAP_KEYS = ("auc_judd", "auc_shuffled", "nss", "cc", "sim", "kl_divergence")


def positions(*pairs):
    return np.array(pairs, dtype=np.int64).reshape(-1, 2)


def no_rng(key):
    raise AssertionError(f"{key} draws a random number")


def truth_of(own, size, counts=None):
    points = TUEBINGEN.points(own, size)
    others = np.ones(size) if counts is None else counts
    return GroundTruth(points > 0, density=density(points), positions=own, other_counts=others)


def test_auc_counts_ties_half_and_repeats_each_time():
    """Catches strict thresholds, a fixated pixel left out of the negatives, and repeats that count once."""
    saliency = np.array([[0.0, 1.0], [1.0, 3.0]])
    # Value 1: one pixel below, two equal: (1 + 1) / 4. Value 3: three below, itself equal: 3.5 / 4.
    assert auc(saliency, positions((0, 1))) == approx(2 / 4)
    assert auc(saliency, positions((1, 1), (1, 1), (0, 1))) == approx((2 * 3.5 + 2) / 12)


def test_shuffled_auc_weights_negatives_by_their_fixations():
    """Catches negatives that count once, and this image's own pixels left out (salicon2015 does, this does not)."""
    saliency = np.array([[0.0, 1.0, 2.0, 3.0]])
    counts = np.array([[3.0, 0.0, 2.0, 1.0]])
    # Value 2: three below, two equal of six. Value 1: three below.
    assert auc_shuffled(saliency, positions((0, 2)), counts) == approx((3 + 1) / 6)
    assert auc_shuffled(saliency, positions((0, 1)), counts) == approx(3 / 6)
    assert auc_shuffled(saliency, positions((0, 2), (0, 2), (0, 1)), counts) == approx((4 + 4 + 3) / 18)


def test_nss_divides_by_n_and_counts_repeats():
    """Catches N - 1, and a mean over pixels."""
    saliency = np.array([[0.0, 1.0], [2.0, 5.0]])
    assert nss(saliency, positions((1, 1), (1, 1), (0, 0))) == approx(np.mean([3, 3, -2]) / math.sqrt(14 / 4))


def test_sim_divides_by_the_sum_without_stretching():
    """Catches MIT300's range normalisation."""
    saliency, target = np.array([[1.0, 1.0, 2.0]]), np.array([[2.0, 1.0, 1.0]])
    assert sim(saliency, target) == approx(0.25 + 0.25 + 0.25)


def test_kl_regularises_as_the_benchmark():
    """Catches another constant, or pysaliency's default, which adds 1e-20 to the map and nothing to the quotient."""
    saliency, target = np.array([[0.0, 1.0]]), np.array([[1.0, 1.0]])
    eps = 2.2204e-16
    expected = 0.5 * math.log(eps + 0.5 / eps) + 0.5 * math.log(eps + 0.5 / (1 + eps))
    assert kl_divergence(saliency, target) == approx(expected, abs=1e-12)
    assert kl_divergence(target, saliency) == approx(math.log(2), abs=1e-12)


def test_a_map_with_negative_values_is_shifted_up():
    """Catches negative probabilities; a map that is not negative is not shifted down."""
    assert histogram(np.array([[-1.0, 0.0, 2.0]])) == approx(np.array([[0.0, 0.25, 0.75]]))
    assert histogram(np.array([[1.0, 1.0, 2.0]])) == approx(np.array([[0.25, 0.25, 0.5]]))


def test_cc_is_pearsons():
    """Catches a covariance, and a scale that is not the standard deviation."""
    rng = np.random.default_rng(0)
    first, second = rng.random((8, 9)), rng.random((8, 9))
    assert cc(first, second) == approx(np.corrcoef(first.ravel(), second.ravel())[0, 1], abs=1e-14)


@pytest.mark.parametrize("sigma", [None, 3.0])
@pytest.mark.parametrize("count", [3, 500])
@pytest.mark.parametrize("size", [(60, 80), (3, 2100)])
def test_the_ground_truth_is_scipys_mirrored_gaussian(sigma, count, size):
    """Catches each way of computing the blur that departs from the others: few points, many, and long sides."""
    rng = np.random.default_rng(count)
    once = rng.integers(0, size, (count, 2))
    counts = TUEBINGEN.points(np.concatenate([once, once[:2]]), size)
    expected = ndimage.gaussian_filter(counts, sigma or 24, mode="reflect", truncate=4)
    np.testing.assert_allclose(density(counts, sigma), expected, rtol=0, atol=1e-13)


def test_points_count_repeats_only_where_the_protocol_does():
    """Catches a ground truth of MIT300 in which a pixel counts twice, and one of Tübingen in which it does not."""
    own = positions((0, 1), (0, 1), (1, 0))
    assert TUEBINGEN.points(own, (2, 2)).tolist() == [[0, 2], [1, 0]]
    assert find_protocol("mit300").points(own, (2, 2)).tolist() == [[0, 1], [1, 0]]
    truth = GroundTruth(TUEBINGEN.points(own, (2, 2)) > 0, positions=own)
    assert TUEBINGEN.scored_positions(truth).tolist() == own.tolist()
    assert find_protocol("mit300").scored_positions(truth).tolist() == [[0, 1], [1, 0]]


def test_other_images_coordinates_are_cut_off():
    """Catches rounding. The rule of the other protocols takes the middle of a pixel instead."""
    columns = np.arange(5)
    assert corner_rescaled(columns, 5, 12).tolist() == [0, 2, 4, 7, 9]
    assert corner_rescaled(columns, 5, 3).tolist() == [0, 0, 1, 1, 2]
    assert TUEBINGEN.rescaled is corner_rescaled
    assert find_protocol("mit300").rescaled(columns, 5, 12).tolist() == [1, 3, 6, 8, 10]


@pytest.mark.parametrize(("own", "wanted", "column", "becomes"), [(22, 30, 11, 14), (28, 68, 21, 50)])
def test_a_border_that_rounding_moves_falls_as_in_pysaliency(own, wanted, column, becomes):
    """Catches exact arithmetic: 11 * 30 / 22 is 15, but 30 / 22 is rounded down first."""
    assert column * wanted // own == becomes + 1
    assert corner_rescaled(np.array([column]), own, wanted).tolist() == [becomes]


def test_without_fixations_nothing_is_defined():
    """Catches pysaliency's comparison of an empty ground truth as a uniform one."""
    saliency = np.random.default_rng(0).random((6, 8))
    scores = evaluate(saliency, truth_of(EMPTY, (6, 8)), MAP_KEYS, no_rng)
    assert list(scores) == list(MAP_KEYS)
    assert all(math.isnan(value) for value in scores.values())


def test_without_fixations_of_others_only_shuffled_auc_is_undefined():
    """Catches a division by zero in a data set of one image."""
    truth = truth_of(positions((2, 3)), (6, 8), counts=np.zeros((6, 8)))
    scores = evaluate(np.random.default_rng(0).random((6, 8)), truth, MAP_KEYS, no_rng)
    assert [key for key, value in scores.items() if math.isnan(value)] == ["auc_shuffled"]


def test_a_repeated_fixation_counts_again_in_every_metric():
    """Catches a metric that reads the fixation map, in which a pixel is fixated or not."""
    saliency, counts = np.random.default_rng(0).random((60, 80)), np.random.default_rng(1).random((60, 80)) < 0.1
    once, twice = positions((2, 3), (50, 70)), positions((2, 3), (50, 70), (2, 3))
    first, second = (
        evaluate(saliency, truth_of(own, (60, 80), counts.astype(np.float64)), MAP_KEYS, no_rng)
        for own in (once, twice)
    )
    assert all(abs(first[key] - second[key]) > 1e-6 for key in MAP_KEYS)


@pytest.mark.parametrize("value", [0.0, 0.1, -3.7, 1e300])
def test_a_constant_map_is_at_chance(value):
    """Catches NaN, and a standard deviation of rounding noise that makes a huge z-score."""
    truth = truth_of(positions((2, 3), (0, 0)), (6, 8))
    scores = evaluate(np.full((6, 8), value), truth, MAP_KEYS, no_rng)
    assert scores["auc_judd"] == scores["auc_shuffled"] == 0.5
    assert scores["nss"] == scores["cc"] == 0
    uniform = evaluate(np.ones((6, 8)), truth, MAP_KEYS, no_rng)
    assert (scores["sim"], scores["kl_divergence"]) == approx((uniform["sim"], uniform["kl_divergence"]), abs=1e-12)


def test_cc_against_a_flat_ground_truth_is_undefined():
    """Catches a warning or a perfect score."""
    assert math.isnan(cc(np.eye(3), np.ones((3, 3))))
    assert math.isnan(cc(np.ones((3, 3)), np.ones((3, 3))))


def test_one_nan_leaves_every_score_undefined():
    """Catches a NaN that a sort puts somewhere."""
    saliency = np.random.default_rng(0).random((6, 8))
    saliency[5, 7] = np.nan
    scores = evaluate(saliency, truth_of(positions((2, 3)), (6, 8)), MAP_KEYS, no_rng)
    assert all(math.isnan(value) for value in scores.values())


def test_another_size_is_resized_as_matlab_does_without_new_negative_values():
    """Catches another resize, and an overshoot that would shift the whole map up."""
    small = np.zeros((3, 4))
    small[1, 2] = 1
    resized = imresize(small, size=(9, 12))
    assert resized.min() < 0
    assert np.array_equal(fit_map(small, (9, 12)), np.maximum(resized, 0))
    assert np.array_equal(fit_map(small - 1, (9, 12)), imresize(small - 1, size=(9, 12)))


def test_integers_become_shares_of_their_largest_value():
    """Catches 8-bit arithmetic that wraps."""
    levels = np.arange(48, dtype=np.uint8).reshape(6, 8)
    assert np.array_equal(fit_map(levels, (6, 8)), levels / 255)


def test_maps_that_are_none_are_refused():
    with pytest.raises(ShapeError, match="saliency_map"):
        fit_map(np.zeros((2, 2, 3)), (2, 2))
    with pytest.raises(ValueRangeError, match="infinite"):
        fit_map(np.array([[np.inf, 1.0]]), (1, 2))
    with pytest.raises(UsageError, match="sigma"):
        density(np.eye(3), -1)


def test_the_protocol_says_what_it_needs():
    """Catches declarations that the runner and the tables rely on."""
    assert find_protocol("tuebingen") is TUEBINGEN
    assert TUEBINGEN.other_images is None
    assert TUEBINGEN.symbol("auc_judd") == "AUC (Tübingen)"
    assert TUEBINGEN.symbol("auc_shuffled") == "sAUC"
    assert (TUEBINGEN.describe_blur(None), TUEBINGEN.describe_blur(19.5)) == (
        "Gaussian, sigma 24 px",
        "Gaussian, sigma 19.5 px",
    )
