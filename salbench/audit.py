"""How much 8-bit rounding, resizing and JPEG each move every metric on a given set of maps.

Differences of this size between two tables say how maps were stored, not which model is better.
"""

import csv
import io
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

from salbench.array_cache import open_cache
from salbench.arrays import FloatArray, SaliencyMap
from salbench.datasets.dataset import Dataset
from salbench.datasets.registry import open_dataset
from salbench.datasets.stimulus import Fixations, Stimulus
from salbench.errors import DataError, SalbenchError, UsageError
from salbench.map_folder import MapFolder
from salbench.maps import check_sigma, imresize, is_flat, normalise_range, value_range
from salbench.metrics.inputs import as_map
from salbench.models import Context, ModelCard
from salbench.paths import PathLike
from salbench.progress import Progress, Silent
from salbench.protocols import find_protocol
from salbench.scoring.fixated_pixels import read_fixations
from salbench.scoring.preload import get_ready
from salbench.scoring.run_folder import RunFolder
from salbench.scoring.runner import check_jobs, check_maps_fit, listed
from salbench.scoring.statistics import summarise
from salbench.scoring.stimulus_score import ModelSource, Numbered, Row, StimulusScorer, numbered
from salbench.scoring.workers import Chunk, Failure, run_chunks
from salbench.tables.to_csv import safe_text

AS_GIVEN = "given"


@dataclass(frozen=True)
class Treatment:
    """Something that happens to maps on their way into a table.

    `apply`: (H, W) float64 as the metrics read it, to the map that is scored instead; None where it has no meaning for
    such a map.
    """

    key: str
    title: str
    apply: Callable[[FloatArray], SaliencyMap | None]


def quantise(values: FloatArray) -> npt.NDArray[np.uint8]:
    """The map's range stretched over 0 to 255, halves rounded up; NaN and flat maps become 0."""
    if is_flat(values):
        return np.zeros(values.shape, dtype=np.uint8)
    return _rounded(normalise_range(values))


def quantise_unstretched(values: FloatArray) -> npt.NDArray[np.uint8] | None:
    """0 to 1 as 0 to 255, halves rounded up. None for values outside 0 to 1, and where all would become one level:
    nobody stores a map like that.
    """
    low, high = value_range(values)
    if not (low >= 0 and high <= 1):
        return None
    levels = _rounded(values)
    return None if np.ptp(levels) == 0 and high > low else levels


def _rounded(unit: FloatArray) -> npt.NDArray[np.uint8]:
    return np.floor(np.nan_to_num(unit) * 255 + 0.5).astype(np.uint8)


def shrink(values: FloatArray, *, scale: float) -> FloatArray:
    """MATLAB's `imresize` of the map's own size; a map without a negative value stays without one.

    The metric resizes it back, each as it does with any small map.
    """
    small: FloatArray = imresize(values, scale=scale)
    return np.maximum(small, 0.0) if value_range(values)[0] >= 0 else small


def through_jpeg(values: FloatArray, *, quality: int) -> npt.NDArray[np.uint8]:
    """The map stretched to 8 bits, written and read as a grey JPEG."""
    stored = io.BytesIO()
    Image.fromarray(quantise(values)).save(stored, format="JPEG", quality=quality)
    with Image.open(stored) as image:
        return np.asarray(image)


TREATMENTS = (
    Treatment("8bit", "8 bits, stretched", quantise),
    Treatment("8bit_unstretched", "8 bits, not stretched", quantise_unstretched),
    Treatment("half", "half size", partial(shrink, scale=1 / 2)),
    Treatment("quarter", "quarter size", partial(shrink, scale=1 / 4)),
    Treatment("jpeg95", "JPEG, quality 95", partial(through_jpeg, quality=95)),
    Treatment("jpeg75", "JPEG, quality 75", partial(through_jpeg, quality=75)),
)
"""Every treatment, in printing order."""


@dataclass(frozen=True)
class Effect:
    """What a treatment did to a metric; differences are treated minus as given, None where there is none.

    `n`: stimuli with a value both before and after; `undefined`: those where only one of the two is defined.
    `given`: the metric's mean over the maps as given; `half_width`: half of its 95 % bootstrap interval.
    `largest`: the difference farthest from 0, that of the stimulus `largest_at`.
    """

    treatment: str
    metric: str
    n: int
    undefined: int
    given: float | None
    half_width: float | None
    mean: float | None = None
    mean_absolute: float | None = None
    largest: float | None = None
    largest_at: str = ""

    @property
    def relative(self) -> float | None:
        """Size of the mean difference in half widths: at 1 the treatment moves the mean to the interval's end."""
        if self.mean is None or not self.half_width:
            return None
        return abs(self.mean) / self.half_width


_COLUMNS = (
    "predictions",
    "dataset",
    "split",
    "protocol",
    "treatment",
    "metric",
    "n",
    "undefined",
    "given",
    "half_width",
    "mean_difference",
    "mean_absolute_difference",
    "largest_difference",
    "largest_at",
    "relative_to_half_width",
)


@dataclass(frozen=True)
class Audit:
    """The result of an audit.

    `symbols`: what a person reads for each metric under the protocol. `n`: stimuli asked for; `errors`: text by the id
    of those that could not be scored, and are left out everywhere. `left_out`: by treatment, how many scored maps it
    has no meaning for. `effects`: treatment by treatment.
    """

    predictions: str
    dataset: str
    split: str
    protocol: str
    blur: str
    symbols: Mapping[str, str]
    n: int
    errors: Mapping[str, str]
    left_out: Mapping[str, int]
    effects: tuple[Effect, ...]

    def effect(self, treatment: str, metric: str) -> Effect:
        """The effect of one treatment on one metric, by their keys. KeyError where the audit has none."""
        for effect in self.effects:
            if (effect.treatment, effect.metric) == (treatment, metric):
                return effect
        raise KeyError(f"{treatment}, {metric}")

    def to_csv(self) -> str:
        """A row per treatment and metric, every digit kept; what is undefined is empty."""
        stream = io.StringIO()
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow(_COLUMNS)
        about = [safe_text(text) for text in (self.predictions, self.dataset, self.split, self.protocol)]
        writer.writerows([*about, *_cells(effect)] for effect in self.effects)
        return stream.getvalue()


def _cells(effect: Effect) -> list[str | int | float | None]:
    return [
        effect.treatment,
        effect.metric,
        effect.n,
        effect.undefined,
        effect.given,
        effect.half_width,
        effect.mean,
        effect.mean_absolute,
        effect.largest,
        safe_text(effect.largest_at),
        effect.relative,
    ]


def audit(
    dataset: PathLike | Dataset,
    *,
    predictions: PathLike,
    data: PathLike | None = None,
    split: str | None = None,
    protocol: str = "mit300",
    metrics: Sequence[str] | None = None,
    blur_sigma: float | None = None,
    limit: int | None = None,
    jobs: int = 1,
    seed: int = 0,
    progress: Progress | None = None,
) -> Audit:
    """Score a folder of maps as given and after each treatment, on the same random draws, and compare.

    `dataset`, `data`, `split`, `protocol`, `metrics`, `blur_sigma`, `jobs`, `seed`: as in `salbench.score`.
    `limit`: only the first stimuli of the split; the other images of sAUC and IG are still those of the whole split.
    A stimulus that cannot be scored, as given or treated, is told in the result and left out of every effect.
    Raises UsageError and DataError where the request cannot be carried out.
    """
    listener = progress or Silent()
    check_jobs(None, jobs)
    get_ready(jobs)
    check_sigma(blur_sigma)
    if limit is not None and limit < 1:
        raise UsageError(f"limit is {limit}; wanted: at least 1")
    rules = find_protocol(protocol)
    keys = rules.choose(metrics)
    opened = dataset if isinstance(dataset, Dataset) else open_dataset(dataset, data)
    split = split if split is not None else opened.default_split
    stimuli, maps = listed(opened, split), MapFolder(Path(predictions))
    wanted = stimuli[:limit]
    check_maps_fit(maps, maps.folder, wanted)
    cache = open_cache()
    recorded = read_fixations(stimuli, listener, cache, rules)
    scorer = StimulusScorer(
        pixels=recorded.pixels,
        counted=recorded.counted,
        source=ModelSource(given=maps),
        protocol_key=protocol,
        metrics=keys,
        blur_sigma=blur_sigma,
        seed=seed,
        cache=cache,
    )
    rows, errors = _score_all(scorer, wanted, jobs, listener)
    given = rows[AS_GIVEN]
    columns = {key: [row.scores[key] for row in given.values()] for key in keys}
    return Audit(
        predictions=maps.card.title,
        dataset=opened.title,
        split=split,
        protocol=rules.label,
        symbols={key: rules.symbol(key) for key in keys},
        blur=rules.describe_blur(blur_sigma),
        n=len(wanted),
        errors=errors,
        left_out={treatment.key: len(given) - len(rows[treatment.key]) for treatment in TREATMENTS},
        effects=tuple(_effects(rows, summarise(columns, seed))),
    )


@dataclass
class HeldMap:
    """A model that answers with the map that it was handed last: how a treated map gets into the scorer."""

    saliency_map: SaliencyMap | None = None
    card: ModelCard = field(default=ModelCard(name="audit", title="audit"), init=False)

    def predict_stimulus(self, stimulus: Stimulus, context: Context) -> SaliencyMap:
        """The map in hand. DataError before there is one."""
        del context
        if self.saliency_map is None:
            raise DataError(f"no map in hand for stimulus {stimulus.id!r}")
        return self.saliency_map


@dataclass
class AuditChunk:
    """The work of a worker: score some stimuli as given and treated. The rows are stored by treatment in `folder`.

    `reader` has the maps of the folder, `scorer` scores the one that `held` has in hand; else they are the same.
    """

    reader: StimulusScorer
    scorer: StimulusScorer
    held: HeldMap
    folder: Path

    @classmethod
    def of(cls, reader: StimulusScorer, folder: Path) -> "AuditChunk":
        """The work on the maps that a scorer has."""
        held = HeldMap()
        return cls(reader, replace(reader, source=ModelSource(given=held)), held, folder)

    def prepare(self) -> None:
        """Make both ready."""
        self.reader.prepare()

    def __call__(self, chunk: Chunk) -> list[Failure]:
        """The stimuli that could not be scored."""
        failures: list[Failure] = []
        finished: dict[str, list[Row]] = {}
        for one in chunk:
            try:
                rows = self._rows(one)
            except SalbenchError as error:
                failures.append((one.stimulus.id, str(error)))
            except Exception as error:  # an encoder may raise anything
                failures.append((one.stimulus.id, f"{type(error).__name__}: {error}"))
            else:
                for key, row in rows.items():
                    finished.setdefault(key, []).append(row)
        for key, of_treatment in finished.items():
            _store(self.folder, key).add(of_treatment)
        return failures

    def _rows(self, one: Numbered) -> dict[str, Row]:
        """The rows of one stimulus by treatment, those left out that have no meaning for its map."""
        stored = self.reader.predict(one, Fixations.of_one_viewer([], []))
        rows = {AS_GIVEN: self._row(one, stored, "as given")}
        values = as_map(stored, "the map")
        for treatment in TREATMENTS:
            treated = treatment.apply(values)
            if treated is not None:
                rows[treatment.key] = self._row(one, treated, treatment.title)
        return rows

    def _row(self, one: Numbered, saliency_map: SaliencyMap, title: str) -> Row:
        self.held.saliency_map = saliency_map
        row = self.scorer.row(one)
        if row.error:
            raise DataError(f"{title}: {row.error}")
        return row


def _store(folder: Path, key: str) -> RunFolder:
    return RunFolder(folder / key)


def _score_all(
    scorer: StimulusScorer, stimuli: Sequence[Stimulus], jobs: int, progress: Progress
) -> tuple[dict[str, dict[str, Row]], dict[str, str]]:
    """Rows by treatment and stimulus, and error texts by stimulus."""
    errors: dict[str, str] = {}
    with tempfile.TemporaryDirectory(prefix="salbench-audit-") as scratch:
        stores = {key: _store(Path(scratch), key) for key in (AS_GIVEN, *(t.key for t in TREATMENTS))}
        for store in stores.values():
            store.shards.make()
        progress.start("auditing", len(stimuli))
        for chunk, failures in run_chunks(AuditChunk.of(scorer, Path(scratch)), numbered(stimuli), jobs):
            for name, text in failures:
                errors[name] = text
                progress.note(f"stimulus {name}: {text}")
            progress.advance(len(chunk))
        progress.finish()
        found = {key: {row.stimulus: row for row in store.rows()} for key, store in stores.items()}
    order = [stimulus.id for stimulus in stimuli]
    return {key: {name: rows[name] for name in order if name in rows} for key, rows in found.items()}, errors


def _effects(
    rows: Mapping[str, Mapping[str, Row]], summary: Mapping[str, Mapping[str, float | int | None]]
) -> Iterator[Effect]:
    for treatment in TREATMENTS:
        for key, figures in summary.items():
            pairs = {
                name: (rows[AS_GIVEN][name].scores[key], row.scores[key]) for name, row in rows[treatment.key].items()
            }
            yield _effect(treatment.key, key, pairs, figures)


def _effect(
    treatment: str,
    metric: str,
    pairs: Mapping[str, tuple[float, float]],
    figures: Mapping[str, float | int | None],
) -> Effect:
    differences = {name: after - before for name, (before, after) in pairs.items()}
    defined = {name: value for name, value in differences.items() if not np.isnan(value)}
    low, high = figures["ci_low"], figures["ci_high"]
    scale: dict[str, Any] = {
        "given": figures["mean"],
        "half_width": None if low is None or high is None else (high - low) / 2,
        "undefined": sum(bool(np.isnan(before) != np.isnan(after)) for before, after in pairs.values()),
    }
    if not defined:
        return Effect(treatment, metric, 0, **scale)
    values = np.array(list(defined.values()))
    farthest = int(np.abs(values).argmax())
    return Effect(
        treatment,
        metric,
        len(values),
        **scale,
        mean=float(values.mean()),
        mean_absolute=float(np.abs(values).mean()),
        largest=float(values[farthest]),
        largest_at=list(defined)[farthest],
    )
