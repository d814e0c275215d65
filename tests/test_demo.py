"""The demo's line, with a training too short to learn anything: that SalGAN learns is for `salbench demo` itself."""

import pytest

from salbench import demo
from salbench.datasets import synthetic
from salbench.progress import Silent


@pytest.fixture
def result(tmp_path, monkeypatch):
    monkeypatch.setitem(demo.TRAINING, "epochs", 1)
    monkeypatch.setitem(demo.TRAINING, "size", "16x16")
    monkeypatch.setitem(demo.TRAINING, "batch", 16)
    monkeypatch.setattr(synthetic, "SPLIT_SIZES", {"train": 16, "val": 4, "test": demo.PICTURES})
    return demo.run_demo(tmp_path / "demo", Silent())


def test_the_demo_leaves_table_picture_checkpoint_and_runs(result, tmp_path):
    for name in ("SalGAN", "Centre", "Gold standard"):
        assert name in result.table
    assert "\\begin{table" in result.latex.read_text()
    assert result.picture.read_bytes().startswith(b"\x89PNG")
    assert result.checkpoint.name == "salgan.safetensors"
    assert {path.name for path in (tmp_path / "demo" / "runs").iterdir()} == {"salgan", "centre", "gold-standard"}


def test_the_verdict_compares_with_the_centre():
    figures = {"table": "", "latex": None, "picture": None, "checkpoint": None}
    assert demo.DemoResult(**figures, salgan_nss=0.6, centre_nss=0.5).learned
    assert not demo.DemoResult(**figures, salgan_nss=0.4, centre_nss=0.5).learned
