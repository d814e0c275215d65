"""What a verification finds in runs that somebody touched after they were finished."""

import json
import shutil

import numpy as np
import pandas as pd
import pytest

from salbench.cli import main
from salbench.digests import digest_file
from salbench.errors import DataError, RunError, UsageError
from salbench.scoring.run_folder import open_run
from salbench.scoring.runner import score
from salbench.scoring.statistics import summarise
from salbench.verification import verify


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    return score("synthetic", model="centre", save_maps=True, out=tmp_path_factory.mktemp("runs") / "centre").path


@pytest.fixture
def run(finished, tmp_path):
    """A copy of the run that a test may damage."""
    return shutil.copytree(finished, tmp_path / "centre")


def alter_row(run, stimulus, key, change):
    rows = pd.read_parquet(run / "scores.parquet")
    rows.loc[rows["stimulus"] == stimulus, key] += change
    rows.to_parquet(run / "scores.parquet")
    return rows


def test_an_untouched_run_holds_to_the_last_row(finished):
    """Catches a verification that draws other random numbers, or prepares ground truth in another way, than scoring."""
    found = verify(finished, sample=None)
    assert found.faults == ()
    assert len(found.checked) == 32


@pytest.mark.parametrize("model", ["centre-prior-cv", "shuffled"])
def test_models_of_densities_and_of_draws_hold_too(tmp_path, model):
    """Catches stored maps of log densities that are taken for mere maps."""
    run = score("synthetic", split="val", model=model, protocol="tuebingen", save_maps=True, out=tmp_path / model).path
    assert verify(run, sample=4).faults == ()


def test_one_altered_score_is_found(run):
    """Catches a score that somebody improved: by the check sum, the mean, and the row made anew."""
    name = pd.read_parquet(run / "scores.parquet")["stimulus"][7]
    alter_row(run, name, "nss", 0.25)
    faults = verify(run, sample=None).faults
    assert any("not the file that the run wrote" in fault for fault in faults)
    assert sum(fault.startswith(f"{name}: nss is ") for fault in faults) == 1
    assert len(faults) == 2


def test_a_forger_who_adapts_every_file_is_found_by_the_rows(run):
    """Catches reliance on check sums alone, which who alters a row can write anew."""
    name = pd.read_parquet(run / "scores.parquet")["stimulus"][7]
    rows = alter_row(run, name, "cc", 0.1)
    summary = json.loads((run / "summary.json").read_text())
    summary["scores_sha256"] = digest_file(run / "scores.parquet")
    summary["metrics"] = summarise({key: rows[key].to_numpy() for key in summary["metrics"]}, 0)
    (run / "summary.json").write_text(json.dumps(summary))
    faults = verify(run, sample=None).faults
    assert len(faults) == 1
    assert faults[0].startswith(f"{name}: cc is ")


def forge(run, change):
    """Alter the rows, and adapt check sum, counts, means and intervals to them."""
    rows = change(pd.read_parquet(run / "scores.parquet"))
    rows.to_parquet(run / "scores.parquet")
    summary = json.loads((run / "summary.json").read_text())
    summary["scores_sha256"] = digest_file(run / "scores.parquet")
    summary["n"], summary["errors"] = len(rows), int((rows["error"] != "").sum())
    summary["metrics"] = summarise({key: rows[key].to_numpy() for key in summary["metrics"]}, 0)
    (run / "summary.json").write_text(json.dumps(summary))


def without_the_worst(rows):
    return rows.sort_values("nss").iloc[8:].sort_index().reset_index(drop=True)


def failing_the_worst(rows):
    worst = rows.sort_values("nss").index[:8]
    rows.loc[worst, "error"] = "could not be scored"
    rows.loc[worst, [c for c in rows.columns if c not in ("stimulus", "error")]] = np.nan
    return rows


@pytest.mark.parametrize(
    ("change", "words"),
    [(without_the_worst, "has rows of 24 stimuli"), (failing_the_worst, "an error in the place of scores")],
)
def test_who_leaves_bad_stimuli_out_is_found(run, change, words):
    """Catches better means by fewer stimuli, with every check sum and figure adapted."""
    forge(run, change)
    assert any(words in fault for fault in verify(run, sample=2).faults)


def test_a_map_that_is_gone_is_a_fault_and_so_is_nothing_to_check(run):
    """Catches a row that nobody can check, and a run that holds because nothing was looked at."""
    first, *others = sorted((run / "maps").glob("*.npy"))
    first.unlink()
    assert any("have no map" in fault for fault in verify(run, sample=2).faults)
    for file in others:
        file.unlink()
    assert any("nothing could be made anew" in fault for fault in verify(run).faults)


def test_a_map_of_another_model_is_found(run):
    """Catches a verification that never looks at the maps."""
    file = sorted((run / "maps").glob("*.npy"))[0]
    np.save(file, np.random.default_rng(0).random(np.load(file).shape))
    assert any(fault.startswith(f"{file.stem}: nss is ") for fault in verify(run, sample=None).faults)


def test_other_ground_truth_is_found(run):
    """Catches a run that was scored on fixations other than the data set's."""
    manifest = json.loads((run / "run.json").read_text())
    manifest["inputs"]["fixations"] = "0" * 64
    (run / "run.json").write_text(json.dumps(manifest))
    assert any("fixations are not those" in fault for fault in verify(run, sample=1).faults)


def test_the_sample_is_drawn_by_its_seed(run):
    """Catches a sample that is always the first rows, or another at each call."""
    drawn = [verify(run, sample=5, seed=seed).checked for seed in (0, 0, 1)]
    assert drawn[0] == drawn[1] != drawn[2]
    assert drawn[0] != tuple(open_run(run).scores["stimulus"][:5])


def test_what_cannot_be_verified_says_why(run, tmp_path):
    """Catches a traceback, or a run that holds because nothing was looked at."""
    shutil.rmtree(run / "maps")
    with pytest.raises(DataError, match="--save-maps"):
        verify(run)
    with pytest.raises(RunError, match="holds no run"):
        verify(tmp_path)
    with pytest.raises(UsageError, match="at least 1"):
        verify(run, sample=0)
    manifest = json.loads((run / "run.json").read_text())
    manifest["dataset"]["key"] = "my-data"
    (run / "run.json").write_text(json.dumps(manifest))
    with pytest.raises(UsageError, match="--dataset"):
        verify(run)


def test_the_exit_code_tells(run, capsys):
    """Catches a script that goes on with an altered run."""
    words = ["leaderboard", "verify", str(run), "--sample", "3"]
    assert main(words) == 0
    assert "holds; 3 of 32 rows" in capsys.readouterr().out
    alter_row(run, pd.read_parquet(run / "scores.parquet")["stimulus"][0], "nss", 1.0)
    assert main(words) == 1
    assert "FAULT: " in capsys.readouterr().out
