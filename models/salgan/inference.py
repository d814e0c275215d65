"""From an image to its saliency map with a generator that is at hand."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from salbench.arrays import RGBImage, SaliencyMap
from salbench_models.salgan.checkpoint import read_header, read_weights
from salbench_models.salgan.device import torch_device
from salbench_models.salgan.networks import Generator, empty_generator
from salbench_models.salgan.postprocessing import POSTPROCESSES
from salbench_models.salgan.preprocessing import Preprocessing, shrink


@dataclass(frozen=True)
class Predictor:
    """A generator with what belongs around it. `size`: its input's (height, width).

    `postprocess`: how its map gets the image's size, a key of POSTPROCESSES.
    """

    generator: Generator
    preprocessing: Preprocessing
    size: tuple[int, int]
    device: torch.device
    postprocess: str = "exact"

    def __call__(self, image: RGBImage) -> SaliencyMap:
        """(H, W, 3) uint8 RGB to (H, W) float32 in 0 to 1: area down, network, and back.

        Raises ShapeError or ValueRangeError for anything but such an image.
        """
        pixels = torch.from_numpy(shrink(image, self.size)).to(self.device)
        with torch.inference_mode():
            images = pixels.permute(2, 0, 1)[None].float() / 255
            logits = self.generator(self.preprocessing(images).contiguous(memory_format=torch.channels_last))
            saliency = torch.sigmoid(logits.float())[0, 0].cpu().numpy()
        return POSTPROCESSES[self.postprocess](saliency, np.asarray(image).shape[:2])


def load_predictor(checkpoint: Path, device: str | None, postprocess: str | None = None) -> Predictor:
    """The predictor of a checkpoint, with the checkpoint's own postprocess unless another is named.

    DataError for a bad file, UsageError for a bad device.
    """
    header = read_header(checkpoint)
    place = torch_device(device)
    generator = empty_generator(frozen=True)
    with torch.no_grad():
        generator.load(read_weights(checkpoint))
    generator = generator.requires_grad_(False).eval().to(place)
    way = postprocess or header.postprocess
    return Predictor(generator, header.preprocessing, header.height_width, place, way)
