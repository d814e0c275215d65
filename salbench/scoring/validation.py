"""The scores of a network that is still being trained: its own process predicts, others may compute the metrics."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from functools import cached_property

from salbench.ahead import one_ahead
from salbench.array_cache import open_cache
from salbench.arrays import RGBImage, SaliencyMap
from salbench.datasets.stimulus import Stimulus
from salbench.errors import DataError, RunError, SalbenchError, is_lack_of_memory
from salbench.models import Context, ModelCard
from salbench.progress import Progress
from salbench.protocols import find_protocol
from salbench.scoring.fixated_pixels import read_fixations
from salbench.scoring.preload import get_ready
from salbench.scoring.stimulus_score import ModelSource, Numbered, Row, StimulusScorer, mean_of_defined, numbered
from salbench.scoring.workers import CHUNK, run_chunks

Predict = Callable[[RGBImage], SaliencyMap]

AGAIN = "The same command goes on from what was saved"
KEPT_IMAGES = 1 << 28
"""Bytes of decoded images that are kept from one validation to the next."""


@dataclass(frozen=True, slots=True)
class Predicted:
    """A stimulus and the map that was predicted for it, or why there is none: `error` as a row tells it.

    `passing`: whether memory did not do, which it may another time.
    """

    one: Numbered
    saliency_map: SaliencyMap | None
    error: str = ""
    passing: bool = False


@dataclass
class ReadyMap:
    """A model whose map of the next stimulus is there already, or why it is not."""

    given: Predicted | None = None
    card: ModelCard = field(default_factory=lambda: ModelCard(name="training", title="training"))

    def predict_stimulus(self, stimulus: Stimulus, context: Context) -> SaliencyMap:
        """The map. DataError where there is none."""
        if self.given is None or self.given.saliency_map is None:
            if self.given and self.given.passing:
                raise DataError(self.given.error) from MemoryError()
            raise DataError(self.given.error if self.given else "no map was predicted")
        return self.given.saliency_map


@dataclass
class ScoreMaps:
    """The work of a worker: score maps that were predicted elsewhere. `ready`: the scorer's model."""

    scorer: StimulusScorer
    ready: ReadyMap

    def prepare(self) -> None:
        """Map what was fixated."""
        self.scorer.prepare()

    def __call__(self, chunk: list[Predicted]) -> list[Row]:
        """A row for each."""
        return [self.row(given) for given in chunk]

    def row(self, given: Predicted) -> Row:
        """The row of one map."""
        self.ready.given = given
        return self.scorer.row(given.one)


class Validator:
    """Scores predict functions on the same stimuli by MIT300's protocol, called as `validate` of a TrainingJob.

    `jobs`: processes that compute metrics while this one predicts; with 1 this one does both. The scores do not depend
    on it. A stimulus that cannot be scored is named once and left out of the means. One that could be scored before and
    cannot now ends the validation, since its means would not compare with those of other epochs.
    Fixations are read, and processes started, in the first call: of several processes that train, one alone validates.
    """

    def __init__(
        self, stimuli: Sequence[Stimulus], blur_sigma: float | None, seed: int, jobs: int, progress: Progress
    ) -> None:
        self.stimuli, self.jobs, self.progress = stimuli, jobs, progress
        self.blur_sigma, self.seed = blur_sigma, seed
        self.protocol = find_protocol("mit300")
        self.keys = self.protocol.choose(None)
        self.images = KeptImages(KEPT_IMAGES)
        self.left_out: frozenset[str] | None = None

    @cached_property
    def work(self) -> ScoreMaps:
        """What each worker does, with the fixations of all stimuli."""
        get_ready(self.jobs)  # the server of processes starts while the fixations are read
        cache, ready = open_cache(), ReadyMap()
        pixels = read_fixations(self.stimuli, self.progress, cache, self.protocol).pixels
        source = ModelSource(given=ready)
        scorer = StimulusScorer(pixels, source, self.protocol.key, self.keys, self.blur_sigma, self.seed, cache=cache)
        return ScoreMaps(scorer, ready)

    def __call__(self, predict: Predict) -> Mapping[str, float]:
        """The mean of each metric, by key.

        DataError where no stimulus can be scored, RunError where memory does not do, where a worker dies, and where
        other stimuli cannot be scored than in the first call.
        """
        rows = self.rows(predict)
        self.check(rows)
        scored = [row.scores for row in rows if not row.error]
        return {key: mean_of_defined([scores[key] for scores in scored]) for key in self.keys}

    def check(self, rows: Sequence[Row]) -> None:
        """Say, the first time, what is left out; raise what `__call__` raises for these rows."""
        errors = {row.stimulus: row.error for row in rows if row.error}
        for row in rows:
            if row.passing:
                raise RunError(f"the validation of {row.stimulus} failed: {row.error}. {AGAIN}")
        if len(errors) == len(rows):
            raise DataError(f"no validation stimulus could be scored; the first: {rows[0].error}")
        if self.left_out is None:
            self.left_out = frozenset(errors)
            for stimulus, error in errors.items():
                self.progress.note(f"validation leaves out {stimulus}: {error}")
        other = sorted(self.left_out ^ errors.keys())
        if other:
            now = f"cannot be scored: {errors[other[0]]}" if other[0] in errors else "can be scored now"
            raise RunError(f"the validation of {other[0]} was otherwise before; it {now}. {AGAIN}")

    def rows(self, predict: Predict) -> list[Row]:
        """The row of each stimulus, in their order."""
        self.work.scorer.pixels.keep()
        size = CHUNK if self.jobs == 1 else 1  # few maps wait for a worker at a time
        rows: dict[int, Row] = {}
        with closing(one_ahead(self.with_images())) as images:
            for chunk, found in run_chunks(self.work, predictions(predict, images), self.jobs, size):
                rows |= {given.one.index: row for given, row in zip(chunk, found, strict=True)}
        return [rows[index] for index in sorted(rows)]

    def with_images(self) -> Iterator[tuple[Numbered, RGBImage | Exception]]:
        """Each stimulus with its image, or what reading it raised."""
        for one in numbered(self.stimuli):
            try:
                yield one, self.images.of(one.stimulus)
            except Exception as error:  # a data set's reader may raise anything
                yield one, error


class KeptImages:
    """Decoded images, of which the first that fit into `limit` bytes stay in memory."""

    def __init__(self, limit: int) -> None:
        self.room = limit
        self.kept: dict[str, RGBImage] = {}

    def of(self, stimulus: Stimulus) -> RGBImage:
        """The image of a stimulus, which whoever gets it may change where its source lets it be changed."""
        if stimulus.id in self.kept:
            return self.kept[stimulus.id].copy()
        image = stimulus.image()
        if image.nbytes <= self.room:
            self.room -= image.nbytes
            self.kept[stimulus.id] = image.copy()
        return image


def predictions(predict: Predict, images: Iterable[tuple[Numbered, RGBImage | Exception]]) -> Iterator[Predicted]:
    """The map of each image, made when it is asked for."""
    return (predicted(predict, one, image) for one, image in images)


def predicted(predict: Predict, one: Numbered, image: RGBImage | Exception) -> Predicted:
    """The map of a stimulus's image. Whatever goes wrong is told, and costs no other stimulus."""
    try:
        if isinstance(image, Exception):
            raise image
        return Predicted(one, predict(image))
    except SalbenchError as error:
        return Predicted(one, None, str(error))
    except Exception as error:  # a plugin may raise anything
        return Predicted(one, None, f"{type(error).__name__}: {error}", is_lack_of_memory(error))
