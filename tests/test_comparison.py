"""Comparing runs: what is refused, and what a user is told."""

import csv
import json
import shutil

import numpy as np
import pytest
from resealed import reseal

from salbench.cli import main
from salbench.comparison import compare, rank
from salbench.errors import RunError, UsageError
from salbench.metrics import METRICS
from salbench.scoring.runner import score


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """Four models on the synthetic test split: one sees the ground truth, one knows nothing."""
    out = tmp_path_factory.mktemp("runs")
    keys = ["nss", "kl_divergence", "information_gain"]
    return {
        name: score("synthetic", model=name, metrics=keys, out=out / name).path
        for name in ("gold-standard", "centre", "chance")
    }


def test_the_better_model_is_named_by_each_metrics_direction(runs):
    """Catches a verdict that takes a higher KL for a better one."""
    found = {one.key: one for one in compare(runs["centre"], runs["gold-standard"]).metrics}
    assert found["nss"].difference.mean < 0 < found["kl_divergence"].difference.mean
    assert found["nss"].better == found["kl_divergence"].better == 1


def test_a_run_and_itself_differ_by_noise_only(runs):
    found = compare(runs["centre"], runs["centre"])
    assert [(one.difference.mean, one.better) for one in found.metrics] == [(0.0, None)] * 3


def test_p_is_corrected_for_the_number_of_metrics(runs):
    """Catches p-values that are adjusted for no, or for other, metrics: three of the smallest p make three times it."""
    found = compare(runs["centre"], runs["gold-standard"]).metrics
    alone = compare(runs["centre"], runs["gold-standard"], metrics=["nss"]).metrics[0]
    assert alone.adjusted == alone.difference.p
    smallest = min(one.difference.p for one in found)
    assert min(one.adjusted for one in found) == pytest.approx(3 * smallest)


def altered(run, folder, file, change):
    copy = shutil.copytree(run, folder)
    content = json.loads((copy / file).read_text())
    change(content)
    (copy / file).write_text(json.dumps(content))
    return copy


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda run: run["dataset"].update(key="synthetic-2"), "data set key synthetic and synthetic-2"),
        (lambda run: run["dataset"].update(split="val"), "data set split test and val"),
        (lambda run: run["protocol"].update(key="tuebingen"), "protocol key"),
        (lambda run: run["protocol"].update(blur_sigma=9.0), "protocol blur_sigma"),
        (lambda run: run["inputs"].update(fixations="0" * 64), "other fixations"),
        (lambda run: run["inputs"].update(maps="0" * 64), "other ground-truth maps"),
    ],
)
def test_runs_that_do_not_compare_are_refused(runs, tmp_path, change, words):
    """Catches pairs of scores that answer different questions: each decides what a score means."""
    other = altered(runs["chance"], tmp_path / "other", "run.json", change)
    with pytest.raises(RunError, match=words):
        compare(runs["centre"], other)
    with pytest.raises(RunError, match=words):
        rank([runs["centre"], runs["gold-standard"], other])


def test_runs_on_other_stimuli_are_refused(runs, tmp_path):
    """Catches rows that are paired by their place alone."""
    import pandas as pd

    copy = shutil.copytree(runs["chance"], tmp_path / "other")
    rows = pd.read_parquet(copy / "scores.parquet")
    rows.iloc[::-1].to_parquet(copy / "scores.parquet")
    with pytest.raises(RunError, match="other stimuli"):
        compare(runs["centre"], reseal(copy))


def test_another_ig_baseline_matters_to_ig_only(runs, tmp_path):
    """Catches runs that do not pair for a setting that none of the compared figures depends on."""
    other = altered(
        runs["chance"], tmp_path / "other", "run.json", lambda run: run["protocol"].update(ig_baseline="another")
    )
    assert [one.key for one in compare(runs["centre"], other, metrics=["nss"]).metrics] == ["nss"]
    with pytest.raises(RunError, match="ig_baseline"):
        compare(runs["centre"], other)
    plain = score("synthetic", model="chance", metrics=["nss"], out=tmp_path / "plain").path
    assert [one.key for one in compare(runs["centre"], plain).metrics] == ["nss"]


def with_nans(run, folder, places):
    """A copy of a run without values of NSS at some places, under a check sum that fits."""
    import pandas as pd

    copy = shutil.copytree(run, folder)
    rows = pd.read_parquet(copy / "scores.parquet")
    rows.loc[places, "nss"] = np.nan
    rows.to_parquet(copy / "scores.parquet")
    return reseal(copy)


def test_means_are_over_the_stimuli_that_both_have(runs, tmp_path, capsys):
    """Catches printed means whose difference is not the printed one: each run lost other stimuli."""
    one = with_nans(runs["centre"], tmp_path / "one", [0, 1, 2])
    two = with_nans(runs["chance"], tmp_path / "two", [3])
    (nss,) = compare(one, two, metrics=["nss"]).metrics
    assert nss.difference.n == 28
    assert nss.means[0] - nss.means[1] == pytest.approx(nss.difference.mean, abs=1e-12)
    assert main(["compare", str(one), str(two)]) == 0
    assert "over the n stimuli that both have" in capsys.readouterr().out


def test_a_ranking_of_too_few_stimuli_is_left_out(runs, tmp_path):
    """Catches a firm ranking of a single stimulus, and a metric that vanishes without a word."""
    few = with_nans(runs["centre"], tmp_path / "few", list(range(30)))
    found = rank([few, runs["chance"]], metrics=["nss", "kl_divergence"])
    assert [one.key for one in found.rankings] == ["kl_divergence"]
    assert "2 stimuli have a value" in found.left_out["nss"]


def test_rounding_is_no_difference(runs, tmp_path):
    """Catches a verdict about the sixteenth digit."""
    import pandas as pd

    copy = shutil.copytree(runs["centre"], tmp_path / "copy")
    rows = pd.read_parquet(copy / "scores.parquet")
    rows["nss"] *= 1 + 4e-16
    rows.to_parquet(copy / "scores.parquet")
    (nss,) = compare(reseal(copy), runs["centre"], metrics=["nss"]).metrics
    assert (nss.difference.mean, nss.difference.effect, nss.better) == (0.0, None, None)


@pytest.mark.parametrize(
    ("file", "damage", "words"),
    [
        ("scores.parquet", b"no parquet", "is not the file that the run wrote"),
        ("run.json", b"{}", "has no model"),
        ("run.json", b'{"model": []}', "model has no key"),
        ("summary.json", b'{"n": 1}', "has no errors"),
    ],
)
def test_damaged_runs_are_told_of(runs, tmp_path, capsys, file, damage, words):
    """Catches a traceback for a run folder that somebody edited."""
    copy = shutil.copytree(runs["centre"], tmp_path / "copy")
    (copy / file).write_bytes(damage)
    assert main(["compare", str(runs["centre"]), str(copy)]) == 1
    assert words in capsys.readouterr().err


def test_metrics_that_a_run_lacks(runs, tmp_path):
    plain = score("synthetic", model="chance", metrics=["nss"], out=tmp_path / "plain").path
    with pytest.raises(UsageError, match="'kl_divergence'"):
        compare(runs["centre"], plain, metrics=["kl_divergence"])
    with pytest.raises(UsageError, match="at least two"):
        rank([plain])
    with pytest.raises(UsageError, match="no metric"):
        compare(runs["centre"], plain, metrics=[])


def test_a_ranking_puts_the_ground_truth_first(runs):
    """Catches ranks by the wrong direction, for a metric of either."""
    for one in rank([runs["chance"], runs["gold-standard"], runs["centre"]]).rankings:
        assert one.stability.rank[1] == 1.0, one.key
        assert METRICS[one.key].higher_is_better or one.stability.first[1] == 1.0


def test_the_command_line_tells_both_and_writes_figures(runs, tmp_path, capsys):
    """Catches a verdict or a warning that is not printed, and figures that differ from those shown."""
    file = tmp_path / "figures.csv"
    assert main(["compare", str(runs["centre"]), str(runs["gold-standard"]), "-o", str(file)]) == 0
    shown = capsys.readouterr().out
    assert "A: Centre" in shown
    assert shown.count("B is better") >= 2
    rows = list(csv.DictReader(file.read_text().splitlines()))
    assert {row["metric"] for row in rows} == {"nss", "kl_divergence", "information_gain"}
    nss = next(row for row in rows if row["metric"] == "nss")
    assert np.isclose(float(nss["a"]) - float(nss["b"]), float(nss["difference"]))
    assert main(["compare", str(runs["centre"]), str(runs["centre"])]) == 0
    assert "3 of 3 differences are within the noise" in capsys.readouterr().out
    assert main(["compare", *map(str, runs.values())]) == 0
    assert "first in" in capsys.readouterr().out
    assert main(["compare", str(runs["centre"])]) == 2
