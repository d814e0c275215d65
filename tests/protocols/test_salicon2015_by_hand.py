"""Protocol salicon2015 on data worked out by hand."""

import numpy as np
import pytest
from pytest import approx
from scipy import ndimage

from salbench.errors import ShapeError, UsageError, ValueRangeError
from salbench.protocols import GroundTruth, find_protocol
from salbench.protocols.salicon2015 import auc, cc, density, evaluate, fit_map, nss, repeated_positions, shuffled_auc
from salbench.scoring.randomness import generator

EMPTY = np.zeros((0, 2), dtype=np.int64)


def positions(*pairs):
    return np.array(pairs, dtype=np.int64).reshape(-1, 2)


def test_a_pixel_seen_k_times_stays_k_minus_1_times():
    seen = positions((2, 1), (0, 5), (2, 1), (1, 1), (0, 5), (2, 1), (5, 0))
    assert repeated_positions(seen).tolist() == [[0, 5], [2, 1], [2, 1]]


@pytest.mark.parametrize("few", [EMPTY, positions((3, 3)), positions((3, 3), (3, 4))])
def test_nothing_is_left_where_nothing_is_repeated(few):
    assert repeated_positions(few).shape == (0, 2)


def test_integers_are_multiplied_by_the_reciprocal():
    eight = np.arange(256, dtype=np.uint8).reshape(16, 16)
    assert np.array_equal(fit_map(eight, (16, 16)), np.arange(256).reshape(16, 16) * (1 / 255))
    assert np.count_nonzero(fit_map(eight, (16, 16)) != eight / 255) == 24
    sixteen = np.arange(65536, dtype=np.uint16).reshape(256, 256)
    assert np.count_nonzero(fit_map(sixteen, (256, 256)) != sixteen / 65535) == 88


def test_a_map_of_the_right_size_is_not_touched():
    values = np.random.default_rng(0).random((7, 9))
    assert np.array_equal(fit_map(values, (7, 9)), values)


def test_the_resize_keeps_corners_and_overshoots():
    values = np.zeros((3, 3))
    values[1, 1] = 1
    fitted = fit_map(values, (9, 9))
    assert fitted[[0, 0, -1, -1], [0, -1, 0, -1]] == approx([0, 0, 0, 0], abs=1e-12)
    assert fitted[4, 4] == approx(1)
    edge = np.zeros((5, 5))
    edge[:, 2:] = 1
    assert fit_map(edge, (17, 17)).max() > 1.01


def test_the_last_column_is_zero_where_rounding_passes_the_end():
    """The quirk of widths such as 48: the challenge's maps have it, so a port has it."""
    fitted = fit_map(np.ones((480, 48)), (480, 640))
    assert not fitted[:, -1].any()
    assert fitted[:, :-1] == approx(1)
    assert fit_map(np.ones((480, 64)), (480, 640)) == approx(1)


def test_auc_counts_repeats_and_leaves_the_last_threshold_out():
    # Values 0, .25, .5, 1. Positives: .5 three times and .25. Negatives: 0, .25, 1, 1.
    saliency = np.array([[0.0, 0.25], [0.5, 1.0]])
    own = positions((1, 0), (1, 0), (1, 0), (0, 1))
    drawn = np.array([0, 1, 3, 3])
    # Points (fp, tp): t > .5 (1/2, 0); t > .25 (1/2, 3/4); t > 0 (3/4, 1); t = 0 (1, 1).
    assert auc(saliency, own, random_indices=drawn) == approx(0.25 * (0.75 + 1) / 2 + 0.25)


def test_a_value_on_the_top_does_not_reach_a_threshold_of_its_own():
    # With a threshold at 1 the pixel at 1 would part from that at .995; the last threshold is .99.
    saliency = np.array([[0.0, 0.995, 1.0]])
    assert auc(saliency, positions((0, 2)), random_indices=np.array([1])) == approx(0.5)
    assert auc(np.array([[0.0, 0.985, 1.0]]), positions((0, 2)), random_indices=np.array([1])) == approx(1)


def test_auc_draws_the_same_from_the_same_generator():
    saliency = np.random.default_rng(1).random((20, 30))
    own = positions((3, 4), (10, 20))
    first, second = (auc(saliency, own, rng=np.random.default_rng(5)) for _ in range(2))
    assert first == second
    assert first != auc(saliency, own, rng=np.random.default_rng(6))


def test_auc_wants_one_source_of_negatives():
    with pytest.raises(UsageError, match="random_indices or rng"):
        auc(np.eye(2), positions((0, 0)))
    with pytest.raises(ValueRangeError, match="random index"):
        auc(np.eye(2), positions((0, 0)), random_indices=np.array([4]))


def test_shuffled_auc_weights_negatives_and_leaves_own_pixels_out():
    saliency = np.array([[0.0, 0.5, 1.0, 0.2]])
    counts = np.array([[3.0, 1.0, 9.0, 0.0]])
    own = positions((0, 2))
    # Negatives: 0 with weight 3, .5 with weight 1; the own pixel's nine do not count.
    assert shuffled_auc(saliency, own, counts) == approx(1)
    # Positive at .2 now: above the three at 0, below .5 (1) and 1 (9).
    assert shuffled_auc(saliency, positions((0, 3)), counts) == approx(3 / 13)


def test_shuffled_auc_is_undefined_without_negatives():
    assert np.isnan(shuffled_auc(np.eye(3), positions((0, 0)), np.zeros((3, 3))))
    assert np.isnan(shuffled_auc(np.eye(3), positions((0, 0)), np.eye(3) * [1, 0, 0]))


def test_nss_divides_by_n_and_counts_repeats():
    saliency = np.array([[0.0, 1.0], [2.0, 5.0]])
    own = positions((1, 1), (1, 1), (0, 0))
    expected = np.mean((np.array([5, 5, 0]) - 2) / saliency.std())
    assert nss(saliency, own) == approx(expected)


def test_cc_is_against_the_mirrored_gaussian_of_the_pixels():
    rng = np.random.default_rng(2)
    saliency, fixated = rng.random((60, 80)), rng.random((60, 80)) < 0.01
    target = ndimage.gaussian_filter(fixated.astype(float), 19, mode="reflect", truncate=4)
    assert density(fixated) == approx(target, abs=1e-15)
    assert cc(saliency, density(fixated)) == approx(np.corrcoef(saliency.ravel(), target.ravel())[0, 1], abs=1e-12)


@pytest.mark.parametrize("level", [0, 128, 255])
@pytest.mark.parametrize("shape", [(12, 16), (6, 8), (18, 24)])
def test_a_flat_map_scores_half_half_zero_and_nothing(level, shape):
    """Catches rounding of a resized constant that is stretched into noise."""
    fitted = fit_map(np.full(shape, level, dtype=np.uint8), (12, 16))
    own = positions((1, 1), (5, 5))
    counts = np.ones((12, 16))
    assert auc(fitted, own, rng=np.random.default_rng(0)) == 0.5
    assert shuffled_auc(fitted, own, counts) == 0.5
    assert nss(fitted, own) == 0
    assert np.isnan(cc(fitted, np.random.default_rng(0).random((12, 16))))


def test_the_range_of_a_map_does_not_matter_however_small():
    saliency = np.random.default_rng(3).random((12, 16))
    own, counts = positions((1, 1), (5, 5)), np.ones((12, 16))
    for scale in (1e-15, 1e15):
        assert shuffled_auc(saliency * scale, own, counts) == approx(shuffled_auc(saliency, own, counts), abs=1e-12)
        assert nss(saliency * scale, own) == approx(nss(saliency, own))


def test_nothing_is_defined_without_fixations_or_with_nan():
    truth = GroundTruth(np.zeros((4, 4), bool), np.zeros((4, 4)), positions=EMPTY, other_counts=np.ones((4, 4)))
    keys = find_protocol("salicon2015").metrics
    assert np.isnan(list(evaluate(np.eye(4), truth, keys, lambda key: generator(0, key)).values())).all()
    holed = np.where(np.eye(4) > 0, np.nan, 0.5)
    truth = GroundTruth(
        np.eye(4) > 0, density(np.eye(4) > 0), positions=positions((0, 0)), other_counts=np.ones((4, 4))
    )
    assert np.isnan(list(evaluate(holed, truth, keys, lambda key: generator(0, key)).values())).all()


def test_wrong_shapes_and_places_are_named():
    with pytest.raises(ShapeError, match="other_counts"):
        shuffled_auc(np.eye(3), positions((0, 0)), np.zeros((2, 3)))
    with pytest.raises(ShapeError, match="target"):
        cc(np.eye(3), np.zeros((2, 3)))
    with pytest.raises(ShapeError, match="row and column"):
        nss(np.eye(3), np.zeros((2, 3), dtype=np.int64))
    for outside in ((-1, 0), (3, 0), (0, 3)):
        with pytest.raises(ValueRangeError, match="outside"):
            nss(np.eye(3), positions(outside))


def test_the_protocol_says_what_it_is():
    protocol = find_protocol("salicon2015")
    assert protocol.metrics == ("auc_borji", "auc_shuffled", "nss", "cc")
    assert protocol.symbol("auc_borji") == "AUC-B (SALICON)"
    assert protocol.symbol("nss") == "NSS"
    assert protocol.describe_blur(None) == "Gaussian, sigma 19 px"
    assert find_protocol("mit300").symbol("auc_borji") == "AUC-B"


def test_a_metric_that_it_does_not_have_is_refused_with_those_it_has():
    with pytest.raises(UsageError, match=r"salicon2015.*sim") as caught:
        find_protocol("salicon2015").choose(["nss", "sim"])
    assert all(key in str(caught.value) for key in ("auc_borji", "auc_shuffled", "nss", "cc"))
