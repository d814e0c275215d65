"""Means by category."""

from dataclasses import replace
from functools import partial

import pytest

from salbench.cli import main
from salbench.datasets.dataset import Dataset
from salbench.datasets.synthetic import open_synthetic
from salbench.errors import UsageError
from salbench.scoring.groups import category_means
from salbench.scoring.runner import score


def sorted_stimuli():
    kinds = ("indoor", "outdoor", "indoor")
    return [replace(one, category=kinds[i % 3]) for i, one in enumerate(open_synthetic().stimuli("val"))]


@pytest.mark.parametrize("jobs", [1, 2])
def test_each_categorys_means_are_those_of_its_rows(tmp_path, jobs):
    """Catches rows that are sorted under another stimulus's category when workers finish out of order."""
    dataset = Dataset("sorted", "Sorted", {"val": partial(sorted_stimuli)}, "val")
    run = score(dataset, model="centre", metrics=["nss", "cc"], jobs=jobs, out=tmp_path / "run")
    wanted = {one.id: one.category for one in sorted_stimuli()}
    assert dict(zip(run.scores["stimulus"], run.scores["category"], strict=True)) == wanted
    means = category_means(run)
    assert list(means) == ["indoor", "outdoor"]
    for name, figures in means.items():
        rows = run.scores[[wanted[one] == name for one in run.scores["stimulus"]]]
        assert figures["nss"]["n"] == len(rows)
        assert figures["nss"]["mean"] == pytest.approx(rows["nss"].mean(), abs=1e-12)


def test_a_data_set_without_categories_says_so(tmp_path):
    run = score("synthetic", split="val", model="centre", metrics=["nss"], out=tmp_path / "run")
    assert "category" not in run.scores.columns
    with pytest.raises(UsageError, match="no categories"):
        category_means(run)
    words = ["--dataset", "synthetic", "--model", "centre", "--by", "category", "--out", str(tmp_path / "by")]
    assert main(["score", *words]) == 2
    assert not (tmp_path / "by").exists()  # nothing was scored for it
