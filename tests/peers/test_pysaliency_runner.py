"""`salbench score --protocol tuebingen` against pysaliency: the whole way from fixations and maps to a row."""

from functools import partial

import numpy as np
import pytest
from peer_scenes import stimuli_of
from test_pysaliency_tuebingen import KEYS, assert_same, theirs

from salbench.datasets.dataset import Dataset
from salbench.datasets.stimulus import Fixations, Stimulus
from salbench.models import ModelCard
from salbench.scoring.runner import score

pytestmark = [pytest.mark.peers, pytest.mark.filterwarnings("ignore")]


class ReadyMaps:
    """The maps of scenes, as a model."""

    card = ModelCard(name="ready", title="Ready maps")

    def __init__(self, maps):
        self.maps = maps

    def predict_stimulus(self, stimulus, context):
        return self.maps[int(stimulus.id)]


def dataset_of(scenes) -> Dataset:
    def stimulus(number: int) -> Stimulus:
        scene = scenes[number]
        fixations = Fixations.of_one_viewer(scene.positions[:, 1], scene.positions[:, 0])
        return Stimulus(str(number), scene.image.shape[:2], partial(np.array, scene.image), lambda: fixations)

    listed = [stimulus(number) for number in range(len(scenes))]
    return Dataset("scenes", "scenes", {"all": lambda: listed}, "all")


@pytest.mark.parametrize("kind", ["smooth", "8-bit"])
@pytest.mark.parametrize("scenes", ["osie_scenes", "unequal_scenes"])
def test_rows_of_a_run_are_pysaliencys(peer, request, scenes, kind, tmp_path, record_property):
    """Catches a runner that hands the protocol other counts, positions or blurs than it says."""
    scenes = request.getfixturevalue(scenes)
    assert len(stimuli_of(peer, scenes)) == len(scenes)
    model = ReadyMaps([scene.maps[kind] for scene in scenes])
    run = score(dataset_of(scenes), model=model, protocol="tuebingen", out=tmp_path / "run")
    assert run.errors == 0
    assert_same({key: run.scores[key].to_numpy() for key in KEYS}, theirs(peer, scenes, kind), record_property)
