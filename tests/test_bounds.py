"""Bounds: the power law, the groups of viewers, and per cents that only compare what compares."""

import json
import re
import shutil
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from scipy.optimize import curve_fit

from salbench import metrics
from salbench.bounds import (
    LIMIT,
    LOWER,
    UPPER,
    _limit,
    fit_power_law,
    gold_standard_of,
    group_sizes,
    make_bounds,
    open_bounds,
    relate,
    share_of_gain,
)
from salbench.cli import main
from salbench.datasets.folder import open_folder
from salbench.errors import RunError, UsageError
from salbench.maps import mit_density
from salbench.scoring.runner import score

VIEWERS = 8


def make_gaze(root: Path, viewers: int = VIEWERS, count: int = 5) -> Path:
    """Images whose viewers agree on two places each, in the generic layout."""
    rng = np.random.default_rng(0)
    for part in ("images", "fixations"):
        (root / part).mkdir(parents=True)
    for number in range(count):
        Image.fromarray(rng.integers(0, 256, (48, 64, 3), dtype=np.uint8)).save(root / "images" / f"s{number}.png")
        places = rng.uniform((10, 10), (54, 38), (2, 2))
        rows = ["x,y,viewer"]
        for viewer in range(viewers):
            for x, y in np.clip(places[rng.integers(0, 2, 4)] + rng.normal(0, 3, (4, 2)), 0, (63, 47)):
                rows.append(f"{x:.0f},{y:.0f},{viewer}")
        (root / "fixations" / f"s{number}.csv").write_text("\n".join(rows) + "\n")
    return root


@pytest.fixture(scope="module")
def data(tmp_path_factory) -> Path:
    return make_gaze(tmp_path_factory.mktemp("gaze") / "set")


@pytest.fixture(scope="module")
def place(data, tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("bounds") / "bounds"
    make_bounds(data, out=folder, draws=2)
    return folder


@given(
    st.floats(-2, 2).filter(lambda a: abs(a) > 0.05),
    st.floats(-2.5, -0.1),
    st.floats(-3, 3),
)
def test_a_power_law_is_found_again(scale, exponent, limit):
    sizes = np.arange(1, 8)
    law = fit_power_law(sizes, scale * sizes**exponent + limit)
    assert law.limit == pytest.approx(limit, abs=1e-4)
    assert law.exponent == pytest.approx(exponent, abs=1e-3)
    assert law.residual < 1e-6


def test_the_law_of_noisy_points_is_that_of_a_general_optimiser():
    """Catches a search that stops at the grid: SciPy's own fit starts from the truth."""
    sizes = np.arange(1, 8, dtype=float)
    points = 0.9 - 0.2 * sizes**-0.7 + np.random.default_rng(1).normal(0, 0.002, 7)
    found, _ = curve_fit(lambda n, a, b, c: a * n**b + c, sizes, points, p0=(-0.2, -0.7, 0.9))
    law = fit_power_law(sizes, points)
    assert (law.scale, law.exponent, law.limit) == pytest.approx(found, rel=1e-4)


def test_a_known_limit_is_kept():
    sizes = np.arange(1, 8, dtype=float)
    law = fit_power_law(sizes, 1 - 0.4 * sizes**-0.5, limit=1.0)
    assert (law.scale, law.exponent, law.limit) == pytest.approx((-0.4, -0.5, 1.0), abs=1e-5)
    assert fit_power_law(sizes, 1 - 0.4 * sizes**-0.5, limit=0.9).residual > 0.005


@pytest.mark.parametrize(
    ("sizes", "means"), [([1, 2], [1, 2]), ([0, 1, 2], [1, 2, 3]), ([1, 2, 3], [1, np.nan, 2]), ([1, 2, 3], [1, 2])]
)
def test_points_that_make_no_law_are_refused(sizes, means):
    with pytest.raises(UsageError, match="power law"):
        fit_power_law(sizes, means)


def test_group_sizes_reach_half_of_the_viewers():
    assert group_sizes(7) == []
    assert group_sizes(15)[-1] == 7
    assert all(sizes[0] == 1 and sizes[-1] == n // 2 for n in range(8, 90) if (sizes := group_sizes(n)))
    assert len(group_sizes(400)) <= 13


def test_n_viewers_predict_n_others(data, tmp_path):
    """By hand: of two viewers each predicts the other, whoever is drawn first; SIM and CC are symmetric."""
    two = make_gaze(tmp_path / "two", viewers=2)
    run = score(two, model="viewer-groups", parameters={"viewers": 1, "draws": 3}, metrics=["cc"], out=tmp_path / "run")
    for stimulus, value in zip(open_folder(two).stimuli(), run.scores["cc"], strict=True):
        first, second = (own.as_map(stimulus.size) for own in stimulus.fixations().by_viewer().values())
        assert value == pytest.approx(metrics.cc(mit_density(first), mit_density(second)), abs=1e-12)
    too_many = score(
        two, model="viewer-groups", parameters={"viewers": 2, "draws": 3}, metrics=["cc"], out=tmp_path / "many"
    )
    assert too_many.scores["cc"].isna().all()


def test_more_viewers_predict_better_and_the_limit_is_above_them(place):
    bounds = open_bounds(place)
    assert bounds.sizes == (1, 2, 3, 4)
    for key in ("cc", "nss", "sim"):
        assert list(bounds.limits[key].means) == sorted(bounds.limits[key].means), key
    for key in ("cc", "sim"):
        law = bounds.limits[key].law
        assert law is not None
        assert law.limit > bounds.limits[key].means[-1], key


def test_metrics_of_maps_end_at_a_map_against_itself(place):
    """Catches an extrapolated SIM above 1: two maps of infinitely many viewers are one."""
    bounds = open_bounds(place)
    ends = {key: limit.law.limit for key, limit in bounds.limits.items() if limit.known}
    assert set(ends) == {"cc", "sim", "kl_divergence", "emd"}
    assert (ends["cc"], ends["sim"], ends["kl_divergence"]) == pytest.approx((1, 1, 0), abs=1e-9)
    assert ends["emd"] == bounds.runs["gold-standard"].mean("emd")


def test_bounds_are_runs_in_their_order(place):
    bounds = open_bounds(place)
    assert list(bounds.runs) == [*LOWER, *UPPER]
    nss = {name: run.mean("nss") for name, run in bounds.runs.items()}
    assert nss["chance"] < nss["centre-prior"] < nss["humans"] < nss["gold-standard"]
    assert nss["gold-standard-cv"] > nss["centre-prior-cv"]


def test_bounds_go_on_and_are_the_same_with_more_jobs(data, place, tmp_path):
    again = make_bounds(data, out=place, draws=2)
    assert again.limits == open_bounds(place).limits
    two = make_bounds(data, out=tmp_path / "two", draws=2, jobs=2)
    assert two.limits == again.limits
    for name, run in two.runs.items():
        assert run.scores.equals(again.runs[name].scores), name


def test_each_metric_has_the_gold_standard_that_compares(place):
    """Catches CC judged by a bound on single viewers' maps, which a model's CC can pass."""
    bounds = open_bounds(place)
    assert bounds.metrics == tuple(metrics.METRICS)
    chosen = {key: gold_standard_of(key, bounds) for key in bounds.metrics}
    assert {key for key, name in chosen.items() if name == "gold-standard"} == {"cc", "sim", "kl_divergence", "emd"}


def test_a_share_is_the_way_from_bound_to_bound():
    assert share_of_gain(0.6, 0.5, 0.7) == pytest.approx(0.5)
    assert share_of_gain(1.5, 2.0, 0.0) == pytest.approx(0.25)
    assert share_of_gain(2.5, 2.0, 0.0) == pytest.approx(-0.25)
    assert np.isnan(share_of_gain(1.0, 1.0, 1.0))


def test_a_bound_is_at_its_own_end_of_the_scale(place):
    bounds = open_bounds(place)
    assert {one.key: one.share for one in relate(bounds.runs["centre-prior"], bounds)} == pytest.approx(
        dict.fromkeys(metrics.MAP_METRICS, 0.0)
    )
    dense = {one.key: (one.lower, one.share) for one in relate(bounds.runs["centre-prior-cv"], bounds)}
    assert dense["log_likelihood"] == ("centre-prior-cv", 0.0)
    assert dense["nss"][0] == "centre-prior"
    gold = {one.key: one.share for one in relate(bounds.runs["gold-standard"], bounds)}
    assert gold["cc"] == gold["emd"] == pytest.approx(1)


def test_runs_that_do_not_compare_are_refused(data, place, tmp_path):
    bounds = open_bounds(place)
    blurred = score(data, model="centre", blur_sigma=3.0, metrics=["nss"], out=tmp_path / "blurred")
    with pytest.raises(RunError, match=r"protocol\.blur_sigma is 3\.0 here"):
        list(relate(blurred, bounds))
    other = score(make_gaze(tmp_path / "set", count=4), model="centre", metrics=["nss"], out=tmp_path / "other")
    with pytest.raises(RunError, match=r"dataset\.n"):
        list(relate(other, bounds))
    with pytest.raises(UsageError, match="no bound"):
        list(relate(score(data, model="centre", metrics=["nss"], out=tmp_path / "centre"), bounds, lower="nothing"))


def test_means_that_do_not_bend_have_no_limit(place, monkeypatch):
    """Catches an interval of AUCs up to 2.8: a straight line has no end."""
    sizes, images = [1, 2, 3, 4], np.random.default_rng(0).normal(0, 0.01, 30)
    straight = _limit("nss", sizes, [images + 0.1 * n for n in sizes], 0, None)
    assert straight.law is None
    assert "power law" in straight.why
    bent = _limit("auc_judd", sizes, [images + 0.99 - 0.4 * n**-0.8 for n in sizes], 0, None)
    assert bent.law is not None
    assert 0 <= bent.low <= bent.law.limit <= bent.high <= 1
    assert bent.law.limit == pytest.approx(0.99, abs=0.01)


def test_bounds_do_not_go_into_a_run(data, tmp_path):
    """Catches thirteen folders in a finished run, which is then neither."""
    run = score(data, model="centre", metrics=["nss"], out=tmp_path / "run")
    before = sorted(run.path.iterdir())
    with pytest.raises(RunError, match="run: holds a run; bounds go into a folder of their own"):
        make_bounds(data, out=run.path)
    assert sorted(run.path.iterdir()) == before


def test_a_limit_that_the_metric_cannot_reach_is_none(place):
    """Catches an AUC of 1.2 printed as what many viewers would reach, outside its own interval."""
    sizes, images = [1, 2, 3, 4], np.random.default_rng(0).normal(0, 0.001, 30)
    beyond = _limit("auc_judd", sizes, [images + 1.2 - 0.4 * n**-0.5 for n in sizes], 0, None)
    assert (beyond.law, beyond.low, beyond.high) == (None, None, None)
    assert re.fullmatch(r"the power law of auc_judd ends at 1\.\d+, which auc_judd cannot be", beyond.why)
    assert _limit("nss", sizes, [images + 1.2 - 0.4 * n**-0.5 for n in sizes], 0, None).law is not None


def test_a_data_set_with_its_own_maps_ends_at_a_perfect_score(data, tmp_path):
    """Catches the limit of viewers' maps taken from ground truth of another make."""
    shutil.copytree(data, tmp_path / "set")
    (tmp_path / "set" / "maps").mkdir()
    for stimulus in open_folder(data).stimuli():
        blurred = mit_density(stimulus.fixation_map(), sigma=9.0)
        Image.fromarray(np.uint8(255 * blurred / blurred.max())).save(tmp_path / "set" / "maps" / f"{stimulus.id}.png")
    bounds = make_bounds(tmp_path / "set", out=tmp_path / "bounds", draws=1)
    assert bounds.runs["gold-standard"].mean("cc") < 0.999
    assert [bounds.limits[key].law.limit for key in ("cc", "sim", "kl_divergence", "emd")] == [1.0, 1.0, 0.0, 0.0]


def test_some_images_with_one_viewer_leave_the_others_their_bounds(tmp_path):
    root = make_gaze(tmp_path / "set", count=5)
    (root / "fixations" / "s0.csv").write_text("x,y,viewer\n5,5,1\n9,9,1\n")
    bounds = make_bounds(root, out=tmp_path / "bounds", draws=1)
    assert list(bounds.runs) == [*LOWER, *UPPER]
    assert bounds.sizes == ()


def test_one_image_has_the_bounds_that_need_no_other(tmp_path):
    bounds = make_bounds(make_gaze(tmp_path / "set", count=1), out=tmp_path / "bounds", draws=1)
    assert "centre-prior-cv" not in bounds.runs
    assert "humans" in bounds.runs


def test_a_bound_that_is_gone_is_named(place, tmp_path, capsys):
    shutil.copytree(place, tmp_path / "bounds")
    shutil.rmtree(tmp_path / "bounds" / "chance")
    assert main(["bounds", "show", str(tmp_path / "bounds")]) == 1
    assert "chance is gone" in capsys.readouterr().err


def test_without_viewers_the_other_bounds_are_made(tmp_path):
    alone = make_bounds(make_gaze(tmp_path / "set", viewers=1), out=tmp_path / "bounds")
    assert list(alone.runs) == [*LOWER, "gold-standard"]
    assert alone.sizes == ()
    assert "viewers" in alone.limits["nss"].why
    assert gold_standard_of("nss", alone) == "gold-standard"


def test_another_protocol_has_its_own_bounds(data, tmp_path):
    """Catches a bound scored by MIT300's rules, and bits that only some bounds have."""
    bounds = make_bounds(data, out=tmp_path / "bounds", protocol="tuebingen", draws=1)
    assert "emd" not in bounds.metrics
    assert "information_gain" in bounds.metrics
    assert "information_gain" not in bounds.limits
    shares = {one.key: one for one in relate(bounds.runs["gold-standard-cv"], bounds)}
    assert shares["information_gain"].lower == "centre-prior-cv"
    assert shares["information_gain"].share == shares["log_likelihood"].share == pytest.approx(1)
    assert main(["bounds", "show", str(tmp_path / "bounds"), str(tmp_path / "bounds" / "gold-standard-cv")]) == 0


def test_the_command_prints_a_run_among_its_bounds(data, place, tmp_path, capsys):
    score(data, model="centre", out=tmp_path / "centre")
    assert main(["bounds", "show", str(place), str(tmp_path / "centre")]) == 0
    printed = capsys.readouterr().out
    assert "power laws through n = 1, 2, 3, 4" in printed
    share = next(one.share for one in relate(score(data, model="centre", out=tmp_path / "centre"), open_bounds(place)))
    assert f"{share:.0%}" in printed
    assert main(["bounds", "make", "--dataset", str(data), "--out", str(place), "--draws", "2"]) == 0


def test_what_is_no_folder_of_bounds_is_named(place, tmp_path, capsys):
    assert main(["bounds", "show", str(tmp_path)]) == 1
    assert "salbench bounds make" in capsys.readouterr().err
    (tmp_path / LIMIT).write_text(json.dumps({"sizes": [1], "limits": 3}))
    assert main(["bounds", "show", str(tmp_path)]) == 1
    assert LIMIT in capsys.readouterr().err
