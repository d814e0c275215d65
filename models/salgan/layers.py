"""The convolutions of SalGAN's generator as plain data, so that a checkpoint can be checked without torch."""

from dataclasses import dataclass

STRIDE = 16
"""Four poolings halve the input: its sides must divide by this."""


@dataclass(frozen=True)
class Convolution:
    """One convolution: its name in the checkpoint, its channels and the side of its square kernel."""

    name: str
    inputs: int
    outputs: int
    kernel: int = 3

    @property
    def shapes(self) -> dict[str, tuple[int, ...]]:
        """Parameter name to shape, in PyTorch's order (outputs, inputs, rows, columns)."""
        weight = (self.outputs, self.inputs, self.kernel, self.kernel)
        return {f"{self.name}.weight": weight, f"{self.name}.bias": (self.outputs,)}


@dataclass(frozen=True)
class DiscriminatorForm:
    """In what the discriminators of the paper's Table 1, the default, and of the released code differ.

    `pool1`: side of the first pooling. `pad`: of the 1x1 conv1_1. `weight_norm`: of conv3_1 and conv3_2.
    """

    pool1: int = 2
    pad: int = 1
    weight_norm: bool = False


def block(name: str, inputs: int, outputs: int, depth: int, *, countdown: bool = False) -> tuple[Convolution, ...]:
    """Convolutions `name_1 ... name_depth`; the decoder mirrors the encoder, so its names count down."""
    numbers = range(depth, 0, -1) if countdown else range(1, depth + 1)
    return tuple(
        Convolution(f"{name}_{number}", inputs if position == 0 else outputs, outputs)
        for position, number in enumerate(numbers)
    )


LOWER_BLOCKS = (block("conv1", 3, 64, 2), block("conv2", 64, 128, 2), block("conv3", 128, 256, 3))
"""VGG-16 up to pool3: frozen in training; each block is followed by a 2x2 pooling."""

UPPER_BLOCKS = (block("conv4", 256, 512, 3), block("conv5", 512, 512, 3))
"""The trained rest of VGG-16's convolutions; a pooling stands between the two, none after conv5."""

DECODER_BLOCKS = (
    block("uconv5", 512, 512, 3, countdown=True),
    block("uconv4", 512, 512, 3, countdown=True),
    block("uconv3", 512, 256, 3, countdown=True),
    block("uconv2", 256, 128, 2, countdown=True),
    block("uconv1", 128, 64, 2, countdown=True),
)
"""Each but the last is followed by nearest-neighbour upsampling by two."""

OUTPUT = Convolution("output", 64, 1, kernel=1)

ENCODER = tuple(layer for group in LOWER_BLOCKS + UPPER_BLOCKS for layer in group)
GENERATOR = (*ENCODER, *(layer for group in DECODER_BLOCKS for layer in group), OUTPUT)

ENCODER_SHAPES = {name: shape for layer in ENCODER for name, shape in layer.shapes.items()}
GENERATOR_SHAPES = {name: shape for layer in GENERATOR for name, shape in layer.shapes.items()}
