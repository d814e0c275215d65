"""`salbench reproduce` on a handful of synthetic scenes: results that mean nothing, but all there.

Most of it with a model that trains in no time (toy_model.py), under SalGAN's name; once with SalGAN itself.
"""

import csv
import json
import math
import shutil
from dataclasses import replace
from functools import partial
from itertools import islice
from pathlib import Path
from types import SimpleNamespace

import pytest
from toy_model import Toy

from salbench import models, reproduction
from salbench.cli import main
from salbench.datasets.dataset import Dataset
from salbench.datasets.synthetic import open_synthetic
from salbench.errors import RunError, UsageError
from salbench.experiments import EXPERIMENTS, Budget
from salbench.locks import held
from salbench.progress import Silent
from salbench.reproduction import chosen, reproduce
from salbench.scoring.run_folder import open_run

BUDGET = {"epochs": 3, "bootstrap": 1}


class Notes(Silent):
    def __init__(self):
        self.notes = []

    def note(self, text):
        self.notes.append(text)


def few(split, count):
    return list(islice(open_synthetic().stimuli(split), count))


@pytest.fixture(scope="module")
def dataset() -> Dataset:
    splits = {"train": 3, "val": 3, "test": 2}
    return Dataset("few", "Few scenes", {name: partial(few, name, count) for name, count in splits.items()}, "test")


@pytest.fixture(scope="module", autouse=True)
def toy():
    """The toy answers to SalGAN's name in the registry."""
    patch = pytest.MonkeyPatch()
    found = models.Registry.factory
    patch.setattr(models.Registry, "factory", lambda self, name: Toy if name == "salgan" else found(self, name))
    yield
    patch.undo()


@pytest.fixture(scope="module")
def finished(dataset, tmp_path_factory):
    out = tmp_path_factory.mktemp("finished")
    return reproduce(list(EXPERIMENTS), dataset, out=out, test_split="test", **BUDGET)


@pytest.fixture
def everything(finished, tmp_path):
    """A copy of all results that a test may change."""
    out = shutil.copytree(finished.out, tmp_path / "everything")
    return replace(finished, out=out, files=[out / file.relative_to(finished.out) for file in finished.files])


def sections_of(file: Path) -> dict[tuple[str, str], list[dict[str, str]]]:
    """The rows of a CSV table by source and split."""
    found: dict[tuple[str, str], list[dict[str, str]]] = {}
    for row in csv.DictReader(file.read_text().splitlines()):
        found.setdefault((row["source"], row["split"]), []).append(row)
    return found


def test_every_result_is_there(everything):
    """Catches an experiment or a format that is forgotten, and a failure that is not told of."""
    assert not everything.failures
    tables = {f"table{n}.{suffix}" for n in (2, 3) for suffix in ("md", "tex", "html", "csv")}
    pictures = {"figure3.png", "figure3.csv", "figure6-few-val.png", "figure6-few-test.png"}
    assert {file.name for file in everything.files} == tables | pictures
    for file in everything.files:
        if file.suffix == ".png":
            assert file.read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize(
    ("number", "names"), [(2, ["BCE", "BCE/2", "BCE/4", "BCE/8"]), (3, ["MSE", "BCE", "BCE/4", "GAN/4"])]
)
def test_the_papers_rows_stand_beside_the_measured_ones_with_intervals(everything, number, names):
    """Catches measured rows under other names than the paper's, a split that is not scored, lost intervals."""
    found = sections_of(everything.out / f"table{number}.csv")
    assert list(found) == [("published", "val"), ("measured", "val"), ("measured", "test")]
    for rows in found.values():
        assert [row["model"] for row in rows] == names
    for row in found["measured", "val"]:
        assert float(row["nss_ci_low"]) <= float(row["nss"]) <= float(row["nss_ci_high"])


def test_table_2_is_the_epoch_after_the_bootstrap_and_table_3_the_best(everything):
    """Catches a table 2 of best epochs, or a table 3 of last ones: epochs are told by their own validation NSS."""
    record = json.loads((everything.out / "reproduction.json").read_text())
    rows = [row for one in record["experiments"].values() for row in one["rows"]]
    assert len(rows) == 16
    for row in rows:
        epochs = everything.trained[row["preset"]]
        last_phase = [one for one in epochs if one.phase == epochs[-1].phase]
        best = max(last_phase, key=lambda one: one.metrics["nss"])
        assert row["epoch"] == (1 if row["experiment"] == "table2" else best.epoch)
        if row["target"] == "few/val":
            measured = open_run(everything.out / row["run"]).mean("nss")
            assert measured == pytest.approx(epochs[row["epoch"] - 1].metrics["nss"], abs=1e-6)


def test_figure_3_has_a_line_per_epoch(everything):
    """Catches curves that lack an epoch or swap the trainings: GAN+BCE is the one with an adversarial phase."""
    rows = list(csv.DictReader((everything.out / "figure3.csv").read_text().splitlines()))
    assert [(row["training"], row["epoch"], row["phase"]) for row in rows] == [
        ("GAN+BCE", "1", "content"),
        ("GAN+BCE", "2", "adversarial"),
        ("GAN+BCE", "3", "adversarial"),
        *(("BCE", str(epoch), "content") for epoch in (1, 2, 3)),
    ]
    assert all(float(row["sim"]) > 0 for row in rows)


def test_the_same_call_again_trains_and_scores_nothing(everything, dataset):
    """Catches results that are made anew: files of trainings and runs must be the very same."""
    kept = [*everything.out.glob("trainings/*/state.json"), *everything.out.glob("runs/*/summary.json")]
    before = {path: path.stat().st_mtime_ns for path in kept}
    reproduce(list(EXPERIMENTS), dataset, out=everything.out, test_split="test", **BUDGET)
    assert {path: path.stat().st_mtime_ns for path in kept} == before
    assert len(before) == 6 + len({row.run for row in everything.rows})


def test_two_at_once_are_refused(everything, dataset):
    """Catches two processes that train into the same folders, or write the same results."""
    with held(everything.out), pytest.raises(RunError, match="another process repeats experiments in"):
        reproduce(["table3"], dataset, out=everything.out, test_split="test", **BUDGET)


def test_other_options_are_refused_where_a_training_is_there(everything, dataset, tmp_path):
    """Catches a finished training of another configuration that is taken for the one that was asked for."""
    result = reproduce(["figure3"], dataset, out=everything.out, **BUDGET, learning_rate=1e-5)
    assert set(result.failures) == {"gan4", "bce4"}
    assert "learning_rate" in result.failures["bce4"]


def test_a_training_that_fails_costs_its_own_row_only(dataset, tmp_path):
    """Catches an end of the whole by one damaged training, and a row that is missing without a word."""
    broken = tmp_path / "trainings" / "bce2"
    broken.mkdir(parents=True)
    (broken / "state.json").write_bytes(b"no state")
    progress = Notes()
    result = reproduce(["table2"], dataset, out=tmp_path, epochs=1, bootstrap=1, progress=progress)
    assert set(result.failures) == {"bce2"}
    assert any("bce2" in note and "state.json" in note for note in progress.notes)
    rows = sections_of(tmp_path / "table2.csv")["measured", "val"]
    assert [row["model"] for row in rows] == ["BCE", "BCE/4", "BCE/8"]


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"epochs": 1, "bootstrap": 1}, "at least 2"),
        ({"epochs": 3, "bootstrap": 0}, "bootstrap"),
        ({"loss": "mse"}, "the experiments decide loss"),
        ({"sizes": "16x16"}, "no option sizes"),
        ({"validation_split": "vall"}, "vall"),
    ],
)
def test_a_wrong_request_is_refused_before_anything_is_trained(dataset, tmp_path, changes, words):
    """Catches a mistake that shows only after hours of training."""
    with pytest.raises(Exception, match=words) as caught:
        reproduce(["table3"], dataset, out=tmp_path / "out", **changes)
    assert caught.value.exit_code
    assert not (tmp_path / "out").exists()


def test_several_processes_are_refused(dataset, tmp_path, monkeypatch):
    """Catches runs that every process of torchrun writes into the same folder."""
    for name, value in {"TORCHELASTIC_RUN_ID": "1", "RANK": "0", "WORLD_SIZE": "2", "LOCAL_RANK": "0"}.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(UsageError, match="torchrun"):
        reproduce(["table2"], dataset, out=tmp_path)


def test_an_unknown_experiment_gets_the_near_names(dataset, tmp_path):
    with pytest.raises(UsageError, match="table2"):
        reproduce(["tabel2"], dataset, out=tmp_path)


def test_the_papers_budgets():
    """Catches other epochs than the paper's: 15 of content loss, then adversarial ones up to 120 (section 5.2)."""
    assert EXPERIMENTS["table2"].epochs == 15
    assert Budget(EXPERIMENTS["table3"].epochs).options("gan4") == {"epochs": 15, "adversarial_epochs": 105}
    assert Budget(30).options("bce4") == {"epochs": 30, "adversarial_epochs": 0}


def test_a_longer_bootstrap_lengthens_table_2(dataset, tmp_path, monkeypatch):
    """Catches a bootstrap of 20 refused because the paper measured after 15."""
    short = {key: replace(one, epochs=2 if one.at_bootstrap else 4) for key, one in EXPERIMENTS.items()}
    monkeypatch.setattr(reproduction, "EXPERIMENTS", short)
    done = reproduce(["table2"], dataset, out=tmp_path, bootstrap=3)
    assert {len(epochs) for epochs in done.trained.values()} == {3}


def test_a_training_that_table_2_alone_needs_is_as_long_as_table_2(dataset, tmp_path, monkeypatch):
    """Catches 105 epochs of two trainings of which nobody asks more than the 15th."""
    short = {key: replace(one, epochs=2 if one.at_bootstrap else 3) for key, one in EXPERIMENTS.items()}
    monkeypatch.setattr(reproduction, "EXPERIMENTS", short)
    done = reproduce(["table2", "table3"], dataset, out=tmp_path, bootstrap=2)
    epochs = {preset: len(epochs) for preset, epochs in done.trained.items()}
    assert epochs == {"bce": 3, "bce2": 2, "bce4": 3, "bce8": 2, "mse": 3, "gan4": 3}


def test_a_record_keeps_what_earlier_calls_made(everything, dataset):
    """Catches results without a word of what they were made of, after a call for another experiment or a failed one."""
    before = json.loads((everything.out / "reproduction.json").read_text())["experiments"]
    assert set(before) == set(EXPERIMENTS)
    assert reproduce(["figure3"], dataset, out=everything.out, **BUDGET, learning_rate=1e-5).failures
    assert json.loads((everything.out / "reproduction.json").read_text())["experiments"] == before
    reproduce(["figure3"], dataset, out=everything.out, epochs=4, bootstrap=1)
    after = json.loads((everything.out / "reproduction.json").read_text())["experiments"]
    assert after["figure3"]["epochs"] == {"gan4": 4, "bce4": 4}
    assert {**after, "figure3": None} == {**before, "figure3": None}


def test_what_a_training_did_beyond_the_budget_does_not_count(everything, dataset):
    """Catches Table 3 comparing the best of three epochs with the best of five."""
    longer = reproduce(["figure3"], dataset, out=everything.out, epochs=5, bootstrap=1)
    assert [len(epochs) for epochs in longer.trained.values()] == [5, 5]
    again = reproduce(["table3", "figure3"], dataset, out=everything.out, **BUDGET)
    assert [len(epochs) for epochs in again.trained.values()] == [3, 3, 3, 3]
    assert {row.preset: row.epoch for row in again.rows}["bce4"] <= 3
    assert len((everything.out / "figure3.csv").read_text().splitlines()) == 1 + 2 * 3


def test_a_best_epoch_whose_checkpoint_is_gone_says_so(everything, dataset):
    """Catches a row of another epoch in the place of the one that was chosen."""
    best = max(everything.trained["mse"], key=lambda one: one.metrics["nss"])
    (everything.out / "trainings" / "mse" / f"epoch-{best.epoch:03}.txt").unlink()
    result = reproduce(["table3"], dataset, out=everything.out, **BUDGET)
    assert set(result.failures) == {"mse"}
    assert f"no checkpoint of epoch {best.epoch}" in result.failures["mse"]


def test_the_epoch_of_a_nss_that_is_no_number_is_never_the_best(everything, dataset):
    """Catches a NaN that comes first and so wins every comparison."""
    (first, *others) = everything.trained["mse"]
    broken = [replace(first, metrics={"nss": math.nan}), *others]
    plan = SimpleNamespace(budget=Budget(3))
    best = max(others, key=lambda one: one.metrics["nss"])
    assert chosen(plan, EXPERIMENTS["table3"], "mse", broken).epoch == best.epoch


def test_a_training_that_is_made_anew_is_scored_anew(everything, dataset):
    """Catches the scores of weights that are no longer there."""
    reproduce(["table3"], dataset, out=everything.out, **BUDGET)
    before = {row.preset: row.run for row in everything.rows if row.experiment == "table3" and row.target == "few/val"}
    for file in (everything.out / "trainings" / "mse").glob("epoch-*.txt"):
        file.write_text("11.0")
    result = reproduce(["table3"], dataset, out=everything.out, **BUDGET)
    after = {row.preset: row.run for row in result.rows}
    assert not result.failures
    assert after["mse"] != before["mse"]
    assert after["bce"] == before["bce"]


def test_the_command_line_takes_the_trainings_options(tmp_path, capsys):
    """Catches options of the configuration that the command does not show or does not hand on."""
    assert main(["reproduce", "--help"]) == 0
    shown = capsys.readouterr().out
    assert "--learning-rate" in shown
    assert "--adversarial-epochs" not in shown
    words = ["reproduce", "table2", "--dataset", "synthetic", "--out", str(tmp_path / "out"), "--learning-rate", "0"]
    assert main(words) == 2
    assert "learning_rate is 0" in capsys.readouterr().err


def test_salgan_itself_is_reproduced(dataset, tmp_path, monkeypatch):
    """Catches a contract that only the toy fulfils: files of real trainings, their options, their checkpoints."""
    torch = pytest.importorskip("torch", reason="SalGAN is trained here, which needs salbench[torch]")
    from salbench_models.salgan import SalGAN

    monkeypatch.setattr(models.Registry, "factory", lambda self, name: SalGAN)
    from narrow import narrowed

    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    small = {"size": "16x16", "batch": 2, "vgg_weights": "none", "init": "he", "optimizer": "nesterov"}
    with narrowed():
        result = reproduce(
            ["figure3", "figure6"], dataset, out=tmp_path, epochs=2, bootstrap=1, **small, tensorboard=False
        )
    torch.set_num_threads(threads)
    assert not result.failures
    assert [one.phase for one in result.trained["gan4"]] == ["content", "adversarial"]
    assert [one.generator_steps for one in result.trained["bce4"]] == [2, 4]
    assert {file.name for file in result.files} == {"figure3.png", "figure3.csv", "figure6-few-val.png"}
