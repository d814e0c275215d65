"""Curves of trainings."""

import csv

import pytest

from salbench.cli import main
from salbench.curves import draw_curves, write_curve_table, write_curves
from salbench.errors import RunError, UsageError
from salbench.models import TrainedEpoch

EPOCHS = [
    TrainedEpoch(1, "content", {"nss": 0.5, "cc": float("nan")}, 4, None),
    TrainedEpoch(2, "content", {"nss": 1.0, "cc": 0.25}, 8, None),
    TrainedEpoch(3, "adversarial", {"nss": 1.5, "cc": 0.5}, 10, None),
]


def test_the_table_holds_every_figure(tmp_path):
    """Catches rounded figures, a NaN that is written as text, an epoch that is lost."""
    write_curve_table(tmp_path / "c.csv", {"GAN": EPOCHS, "BCE": EPOCHS[:1]})
    rows = list(csv.DictReader((tmp_path / "c.csv").read_text().splitlines()))
    assert [(row["training"], row["epoch"], row["generator_steps"]) for row in rows] == [
        ("GAN", "1", "4"),
        ("GAN", "2", "8"),
        ("GAN", "3", "10"),
        ("BCE", "1", "4"),
    ]
    assert [row["cc"] for row in rows] == ["", "0.25", "0.5", ""]


@pytest.mark.parametrize("metrics", [["nss"], ["nss", "cc", "sim", "emd"]])
def test_any_number_of_panels_and_missing_metrics_are_drawn(tmp_path, metrics):
    """Catches an empty panel that raises or warns: sim and emd were not measured here."""
    write_curves(tmp_path / "c.png", {"GAN": EPOCHS}, metrics)
    assert (tmp_path / "c.png").read_bytes().startswith(b"\x89PNG")


def test_folders_that_are_no_trainings_are_refused(tmp_path):
    with pytest.raises(RunError, match="has no epochs"):
        draw_curves(tmp_path / "c.png", [tmp_path])
    with pytest.raises(UsageError, match="different names"):
        draw_curves(tmp_path / "c.png", [tmp_path], names=["a", "b"])
    with pytest.raises(UsageError, match="unknown metric"):
        draw_curves(tmp_path / "c.png", [tmp_path], metrics=["auc"])
    with pytest.raises(UsageError, match="does not tell"):
        draw_curves(tmp_path / "c.png", [tmp_path], model="centre")
    assert main(["figure", "curves", str(tmp_path), "-o", str(tmp_path / "c.gif")]) == 2
