"""The output of the frozen half of the generator, which need be computed only once per training image.

It lies in one file in the training's folder: 64 hexadecimal digits that say of what it is, 64 that its content must
have, and the features as they are in memory.
"""

import hashlib
import json
import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from salbench.atomic import replacing
from salbench.errors import RunError
from salbench.models import TrainingJob
from salbench_models.salgan.data import network_images
from salbench_models.salgan.layers import LOWER_BLOCKS
from salbench_models.salgan.networks import Generator
from salbench_models.salgan.preprocessing import Preprocessing
from salbench_models.salgan.run_folder import FEATURES

Features = npt.NDArray[np.float16]

FORMAT = 1
DIGITS = 64
"""Of a SHA-256 in hexadecimal."""
CHUNK = 8
"""Images computed at once. Fixed, since the last bits of a convolution may depend on it."""
MEND = "train without --cache-features"


class Painter(nn.Module):
    """The generator as training calls it: on images, or on what its frozen half made of them."""

    def __init__(self, generator: Generator) -> None:
        super().__init__()
        self.generator = generator

    def forward(self, inputs: Tensor, from_features: bool = False) -> Tensor:
        """(N, 3, H, W) preprocessed images, or (N, 256, H/8, W/8) features of them, to (N, 1, H, W) logits."""
        features = inputs if from_features else self.generator.frozen_features(inputs)
        return self.generator.from_features(features)


@dataclass(frozen=True)
class FeatureFile:
    """Features of (n, H, W, C) `shape` on disk. `key`: 64 hexadecimal digits, of what they were made from."""

    path: Path
    key: str
    shape: tuple[int, int, int, int]

    def is_whole(self) -> bool:
        """Whether the file is there, of this key and this size, and every byte as it was written."""
        size = 2 * DIGITS + math.prod(self.shape) * np.dtype(np.float16).itemsize
        try:
            with self.path.open("rb") as file:
                if self.path.stat().st_size != size or file.read(DIGITS) != self.key.encode():
                    return False
                digest = file.read(DIGITS)  # of gigabytes, so looked at last
                return digest == hashlib.file_digest(file, "sha256").hexdigest().encode()
        except OSError:
            return False

    def write(self, blocks: Iterable[Features]) -> None:
        """Replace the file by one of these consecutive parts. RunError where the disk does not take it."""
        digest = hashlib.sha256()
        try:
            with replacing(self.path) as scratch, scratch.open("wb") as file:
                file.write(bytes(2 * DIGITS))
                for block in blocks:
                    file.write(block.data)
                    digest.update(block.data)
                file.seek(0)
                file.write((self.key + digest.hexdigest()).encode())
        except OSError as error:
            raise RunError(f"{self.path} cannot be written ({error}); make room, or {MEND}") from error

    def map(self) -> Features:
        """The features, read as they are looked at."""
        return np.memmap(self.path, dtype=np.float16, mode="r", offset=2 * DIGITS, shape=self.shape)


def kept_features(
    job: TrainingJob, generator: Generator, preprocessing: Preprocessing, images: npt.NDArray[np.uint8]
) -> Features:
    """(n, H/8, W/8, 256) float16: the frozen half's output of (n, H, W, 3) images, mapped from the training's folder.

    Computed, in float32, where the file is not there, damaged, or of other weights, preprocessing, images or size.
    RunError where the disk does not take it, or float16 does not.
    """
    count, height, width, _ = images.shape
    stride = 2 ** len(LOWER_BLOCKS)
    shape = (count, height // stride, width // stride, LOWER_BLOCKS[-1][-1].outputs)
    file = FeatureFile(job.out / FEATURES, key_of(generator, preprocessing, images), shape)
    if not file.is_whole():
        file.write(computed(job, generator, preprocessing, images))
    return file.map()


def key_of(generator: Generator, preprocessing: Preprocessing, images: npt.NDArray[np.uint8]) -> str:
    """SHA-256, in hexadecimal, of all that decides the features."""
    about = {"format": FORMAT, "preprocessing": preprocessing.as_record(), "images": images.shape}
    digest = hashlib.sha256(json.dumps(about).encode())
    for name, tensor in generator.lower.state_dict().items():
        digest.update(name.encode())
        digest.update(tensor.cpu().contiguous().numpy().data)
    for image in images:
        digest.update(np.ascontiguousarray(image).data)
    return digest.hexdigest()


def computed(
    job: TrainingJob, generator: Generator, preprocessing: Preprocessing, images: npt.NDArray[np.uint8]
) -> Iterator[Features]:
    """The features of some images at a time, in order."""
    device = next(generator.parameters()).device
    job.progress.start(f"conv1-conv3 of {job.dataset}", len(images))
    try:
        for start in range(0, len(images), CHUNK):
            chunk = images[start : start + CHUNK]
            with torch.no_grad():
                features = generator.frozen_features(preprocessing(network_images(chunk, device)))
            yield as_half(features)
            job.progress.advance(len(chunk))
    finally:
        job.progress.finish()


def as_half(features: Tensor) -> Features:
    """(n, C, H, W) float32 to (n, H, W, C) float16. RunError for values that float16 cannot hold."""
    half = features.permute(0, 2, 3, 1).half().cpu().contiguous()
    if not half.isfinite().all():
        raise RunError(f"the output of conv3 exceeds float16; {MEND}")
    return np.asarray(half.numpy(), dtype=np.float16)


def drop_features(folder: Path) -> None:
    """Remove the features of a training that is done: gigabytes that nobody needs again. RunError where it fails."""
    try:
        (folder / FEATURES).unlink(missing_ok=True)
    except OSError as error:
        raise RunError(f"{folder / FEATURES} cannot be removed: {error}") from error
