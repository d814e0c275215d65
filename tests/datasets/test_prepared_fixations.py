"""Prepared fixations: the same as those that they were made of, or not used at all."""

import os

import numpy as np
import pytest
from PIL import Image

from salbench.cli import main
from salbench.datasets.prepared import prepare
from salbench.datasets.registry import open_dataset
from salbench.errors import DataError
from salbench.scoring.runner import score


@pytest.fixture
def folder(tmp_path):
    root = tmp_path / "set"
    rng = np.random.default_rng(0)
    (root / "images").mkdir(parents=True)
    (root / "fixations").mkdir()
    for number in range(4):
        Image.new("RGB", (40, 30)).save(root / "images" / f"s{number}.png")
        rows = [f"{rng.uniform(-3, 43):.17g},{rng.integers(30)},v{i % 3}" for i in range(number * 4)]
        (root / "fixations" / f"s{number}.csv").write_text("\n".join(["x,y,viewer", *rows]) + "\n")
    return root


def spoil_recordings(root):
    """Make every recording unreadable without anything that a fingerprint sees: a prepared file alone can tell."""
    for file in (root / "fixations").iterdir():
        state = file.stat()
        file.write_bytes(b"?" * state.st_size)
        os.utime(file, ns=(state.st_atime_ns, state.st_mtime_ns))


def test_the_fixations_are_the_same_to_the_last_bit(folder):
    """Catches rounded positions, viewers in another order, and fixations outside that are lost."""
    before = {one.id: one.recorded_fixations() for one in open_dataset(folder).stimuli()}
    prepare(open_dataset(folder), folder)
    spoil_recordings(folder)
    for one in open_dataset(folder).stimuli():
        after, wanted = one.recorded_fixations(), before[one.id]
        assert np.array_equal(after.x, wanted.x)
        assert np.array_equal(after.y, wanted.y)
        assert after.viewer.astype(str).tolist() == wanted.viewer.astype(str).tolist()


@pytest.mark.parametrize("jobs", [1, 2])
def test_a_run_is_the_same_run(folder, tmp_path, jobs):
    """Catches a digest of fixations, or a score, that depends on how they were read; workers map the file too."""
    plain = score(folder, model="centre", metrics=["nss", "cc"], out=tmp_path / "plain")
    prepare(open_dataset(folder), folder)
    spoil_recordings(folder)
    again = score(folder, model="centre", metrics=["nss", "cc"], jobs=jobs, out=tmp_path / "again")
    assert again.scores.equals(plain.scores)
    assert again.manifest["inputs"] == plain.manifest["inputs"]


@pytest.mark.parametrize(
    "change",
    [
        lambda root: (root / "fixations" / "s3.csv").write_text("x,y\n7,7\n"),
        lambda root: (root / ".salbench" / "fixations-set.arrow").write_bytes(b"ARROW1 and nothing more"),
        lambda root: (root / ".salbench" / "fixations-set.arrow").write_bytes(b""),
        lambda root: Image.new("RGB", (9, 9)).save(root / "images" / "s9.png"),
    ],
)
def test_a_file_that_does_not_fit_is_not_used(folder, change):
    """Catches old fixations under new data, and a damaged file that ends everything."""
    prepare(open_dataset(folder), folder)
    change(folder)
    stimuli = {one.id: one for one in open_dataset(folder).stimuli()}
    assert len(stimuli["s3"].recorded_fixations()) in (1, 12)
    if (folder / "fixations" / "s3.csv").read_text() == "x,y\n7,7\n":
        assert stimuli["s3"].recorded_fixations().x.tolist() == [7.0]


def test_a_recording_that_cannot_be_read_still_tells_why(folder, capsys):
    """Catches an empty record in the place of a damaged one."""
    (folder / "fixations" / "s2.csv").write_text("x,y\none,two\n")
    assert main(["data", "prepare", "--dataset", str(folder)]) == 1
    assert "FAULT: s2" in capsys.readouterr().out
    stimuli = {one.id: one for one in open_dataset(folder).stimuli()}
    with pytest.raises(DataError, match=r"s2\.csv"):
        stimuli["s2"].recorded_fixations()
    assert len(stimuli["s1"].recorded_fixations()) == 4
    assert main(["data", "prepare", "--dataset", "synthetic"]) == 2


def test_a_link_that_leads_nowhere_costs_nothing(folder, tmp_path):
    """Catches a stray link anywhere in the folder that keeps everybody from preparing, and then from scoring."""
    (folder / "images" / "gone.txt").symlink_to(tmp_path / "no such file")
    prepare(open_dataset(folder), folder)
    spoil_recordings(folder)
    assert all(len(one.recorded_fixations()) == 4 * number for number, one in enumerate(open_dataset(folder).stimuli()))
