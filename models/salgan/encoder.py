"""VGG-16's convolution weights, from a file or from torchvision, under the paper's layer names."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file
from torch import Tensor

from salbench.errors import DataError
from salbench_models.salgan.layers import ENCODER, ENCODER_SHAPES
from salbench_models.salgan.reasons import first_line

TORCHVISION_INDICES = (0, 2, 5, 7, 10, 12, 14, 17, 19, 21, 24, 26, 28)
"""Places of the convolutions in torchvision's `vgg16().features`, conv1_1 to conv5_3."""

DOWNLOADS = {"torchvision": "IMAGENET1K_V1", "caffe": "IMAGENET1K_FEATURES"}
"""torchvision's names of the weights that it downloads; those of `caffe` have no usable classifier."""

MEND = "pass --vgg-weights FILE with torchvision's VGG-16 (.safetensors or .pth), or --vgg-weights none"


def vgg_weights(source: str) -> dict[str, Tensor]:
    """conv1_1 ... conv5_3 as float32, from a file's path or, for `torchvision` and `caffe`, torchvision's download.

    Raises DataError, naming the source and the mend, for a missing, foreign or damaged file and a failed download.
    """
    if source in DOWNLOADS:
        return encoder_weights(downloaded(DOWNLOADS[source]), f"torchvision's VGG16_Weights.{DOWNLOADS[source]}")
    path = Path(source).expanduser()
    if not path.is_file():
        raise DataError(f"{path}: no such file of VGG-16 weights; {MEND}")
    return encoder_weights(read_tensors(path), str(path))


def read_tensors(path: Path) -> Mapping[Any, Any]:
    """The tensors of a safetensors file, or of a PyTorch state dict read without running any code in it."""
    try:
        if path.suffix in (".pth", ".pt"):
            tensors: Any = torch.load(path, map_location="cpu", weights_only=True)
        else:
            tensors = load_file(path)
    except Exception as error:  # the restricted unpickler raises errors of any kind for a damaged or hostile file
        raise DataError(f"{path}: not a state dict of tensors ({first_line(error)}); {MEND}") from error
    if not isinstance(tensors, Mapping):
        raise DataError(f"{path}: holds a {type(tensors).__name__}, not a state dict of tensors; {MEND}")
    return tensors


def downloaded(name: str) -> Mapping[str, Any]:
    """The state dict of that VGG-16 of torchvision's, downloaded by torchvision unless it lies in its cache."""
    from torchvision.models import VGG16_Weights  # noqa: PLC0415 - slow to import, and needed for this source alone

    try:
        weights: Mapping[str, Any] = VGG16_Weights[name].get_state_dict(progress=False, check_hash=True)
    except (OSError, RuntimeError) as error:
        raise DataError(f"torchvision could not download VGG-16's weights ({first_line(error)}); {MEND}") from error
    return weights


def encoder_weights(tensors: Mapping[str, Any], source: str) -> dict[str, Tensor]:
    """Pick and rename the convolutions out of torchvision's state dict; a classifier beside them is left out."""
    weights: dict[str, Tensor] = {}
    for layer, index in zip(ENCODER, TORCHVISION_INDICES, strict=True):
        for part in ("weight", "bias"):
            name = f"{layer.name}.{part}"
            weights[name] = checked(tensors, f"features.{index}.{part}", ENCODER_SHAPES[name], source)
    return weights


def checked(tensors: Mapping[str, Any], name: str, shape: tuple[int, ...], source: str) -> Tensor:
    """One tensor as float32. DataError unless it is there, has this shape and is finite."""
    tensor = tensors.get(name)
    if not isinstance(tensor, Tensor):
        raise DataError(f"{source}: no tensor {name!r}, so not VGG-16 with torchvision's names; {MEND}")
    if tuple(tensor.shape) != shape or not tensor.is_floating_point():
        found = f"{tensor.dtype} {tuple(tensor.shape)}"
        raise DataError(f"{source}: {name} is {found}, wanted floats of {shape}; {MEND}")
    if not torch.isfinite(tensor).all():
        raise DataError(f"{source}: {name} holds values that are not finite; {MEND}")
    return tensor.float()
