"""The command line: exit codes, messages, no tracebacks, files."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from salbench.cli import main

COMMANDS = [
    [],
    ["score"],
    ["predict"],
    ["train"],
    ["train", "salgan"],
    ["table"],
    ["list"],
    ["data"],
    ["data", "make-folder"],
    ["data", "list"],
    ["data", "info"],
    ["data", "get"],
    ["data", "check"],
    ["data", "prepare"],
    ["audit"],
    ["bounds"],
    ["bounds", "make"],
    ["bounds", "show"],
    ["reproduce"],
    ["compare"],
    ["report"],
    ["figure"],
    ["figure", "grid"],
    ["figure", "overlay"],
    ["figure", "levelsets"],
    ["figure", "curves"],
    ["export"],
    ["leaderboard"],
    ["leaderboard", "add"],
    ["leaderboard", "show"],
    ["leaderboard", "verify"],
    ["leaderboard", "site"],
    ["import"],
    ["doctor"],
    ["demo"],
]


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_every_command_has_help(command, capsys):
    assert main([*command, "--help"]) == 0
    assert "Usage: salbench" in capsys.readouterr().out


@pytest.mark.parametrize(
    "command",
    [["score"], ["predict"], ["train"], ["table"], ["audit"], ["data", "make-folder"], ["reproduce"], ["compare"]],
    ids=" ".join,
)
def test_the_help_of_working_commands_shows_an_example(command, capsys):
    main([*command, "--help"])
    assert "salbench " + " ".join(command) in capsys.readouterr().out.split("Example")[1]


@pytest.mark.parametrize("what", ["models", "datasets", "metrics", "protocols"])
def test_list_names_what_is_registered(what, capsys):
    assert main(["list", what]) == 0
    wanted = {"models": "salgan", "datasets": "osie-eye", "metrics": "auc_shuffled", "protocols": "mit300"}
    assert wanted[what] in capsys.readouterr().out


@pytest.mark.parametrize(
    "arguments",
    [
        ["score"],
        ["score", "--dataset", "synthetic"],
        ["score", "--dataset", "synthetik", "--model", "centre"],
        ["score", "--dataset", "synthetic", "--model", "centre", "--metrics", "auc"],
        ["score", "--dataset", "synthetic", "--model", "centre", "--jobs", "0"],
        ["score", "--dataset", "synthetic", "--model", "centre", "--blur-sigma", "-1"],
        ["score", "--dataset", "synthetic", "--model", "salgan"],
        ["predict", "--model", "centre", "-o", "maps"],
        ["train", "centre"],
        ["train", "salgan", "--dataset", "synthetic", "--size", "100x100"],
        ["train", "salgan", "--dataset", "synthetic", "--loss", "hinge"],
        ["table"],
        ["table", "--layout", "5"],
        ["list", "papers"],
        ["nonsense"],
    ],
    ids=" ".join,
)
def test_wrong_usage_exits_with_2_and_no_traceback(arguments, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert main(arguments) == 2
    captured = capsys.readouterr()
    assert "Traceback" not in captured.err
    assert captured.err.strip()
    assert list(tmp_path.iterdir()) == [], "a refused request leaves nothing behind"


def test_score_prints_means_with_intervals_and_the_protocol(tmp_path, capsys):
    out = tmp_path / "run"
    assert (
        main(["score", "--dataset", "synthetic", "--split", "val", "--model", "centre", "-j", "1", "-o", str(out)]) == 0
    )
    text = capsys.readouterr().out
    assert "protocol MIT300" in text
    scores = pd.read_parquet(out / "scores.parquet")
    assert f"{scores['nss'].mean():.4f}" in text
    assert scores.columns[0] == "stimulus"
    assert scores.columns[-1] == "error"


def test_lost_stimuli_are_told_and_exit_with_1(tmp_path, capsys):
    maps = tmp_path / "maps"
    assert (
        main(["predict", "--model", "centre", "--dataset", "synthetic", "--split", "val", "-j", "1", "-o", str(maps)])
        == 0
    )
    (maps / "val-0003.png").write_bytes(b"nonsense")
    arguments = ["score", "--dataset", "synthetic", "--split", "val", "--predictions", str(maps), "-j", "1"]
    assert main([*arguments, "-o", str(tmp_path / "run")]) == 1
    captured = capsys.readouterr()
    assert "1 of 16 stimuli could not be scored" in captured.out
    assert "val-0003" in captured.err
    assert main([*arguments, "--strict", "-o", str(tmp_path / "strict")]) == 1
    assert "val-0003.png: cannot be read" in capsys.readouterr().err


@pytest.mark.parametrize(("form", "kind"), [("png", np.uint8), ("png16", np.uint16), ("npy", np.float64)])
def test_predict_writes_a_map_as_large_as_each_image(form, kind, tmp_path):
    images = tmp_path / "images"
    images.mkdir()
    Image.new("RGB", (31, 17)).save(images / "a.jpg")
    assert (
        main(
            [
                "predict",
                "--model",
                "centre",
                "--images",
                str(images),
                "--format",
                form,
                "-j",
                "1",
                "-o",
                str(tmp_path / "maps"),
            ]
        )
        == 0
    )
    (path,) = (tmp_path / "maps").iterdir()
    values = np.load(path) if form == "npy" else np.asarray(Image.open(path))
    assert (values.shape, values.dtype) == ((17, 31), kind)
    assert values.argmax() in np.ravel_multi_index(([8], [15]), values.shape)


def test_predict_goes_on_past_an_image_that_cannot_be_read(tmp_path, capsys):
    images = tmp_path / "images"
    images.mkdir()
    Image.new("RGB", (31, 17)).save(images / "good.png")
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (40, 40, 3), dtype=np.uint8)).save(images / "bad.png")
    (images / "bad.png").write_bytes((images / "bad.png").read_bytes()[:2000])
    assert main(["predict", "--model", "centre", "--images", str(images), "-j", "1", "-o", str(tmp_path / "maps")]) == 1
    assert "bad.png" in capsys.readouterr().err
    assert [path.name for path in (tmp_path / "maps").iterdir()] == ["good.png"]


@pytest.mark.parametrize("out", [".", "sub", ".."])
def test_predict_never_writes_over_the_images(tmp_path, monkeypatch, capsys, out):
    images = tmp_path / "images"
    images.mkdir()
    Image.new("RGB", (31, 17), (9, 9, 9)).save(images / "a.png")
    before = (images / "a.png").read_bytes()
    monkeypatch.chdir(images)
    assert main(["predict", "--model", "centre", "--images", ".", "-j", "1", "-o", out]) == 2
    assert (images / "a.png").read_bytes() == before


def test_make_folder_then_score(tmp_path, capsys):
    images = tmp_path / "images"
    images.mkdir()
    rng = np.random.default_rng(0)
    rows = ["picture,who,x,y"]
    for name in "abc":
        Image.new("RGB", (40, 30)).save(images / f"{name}.png")
        rows += [f"{name}.png,{i % 2},{rng.integers(40)},{rng.integers(30)}" for i in range(8)]
    (tmp_path / "t.csv").write_text("\n".join(rows))
    arguments = ["data", "make-folder", "--images", str(images), "--fixations", str(tmp_path / "t.csv")]
    renames = ["--rename", "picture=image", "--rename", "who=viewer"]
    assert main([*arguments, *renames, "-o", str(tmp_path / "set")]) == 0
    assert "3 images, 24 fixations" in capsys.readouterr().out
    assert (
        main(["score", "--dataset", str(tmp_path / "set"), "--model", "humans", "-j", "1", "-o", str(tmp_path / "run")])
        == 0
    )
    assert main([*arguments, "--rename", "picture", "-o", str(tmp_path / "other")]) == 2


def test_table_of_a_run_and_of_the_paper(tmp_path, capsys):
    run = str(tmp_path / "run")
    main(["score", "--dataset", "synthetic", "--split", "val", "--model", "centre", "-j", "1", "-o", run])
    capsys.readouterr()
    assert main(["table", run, "--layout", "4", "--published"]) == 0
    text = capsys.readouterr().out
    assert "Centre" in text
    assert "2.459" in text
    target = tmp_path / "deep" / "table.tex"
    assert main(["table", run, "--format", "latex", "-o", str(target)]) == 0
    assert "\\begin{table" in target.read_text()


def test_a_folder_that_cannot_be_written_is_one_line(tmp_path, capsys):
    (tmp_path / "file").touch()
    assert (
        main(["score", "--dataset", "synthetic", "--model", "centre", "-j", "1", "-o", str(tmp_path / "file" / "run")])
        == 1
    )
    assert "Traceback" not in capsys.readouterr().err


TORCH_FREE = """
import sys
import salbench
from salbench.cli import main
codes = [main(["--help"]), main(["list", "models"]), main(["score", "--help"]), main(sys.argv[1:])]
loaded = sorted(name for name in sys.modules if name.split(".")[0] in {"torch", "torchvision"})
assert not loaded, loaded
assert "salbench_pot.lp.emd_wrap" in sys.modules, "the EMD must have been computed"
sys.exit(any(codes))
"""


def test_scoring_a_folder_of_maps_with_every_metric_never_imports_torch(tmp_path):
    """Torch is installed where this runs: it must stay unloaded all the same."""
    import importlib.util

    assert importlib.util.find_spec("torch") is not None
    maps = tmp_path / "maps"
    main(["predict", "--model", "centre", "--dataset", "synthetic", "--split", "val", "-j", "1", "-o", str(maps)])
    arguments = ["score", "--dataset", "synthetic", "--split", "val", "--predictions", str(maps), "-j", "1"]
    done = subprocess.run(
        [sys.executable, "-c", TORCH_FREE, *arguments, "--out", str(tmp_path / "run")],
        cwd=Path("/"),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr


def test_python_dash_m_runs_the_same_command(tmp_path):
    done = subprocess.run([sys.executable, "-m", "salbench", "--version"], capture_output=True, text=True, check=True)
    assert done.stdout.startswith("salbench, version 0.")
