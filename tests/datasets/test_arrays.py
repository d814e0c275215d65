"""Data sets of arrays, and fixations as a table."""

import numpy as np
import pandas as pd
import pytest

from salbench.datasets import fixation_table, from_arrays
from salbench.datasets.synthetic import open_synthetic
from salbench.errors import DataError, ShapeError
from salbench.scoring.runner import score

IMAGES = {"a": np.zeros((30, 40, 3), np.uint8), "b": np.full((20, 10), 9, np.uint8), "c": np.zeros((5, 5, 3), np.uint8)}


def test_arrays_become_stimuli_with_x_to_the_right(tmp_path):
    """Catches rows for columns, grey images that stay flat, and a stimulus without fixations that is lost."""
    dataset = from_arrays(IMAGES, {"a": np.array([[39, 0], [0, 29], [40, 1]]), "b": [[9, 19, 7], [0, 0, 8]]})
    a, b, c = dataset.stimuli()
    assert a.fixations().positions.tolist() == [[0, 39], [29, 0]]
    assert list(b.fixations().by_viewer()) == ["7", "8"]
    assert (b.image().shape, int(b.image().max())) == ((20, 10, 3), 9)
    assert len(c.fixations()) == 0


def test_a_data_set_goes_through_its_table_and_back(tmp_path):
    """Catches columns that are lost or exchanged on the way: the same scores must come out, in workers too."""
    stimuli = list(open_synthetic().stimuli("val"))[:4]
    table = fixation_table(stimuli)
    assert table["inside"].all()
    assert table.groupby(["stimulus", "viewer"])["order"].apply(list).map(lambda o: o == list(range(len(o)))).all()
    copy = from_arrays({one.id: one.image() for one in stimuli}, table.sample(frac=1, random_state=0))
    original = from_arrays({one.id: one.image() for one in stimuli}, table)
    runs = [
        score(data, model="centre", metrics=["nss", "auc_shuffled"], jobs=jobs, out=tmp_path / name).scores
        for data, jobs, name in ((original, 1, "one"), (copy, 2, "two"))
    ]
    assert runs[0].equals(runs[1])


def test_fixations_outside_are_told_and_not_dropped():
    dataset = from_arrays(IMAGES, pd.DataFrame({"stimulus": ["a", "a"], "x": [-1.0, 3.0], "y": [0.0, 3.0]}))
    assert fixation_table(dataset.stimuli())["inside"].tolist() == [False, True]
    assert fixation_table([]).columns.tolist() == ["stimulus", "viewer", "x", "y", "order", "inside"]


def test_what_does_not_fit_is_refused():
    """Catches silent nonsense: fixations of nobody's image, floats for an image, a table of other columns."""
    with pytest.raises(DataError, match="'z'"):
        from_arrays(IMAGES, {"z": [[1, 1]]})
    with pytest.raises(ShapeError, match="image 'a'"):
        from_arrays({"a": np.zeros((3, 3, 3))}, {})
    with pytest.raises(ShapeError, match=r"\(n, 2\)"):
        from_arrays(IMAGES, {"a": [[1, 2, 3, 4]]})
    with pytest.raises(DataError, match="no column 'stimulus'"):
        from_arrays(IMAGES, pd.DataFrame({"image": ["a"], "x": [1], "y": [1]}))


def test_viewers_known_by_long_numbers_stay_apart():
    """Catches numbers that are shortened to six digits, which makes one viewer of three."""
    image = np.zeros((4, 4, 3), np.uint8)
    points = [[1, 1, 1234567], [2, 1, 1234568], [3, 1, 1234569], [3, 3, 0.5]]
    (stimulus,) = from_arrays({"a": image}, {"a": points}).stimuli()
    assert list(stimulus.fixations().by_viewer()) == ["1234567", "1234568", "1234569", "0.5"]
