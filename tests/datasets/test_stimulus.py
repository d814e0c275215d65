"""Fixations: rounding, the frame, viewers."""

import numpy as np
import pytest

from salbench.datasets.stimulus import Fixations, LazyStimuli, Stimulus


def test_a_fixation_belongs_to_the_pixel_whose_middle_is_nearest_and_halves_go_up():
    fixations = Fixations.of_one_viewer([0.49, 0.5, 1.5, 2.5], [0, 0, 0, 0])
    assert fixations.columns.tolist() == [0, 1, 2, 3]


def test_fixations_outside_the_frame_are_dropped_and_never_clamped():
    x = [-0.6, -0.5, 3.49, 3.5, 1, 1, np.nan]
    y = [0, 0, 2.49, 0, -0.51, 2.5, 0]
    inside = Fixations.of_one_viewer(x, y).within((3, 4))
    assert list(zip(inside.columns.tolist(), inside.rows.tolist(), strict=True)) == [(0, 0), (3, 2)]


def test_x_is_the_column_and_y_the_row():
    fixation_map = Fixations.of_one_viewer([3], [1]).as_map((2, 4))
    assert fixation_map[1, 3]
    assert fixation_map.sum() == 1


def test_viewers_are_kept_apart_in_the_order_of_their_first_fixation():
    fixations = Fixations(np.arange(5.0), np.zeros(5), np.array(["b", "a", "b", "c", "a"]))
    by_viewer = fixations.by_viewer()
    assert list(by_viewer) == ["b", "a", "c"]
    assert by_viewer["a"].x.tolist() == [1, 4]
    assert fixations.without("b").x.tolist() == [1, 3, 4]


def test_numeric_viewers_can_be_left_out_by_their_name():
    fixations = Fixations(np.arange(3.0), np.zeros(3), np.array([7, 8, 7]))
    assert fixations.without("7").x.tolist() == [1]


def test_columns_of_unequal_length_are_refused():
    with pytest.raises(ValueError, match="2, 1, 1"):
        Fixations(np.zeros(2), np.zeros(1), np.array(["a"]))


def test_a_stimulus_without_a_fixation_source_has_no_fixations():
    stimulus = Stimulus("a", (2, 3), lambda: np.zeros((2, 3, 3), np.uint8))
    assert len(stimulus.fixations()) == 0
    assert not stimulus.fixation_map().any()


def test_lazy_stimuli_are_a_sequence():
    """Catches places that run off an end, and stimuli that are not found again because each look makes a new one."""
    made = []

    def make(place: int) -> Stimulus:
        made.append(place)
        return Stimulus(f"s{place}", (2, 2), lambda: np.zeros((2, 2, 3), np.uint8))

    stimuli = LazyStimuli(4, make)
    assert not made
    assert [one.id for one in stimuli] == ["s0", "s1", "s2", "s3"]
    assert (stimuli[-1].id, [one.id for one in stimuli[1::2]]) == ("s3", ["s1", "s3"])
    assert stimuli[2] in stimuli
    assert stimuli.index(stimuli[2]) == 2
    assert make(9) not in stimuli
    with pytest.raises(IndexError):
        stimuli[4]
    with pytest.raises(ValueError, match="s9"):
        stimuli.index(make(9))
