"""The report in a real browser: what it shows, what a reader can do with it, and what it says of what is missing."""

import json
import shutil

import numpy as np
import pandas as pd
import pytest

from salbench.cli import main
from salbench.errors import RunError, UsageError
from salbench.metrics import auc_judd
from salbench.report import write_report
from salbench.report.drawings import GRID, distributions, roc_curve
from salbench.report.thumbnails import SIDE, fixation_dots, level_sets, small_size
from salbench.scoring.runner import score

from .conftest import DESKTOP, PHONE

NASTY = "</script><img src=x onerror=alert(1)> & 'x'"


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    out = tmp_path_factory.mktemp("runs")
    options = {"metrics": ["nss", "auc_judd", "kl_divergence"], "save_maps": True}
    names = {"centre": NASTY, "gold-standard": None}
    return [score("synthetic", model=m, name=name, out=out / m, **options).path for m, name in names.items()]


@pytest.fixture(scope="module")
def page(runs, tmp_path_factory):
    return write_report(runs, tmp_path_factory.mktemp("report") / "report.html").page


@pytest.fixture(scope="module")
def folder(runs, tmp_path_factory):
    return write_report(runs, tmp_path_factory.mktemp("report") / "folder").page


def cards(opened):
    return opened.page.locator("#cards .card h3").all_inner_texts()


def by_worth(run, key, *, best):
    rows = pd.read_parquet(run / "scores.parquet")
    return rows.sort_values(key, ascending=not best, kind="stable")["stimulus"].tolist()


def test_the_summary_says_what_the_runs_say(open_page, page, runs):
    """Catches a mean or interval that is not the run's, or under another model."""
    table = open_page(page).page.locator("table")
    line = table.locator("tr", has_text="NSS").locator("td").all_inner_texts()
    for run, text in zip(runs, line, strict=False):
        figures = json.loads((run / "summary.json").read_text())["metrics"]["nss"]
        assert text.split() == [f"{figures['mean']:.4f}", f"[{figures['ci_low']:.4f},", f"{figures['ci_high']:.4f}]"]
    difference = float(line[2].split()[0])
    means = [json.loads((run / "summary.json").read_text())["metrics"]["nss"]["mean"] for run in runs]
    assert difference == pytest.approx(means[1] - means[0], abs=1e-3)


def test_worst_and_best_stimuli_come_first_by_the_metrics_direction(open_page, page, runs):
    """Catches KL's best taken for its worst, an order by name, and stimuli that are lost behind the first page."""
    opened = open_page(page)
    assert cards(opened) == by_worth(runs[1], "nss", best=False)[:12]
    opened.page.locator("#order-metric").select_option(label="KL ↓")
    opened.page.locator("#order-run").select_option("0")
    opened.page.locator("#direction").select_option("best")
    assert cards(opened) == by_worth(runs[0], "kl_divergence", best=False)[:12]
    opened.page.locator("#more").click()
    opened.page.locator("#more").click()
    assert sorted(cards(opened)) == sorted(by_worth(runs[0], "nss", best=True))
    assert opened.page.locator("#shown").inner_text() == "32 of 32 stimuli shown"


def test_a_stimulus_is_found_by_name_and_opened(open_page, page, runs):
    """Catches a search that finds nothing, and a picture that does not open, or not by the keyboard."""
    opened = open_page(page)
    worst = by_worth(runs[1], "nss", best=False)[0]
    opened.page.locator("#find").fill(worst)
    assert cards(opened) == [worst]
    opened.page.locator("#cards button.picture").first.focus()
    opened.page.keyboard.press("Enter")
    assert opened.page.locator("#zoom").is_visible()
    assert opened.page.locator("#zoom-title").inner_text() == f"{worst}: image"
    opened.page.keyboard.press("ArrowRight")
    assert opened.page.locator("#zoom-title").inner_text() == f"{worst}: ground truth"
    loaded = "[...document.querySelectorAll('#zoomed img')].every(i => i.complete && i.naturalWidth > 0)"
    opened.page.wait_for_function(loaded)
    opened.page.keyboard.press("Escape")
    assert not opened.page.locator("#zoom").is_visible()


def test_a_dot_of_the_scatter_opens_its_stimulus(open_page, page):
    """Catches dots that lie elsewhere than their scores, or open another stimulus."""
    opened = open_page(page)
    dots = opened.page.locator("#scatter circle.dot")
    assert dots.count() == 32
    data = json.loads(opened.page.locator("#data").inner_text())
    place = int(dots.nth(5).get_attribute("data-place"))
    scores = data["scores"][data["primary"]]
    span = [min(min(row) for row in scores), max(max(row) for row in scores)]
    wanted = (scores[0][place] - span[0]) / (span[1] - span[0]) * 320
    assert float(dots.nth(5).get_attribute("cx")) == pytest.approx(wanted, abs=0.1)
    dots.nth(5).dispatch_event("click")
    assert opened.page.locator("#zoom-title").inner_text().startswith(data["stimuli"][place])


def test_fixations_and_level_sets_are_switched(open_page, page):
    """Catches buttons that do nothing."""
    opened = open_page(page)
    dots, lines = (opened.page.locator(f"#cards img.{kind}").first for kind in ("fixations", "levels"))
    assert (dots.is_visible(), lines.is_visible()) == (True, False)
    opened.page.locator("#fixations").click()
    opened.page.locator("#levels").click()
    assert (dots.is_visible(), lines.is_visible()) == (False, True)


def test_the_folder_has_pictures_of_all_stimuli_and_loads_them_when_seen(open_page, folder):
    """Catches a page that loads thousands of pictures at once."""
    opened = open_page(folder)
    opened.page.wait_for_load_state("networkidle")
    assert len(list(folder.parent.rglob("*-image.jpg"))) == 32
    unseen = opened.page.locator("#cards img[loading=lazy]")
    assert unseen.count() == opened.page.locator("#cards img").count() > 0
    opened.page.locator("#cards .card").last.scroll_into_view_if_needed()
    opened.page.wait_for_function("document.querySelector('#cards .card:last-child img').naturalWidth > 0")


def test_hostile_names_are_text(open_page, page):
    """Catches a model's name that becomes an element, in the page, a drawing or the data."""
    opened = open_page(page)
    assert NASTY in opened.page.locator("h1").inner_text()
    assert opened.page.locator("img[src=x]").count() == 0
    assert opened.page.locator(".drawing .name", has_text="</script>").count() == 3


@pytest.mark.parametrize("size", [DESKTOP, PHONE])
@pytest.mark.parametrize("dark", [False, True])
def test_it_fits_desktop_and_phone(open_page, page, size, dark):
    assert not open_page(page, size, dark=dark).scrolls_sideways()


def test_five_thousand_stimuli_stay_usable(open_page, runs, tmp_path):
    """Catches a page that builds every card at once: it has to answer within seconds."""

    big = shutil.copytree(runs[0], tmp_path / "big")
    rows = pd.read_parquet(big / "scores.parquet")
    many = pd.concat([rows] * 157, ignore_index=True).iloc[:5000]
    many["stimulus"] = [f"s{number:05}" for number in range(5000)]
    many.to_parquet(big / "scores.parquet")
    opened = open_page(write_report([big], tmp_path / "big.html").page)
    assert opened.page.locator("#cards .card").count() == 12
    opened.page.locator("#find").fill("s04999")
    assert cards(opened) == ["s04999"]
    assert "No pictures: the data set at hand has other stimuli" in opened.page.locator("header").inner_text()


def test_what_is_missing_is_said(runs, tmp_path):
    """Catches a report that stops at a missing map or data set, or hides that something is missing."""
    bare = shutil.copytree(runs[0], tmp_path / "bare")
    next(iter(sorted((bare / "maps").glob("*.npy")))).write_bytes(b"no array")
    made = write_report([bare], tmp_path / "folder")
    assert made.drawn == 32
    assert len(made.lost) == 1
    shutil.rmtree(bare / "maps")
    assert write_report([bare], tmp_path / "r.html").lost == ()
    with pytest.raises(UsageError, match="at least one"):
        write_report([], tmp_path / "r.html")
    other = score("synthetic", split="val", model="centre", metrics=["nss"], out=tmp_path / "other").path
    with pytest.raises(RunError, match="do not compare"):
        write_report([runs[0], other], tmp_path / "r.html")


def test_the_command_writes_it(runs, tmp_path, capsys):
    assert main(["report", *map(str, runs), "-o", str(tmp_path / "r.html")]) == 0
    assert "pictures of" in capsys.readouterr().out


# Drawings


def test_the_area_under_the_curve_is_the_metrics(runs):
    """Catches thresholds that AUC-Judd does not have: the areas agree but for its jitter and the grid's steps."""
    rng = np.random.default_rng(0)
    saliency, fixated = rng.random((60, 80)), np.zeros((60, 80), dtype=bool)
    fixated.ravel()[np.argsort(saliency.ravel())[-2000::40]] = True
    curve = roc_curve(saliency, fixated)
    assert np.trapezoid(curve, GRID) == pytest.approx(auc_judd(saliency, fixated), abs=2e-3)
    assert (curve[0], curve[-1]) == (pytest.approx(0, abs=0.1), 1.0)
    assert np.isnan(roc_curve(saliency, np.zeros((60, 80), dtype=bool))).all()


def test_a_histogram_leaves_undefined_values_out():
    """Catches NaN in a drawing, and a column without any value."""
    drawing = distributions({"a": np.array([1.0, np.nan, 2.0]), "b": np.array([np.nan, np.nan, np.nan])})
    assert "nan" not in drawing.replace("mean nan", "")
    assert "mean 1.5 over 2 stimuli" in drawing
    assert "No value" in distributions({"a": np.array([np.nan])})
    assert "<svg" in distributions({"a": np.array([3.0])})


def test_small_pictures_keep_proportions_and_dots_their_places():
    """Catches dots that are off by the thumbnail's scale: the middle of the image is the middle of the picture."""
    assert small_size(600, 800) == (240, SIDE)
    assert small_size(40, 30) == (40, 30)
    assert b'cx="160.2" cy="120.2"' in fixation_dots(np.array([[300, 400]]), (600, 800))
    ramp = level_sets(np.add.outer(np.arange(600.0), np.zeros(800)), (600, 800))
    assert ramp.count(b"<path") == 6
    assert level_sets(np.ones((5, 5)), (5, 5)).count(b"<path") == 0
