"""Cross-validation: every stimulus in one fold, whatever the order, and folds alike."""

from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from salbench.cli import main
from salbench.datasets import from_arrays
from salbench.datasets.folds import cross_validation, fold, fold_of
from salbench.datasets.stimulus import Stimulus
from salbench.errors import UsageError
from salbench.scoring.run_folder import open_run


def stimuli(names, categories=None):
    kinds = categories or [""] * len(names)
    return [Stimulus(name, (2, 3), list, category=kind) for name, kind in zip(names, kinds, strict=True)]


# Without what may lead out of a folder, which a stimulus refuses to be called.
name = st.text(min_size=1, max_size=6).filter(lambda text: not set(text) & set("/\\:."))
names = st.lists(name, min_size=2, max_size=40, unique=True)


@given(names, st.integers(2, 12), st.data())
def test_folds_part_a_split_and_do_not_depend_on_its_order(ids, count, data):
    """Catches a stimulus in two folds or none, in what it is fitted on and evaluated on, and folds by position."""
    if len(ids) < count:
        with pytest.raises(UsageError, match="cannot be cut"):
            fold(stimuli(ids), 1, count)
        return
    kinds = data.draw(st.lists(st.sampled_from("xyz"), min_size=len(ids), max_size=len(ids)))
    listed = stimuli(ids, kinds)
    again = data.draw(st.permutations(listed))
    seen = []
    for which, (fit, held_out) in enumerate(cross_validation(listed, count), 1):
        mine = [one.id for one in held_out]
        assert sorted(mine + [one.id for one in fit]) == sorted(ids)
        assert set(mine) == {one.id for one in fold(again, which, count)}
        assert mine == [name for name in ids if name in mine]  # in the order of the split
        seen += mine
    assert sorted(seen) == sorted(ids)


def test_folds_are_alike_in_size_and_categories():
    """Catches folds by digest alone, of which one may lack a category."""
    ids = [f"{kind}/{number}" for kind in ("Action", "Art", "Fractal") for number in range(35)]
    folds = [fold(stimuli(ids, [one.split("/")[0] for one in ids]), which, 10) for which in range(1, 11)]
    assert {len(one) for one in folds} == {10, 11}
    for one in folds:
        assert set(Counter(stimulus.category for stimulus in one).values()) <= {3, 4}


def test_names_of_folds():
    """Catches a split's own name that is taken for a fold's, and a fold beyond the last."""
    assert fold_of("all-3of10") == ("all", 3, 10, False)
    assert fold_of("mit300-style-without-1of5") == ("mit300-style", 1, 5, True)
    for name in ("all", "3of10", "all-of10", "all-3of", "all-3of10x", "held-out-40"):
        assert fold_of(name) is None
    for name in ("all-0of10", "all-11of10", "all-1of1"):
        with pytest.raises(UsageError, match="there is no fold"):
            fold_of(name)


def test_a_fold_is_scored_by_its_name(tmp_path):
    """Catches folds that only the library has, and an unknown split whose error does not tell of folds."""
    images = {f"s{n}": np.full((20, 30, 3), n, np.uint8) for n in range(7)}
    dataset = from_arrays(images, {name: [[3, 4], [10, 11]] for name in images})
    parts = [[one.id for one in dataset.stimuli(f"all-{which}of3")] for which in (1, 2, 3)]
    assert sorted([*parts[0], *parts[1], *parts[2]]) == sorted(images)
    assert [one.id for one in dataset.stimuli("all-without-2of3")] == [n for n in images if n not in parts[1]]
    with pytest.raises(UsageError, match=r"all-1of10 and all-without-1of10"):
        dataset.stimuli("none-1of3")
    out = tmp_path / "run"
    command = ["score", "--dataset", "synthetic", "--split", "val-2of4", "--model", "centre", "--metrics", "nss"]
    assert main([*command, "--jobs", "1", "-o", str(out)]) == 0
    assert len(open_run(out).scores) == 4
