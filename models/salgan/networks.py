"""The two networks of SalGAN (Pan et al. 2017, section 3) and their random initialisation."""

from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from salbench_models.salgan.layers import (
    DECODER_BLOCKS,
    LOWER_BLOCKS,
    OUTPUT,
    UPPER_BLOCKS,
    Convolution,
    DiscriminatorForm,
)

TABLE_1 = DiscriminatorForm()


class Pointwise(nn.Conv2d):
    """A 1x1 convolution, computed as a linear map of each pixel's channels.

    oneDNN's 1x1 convolution to one channel sums in an order that depends on the number of threads; this does not, and
    is faster on channels-last tensors.
    """

    def forward(self, pixels: Tensor) -> Tensor:
        """(N, inputs, H, W) to (N, outputs, H, W)."""
        return F.linear(pixels.permute(0, 2, 3, 1), self.weight.flatten(1), self.bias).permute(0, 3, 1, 2)


class Generator(nn.Module):
    """Image to logits of saliency; the sigmoid is left to the caller so that losses can be computed stably.

    VGG-16's convolutions down to conv5_3, mirrored by the decoder. `frozen`: conv1-conv3 get no gradient and run
    without keeping activations. `frozen_features` and `from_features` are the two halves, split at pool3.
    """

    def __init__(self, *, frozen: bool = True) -> None:
        super().__init__()
        self.frozen = frozen
        self.lower = stack(LOWER_BLOCKS, halve, after_last=True)
        self.upper = stack(UPPER_BLOCKS, halve, after_last=False)
        self.decoder = stack(DECODER_BLOCKS, double, after_last=False)
        self.decoder.add_module(OUTPUT.name, Pointwise(OUTPUT.inputs, OUTPUT.outputs, OUTPUT.kernel))
        self.lower.requires_grad_(not frozen)

    def frozen_features(self, images: Tensor) -> Tensor:
        """(N, 3, H, W) preprocessed images to pool3, (N, 256, H/8, W/8): constant through training when frozen."""
        with torch.set_grad_enabled(torch.is_grad_enabled() and not self.frozen):
            features: Tensor = self.lower(images)
        return features

    def from_features(self, features: Tensor) -> Tensor:
        """Pool3 to (N, 1, H, W) logits."""
        logits: Tensor = self.decoder(self.upper(features))
        return logits

    def forward(self, images: Tensor) -> Tensor:
        """(N, 3, H, W) preprocessed images, sides multiples of 16, to (N, 1, H, W) logits."""
        return self.from_features(self.frozen_features(images))

    def weights(self) -> dict[str, Tensor]:
        """All parameters under the paper's layer names (`conv1_1.weight`), as a checkpoint holds them."""
        return {name.partition(".")[2]: tensor for name, tensor in self.state_dict().items()}

    def load(self, weights: Mapping[str, Tensor]) -> None:
        """Copy in parameters named as `weights` names them; those not given stay. KeyError for unknown names."""
        own = self.weights()
        for name, tensor in weights.items():
            own[name].copy_(tensor)


class UnitConvolution(nn.Conv2d):
    """A convolution whose kernels are divided by their lengths (weight normalisation, its gains fixed at 1).

    The released code counts no gains among its parameters. Source: Salimans and Kingma 2016.
    """

    def forward(self, pixels: Tensor) -> Tensor:
        """(N, inputs, H, W) to (N, outputs, H, W)."""
        lengths = (self.weight.square().sum(dim=(1, 2, 3), keepdim=True) + 1e-6).sqrt()
        return F.conv2d(pixels, self.weight / lengths, self.bias, padding=self.kernel_size[0] // 2)


class Discriminator(nn.Module):
    """Whether a map is a recorded one (Table 1). Input (S, R, G, B), all in 0 to 1; output (N,) logits of "recorded".

    `size`: (height, width) of the input; fc4 depends on it and on pool1. conv1_1 pads its 1x1 kernel, as Table 1 has
    it, so that pool1 sees two more rows and columns. `form`: what the released code does otherwise.
    """

    def __init__(self, size: tuple[int, int], form: DiscriminatorForm = TABLE_1) -> None:
        super().__init__()
        third = UnitConvolution if form.weight_norm else nn.Conv2d
        self.features = nn.Sequential(
            *(nn.Conv2d(4, 3, 1, padding=form.pad), nn.ReLU(inplace=True)),
            *(*conv_relu(3, 32), nn.MaxPool2d(form.pool1)),
            *(*conv_relu(32, 64), *conv_relu(64, 64), nn.MaxPool2d(2)),
            *(*conv_relu(64, 64, third), *conv_relu(64, 64, third), nn.MaxPool2d(2)),
        )
        stride = 4 * form.pool1
        self.classifier = nn.Sequential(
            *(nn.Flatten(), nn.Linear(64 * (size[0] // stride) * (size[1] // stride), 100), nn.Tanh()),
            *(nn.Linear(100, 2), nn.Tanh(), nn.Linear(2, 1)),
        )

    def forward(self, maps: Tensor, images: Tensor) -> Tensor:
        """(N, 1, H, W) maps and (N, 3, H, W) RGB images, both in 0 to 1, to (N,) logits."""
        logits: Tensor = self.classifier(self.features(torch.cat([maps, images], dim=1)))
        return logits.squeeze(1)


def conv_relu(inputs: int, outputs: int, kind: type[nn.Conv2d] = nn.Conv2d) -> tuple[nn.Module, nn.Module]:
    """A 3x3 convolution that keeps the size, with its ReLU."""
    return kind(inputs, outputs, 3, padding=1), nn.ReLU(inplace=True)


def convolution(layer: Convolution) -> nn.Conv2d:
    """The module of a layer; its size is kept by the padding."""
    return nn.Conv2d(layer.inputs, layer.outputs, layer.kernel, padding=layer.kernel // 2)


def halve() -> nn.Module:
    """The encoder's pooling: the maximum of 2x2 pixels."""
    return nn.MaxPool2d(2)


def double() -> nn.Module:
    """The decoder's upsampling: every pixel becomes 2x2."""
    return nn.Upsample(scale_factor=2, mode="nearest")


def stack(
    blocks: Iterable[tuple[Convolution, ...]], resample: Callable[[], nn.Module], *, after_last: bool
) -> nn.Sequential:
    """Blocks of convolutions with ReLU, resampled between blocks and, where wanted, after the last."""
    modules: OrderedDict[str, nn.Module] = OrderedDict()
    for layers in blocks:
        for layer in layers:
            modules[layer.name] = convolution(layer)
            modules[f"{layer.name}_relu"] = nn.ReLU(inplace=True)
        modules[f"{layers[-1].name}_resampled"] = resample()
    if not after_last:
        modules.popitem()
    return nn.Sequential(modules)


def empty_generator(*, frozen: bool) -> Generator:
    """A generator whose parameters are yet to be set; no random number is drawn, global or other."""
    with torch.device("meta"):
        generator = Generator(frozen=frozen)
    return generator.to_empty(device="cpu").to(memory_format=torch.channels_last)  # the faster layout, measured on CPUs


def new_generator(init: str, seed: int, *, frozen: bool) -> Generator:
    """A random generator, `init` being `glorot` (Lasagne's default, the paper's) or `he`."""
    generator = empty_generator(frozen=frozen)
    initialise(generator, init, seed)
    return generator


def new_discriminator(size: tuple[int, int], seed: int, form: DiscriminatorForm = TABLE_1) -> Discriminator:
    """A random discriminator for maps of (height, width)."""
    with torch.device("meta"):
        discriminator = Discriminator(size, form)
    discriminator = discriminator.to_empty(device="cpu").to(memory_format=torch.channels_last)
    initialise(discriminator, "glorot", seed)
    return discriminator


def initialise(network: nn.Module, init: str, seed: int) -> None:
    """Draw all weights from a generator of random numbers of their own and zero all biases.

    `glorot`: uniform, variance 2 / (fan in + fan out). `he`: normal, variance 2 / fan in, which keeps the signal of
    a deep ReLU network alive from input to output.
    """
    rng = torch.Generator().manual_seed(seed)
    for parameter in network.parameters():
        if parameter.ndim == 1:
            nn.init.zeros_(parameter)
        elif init == "he":
            nn.init.kaiming_normal_(parameter, nonlinearity="relu", generator=rng)
        else:
            nn.init.xavier_uniform_(parameter, generator=rng)
