"""The picture after each epoch."""

import logging
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest

from salbench.errors import DataError
from salbench_models.salgan.samples import MOST_PIXELS, SAMPLES, SamplePictures, quiet_matplotlib, readable

from .scenes import SIZE, scene, scenes


def grey(image):
    return image[..., 0]


def unreadable():
    raise DataError("images/0.png: cannot be read")


def test_columns_are_image_truth_and_map_of_the_first_stimuli(make_job, tmp_path, monkeypatch):
    """Catches exchanged columns, other stimuli from epoch to epoch, and images that are read for every picture."""
    grids, reads = [], []
    monkeypatch.setattr("salbench.figures.write_grid", lambda path, headings, rows: grids.append((headings, rows)))
    stimuli = [replace(s, image_source=lambda s=s: reads.append(s.id) or scene(int(s.id))) for s in scenes(6)]
    job = make_job(tmp_path, train=stimuli[3:], validation=stimuli)
    pictures = SamplePictures(job, 4)
    for epoch in (1, 2):
        assert pictures.write(epoch, grey) == tmp_path / SAMPLES / f"epoch-{epoch:03}.png"
    assert reads == ["0", "1", "2", "3"]
    for headings, rows in grids:
        assert headings == ("image", "ground truth", "map")
        for number, row in enumerate(rows):
            assert np.array_equal(row.image, scene(number))
            assert np.allclose(row.maps[0], job.ground_truth(stimuli[number]))
            assert np.array_equal(row.maps[1], grey(scene(number)))


def test_stimuli_that_cannot_be_read_are_passed_over(make_job, tmp_path):
    """Catches a picture that fails for one bad file, and a training without validation that has none."""
    bad = [replace(s, image_source=unreadable) if s.id == "0" else s for s in scenes(3)]
    good = readable(make_job(tmp_path, validation=bad), 4)
    assert len(good) == 2
    assert all(np.array_equal(one.image, scene(number)) for number, one in enumerate(good, 1))
    from_training = readable(make_job(tmp_path, train=scenes(6)[4:], validation=bad[:1]), 4)
    assert len(from_training) == 2
    assert np.array_equal(from_training[0].image, scene(4))
    with pytest.raises(DataError, match="no stimulus can be read"):
        readable(make_job(tmp_path, train=bad[:1], validation=()), 4)


def test_large_photographs_are_kept_small(make_job, tmp_path):
    """Catches hundreds of megabytes that are kept for a picture, and a truth that no longer lies on its image."""
    large = replace(scenes(1)[0], image_source=lambda: np.repeat(np.repeat(scene(0), 30, axis=0), 30, axis=1))
    shown = readable(make_job(tmp_path, train=[large], validation=()), 1)[0]
    assert shown.image.shape == (round(MOST_PIXELS * SIZE[0] / SIZE[1]), MOST_PIXELS, 3)


def test_a_failing_picture_is_told_once(make_job, tmp_path):
    """Catches a training that dies of a picture, here since its folder is a file, and a note for every epoch."""
    (tmp_path / SAMPLES).touch()
    job = make_job(tmp_path)
    pictures = SamplePictures(job, 2)
    assert [pictures.write(epoch, grey) for epoch in (1, 2)] == [None, None]
    assert len(job.progress.notes) == 1
    assert job.progress.notes[0].startswith("no picture of epoch 1 (RunError: ")


def test_ctrl_c_is_no_failing_picture(make_job, tmp_path):
    """Catches Ctrl-C that is told as a note."""

    def interrupted(image):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        SamplePictures(make_job(tmp_path), 1).write(1, interrupted)


def test_what_a_killed_picture_left_is_removed(make_job, tmp_path):
    """Catches half-written pictures that stay for ever; a file of another kind is not ours."""
    (tmp_path / SAMPLES).mkdir()
    for name in (".epoch-001.png.0123abcd.tmp", ".notes.0123abcd.tmp"):
        (tmp_path / SAMPLES / name).touch()
    assert SamplePictures(make_job(tmp_path), 1).write(2, grey) is not None
    assert {path.name for path in (tmp_path / SAMPLES).iterdir()} == {"epoch-002.png", ".notes.0123abcd.tmp"}


def test_a_picture_costs_little(make_job, tmp_path, monkeypatch):
    """Catches a picture that takes a good part of an epoch: stimuli and truths that are read for each, more maps than
    there are rows, and a folder that is looked through every time."""
    monkeypatch.setattr("salbench.figures.write_grid", lambda *_: None)
    reads, predicted = [], []
    job = make_job(tmp_path, validation=scenes(4))
    truth = job.ground_truth
    pictures = SamplePictures(replace(job, ground_truth=lambda one: reads.append(one.id) or truth(one)), 3)
    for epoch in (1, 2):
        assert pictures.write(epoch, lambda image: predicted.append(image.shape) or grey(image)) is not None
    assert reads == ["0", "1", "2"]
    assert predicted == [(*SIZE, 3)] * 6


def test_matplotlib_says_nothing(tmp_path):
    """Catches its font cache, which a first use on a machine announces, amid a training's output.

    Its folder cannot be written, so it would complain when it is imported, and builds that cache.
    """
    script = (
        "import logging\nfrom salbench_models.salgan.samples import quiet_matplotlib\n"
        "with quiet_matplotlib():\n    import salbench.figures\n"
        "logging.getLogger('matplotlib.font_manager').warning('heard')\n"
    )
    environment = {"PATH": "/usr/bin:/bin", "MPLCONFIGDIR": "/proc/nowhere", "HOME": str(tmp_path)}
    done = subprocess.run([sys.executable, "-c", script], env=environment, capture_output=True, check=True)
    assert (done.stdout, done.stderr) == (b"", b"heard\n")


def test_others_may_go_on_logging():
    """Catches a level that stays."""
    logger = logging.getLogger("matplotlib")
    before = logger.level
    with pytest.raises(KeyError), quiet_matplotlib():
        assert logger.level == logging.ERROR
        raise KeyError
    assert logger.level == before
