"""The plugin contract: what a saliency model offers, and how salbench finds the models that are installed.

A plugin package registers a *factory* under the entry-point group `salbench.models`. A factory carries a `card` and,
called with the keyword arguments `checkpoint` and `device`, returns the model. A class whose constructor takes these
two serves as its own factory. Reading a factory's card must not import heavy libraries: import them when called.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import numpy as np

from salbench.arrays import BoolArray, FixationMap, FloatArray, RGBImage, SaliencyMap
from salbench.datasets.stimulus import Fixations, Stimulus
from salbench.errors import DataError, UsageError
from salbench.names import unknown_name
from salbench.progress import Progress

ENTRY_POINT_GROUP = "salbench.models"


@dataclass(frozen=True)
class ModelCard:
    """What a table or a reader must know of a model."""

    name: str
    """The registered name, as on the command line."""
    title: str
    """The name as a table prints it."""
    description: str = ""
    citation: str = ""
    trained_on: tuple[str, ...] = ()
    """`dataset/split` of everything the model was fitted on."""
    uses_ground_truth: bool = False
    """Whether the model is shown the evaluated stimulus's own fixations; tables mark such rows."""
    needs_checkpoint: bool = False
    needs_fixations: bool = False
    """Whether the model cannot do without the fixations of the split, so that it has no map for a mere image."""
    log_density: bool = False
    """Whether its maps are natural logarithms of the probability that the next fixation falls on a pixel: their
    exponentials add up to 1."""


class SaliencyModel(Protocol):
    """A model that looks at the image alone."""

    @property
    def card(self) -> ModelCard:
        """The model's card; a trained model fills `trained_on` from its checkpoint."""

    def predict(self, image: RGBImage) -> SaliencyMap:
        """Saliency of an image: (H, W, 3) uint8 RGB to (H, W), finite, larger meaning more salient."""


class CountsOfOthers(Protocol):
    """How often each pixel was fixated in other images."""

    def __call__(self, *, repeats: bool | None = None) -> FloatArray:
        """(height, width) float64: images, or with `repeats` fixations; None: as the protocol counts."""


@dataclass(frozen=True)
class Context:
    """What a baseline made of fixations may use for one stimulus.

    `others()`: how often each pixel of this stimulus's frame was fixated in the other images of the split, coordinates
    scaled to this frame, (height, width) float64: images, or fixations where the protocol counts repeats.
    `some_others(count)`: the fixation map of so many other images, drawn at random, (height, width) bool.
    `blur`: the protocol's ground-truth blur, fixation map to density. `density`: the ground-truth map that the protocol
    makes of these fixations, repeats counted as it counts them, (height, width).
    `fixations`: this stimulus's own fixations; empty unless the model's card says `uses_ground_truth`.
    `rng(key)`: a generator seeded by run seed, stimulus and key.
    """

    others: "CountsOfOthers"
    some_others: Callable[[int], BoolArray]
    blur: Callable[[FixationMap], FloatArray]
    density: Callable[[Fixations], FloatArray]
    fixations: Fixations
    rng: Callable[[str], np.random.Generator]


@runtime_checkable
class ContextModel(Protocol):
    """A baseline that needs more than the image."""

    @property
    def card(self) -> ModelCard:
        """The model's card."""

    def predict_stimulus(self, stimulus: Stimulus, context: Context) -> SaliencyMap:
        """Saliency of a stimulus, (height, width)."""


@dataclass(frozen=True)
class Evaluation:
    """A map together with the only fixations it is to be judged by."""

    saliency_map: SaliencyMap
    fixations: Fixations


@runtime_checkable
class RepeatedModel(Protocol):
    """A baseline that is scored several times on a stimulus, each time on other fixations; the mean counts."""

    @property
    def card(self) -> ModelCard:
        """The model's card."""

    def evaluations(self, stimulus: Stimulus, context: Context) -> Iterable[Evaluation]:
        """Maps with the fixations that judge them."""


@runtime_checkable
class LazyModel(Protocol):
    """A model that puts off loading its weights, as one that travels to worker processes should."""

    def load(self) -> None:
        """Load everything that `predict` needs. Called once in each process that will predict, before it does."""


@runtime_checkable
class FittedModel(Protocol):
    """A baseline with a few parameters that are found on the whole split before its first stimulus is scored."""

    @property
    def card(self) -> ModelCard:
        """The model's card."""

    def fit(self, stimuli: Sequence[Stimulus], progress: Progress) -> Mapping[str, float]:
        """Find the parameters. Called once, in the process that drives the run; what is returned goes into the run."""

    def use(self, parameters: Mapping[str, float]) -> None:
        """Take over parameters that `fit` found. Called in every process that will predict."""


@runtime_checkable
class TrainedModel(Protocol):
    """A model that can tell how it was trained."""

    @property
    def training_record(self) -> Mapping[str, Any]:
        """Configuration, epoch, seed and the like, as JSON types: goes into `run.json`, and decides nothing."""


Model = SaliencyModel | ContextModel | RepeatedModel


class ModelFactory(Protocol):
    """What an entry point names."""

    @property
    def card(self) -> ModelCard:
        """The model's card, before any weights are loaded."""

    def __call__(self, *, checkpoint: Path | None = None, device: str | None = None) -> Model:
        """The model, ready to predict. `device`: a torch device string, or None for the model's own choice."""


@dataclass(frozen=True)
class TrainingJob:
    """Everything a trainable model is given beside its own configuration.

    `dataset`: `name/split`, to be stored as the checkpoint's `trained_on`.
    `ground_truth(stimulus)`: continuous map, (height, width) float64 in 0 to 1, its maximum 1 (all zero without
    fixations).
    `ground_truth_recipe`: how those maps are made, in words; a training goes on only with the same.
    `validate(predict)`: scores a predict function on the validation stimuli, metric key to mean.
    `validation_split`: `name/split` of the validation stimuli; empty where there are none.
    """

    train: Sequence[Stimulus]
    validation: Sequence[Stimulus]
    dataset: str
    ground_truth: Callable[[Stimulus], FloatArray]
    ground_truth_recipe: str
    validate: Callable[[Callable[[RGBImage], SaliencyMap]], Mapping[str, float]]
    out: Path
    device: str | None
    seed: int
    progress: Progress
    validation_split: str = ""


@runtime_checkable
class TrainableFactory(Protocol):
    """A factory that can also train. `config_class` is a frozen dataclass; each field's metadata may carry `help` and
    `choices`, and becomes an option of `salbench train NAME`.
    """

    @property
    def card(self) -> ModelCard:
        """The model's card, before any weights are loaded."""

    @property
    def config_class(self) -> type:
        """The class of the configuration."""

    def train(self, job: TrainingJob, config: Any) -> Path:
        """Train, resume where an earlier call with the same configuration stopped, return the checkpoint's path."""


@runtime_checkable
class PresetFactory(Protocol):
    """A trainable factory with named configurations, for `salbench train NAME --preset PRESET`."""

    @property
    def presets(self) -> Mapping[str, Mapping[str, Any]]:
        """By name, the fields of `config_class` that are not left at their defaults.

        Where `config_class` has a text field `preset`, it is given the name, so that it is stored with the rest.
        """


@dataclass(frozen=True)
class TrainedEpoch:
    """What one epoch of a training gave.

    `epoch`: counted from 1. `phase`: the plugin's name for the part of the training that it belongs to. `metrics`: its
    validation means. `generator_steps`: those that the network which predicts has taken at its end, where that is
    known. `checkpoint`: the file that holds the model as it was then, where there is one.
    """

    epoch: int
    phase: str
    metrics: Mapping[str, float]
    generator_steps: int | None
    checkpoint: Path | None


@runtime_checkable
class EpochsFactory(Protocol):
    """A trainable factory that can tell what each epoch of a training folder gave. Neither needs heavy libraries."""

    def epochs(self, folder: Path) -> list[TrainedEpoch]:
        """The epochs that are done, in order; none where none is. RunError for a file that is not what it should be."""

    def chosen_epoch(self, folder: Path) -> TrainedEpoch | None:
        """The epoch that is the training's result, were it to end now; None where no epoch is done."""


@dataclass(frozen=True)
class Importer:
    """How weights that somebody else published become a checkpoint of the model.

    `description`: a line for `salbench import`. `config_class`: a frozen dataclass whose fields become options, as
    those of a training do. `run(source, out, config)`: check `source`, write the checkpoint `out` whole or not at all,
    and return a line that says what it is. It raises DataError for a file that is not what it should be.
    """

    description: str
    config_class: type
    run: Callable[[Path, Path, Any], str]


@runtime_checkable
class ImportingFactory(Protocol):
    """A factory that makes checkpoints out of other people's files."""

    @property
    def importers(self) -> Mapping[str, Importer]:
        """By the kind of file, `salbench import KIND`. Reading them must not import heavy libraries."""


@dataclass(frozen=True)
class Registry:
    """The model factories that are installed, by name; each is imported on first use."""

    entries: Mapping[str, EntryPoint] = field(default_factory=dict)

    def names(self) -> list[str]:
        """All registered names, sorted."""
        return sorted(self.entries)

    def factory(self, name: str) -> ModelFactory:
        """The factory of that name. UsageError for an unknown one, DataError where its package cannot be imported."""
        entry = self.entries.get(name)
        if entry is None:
            raise UsageError(unknown_name("model", name, self.names()))
        try:
            factory: ModelFactory = entry.load()
        except Exception as error:  # a plugin's module may raise anything
            raise DataError(f"model {name!r} ({entry.value}) cannot be imported: {error!r}") from error
        if not isinstance(getattr(factory, "card", None), ModelCard):
            raise DataError(f"model {name!r} ({entry.value}) has no card of type salbench.models.ModelCard")
        return factory

    def importers(self) -> dict[str, Importer]:
        """All importers by kind; a model whose package cannot be imported has none.

        Two models that import one kind are an error that names both.
        """
        found: dict[str, Importer] = {}
        owners: dict[str, str] = {}
        for name in self.names():
            for kind, importer in self._importers_of(name).items():
                if kind in found:
                    raise UsageError(f"two models import the kind {kind!r}: {owners[kind]} and {name}")
                found[kind], owners[kind] = importer, name
        return found

    def _importers_of(self, name: str) -> Mapping[str, Importer]:
        try:
            factory: object = self.factory(name)
        except DataError:
            return {}
        return factory.importers if isinstance(factory, ImportingFactory) else {}

    def package(self, name: str) -> str | None:
        """Name and version of the distribution that registered a model; None where it does not say."""
        distribution = self.entries[name].dist
        return None if distribution is None else f"{distribution.name} {distribution.version}"


@lru_cache(maxsize=1)
def registry() -> Registry:
    """The registry of this environment. Two packages that register one name are an error that names both."""
    entries: dict[str, EntryPoint] = {}
    for entry in entry_points(group=ENTRY_POINT_GROUP):
        known = entries.setdefault(entry.name, entry)
        if known.value != entry.value:
            raise UsageError(f"two packages register the model {entry.name!r}: {known.value} and {entry.value}")
    return Registry(entries)


def with_preset(factory: ModelFactory | TrainableFactory, options: Mapping[str, Any]) -> dict[str, Any]:
    """Options of a training with the values of the preset that they name as `preset`; an option beside it wins.

    UsageError, with the near names, for a preset that the factory does not have.
    """
    name = options.get("preset")
    if not name:
        return dict(options)
    presets: Mapping[str, Mapping[str, Any]] = factory.presets if isinstance(factory, PresetFactory) else {}
    if name not in presets:
        raise UsageError(unknown_name(f"{factory.card.name} preset", name, list(presets)))
    return {**presets[name], **options}


def epochs_factory(name: str) -> EpochsFactory:
    """The factory of a model that tells what the epochs of its trainings gave. UsageError for one that does not."""
    factory: object = registry().factory(name)
    if not isinstance(factory, EpochsFactory):
        raise UsageError(f"the model {name!r} does not tell what the epochs of its trainings gave")
    return factory
