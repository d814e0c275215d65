import os
import subprocess
import sys


def test_scores_of_salgan_do_not_depend_on_workers_or_threads(finished, tmp_path):
    """Catches sums that change with the number of threads: a 48x32 input is one where oneDNN's do."""
    settings = {"one": ("1", "1"), "threads": ("1", "2"), "workers": ("2", "2")}
    for name, (jobs, threads) in settings.items():
        command = ["score", "--dataset", "synthetic", "--split", "val", "--model", "salgan"]
        options = ["--checkpoint", finished.checkpoint, "--device", "cpu", "--jobs", jobs, "--out", tmp_path / name]
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
