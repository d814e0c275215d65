"""What users do by mistake, and what they are told instead of a result that looks like one."""

import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from importlib.metadata import EntryPoint
from pathlib import Path
from typing import ClassVar

import numpy as np
import pytest

from salbench import models
from salbench.bounds import Bounds, relate
from salbench.cli import main
from salbench.datasets.dataset import Dataset
from salbench.datasets.synthetic import open_synthetic
from salbench.errors import UsageError
from salbench.models import ModelCard
from salbench.scoring.runner import score


@pytest.fixture(scope="module")
def run(tmp_path_factory) -> Path:
    out = tmp_path_factory.mktemp("runs") / "centre"
    return score("synthetic", split="val", model="centre", metrics=["nss"], out=out).path


def test_a_misspelt_viewer_among_others_is_told_of(tmp_path, capsys):
    """Catches figures of one viewer that are taken for those of two."""
    words = ["score", "--dataset", "synthetic", "--split", "val", "--model", "centre", "--metrics", "nss", "-j", "1"]
    viewer = some_viewer()
    assert main([*words, "--viewers", f"{viewer},typo", "--out", str(tmp_path / "run")]) == 0
    told = capsys.readouterr().err
    assert "no viewer 'typo' fixated anything in synthetic/val" in told
    assert f"no viewer {viewer!r}" not in told


def some_viewer() -> str:
    return next(iter(open_synthetic().stimuli("val")[0].fixations().by_viewer()))


@pytest.mark.parametrize("command", ["score", "predict"])
def test_weights_for_a_model_that_has_none_are_refused(tmp_path, capsys, command):
    """Catches a checkpoint recorded in a run that never read it."""
    (tmp_path / "w.safetensors").touch()
    words = ["--dataset", "synthetic", "--split", "val", "--model", "centre", "--out", str(tmp_path / "out")]
    assert main([command, *words, "--checkpoint", str(tmp_path / "w.safetensors")]) == 2
    assert "centre has no weights: leave the checkpoint out" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("name", "start"), [("t.tex", "\\begin{table}"), ("t.html", "<"), ("t.csv", "section"), ("t.md", ""), ("t", "")]
)
def test_a_table_has_the_form_that_its_files_name_says(run, tmp_path, name, start):
    """Catches Markdown in a .tex file; --format still decides where it is given."""
    assert main(["table", str(run), "-o", str(tmp_path / name)]) == 0
    text = (tmp_path / name).read_text()
    markdown = "| ---" in text or "|---" in text
    assert markdown is (not start)
    assert start in text
    assert main(["table", str(run), "--format", "markdown", "-o", str(tmp_path / name)]) == 0
    assert "|---" in (tmp_path / name).read_text().replace(" ", "")


def test_a_folder_of_somebody_elses_pages_is_no_place_for_a_report(run, tmp_path, capsys):
    """Catches a site's first page replaced by a report; a report of before is written anew."""
    (tmp_path / "site").mkdir()
    (tmp_path / "site" / "index.html").write_text("mine")
    assert main(["report", str(run), "-o", str(tmp_path / "site")]) == 1
    assert "site: exists and holds no report" in capsys.readouterr().err
    assert [path.name for path in (tmp_path / "site").rglob("*")] == ["index.html"]
    assert (tmp_path / "site" / "index.html").read_text() == "mine"
    for _ in range(2):
        assert main(["report", str(run), "-o", str(tmp_path / "own")]) == 0


def test_a_place_that_cannot_be_written_is_told_before_the_work(tmp_path, capsys, monkeypatch):
    """Catches an audit of hours whose figures go nowhere, and an error that names a file the user never heard of."""
    monkeypatch.setattr("salbench.audit.audit", lambda **_: pytest.fail("it was computed first"))
    (tmp_path / "file").touch()
    out = tmp_path / "file" / "a.csv"
    assert main(["audit", "--dataset", "synthetic", "--predictions", str(tmp_path), "-j", "1", "-o", str(out)]) == 1
    told = capsys.readouterr().err
    assert str(out) in told
    assert ".tmp" not in told


@pytest.mark.parametrize("command", ["score", "predict"])
def test_an_address_is_no_folder(tmp_path, monkeypatch, capsys, command):
    """Catches results in a folder called `s3:`, or an hour of work that ends in pyarrow's traceback."""
    monkeypatch.chdir(tmp_path)
    words = ["--dataset", "synthetic", "--split", "val", "--model", "centre", "-j", "1"]
    assert main([command, *words, "--out", "s3://bucket/run"]) == 2
    assert "'s3://bucket/run' is an address; wanted: a path of this machine" in capsys.readouterr().err
    with pytest.raises(UsageError, match="is an address"):
        score("synthetic", split="val", model="centre", out="s3://bucket/run")
    assert list(tmp_path.iterdir()) == []


def test_a_name_cannot_speak_to_the_terminal(tmp_path, capsys):
    """Catches escape sequences in an error, and a line that a stimulus makes of its own."""
    wicked = "evil\x1b]0;owned\x07\x1b[2J\nsalbench: all fine"
    (tmp_path / "images").mkdir()
    (tmp_path / "images" / f"{wicked}.png").write_text("no picture")
    main(
        ["predict", "--images", str(tmp_path / "images"), "--model", "centre", "-j", "1", "--out", str(tmp_path / "m")]
    )
    main(["score", "--dataset", "synthetic", "--model", wicked, "--out", str(tmp_path / "run")])
    told = capsys.readouterr()
    assert "evil" in told.err
    assert "\x1b" not in told.err + told.out
    assert not [line for line in (told.err + told.out).splitlines() if line.startswith("salbench: all fine")]


def test_metrics_as_one_text_are_told_apart_from_a_list(tmp_path):
    """Catches advice about a metric that is called 'n'."""
    with pytest.raises(ValueError, match=r"metrics is 'nss'; wanted: a list of keys, such as \['nss'\]"):
        score("synthetic", split="val", model="centre", metrics="nss", out=tmp_path / "run")


@dataclass(frozen=True)
class Settings:
    rate: float = 0.5
    steps: int = 3


class Trained:
    """A plugin as docs/plugins.md describes one with presets: their name is stored nowhere."""

    card = ModelCard(name="tuned", title="Tuned")
    config_class = Settings
    presets: ClassVar = {"fast": {"steps": 1}}

    def __init__(self, *, checkpoint=None, device=None):
        pass

    def predict(self, image):
        return np.zeros(image.shape[:2])

    @classmethod
    def train(cls, job, config):
        job.out.mkdir(parents=True, exist_ok=True)
        (job.out / "weights").write_text(json.dumps([config.rate, config.steps]))
        return job.out / "weights"


@pytest.mark.parametrize(
    ("options", "wanted"),
    [([], [0.5, 3]), (["--preset", "fast"], [0.5, 1]), (["--preset", "fast", "--steps", "7"], [0.5, 7])],
)
def test_a_plugin_with_presets_need_not_store_their_name(tmp_path, monkeypatch, options, wanted):
    """Catches `no option preset` for a plugin made by the book, and a preset that changes nothing."""
    entry = EntryPoint("tuned", f"{__name__}:Trained", models.ENTRY_POINT_GROUP)
    monkeypatch.setattr(models.Registry, "names", lambda self: ["tuned"])
    monkeypatch.setattr(models.Registry, "factory", lambda self, name: Trained if name == entry.name else None)
    out = tmp_path / "out"
    assert main(["train", "tuned", "--dataset", "synthetic", "--out", str(out), "-j", "1", *options]) == 0
    assert json.loads((out / "weights").read_text()) == wanted


@pytest.mark.skipif(sys.platform == "win32", reason="process groups and their signals are POSIX")
@pytest.mark.parametrize("seconds", [0.4, 0.8, 1.2])
def test_an_early_ctrl_c_is_one_line(tmp_path, seconds):
    """Catches tracebacks of the server of workers, which is hit by a terminal's Ctrl-C while it imports."""
    process = subprocess.Popen(
        [sys.executable, "-m", "salbench", "score", "--dataset", "synthetic", "--model", "centre", "-j", "2"],
        cwd=tmp_path,
        start_new_session=True,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    time.sleep(seconds)
    os.killpg(process.pid, signal.SIGINT)
    _, told = process.communicate(timeout=60)
    assert "Traceback" not in told
    assert process.returncode in (0, 130, -signal.SIGINT)


def test_few_stimuli_are_told_that_no_difference_can_pass(tmp_path, capsys):
    """Catches "within the noise" for differences that five stimuli with one voice could not have lifted out of it."""
    runs = []
    for model in ("centre", "chance"):
        few = Dataset("few", "Few", {"all": lambda: list(open_synthetic().stimuli("val"))[:5]}, "all")
        runs.append(str(score(few, model=model, out=tmp_path / model).path))
    assert main(["compare", *runs]) == 0
    assert "with 5 stimuli and 9 metrics p cannot be less than 0.56" in capsys.readouterr().out
    assert main(["compare", *runs, "--metrics", "nss"]) == 0
    assert "with 5 stimuli and 1 metrics p cannot be less than 0.062" in capsys.readouterr().out


def test_maps_that_leave_metrics_undefined_are_told_of(tmp_path, capsys):
    """Catches a whole run of maps that hold NaN, of which nothing but an n of 0 tells."""
    (tmp_path / "maps").mkdir()
    for one in open_synthetic().stimuli("val"):
        values = np.random.default_rng(0).random(one.size)
        values[0, 0] = np.nan
        np.save(tmp_path / "maps" / f"{one.id}.npy", values)
    words = ["--dataset", "synthetic", "--split", "val", "--predictions", str(tmp_path / "maps"), "-j", "1"]
    assert main(["score", *words, "--metrics", "auc_judd,nss,cc", "--out", str(tmp_path / "run")]) == 0
    assert (
        "NSS, CC: undefined for 16 stimuli with fixations: their maps are constant or hold NaN"
        in capsys.readouterr().out
    )


@pytest.mark.parametrize("lower", ["humans", "gold-standard"])
def test_an_upper_bound_is_no_lower_one(tmp_path, lower):
    """Catches a gain of 47307 per cent."""
    few = Dataset("few", "Few", {"all": lambda: list(open_synthetic().stimuli("val"))[:5]}, "all")
    runs = {name: score(few, model=name, metrics=["nss"], out=tmp_path / name) for name in ("centre-prior", lower)}
    with pytest.raises(UsageError, match=f"{lower} is an upper bound"):
        list(relate(runs["centre-prior"], Bounds(runs, (), {}), lower=lower))


LOST = """
import os, signal, sys, time
from salbench import cli

wish = int(sys.argv[1])

class Last:
    def __del__(self):
        os.kill(os.getpid(), wish)
        time.sleep(0.01)

def main():
    last = Last()
    del last
    try:
        time.sleep(30)
    except KeyboardInterrupt:
        return 130
    return 0

cli.main = main
cli.run()
"""


@pytest.mark.skipif(sys.platform == "win32", reason="SIGTERM ends a process there without asking it")
@pytest.mark.parametrize("wish", [signal.SIGTERM, signal.SIGINT])
def test_a_wish_to_end_is_not_lost_in_a_destructor(wish):
    """Catches a command that goes on after SIGTERM or Ctrl-C, with a traceback: it came where Python passes over
    exceptions, such as in threadpoolctl's look at loaded libraries.
    """
    words = [sys.executable, "-c", LOST, str(int(wish))]
    done = subprocess.run(words, capture_output=True, text=True, timeout=25, check=False)
    assert (done.returncode, done.stderr) == (128 + wish, "")
