import errno
import os
import threading
from dataclasses import replace
from functools import partial

import numpy as np
import pytest
import torch
from PIL import Image

from salbench.datasets.stimulus import Fixations, Stimulus
from salbench.errors import DataError, RunError, ShapeError, ValueRangeError
from salbench.image_files import read_image
from salbench.protocols import find_protocol
from salbench.training import training_map
from salbench_models.salgan.data import read_training_set, room_for
from salbench_models.salgan.preprocessing import TORCHVISION, Preprocessing, shrink

SIZE = (16, 32)


def unreadable():
    raise DataError("images/2.jpg: cannot be read; restore it")


def test_images_and_truths_are_at_the_networks_size(make_job, tmp_path):
    """Catches exchanged sides, another channel order, and truths whose maximum is not 1."""
    job = make_job(tmp_path)
    data = read_training_set(job, SIZE, memory_gb=1)
    assert data.images.shape == (6, *SIZE, 3)
    assert data.truths.shape == (6, *SIZE)
    assert np.array_equal(data.images[3], shrink(job.train[3].image(), SIZE))
    assert data.truths.max(axis=(1, 2)) == pytest.approx(1)
    assert data.truths.min() >= 0
    assert job.progress.started == [("reading toy/train", 6, 0)]


def test_unusable_stimuli_are_named_counted_and_left_out(make_job, tmp_path):
    """Catches a training that dies of one bad file, or passes over it in silence."""
    job = make_job(tmp_path)
    truth = job.ground_truth
    stimuli = [replace(s, image_source=unreadable) if s.id == "2" else s for s in job.train]
    job = replace(job, train=stimuli, ground_truth=lambda s: truth(s) * (s.id != "4"))
    data = read_training_set(job, SIZE, memory_gb=1)
    assert len(data) == 4
    assert np.array_equal(data.images[2], shrink(job.train[3].image(), SIZE))
    assert job.progress.notes == [
        "skipped 2: images/2.jpg: cannot be read; restore it",
        "skipped 4: its ground truth is zero everywhere, or not finite",
        "training on 4 of 6 stimuli, 2 skipped",
    ]


def test_nothing_to_train_on_is_an_error(make_job, tmp_path):
    """Catches a division by zero images."""
    job = make_job(tmp_path, ground_truth=lambda stimulus: np.zeros(stimulus.size))
    with pytest.raises(DataError, match="none of its 6 stimuli can be trained on"):
        read_training_set(job, SIZE, memory_gb=1)


def test_beyond_memory_the_same_data_lie_in_a_file(make_job, tmp_path):
    """Catches a spill that changes data or leaves files behind."""
    job = make_job(tmp_path)
    inside, outside = (read_training_set(job, SIZE, memory_gb=limit) for limit in (1, 1e-9))
    assert isinstance(outside.images.base, np.memmap)
    assert np.array_equal(inside.images, outside.images)
    assert np.array_equal(inside.truths, outside.truths)
    assert list(tmp_path.iterdir()) == []


def test_room_on_the_disk_is_taken_before_images_are_read(tmp_path, monkeypatch):
    """Catches a hole of a file, whose pages end the process by SIGBUS where the disk is full later."""
    taken, reserve = [], os.posix_fallocate

    def look(descriptor, offset, size):
        reserve(descriptor, offset, size)
        taken.append((size, os.fstat(descriptor).st_blocks * 512 >= size))

    monkeypatch.setattr(os, "posix_fallocate", look)
    room_for(10, SIZE, 1e-9, tmp_path)
    assert taken == [(10 * 16 * 32 * 3, True), (10 * 16 * 32 * 2, True)]


def test_images_that_fit_nowhere_are_a_run_error(make_job, tmp_path, monkeypatch):
    """Catches a traceback, and an error that names neither the folder nor the option."""

    def full(*_):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "posix_fallocate", full)
    with pytest.raises(RunError, match=rf"{tmp_path} does not take .*No space left on device.*--memory-gb"):
        read_training_set(make_job(tmp_path), SIZE, memory_gb=1e-9)


def unsupported(*_):
    raise OSError(errno.EOPNOTSUPP, os.strerror(errno.EOPNOTSUPP))


@pytest.mark.parametrize("reserve", [None, unsupported])
def test_systems_that_reserve_nothing_go_without(tmp_path, monkeypatch, reserve):
    """Catches a training that cannot start on macOS, or on a file system that has no such call."""
    if reserve is None:
        monkeypatch.delattr(os, "posix_fallocate")
    else:
        monkeypatch.setattr(os, "posix_fallocate", reserve)
    assert room_for(2, SIZE, 1e-9, tmp_path)[0].shape == (2, *SIZE, 3)


def test_batches_cover_every_image_in_an_order_of_seed_and_epoch(make_job, tmp_path):
    """Catches lost or doubled images, one order for all epochs, and an order that depends on what ran before."""
    data = read_training_set(make_job(tmp_path), SIZE, memory_gb=1)

    def order(seed, epoch):
        batches = list(data.batches(4, seed, epoch, torch.device("cpu")))
        assert [len(batch.images) for batch in batches] == [4, 2]
        images = torch.cat([batch.images for batch in batches])
        originals = torch.from_numpy(data.images).permute(0, 3, 1, 2) / 255
        return [next(i for i in range(6) if torch.equal(image, originals[i])) for image in images]

    assert sorted(order(0, 1)) == list(range(6))
    assert order(0, 1) == order(0, 1)
    assert len({tuple(order(seed, epoch)) for seed, epoch in [(0, 1), (0, 2), (1, 1)]}) == 3


def test_preprocessing_is_the_formula_in_the_order_of_channels():
    """Catches mean and deviation exchanged, a forgotten division by 255 and a channel order without effect."""
    images = torch.tensor([1.0, 0.5, 0.0]).view(1, 3, 1, 1)
    torchvision = TORCHVISION(images).flatten().tolist()
    assert torchvision == pytest.approx([(1 - 0.485) / 0.229, (0.5 - 0.456) / 0.224, -0.406 / 0.225], rel=1e-5)
    caffe = Preprocessing("BGR", 255.0, (103.939, 116.779, 123.68), (1.0, 1.0, 1.0))
    assert caffe(images).flatten().tolist() == pytest.approx([-103.939, 127.5 - 116.779, 255 - 123.68], rel=1e-5)


def test_shrinking_averages_areas():
    """Catches an interpolation that skips pixels."""
    image = np.arange(4 * 4 * 3, dtype=np.uint8).reshape(4, 4, 3)
    assert np.abs(shrink(image, (2, 2)) - image.reshape(2, 2, 2, 2, 3).mean(axis=(1, 3))).max() <= 0.5


@pytest.mark.parametrize(
    ("image", "error"),
    [
        (np.zeros((4, 4), np.uint8), ShapeError),
        (np.zeros((4, 4, 4), np.uint8), ShapeError),
        (np.zeros((0, 4, 3), np.uint8), ShapeError),
        (np.zeros((4, 4, 3)), ValueRangeError),
    ],
)
def test_what_is_no_image_is_refused(image, error):
    """Catches grey, transparent, empty and float images that would be scaled wrongly in silence."""
    with pytest.raises(error, match="wanted"):
        shrink(image, (16, 16))


def test_bad_files_among_good_ones_are_named_counted_and_left_out(make_job, tmp_path):
    """Catches a truncated JPEG that trains as grey, a missing file that ends the training, and a stimulus that nobody
    fixated; and rows that slip where the stimulus before was left out, read by several threads.
    """
    scene = np.random.default_rng(0).integers(0, 256, (40, 60, 3), dtype=np.uint8)
    for number in range(5):
        Image.fromarray(np.roll(scene, number, axis=1)).save(tmp_path / f"{number}.jpg", quality=95)
    whole = (tmp_path / "1.jpg").read_bytes()
    (tmp_path / "1.jpg").write_bytes(whole[: len(whole) // 2])
    (tmp_path / "2.jpg").unlink()

    def fixations(number):
        return Fixations.of_one_viewer([], []) if number == 3 else Fixations.of_one_viewer([30.0], [number + 10.0])

    stimuli = [
        Stimulus(str(n), (40, 60), partial(read_image, tmp_path / f"{n}.jpg"), partial(fixations, n)) for n in range(5)
    ]
    ground_truth = partial(training_map, find_protocol("mit300"), None)
    job = make_job(tmp_path / "out", train=stimuli, ground_truth=ground_truth)
    data = read_training_set(job, SIZE, memory_gb=1)
    assert [note.split(":")[0] for note in job.progress.notes[:3]] == ["skipped 1", "skipped 2", "skipped 3"]
    assert "1.jpg: cannot be read as an image" in job.progress.notes[0]
    assert "2.jpg: no such file" in job.progress.notes[1]
    assert job.progress.notes[2:] == [
        "skipped 3: its ground truth is zero everywhere, or not finite",
        "training on 2 of 5 stimuli, 3 skipped",
    ]
    assert (len(data), data.skipped) == (2, 3)
    for row, number in enumerate((0, 4)):
        assert np.array_equal(data.images[row], shrink(stimuli[number].image(), SIZE))
        assert np.unravel_index(data.truths[row].argmax(), SIZE)[0] in {int((number + 10) * 0.4) + d for d in (-1, 0)}


def test_stimuli_are_read_several_at_a_time(make_job, tmp_path, monkeypatch):
    """Catches reading one after the other: two images that wait for each other are only there together."""
    monkeypatch.setenv("LOCAL_WORLD_SIZE", "1")
    monkeypatch.setattr("salbench.ahead.cores", lambda: 2)
    together = threading.Barrier(2, timeout=10)

    def waiting(stimulus):
        together.wait()
        return stimulus.image()

    job = make_job(tmp_path)
    alone = read_training_set(job, SIZE, memory_gb=1)
    stimuli = [replace(stimulus, image_source=partial(waiting, stimulus)) for stimulus in job.train]
    data = read_training_set(replace(job, train=stimuli), SIZE, memory_gb=1)
    assert np.array_equal(data.images, alone.images)
    assert np.array_equal(data.truths, alone.truths)


def test_an_error_of_the_reading_is_not_passed_over(make_job, tmp_path):
    """Catches a bug in a data set's reader that is taken for a bad file, or lost in its thread."""

    def broken():
        raise ZeroDivisionError

    job = make_job(tmp_path)
    job = replace(job, train=[replace(s, image_source=broken) if s.id == "3" else s for s in job.train])
    with pytest.raises(ZeroDivisionError):
        read_training_set(job, SIZE, memory_gb=1)
    assert not any(thread.name.startswith("salbench-") for thread in threading.enumerate())


@pytest.mark.parametrize("flips", [False, True])
def test_batches_made_ahead_are_those_made_when_asked_for(make_job, tmp_path, flips):
    """Catches batches in another order, of other values or another memory order, and images mirrored twice."""
    data = replace(read_training_set(make_job(tmp_path), SIZE, memory_gb=1), flips=flips)
    data = replace(data, features=np.random.default_rng(0).random((6, 2, 4, 256)).astype(np.float16))
    for epoch in (1, 2):
        ahead, plain = (list(make(4, 0, epoch, torch.device("cpu"))) for make in (data.batches, data.gathered))
        assert len(ahead) == 2
        for one, other in zip(ahead, plain, strict=True):
            for name in ("images", "truth", "features"):
                assert torch.equal(getattr(one, name), getattr(other, name))
                assert getattr(one, name).stride() == getattr(other, name).stride()


def test_a_loop_that_ends_early_leaves_no_thread(make_job, tmp_path):
    """Catches a thread that goes on gathering for a training that was stopped or has diverged."""
    batches = read_training_set(make_job(tmp_path), SIZE, memory_gb=1).batches(2, 0, 1, torch.device("cpu"))
    next(batches)
    batches.close()
    assert not any(thread.name.startswith("salbench-") for thread in threading.enumerate())
