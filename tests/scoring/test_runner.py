"""The runner: rows, errors, independence of workers, continuing what was interrupted."""

import errno
import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from small_sets import make_maps, make_set

from salbench import metrics
from salbench.datasets.folder import open_folder
from salbench.errors import DataError, RunError, UsageError
from salbench.image_files import read_map
from salbench.locks import held
from salbench.maps import mit_density
from salbench.models import ModelCard
from salbench.scoring.run_folder import RunFolder, open_run
from salbench.scoring.runner import score
from salbench.scoring.stimulus_score import ModelSource


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return make_set(tmp_path / "set")


@pytest.fixture
def maps(tmp_path: Path) -> Path:
    return make_maps(tmp_path / "maps", sizes={1: (15, 11)})


@pytest.mark.parametrize("protocol", ["mit300", "salicon2015", "tuebingen"])
def test_the_order_of_stimuli_changes_no_row(tmp_path, protocol):
    """Catches draws of other images by their place in the split, and sums that depend on the order."""
    data, maps = make_set(tmp_path / "set", fixations=60), make_maps(tmp_path / "maps")
    opened = open_folder(data)
    listed = list(opened.stimuli())
    shuffled = replace(opened, splits={"all": lambda: [listed[place] for place in (3, 0, 5, 1, 4, 2)]})
    rows = score(opened, predictions=maps, protocol=protocol, out=tmp_path / "run").scores
    again = score(shuffled, predictions=maps, protocol=protocol, out=tmp_path / "again").scores
    assert again["stimulus"].tolist() != rows["stimulus"].tolist()
    assert again.set_index("stimulus").loc[rows["stimulus"]].equals(rows.set_index("stimulus"))
    density = score(opened, model="gold-standard-cv", protocol="tuebingen", out=tmp_path / "cv").scores
    other = score(shuffled, model="gold-standard-cv", protocol="tuebingen", out=tmp_path / "cv again").scores
    assert other.set_index("stimulus").loc[rows["stimulus"]].equals(density.set_index("stimulus"))


def test_the_gold_standard_is_the_ground_truth_under_every_protocol(tmp_path):
    """Catches repeats that count in the ground truth and not in the bound: SIM would not reach 1."""
    data = make_set(tmp_path / "set", fixations=90)
    for protocol in ("mit300", "tuebingen"):
        run = score(data, model="gold-standard", protocol=protocol, metrics=["sim", "cc"], out=tmp_path / protocol)
        assert run.scores["sim"].to_numpy() == pytest.approx(np.ones(6), abs=1e-12), protocol


def test_a_split_that_lists_a_stimulus_twice_is_refused(data, maps, tmp_path):
    opened = open_folder(data)
    twice = replace(opened, splits={"all": lambda: [*opened.stimuli(), opened.stimuli()[0]]})
    with pytest.raises(DataError, match="'s0' more than once"):
        score(twice, predictions=maps, out=tmp_path / "run")


def test_a_long_name_of_the_temporary_folder_costs_only_time(data, maps, tmp_path):
    """Catches the socket of the workers' server, whose path a system limits to about a hundred characters."""
    long = tmp_path / ("t" * 120)
    long.mkdir()
    words = command(
        "--dataset", data, "--predictions", maps, "--metrics", "nss", "--jobs", 2, "--out", tmp_path / "run"
    )
    done = subprocess.run(words, env={**os.environ, "TMPDIR": str(long)}, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert not list(long.iterdir())


def test_an_end_asked_for_leaves_nothing_behind(data, maps, tmp_path):
    """Catches scratch folders in the way of the next job: a scheduler ends one by SIGTERM."""
    words = command("--dataset", "synthetic", "--model", "humans", "--jobs", 2, "--out", tmp_path / "run")
    environment = {**os.environ, "TMPDIR": str(tmp_path), "SALBENCH_CACHE": ""}
    process = subprocess.Popen(words, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    shards = tmp_path / "run" / "shards"
    while process.poll() is None and not (shards.is_dir() and any(shards.iterdir())):
        time.sleep(0.05)
    process.terminate()
    assert process.wait(timeout=60) == 128 + signal.SIGTERM
    assert not [path for path in tmp_path.iterdir() if path.name.startswith("salbench-")]


def test_an_end_asked_for_within_a_stimulus_costs_no_row(tmp_path):
    """Catches SIGTERM taken for a model's own sys.exit: it would become the row's error, and the run would go on."""
    data = make_set(tmp_path / "set", fixations=20)
    package = tmp_path / "asking-1.dist-info"
    package.mkdir()
    (package / "METADATA").write_text("Metadata-Version: 2.1\nName: asking\nVersion: 1\n")
    (package / "entry_points.txt").write_text("[salbench.models]\nasking = asking:Asking\n")
    (tmp_path / "asking.py").write_text(
        "import os, signal\n"
        "from salbench.models import ModelCard\n"
        "class Asking:\n"
        "    card = ModelCard(name='asking', title='Asking', description='wants its process ended')\n"
        "    def __init__(self, *, checkpoint=None, device=None): pass\n"
        "    def predict(self, image):\n"
        "        os.kill(os.getpid(), signal.SIGTERM)\n"
        "        return image.mean(axis=2)\n"
    )
    run = tmp_path / "run"
    words = command("--dataset", data, "--model", "asking", "--metrics", "nss", "--jobs", 1, "--out", run)
    environment = {**os.environ, "PYTHONPATH": str(tmp_path)}
    done = subprocess.run(words, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 128 + signal.SIGTERM, done.stderr
    assert run.is_dir(), done.stderr
    assert not (run / "scores.parquet").exists()


def command(*arguments: object) -> list[str]:
    return [sys.executable, "-m", "salbench", "score", *map(str, arguments)]


def test_scores_without_random_draws_are_those_of_the_metric_functions(data, maps, tmp_path):
    """Catches a runner that hands a metric the wrong map, ground truth or size (the second map must be resized)."""
    run = score(data, predictions=maps, out=tmp_path / "run")
    for stimulus, (_, row) in zip(open_folder(data).stimuli(), run.scores.iterrows(), strict=True):
        saliency, fixated = read_map(maps / f"{stimulus.id}.png"), stimulus.fixation_map()
        density = mit_density(fixated)
        assert row["stimulus"] == stimulus.id
        assert row["nss"] == pytest.approx(metrics.nss(saliency, fixated), abs=1e-12)
        for key in ("cc", "sim", "kl_divergence", "emd"):
            assert row[key] == pytest.approx(metrics.METRICS[key].function(saliency, density), abs=1e-12), key


def test_information_gain_is_against_the_blurred_fixations_of_all_other_images(data, maps, tmp_path):
    run = score(data, predictions=maps, metrics=["information_gain"], out=tmp_path / "run")
    stimuli = open_folder(data).stimuli()
    first, third = stimuli[0], stimuli[2]
    counts = np.zeros(first.size)
    for other in stimuli[1:]:
        rows, columns = np.nonzero(other.fixation_map())
        height, width = other.size
        for row, column in zip(rows, columns, strict=True):
            counts[int((row + 0.5) * first.size[0] / height), int((column + 0.5) * first.size[1] / width)] += 1
    expected = metrics.information_gain(read_map(maps / "s0.png"), first.fixation_map(), mit_density(counts))
    assert run.scores["information_gain"][0] == pytest.approx(expected, abs=1e-9)
    assert third.size == first.size


def test_the_centre_prior_gains_nothing_over_itself(data, tmp_path):
    run = score(data, model="centre-prior", metrics=["information_gain"], out=tmp_path / "run")
    assert (run.scores["information_gain"] == 0).all()


def test_a_tiny_density_scores_the_same_auc_judd_as_the_same_map_scaled_up(data, maps, tmp_path):
    """Catches jitter drowning a density: values that sum to 1 are no larger than the jitter."""
    tiny = tmp_path / "tiny"
    tiny.mkdir()
    for path in maps.iterdir():
        np.save(tiny / f"{path.stem}.npy", read_map(path).astype(float) * 2.0**-60)
    runs = [
        score(data, predictions=folder, metrics=["auc_judd"], out=tmp_path / folder.name / "run")
        for folder in (maps, tiny)
    ]
    assert runs[0].scores["auc_judd"].tolist() == pytest.approx(runs[1].scores["auc_judd"].tolist(), abs=1e-12)


def test_scores_are_bit_identical_for_one_and_two_workers_and_any_order(data, maps, tmp_path):
    for jobs in (1, 2):
        subprocess.run(
            command("--dataset", data, "--predictions", maps, "--jobs", jobs, "--out", tmp_path / f"run{jobs}"),
            check=True,
        )
    assert (tmp_path / "run1/scores.parquet").read_bytes() == (tmp_path / "run2/scores.parquet").read_bytes()
    assert (tmp_path / "run1/summary.json").read_bytes() == (tmp_path / "run2/summary.json").read_bytes()


def test_another_seed_changes_only_the_metrics_that_draw(data, maps, tmp_path):
    first, second = (score(data, predictions=maps, seed=seed, out=tmp_path / f"run{seed}").scores for seed in (0, 1))
    same = {key for key in metrics.MAP_METRICS if first[key].equals(second[key])}
    assert same == set(metrics.MAP_METRICS) - {"auc_judd", "auc_borji", "auc_shuffled"}


def test_a_bad_map_and_a_missing_one_cost_only_their_own_rows(data, maps, tmp_path):
    reference = score(data, predictions=maps, out=tmp_path / "whole").scores
    (maps / "s2.png").write_bytes((maps / "s2.png").read_bytes()[:100])
    (maps / "s4.png").unlink()
    np.save(maps / "s4.npy", np.full((3, 3), np.inf))
    (maps / "s5.png").unlink()
    run = score(data, predictions=maps, out=tmp_path / "run")
    errors = dict(zip(run.scores["stimulus"], run.scores["error"], strict=True))
    assert "s2.png: cannot be read" in errors["s2"]
    assert "infinite" in errors["s4"]
    assert "no map for stimulus 's5'" in errors["s5"]
    assert run.errors == 3
    whole = [0, 1, 3]
    assert run.scores.loc[whole].equals(reference.loc[whole])
    assert run.scores.loc[2, "nss":"emd"].isna().all()
    assert run.summary["metrics"]["nss"]["n"] == 3


@pytest.mark.parametrize("kind", ["dangling link", "folder", "pipe"])
def test_a_map_that_is_no_file_costs_only_its_own_row(data, maps, tmp_path, kind):
    (maps / "s2.png").unlink()
    if kind == "dangling link":
        (maps / "s2.png").symlink_to(tmp_path / "gone.png")
    elif kind == "folder":
        (maps / "s2.png").mkdir()
    else:
        os.mkfifo(maps / "s2.png")
    run = score(data, predictions=maps, metrics=["nss"], out=tmp_path / "run")
    assert [bool(text) for text in run.scores["error"]] == [False, False, True, False, False, False]


def test_strict_stops_at_the_first_bad_map_and_names_it(data, maps, tmp_path):
    (maps / "s2.png").unlink()
    with pytest.raises(RunError, match=r"stimulus s2: .*no map"):
        score(data, predictions=maps, strict=True, out=tmp_path / "run")


def test_bad_fixations_cost_only_their_own_row(data, maps, tmp_path):
    (data / "fixations" / "s3.csv").write_text("x,y\n1,one\n")
    run = score(data, predictions=maps, out=tmp_path / "run")
    assert run.errors == 1
    assert "line 2: y is 'one'" in run.scores["error"][3]


def test_an_image_without_fixations_has_nan_and_is_left_out_of_the_mean(data, maps, tmp_path):
    (data / "fixations" / "s1.csv").write_text("x,y\n")
    run = score(data, predictions=maps, out=tmp_path / "run")
    row = run.scores.loc[1]
    assert np.isnan(row[list(metrics.MAP_METRICS)].tolist()).all(), "KL would be a perfect 0 against nothing"
    assert {figures["n"] for figures in run.summary["metrics"].values()} == {5}
    assert run.summary["without_fixations"] == 1
    assert run.mean("nss") == pytest.approx(run.scores["nss"].drop(1).mean())


def test_fixations_outside_the_frame_are_dropped_and_counted(data, maps, tmp_path):
    before = score(data, predictions=maps, out=tmp_path / "before")
    with (data / "fixations" / "s0.csv").open("a") as file:
        file.write("-5,3,0\n10,999,1\n")
    after = score(data, predictions=maps, out=tmp_path / "after")
    assert (before.summary["fixations_outside"], after.summary["fixations_outside"]) == (0, 2)
    assert after.scores.equals(before.scores)


def test_a_lone_stimulus_has_no_shuffled_auc_and_says_so(tmp_path):
    class Notes:
        def __init__(self):
            self.texts = []

        def note(self, text):
            self.texts.append(text)

        def start(self, *_):
            pass

        advance = finish = start

    notes = Notes()
    data = make_set(tmp_path / "one", 1)
    run = score(data, model="centre", out=tmp_path / "run", progress=notes)
    assert np.isnan(run.scores["auc_shuffled"][0])
    assert not np.isnan(run.scores["nss"][0])
    assert any("sAUC" in text for text in notes.texts)


class Plugin:
    """A third party's model that goes wrong in many ways, chosen by the image's size."""

    card = ModelCard(name="plugin", title="Plugin")

    def predict(self, image):
        answers = {
            (24, 32): lambda: 1 / 0,
            (30, 20): lambda: np.zeros((30, 20, 3)),
            (40, 40): lambda: np.arange(1600.0).reshape(40, 40),
        }
        return answers[image.shape[:2]]()


def test_a_plugin_that_raises_or_returns_the_wrong_shape_gets_clear_rows(data, tmp_path):
    run = score(data, model=Plugin(), out=tmp_path / "run")
    assert run.scores["error"][0] == "ZeroDivisionError: division by zero"
    assert "saliency_map has shape (30, 20, 3)" in run.scores["error"][1]
    assert run.scores["error"][3] == ""
    assert not np.isnan(run.scores["nss"][3])


def test_a_run_of_a_model_object_is_never_taken_for_the_same(data, tmp_path):
    """Catches figures of yesterday's code: an object with the same card may compute something else today."""
    score(data, model=Plugin(), metrics=["nss"], out=tmp_path / "run")
    with pytest.raises(RunError, match="may have changed since"):
        score(data, model=Plugin(), metrics=["nss"], out=tmp_path / "run")
    score(data, model=Plugin(), metrics=["nss"], out=tmp_path / "run", overwrite=True)


def test_a_model_object_that_cannot_travel_is_refused_for_several_workers(data, tmp_path):
    model = Plugin()
    model.thoughts = lambda: None
    for options in ({"jobs": 2}, {"timeout": 60.0}):
        with pytest.raises(UsageError, match=r"cannot be sent to worker processes.*use jobs=1 without a timeout"):
            score(data, model=model, out=tmp_path / "run", **options)


def test_a_damaged_shard_is_scored_again(data, maps, tmp_path):
    whole = score(data, predictions=maps, out=tmp_path / "whole")
    (tmp_path / "run" / "shards").mkdir(parents=True)
    (tmp_path / "run" / "run.json").write_bytes((whole.path / "run.json").read_bytes())
    (tmp_path / "run" / "shards" / "a.jsonl").write_text('{"stimulus": "s0", "sco')
    assert score(data, predictions=maps, out=tmp_path / "run").scores.equals(whole.scores)


class OutOfMemoryError(RuntimeError):
    """As torch names what it raises where a GPU's memory does not do."""


class Hungry:
    """A model that finds too little memory for some images, for as long as a file is there."""

    card = ModelCard(name="centre", title="Centre")

    def __init__(self, short: Path, error: type[Exception]) -> None:
        self.short, self.error = short, error

    def predict(self, image):
        if self.short.exists() and image.shape[0] == 30:
            raise self.error("not now")
        return np.add.outer(np.arange(image.shape[0]), np.arange(image.shape[1]))


@pytest.mark.parametrize("error", [MemoryError, OutOfMemoryError])
def test_errors_of_the_moment_are_tried_again_by_the_same_call_even_of_a_finished_run(
    data, tmp_path, monkeypatch, error
):
    """Catches a score that is lost for good because memory was short once, and one that is counted with its error."""
    short = tmp_path / "short"
    monkeypatch.setattr(ModelSource, "load", lambda source: Hungry(short, error))
    whole = score(data, model="centre", metrics=["nss"], out=tmp_path / "whole")
    short.touch()
    run = score(data, model="centre", metrics=["nss"], out=tmp_path / "run")
    assert run.errors == 2
    assert set(run.scores["error"]) == {"", f"{error.__name__}: not now"}
    assert score(data, model="centre", metrics=["nss"], out=tmp_path / "run").errors == 2
    short.unlink()
    assert score(data, model="centre", metrics=["nss"], out=tmp_path / "run").errors == 0
    for name in ("scores.parquet", "summary.json"):
        assert (run.path / name).read_bytes() == (whole.path / name).read_bytes()
    assert {path.name for path in run.path.iterdir()} == {"run.json", "scores.parquet", "summary.json"}


def test_a_folder_that_another_call_scores_into_is_refused(data, tmp_path):
    """Catches two runs that replace each other's files, and one that is cleared while another writes its rows."""
    with held(tmp_path / "run"), pytest.raises(RunError, match=r"another process writes into .*wait for its end"):
        score(data, model="centre", metrics=["nss"], overwrite=True, out=tmp_path / "run")
    assert list((tmp_path / "run").iterdir()) == []


def test_maps_that_the_disk_does_not_take_end_the_run_instead_of_filling_it_with_errors(data, tmp_path, monkeypatch):
    """Catches a finished run whose every row says that the disk was full."""

    def full(path, *_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("salbench.scoring.stimulus_score.write_map", full)
    with pytest.raises(RunError, match=r"maps/s0\.npy cannot be written \(No space left on device\); .*same command"):
        score(data, model="centre", metrics=["nss"], save_maps=True, out=tmp_path / "run")
    monkeypatch.undo()
    assert score(data, model="centre", metrics=["nss"], save_maps=True, out=tmp_path / "run").errors == 0


class Peeker:
    """A model that looks at what it must not see."""

    card = ModelCard(name="peeker", title="Peeker")

    def predict_stimulus(self, stimulus, context):
        assert len(context.fixations) == 0
        return np.random.default_rng(0).random(stimulus.size) + 100 * stimulus.fixation_map()


def test_a_model_that_does_not_ask_for_the_ground_truth_cannot_reach_it(data, tmp_path):
    run = score(data, model=Peeker(), metrics=["nss"], out=tmp_path / "run")
    assert abs(run.mean("nss")) < 1


class Unloadable:
    """A model whose weights are broken."""

    card = ModelCard(name="unloadable", title="Unloadable")

    def load(self):
        raise OSError("weights are gone")

    def predict(self, image):
        return image[:, :, 0]


@pytest.mark.parametrize("jobs", [1, 2])
def test_a_model_that_cannot_be_loaded_ends_the_run_before_any_row(data, tmp_path, jobs):
    """Catches a finished run in which every row is an error, and which the mended command takes for done."""
    with pytest.raises(DataError, match=r"'unloadable' cannot be loaded \(OSError: weights are gone\)"):
        score(data, model=Unloadable(), jobs=jobs, out=tmp_path / "run")
    assert not (tmp_path / "run" / "summary.json").exists()
    assert score(data, model="centre", metrics=["nss"], out=tmp_path / "run").errors == 0


def test_changed_images_or_own_maps_make_another_run(data, tmp_path):
    (data / "maps").mkdir()
    Image.new("L", (32, 24), 5).save(data / "maps" / "s0.png")
    run = score(data, model="centre", metrics=["cc"], out=tmp_path / "run")
    assert run.manifest["protocol"]["blur"].startswith("the data set's own maps for 1 of 6 stimuli, else MIT300")
    Image.new("L", (32, 24), 6).save(data / "maps" / "s0.png")
    with pytest.raises(RunError, match=r"inputs\.maps"):
        score(data, model="centre", metrics=["cc"], out=tmp_path / "run")
    Image.new("L", (32, 24), 5).save(data / "maps" / "s0.png")
    Image.new("RGB", (32, 24), 6).save(data / "images" / "s0.png")
    with pytest.raises(RunError, match=r"inputs\.images"):
        score(data, model="centre", metrics=["cc"], out=tmp_path / "run")


def test_asking_a_finished_run_for_its_maps_is_not_ignored(data, tmp_path):
    score(data, model="centre", metrics=["cc"], out=tmp_path / "run")
    with pytest.raises(RunError, match="save_maps is False there and True here"):
        score(data, model="centre", metrics=["cc"], save_maps=True, out=tmp_path / "run")


def test_what_a_kill_leaves_of_the_first_file_is_no_obstacle(data, tmp_path):
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / ".run.json.0123abcd.tmp").touch()
    run = score(data, model="centre", metrics=["cc"], out=tmp_path / "run")
    assert {path.name for path in run.path.iterdir()} == {"run.json", "scores.parquet", "summary.json"}


def test_the_run_names_the_baseline_of_information_gain(data, tmp_path):
    run = score(data, model="centre", metrics=["information_gain"], out=tmp_path / "run")
    assert run.manifest["protocol"]["ig_baseline"].startswith("centre prior")


def test_saved_maps_are_the_maps_that_were_scored(data, tmp_path):
    first = score(data, model="centre-prior", save_maps=True, out=tmp_path / "first")
    second = score(data, predictions=tmp_path / "first" / "maps", out=tmp_path / "second")
    assert first.scores.equals(second.scores)


def test_a_finished_run_is_not_scored_again_and_another_plan_is_refused(data, maps, tmp_path):
    run = score(data, predictions=maps, out=tmp_path / "run")
    before = (run.path / "scores.parquet").stat().st_mtime_ns
    score(data, predictions=maps, out=tmp_path / "run", jobs=1)
    assert (run.path / "scores.parquet").stat().st_mtime_ns == before
    with pytest.raises(RunError, match="seed is 0 there and 1 here"):
        score(data, predictions=maps, out=tmp_path / "run", seed=1)
    assert score(data, predictions=maps, out=tmp_path / "run", seed=1, overwrite=True).manifest["seed"] == 1


@pytest.mark.parametrize("changed", ["a mean", "no rows"])
def test_a_finished_run_that_was_changed_is_not_told_as_if_it_had_been_scored(data, maps, tmp_path, changed):
    """Catches a summary altered by hand, or one without its rows, that the same command prints as its result."""
    run = score(data, predictions=maps, out=tmp_path / "run")
    if changed == "a mean":
        summary = json.loads((run.path / "summary.json").read_text())
        summary["metrics"]["nss"]["mean"] += 1
        (run.path / "summary.json").write_text(json.dumps(summary))
    else:
        (run.path / "scores.parquet").unlink()
    with pytest.raises(RunError, match="score anew with --overwrite"):
        score(data, predictions=maps, out=tmp_path / "run")
    again = score(data, predictions=maps, out=tmp_path / "run", overwrite=True)
    assert again.summary["metrics"] == run.summary["metrics"]


def test_rows_that_vanish_before_they_are_summed_up_are_missed(data, maps, tmp_path, monkeypatch):
    """Catches means over fewer stimuli than `n` says, where a disk or a server fails at the very end."""
    read = RunFolder.rows
    times = iter(range(9))
    monkeypatch.setattr(RunFolder, "rows", lambda folder: list(read(folder))[next(times) :])
    with pytest.raises(RunError, match=r"1 rows that were stored cannot be read; run the same command again"):
        score(data, predictions=maps, out=tmp_path / "run")
    monkeypatch.undo()
    run = score(data, predictions=maps, out=tmp_path / "run")
    assert run.scores.equals(score(data, predictions=maps, out=tmp_path / "plain").scores)


@pytest.mark.skipif(sys.platform != "linux", reason="mounts a file system as Linux does")
def test_a_finished_run_on_a_disk_that_cannot_be_written_is_printed(data, maps, tmp_path):
    """Catches a result that is refused because nothing is to be removed beside it."""
    disk = tmp_path / "disk"
    disk.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "tmpfs", str(disk)], check=False, capture_output=True).returncode:
        pytest.skip("no right to mount a file system")
    try:
        run = score(data, predictions=maps, out=disk / "run")
        subprocess.run(["mount", "-o", "remount,ro", str(disk)], check=True)
        assert score(data, predictions=maps, out=disk / "run").scores.equals(run.scores)
    finally:
        subprocess.run(["umount", "-l", str(disk)], check=False)


class Network:
    """As a torch.nn.Module is: it says whether it trains."""

    card = ModelCard(name="net", title="Net")
    training = True

    def predict(self, image):
        return np.arange(image[..., 0].size, dtype=float).reshape(image.shape[:2])


def test_a_model_that_says_that_it_trains_has_no_record_of_it(data, tmp_path):
    """Catches `bool is not iterable` for every network that is given as an object."""
    assert "training" not in score(data, model=Network(), metrics=["nss"], out=tmp_path / "run").manifest


def test_maps_that_changed_since_are_refused(data, maps, tmp_path):
    score(data, predictions=maps, out=tmp_path / "run")
    Image.new("L", (32, 24), 3).save(maps / "s0.png")
    with pytest.raises(RunError, match=r"inputs\.predictions"):
        score(data, predictions=maps, out=tmp_path / "run")


def test_a_folder_with_something_else_in_it_is_left_alone(data, maps, tmp_path):
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "thesis.tex").touch()
    with pytest.raises(RunError, match="holds no run"):
        score(data, predictions=maps, out=tmp_path / "run", overwrite=True)
    assert (tmp_path / "run" / "thesis.tex").exists()


@pytest.mark.parametrize("record", ['{"mine": 1}', "[]", "not JSON"])
def test_a_record_of_somebody_else_is_left_alone_with_what_lies_beside_it(data, maps, tmp_path, record):
    """Catches a folder emptied because a file in it is called run.json."""
    mine = tmp_path / "run"
    (mine / "maps").mkdir(parents=True)
    (mine / "maps" / "p.png").touch()
    (mine / "run.json").write_text(record)
    with pytest.raises(RunError, match=r"run\.json"):
        score(data, predictions=maps, out=mine)
    assert sorted(path.name for path in mine.rglob("*")) == ["maps", "p.png", "run.json"]


def test_a_run_whose_summary_is_lost_is_not_another_runs(data, maps, tmp_path):
    """Catches scores that are thrown away because nothing says any more that they are done."""
    run = score(data, predictions=maps, metrics=["nss"], out=tmp_path / "run")
    scores = (run.path / "scores.parquet").read_bytes()
    (run.path / "summary.json").unlink()
    with pytest.raises(RunError, match="holds another run; metrics is"):
        score(data, predictions=maps, metrics=["cc"], out=tmp_path / "run")
    assert (run.path / "scores.parquet").read_bytes() == scores
    score(data, predictions=maps, metrics=["nss"], out=tmp_path / "run")
    assert (run.path / "scores.parquet").read_bytes() == scores
    assert (run.path / "summary.json").is_file()


def wait_for_shards(folder: Path, process: "subprocess.Popen[bytes]", count: int = 1) -> None:
    deadline = time.monotonic() + 60
    while len(list(folder.glob("shards/*.jsonl"))) < count:
        assert process.poll() is None, "the run ended before it could be interrupted"
        assert time.monotonic() < deadline
        time.sleep(0.002)


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory):
    """A run of the human row that nobody interrupted, in one process."""
    out = tmp_path_factory.mktemp("undisturbed") / "run"
    subprocess.run(command("--dataset", "synthetic", "--model", "humans", "--jobs", 1, "--out", out), check=True)
    return out


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGINT])
@pytest.mark.parametrize("jobs", [1, 2])
def test_an_interrupted_run_goes_on_with_the_same_command_to_the_same_bits(undisturbed, tmp_path, how, jobs):
    """kill -9 and Ctrl-C in the middle: the second call scores only what is missing."""
    plan = ("--dataset", "synthetic", "--model", "humans", "--jobs", jobs)
    out = tmp_path / "run"
    process = subprocess.Popen(command(*plan, "--out", out), start_new_session=True, stderr=subprocess.PIPE)
    wait_for_shards(out, process)
    if how == signal.SIGKILL:
        process.kill()
    else:
        os.killpg(process.pid, signal.SIGINT)
    _, errors = process.communicate(timeout=60)
    assert not (out / "summary.json").exists()
    if how == signal.SIGINT:
        assert process.returncode == 130
        assert b"Traceback" not in errors
    stored = len(list(out.glob("shards/*.jsonl")))
    assert stored >= 1
    subprocess.run(command(*plan, "--out", out), check=True)
    assert (out / "scores.parquet").read_bytes() == (undisturbed / "scores.parquet").read_bytes()
    assert (out / "summary.json").read_bytes() == (undisturbed / "summary.json").read_bytes()
    assert {path.name for path in out.iterdir()} == {"run.json", "scores.parquet", "summary.json"}


def test_workers_leave_when_their_driver_is_killed(tmp_path):
    """Catches orphans that wait for work for ever."""
    plan = command("--dataset", "synthetic", "--model", "humans", "--jobs", 2, "--out", tmp_path / "run")
    process = subprocess.Popen(plan, start_new_session=True, stderr=subprocess.DEVNULL)
    wait_for_shards(tmp_path / "run", process)
    process.kill()
    process.wait()
    deadline = time.monotonic() + 30
    while _group_alive(process.pid):
        assert time.monotonic() < deadline
        time.sleep(0.05)


def _group_alive(group: int) -> bool:
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return False
    return True


@pytest.mark.parametrize(
    ("options", "error", "text"),
    [
        ({}, UsageError, "either a model or a folder"),
        ({"model": "centre", "predictions": Path()}, UsageError, "either a model or a folder"),
        ({"model": "center"}, UsageError, "Did you mean centre"),
        ({"model": "centre", "metrics": ["auc"]}, UsageError, "unknown metric 'auc'.*auc_judd"),
        ({"model": "centre", "metrics": []}, UsageError, "no metric named"),
        ({"model": "centre", "protocol": "mit"}, UsageError, "Did you mean mit300"),
        ({"model": "centre", "jobs": 0}, UsageError, "at least 1"),
        ({"model": "centre", "timeout": 0.0}, UsageError, "timeout is 0.0; wanted: seconds, more than 0"),
        ({"model": "centre", "timeout": float("nan")}, UsageError, "timeout is nan"),
        ({"model": "centre", "blur_sigma": float("nan")}, UsageError, "blur sigma is nan"),
        ({"model": "centre", "blur_sigma": float("inf")}, UsageError, "blur sigma is inf"),
        ({"model": "centre", "blur_sigma": -1.0}, UsageError, "blur sigma is -1"),
        ({"model": "centre", "data": Path()}, UsageError, "needs none"),
        ({"model": "centre", "split": "test"}, UsageError, "no split 'test'. Its splits: all"),
        ({"model": "centre", "checkpoint": Path("no.safetensors")}, DataError, "no such file"),
        ({"predictions": Path("no-maps")}, DataError, "no such folder"),
    ],
)
def test_requests_that_cannot_be_carried_out_say_what_is_wanted(data, tmp_path, options, error, text):
    with pytest.raises(error, match=text):
        score(data, out=tmp_path / "run", **options)
    assert not (tmp_path / "run").exists()


def test_a_folder_whose_names_fit_no_stimulus_is_the_wrong_folder(data, tmp_path):
    (tmp_path / "wrong").mkdir()
    Image.new("L", (4, 4)).save(tmp_path / "wrong" / "x.png")
    with pytest.raises(DataError, match=r"names such as s0\.png; there: x"):
        score(data, predictions=tmp_path / "wrong", out=tmp_path / "run")


def test_open_run_tells_an_interrupted_run_from_none(data, maps, tmp_path):
    run = score(data, predictions=maps, out=tmp_path / "run")
    (run.path / "summary.json").unlink()
    with pytest.raises(RunError, match="interrupted"):
        open_run(run.path)
    with pytest.raises(RunError, match="holds no run"):
        open_run(tmp_path)


def test_the_summary_is_strict_json_and_the_manifest_tells_versions_and_inputs(data, maps, tmp_path):
    run = score(data, predictions=maps, name="Mine", out=tmp_path / "run")

    def refuse(constant):
        raise AssertionError(constant)

    json.loads((run.path / "summary.json").read_text(), parse_constant=refuse)
    assert run.manifest["model"]["title"] == "Mine"
    assert len(run.manifest["inputs"]["predictions"]) == len(run.manifest["inputs"]["fixations"]) == 64
    assert run.manifest["versions"]["numpy"] == np.__version__


def test_a_model_gets_the_name_that_it_is_given(data, tmp_path):
    """Catches two checkpoints of one model that a table cannot tell apart, and a name that replaces the model's key."""
    run = score(data, model="centre", name="Centre, wide", metrics=["nss"], out=tmp_path / "run")
    assert (run.manifest["model"]["key"], run.manifest["model"]["title"]) == ("centre", "Centre, wide")
    plain = score(data, model="centre", metrics=["nss"], out=tmp_path / "plain")
    assert plain.manifest["model"]["title"] == "Centre"
    with pytest.raises(RunError, match="title"):
        score(data, model="centre", metrics=["nss"], out=tmp_path / "run")
