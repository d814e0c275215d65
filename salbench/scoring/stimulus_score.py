"""The work of one stimulus: ask the model, prepare the ground truth, compute the metrics, and give one row."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import cached_property, partial
from pathlib import Path

import numpy as np

from salbench.arrays import BoolArray, FloatArray, SaliencyMap
from salbench.datasets.stimulus import Fixations, Stimulus
from salbench.errors import DataError, SalbenchError, UsageError
from salbench.image_files import write_map
from salbench.metrics import METRICS, Truth
from salbench.models import Context, ContextModel, Evaluation, LazyModel, Model, RepeatedModel, registry
from salbench.protocols import GroundTruth, Protocol, find_protocol
from salbench.protocols.protocol import every_position
from salbench.result_file import open_predictions
from salbench.scoring.fixated_pixels import FixatedPixels
from salbench.scoring.randomness import generator


@dataclass(frozen=True)
class ModelSource:
    """Where a model comes from, in a form that travels to a worker: a registered name, ready maps, or an object.

    `folder`: a folder of maps, or a result file of the SALICON challenge.
    """

    name: str | None = None
    checkpoint: Path | None = None
    device: str | None = None
    folder: Path | None = None
    title: str | None = None
    given: Model | None = None

    def load(self) -> Model:
        """The model, ready to predict. DataError where a plugin's constructor raises anything but a SalbenchError."""
        if self.given is not None:
            return self.given
        if self.folder is not None:
            return open_predictions(self.folder, self.title)
        assert self.name is not None  # noqa: S101 - narrows the type; the runner makes one of the three
        factory = registry().factory(self.name)
        with _plugin_errors(self.name):
            return factory(checkpoint=self.checkpoint, device=self.device)


@dataclass(frozen=True)
class Row:
    """One stimulus's result. `scores` by metric key, NaN where undefined; `error` is empty where all went well.

    `fixations`: how many lie inside the frame; `dropped`: how many were recorded outside.
    """

    stimulus: str
    scores: dict[str, float]
    error: str = ""
    fixations: int = 0
    dropped: int = 0


@dataclass
class StimulusScorer:
    """Scores any stimulus of a split; the same in every process, so that workers differ in nothing.

    `blur_sigma`: pixels, None for the protocol's own blur. `maps_folder`: where predicted maps are kept, or None.
    `counted`: the pixels of the fixations that the protocol counts, None where those are all of `pixels`.
    """

    stimuli: Sequence[Stimulus]
    pixels: FixatedPixels
    source: ModelSource
    protocol_key: str
    metrics: tuple[str, ...]
    blur_sigma: float | None
    seed: int
    maps_folder: Path | None = None
    counted: FixatedPixels | None = None
    _model: Model | None = field(default=None, repr=False)

    @cached_property
    def protocol(self) -> Protocol:
        """The protocol of the run."""
        return find_protocol(self.protocol_key)

    @property
    def model(self) -> Model:
        """The model, loaded on first use."""
        if self._model is None:
            self._model = self.source.load()
        return self._model

    def prepare(self) -> None:
        """Load the model with all its weights. A model that cannot be loaded ends the run before any row is made."""
        model = self.model
        if isinstance(model, LazyModel):
            with _plugin_errors(model.card.name):
                model.load()

    def row(self, index: int) -> Row:
        """The row of one stimulus. Whatever goes wrong with it is told in the row and costs no other stimulus."""
        stimulus = self.stimuli[index]
        try:
            return self._scored(index, stimulus)
        except SalbenchError as error:
            text = str(error)
        except Exception as error:  # a plugin may raise anything
            text = f"{type(error).__name__}: {error}"
        return Row(stimulus.id, dict.fromkeys(self.metrics, np.nan), error=text)

    def _scored(self, index: int, stimulus: Stimulus) -> Row:
        recorded = stimulus.recorded_fixations()
        fixations = recorded.within(stimulus.size)
        evaluations = self._evaluations(index, stimulus, fixations)
        others = self._comparison(index, stimulus)
        scores = [self._scores(index, number, one, others) for number, one in enumerate(evaluations)]
        return Row(
            stimulus.id,
            {key: mean_of_defined([score[key] for score in scores]) for key in self.metrics},
            fixations=len(fixations),
            dropped=len(recorded) - len(fixations),
        )

    def _evaluations(self, index: int, stimulus: Stimulus, fixations: Fixations) -> list[Evaluation]:
        if isinstance(self.model, RepeatedModel):
            return list(self.model.evaluations(self._shown(stimulus), self._context(index, fixations)))
        saliency_map = self.predict(index, fixations)
        if self.maps_folder is not None:
            write_map(self.maps_folder / f"{stimulus.id}.npy", saliency_map, "npy")
        return [Evaluation(saliency_map, fixations)]

    def predict(self, index: int, fixations: Fixations) -> SaliencyMap:
        """The model's map of a stimulus. `fixations`: its own, shown only to a model whose card asks for them."""
        stimulus, model = self.stimuli[index], self.model
        if isinstance(model, RepeatedModel):
            raise DataError(f"{model.card.name} has no map of its own: it is scored viewer by viewer")
        if isinstance(model, ContextModel):
            return model.predict_stimulus(self._shown(stimulus), self._context(index, fixations))
        return model.predict(stimulus.image())

    def _shown(self, stimulus: Stimulus) -> Stimulus:
        """The stimulus as the model may see it: without what was recorded on it, unless its card asks for that."""
        if self.model.card.uses_ground_truth:
            return stimulus
        return replace(stimulus, fixation_source=None, map_source=None, map_file=None)

    def _context(self, index: int, fixations: Fixations) -> Context:
        shown = fixations if self.model.card.uses_ground_truth else Fixations.of_one_viewer([], [])
        return Context(
            others=partial(self.pixels.counts_of_others, index),
            blur=lambda fixation_map: self.protocol.density(fixation_map, self.blur_sigma),
            fixations=shown,
            rng=self._rng_of(index),
        )

    def _scores(self, index: int, number: int, evaluation: Evaluation, others: GroundTruth) -> dict[str, float]:
        stimulus = self.stimuli[index]
        positions = self.protocol.counted(evaluation.fixations.positions)
        fixation_map = np.zeros(stimulus.size, dtype=np.bool_)
        fixation_map[positions[:, 0], positions[:, 1]] = True
        density = self._density(stimulus, fixation_map) if Truth.DENSITY in self._needed else None
        truth = replace(others, fixation_map=fixation_map, positions=positions, density=density)
        scores = self.protocol.evaluate(evaluation.saliency_map, truth, self.metrics, self._rng_of(index, number))
        if not len(positions) and stimulus.map_source is None:
            # The reference gives an all-zero ground truth SIM 0 and a perfect KL 0: there is nothing to score.
            scores |= {key: np.nan for key in scores if Truth.DENSITY in METRICS[key].needs}
        infinite = [key for key, value in scores.items() if np.isinf(value)]
        if infinite:
            raise DataError(
                f"{', '.join(infinite)} is infinite: the map's values are too large or too small for float64"
            )
        return scores

    @cached_property
    def _needed(self) -> set[Truth]:
        return {need for key in self.metrics for need in METRICS[key].needs}

    def _comparison(self, index: int, stimulus: Stimulus) -> GroundTruth:
        """What comes from other images: the same for all evaluations of a stimulus."""
        return GroundTruth(
            fixation_map=np.zeros(stimulus.size, dtype=np.bool_),
            other_map=self._other_map(index, stimulus),
            other_counts=self._other_counts(index),
            baseline_map=self._baseline_map(index) if Truth.BASELINE in self._needed else None,
        )

    def _density(self, stimulus: Stimulus, fixation_map: SaliencyMap) -> SaliencyMap:
        if stimulus.map_source is not None and not isinstance(self.model, RepeatedModel):
            return stimulus.map_source()
        return self.protocol.density(fixation_map, self.blur_sigma)

    @property
    def _counted(self) -> FixatedPixels:
        if self.counted is None and self.protocol.counted is not every_position:
            raise UsageError(
                f"protocol {self.protocol_key} does not count every fixation: read_fixations needs its rule"
            )
        return self.pixels if self.counted is None else self.counted

    def _other_counts(self, index: int) -> FloatArray | None:
        """How many other images have a counted fixation at each pixel, where the protocol asks for all of them."""
        if Truth.OTHERS not in self._needed or self.protocol.other_images is not None:
            return None
        return self._counted.counts_of_others(index)

    def _other_map(self, index: int, stimulus: Stimulus) -> BoolArray | None:
        """The union of the fixations of some other images, all if there are fewer; None where it is not asked for."""
        if Truth.OTHERS not in self._needed or self.protocol.other_images is None:
            return None
        others = self._counted.others_of(index)
        count = min(self.protocol.other_images, others.size)
        drawn = self._rng_of(index)("other images").choice(others, size=count, replace=False)
        return self._counted.union(drawn.tolist(), stimulus.size)

    def _baseline_map(self, index: int) -> FloatArray:
        """The centre prior: the blurred fixations of all other images."""
        return self.protocol.density(self.pixels.counts_of_others(index), self.blur_sigma)

    def _rng_of(self, index: int, number: int = 0) -> Callable[[str], np.random.Generator]:
        names = (self.stimuli[index].id,) if number == 0 else (self.stimuli[index].id, str(number))
        return lambda key: generator(self.seed, *names, key)


@contextmanager
def _plugin_errors(name: str) -> Iterator[None]:
    """Whatever a plugin raises while it is loaded becomes an error that names it."""
    try:
        yield
    except SalbenchError:
        raise
    except Exception as error:
        raise DataError(f"model {name!r} cannot be loaded ({type(error).__name__}: {error})") from error


def mean_of_defined(values: list[float]) -> float:
    """The mean of the values that are defined, NaN where none is."""
    defined = [value for value in values if not np.isnan(value)]
    return float(np.mean(defined)) if defined else np.nan
