"""From an image to its saliency map with a generator that is at hand."""

from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import torch

from salbench.arrays import RGBImage, SaliencyMap
from salbench_models.salgan.checkpoint import read_header, read_weights
from salbench_models.salgan.device import torch_device
from salbench_models.salgan.networks import Generator, empty_generator
from salbench_models.salgan.preprocessing import Preprocessing, shrink


@dataclass(frozen=True)
class Predictor:
    """A generator with what belongs around it. `size`: its input's (height, width)."""

    generator: Generator
    preprocessing: Preprocessing
    size: tuple[int, int]
    device: torch.device

    def __call__(self, image: RGBImage) -> SaliencyMap:
        """(H, W, 3) uint8 RGB to (H, W) float32 in 0 to 1: area down, network, cubic back.

        Raises ShapeError or ValueRangeError for anything but such an image.
        """
        pixels = torch.from_numpy(shrink(image, self.size)).to(self.device)
        with torch.inference_mode():
            images = pixels.permute(2, 0, 1)[None].float() / 255
            logits = self.generator(self.preprocessing(images).contiguous(memory_format=torch.channels_last))
            saliency = torch.sigmoid(logits.float())[0, 0].cpu().numpy()
        return enlarge(saliency, np.asarray(image).shape[:2])


def enlarge(saliency: SaliencyMap, size: tuple[int, ...]) -> SaliencyMap:
    """A map at (height, width), cubic; the little that cubic interpolation overshoots is clipped to 0 to 1."""
    resized = np.asarray(cv2.resize(saliency, (size[1], size[0]), interpolation=cv2.INTER_CUBIC), dtype=np.float32)
    return resized.clip(0, 1)


def load_predictor(checkpoint: Path, device: str | None) -> Predictor:
    """The predictor of a checkpoint. DataError for a bad file, UsageError for a bad device."""
    header = read_header(checkpoint)
    place = torch_device(device)
    generator = empty_generator(frozen=True)
    with torch.no_grad():
        generator.load(read_weights(checkpoint))
    generator = generator.requires_grad_(False).eval().to(place)
    return Predictor(generator, header.preprocessing, header.height_width, place)
