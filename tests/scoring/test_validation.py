"""The validation of a training: the same rows by any number of processes, which end with it."""

import multiprocessing
import os
import signal
import subprocess
import sys
import textwrap
import time
from dataclasses import replace

import cv2
import numpy as np
import pytest

from salbench.array_cache import open_cache
from salbench.datasets.registry import open_dataset
from salbench.errors import DataError, RunError, UsageError
from salbench.models import ModelCard
from salbench.progress import Silent
from salbench.protocols import find_protocol
from salbench.scoring.fixated_pixels import read_fixations
from salbench.scoring.stimulus_score import ModelSource, StimulusScorer, numbered
from salbench.scoring.validation import KeptImages, Validator

CARD = ModelCard(name="red", title="red")


class Notes(Silent):
    def __init__(self):
        self.notes = []

    def note(self, text):
        self.notes.append(text)


def red(image):
    return cv2.GaussianBlur(image[..., 0].astype(np.float32), (0, 0), 3)


class Red:
    card = CARD

    def predict(self, image):
        return red(image)


@pytest.fixture(scope="module")
def stimuli():
    return list(open_dataset("synthetic").stimuli("val"))[:5]


def unreadable():
    raise DataError("images/1.png: cannot be read")


def unreadable_fixations():
    raise DataError("fixations/2.txt: cannot be read")


@pytest.fixture(scope="module")
def mixed(stimuli):
    """Good stimuli, one without a readable image, one without readable fixations."""
    changed = list(stimuli)
    changed[1] = replace(stimuli[1], image_source=unreadable)
    changed[2] = replace(stimuli[2], fixation_source=unreadable_fixations)
    return changed


def choosy(image):
    if image.shape[:2] == (108, 144):
        raise ZeroDivisionError("no map of this")
    return red(image)


def rows_of_a_score(stimuli, model):
    """As `salbench score` makes them, the model predicting in the scorer."""
    protocol, cache = find_protocol("mit300"), open_cache()
    pixels = read_fixations(stimuli, Silent(), cache, protocol).pixels
    source = ModelSource(given=model)
    scorer = StimulusScorer(pixels, source, protocol.key, protocol.choose(None), None, 3, cache=cache)
    return [scorer.row(one) for one in numbered(stimuli)]


@pytest.mark.parametrize("jobs", [1, 2, 3])
def test_rows_do_not_depend_on_the_number_of_processes(mixed, jobs):
    """Catches another seed, order, truth or error text in a worker: every bit is that of a score in one process.

    The second time images come from memory, and the workers are new ones.
    """

    class Choosy:
        card = CARD
        predict = staticmethod(choosy)

    wanted = rows_of_a_score(mixed, Choosy())
    validate = Validator(mixed, None, 3, jobs, Silent())
    for _ in range(2):
        rows = validate.rows(choosy)
        assert repr(rows) == repr(wanted)
    assert [bool(row.error) for row in rows] == [False, True, True, True, False]
    assert multiprocessing.active_children() == []


@pytest.mark.parametrize("jobs", [1, 2])
def test_what_cannot_be_scored_is_named_once_and_left_out(stimuli, mixed, jobs):
    """Catches a mean over NaN, a stimulus that vanishes in silence, and the same note after every epoch."""
    progress = Notes()
    validate = Validator(mixed, None, 3, jobs, progress)
    means = validate(red)
    assert validate(red) == means
    scored = [row for row in rows_of_a_score(mixed, Red()) if not row.error]
    assert len(scored) == 3
    assert means["nss"] == np.mean([row.scores["nss"] for row in scored])
    assert progress.notes == [
        f"validation leaves out {stimuli[1].id}: images/1.png: cannot be read",
        f"validation leaves out {stimuli[2].id}: fixations/2.txt: cannot be read",
    ]


def test_nothing_to_score_is_an_error(stimuli):
    """Catches epochs that are compared by nothing."""
    validate = Validator(stimuli[:2], None, 0, 1, Silent())
    with pytest.raises(DataError, match=r"no validation stimulus could be scored; the first: ZeroDivisionError"):
        validate(lambda image: 1 / 0)


def test_a_worker_that_dies_is_told(stimuli):
    """Catches a validation that waits for ever for a worker that the system killed, and one that goes on without."""

    def killing(image):
        for worker in multiprocessing.active_children():
            os.kill(worker.pid, signal.SIGKILL)
        return red(image)

    validate = Validator(stimuli * 4, None, 0, 2, Silent())
    with pytest.raises(RunError, match="a worker process died"):
        validate(killing)
    assert multiprocessing.active_children() == []


SCRIPT = """
    import os, sys, time
    from salbench.datasets.registry import open_dataset
    from salbench.progress import Silent
    from salbench.scoring.validation import Validator

    def slow(image):
        print("predicting", flush=True)
        time.sleep(0.05)
        return image[..., 0]

    if __name__ == "__main__":
        stimuli = list(open_dataset("synthetic").stimuli("val"))
        Validator(stimuli, None, 0, 2, Silent()).rows(slow)
"""


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGINT])
def test_workers_leave_with_a_training_that_is_ended(tmp_path, how):
    """Catches orphans that wait for maps for ever, after kill -9 and after Ctrl-C in a terminal."""
    (tmp_path / "validate.py").write_text(textwrap.dedent(SCRIPT))
    process = subprocess.Popen(
        [sys.executable, "validate.py"],
        cwd=tmp_path,
        start_new_session=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    )
    for _ in range(6):  # the workers are there, and have work
        assert process.stdout.readline() == b"predicting\n"
    if how == signal.SIGKILL:
        process.kill()
    else:
        os.killpg(process.pid, signal.SIGINT)
    process.wait(timeout=30)
    deadline = time.monotonic() + 30
    while group_alive(process.pid):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    process.stdout.close()


def group_alive(group):
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return False
    return True


def test_images_stay_in_memory_within_the_bound(stimuli):
    """Catches images that are decoded in every epoch, memory without a bound, and a kept image that a model changed."""
    reads = []

    def counted(stimulus):
        def read():
            reads.append(stimulus.id)
            return stimulus.image()

        return replace(stimulus, image_source=read)

    first, second = (counted(stimulus) for stimulus in stimuli[:2])
    images = KeptImages(first.image().nbytes)
    reads.clear()
    for _ in range(3):
        found = [images.of(first), images.of(second)]
        for image, stimulus in zip(found, stimuli, strict=False):
            assert np.array_equal(image, stimulus.image())
        found[0][:] = 0
    assert reads == [first.id, second.id, second.id, second.id]


def test_no_processes_are_no_number_of_jobs(tmp_path):
    """Catches a training that begins with workers that cannot be."""
    from salbench.training import train

    with pytest.raises(UsageError, match="jobs is 0; wanted: at least 1"):
        train("salgan", "synthetic", jobs=0, out=tmp_path / "out")
    assert not (tmp_path / "out").exists()


class OutOfMemoryError(RuntimeError):
    """As torch names what it raises where a GPU's memory does not do."""


@pytest.mark.parametrize("jobs", [1, 2])
def test_lack_of_memory_is_no_validation(stimuli, jobs):
    """Catches epochs compared by means over whatever a full GPU left: the three good rows here would be one."""

    def full(image):
        if np.array_equal(image, stimuli[1].image()):
            raise OutOfMemoryError("CUDA out of memory")
        return red(image)

    validate = Validator(stimuli[:4], None, 0, jobs, Silent())
    with pytest.raises(RunError, match=rf"validation of {stimuli[1].id} failed: .*CUDA out of memory.*same command"):
        validate(full)


def test_stimuli_that_fail_in_one_epoch_alone_end_it(stimuli, mixed):
    """Catches a best epoch chosen by means over other stimuli, both ways round."""
    validate = Validator(mixed, None, 0, 1, Silent())
    validate(red)
    with pytest.raises(RunError, match=rf"validation of {stimuli[3].id} was otherwise before; it cannot be scored: Ze"):
        validate(choosy)
    validate = Validator(mixed, None, 0, 1, Silent())
    validate(choosy)
    with pytest.raises(RunError, match=rf"validation of {stimuli[3].id} was otherwise before; it can be scored now"):
        validate(red)


def test_a_cache_that_is_deleted_costs_no_validation(stimuli):
    """Catches a training that ends at its next validation, whose new workers map what somebody has removed."""
    validate = Validator(stimuli, None, 0, 2, Silent())
    means = validate(red)
    file = validate.work.scorer.pixels.file
    stored = file.read_bytes()
    file.unlink()
    assert validate(red) == means
    assert file.read_bytes() == stored
    os.utime(file, (0, 0))
    validate(red)
    assert file.stat().st_mtime > 1e9
