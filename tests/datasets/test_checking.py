"""`salbench data check` and `info`: what is counted and what is a fault."""

import pytest
from PIL import Image

from salbench.cli import main
from salbench.datasets.checking import EXPECTED, check
from salbench.datasets.describing import describe
from salbench.datasets.folder import open_folder
from salbench.datasets.registry import DATASETS
from salbench.errors import UsageError


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "images").mkdir()
    (tmp_path / "fixations").mkdir()
    for name, rows in {"a": "1,1\n5,5\n99,1\n", "b": "", "c": "2,2\n"}.items():
        Image.new("RGB", (20, 10)).save(tmp_path / "images" / f"{name}.png")
        (tmp_path / "fixations" / f"{name}.csv").write_text(f"x,y\n{rows}")
    return tmp_path


def test_counts_are_no_faults(folder):
    """Catches fixations outside, or an image that nobody looked at, told as damage."""
    found = check(open_folder(folder))
    assert (found.stimuli, found.fixations, found.outside, found.without, found.counted) == (3, 3, 1, 1, 0)


def test_damage_is_named_and_costs_no_other(folder, capsys):
    """Catches a check that stops at the first fault, or looks at headers where it should decode."""
    (folder / "fixations" / "a.csv").write_text("x,y\none,two\n")
    Image.effect_noise((200, 100), 50).save(folder / "images" / "c.png")
    whole = (folder / "images" / "c.png").read_bytes()
    (folder / "images" / "c.png").write_bytes(whole[: len(whole) // 2])
    assert [fault.split(":")[0] for fault in check(open_folder(folder)).faults] == ["a"]
    assert [fault.split(":")[0] for fault in check(open_folder(folder), images=True).faults] == ["a", "c"]
    assert main(["data", "check", "--dataset", str(folder)]) == 1
    shown = capsys.readouterr().out
    assert "FAULT: a: " in shown
    assert "3 stimuli" in shown


@pytest.mark.data
def test_osie_lies_as_it_should(salbench_data):
    """Catches expected counts that no real data set has."""
    from salbench.datasets.registry import open_dataset

    found = check(open_dataset("osie-eye", salbench_data / "datasets" / "osie"))
    assert (found.stimuli, found.counted) == (700, 0)


@pytest.mark.parametrize("key", DATASETS)
def test_every_data_set_tells_of_itself(key):
    """Catches a data set without citation, layout or a word on its fixations, and counts of splits that it has not."""
    lines = describe(key)
    assert set(EXPECTED.get(key, {})) <= set(DATASETS[key].splits)
    told = dict(line.split(": ", 1) for line in lines if ": " in line and not line.startswith(" "))
    assert len(told["fixations"]) > 5
    assert "how its files lie:" in lines
    assert len(lines[lines.index("how its files lie:") + 1 :]) > 1
    assert told["citation"] != "none" or key == "synthetic"


def test_an_unknown_data_set_gets_the_near_names():
    with pytest.raises(UsageError, match="mit1003"):
        describe("mit103")
