"""What an image goes through before the network sees it. It belongs to the weights and travels with them."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np

from salbench.arrays import RGBImage
from salbench.errors import ShapeError, ValueRangeError

if TYPE_CHECKING:
    from torch import Tensor

ORDERS = ("RGB", "BGR")


@dataclass(frozen=True)
class Preprocessing:
    """(pixel * maximum / 255 - mean) / std for each channel, the channels in the given order.

    `order`: RGB or BGR. `maximum`: what a pixel of 255 becomes. `mean`, `std`: in that order and on that scale.
    Raises ValueError for anything else, so that what a file says can be checked by building one.
    """

    order: str
    maximum: float
    mean: tuple[float, ...]
    std: tuple[float, ...]

    def __post_init__(self) -> None:
        numbers = (self.maximum, *self.mean, *self.std)
        if self.order not in ORDERS or len(self.mean) != 3 or len(self.std) != 3:
            raise ValueError("wanted: order RGB or BGR, three means, three standard deviations")
        if not all(math.isfinite(number) for number in numbers) or min(self.maximum, *self.std) <= 0:
            raise ValueError("wanted: finite numbers, maximum and standard deviations above 0")

    def __call__(self, images: "Tensor") -> "Tensor":
        """Network input of (N, 3, H, W) float RGB images in 0 to 1."""
        ordered = images if self.order == "RGB" else images.flip(1)
        mean = images.new_tensor(self.mean).view(1, 3, 1, 1)
        std = images.new_tensor(self.std).view(1, 3, 1, 1)
        return (ordered * self.maximum - mean) / std

    def as_record(self) -> dict[str, Any]:
        """Plain values, for a checkpoint."""
        return {"order": self.order, "maximum": self.maximum, "mean": list(self.mean), "std": list(self.std)}

    @classmethod
    def from_record(cls, record: Mapping[str, Any]) -> "Preprocessing":
        """From what `as_record` gave. ValueError, TypeError or KeyError for anything else."""
        mean, std = (tuple(float(number) for number in record[key]) for key in ("mean", "std"))
        return cls(str(record["order"]), float(record["maximum"]), mean, std)


TORCHVISION = Preprocessing("RGB", 1.0, (0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
"""What torchvision's ImageNet weights of VGG-16 were trained with."""

CAFFE = Preprocessing("RGB", 1.0, (0.48235, 0.45882, 0.40784), (1 / 255, 1 / 255, 1 / 255))
"""What torchvision's VGG16_Weights.IMAGENET1K_FEATURES want: Caffe's convolutions, their input turned to RGB."""

CAFFE_BGR = Preprocessing("BGR", 255.0, (103.939, 116.779, 123.68), (1.0, 1.0, 1.0))
"""What VGG-16 as Caffe has it wants, and the generator that the authors of SalGAN released."""


def shrink(image: RGBImage, size: tuple[int, int]) -> RGBImage:
    """An image at the network's (height, width): pixel area resampling, as in the released code.

    Raises ShapeError unless the image is (H, W, 3), ValueRangeError unless it is uint8.
    """
    image = np.asarray(image)
    if image.ndim != 3 or image.shape[2] != 3 or image.size == 0:
        raise ShapeError(f"image has shape {image.shape}; wanted: (height, width, 3)")
    if image.dtype != np.uint8:
        raise ValueRangeError(f"image has type {image.dtype}; wanted: uint8, RGB, 0 to 255")
    height, width = size
    resized = cv2.resize(np.ascontiguousarray(image), (width, height), interpolation=cv2.INTER_AREA)
    return np.asarray(resized, dtype=np.uint8)
