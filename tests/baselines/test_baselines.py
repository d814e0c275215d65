"""The baselines: what each is made of, and the human row worked by hand."""

import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from salbench import metrics
from salbench.datasets.stimulus import Fixations, Stimulus
from salbench.datasets.synthetic import open_synthetic
from salbench.errors import UsageError
from salbench.maps import mit_density
from salbench.models import Context, registry
from salbench.prediction import predict
from salbench.progress import Silent
from salbench.scoring.runner import score

IMAGE = np.zeros((30, 40, 3), np.uint8)


def context(others: np.ndarray | None = None, fixations: Fixations | None = None) -> Context:
    return Context(
        others=lambda *, repeats=None: np.zeros((30, 40)) if others is None else others,
        some_others=lambda count: np.arange(1200).reshape(30, 40) < count,
        blur=mit_density,
        density=lambda given: mit_density(given.as_map((30, 40))),
        fixations=fixations if fixations is not None else Fixations.of_one_viewer([], []),
        rng=lambda key: np.random.default_rng(len(key)),
    )


def stimulus() -> Stimulus:
    return Stimulus("a", (30, 40), lambda: IMAGE)


def model(name: str):
    return registry().factory(name)()


def test_all_baselines_are_found_by_their_entry_points():
    lower = {"chance", "centre", "centre-prior", "centre-prior-cv", "shuffled"}
    upper = {"gold-standard", "gold-standard-cv", "humans"}
    assert lower | upper | {"salgan"} <= set(registry().names())


def test_only_models_that_say_so_are_shown_the_ground_truth(tmp_path):
    shown = {name: registry().factory(name).card.uses_ground_truth for name in registry().names()}
    allowed = {"gold-standard", "gold-standard-cv", "humans", "viewer-groups"}
    assert {name for name, uses in shown.items() if uses} == allowed


def test_chance_is_uniform_and_independent_per_pixel():
    values = model("chance").predict_stimulus(stimulus(), context())
    assert values.shape == (30, 40)
    assert 0 <= values.min() < 0.01
    assert 0.99 < values.max() < 1
    assert abs(np.corrcoef(values[:, :-1].ravel(), values[:, 1:].ravel())[0, 1]) < 0.1


def test_centre_is_symmetric_and_highest_in_the_middle():
    values = model("centre").predict(IMAGE)
    assert np.allclose(values, values[::-1, ::-1])
    assert values.argmax() in np.ravel_multi_index(([14, 14, 15, 15], [19, 20, 19, 20]), values.shape)


def test_centre_prior_is_the_blurred_count_of_the_others():
    counts = np.zeros((30, 40))
    counts[10, 20] = 3
    assert np.array_equal(model("centre-prior").predict_stimulus(stimulus(), context(counts)), mit_density(counts))


def test_gold_standard_equals_the_ground_truth_map():
    fixations = Fixations.of_one_viewer([5, 9], [7, 2])
    values = model("gold-standard").predict_stimulus(stimulus(), context(fixations=fixations))
    assert metrics.cc(values, mit_density(fixations.as_map((30, 40)))) == pytest.approx(1)


def brought(fixations: Fixations, size, target) -> np.ndarray:
    """A fixation map in a frame of another size: middles of pixels move in proportion."""
    moved = np.zeros(target, np.bool_)
    for x, y in zip(np.round(fixations.x), np.round(fixations.y), strict=True):
        moved[int((y + 0.5) * target[0] / size[0]), int((x + 0.5) * target[1] / size[1])] = True
    return moved


def test_shuffled_is_the_ground_truth_of_another_image(tmp_path):
    """Catches the image's own fixations among the drawn, and a draw that changes with the number of workers."""
    expected = mit_density(np.arange(1200).reshape(30, 40) < 1)
    assert np.array_equal(model("shuffled").predict_stimulus(stimulus(), context()), expected)
    run = score("synthetic", split="val", model="shuffled", metrics=["nss", "cc"], save_maps=True, out=tmp_path / "one")
    stimuli = open_synthetic().stimuli("val")
    for place, scene in enumerate(stimuli):
        drawn = np.load(run.path / "maps" / f"{scene.id}.npy")
        as_here = [mit_density(brought(other.fixations(), other.size, scene.size)) for other in stimuli]
        assert [other for other, truth in enumerate(as_here) if np.allclose(drawn, truth, atol=1e-12)] not in (
            [],
            [place],
        )
    again = score("synthetic", split="val", model="shuffled", metrics=["nss", "cc"], jobs=2, out=tmp_path / "two")
    assert again.scores.equals(run.scores)


def test_cross_validated_bounds_are_densities_and_say_how_they_were_fitted(tmp_path):
    stimuli = open_synthetic().stimuli("val")
    for name in ("centre-prior-cv", "gold-standard-cv"):
        one = model(name)
        parameters = one.fit(stimuli, Silent())
        one.use(parameters)
        if name == "centre-prior-cv":
            maps = [one.predict_stimulus(stimulus(), context(np.ones((30, 40))))]
        else:
            gaze = stimuli[0].fixations()
            given = context(np.ones(stimuli[0].size), gaze)
            given = replace(given, others=lambda *, repeats=None: np.ones(stimuli[0].size))
            evaluations = list(one.evaluations(stimuli[0], given))
            assert [len(e.fixations) for e in evaluations] == [len(own) for own in gaze.by_viewer().values()]
            maps = [e.saliency_map for e in evaluations]
        for log_density in maps:
            assert np.exp(log_density).sum() == pytest.approx(1, abs=1e-9)
        run = score("synthetic", split="val", model=name, metrics=["nss"], out=tmp_path / name)
        assert run.manifest["model"]["parameters"] == parameters


@pytest.mark.parametrize("name", ["centre-prior-cv", "gold-standard-cv"])
def test_a_bound_that_was_not_fitted_says_so(name):
    gaze = Fixations(np.array([1.0, 2.0]), np.array([1.0, 2.0]), np.array(["a", "b"]))
    with pytest.raises(UsageError, match=f"{name} was not fitted"):
        one = model(name)
        if name == "centre-prior-cv":
            one.predict_stimulus(stimulus(), context())
        else:
            list(one.evaluations(stimulus(), context(fixations=gaze)))


def test_the_human_row_is_the_mean_over_viewers_each_judged_on_their_own_fixations(tmp_path):
    run = score("synthetic", split="val", model="humans", metrics=["nss", "cc"], out=tmp_path / "run")
    scene = open_synthetic().stimuli("val")[0]
    expected = {"nss": [], "cc": []}
    for name, own in scene.fixations().by_viewer().items():
        rest = mit_density(scene.fixations().without(name).as_map(scene.size))
        expected["nss"].append(metrics.nss(rest, own.as_map(scene.size)))
        expected["cc"].append(metrics.cc(rest, mit_density(own.as_map(scene.size))))
    for key, values in expected.items():
        assert run.scores[key][0] == pytest.approx(np.mean(values), abs=1e-12)


def test_bounds_come_in_their_order_on_the_embedded_data(tmp_path):
    names = ("chance", "centre", "humans", "gold-standard")
    nss = [
        score("synthetic", split="val", model=name, metrics=["nss"], out=tmp_path / name).mean("nss") for name in names
    ]
    assert nss == sorted(nss)
    assert abs(nss[0]) < 0.15


def test_one_viewer_has_no_human_row(tmp_path):
    assert list(model("humans").evaluations(stimulus(), context(fixations=Fixations.of_one_viewer([1], [1])))) == []


@pytest.mark.parametrize("name", ["centre-prior", "centre-prior-cv", "shuffled", "humans"])
def test_baselines_of_fixations_are_refused_for_mere_images(name, tmp_path):
    with pytest.raises(UsageError, match=name):
        predict(name, images=tmp_path / "images", out=tmp_path / "maps")


def test_baselines_need_no_torch():
    code = "import sys, salbench_models.baselines; sys.exit('torch' in sys.modules)"
    import subprocess

    assert subprocess.run([sys.executable, "-c", code], cwd=Path("/"), check=False).returncode == 0
