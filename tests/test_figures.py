"""Pictures of runs, and what they refuse."""

import json
import shutil

import numpy as np
import pytest
from PIL import Image

from salbench.cli import main
from salbench.errors import DataError, RunError, UsageError
from salbench.figures import stretch, write_level_sets, write_overlay
from salbench.run_pictures import draw_grid, draw_level_sets, draw_overlay, names_of
from salbench.scoring.run_folder import Run
from salbench.scoring.runner import score

BEGINNINGS = {"png": b"\x89PNG", "pdf": b"%PDF", "svg": b"<?xml"}


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    out = tmp_path_factory.mktemp("runs")
    options = {"split": "val", "metrics": ["nss"], "save_maps": True}
    return [score("synthetic", model=name, out=out / name, **options).path for name in ("centre", "gold-standard")]


def pixels(file):
    with Image.open(file) as picture:
        return np.asarray(picture.convert("RGB"), dtype=int)


@pytest.mark.parametrize("suffix", BEGINNINGS)
def test_the_suffix_is_the_format_and_the_same_picture_the_same_file(runs, tmp_path, suffix):
    """Catches a PNG by the name of a PDF, and dates or random names in a file that is to be compared."""
    drawings = {
        "grid": lambda file: draw_grid(file, runs, count=2),
        "overlay": lambda file: draw_overlay(file, runs, "val-0003"),
        "levels": lambda file: draw_level_sets(file, runs, "val-0003", window=(10, 10, 60, 40)),
    }
    for name, draw in drawings.items():
        first, again = tmp_path / f"{name}.{suffix}", tmp_path / f"{name}-again.{suffix}"
        draw(first)
        draw(again)
        assert first.read_bytes().startswith(BEGINNINGS[suffix]), name
        assert first.read_bytes() == again.read_bytes(), name


def test_a_grid_has_a_line_for_each_stimulus_that_is_named(runs, tmp_path):
    """Catches stimuli that are left out: twice as many lines make the picture twice as high."""
    draw_grid(tmp_path / "one.png", runs, stimuli=["val-0000"])
    draw_grid(tmp_path / "three.png", runs, stimuli=["val-0000", "val-0005", "val-0009"])
    one, three = (pixels(tmp_path / name) for name in ("one.png", "three.png"))
    assert three.shape[0] == 3 * one.shape[0]


def test_an_overlay_leaves_the_image_where_the_map_is_low(tmp_path):
    """Catches colours over the whole image: green pixels under a zero map stay green, those under its peak do not."""
    image = np.zeros((40, 60, 3), dtype=np.uint8)
    image[..., 1] = 200
    saliency = np.zeros((40, 60))
    saliency[:, 40:] = 1.0
    write_overlay(tmp_path / "o.png", image, [("map", saliency)])
    drawn = pixels(tmp_path / "o.png")
    green = (np.abs(drawn - [0, 200, 0]).max(axis=2) <= 3).sum()
    white = (drawn.min(axis=2) >= 250).sum()
    assert 0.6 < green / (drawn[..., 0].size - white) < 0.72


def test_level_sets_of_a_flat_map_are_drawn_without_lines(tmp_path):
    """Catches a warning or an error of the contours of a constant."""
    image = np.zeros((30, 40, 3), dtype=np.uint8)
    ramp = np.arange(1200.0).reshape(30, 40)
    write_level_sets(tmp_path / "l.png", image, [("flat", np.ones((30, 40))), ("ramp", ramp)])
    assert stretch(np.full((2, 2), 7.0)).tolist() == [[0.0, 0.0], [0.0, 0.0]]


@pytest.fixture
def odd(runs, tmp_path):
    """A function that gives a run, with a hostile title, whose map of val-0003 is another."""

    def made(values):
        run = shutil.copytree(runs[0], tmp_path / "odd")
        np.save(run / "maps" / "val-0003.npy", values)
        text = (run / "run.json").read_text()
        title = json.loads(text)["model"]["title"]
        (run / "run.json").write_text(text.replace(json.dumps(title), json.dumps("costs $5 \\frac $"), 1))
        return run

    return made


def test_a_small_map_has_level_sets_near_the_edge(odd, tmp_path):
    """Catches a window that has less than two rows of the map: matplotlib refuses it. And `$` read as mathematics."""
    run = odd(np.random.default_rng(0).random((4, 5)))
    draw_level_sets(tmp_path / "l.png", [run], "val-0003", window=(2, 98, 40, 10))
    assert (tmp_path / "l.png").exists()


def test_maps_with_infinite_and_undefined_values_are_drawn(odd, tmp_path):
    """Catches one infinite value that makes the whole picture empty: it is drawn as 0, the others over their range."""
    values = np.random.default_rng(0).random((108, 144))
    values[0, :3] = np.inf, -np.inf, np.nan
    run = odd(values)
    draw_overlay(tmp_path / "o.png", [run], "val-0003")
    draw_grid(tmp_path / "g.png", [run], stimuli=["val-0003"])
    draw_level_sets(tmp_path / "l.png", [run], "val-0003")
    assert stretch(np.array([[np.inf, -np.inf, np.nan, 1.0, 2.0, 3.0]])).tolist() == [[0, 0, 0, 0, 0.5, 1]]
    assert stretch(np.full((1, 2), np.nan)).tolist() == [[0, 0]]


def test_an_empty_map_is_refused_by_name(odd, tmp_path):
    """Catches a traceback for an array without a pixel."""
    run = odd(np.zeros((0, 5)))
    with pytest.raises(DataError, match=r"val-0003\.npy"):
        draw_overlay(tmp_path / "o.png", [run], "val-0003")


def test_a_grid_spreads_over_the_stimuli_that_all_runs_have(runs, tmp_path, monkeypatch):
    """Catches a grid that stops at a missing map, and one that leaves out the end of the split."""
    short = shutil.copytree(runs[0], tmp_path / "short")
    for number in (0, 8, 15):
        (short / "maps" / f"val-{number:04}.npy").unlink()
    drawn = []
    monkeypatch.setattr("salbench.run_pictures.stored_map", lambda run, one: drawn.append(one) or np.zeros((2, 2)))
    draw_grid(tmp_path / "g.png", [short], count=3)
    assert drawn == ["val-0001", "val-0007", "val-0014"]


def test_runs_differ_in_name_whatever_their_titles(runs, tmp_path):
    """Catches two models under one name, of which a picture then shows one twice."""
    places = [tmp_path / "s0" / "gan4", tmp_path / "s1" / "gan4"]
    copies = [Run(shutil.copytree(runs[0], place)) for place in places]
    assert names_of(copies) == ["Centre (s0/gan4)", "Centre (s1/gan4)"]
    assert names_of([copies[0], Run(runs[1])])[0] == "Centre"
    twice = names_of([copies[0], copies[0], copies[1]])
    assert twice == ["Centre (s0/gan4)", "Centre (s0/gan4) [2]", "Centre (s1/gan4)"]


def test_another_data_set_is_refused(runs, tmp_path):
    """Catches the images and fixations of one data set under the scores of another."""
    run = shutil.copytree(runs[0], tmp_path / "run")
    text = (run / "run.json").read_text()
    (run / "run.json").write_text(text.replace('"key": "synthetic"', '"key": "toronto"'))
    with pytest.raises(DataError, match="on toronto, not on synthetic"):
        draw_level_sets(tmp_path / "l.png", [run], "val-0003", dataset="synthetic")


@pytest.mark.parametrize("window", [(-1, 0, 5, 5), (0, 0, 500, 5), (0, 0, 1, 5)])
def test_a_window_outside_the_image_is_refused(runs, tmp_path, window):
    with pytest.raises(UsageError, match="does not lie within"):
        draw_level_sets(tmp_path / "l.png", runs, "val-0003", window=window)


def test_what_cannot_be_drawn_says_why(runs, tmp_path):
    """Catches a traceback for a wrong suffix, an unknown stimulus, runs without maps or of different splits."""
    with pytest.raises(UsageError, match=r"ends with \.png"):
        draw_grid(tmp_path / "g.jpg", runs)
    with pytest.raises(UsageError, match="near: val-000"):
        draw_overlay(tmp_path / "o.png", runs, "val-00003")
    bare = shutil.copytree(runs[0], tmp_path / "bare")
    shutil.rmtree(bare / "maps")
    with pytest.raises(DataError, match="--save-maps"):
        draw_grid(tmp_path / "g.png", [bare])
    other = score("synthetic", split="test", model="centre", metrics=["nss"], out=tmp_path / "other").path
    with pytest.raises(RunError, match="do not compare"):
        draw_grid(tmp_path / "g.png", [runs[0], other])


def test_the_command_line_draws_and_refuses(runs, tmp_path, capsys):
    """Catches options that are not handed on."""
    words = ["figure", "levelsets", *map(str, runs), "--stimulus", "val-0003", "-o", str(tmp_path / "l.svg")]
    assert main([*words, "--window", "0,0,40,40"]) == 0
    assert (tmp_path / "l.svg").exists()
    assert main([*words, "--window", "0,0,40"]) == 2
    assert "LEFT,TOP,WIDTH,HEIGHT" in capsys.readouterr().err
    assert main(["figure", "overlay", str(runs[0]), "--stimulus", "val-0003", "-o", str(tmp_path / "o.png")]) == 0
    assert main(["figure", "grid", str(runs[0]), "--stimuli", "val-0001", "-o", str(tmp_path / "g.png")]) == 0
