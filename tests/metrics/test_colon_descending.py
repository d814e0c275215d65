import loop_ports
import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from salbench.metrics.auc import colon_descending

STEPS = st.sampled_from([0.1, 0.01, 0.05, 0.25, 0.3, 1 / 3, 0.7, 1.0])


def beside_a_multiple(step, k, units):
    """A stop within a few units of rounding of k steps: where MATLAB's tolerance decides."""
    value = min(k * step, 1.0)
    for _ in range(abs(units)):
        value = np.nextafter(value, 2.0 if units > 0 else -1.0)
    return max(float(value), 0.0)


@given(stop=st.floats(0, 1), step=STEPS)
@example(stop=0.6, step=0.1)
@example(stop=0.1 * 3, step=0.1)
@example(stop=0.7, step=0.1)
@example(stop=0.0, step=0.1)
@example(stop=1.0, step=0.1)
@example(stop=5e-324, step=0.1)
@example(stop=1e-17, step=0.1)
@example(stop=1 - 2**-53, step=0.1)
def test_one_stop_gives_matlabs_range_reversed(stop, step):
    """Catches `k * step` in place of MATLAB's filling from both ends: exact, to the last bit."""
    assert colon_descending(np.array([stop]), step)[:, 0].tolist() == loop_ports.colon(stop, step)[::-1]


@given(k=st.integers(0, 100), units=st.integers(-5, 5), step=STEPS)
def test_stops_beside_a_multiple_of_the_step(k, units, step):
    """Catches another tolerance than two units of rounding, and a last element that does not snap to the stop."""
    stop = beside_a_multiple(step, k, units)
    assert colon_descending(np.array([stop]), step)[:, 0].tolist() == loop_ports.colon(stop, step)[::-1]


@given(stops=st.lists(st.floats(0, 1), min_size=1, max_size=8), step=STEPS)
def test_several_stops_are_ranges_of_their_own(stops, step):
    """Catches a length or an end taken from another stop; shorter ranges begin with infinity, which nothing reaches."""
    table = colon_descending(np.array(stops), step)
    for column, stop in zip(table.T, stops, strict=True):
        expected = loop_ports.colon(stop, step)[::-1]
        assert column.tolist() == [np.inf] * (len(column) - len(expected)) + expected


def test_six_tenths_is_the_classic_departure_from_multiples():
    """Catches the whole rule at once: MATLAB's 0:0.1:1 holds 0.6 itself, 6 * 0.1 is one bit above it."""
    thresholds = colon_descending(np.array([1.0]), 0.1)[:, 0]
    assert thresholds[4] == 0.6 != 6 * 0.1
    assert thresholds.size == 11


def test_an_unknown_stop_gives_the_threshold_zero():
    """Catches a NaN that spreads to the thresholds of other splits."""
    assert colon_descending(np.array([np.nan, 0.2]), 0.1).tolist() == [[np.inf, 0.2], [np.inf, 0.1], [0.0, 0.0]]


@pytest.mark.parametrize("step", [0.001, 1e-4])
def test_fine_steps(step):
    """Catches an index that overflows or drifts over thousands of elements."""
    assert colon_descending(np.array([0.987]), step)[:, 0].tolist() == loop_ports.colon(0.987, step)[::-1]
