"""Fixations of other images: scaling, leaving out, randomness."""

import numpy as np
import pytest

from salbench.scoring.fixated_pixels import FixatedPixels
from salbench.scoring.randomness import generator


@pytest.fixture
def pixels() -> FixatedPixels:
    return FixatedPixels(
        [(2, 4), (4, 8), (2, 4)],
        [np.array([0, 7], np.int32), np.array([0, 9, 31], np.int32), None],
    )


def test_pixels_of_another_size_are_scaled_to_this_one(pixels):
    # In the 4 x 8 frame: (0, 0), (1, 1), (3, 7), which become (0, 0), (0, 0), (1, 3) at half the size.
    assert pixels.counts_of_others(0).tolist() == [[2, 0, 0, 0], [0, 0, 0, 1]]


def test_own_fixations_are_left_out(pixels):
    assert pixels.counts_of_others(1).sum() == 2
    assert pixels.counts_of_others(2).sum() == 5


def test_unreadable_stimuli_are_no_other_images(pixels):
    assert pixels.others_of(0).tolist() == [1]
    assert pixels.others_of(2).tolist() == [0, 1]


def test_the_union_holds_only_the_named_stimuli(pixels):
    assert np.flatnonzero(pixels.union([0], (2, 4))).tolist() == [0, 7]


def test_generators_depend_on_every_name_and_on_their_borders():
    draws = {
        generator(seed, *names).random()
        for seed, names in [(0, ("a", "bc")), (0, ("ab", "c")), (1, ("a", "bc")), (0, ("a", "bd"))]
    }
    assert len(draws) == 4
    assert generator(0, "a", "bc").random() in draws
