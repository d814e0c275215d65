"""pysaliency's own files, folds and models, through ours."""

import numpy as np
import pytest
from PIL import Image

from salbench.datasets import from_arrays
from salbench.datasets.mit1003 import open_mit1003
from salbench.datasets.registry import open_dataset
from salbench.pysaliency_models import from_pysaliency
from salbench.scoring.runner import score

pytestmark = [pytest.mark.peers, pytest.mark.filterwarnings("ignore")]

RNG = np.random.default_rng(11)


@pytest.fixture
def old_numpy(monkeypatch):
    """A name that pysaliency 0.2.22 writes files with, and that NumPy 2 has no longer."""
    monkeypatch.setattr(np, "string_", np.bytes_, raising=False)


@pytest.fixture
def stored(peer, old_numpy, tmp_path):
    """What pysaliency stored, and where."""
    files = []
    for name, size in (("a/001", (40, 60)), ("b/001", (50, 30)), ("b/002", (20, 33))):
        path = tmp_path / "stimuli" / f"{name}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(RNG.integers(0, 256, (*size, 3), dtype=np.uint8)).save(path)
        files.append(str(path))
    stimuli = peer.FileStimuli(files)
    xs, ys, ns = [], [], []
    for n, (height, width) in enumerate(size[:2] for size in stimuli.shapes):
        for length in (1, 4, 7):
            xs.append(RNG.uniform(0, width, length).tolist())
            ys.append(RNG.uniform(0, height, length).tolist())
            ns.append(n)
    trains = peer.FixationTrains.from_fixation_trains(xs, ys, [list(range(len(x))) for x in xs], ns, [0, 1, 2] * 3)
    return stimuli, trains, tmp_path


def as_file_stimuli(stimuli, folder, peer):
    stimuli.to_hdf5(str(folder / "stimuli.hdf5"))


def as_arrays(stimuli, folder, peer):
    peer.Stimuli([np.array(one) for one in stimuli.stimuli]).to_hdf5(str(folder / "stimuli.hdf5"))


@pytest.mark.parametrize("images", [as_file_stimuli, as_arrays])
@pytest.mark.parametrize("kind", ["scanpaths", "fixations"])
def test_its_files_are_read_as_it_reads_them(peer, stored, images, kind):
    """Catches another pixel than `x_int`, `y_int`, another order, viewer or image."""
    stimuli, trains, folder = stored
    images(stimuli, folder, peer)
    written = trains if kind == "scanpaths" else trains[np.arange(len(trains.x))]
    written.to_hdf5(str(folder / "fixations.hdf5"))
    found = open_dataset(folder).stimuli()
    assert len(found) == len(stimuli)
    for n, one in enumerate(found):
        mine = trains.n == n
        own = one.recorded_fixations()
        assert own.columns.tolist() == trains.x_int[mine].tolist()
        assert own.rows.tolist() == trains.y_int[mine].tolist()
        assert own.viewer.tolist() == [str(subject) for subject in trains.subjects[mine]]
        assert np.array_equal(one.image(), stimuli.stimuli[n])


def test_mit1003s_folds_are_deepgazes(peer, tmp_path):
    """Catches another order of files, shuffle, size or number of a fold than the literature's training code has."""
    natsort = pytest.importorskip("natsort")
    names = [f"i{n}{'static' if n % 3 else ''}_{n * 7919 % 101}.jpeg" for n in range(103)] + ["istatic.jpeg"]
    (tmp_path / "ALLSTIMULI").mkdir()
    (tmp_path / "DATA" / "viewer").mkdir(parents=True)
    for name in names:
        Image.new("RGB", (6, 4)).save(tmp_path / "ALLSTIMULI" / name)
    dataset = open_mit1003(tmp_path)
    files = natsort.natsorted(str(tmp_path / "ALLSTIMULI" / name) for name in names)
    stimuli = peer.FileStimuli(files)
    fixations = peer.FixationTrains.from_fixation_trains([[1.0]], [[1.0]], [[0.0]], [0], [0])
    for number in range(10):
        for part, split in (
            ("train", peer.filter_datasets.train_split),
            ("val", peer.filter_datasets.validation_split),
            ("test", peer.filter_datasets.test_split),
        ):
            theirs, _ = split(stimuli, fixations, crossval_folds=10, fold_no=number)
            ours = {one.image_file.name for one in dataset.stimuli(f"deepgaze-{number}-{part}")}
            assert ours == {path.rsplit("/", 1)[1] for path in theirs.filenames}


def test_its_models_are_scored(peer, tmp_path):
    """Catches a log density taken for a mere map: its log-likelihood must be pysaliency's own."""
    images = {f"s{n}": RNG.integers(0, 256, (30 + n, 50, 3), dtype=np.uint8) for n in range(3)}
    points = {name: RNG.integers(0, (50, 30), (9, 2)) for name in images}
    stimuli = peer.Stimuli(list(images.values()))
    every = np.concatenate(list(points.values()))
    fixations = peer.Fixations.create_without_history(
        every[:, 0].astype(float), every[:, 1].astype(float), np.repeat(np.arange(3), 9)
    )
    model = peer.UniformModel()
    run = score(
        from_arrays(images, points), model=from_pysaliency(model, "uniform"), protocol="tuebingen", out=tmp_path / "u"
    )
    assert run.errors == 0
    theirs = model.log_likelihoods(stimuli, fixations).reshape(3, 9).mean(axis=1) / np.log(2)
    assert np.allclose(run.scores["log_likelihood"], theirs, rtol=0, atol=1e-12)


def test_its_saliency_maps_are_scored(peer, tmp_path):
    """Catches a wrapper that has room for densities only: its NSS must be pysaliency's."""
    images = {f"s{n}": RNG.integers(0, 256, (30, 50, 3), dtype=np.uint8) for n in range(3)}
    points = {name: RNG.integers(0, (50, 30), (9, 2)) for name in images}
    model = peer.GaussianSaliencyMapModel()
    wrapped = from_pysaliency(model, "gauss")
    run = score(from_arrays(images, points), model=wrapped, protocol="tuebingen", metrics=["nss"], out=tmp_path / "g")
    every = np.concatenate(list(points.values()))
    fixations = peer.Fixations.create_without_history(
        every[:, 0].astype(float), every[:, 1].astype(float), np.repeat(np.arange(3), 9)
    )
    theirs = model.NSSs(peer.Stimuli(list(images.values())), fixations).reshape(3, 9).mean(axis=1)
    assert np.allclose(run.scores["nss"], theirs, rtol=0, atol=1e-9)
