import json
import os
import subprocess
import sys

import pytest

from salbench.errors import UsageError

from .scenes import rows_of


def test_scores_of_salgan_do_not_depend_on_workers_or_threads(full_checkpoint, tmp_path):
    """Catches sums that change with the number of threads: a 48x32 input is one where oneDNN's do."""
    settings = {"one": ("1", "1"), "threads": ("1", "2"), "workers": ("2", "2")}
    for name, (jobs, threads) in settings.items():
        command = ["score", "--dataset", "synthetic", "--split", "val", "--model", "salgan"]
        options = [
            "--metrics",
            "nss,kl_divergence",
            "--checkpoint",
            full_checkpoint,
            "--device",
            "cpu",
            "--jobs",
            jobs,
            "--out",
            tmp_path / name,
        ]
        environment = {**os.environ, "OMP_NUM_THREADS": threads}
        subprocess.run([sys.executable, "-m", "salbench", *command, *options], check=True, env=environment)
    scores = [(tmp_path / name / "scores.parquet").read_bytes() for name in settings]
    assert scores[0] == scores[1] == scores[2]


def test_a_run_records_what_the_checkpoint_was_trained_on(finished, tmp_path):
    """Catches tables that cannot flag a model scored on its own training data."""
    from salbench import score

    options = {"split": "val", "metrics": ["nss"], "device": "cpu", "out": tmp_path / "run"}
    run = score("synthetic", model="salgan", checkpoint=finished.checkpoint, **options)
    assert run.manifest["model"]["trained_on"] == ["toy/train"]
    assert len(run.manifest["inputs"]["checkpoint"]) == 64


def test_a_run_and_its_entry_tell_how_the_model_was_trained(finished, tmp_path):
    """Catches a figure that nobody can repeat: its checkpoint is not published, and its options are not told."""
    from salbench import score
    from salbench.leaderboard import add

    options = {"split": "val", "metrics": ["nss"], "device": "cpu", "out": tmp_path / "run"}
    run = score("synthetic", model="salgan", checkpoint=finished.checkpoint, **options)
    training = json.loads(add(run, tmp_path / "board").read_text())["run"]["training"]
    assert training["config"].items() >= finished.config.as_record().items()
    assert (training["trained_on"], training["seed"]) == (["toy/train"], finished.job.seed)
    epoch = rows_of(finished.folder)[training["epoch"] - 1]
    assert training["validation"]["nss"] == pytest.approx(float(epoch["nss"]))


def test_a_device_that_is_not_there_costs_no_run(finished, tmp_path):
    """Catches a bad device that only the rows of a finished run tell of."""
    from salbench import score

    options = {"split": "val", "metrics": ["nss"], "device": "meta", "out": tmp_path / "run"}
    with pytest.raises(UsageError, match="device is 'meta'"):
        score("synthetic", model="salgan", checkpoint=finished.checkpoint, **options)
    assert not (tmp_path / "run").exists()
