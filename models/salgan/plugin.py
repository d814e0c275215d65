"""The plugin: what salbench finds under the name `salgan`. torch is imported when a model predicts or trains."""

from collections.abc import Mapping
from dataclasses import replace
from functools import cached_property
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from salbench.arrays import RGBImage, SaliencyMap
from salbench.errors import DataError, UsageError
from salbench.models import Importer, ModelCard, TrainedEpoch, TrainingJob
from salbench.names import unknown_name
from salbench_models.salgan.checkpoint import Header, read_header
from salbench_models.salgan.config import SalGANConfig
from salbench_models.salgan.postprocessing import POSTPROCESSES
from salbench_models.salgan.presets import PRESETS
from salbench_models.salgan.released import ReleasedOptions, import_released
from salbench_models.salgan.trained_epochs import chosen_epoch, trained_epochs

if TYPE_CHECKING:
    from salbench_models.salgan.inference import Predictor

CARD = ModelCard(
    name="salgan",
    title="SalGAN",
    description="VGG-16 encoder and decoder trained with binary cross-entropy and, optionally, a discriminator",
    citation="Pan et al. 2017, SalGAN: Visual Saliency Prediction with Generative Adversarial Networks",
    needs_checkpoint=True,
)
REQUIREMENTS = ("torch", "torchvision", "lightning_fabric", "safetensors")


def import_weights(source: Path, out: Path, options: ReleasedOptions) -> str:
    """As `import_released`, after a look whether torch is there: DataError without it."""
    require_torch()
    return import_released(source, out, options)


RELEASED = Importer(
    description="the generator that SalGAN's authors released, gen_modelWeights0090.npz",
    config_class=ReleasedOptions,
    run=import_weights,
)


def training_of(header: Header) -> dict[str, Any]:
    """What a run's record tells of how the weights came about."""
    return {
        "salbench": header.salbench,
        "config": dict(header.config),
        "trained_on": list(header.trained_on),
        "epoch": header.epoch,
        "seed": header.seed,
        "validation": dict(header.metrics),
        **({"origin": dict(header.origin)} if header.origin else {}),
    }


class SalGAN:
    """A trained SalGAN. It travels to worker processes as its path and loads its weights there on first use.

    `checkpoint`: a file that `salbench train salgan` or `salbench import salgan-theano` wrote. `device`: of torch,
    by default CUDA where there is any, else the CPU. `postprocess`: `exact` or `original`, how a map gets the size of
    its image; by default what the checkpoint says. Raises UsageError without a checkpoint, for an unknown postprocess
    or for a device that is not there, DataError for a bad checkpoint or without torch.
    """

    card: ModelCard = CARD
    config_class: ClassVar[type] = SalGANConfig
    presets: ClassVar[Mapping[str, Mapping[str, Any]]] = PRESETS
    importers: ClassVar[Mapping[str, Importer]] = {"salgan-theano": RELEASED}

    def __init__(
        self, *, checkpoint: Path | None = None, device: str | None = None, postprocess: str | None = None
    ) -> None:
        if checkpoint is None:
            raise UsageError(
                "salgan needs trained weights: pass --checkpoint FILE, "
                "which `salbench train salgan --dataset NAME --out FOLDER` or `salbench import` makes"
            )
        if postprocess not in (None, *POSTPROCESSES):
            raise UsageError(unknown_name("postprocess", str(postprocess), list(POSTPROCESSES)))
        require_torch()
        self.checkpoint = Path(checkpoint)
        self.device = device
        header = read_header(self.checkpoint)
        self.postprocess = postprocess or header.postprocess
        self.card = card_of(header, self.postprocess)
        self.training_record = training_of(header)
        if device is not None:
            check_device(device)

    def predict(self, image: RGBImage) -> SaliencyMap:
        """Saliency of an image: (H, W, 3) uint8 RGB to (H, W) float32 in 0 to 1.

        Raises ShapeError or ValueRangeError for another array, else as `load` does.
        """
        return self.predictor(image)

    def load(self) -> None:
        """Load the weights now.

        Raises DataError for a checkpoint whose weights cannot be read, UsageError for a device that is not there.
        """
        _ = self.predictor

    @cached_property
    def predictor(self) -> "Predictor":
        """The network on its device, loaded on first use."""
        from salbench_models.salgan.inference import load_predictor  # noqa: PLC0415 - imports torch

        return load_predictor(self.checkpoint, self.device, self.postprocess)

    @classmethod
    def train(cls, job: TrainingJob, config: SalGANConfig) -> Path:
        """Train, or go on where an interrupted call with the same configuration stopped; the checkpoint's path.

        That is the epoch of the last phase with the best validation NSS, or its last epoch without validation.
        Raises DataError for missing torch, weights or training images, RunError for a folder of another run,
        UsageError for a device that is not there and for a seed out of range.
        """
        require_torch()
        from salbench_models.salgan.training import train  # noqa: PLC0415 - imports torch

        return train(job, config)

    @classmethod
    def epochs(cls, folder: Path) -> list[TrainedEpoch]:
        """What each epoch of a training's folder gave; none without an epochs.csv. RunError for a damaged one."""
        return trained_epochs(folder)

    @classmethod
    def chosen_epoch(cls, folder: Path) -> TrainedEpoch | None:
        """The epoch of salgan.safetensors, were the training to end now; None where no epoch is done.

        RunError for a damaged epochs.csv.
        """
        return chosen_epoch(trained_epochs(folder))

    def __getstate__(self) -> dict[str, Any]:
        return {key: value for key, value in self.__dict__.items() if key != "predictor"}


def card_of(header: Header, postprocess: str) -> ModelCard:
    """SalGAN's card with what a checkpoint was trained on; its title tells a postprocess that is not exact."""
    title = CARD.title if postprocess == "exact" else f"{CARD.title} ({postprocess} postprocess)"
    return replace(CARD, title=title, trained_on=header.trained_on)


def check_device(name: str) -> None:
    """UsageError, before anything is computed, for a device that is not there."""
    from salbench_models.salgan.device import torch_device  # noqa: PLC0415 - imports torch

    torch_device(name)


def require_torch() -> None:
    """DataError that says what to install, unless everything that SalGAN runs on is there."""
    missing = [name for name in REQUIREMENTS if find_spec(name) is None]
    if missing:
        raise DataError(f'salgan needs {", ".join(missing)}: pip install "salbench[torch]"')
