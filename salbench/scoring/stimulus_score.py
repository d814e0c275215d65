"""The work of one stimulus: ask the model, prepare the ground truth, compute the metrics, and give one row."""

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import cached_property, partial
from pathlib import Path
from typing import Any

import numpy as np

from salbench import __version__
from salbench.array_cache import ArrayCache
from salbench.arrays import BoolArray, FloatArray, IntArray, SaliencyMap
from salbench.datasets.stimulus import Fixations, Stimulus
from salbench.densities import CentrePriorFit, centre_prior
from salbench.errors import DataError, SalbenchError, UsageError, WriteError, going_on, is_lack_of_memory
from salbench.image_files import MAX_PIXELS, write_map
from salbench.metrics import METRICS, Truth
from salbench.metrics.location import log2_density_at
from salbench.metrics.prepared import PreparedMap, flat_statistics, named_statistics
from salbench.models import Context, ContextModel, Evaluation, FittedModel, LazyModel, Model, RepeatedModel, registry
from salbench.progress import Progress
from salbench.protocols import GroundTruth, Protocol, find_protocol
from salbench.protocols.log_density import MapChoice, evaluate_log_density
from salbench.protocols.protocol import every_position
from salbench.result_file import open_predictions
from salbench.scoring.fixated_pixels import FixatedPixels
from salbench.scoring.randomness import generator

RECIPE = 1
"""To be raised where what is kept in the cache is made in another way."""


@dataclass(frozen=True)
class ModelSource:
    """Where a model comes from, in a form that travels to a worker: a registered name, ready maps, or an object.

    `folder`: a folder of maps, or a result file of the SALICON challenge; `log_density`: whether its maps are log
    densities. `title`: a name for tables in place of its own. `parameters`: those of a FittedModel.
    """

    name: str | None = None
    checkpoint: Path | None = None
    device: str | None = None
    folder: Path | None = None
    title: str | None = None
    log_density: bool = False
    given: Model | None = None
    parameters: Mapping[str, float] | None = None

    def load(self) -> Model:
        """The model, ready to predict. DataError where a plugin's constructor raises anything but a SalbenchError."""
        model = self._made()
        if self.parameters is not None and isinstance(model, FittedModel):
            with _plugin_errors(model.card.name):
                model.use(self.parameters)
        return model

    def fitted(self, stimuli: Sequence[Stimulus], progress: Progress) -> "ModelSource":
        """The same source with the parameters that its model finds on a split; itself for a model that finds none."""
        model = self.load()
        if not isinstance(model, FittedModel):
            return self
        with _plugin_errors(model.card.name):
            return replace(self, parameters=_as_numbers(model.fit(stimuli, progress)))

    def with_parameters(self, parameters: Mapping[str, float]) -> "ModelSource":
        """The same source with parameters found elsewhere. UsageError for a model that has none."""
        model = self.load()
        if not isinstance(model, FittedModel):
            raise UsageError(f"{model.card.name} has no parameters that are fitted on a split")
        return replace(self, parameters=_as_numbers(parameters))

    def _made(self) -> Model:
        if self.given is not None:
            return self.given
        if self.folder is not None:
            return open_predictions(self.folder, self.title, log_density=self.log_density)
        assert self.name is not None  # noqa: S101 - narrows the type; the runner makes one of the three
        factory = registry().factory(self.name)
        with _plugin_errors(self.name):
            return factory(checkpoint=self.checkpoint, device=self.device)


@dataclass(frozen=True)
class Row:
    """One stimulus's result. `scores` by metric key, NaN where undefined; `error` is empty where all went well.

    `fixations`: how many lie inside the frame; `dropped`: how many were recorded outside. `passing`: the error is one
    of the moment, such as a lack of memory, and the same command tries again.
    """

    stimulus: str
    scores: dict[str, float]
    error: str = ""
    fixations: int = 0
    dropped: int = 0
    passing: bool = False


@dataclass(frozen=True, slots=True)
class Numbered:
    """A stimulus and its place in the split."""

    index: int
    stimulus: Stimulus


def numbered(stimuli: Sequence[Stimulus]) -> Iterator[Numbered]:
    """The stimuli of a split with their places."""
    return (Numbered(index, stimulus) for index, stimulus in enumerate(stimuli))


@dataclass
class StimulusScorer:
    """Scores any stimulus of a split; the same in every process, so that workers differ in nothing.

    `blur_sigma`: pixels, None for the protocol's own blur. `maps_folder`: where predicted maps are kept, or None.
    `counted`: the pixels of the fixations that the protocol counts, None where those are all of `pixels`. `cache`:
    where ground-truth maps are kept, None for nowhere. `maps` and `prior`, for models that give log densities: which
    map each metric gets, and the baseline density's parameters, None where no metric needs them.
    """

    pixels: FixatedPixels
    source: ModelSource
    protocol_key: str
    metrics: tuple[str, ...]
    blur_sigma: float | None
    seed: int
    maps_folder: Path | None = None
    counted: FixatedPixels | None = None
    cache: ArrayCache | None = None
    maps: MapChoice = "same"
    prior: CentrePriorFit | None = None
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
        """Load the model with all its weights, and map what was fixated. What cannot be had ends the run before any row
        is made.
        """
        self.pixels.prepare()
        if self.counted is not None:
            self.counted.prepare()
        model = self.model
        if isinstance(model, LazyModel):
            with _plugin_errors(model.card.name):
                model.load()

    def row(self, one: Numbered) -> Row:
        """The row of one stimulus. Whatever goes wrong with it is told in the row and costs no other stimulus.

        Raises WriteError where its map cannot be kept: a full disk concerns every stimulus.
        """
        try:
            return self._scored(one)
        except WriteError:
            raise
        except SalbenchError as error:
            return self.failed(one, str(error), passing=is_lack_of_memory(error))
        except (Exception, SystemExit) as error:  # a plugin may raise anything, or call sys.exit
            return self.failed(one, f"{type(error).__name__}: {error}", passing=is_lack_of_memory(error))

    def failed(self, one: Numbered, error: str, *, passing: bool = False) -> Row:
        """The row of a stimulus that could not be scored."""
        return Row(one.stimulus.id, dict.fromkeys(self.metrics, np.nan), error=error, passing=passing)

    def _scored(self, one: Numbered) -> Row:
        recorded = one.stimulus.recorded_fixations()
        fixations = recorded.within(one.stimulus.size)
        evaluations = self._evaluations(one, fixations)
        others = self._comparison(one)
        scores = [self._scores(one, number, evaluation, others) for number, evaluation in enumerate(evaluations)]
        return Row(
            one.stimulus.id,
            {key: mean_of_defined([score[key] for score in scores]) for key in self.metrics},
            fixations=len(fixations),
            dropped=len(recorded) - len(fixations),
        )

    def _evaluations(self, one: Numbered, fixations: Fixations) -> list[Evaluation]:
        if isinstance(self.model, RepeatedModel):
            return list(self.model.evaluations(self._shown(one.stimulus), self._context(one, fixations)))
        saliency_map = self.predict(one, fixations)
        if self.maps_folder is not None:
            file = self.maps_folder / f"{one.stimulus.id}.npy"
            with going_on(file):
                write_map(file, saliency_map, "npy")
        return [Evaluation(saliency_map, fixations)]

    def predict(self, one: Numbered, fixations: Fixations) -> SaliencyMap:
        """The model's map of a stimulus. `fixations`: its own, shown only to a model whose card asks for them."""
        model = self.model
        if isinstance(model, RepeatedModel):
            raise DataError(f"{model.card.name} has no map of its own: it is scored viewer by viewer")
        if isinstance(model, ContextModel):
            return _scorable(model.predict_stimulus(self._shown(one.stimulus), self._context(one, fixations)))
        return _scorable(model.predict(one.stimulus.image()))

    def _shown(self, stimulus: Stimulus) -> Stimulus:
        """The stimulus as the model may see it: without what was recorded on it, unless its card asks for that."""
        if self.model.card.uses_ground_truth:
            return stimulus
        return replace(stimulus, fixation_source=None, map_source=None, map_file=None)

    def _context(self, one: Numbered, fixations: Fixations) -> Context:
        shown = fixations if self.model.card.uses_ground_truth else Fixations.of_one_viewer([], [])
        return Context(
            others=partial(self._counts_of_others, one),
            some_others=partial(self._drawn_others, self.pixels, one, purpose="some others"),
            blur=lambda fixation_map: self.protocol.density(fixation_map, self.blur_sigma),
            density=lambda fixations: self._made_density(fixations.positions, one.stimulus.size),
            fixations=shown,
            rng=self._rng_of(one),
        )

    def _scores(self, one: Numbered, number: int, evaluation: Evaluation, others: GroundTruth) -> dict[str, float]:
        stimulus = one.stimulus
        positions = self.protocol.counted(evaluation.fixations.positions)
        truth = replace(others, fixation_map=Fixations.map_of(positions, stimulus.size), positions=positions)
        if Truth.DENSITY in self._needed:
            truth = self._with_density(truth, stimulus, positions)
        if Truth.BASELINE in self._needed:
            truth = replace(truth, baseline_log2=self._baseline_at(one, np.flatnonzero(truth.fixation_map)))
        scores = self._compared(one, number, evaluation.saliency_map, truth)
        if not len(positions) and stimulus.map_source is None:
            # The reference gives an all-zero ground truth SIM 0 and a perfect KL 0: there is nothing to score.
            scores |= {key: np.nan for key in scores if Truth.DENSITY in METRICS[key].needs}
        _refuse_infinite(scores)
        return scores

    def _compared(self, one: Numbered, number: int, saliency_map: SaliencyMap, truth: GroundTruth) -> dict[str, float]:
        rng = self._rng_of(one, number)
        if not self.model.card.log_density:
            return self.protocol.evaluate(saliency_map, truth, self.metrics, rng)
        return evaluate_log_density(
            self.protocol,
            saliency_map,
            truth,
            self.metrics,
            rng,
            maps=self.maps,
            baseline_log_density=None if self.prior is None else self._prior_density(one, self.prior),
            blur=lambda values: self.protocol.density(values, self.blur_sigma),
            fixation_count=len(truth.known_positions),
        )

    def _prior_density(self, one: Numbered, prior: CentrePriorFit) -> FloatArray:
        """The baseline of a log density: that of the fixations of all other images."""
        return centre_prior(self._counts_of_others(one, repeats=True), prior)

    @cached_property
    def _needed(self) -> set[Truth]:
        return {need for key in self.metrics for need in METRICS[key].needs}

    def _comparison(self, one: Numbered) -> GroundTruth:
        """What comes from other images: the same for all evaluations of a stimulus."""
        truth = GroundTruth(fixation_map=np.zeros(one.stimulus.size, dtype=np.bool_))
        if Truth.OTHERS not in self._needed:
            return truth
        count = self.protocol.other_images
        if count is None:
            counts = self._counted.counts_of_others(one.index, repeats=self.protocol.repeats)
            return replace(truth, other_counts=counts)
        return replace(truth, other_map=self._drawn_others(self._counted, one, count))

    def _counts_of_others(self, one: Numbered, *, repeats: bool | None = None) -> FloatArray:
        """How often each pixel was fixated in other images, by default as the protocol counts."""
        return self.pixels.counts_of_others(one.index, repeats=self.protocol.repeats if repeats is None else repeats)

    def _made_density(self, positions: IntArray, size: tuple[int, int]) -> FloatArray:
        """The continuous ground truth of fixations."""
        return self.protocol.density(self.protocol.points(positions, size), self.blur_sigma)

    def _with_density(self, truth: GroundTruth, stimulus: Stimulus, positions: IntArray) -> GroundTruth:
        """The continuous ground truth; that of a whole stimulus, and what metrics ask of it, are made once on this
        machine.
        """
        make = partial(self._made_density, positions, stimulus.size)
        repeated = isinstance(self.model, RepeatedModel)
        if stimulus.map_source is not None and not repeated:
            return replace(truth, density=stimulus.map_source())
        if self.cache is None or repeated:
            return replace(truth, density=make())
        key = self._key("density", str(stimulus.size), positions[:, 0] * stimulus.size[1] + positions[:, 1])
        density = self.cache.get(key, make)
        if not self.protocol.takes_statistics:
            return replace(truth, density=density)
        statistics = self.cache.get(self._key("statistics", key), lambda: flat_statistics(PreparedMap(density)))
        return replace(truth, density=density, density_statistics=named_statistics(statistics, stimulus.size))

    def _baseline_at(self, one: Numbered, fixated: IntArray) -> FloatArray:
        """Of the centre prior of all other images log2 at fixated pixels, flat ones; made once on this machine for all
        pixels that are fixated in the stimulus.
        """
        known = self.pixels.of(one.index)["pixel"].astype(np.int64)
        if not (fixated.size and np.isin(fixated, known).all()):
            return log2_density_at(fixated, PreparedMap(self._baseline_map(one)))

        def make() -> FloatArray:
            return log2_density_at(known, PreparedMap(self._baseline_map(one)))[None]

        key = self._key("baseline", f"{self.pixels.file}\0{one.index}", known)
        values = make() if self.cache is None else self.cache.get(key, make)
        at_fixated: FloatArray = values[0, np.searchsorted(known, fixated)]
        return at_fixated

    def _key(self, what: str, source: str, pixels: IntArray | None = None) -> str:
        """What something made of fixations depends on, as the name of a file. The order of fixations does not count."""
        recipe = (what, __version__, str(RECIPE), self.protocol_key, repr(self.blur_sigma), source)
        whole = hashlib.sha256("\0".join(recipe).encode())
        if pixels is not None:
            whole.update(np.sort(pixels).astype("<i8").tobytes())
        return whole.hexdigest()

    @property
    def _counted(self) -> FixatedPixels:
        if self.counted is None and self.protocol.counted is not every_position:
            raise UsageError(
                f"protocol {self.protocol_key} does not count every fixation: read_fixations needs its rule"
            )
        return self.pixels if self.counted is None else self.counted

    def _drawn_others(
        self, pixels: FixatedPixels, one: Numbered, count: int, purpose: str = "other images"
    ) -> BoolArray:
        """The union of the fixations of some other images, drawn at random; of all if there are fewer."""
        others = pixels.others_of(one.index)
        drawn = self._rng_of(one)(purpose).choice(others, size=min(count, others.size), replace=False)
        return pixels.union(drawn.tolist(), one.stimulus.size)

    def _baseline_map(self, one: Numbered) -> FloatArray:
        """The centre prior: the blurred fixations of all other images."""
        return self.protocol.density(self._counts_of_others(one), self.blur_sigma)

    def _rng_of(self, one: Numbered, number: int = 0) -> Callable[[str], np.random.Generator]:
        names = (one.stimulus.id,) if number == 0 else (one.stimulus.id, str(number))
        return lambda key: generator(self.seed, *names, key)


def _scorable(answer: Any) -> SaliencyMap:
    """A plugin's answer, which may be anything. An array of a few bytes may repeat one number without end."""
    if isinstance(answer, np.ndarray) and answer.size > MAX_PIXELS:
        raise DataError(f"its map has shape {answer.shape}; at most {MAX_PIXELS:,} pixels are scored")
    map_or_refused: SaliencyMap = answer  # what is no map is refused where it is prepared
    return map_or_refused


def _as_numbers(parameters: Mapping[str, float]) -> dict[str, float]:
    """Parameters as a run stores them. UsageError for one that is no finite number."""
    numbers = {str(name): float(value) for name, value in parameters.items()}
    wrong = [name for name, value in numbers.items() if not np.isfinite(value)]
    if wrong:
        raise UsageError(f"the parameter {wrong[0]} is {numbers[wrong[0]]}; wanted: a finite number")
    return numbers


@contextmanager
def _plugin_errors(name: str) -> Iterator[None]:
    """Whatever a plugin raises while it is loaded becomes an error that names it."""
    try:
        yield
    except SalbenchError:
        raise
    except (Exception, SystemExit) as error:
        raise DataError(f"model {name!r} cannot be loaded ({type(error).__name__}: {error})") from error


def _refuse_infinite(scores: Mapping[str, float]) -> None:
    """DataError for a score that is no number, told by what makes it so."""
    infinite = [key for key, value in scores.items() if np.isinf(value)]
    if not infinite:
        return
    if all(key in ("information_gain", "log_likelihood") for key in infinite):
        raise DataError(f"{', '.join(infinite)} is infinite: a fixation fell on a pixel of probability 0")
    raise DataError(f"{', '.join(infinite)} is infinite: the map's values are too large or too small for float64")


def mean_of_defined(values: list[float]) -> float:
    """The mean of the values that are defined, NaN where none is."""
    defined = [value for value in values if not np.isnan(value)]
    return float(np.mean(defined)) if defined else np.nan
