"""Everything that shapes a training of SalGAN, in one frozen record; the command line is made from its fields."""

import dataclasses
import math
from dataclasses import dataclass, field
from typing import Any

from salbench.errors import UsageError
from salbench_models.salgan.layers import STRIDE

LOSSES = ("mse", "bce", "bce2", "bce4", "bce8")
OPTIMIZERS = ("adagrad", "adam")
INITS = ("glorot", "he")
PRECISIONS = ("fp32", "bf16")
MAX_SIDE = 4096
"""A bound for input sides, so that a mistyped or hostile size cannot ask for all memory."""

OPERATIONAL = frozenset({"keep_epochs", "memory_gb"})
"""Fields that change no result: a run may be resumed with other values of these."""


def option(default: Any, help_text: str, choices: tuple[str, ...] | None = None) -> Any:
    """A dataclass field that the command line can show."""
    metadata: dict[str, Any] = {"help": help_text}
    if choices is not None:
        metadata["choices"] = choices
    return field(default=default, metadata=metadata)


@dataclass(frozen=True)
class SalGANConfig:
    """How SalGAN is trained. Defaults are the paper's (Pan et al. 2017, section 4), for its row BCE/4.

    Raises UsageError, naming field, value and what is wanted, for a value that cannot be trained with.
    """

    loss: str = option("bce4", "Content loss; bceN compares maps that are average-pooled by N.", LOSSES)
    size: str = option("256x192", "Input size of the network, WIDTHxHEIGHT; both sides divide by 16.")
    epochs: int = option(15, "Epochs of content loss alone.")
    # Adversarial epochs are asked for, not given: they multiply the cost, and 15 epochs of BCE/4 are a row of Table 2.
    adversarial_epochs: int = option(0, "Adversarial epochs after those; 75 reach the paper's released epoch 90.")
    batch: int = option(32, "Images in a batch.")
    optimizer: str = option("adagrad", "Optimizer of both networks.", OPTIMIZERS)
    learning_rate: float = option(3e-4, "Learning rate of both networks.")
    # AdaGrad's first steps move every weight by the whole rate, whatever its gradient: on a random decoder that throws
    # the loss far up, and the huge gradients of that moment stay in its sums and slow the rest of the training down.
    warmup: int = option(0, "steps over which the learning rate rises to its value; the paper has none")
    weight_decay: float = option(1e-4, "L2 decay, added to the gradient of weights and not of biases.")
    alpha: float = option(0.05, "Weight of the content loss beside the adversarial one.")
    init: str = option("glorot", "Random initialisation of the generator; a random encoder needs he to learn.", INITS)
    vgg_weights: str = option(
        "torchvision",
        "Encoder weights: a .safetensors or .pth file of VGG-16, torchvision (downloads ImageNet weights), "
        "or none (random, and then nothing is frozen).",
    )
    precision: str = option("fp32", "Arithmetic of the training step; bf16 pays off on GPUs only.", PRECISIONS)
    keep_epochs: bool = option(False, "Keep a checkpoint of every epoch, 127 MB each.")
    memory_gb: float = option(8.0, "Training images beyond this many GB are kept in a temporary file, not in memory.")

    def __post_init__(self) -> None:
        for name, choices in self.choices().items():
            self.want(name, getattr(self, name) in choices, "one of " + ", ".join(choices))
        self.check_numbers()
        parse_size(self.size)
        self.want("loss", self.loss_fits(), f"a pooling that divides both sides of {self.size}")

    @classmethod
    def choices(cls) -> dict[str, tuple[str, ...]]:
        """The values of each field that takes only certain ones."""
        return {item.name: item.metadata["choices"] for item in dataclasses.fields(cls) if "choices" in item.metadata}

    def check_numbers(self) -> None:
        """Refuse numbers out of range."""
        for name in ("epochs", "adversarial_epochs", "warmup"):
            self.want(name, getattr(self, name) >= 0, "0 or more")
        self.want("epochs", self.total_epochs > 0, "at least one epoch, content or adversarial")
        self.want("batch", self.batch >= 1, "1 or more")
        for name in ("learning_rate", "memory_gb"):
            self.want(name, math.isfinite(getattr(self, name)) and getattr(self, name) > 0, "a number above 0")
        for name in ("weight_decay", "alpha"):
            self.want(name, math.isfinite(getattr(self, name)) and getattr(self, name) >= 0, "0 or more")
        self.want("vgg_weights", bool(self.vgg_weights), "a file, torchvision or none")

    def want(self, name: str, holds: bool, wanted: str) -> None:
        """UsageError unless a field's value holds what is wanted of it."""
        if not holds:
            raise UsageError(f"{name} is {getattr(self, name)!r}; wanted: {wanted}")

    def loss_fits(self) -> bool:
        """Whether the pooling of the loss divides both sides of the input."""
        return all(side % pooling(self.loss) == 0 for side in self.height_width)

    @property
    def height_width(self) -> tuple[int, int]:
        """The network's input size in the order of arrays."""
        return parse_size(self.size)

    @property
    def total_epochs(self) -> int:
        """Epochs of both phases."""
        return self.epochs + self.adversarial_epochs

    @property
    def freezes(self) -> bool:
        """Whether conv1-conv3 stay as they are: only given weights are worth freezing."""
        return self.vgg_weights != "none"

    def phase(self, epoch: int) -> str:
        """The phase of an epoch, which are counted from 1: `content`, then `adversarial`."""
        return "content" if epoch <= self.epochs else "adversarial"

    def as_record(self) -> dict[str, str | int | float | bool]:
        """The fields as plain values, for a checkpoint."""
        return dataclasses.asdict(self)


def parse_size(text: str) -> tuple[int, int]:
    """(height, width) of "WIDTHxHEIGHT". UsageError unless both are multiples of 16 from 16 to 4096."""
    parts = str(text).lower().split("x")
    sides = [int(part) for part in parts if part.isascii() and part.isdigit() and len(part) <= len(str(MAX_SIDE))]
    if len(parts) != 2 or len(sides) != 2 or not all(fits(side) for side in sides):
        raise UsageError(
            f"size is {text!r}; wanted: WIDTHxHEIGHT in pixels, both sides multiples of {STRIDE} "
            f"from {STRIDE} to {MAX_SIDE}, as in 256x192"
        )
    width, height = sides
    return height, width


def fits(side: int) -> bool:
    """Whether the generator takes an input side."""
    return STRIDE <= side <= MAX_SIDE and side % STRIDE == 0


def pooling(loss: str) -> int:
    """By how much a content loss pools both maps: 4 for `bce4`, 1 for `bce` and `mse`."""
    return int(loss.removeprefix("bce") or 1) if loss.startswith("bce") else 1
