from dataclasses import replace

import numpy as np
import pytest
import torch

from salbench.errors import DataError, ShapeError, ValueRangeError
from salbench_models.salgan.data import read_training_set
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
