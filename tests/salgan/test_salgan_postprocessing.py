"""From the network's map to the image's size, the exact and the authors' way."""

import cv2
import numpy as np
import pytest
import torch

from salbench.errors import DataError
from salbench_models.salgan.checkpoint import Header, parse_header
from salbench_models.salgan.inference import Predictor
from salbench_models.salgan.postprocessing import exact, original
from salbench_models.salgan.preprocessing import TORCHVISION

HEADER = Header({"loss": "bce4"}, TORCHVISION, "48x32", ("toy/train",), 3, {"nss": 1.25}, 7)


class Painted(torch.nn.Module):
    """A generator whose logits are known: those of a given map, whatever the image."""

    def __init__(self, saliency):
        super().__init__()
        self.logits = torch.logit(torch.from_numpy(saliency))[None, None]

    def forward(self, images):
        assert images.shape == (1, 3, *self.logits.shape[2:])
        return self.logits


@pytest.fixture
def saliency():
    """A map in steps that 8 bits cannot hold, with a peak for the cubic interpolation to overshoot at."""
    values = np.random.default_rng(0).uniform(0.01, 0.6, (32, 48)).astype(np.float32)
    values[10:12, 20:22] = 0.999
    return values


@pytest.mark.parametrize("size", [(96, 150), (20, 31), (32, 48)])
def test_the_original_way_is_the_released_codes(saliency, size):
    """Catches rounding for cutting off, another interpolation, blur or order: PAPER.md's steps one by one.

    The blur is done by hand: 5 pixels without a sigma are OpenCV's binomial weights, (1, 4, 6, 4, 1) / 16.
    """
    image = np.zeros((*size, 3), np.uint8)
    predictor = Predictor(Painted(saliency), TORCHVISION, (32, 48), torch.device("cpu"), "original")
    found = predictor(image)
    levels = np.floor(saliency.astype(np.float64) * 255).astype(np.uint8)
    large = cv2.resize(levels, (size[1], size[0]), interpolation=cv2.INTER_CUBIC).astype(np.float64)
    kernel = np.array([1, 4, 6, 4, 1]) / 16
    padded = np.pad(large, 2, mode="reflect")
    rows = sum(weight * padded[shift : shift + size[0]] for shift, weight in enumerate(kernel))
    blurred = sum(weight * rows[:, shift : shift + size[1]] for shift, weight in enumerate(kernel))
    assert found.dtype == np.float32
    assert np.abs(found * 255 - blurred).max() <= 0.501, "the exact blur, rounded to 8 bits"


def test_the_exact_way_keeps_every_value(saliency):
    """Catches the authors' 8 bits or blur in maps that should be the network's own."""
    assert np.array_equal(exact(saliency, (32, 48)), saliency)
    assert not np.allclose(original(saliency, (32, 48)), saliency, atol=0.01)


def test_values_stay_in_0_to_1(saliency):
    """Catches cubic interpolation that wraps around in 8 bits, as a cast instead of a saturation would."""
    steep = np.where(saliency > 0.9, np.float32(1), np.float32(0))
    for way in (exact, original):
        enlarged = way(steep, (320, 480))
        assert enlarged.min() >= 0
        assert 0.9 < enlarged.max() <= 1
        assert enlarged[:60].max() == 0


def test_a_checkpoint_that_says_nothing_is_exact(tmp_path):
    """Catches checkpoints made before there was a choice that no longer load, or load as something else."""
    metadata = HEADER.as_metadata()
    assert {"postprocess", "origin"} & metadata.keys() == set()
    header = parse_header(tmp_path, metadata)
    assert (header.postprocess, header.origin) == ("exact", {})


@pytest.mark.parametrize(("key", "text"), [("postprocess", '"sharp"'), ("postprocess", "[1]"), ("origin", "3")])
def test_what_a_checkpoint_says_is_checked(key, text, tmp_path):
    """Catches trust in a file: an unknown postprocess would fail at the first image, an hour into a run."""
    with pytest.raises(DataError, match="its metadata is not a SalGAN checkpoint's"):
        parse_header(tmp_path, HEADER.as_metadata() | {key: text})
