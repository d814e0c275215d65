"""A job, made-up VGG-16 weights and one finished training, shared by the tests of SalGAN."""

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest
from narrow import narrowed, widened

from salbench.models import TrainingJob

from .scenes import Recorder, nss_at_centre, scenes, truth_of


@dataclass
class Finished:
    job: TrainingJob
    config: object
    folder: Path
    checkpoint: Path


@pytest.fixture(scope="package", autouse=True)
def one_thread():
    """Threads beyond one gain nothing on such small images, and spin where tests run side by side."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="session")
def make_job() -> Callable[..., TrainingJob]:
    def make(out: Path, **changes) -> TrainingJob:
        def validate(predict):
            return {"nss": float(np.mean([nss_at_centre(predict, number) for number in range(2)]))}

        stimuli = scenes(6)
        job = TrainingJob(stimuli, stimuli[:2], "toy/train", truth_of, "as it is", validate, out, "cpu", 3, Recorder())
        return replace(job, **changes)

    return make


@pytest.fixture(scope="module", autouse=True)
def width(request) -> Iterator[None]:
    """A narrow SalGAN for all modules but those that say FULL_WIDTH."""
    if getattr(request.module, "FULL_WIDTH", False):
        yield
        return
    with narrowed():
        yield


@pytest.fixture
def full_width() -> Iterator[None]:
    """The real channels for one test of a module that does without."""
    with widened():
        yield


def write_vgg(path: Path) -> Path:
    """VGG-16 convolutions under torchvision's names, half precision, drawn at random, as wide as SalGAN is now."""
    import torch
    from safetensors.torch import save_file

    from salbench_models.salgan.encoder import TORCHVISION_INDICES
    from salbench_models.salgan.layers import ENCODER

    rng = torch.Generator().manual_seed(0)
    tensors = {}
    for index, layer in zip(TORCHVISION_INDICES, ENCODER, strict=True):
        weight, bias = layer.shapes.values()
        scale = (2 / (layer.inputs * 9)) ** 0.5
        tensors[f"features.{index}.weight"] = (torch.randn(weight, generator=rng) * scale).half()
        tensors[f"features.{index}.bias"] = torch.full(bias, 0.01).half()
    save_file(tensors, path)
    return path


@pytest.fixture(scope="session")
def narrow_vgg_file(tmp_path_factory) -> Path:
    """As `write_vgg` makes them, for a narrow SalGAN."""
    with narrowed():
        return write_vgg(tmp_path_factory.mktemp("vgg") / "vgg16.safetensors")


@pytest.fixture(scope="module")
def vgg_file(request, width, narrow_vgg_file, tmp_path_factory) -> Path:
    """As `write_vgg` makes them, of the module's width."""
    if getattr(request.module, "FULL_WIDTH", False):
        return write_vgg(tmp_path_factory.mktemp("vgg") / "vgg16.safetensors")
    return narrow_vgg_file


@pytest.fixture(scope="session")
def run_config(narrow_vgg_file):
    """Both phases, an odd number of batches of unequal size, an encoder from a file, nothing drawn."""
    from salbench_models.salgan import SalGANConfig

    return SalGANConfig(
        **{"size": "48x32", "epochs": 1, "adversarial_epochs": 2, "batch": 4, "learning_rate": 1e-5},
        **{"vgg_weights": str(narrow_vgg_file), "tensorboard": False, "samples": 0},
    )


@pytest.fixture(scope="session")
def finished(tmp_path_factory, make_job, run_config):
    """A narrow SalGAN's training that ran through; `job`, `config`, `folder` and the returned `checkpoint`."""
    from salbench_models.salgan import SalGAN

    job = make_job(tmp_path_factory.mktemp("finished"))
    with narrowed():
        checkpoint = SalGAN.train(job, run_config)
    return Finished(job, run_config, job.out, checkpoint)


@pytest.fixture(scope="session")
def full_checkpoint(tmp_path_factory) -> Path:
    """A checkpoint of the real channels, drawn at random."""
    from salbench_models.salgan.checkpoint import Header, write_checkpoint
    from salbench_models.salgan.networks import new_generator
    from salbench_models.salgan.preprocessing import TORCHVISION

    path = tmp_path_factory.mktemp("full") / "salgan.safetensors"
    header = Header({}, TORCHVISION, "48x32", ("toy/train",), 1, {}, 0)
    with widened():
        write_checkpoint(path, new_generator("he", seed=2, frozen=True).weights(), header)
    return path


@pytest.fixture(scope="session")
def real_vgg() -> Path:
    root = os.environ.get("SALBENCH_DATA")
    if not root:
        pytest.skip("SALBENCH_DATA is not set, so there are no real VGG-16 weights")
    return Path(root) / "weights" / "vgg16_conv_fp16.safetensors"
