"""The registry of models: broken plugins of other people."""

from importlib.metadata import EntryPoint

import pytest

from salbench.cli import main
from salbench.errors import DataError, UsageError
from salbench.models import ENTRY_POINT_GROUP, Registry
from salbench.prediction import predict


def registry_of(**values: str) -> Registry:
    return Registry({name: EntryPoint(name, value, ENTRY_POINT_GROUP) for name, value in values.items()})


@pytest.mark.parametrize(
    ("value", "text"),
    [("no_such_package:Model", "no_such_package"), ("json:Nothing", "Nothing"), ("json:dumps", "no card")],
)
def test_a_broken_plugin_is_named(value, text):
    with pytest.raises(DataError, match=f"'broken'.*{text}"):
        registry_of(broken=value).factory("broken")


def test_an_unknown_name_lists_near_and_known_ones():
    with pytest.raises(UsageError, match=r"unknown model 'jason'\. Did you mean json\? Known: json\."):
        registry_of(json="json:dumps").factory("jason")


def test_a_broken_plugin_does_not_take_others_down(monkeypatch, capsys):
    """Catches `list models` and `train --help` ending with somebody else's traceback."""
    import salbench.models

    broken = registry_of(broken="json:Nothing", centre="salbench_models.baselines:Centre")
    monkeypatch.setattr(salbench.models, "registry", lambda: broken)
    monkeypatch.setattr("salbench.training.registry", lambda: broken)
    assert main(["list", "models"]) == 0
    text = capsys.readouterr().out
    assert "cannot be used" in text
    assert "Gaussian" in text
    assert main(["train", "--help"]) == 0


def test_maps_of_a_plugin_are_checked_and_brought_to_the_size_of_the_image(tmp_path):
    """Catches colour pictures and tiny maps written as if they were predictions."""
    import numpy as np

    from salbench.models import ModelCard

    class Odd:
        card = ModelCard(name="odd", title="Odd")

        def predict(self, image):
            return np.zeros((4, 4, 3)) if image.shape[0] == 96 else np.arange(12.0).reshape(3, 4)

    done = predict(Odd(), dataset="synthetic", split="val", form="npy", out=tmp_path)
    assert any("the model's map has shape (4, 4, 3)" in text for text in done.errors.values())
    assert np.load(tmp_path / "val-0001.npy").shape == (120, 160)
