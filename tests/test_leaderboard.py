"""Entries of measured results."""

import json
import os
import shutil
from pathlib import Path

import jsonschema
import pandas as pd
import pytest

from salbench.cli import main
from salbench.errors import RunError, UsageError
from salbench.leaderboard import add, entries_of, entry_of, shipped_entries
from salbench.scoring.run_folder import open_run, read_json
from salbench.scoring.runner import score
from salbench.tables import make_table, render

MEASURED = Path(__file__).resolve().parents[1] / "leaderboards" / "measured"


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    out = tmp_path_factory.mktemp("runs") / "centre"
    return score("synthetic", model="centre", metrics=["nss", "cc"], out=out)


@pytest.fixture
def run(finished, tmp_path):
    """A copy of the run that a test may damage."""
    return open_run(shutil.copytree(finished.path, tmp_path / "centre"))


def test_an_entry_holds_the_whole_manifest_and_summary(run, tmp_path):
    """Catches provenance that is lost on the way: the entry alone must tell what the run folder tells."""
    file = add(run, tmp_path / "board")
    assert file == tmp_path / "board" / "centre.json"
    entry = json.loads(file.read_text())
    assert entry["run"] == json.loads((run.path / "run.json").read_text())
    assert entry["summary"] == json.loads((run.path / "summary.json").read_text())
    assert {"inputs", "versions", "command", "seed"} <= entry["run"].keys()


def schema_errors(entry):
    schema = json.loads((MEASURED / "schema.json").read_text())
    return [error.message for error in jsonschema.Draft202012Validator(schema).iter_errors(entry)]


def test_every_shipped_entry_fits_the_schema_and_names_no_place_of_a_machine():
    """Catches an entry written by hand, half of one, or a command with somebody's home directory in it."""
    for file in shipped_entries():
        entry = json.loads(file.read_text())
        assert schema_errors(entry) == [], file
        assert not [word for word in entry["run"]["command"] if word.startswith(("/", "~"))], file


@pytest.mark.parametrize(
    "change",
    [
        lambda summary: summary.update(errors=7),
        lambda summary: summary["metrics"]["nss"].update(ci_low=-9.0),
        lambda summary: summary["metrics"]["nss"].update(n=3),
        lambda summary: summary["metrics"].pop("cc"),
        lambda summary: summary.pop("scores_sha256"),
    ],
)
def test_any_altered_figure_of_the_summary_is_refused(run, change):
    """Catches a tighter interval, a lost metric, or fewer stimuli, under rows and means that fit."""
    summary = json.loads((run.path / "summary.json").read_text())
    change(summary)
    (run.path / "summary.json").write_text(json.dumps(summary))
    with pytest.raises(RunError):
        entry_of(open_run(run.path))


def test_another_runs_entry_is_not_overwritten(run, tmp_path):
    """Catches two runs of one folder name that leave one entry."""
    add(run, tmp_path / "board")
    add(run, tmp_path / "board")
    other = score("synthetic", model="chance", metrics=["nss", "cc"], out=tmp_path / "other" / "centre")
    with pytest.raises(RunError, match="another run"):
        add(other, tmp_path / "board")
    assert add(other, tmp_path / "board", "chance").name == "chance.json"


def test_the_schema_takes_what_add_writes_and_nothing_less(run, tmp_path):
    """Catches a schema that lets everything through: a required member that is missing, or a bare AUC."""
    entry = json.loads(add(run, tmp_path).read_text())
    assert schema_errors(entry) == []
    for part in ("run", "summary"):
        for member in ("inputs", "seed", "versions", "n", "scores_sha256", "command"):
            if member in entry[part]:
                lacking = {**entry, part: {key: value for key, value in entry[part].items() if key != member}}
                assert schema_errors(lacking), member
    bare = json.loads(json.dumps(entry).replace('"nss"', '"auc"'))
    assert schema_errors(bare)


def test_one_altered_row_is_refused(run):
    """Catches a score that somebody improved by hand."""
    rows = pd.read_parquet(run.path / "scores.parquet")
    rows.loc[3, "nss"] += 0.5
    rows.to_parquet(run.path / "scores.parquet")
    with pytest.raises(RunError, match="not the file that the run wrote"):
        entry_of(run)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="named pipes are POSIX")
def test_a_pipe_in_a_board_is_not_waited_for(run, tmp_path):
    """Catches a command that hangs because of something that is no file."""
    add(run, tmp_path / "board")
    os.mkfifo(tmp_path / "board" / "x.json")
    assert [file.name for file in entries_of(tmp_path / "board")] == ["centre.json"]
    os.mkfifo(tmp_path / "run.json")
    with pytest.raises(RunError, match=r"run\.json: is no file"):
        read_json(tmp_path / "run.json")


def test_an_altered_mean_is_refused(run):
    """Catches a summary that somebody improved by hand, which the check sum of the rows does not show."""
    summary = json.loads((run.path / "summary.json").read_text())
    summary["metrics"]["cc"]["mean"] += 1e-6
    (run.path / "summary.json").write_text(json.dumps(summary))
    with pytest.raises(RunError, match="the rows give cc mean"):
        entry_of(open_run(run.path))


def test_rows_that_cannot_be_read_are_refused(run):
    (run.path / "scores.parquet").write_bytes(b"PAR1 and nothing more")
    with pytest.raises(RunError, match=r"scores\.parquet is not the file that the run wrote"):
        entry_of(run)
    (run.path / "scores.parquet").unlink()
    with pytest.raises(RunError, match=r"scores\.parquet: cannot be read"):
        entry_of(run)


@pytest.mark.parametrize("name", ["../escaped", "a/b", "a\\b", ".hidden", "..", "/x"])
def test_an_entry_stays_on_its_board(run, tmp_path, name):
    """Catches a name that is a way out of the folder, or into one."""
    with pytest.raises(UsageError, match="wanted: that of a file in the board's folder"):
        add(run, tmp_path / "board", name)
    assert not list(tmp_path.glob("*.json"))


def test_every_command_that_reads_a_changed_run_says_so(run, tmp_path, capsys):
    """Catches a mean that somebody improved by hand, printed in a table, a page or a comparison."""
    summary = json.loads((run.path / "summary.json").read_text())
    summary["metrics"]["cc"]["mean"] += 0.2
    (run.path / "summary.json").write_text(json.dumps(summary))
    folder = str(run.path)
    for words in (
        ["table", folder],
        ["compare", folder, folder],
        ["report", folder, "-o", str(tmp_path / "report.html")],
        ["leaderboard", "site", folder, "-o", str(tmp_path / "site.html")],
        ["leaderboard", "add", folder, "--board", str(tmp_path / "board")],
        ["doctor", folder],
    ):
        assert main(words) == 1, words
        told = "".join(capsys.readouterr())
        assert "the rows give cc mean" in told, words


def test_a_table_of_entries_is_that_of_their_runs(run, tmp_path):
    """Catches figures that change between a run and its entry."""
    entry = add(run, tmp_path / "board", "other-name")
    assert render(make_table([entry]), "csv") == render(make_table([run.path]), "csv")


@pytest.mark.parametrize("content", ["[]", "{", '{"format": 2}', '{"format": 1, "run": {}}', '{"format": true}'])
def test_a_file_that_is_no_entry_is_refused(tmp_path, content):
    """Catches a traceback for a hostile or foreign file."""
    (tmp_path / "entry.json").write_text(content)
    with pytest.raises(RunError, match=r"entry\.json"):
        make_table([tmp_path / "entry.json"])


def test_boards_are_found_and_foreign_files_beside_entries_are_not(run, tmp_path):
    """Catches a record that lies beside entries and is taken for one, and a run folder that is no board."""
    entry = add(run, tmp_path / "board" / "deep")
    (tmp_path / "board" / "reproduction.json").write_text('{"format": 1}')
    assert entries_of(tmp_path / "board") == [entry]
    assert entries_of(run.path) == [run.path]
    with pytest.raises(RunError, match="no entries"):
        entries_of(tmp_path / "none")


def test_measured_results_are_shown_beside_published_ones(run, tmp_path, capsys):
    """Catches a board without its rows, or without those that it is held against."""
    add(run, tmp_path / "board")
    assert main(["leaderboard", "show", str(tmp_path / "board"), "--layout", "3"]) == 0
    shown = capsys.readouterr().out
    assert "| Centre" in shown
    assert "| GAN/4" in shown
