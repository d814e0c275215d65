"""Which recorded fixations count: whose, from which on, and what becomes of those outside; and that a run tells so."""

import json
import shutil
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pytest
from PIL import Image

from salbench.cli import main
from salbench.datasets.dataset import Dataset
from salbench.datasets.ground_truth import FixationRules
from salbench.datasets.prepared import prepare
from salbench.datasets.registry import open_dataset
from salbench.datasets.stimulus import Fixations
from salbench.errors import UsageError
from salbench.models import ModelCard
from salbench.scoring.run_folder import open_run
from salbench.scoring.runner import score
from salbench.training import train
from salbench.verification import verify

SIZE = (10, 20)


@dataclass(frozen=True)
class NoOptions:
    """The configuration of a model that has none."""


def recorded():
    """Two viewers in turn; a's first is outside, b's second too, and nobody knows where a's last was."""
    points = [(-5, 3), (1, 1), (2, 2), (25, 12), (3, 3), (np.nan, 4)]
    x, y = np.array(points, dtype=float).T
    return Fixations(x, y, np.array(["a", "b", "a", "b", "b", "a"]))


def counted(**rules):
    """(column, row) of what counts, in order."""
    kept = FixationRules(**rules).applied(recorded(), SIZE).within(SIZE)
    return [(column, row) for row, column in kept.positions.tolist()]


def test_everything_in_the_frame_counts_by_default():
    """Catches rules that change what nobody asked them to."""
    assert counted() == [(1, 1), (2, 2), (3, 3)]
    assert len(FixationRules().applied(recorded(), SIZE)) == 6


def test_the_first_of_each_viewer_is_dropped_though_it_is_outside():
    """Catches one first fixation in all instead of one a viewer, and the first inside the frame taken for the first."""
    assert counted(first="dropped") == [(2, 2), (3, 3)]


def test_clamped_fixations_lie_on_the_nearest_pixel():
    """Catches x clamped to the height, a frame that ends one pixel late, and an unknown place made known."""
    assert counted(outside="clamped") == [(0, 3), (1, 1), (2, 2), (19, 9), (3, 3)]


def test_viewers_are_chosen_before_their_first_is_dropped():
    """Catches the two rules in the other order where they are not the same, and another viewer's fixations."""
    assert counted(viewers=("b",), first="dropped", outside="clamped") == [(19, 9), (3, 3)]
    assert counted(viewers=("a", "nobody")) == [(2, 2)]


@pytest.mark.parametrize("wrong", [{"first": "doubled"}, {"outside": "mirrored"}, {"viewers": ()}])
def test_a_rule_that_there_is_not_is_refused(wrong):
    """Catches a misspelt rule that is passed over in silence."""
    with pytest.raises(UsageError):
        FixationRules(**wrong)


def test_rules_come_back_from_their_record():
    """Catches a run that is verified by other rules than it was scored by."""
    for rules in (FixationRules(), FixationRules(("a", "b"), "dropped", "clamped")):
        assert FixationRules.recorded(json.loads(json.dumps(rules.record()))) == rules


@pytest.fixture
def folder(tmp_path):
    """A data set of six generated stimuli with fixations outside the frame."""
    root = tmp_path / "set"
    (root / "fixations").mkdir(parents=True)
    (root / "images").mkdir()
    rng = np.random.default_rng(3)
    for number in range(6):
        Image.fromarray(rng.integers(0, 256, (30, 40, 3), dtype=np.uint8)).save(root / "images" / f"s{number}.png")
        rows = [f"{x:.3f},{y:.3f},v{i % 3}" for i, (x, y) in enumerate(rng.uniform((-6, -6), (46, 36), (24, 2)))]
        (root / "fixations" / f"s{number}.csv").write_text("\n".join(["x,y,viewer", *rows]) + "\n")
    return root


def test_options_reach_the_score_and_the_run_tells_of_them(folder, tmp_path, capsys):
    """Catches options that are recorded and not used, or used and not recorded."""
    options = ["--viewers", "v0, v2", "--first-fixation", "dropped", "--outside", "clamped"]
    out = tmp_path / "ruled"
    assert main(["score", "--dataset", str(folder), "--model", "centre", "-o", str(out), "--jobs", "1", *options]) == 0
    manifest = json.loads((out / "run.json").read_text())
    wanted = {"viewers": ["v0", "v2"], "first_fixation": "dropped", "outside": "clamped"}
    assert manifest["dataset"]["fixations"] == wanted
    # 24 fixations, 8 a viewer: two viewers without their first, everything inside.
    summary = open_run(out).summary
    assert (summary["fixations"], summary["fixations_outside"]) == (6 * 2 * 7, 0)
    plain = score(folder, model="centre", out=tmp_path / "plain")
    assert plain.manifest["dataset"]["fixations"]["viewers"] == "all"
    assert plain.manifest["inputs"]["fixations"] != manifest["inputs"]["fixations"]


def test_a_run_is_verified_by_its_own_rules(folder, tmp_path):
    """Catches a verification that counts fixations which the run did not: every check sum and row would differ."""
    ruled = open_dataset(folder).with_rules(first="dropped", outside="clamped")
    run = score(ruled, model="centre", save_maps=True, out=tmp_path / "ruled")
    assert verify(run.path, dataset=folder, sample=None).faults == ()


def test_prepared_fixations_are_those_before_the_rules(folder):
    """Catches a prepared file that has the rules of its day worked in, and lacks what another rule asks for."""
    dataset = open_dataset(folder)
    prepare(dataset.with_rules(first="dropped", viewers=("v1",)), folder)
    shutil.rmtree(folder / "fixations")
    (folder / "fixations").mkdir()
    with pytest.MonkeyPatch.context() as patched:  # the folder's fingerprint has changed: take it as it was
        patched.setattr("salbench.datasets.prepared.fingerprint", lambda root: _stored_fingerprint(folder))
        (first, *_) = open_dataset(folder).stimuli()
        assert len(first.recorded_fixations()) == 24


def _stored_fingerprint(folder):
    (file,) = (folder / ".salbench").glob("*.arrow")
    with pa.ipc.open_file(pa.memory_map(str(file))) as opened:
        return json.loads(opened.schema.metadata[b"salbench"])["folder"]


def test_unknown_viewers_are_told_who_there_is(folder, capsys):
    """Catches a run of no fixations at all that ends well, with nan in every row."""
    assert main(["score", "--dataset", str(folder), "--model", "centre", "--jobs", "1", "--viewers", "w0"]) == 2
    assert "v0, v1, v2" in capsys.readouterr().err


def test_first_fixations_need_an_order(tmp_path):
    """Catches a first fixation dropped of viewers who were never told apart, which would drop any one."""
    pooled = Dataset("pooled", "Pooled", {"all": list}, "all", scanpaths=False)
    for rules in ({"first": "dropped"}, {"viewers": ("1",)}):
        with pytest.raises(UsageError, match="pooled does not tell"):
            pooled.with_rules(**rules)
    assert pooled.with_rules(outside="clamped", first="kept").rules.outside == "clamped"


def test_a_training_goes_by_the_rules_and_goes_on_only_with_the_same(folder, tmp_path, monkeypatch):
    """Catches maps that are trained on fixations which do not count, and a training continued on other maps."""
    jobs = []

    class Noting:
        card = ModelCard("noting", "Noting")
        config_class = NoOptions

        def train(self, job, config):
            jobs.append(job)
            return tmp_path

    monkeypatch.setattr("salbench.training.trainable", lambda name: Noting())
    plain = open_dataset(folder)
    ruled = plain.with_rules(first="dropped", outside="clamped")
    for dataset in (plain, ruled):
        train("noting", dataset, out=tmp_path / "training")
    recipes = [job.ground_truth_recipe for job in jobs]
    assert "dropped" not in recipes[0]
    assert all(word in recipes[1] for word in (recipes[0], "first='dropped'", "outside='clamped'"))
    maps = [job.ground_truth(job.train[0]) for job in jobs]
    assert not np.array_equal(*maps)
