"""Probabilistic models through the runner: exact bits, maps by metric, and what is no log density."""

from pathlib import Path

import numpy as np
import pytest
from small_sets import make_maps, make_set

from salbench.cli import main
from salbench.datasets.folder import open_folder
from salbench.densities import CentrePriorFit, centre_prior
from salbench.errors import UsageError
from salbench.models import ModelCard
from salbench.prediction import predict
from salbench.scoring.runner import score


@pytest.fixture(scope="module")
def data(tmp_path_factory) -> Path:
    return make_set(tmp_path_factory.mktemp("log-density") / "set", count=5, fixations=30)


class Spread:
    """A log density that is uniform but for one corner of probability `corner`."""

    card = ModelCard(name="spread", title="Spread", log_density=True)

    def __init__(self, corner: float | None = None) -> None:
        self.corner = corner

    def predict(self, image: np.ndarray) -> np.ndarray:
        density = np.full(image.shape[:2], 1 / (image.shape[0] * image.shape[1]))
        if self.corner is not None:
            density[0, 0] = self.corner
            density.ravel()[1:] = (1 - self.corner) / (density.size - 1)
        with np.errstate(divide="ignore"):
            return np.log(density)


def test_likelihood_and_gain_are_exact_bits(data, tmp_path):
    """By hand: log2 of one over the pixels; the gain is that less the prior's, each fixation counting."""
    run = score(data, model=Spread(), protocol="tuebingen", out=tmp_path / "run")
    prior_run = score(data, model="centre-prior-cv", protocol="tuebingen", out=tmp_path / "prior")
    stimuli = list(open_folder(data).stimuli())
    prior = CentrePriorFit(**prior_run.manifest["model"]["parameters"])
    for place, stimulus in enumerate(stimuli):
        assert run.scores["log_likelihood"][place] == pytest.approx(-np.log2(np.prod(stimulus.size)), abs=1e-12)
        counts = np.zeros(stimulus.size)
        for other in stimuli:
            if other.id != stimulus.id:
                ratio = np.array(stimulus.size) / other.size
                for position in other.fixations().positions:
                    counts[tuple((position * ratio).astype(int))] += 1
        positions = stimulus.fixations().positions
        expected = centre_prior(counts, prior)[positions[:, 0], positions[:, 1]].mean() / np.log(2)
        assert prior_run.scores["log_likelihood"][place] == pytest.approx(expected, abs=1e-9)
        gain = run.scores["log_likelihood"][place] - expected
        assert run.scores["information_gain"][place] == pytest.approx(gain, abs=1e-9)
    assert prior_run.scores["information_gain"].to_numpy() == pytest.approx(np.zeros(5), abs=1e-12)


def test_mit300_counts_a_fixated_pixel_once_and_keeps_its_own_gain(data, tmp_path):
    run = score(data, model=Spread(0.1), out=tmp_path / "run")
    assert run.manifest["metrics"][:6] == [
        "auc_judd",
        "auc_borji",
        "auc_shuffled",
        "nss",
        "information_gain",
        "log_likelihood",
    ]
    stimulus = open_folder(data).stimuli()[0]
    fixated = np.argwhere(stimulus.fixation_map())
    logs = Spread(0.1).predict(stimulus.image())
    assert run.scores["log_likelihood"][0] == pytest.approx(logs[fixated[:, 0], fixated[:, 1]].mean() / np.log(2))
    assert "centre prior" in run.manifest["protocol"]["ig_baseline"]


def test_a_folder_of_log_densities_scores_as_the_model_that_made_it(data, tmp_path):
    predict("centre-prior-cv", dataset=data, out=tmp_path / "logs", form="npy")
    ready = score(data, predictions=tmp_path / "logs", log_density=True, out=tmp_path / "ready")
    made = score(data, model="centre-prior-cv", out=tmp_path / "made")
    assert ready.scores.equals(made.scores)
    predict("centre-prior-cv", dataset=data, out=tmp_path / "pictures", form="png")
    pictures = score(data, predictions=tmp_path / "pictures", metrics=["cc"], out=tmp_path / "pictured")
    same = score(data, model="centre-prior-cv", metrics=["cc"], out=tmp_path / "same")
    assert pictures.scores["cc"].to_numpy() == pytest.approx(same.scores["cc"].to_numpy(), abs=5e-3)


def test_each_metric_can_have_its_own_map(data, tmp_path):
    """Catches an option that changes nothing, and a gain that stays MIT's."""
    same = score(data, model="gold-standard-cv", out=tmp_path / "same")
    own = score(data, model="gold-standard-cv", maps="metric-specific", out=tmp_path / "own")
    assert own.scores["nss"].equals(same.scores["nss"])
    for key in ("auc_shuffled", "sim", "cc", "kl_divergence", "emd", "information_gain"):
        assert not own.scores[key].equals(same.scores[key]), key
    assert own.manifest["protocol"]["maps"] == "metric-specific"
    assert "cross-validation" in own.manifest["protocol"]["ig_baseline"]
    two = score(data, model="gold-standard-cv", maps="metric-specific", jobs=2, out=tmp_path / "two")
    assert two.scores.equals(own.scores)


def test_mere_maps_leave_no_choice(data, tmp_path):
    maps = make_maps(tmp_path / "maps", count=5)
    with pytest.raises(UsageError, match="mere maps"):
        score(data, model="centre", maps="metric-specific", out=tmp_path / "run")
    with pytest.raises(UsageError, match="log_likelihood"):
        score(data, predictions=maps, metrics=["log_likelihood"], out=tmp_path / "run")
    with pytest.raises(UsageError, match="choice of maps"):
        score(data, model="centre-prior-cv", maps="best", out=tmp_path / "run")
    with pytest.raises(UsageError, match="says itself"):
        score(data, model="centre", log_density=True, out=tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_what_is_no_log_density_is_told_in_its_row(data, tmp_path):
    maps = make_maps(tmp_path / "maps", count=5)
    run = score(data, predictions=maps, log_density=True, metrics=["nss"], out=tmp_path / "run")
    assert run.errors == 5
    assert "logarithms" in run.scores["error"][0]


def test_a_fixation_of_probability_zero_is_told(tmp_path):
    """Catches a mean of minus infinity, and one that leaves such images out silently."""
    data = make_set(tmp_path / "set", count=3, fixations=2)
    (data / "fixations" / "s0.csv").write_text("x,y,viewer\n0,0,1\n5,5,2\n")
    run = score(data, model=Spread(0.0), protocol="tuebingen", out=tmp_path / "run")
    assert run.errors == 1
    assert "probability 0" in run.scores["error"][0]


def test_the_command_takes_log_densities(data, tmp_path, capsys):
    predict("centre-prior-cv", dataset=data, out=tmp_path / "logs", form="npy")
    options = ["--predictions", str(tmp_path / "logs"), "--log-density", "--maps", "metric-specific"]
    words = ["score", "--dataset", str(data), *options, "--metrics", "log_likelihood,nss", "--out", str(tmp_path / "r")]
    assert main([*words, "--jobs", "1"]) == 0
    assert "LL" in capsys.readouterr().out
