"""Models that go wrong in every way: each bad answer costs its own row, which says why, and nothing else."""

import sys

import numpy as np
import pytest

from salbench.datasets.dataset import Dataset
from salbench.datasets.stimulus import Fixations, Stimulus
from salbench.errors import DataError
from salbench.models import ModelCard
from salbench.scoring.runner import score

SIZE = (24, 32)
GOOD = np.add.outer(np.arange(24.0), np.arange(32.0) ** 1.5)


class Named(np.ndarray):
    """An array of a class of its own."""


def read_only():
    values = GOOD.copy()
    values.flags.writeable = False
    return values


def raises(error):
    raise error


ANSWERS = {
    "good": GOOD.copy,
    "raises": lambda: raises(RuntimeError("no CUDA")),
    "leaves": lambda: sys.exit("usage: model.py IMAGE"),
    "runs out of memory": lambda: raises(MemoryError()),
    "stops": lambda: raises(StopIteration()),
    "raises without words": lambda: raises(AssertionError()),
    "nothing": lambda: None,
    "text": lambda: "a map",
    "flat": lambda: np.arange(24.0),
    "three channels": lambda: np.dstack([GOOD] * 3),
    "empty": lambda: np.zeros((0, 32)),
    "objects": lambda: np.array([[None] * 32] * 24),
    "complex": lambda: GOOD * 1j,
    "letters": lambda: np.full(SIZE, "x"),
    "dates": lambda: np.full(SIZE, "2020-01-01", dtype="M8[D]"),
    "one infinity": lambda: np.where(GOOD.max() == GOOD, np.inf, GOOD),
    "one minus infinity": lambda: np.where(GOOD.max() == GOOD, -np.inf, GOOD),
    "huge": lambda: np.broadcast_to(np.float64(1), (50_000, 50_000)),
    "ragged": lambda: [[1.0, 2.0], [3.0]],
    "all NaN": lambda: np.full(SIZE, np.nan),
    "all zero": lambda: np.zeros(SIZE),
    "a list": GOOD.tolist,
    "truth values": lambda: GOOD > 100,
    "read-only": read_only,
    "of another class": lambda: GOOD.view(Named),
    "half": lambda: GOOD.astype(np.float16),
    "other byte order": lambda: GOOD.astype(">f4"),
    "reversed": lambda: GOOD[::-1, ::-1],
    "enormous values": lambda: GOOD * 1e300,
    "negative": lambda: -GOOD,
    "one NaN": lambda: np.where(GOOD == 0, np.nan, GOOD),
    "another size": lambda: GOOD[::2, ::2],
}
REFUSED = {
    "raises": "RuntimeError: no CUDA",
    "leaves": "SystemExit: usage: model.py IMAGE",
    "runs out of memory": "MemoryError",
    "stops": "StopIteration",
    "raises without words": "AssertionError",
    "nothing": "saliency_map",
    "text": "saliency_map",
    "flat": "saliency_map has shape (24,)",
    "three channels": "saliency_map has shape (24, 32, 3)",
    "empty": "saliency_map has shape (0, 32)",
    "objects": "saliency_map has type object",
    "complex": "saliency_map has type complex128",
    "letters": "saliency_map has type <U1",
    "dates": "saliency_map has type datetime64",
    "one infinity": "saliency_map holds 1 infinite values",
    "one minus infinity": "saliency_map holds 1 infinite values",
    "huge": "at most 89,000,000",
    "ragged": "saliency_map",
}
"""What the row of a bad answer has to say."""


class Plugin:
    """Answers by the number in the image."""

    card = ModelCard(name="plugin", title="Plugin")

    def predict(self, image):
        return [*ANSWERS.values()][image[0, 0, 0]]()


def image_of(number):
    return np.full((*SIZE, 3), number, dtype=np.uint8)


def fixations_of():
    return Fixations.of_one_viewer([3, 20, 31, 8], [2, 10, 23, 17])


class Image:
    """The image of a stimulus, in a form that travels to workers."""

    def __init__(self, number):
        self.number = number

    def __call__(self):
        return image_of(self.number)


def stimuli():
    return [Stimulus(name, SIZE, Image(number), fixations_of) for number, name in enumerate(ANSWERS)]


def opened():
    return Dataset("hostile", "Hostile", {"all": stimuli}, "all")


METRICS = ["nss", "auc_judd", "cc", "sim", "kl_divergence", "information_gain"]


@pytest.fixture(scope="module", params=[1, 2])
def rows(request, tmp_path_factory):
    """The scores of all answers, by one process or by two."""
    out = tmp_path_factory.mktemp("plugin") / "run"
    run = score(opened(), model=Plugin(), metrics=METRICS, jobs=request.param, out=out)
    return run.scores.set_index("stimulus")


@pytest.mark.parametrize("name", REFUSED)
def test_a_bad_answer_gets_a_row_that_says_why(rows, name):
    """Catches a run that ends, and a score, for an answer that is no map."""
    assert REFUSED[name] in rows.loc[name, "error"]
    assert rows.loc[name, METRICS].isna().all()


@pytest.mark.parametrize("name", sorted(ANSWERS.keys() - REFUSED.keys()))
def test_an_odd_answer_that_is_a_map_is_scored(rows, name):
    """Catches a refusal of what is a map after all; what a metric does not define is NaN, not an error or infinity."""
    row = rows.loc[name]
    assert row["error"] == ""
    assert not np.isinf(row[METRICS].to_numpy(dtype=float)).any()
    undefined = name in ("all NaN", "all zero", "one NaN")
    assert np.isnan(row["nss"]) == undefined


@pytest.mark.parametrize("name", ["a list", "read-only", "of another class"])
def test_the_same_numbers_get_the_same_scores(rows, name):
    """Catches scores that depend on what the numbers come in."""
    assert rows.loc[name, METRICS].drop("auc_judd").equals(rows.loc["good", METRICS].drop("auc_judd"))


def test_what_the_rows_are_does_not_depend_on_the_number_of_processes(tmp_path):
    """Catches a worker that dies of an answer that one process alone survives."""
    runs = [
        score(opened(), model=Plugin(), metrics=["nss"], jobs=jobs, out=tmp_path / str(jobs)).scores for jobs in (1, 2)
    ]
    assert runs[0].equals(runs[1])


@pytest.mark.parametrize("save_maps", [False, True])
def test_kept_maps_are_those_of_good_answers(tmp_path, save_maps):
    """Catches a pickle written for objects, or half a file, where maps are kept."""
    run = score(opened(), model=Plugin(), metrics=["nss"], out=tmp_path / "run", save_maps=save_maps)
    kept = {path.stem for path in (tmp_path / "run" / "maps").glob("*")} if save_maps else set()
    for name in kept:
        assert np.load(tmp_path / "run" / "maps" / f"{name}.npy", allow_pickle=False).ndim >= 0
    assert run.errors == len(REFUSED)
    assert not save_maps or ANSWERS.keys() - REFUSED.keys() <= kept


class Leaving:
    """A plugin whose loading calls sys.exit, as a script does that wants arguments."""

    card = ModelCard(name="leaving", title="Leaving")

    def load(self):
        sys.exit(3)

    def predict(self, image):
        return image[:, :, 0]


def test_a_plugin_that_leaves_while_it_is_loaded_is_named(tmp_path):
    """Catches a benchmark that ends without a word."""
    with pytest.raises(DataError, match=r"'leaving' cannot be loaded \(SystemExit: 3\)"):
        score(opened(), model=Leaving(), out=tmp_path / "run")
