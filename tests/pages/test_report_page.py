"""The report in a real browser: what it shows, what a reader can do with it, and what it says of what is missing."""

import io
import json
import re
import shutil
from importlib.resources import files

import numpy as np
import pandas as pd
import pytest
from PIL import Image
from resealed import reseal

from salbench.cli import main
from salbench.datasets.stimulus import Fixations, Stimulus
from salbench.errors import DataError, RunError, UsageError
from salbench.metrics import auc_judd
from salbench.progress import Silent
from salbench.report import write_report
from salbench.report.drawings import COLOURS, colour_of, distributions, roc_drawing
from salbench.report.pictures import draw
from salbench.report.roc import GRID, mean_roc, roc_curve
from salbench.report.thumbnails import SIDE, fixation_dots, level_sets, small_size
from salbench.run_pictures import draw_overlay
from salbench.run_stimuli import stimuli_of
from salbench.scoring.run_folder import Run
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
    assert opened.page.locator("#zoom button").all_inner_texts() == ["Previous", "Next", "Close"]
    for caption in ("ground truth", NASTY, "Gold standard", "image", "ground truth"):
        opened.page.keyboard.press("ArrowRight")
        assert opened.page.locator("#zoom-title").inner_text() == f"{worst}: {caption}"
    opened.page.locator("#zoomed .picture").click()
    opened.page.keyboard.press("ArrowLeft")
    assert opened.page.locator("#zoom-title").inner_text() == f"{worst}: image"
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


def test_the_scatter_is_one_stop_and_the_arrows_walk_along_it(open_page, page):
    """Catches dots that only a mouse reaches, 32 stops of the tab key, and an order that jumps about."""
    opened = open_page(page)
    assert opened.page.locator("#scatter [tabindex='0']").count() == 1
    opened.page.locator("#y-metric").focus()
    opened.page.keyboard.press("Tab")
    at = "parseFloat(document.activeElement.getAttribute('cx'))"
    walked = [opened.page.evaluate(at)]
    for _ in range(31):
        opened.page.keyboard.press("ArrowRight")
        walked.append(opened.page.evaluate(at))
    assert walked == sorted(walked)
    assert len(set(walked)) > 10
    assert (walked[0], walked[-1]) == (min(walked), max(walked))
    name = opened.page.evaluate("document.activeElement.getAttribute('aria-label')").split(":")[0]
    assert opened.page.locator("#pointed").inner_text().startswith(f"{name}:")
    opened.page.keyboard.press("Enter")
    assert opened.page.locator("#zoom-title").inner_text().startswith(name)


def test_show_more_hands_its_focus_on(open_page, page):
    """Catches a reader thrown back to the top of the page when the button hides."""
    opened = open_page(page)
    for _ in range(2):
        opened.page.locator("#more").focus()
        opened.page.keyboard.press("Enter")
    assert not opened.page.locator("#more").is_visible()
    place = "[...document.querySelectorAll('#cards .card')].indexOf(document.activeElement)"
    assert opened.page.evaluate(place) == 24


def test_pictures_keep_their_place_before_they_are_loaded(open_page, page):
    """Catches pictures without width and height, and drawings that a screen reader has no name for."""
    opened = open_page(page)
    assert opened.page.locator("#cards img:not([width][height])").count() == 0
    assert opened.page.locator("svg[role=img]").count() == 4
    assert opened.page.locator("svg[role=img]:not([aria-label])").count() == 0


def test_the_ground_truth_is_marked_and_never_the_best(open_page, page):
    """Catches a bound that wins the summary, and a mark that nothing explains."""
    table = open_page(page).page.locator("section[aria-labelledby=summary]")
    assert table.locator("thead th").nth(2).inner_text().split() == ["Gold", "standard", "†"]
    assert table.locator(".best").count() == 0
    assert "†: uses the ground truth" in table.locator("li").inner_text()


def test_fixations_and_level_sets_are_switched(open_page, page):
    """Catches buttons that do nothing."""
    opened = open_page(page)
    dots, lines = (opened.page.locator(f"#cards img.{kind}").first for kind in ("fixations", "levels"))
    assert (dots.is_visible(), lines.is_visible()) == (True, False)
    opened.page.locator("#fixations").click()
    colour = "e => getComputedStyle(e).backgroundColor"
    off = opened.page.locator("#levels").evaluate(colour)
    opened.page.locator("#levels").click()
    assert opened.page.locator("#levels").evaluate(colour) != off == opened.page.locator("#fixations").evaluate(colour)
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
    opened = open_page(write_report([reseal(big)], tmp_path / "big.html").page)
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
    drawing = distributions("NSS", [("a", np.array([1.0, np.nan, 2.0])), ("b", np.array([np.nan, np.nan, np.nan]))])
    assert "nan" not in drawing
    assert "aria-label='NSS: a, mean 1.5 over 2 stimuli; b, no value is defined'" in drawing
    assert ">no value is defined</text>" in drawing
    assert "No value" in distributions("NSS", [("a", np.array([np.nan]))])


@pytest.mark.parametrize("values", [[3.0], [0.1, np.nextafter(0.1, 1)], [1e17, 1e17 + 16], [-5.0, -5.0]])
def test_scores_that_are_nearly_the_same_are_drawn(values):
    """Catches "Too many bins": between two neighbouring numbers there is no room for thirty."""
    assert distributions("NSS", [("a", np.array(values))]).count("<rect") == 1


def test_namesakes_are_both_drawn():
    """Catches a drawing that is keyed by name, where the second model takes the first one's place."""
    drawing = distributions("NSS", [("a", np.array([1.0, 2.0])), ("a", np.array([3.0, 4.0]))])
    assert drawing.count("<g ") == 2
    curve = GRID.copy()
    assert roc_drawing([("a", curve), ("a", curve)]).count("<polyline") == 2


def test_a_curve_has_its_own_models_colour():
    """Catches colours given by the place among the curves: a model without maps came first and gave away its own."""
    drawing = roc_drawing([("none", None), ("b", GRID.copy())])
    assert f"stroke='{colour_of(1)}'" in drawing
    assert colour_of(0) not in drawing


def luminance(colour):
    parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return np.dot([0.2126, 0.7152, 0.0722], linear)


def contrast(one, other):
    low, high = sorted([luminance(one), luminance(other)])
    return (high + 0.05) / (low + 0.05)


def test_lines_and_models_stand_out_from_both_papers():
    """Catches colours below WCAG's 3:1 for graphics, on white or on the dark paper."""
    style = (files("salbench.pages") / "templates" / "base.css").read_text()
    papers = re.search(r"--paper: light-dark\((#\w+), (#\w+)\)", style).groups()
    edge = re.search(r"--edge: (#\w+)", style).group(1)
    assert [c for c in (*COLOURS, edge) for paper in papers if contrast(c, paper) < 3] == []
    assert "border: 1px solid var(--edge)" in style


def test_a_mean_curve_is_over_stimuli_that_all_models_have(runs, tmp_path):
    """Catches models averaged over different stimuli, rows with an error, and a map of another size left out."""
    centre, gold = (Run(shutil.copytree(run, tmp_path / run.name)) for run in runs)
    stimuli = stimuli_of(centre)
    first, second, third, fourth = (stimulus.id for stimulus in list(stimuli)[:4])
    (centre.path / "maps" / f"{first}.npy").unlink()
    np.save(gold.path / "maps" / f"{second}.npy", np.full(stimuli[1].size, np.inf))
    gold.scores.loc[2, "error"] = f"{third}: broken"
    np.save(gold.path / "maps" / f"{fourth}.npy", np.arange(48.0).reshape(6, 8))
    bare = Run(shutil.copytree(runs[0], tmp_path / "bare"))
    shutil.rmtree(bare.path / "maps")
    roc = mean_roc([bare, centre, gold], stimuli, Silent())
    assert roc.n == 29
    assert roc.curves[0] is None
    own = [np.load(centre.path / "maps" / f"{one.id}.npy") for one in stimuli[3:]]
    wanted = np.mean([roc_curve(m, one.fixation_map()) for m, one in zip(own, stimuli[3:], strict=True)], axis=0)
    np.testing.assert_allclose(roc.curves[1], wanted)
    assert mean_roc([centre], stimuli, Silent(), most=5).n == 5
    assert mean_roc([bare], stimuli, Silent()) is None


def test_a_folders_page_has_larger_pictures_for_the_zoom(runs):
    """Catches a thumbnail that is stretched over the screen, and large pictures where there is no more to see."""
    image = np.zeros((900, 1600, 3), dtype=np.uint8)
    big = Stimulus("big", (900, 1600), lambda: image, lambda: Fixations.of_one_viewer([5.0], [5.0]))
    run = Run(runs[0])
    made = draw([run], ["a"], big, large=True).files
    with Image.open(io.BytesIO(made["image-large.jpg"])) as large, Image.open(io.BytesIO(made["image.jpg"])) as small:
        assert (large.size, small.size) == ((1200, 675), (320, 180))
    assert "truth-large.jpg" in made
    assert not any("large" in name for name in draw([run], ["a"], big).files)
    assert not any("large" in name for name in draw([run], ["a"], stimuli_of(run)[0], large=True).files)


def test_odd_names_in_folders_and_fixations_that_changed(open_page, tmp_path):
    """Catches stimuli of subfolders or with quotes that are lost, and another ground truth under a run's scores."""
    name = """sub/it's "x" & <b>"""
    (tmp_path / "data" / "images" / "sub").mkdir(parents=True)
    (tmp_path / "data" / "fixations" / "sub").mkdir(parents=True)
    pixels = np.random.default_rng(0).integers(0, 255, (40, 60, 3), dtype=np.uint8)
    for one in (name, "plain"):
        Image.fromarray(pixels).save(tmp_path / "data" / "images" / f"{one}.png")
        (tmp_path / "data" / "fixations" / f"{one}.csv").write_text("x,y\n30,20\n12,7\n")
    data = tmp_path / "data"
    run = score(data, model="centre", metrics=["nss"], save_maps=True, out=tmp_path / "run").path
    made = write_report([run], tmp_path / "report", dataset=data)
    assert (made.drawn, made.lost) == (2, ())
    opened = open_page(made.page)
    opened.page.locator("#find").fill("it's")
    assert cards(opened) == [name]
    opened.page.wait_for_function("document.querySelector('#cards img').naturalWidth > 0")
    (data / "fixations" / "plain.csv").write_text("x,y\n30,21\n12,7\n")
    with pytest.raises(DataError, match="fixations are not those"):
        write_report([run], tmp_path / "report", dataset=data)
    with pytest.raises(DataError, match="fixations are not those"):
        draw_overlay(tmp_path / "o.png", [run], name, dataset=data)
    draw_overlay(tmp_path / "o.png", [run], name, fixations=False, dataset=data)


def test_small_pictures_keep_proportions_and_dots_their_places():
    """Catches dots that are off by the thumbnail's scale: the middle of the image is the middle of the picture."""
    assert small_size(600, 800) == (240, SIDE)
    assert small_size(40, 30) == (40, 30)
    assert b'cx="157.5" cy="0.2"' in fixation_dots(np.array([[0, 3150]]), (3, 6400))
    assert b'cx="160.2" cy="120.2"' in fixation_dots(np.array([[300, 400]]), (600, 800))
    ramp = level_sets(np.add.outer(np.arange(600.0), np.zeros(800)), (600, 800))
    assert ramp.count(b"<path") == 6
    assert level_sets(np.ones((5, 5)), (5, 5)).count(b"<path") == 0
