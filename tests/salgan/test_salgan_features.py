"""The frozen half's output, computed once per image and kept in the training's folder."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from narrow import TIMES

from salbench.errors import RunError
from salbench_models.salgan import SalGAN, SalGANConfig
from salbench_models.salgan.data import network_images, read_training_set
from salbench_models.salgan.features import as_half, kept_features
from salbench_models.salgan.learner import Learner
from salbench_models.salgan.networks import Generator
from salbench_models.salgan.preprocessing import CAFFE
from salbench_models.salgan.run_folder import FEATURES

from .scenes import Recorder, rows_of, same_weights
from .test_salgan_steps import CPU, interrupted_and_resumed


@pytest.fixture
def frozen_runs(monkeypatch):
    """How many images each call of the frozen half was given."""
    runs, original = [], Generator.frozen_features

    def counted(self, images):
        runs.append(len(images))
        return original(self, images)

    monkeypatch.setattr(Generator, "frozen_features", counted)
    return runs


@pytest.fixture(scope="module")
def learners(vgg_file):
    """Two of the same weights."""
    config = SalGANConfig(size="48x32", epochs=1, adversarial_epochs=1, vgg_weights=str(vgg_file), learning_rate=1e-5)
    return [Learner(config, "cpu", seed=0) for _ in range(2)]


@pytest.fixture
def images(make_job, tmp_path):
    return read_training_set(make_job(tmp_path), (32, 48), memory_gb=1).images


def keep(job, learner, images):
    return kept_features(job, learner.generator, learner.preprocessing, images)


def test_features_are_the_frozen_halfs_output(learners, images, make_job, tmp_path):
    """Catches rows out of order, a mixed-up memory order, and images that were not preprocessed."""
    job, learner = make_job(tmp_path), learners[0]
    twice = np.concatenate([images, images[::-1]])  # more than are computed at once
    features = keep(job, learner, twice)
    with torch.no_grad():
        wanted = learner.generator.frozen_features(learner.preprocessing(network_images(twice, CPU)))
    assert (features.shape, features.dtype) == ((12, 4, 6, 256 // TIMES), np.float16)
    found = torch.from_numpy(np.array(features)).permute(0, 3, 1, 2).float()
    torch.testing.assert_close(found, wanted, rtol=1e-3, atol=1e-4)
    assert wanted.std() > 0.1
    assert job.progress.started == [("conv1-conv3 of toy/train", 12, 0)]
    assert not list(tmp_path.glob(".*"))


def test_steps_on_features_are_the_steps_on_images(learners, make_job, tmp_path, frozen_runs):
    """Catches features of other rows than the batch's, and a step that goes back to the images.

    Losses of all three kinds of step, over six steps that each build on those before: within 1e-3, relative.
    """
    job = make_job(tmp_path)
    plain = read_training_set(job, (32, 48), memory_gb=1)
    kept = replace(plain, features=keep(job, learners[0], plain.images))
    for turn in (None, None, 0, 1, 2, 3):
        number = 7 if turn is None else turn
        one, other = (next(data.batches(4, 0, number, CPU)) for data in (plain, kept))
        wanted = learners[0].step(one, turn).losses
        frozen_runs.clear()
        assert learners[1].step(other, turn).losses == pytest.approx(wanted, rel=1e-3)
        assert frozen_runs == []


def test_a_training_computes_the_frozen_half_once_per_image(finished, make_job, tmp_path, frozen_runs):
    """Catches features that are computed anew in each epoch, gigabytes left behind, and another result.

    Losses within 1e-3 and validation NSS within 0.01 of the training without, over both phases.
    """
    job = make_job(tmp_path, validation=())
    SalGAN.train(job, replace(finished.config, cache_features=True))
    assert frozen_runs == [6]
    assert not (tmp_path / FEATURES).exists()
    for row, wanted in zip(rows_of(tmp_path), rows_of(finished.folder), strict=True):
        for name in ("content_loss", "adversarial_loss", "discriminator_loss"):
            assert (row[name] == "") == (wanted[name] == "")
            assert float(row[name] or 0) == pytest.approx(float(wanted[name] or 0), rel=1e-3)
    scores = [
        job.validate(SalGAN(checkpoint=folder / "last.safetensors").predict) for folder in (tmp_path, finished.folder)
    ]
    assert scores[0]["nss"] == pytest.approx(scores[1]["nss"], abs=0.01)


def test_an_interrupted_run_with_features_goes_on_from_its_file(make_job, run_config, tmp_path, frozen_runs):
    """Catches features that are made anew on every start, and weights that depend on the interruption: bit for bit."""
    config = replace(run_config, cache_features=True, accumulate=2)
    whole = SalGAN.train(make_job(tmp_path / "whole", validation=()), config)
    frozen_runs.clear()
    resumed = interrupted_and_resumed(make_job(tmp_path / "parts", validation=()), config)
    assert frozen_runs == [6]
    assert same_weights(resumed, whole)


def flip_a_byte(content):
    return content[:-1000] + bytes([content[-1000] ^ 1]) + content[-999:]


@pytest.mark.parametrize(
    "damage",
    [
        flip_a_byte,
        lambda c: c[:-2],
        lambda c: c + b"\0\0",
        lambda c: c[:100],
        lambda c: b"",
        lambda c: b"0" * 64 + c[64:],
    ],
    ids=["byte", "short", "long", "head", "empty", "foreign"],
)
def test_a_damaged_or_foreign_file_is_made_anew(learners, images, make_job, tmp_path, frozen_runs, damage):
    """Catches a training on rubbish: whatever is wrong with the file, it is replaced by the right one."""
    keep(make_job(tmp_path), learners[0], images)
    right = (tmp_path / FEATURES).read_bytes()
    (tmp_path / FEATURES).write_bytes(damage(right))
    frozen_runs.clear()
    keep(make_job(tmp_path), learners[0], images)
    assert frozen_runs == [6]
    assert (tmp_path / FEATURES).read_bytes() == right
    keep(make_job(tmp_path), learners[0], images)
    assert frozen_runs == [6]


def test_other_images_weights_or_preprocessing_are_other_features(learners, images, make_job, tmp_path, frozen_runs):
    """Catches features kept for what they were not made from."""
    job, learner = make_job(tmp_path), learners[0]
    keep(job, learner, images)
    changed = images.copy()
    changed[5, 31, 47, 2] ^= 1
    keep(job, learner, changed)
    kept_features(job, learner.generator, CAFFE, changed)
    bias = learner.generator.lower.conv3_3.bias.data
    bias[0] += 1
    kept_features(job, learner.generator, CAFFE, changed)
    bias[0] -= 1
    assert frozen_runs == [6, 6, 6, 6]


def test_a_stopped_writing_leaves_no_file(learners, images, make_job, tmp_path):
    """Catches a half-written file that passes for a whole one, or stays for ever."""

    class Stopping(Recorder):
        def advance(self, steps=1, **figures):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        keep(make_job(tmp_path, progress=Stopping()), learners[0], images)
    assert list(tmp_path.iterdir()) == []


def test_values_beyond_float16_are_refused():
    """Catches infinities in the features, which would only show as a diverged training."""
    with pytest.raises(RunError, match=r"conv3 exceeds float16; train without --cache-features"):
        as_half(torch.full((1, 2, 1, 1), 1e5))


def test_a_file_that_cannot_be_written_is_a_run_error(learners, images, make_job, tmp_path):
    """Catches a traceback where the disk is full or the name is taken."""
    (tmp_path / FEATURES / "taken").mkdir(parents=True)
    with pytest.raises(RunError, match=r"features\.fp16 cannot be written .*train without --cache-features"):
        keep(make_job(tmp_path), learners[0], images)
