"""Everything that shapes a training of SalGAN, in one frozen record; the command line is made from its fields."""

import dataclasses
import math
from dataclasses import dataclass, field
from typing import Any

from salbench.errors import UsageError
from salbench_models.salgan.layers import STRIDE, DiscriminatorForm
from salbench_models.salgan.preprocessing import CAFFE, CAFFE_BGR, TORCHVISION, Preprocessing
from salbench_models.salgan.presets import PRESETS

LOSSES = ("mse", "bce", "bce2", "bce4", "bce8")
OPTIMIZERS = ("adagrad", "adagrad-lasagne", "adam", "nesterov")
INITS = ("glorot", "he")
INPUTS = {"torchvision": TORCHVISION, "caffe": CAFFE, "caffe-bgr": CAFFE_BGR}
POOL1 = (2, 4)
PRECISIONS = ("fp32", "bf16")
AUTO = "auto"
"""The precision that is found out by measurement; a training runs in one of the others."""
KEPT = "none, all, or numbers of epochs as in 15,30"
MAX_SIDE = 4096
"""A bound for input sides, so that a mistyped or hostile size cannot ask for all memory."""

OPERATIONAL = frozenset(
    {"preset", "keep_epochs", "memory_gb", "save_minutes", "deterministic", "tensorboard", "samples"}
)
"""Fields that change no result: a run may be resumed with other values of these. A preset is a name for the values of
other fields, and these must agree."""

SCHEDULE = frozenset({"epochs", "adversarial_epochs"})
"""Fields that say when a training ends: it may be prolonged, as long as what was done keeps its phase."""

NONE, ALL = "none", "all"


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
    optimizer: str = option(
        "adagrad",
        "Optimizer of both networks; adagrad-lasagne divides by sqrt(sum of squares + 1e-6), as the released code.",
        OPTIMIZERS,
    )
    learning_rate: float = option(3e-4, "Learning rate of both networks.")
    momentum: float = option(0.5, "Momentum of the nesterov optimizer; others have none.")
    # AdaGrad's first steps move every weight by the whole rate, whatever its gradient: on a random decoder that throws
    # the loss far up, and the huge gradients of that moment stay in its sums and slow the rest of the training down.
    warmup: int = option(0, "Steps over which the learning rate rises to its value; the paper has none.")
    weight_decay: float = option(1e-4, "L2 decay, added to the gradient of weights and not of biases.")
    alpha: float = option(0.05, "Weight of the content loss beside the adversarial one.")
    init: str = option("glorot", "Random initialisation of the generator; a random encoder needs he to learn.", INITS)
    # Table 1 decides for the discriminator; the released code's differs in these three.
    discriminator_pool1: int = option(2, "Side of the discriminator's first pooling: 2, or 4 as in the released code.")
    discriminator_pad: int = option(1, "Padding of the discriminator's 1x1 conv1_1; 0 in the released code.")
    discriminator_weight_norm: bool = option(
        False, "Normalise the weights of the discriminator's conv3_1 and conv3_2, as in the released code."
    )
    vgg_weights: str = option(
        "torchvision",
        "Encoder weights: a .safetensors or .pth file of VGG-16, torchvision or caffe (each downloads ImageNet "
        "weights), or none (random, and then nothing is frozen).",
    )
    preprocessing: str = option(
        "auto",
        "What the encoder's weights want of an image: RGB in ImageNet's mean and deviation (torchvision), or 0 to 255 "
        "less a mean, in RGB (caffe) or BGR (caffe-bgr); auto: caffe for those weights, else torchvision.",
        ("auto", *INPUTS),
    )
    flips: bool = option(False, "Mirror images and maps at random; the paper has none.")
    accumulate: int = option(1, "Parts that a batch is computed in, one after the other, to save memory.")
    cache_features: bool = option(False, "Keep conv1-conv3's output of every image in a file; conv1-conv3 must freeze.")
    compile: bool = option(False, "Compile both networks with torch.compile.")
    precision: str = option(
        "fp32",
        "Arithmetic of the training step; auto measures a few steps and takes bf16 where that is quicker by a tenth.",
        (*PRECISIONS, AUTO),
    )
    keep_epochs: str = option(NONE, "Epochs whose checkpoints are kept, 127 MB each: none, all, or as in 15,30.")
    save_minutes: float = option(10.0, "Minutes between savings within an epoch; 0: only at the end of each.")
    deterministic: bool = option(
        False, "Deterministic arithmetic on GPUs too, with CUBLAS_WORKSPACE_CONFIG=:4096:8 set; the CPU's always is."
    )
    tensorboard: bool = option(True, "Write every step and epoch for TensorBoard, into the training's folder.")
    samples: int = option(4, "Stimuli that a picture shows after each epoch: image, ground truth, map; 0: no picture.")
    memory_gb: float = option(8.0, "Training images beyond this many GB are kept in a temporary file, not in memory.")
    preset: str = option("", "Name of the preset that the other values started from; kept for the record.")

    def __post_init__(self) -> None:
        former: Any = self.keep_epochs
        if isinstance(former, bool):  # as the records of older runs have it
            object.__setattr__(self, "keep_epochs", ALL if former else NONE)
        for name, choices in self.choices().items():
            self.want(name, getattr(self, name) in choices, "one of " + ", ".join(choices))
        self.check_numbers()
        self.check_weights()
        self.want("keep_epochs", self.keep_epochs in (NONE, ALL) or bool(self.kept_numbers), KEPT)
        self.want("preset", self.preset in ("", *PRESETS), "one of " + ", ".join(PRESETS))
        parse_size(self.size)
        self.want("loss", self.loss_fits(), f"a pooling that divides both sides of {self.size}")

    @classmethod
    def choices(cls) -> dict[str, tuple[str, ...]]:
        """The values of each field that takes only certain ones."""
        return {item.name: item.metadata["choices"] for item in dataclasses.fields(cls) if "choices" in item.metadata}

    def check_numbers(self) -> None:
        """Refuse numbers out of range."""
        for name in ("epochs", "adversarial_epochs", "warmup", "samples"):
            self.want(name, getattr(self, name) >= 0, "0 or more")
        self.want("epochs", self.total_epochs > 0, "at least one epoch, content or adversarial")
        for name in ("batch", "accumulate"):
            self.want(name, getattr(self, name) >= 1, "1 or more")
        self.want("accumulate", self.accumulate <= self.batch, f"at most the {self.batch} images of a batch")
        self.want("discriminator_pool1", self.discriminator_pool1 in POOL1, "2 or 4")
        self.want("discriminator_pad", self.discriminator_pad in (0, 1), "0 or 1")
        self.want("momentum", 0 < self.momentum < 1, "a number between 0 and 1")
        for name in ("learning_rate", "memory_gb"):
            self.want(name, math.isfinite(getattr(self, name)) and getattr(self, name) > 0, "a number above 0")
        for name in ("weight_decay", "alpha", "save_minutes"):
            self.want(name, math.isfinite(getattr(self, name)) and getattr(self, name) >= 0, "0 or more")

    def check_weights(self) -> None:
        """Refuse encoder weights that are not named, and a preprocessing that is known not to be theirs."""
        self.want("vgg_weights", bool(self.vgg_weights), "a file, torchvision, caffe or none")
        theirs = self.vgg_weights if self.vgg_weights in ("torchvision", "caffe") else self.preprocessing
        self.want("preprocessing", self.preprocessing in ("auto", theirs), f"auto or {theirs}, as its weights are")
        self.want("cache_features", self.freezes or not self.cache_features, "no, as a random encoder does not freeze")

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

    @property
    def input_preprocessing(self) -> Preprocessing:
        """What an image goes through before the network sees it."""
        if self.preprocessing != "auto":
            return INPUTS[self.preprocessing]
        return CAFFE if self.vgg_weights == "caffe" else TORCHVISION

    @property
    def discriminator_form(self) -> DiscriminatorForm:
        """The discriminator's layers, where paper and released code differ."""
        return DiscriminatorForm(self.discriminator_pool1, self.discriminator_pad, self.discriminator_weight_norm)

    def phase(self, epoch: int) -> str:
        """The phase of an epoch, which are counted from 1: `content`, then `adversarial`."""
        return "content" if epoch <= self.epochs else "adversarial"

    def generator_steps(self, epoch: int, images: int) -> int:
        """Steps that the generator has taken when an epoch is done, of trainings on so many images.

        In adversarial epochs it takes every other one, the discriminator's being the first.
        """
        batches = math.ceil(images / self.batch)
        content = min(epoch, self.epochs)
        return content * batches + (epoch - content) * batches // 2

    def keeps(self, epoch: int) -> bool:
        """Whether the checkpoint of an epoch stays when later ones are done."""
        return self.keep_epochs == ALL or epoch in self.kept_numbers

    @property
    def kept_numbers(self) -> frozenset[int]:
        """The epochs that `keep_epochs` numbers; none for its words, and for what is no list of numbers from 1 on."""
        parts = [part.strip() for part in self.keep_epochs.split(",")]
        # Few digits, so that no mistyped number takes long to read.
        good = all(part.isascii() and part.isdigit() and len(part) < 10 and int(part) >= 1 for part in parts)
        return frozenset(int(part) for part in parts) if good else frozenset()

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
