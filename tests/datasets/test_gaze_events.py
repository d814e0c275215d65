"""Fixations of gaze traces, against what the data set's own MATLAB code gives under GNU Octave.

`gaze_events.json` holds the answers of checkFixations.m (MIT1003's DatabaseCode), run in Octave 7.3 on the traces that
`trace` makes here; 600 traces agreed, of which these are kept.
"""

import json
from pathlib import Path

import numpy as np
import pytest

from salbench.datasets.gaze_events import find_fixations

ANSWERS = json.loads((Path(__file__).parent / "gaze_events.json").read_text())


def trace(seed):
    """Fixations with noise, saccades of any length, blinks, and traces too short for anything."""
    rng = np.random.default_rng(seed)
    count = int(rng.choice([rng.integers(8, 60), 720, 725, rng.integers(100, 900)]))
    points, position = [], rng.uniform(100, 900, 2)
    while len(points) < count:
        duration, noise = int(rng.integers(3, 120)), rng.choice([0.3, 1.0, 3.0])
        points += [position + rng.normal(0, noise, 2) for _ in range(duration)]
        following = rng.uniform(0, 1000, 2) if rng.random() < 0.7 else position + rng.normal(0, 60, 2)
        for t in np.linspace(0, 1, int(rng.integers(3, 14)) + 2)[1:-1]:
            points.append(position + (following - position) * (t * t * (3 - 2 * t)) + rng.normal(0, 0.5, 2))
        position = following
    samples = np.array(points[:count])
    if rng.random() < 0.4:
        for _ in range(rng.integers(1, 4)):
            start = int(rng.integers(0, count))
            samples[start : start + int(rng.integers(1, 40))] = rng.choice([np.nan, -32768.0])
    return samples


@pytest.mark.parametrize("seed", ANSWERS)
def test_the_fixations_are_those_of_the_data_sets_own_code(seed):
    """Catches a threshold, a window, a merging rule or an end that differs from the original's."""
    samples = trace(int(seed))
    found = [(one.start + 1, one.stop, one.x, one.y) for one in find_fixations(samples[:, 0], samples[:, 1])]
    wanted = [tuple(float("nan") if value is None else value for value in row) for row in ANSWERS[seed]]
    assert [row[:2] for row in found] == [tuple(map(int, row[:2])) for row in wanted]
    np.testing.assert_allclose([row[2:] for row in found], [row[2:] for row in wanted], rtol=0, atol=1e-9)


def test_the_kept_answers_cover_what_can_happen():
    """Catches a selection of easy traces: one fixation, many, ends within a saccade, and no sample at all."""
    lengths = {len(rows) for rows in ANSWERS.values()}
    assert {1, 2} <= lengths
    assert max(lengths) >= 12
    ends = [rows[-1][1] != len(trace(int(seed))) for seed, rows in ANSWERS.items()]
    assert any(ends)
    assert any(np.isnan(trace(int(seed))).any() for seed in ANSWERS)


@pytest.mark.parametrize("count", [0, 1, 6, 7, 8])
def test_short_traces_are_one_fixation_or_none(count):
    """Catches windows that reach beyond the trace."""
    found = find_fixations(np.arange(count, dtype=float), np.zeros(count))
    assert [(one.start, one.stop) for one in found] == ([(0, count)] if count else [])


def test_blinks_alone_have_no_place():
    (only,) = find_fixations(np.full(100, np.nan), np.full(100, np.nan))
    assert np.isnan(only.x)
    assert only.seconds == pytest.approx(100 / 240)
