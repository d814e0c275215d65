"""Score a model on a data set: from the request to a finished run folder."""

import pickle
import threading
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from salbench.array_cache import open_cache
from salbench.datasets.dataset import Dataset
from salbench.datasets.ground_truth import FixationRules
from salbench.datasets.registry import open_dataset
from salbench.datasets.stimulus import Stimulus
from salbench.densities import CentrePriorFit, fit_centre_prior
from salbench.errors import DataError, RunError, UsageError
from salbench.maps import check_sigma
from salbench.models import Model, ModelCard
from salbench.names import unknown_name
from salbench.paths import PathLike, local_path, optional_path
from salbench.places import Place, check_url
from salbench.progress import Progress, Silent
from salbench.protocols import Protocol, find_protocol
from salbench.protocols.log_density import MAP_CHOICES, MapChoice
from salbench.result_file import Predictions, open_predictions
from salbench.scoring.fixated_pixels import RecordedFixations, read_fixations
from salbench.scoring.manifest import describe_run
from salbench.scoring.preload import get_ready
from salbench.scoring.run_folder import MAPS, Run, RunFolder, ScoreTable, open_run
from salbench.scoring.statistics import summarise
from salbench.scoring.stimulus_score import ModelSource, Numbered, Row, StimulusScorer, numbered
from salbench.scoring.workers import Chunk, Failure, Workers, find_workers, one_thread

LISTING_PAUSES = (0, 1, 2, 4, 8, 16, 32)
"""Seconds between looks at a folder that other machines wrote into: network file systems may list a file late."""


def score(
    dataset: PathLike | Dataset,
    *,
    data: PathLike | None = None,
    split: str | None = None,
    model: str | Model | None = None,
    checkpoint: PathLike | None = None,
    parameters: Mapping[str, float] | None = None,
    predictions: PathLike | None = None,
    name: str | None = None,
    log_density: bool = False,
    protocol: str = "mit300",
    maps: MapChoice = "same",
    metrics: Sequence[str] | None = None,
    blur_sigma: float | None = None,
    jobs: int = 1,
    timeout: float | None = None,
    executor: str = "local",
    scheduler: str | None = None,
    shards: str | None = None,
    seed: int = 0,
    device: str | None = None,
    save_maps: bool = False,
    strict: bool = False,
    overwrite: bool = False,
    out: PathLike | None = None,
    progress: Progress | None = None,
) -> Run:
    """Score a model, or a folder of maps, on a split of a data set, and return the finished run.

    `dataset`: a registered name, a folder in the generic layout, or a Dataset; `data`: where a named one lies.
    Exactly one of `model` (a registered name or an object of the plugin contract) and `predictions` (a folder with a
    map per stimulus, or a result file of the SALICON challenge). `name`: its title in tables, instead of the model's
    own or the folder's name. `parameters`: those of a model that is fitted on a split, instead of a fit on this one.
    `log_density`: the folder's maps are natural logarithms of densities. `maps`: for a model that gives log densities,
    whether all metrics get its density (`same`) or each the map that suits it (`metric-specific`). `metrics`: keys, by
    default all of the protocol.
    `blur_sigma`: pixels, instead of the protocol's own blur. The scores do not depend on `jobs`, the number of
    processes; with more than one, a script needs the usual `if __name__ == "__main__":` guard. `executor`: `local`,
    or `dask` with the address of a `scheduler`, whose workers must see the data and the run folder under the same
    names; the scores do not depend on it either. `shards`: an fsspec URL below which rows lie until the run is
    finished, instead of in the run folder, for workers that cannot write there; a run that goes on finds them without.
    `timeout`: seconds that a stimulus may take, model and metrics together; one that takes longer, and one that costs
    two worker processes their lives, has an error that the same call, made again, tries to mend. With one job and no
    timeout the work is done in this process, which a model can bring down. `out`: the run folder, by default
    `runs/MODEL-DATASET-SPLIT`; one that holds the same run, interrupted, is continued, and no two processes write into
    one at a time.
    A stimulus that cannot be scored has its error in its row, unless `strict`: then it raises RunError at once.
    Raises UsageError, DataError or RunError where the request cannot be carried out.
    """
    listener, place = progress or Silent(), None if out is None else local_path(out)
    _check_options(model, jobs, timeout, blur_sigma, shards, save_maps=save_maps)
    get_ready(jobs, apart=timeout is not None)
    workers = find_workers(executor, scheduler, jobs, listener, timeout)
    source = _source(model, optional_path(checkpoint), optional_path(predictions), name, device, log_density)
    rules = find_protocol(protocol)
    opened, split, stimuli = _listed(dataset, data, split)
    if source.folder is not None:
        check_maps_fit(open_predictions(source.folder), source.folder, stimuli)
    card = source.load().card
    keys = rules.choose(metrics, log_density=card.log_density)
    check_maps(maps, card)
    cache = open_cache()
    cache.trim()
    recorded = read_fixations(stimuli, listener, cache, rules)
    _check_viewers(opened, split, recorded, listener)
    with one_thread():
        source = source.fitted(stimuli, listener) if parameters is None else source.with_parameters(parameters)
        prior = find_prior(stimuli, listener) if needs_prior(card, rules, keys, maps) else None
    loaded = source.load()
    manifest = describe_run(
        model=loaded,
        source=source,
        dataset=opened,
        split=split,
        stimuli=stimuli,
        fixations_digest=recorded.digest,
        protocol=rules,
        maps=maps,
        prior=prior,
        metrics=keys,
        blur_sigma=blur_sigma,
        seed=seed,
        save_maps=save_maps,
        timeout=timeout,
    )
    folder = RunFolder(place or Path("runs", f"{loaded.card.name}-{opened.key}-{split}"))
    scorer = StimulusScorer(
        pixels=recorded.pixels,
        counted=recorded.counted,
        source=source,
        protocol_key=protocol,
        metrics=keys,
        blur_sigma=blur_sigma,
        seed=seed,
        maps_folder=folder.path / MAPS if save_maps else None,
        cache=cache,
        maps=maps,
        prior=prior,
    )
    with folder.held():
        folder.begin(manifest, overwrite=overwrite, repeatable=source.given is None, shards=shards)
        if folder.complete:
            return _finished_before(folder, listener)
        _note_few_others(len(stimuli), keys, listener)
        _score_all(folder, scorer, stimuli, workers, strict=strict, progress=listener)
        table = _table(stimuli, keys, folder)
        return folder.finish(table, _summary(table, seed))


def _listed(
    dataset: PathLike | Dataset, data: PathLike | None, split: str | None
) -> tuple[Dataset, str, Sequence[Stimulus]]:
    opened = dataset if isinstance(dataset, Dataset) else open_dataset(dataset, data)
    split = split if split is not None else opened.default_split
    return opened, split, listed(opened, split)


def _check_options(
    model: str | Model | None,
    jobs: int,
    timeout: float | None,
    blur_sigma: float | None,
    shards: str | None,
    *,
    save_maps: bool,
) -> None:
    check_timeout(timeout)
    check_jobs(model, jobs, apart=timeout is not None)
    check_sigma(blur_sigma)
    if shards is not None and save_maps:
        raise UsageError("maps are kept in the run folder, and with shards workers do not write there: leave one out")
    if shards is not None:
        check_url(shards)


def _finished_before(folder: RunFolder, progress: Progress) -> Run:
    run = open_run(folder.path)
    again = "; --overwrite scores it anew" if run.errors else ""
    progress.note(f"{folder.path}: this run was finished before; nothing to do{again}")
    return run


def _import_for_the_end() -> None:
    """What writing the result needs takes half a second to import; while workers score, the driver only waits."""
    import pyarrow.parquet  # noqa: F401, PLC0415 - as above
    from scipy import stats  # noqa: F401, PLC0415 - as above


@dataclass
class ScoreChunk:
    """The work of a worker: score some stimuli and store their rows. `stop_at_error`: raise instead of storing one."""

    scorer: StimulusScorer
    folder: RunFolder
    stop_at_error: bool

    @property
    def results(self) -> Place:
        """Where the rows go."""
        return self.folder.shards

    def prepare(self) -> None:
        """Load the model."""
        self.scorer.prepare()

    def __call__(self, chunk: Chunk) -> list[Failure]:
        """The stimuli that could not be scored."""
        rows: list[Row] = []
        for one in chunk:
            row = self.scorer.row(one)
            if row.error and self.stop_at_error:
                self.folder.add(rows)
                return [(row.stimulus, row.error)]
            rows.append(row)
        self.folder.add(rows)
        return [(row.stimulus, row.error) for row in rows if row.error]

    def give_up(self, one: Numbered, reason: str) -> list[Failure]:
        """Store a row that tells why a stimulus was given up; the same command tries it again."""
        row = self.scorer.failed(one, reason, passing=True)
        if not self.stop_at_error:
            self.folder.add([row])
        return [(row.stimulus, row.error)]


def _source(
    model: str | Model | None,
    checkpoint: Path | None,
    predictions: Path | None,
    name: str | None,
    device: str | None,
    log_density: bool,
) -> ModelSource:
    if (model is None) == (predictions is None):
        raise UsageError("name either a model or a folder of predictions")
    if predictions is not None:
        if checkpoint is not None:
            raise UsageError("a checkpoint belongs to a model, not to a folder of predictions")
        return ModelSource(folder=predictions, title=name, log_density=log_density)
    if log_density:
        raise UsageError("log_density is for a folder of predictions; a model says itself what it gives")
    if checkpoint is not None and not checkpoint.is_file():
        raise DataError(f"{checkpoint}: no such file")
    if isinstance(model, str):
        return ModelSource(name=model, title=name, checkpoint=checkpoint, device=device)
    return ModelSource(given=model, title=name)


def find_prior(stimuli: Sequence[Stimulus], progress: Progress) -> CentrePriorFit:
    """The baseline density's parameters on a split. DataError where they cannot be found."""
    try:
        return fit_centre_prior(stimuli, progress)
    except DataError as error:
        raise DataError(
            f"the density that log densities are measured against: {error}; leave out what needs it with --metrics"
        ) from error


def check_maps(maps: MapChoice, card: ModelCard) -> None:
    """UsageError for a choice of maps that there is not, or that the model leaves no room for."""
    if maps not in MAP_CHOICES:
        raise UsageError(unknown_name("choice of maps", maps, MAP_CHOICES))
    if maps != "same" and not card.log_density:
        raise UsageError(f"maps {maps!r} are made of log densities, and {card.name} gives mere maps")


def needs_prior(card: ModelCard, protocol: Protocol, keys: Sequence[str], maps: MapChoice) -> bool:
    """Whether a metric compares a log density with that of the other images' fixations."""
    if not card.log_density:
        return False
    if maps == "metric-specific":
        return "information_gain" in keys or "auc_shuffled" in keys
    return "information_gain" in keys and "information_gain" in protocol.needs_log_density


def check_timeout(timeout: float | None) -> None:
    """UsageError for a timeout that is no number of seconds."""
    if timeout is not None and not 0 < timeout < float("inf"):
        raise UsageError(f"timeout is {timeout}; wanted: seconds, more than 0")


def check_jobs(model: str | Model | None, jobs: int, *, apart: bool = False) -> None:
    """UsageError for fewer than one job, and for a model object that cannot reach worker processes by pickling.

    `apart`: one job is done by such a process, too.
    """
    if jobs < 1:
        raise UsageError(f"jobs is {jobs}; wanted: at least 1")
    if model is None or isinstance(model, str) or (jobs == 1 and not apart):
        return
    try:
        pickle.dumps(model)
    except Exception as error:
        raise UsageError(
            f"the model object cannot be sent to worker processes ({error}); use jobs=1 without a timeout"
        ) from error


def listed(dataset: Dataset, split: str) -> Sequence[Stimulus]:
    """The stimuli of a split. DataError where there is none, or one comes twice."""
    stimuli = dataset.stimuli(split)
    if not stimuli:
        raise DataError(f"{dataset.key}: the split {split} has no stimulus")
    twice = [name for name, count in Counter(stimulus.id for stimulus in stimuli).items() if count > 1]
    if twice:
        raise DataError(f"{dataset.key}: the split {split} lists {twice[0]!r} more than once")
    return stimuli


def _check_viewers(dataset: Dataset, split: str, found: RecordedFixations, progress: Progress) -> None:
    """UsageError where the viewers that alone count fixated nothing: their names are not the data set's. A note of each
    who did not, as where one name of several is misspelt.
    """
    if dataset.rules.viewers is None:
        return
    if found.pixels.ends[-1] > 0:
        for viewer in dataset.rules.viewers:
            if viewer not in found.viewers:
                progress.note(f"no viewer {viewer!r} fixated anything in {dataset.key}/{split}")
        return
    with suppress(DataError):
        first = replace(dataset, rules=FixationRules()).stimuli(split)[0].recorded_fixations()
        raise UsageError(
            f"none of the viewers {', '.join(dataset.rules.viewers)} fixated anything in {dataset.key}/{split}; "
            f"viewers of its first stimulus: {', '.join(list(first.by_viewer())[:20])}"
        )


def check_maps_fit(maps: Predictions, where: Path, stimuli: Sequence[Stimulus]) -> None:
    """DataError where no name fits a stimulus: that is the wrong folder, not a folder with every map missing."""
    if not any(maps.has(stimulus.id) for stimulus in stimuli):
        raise DataError(
            f"{where}: has no map for any of the {len(stimuli)} stimuli; "
            f"wanted: {maps.wanted_name(stimuli[0].id)}; there: {', '.join(maps.names(3)) or 'nothing'}"
        )


def _note_few_others(count: int, keys: Sequence[str], progress: Progress) -> None:
    if count == 1 and ("auc_shuffled" in keys or "information_gain" in keys):
        progress.note("warning: a split of one stimulus has no other images; sAUC and IG are undefined")


def _score_all(
    folder: RunFolder,
    scorer: StimulusScorer,
    stimuli: Sequence[Stimulus],
    workers: Workers,
    *,
    strict: bool,
    progress: Progress,
) -> None:
    """Store the rows of all stimuli that an earlier, interrupted call left to do."""
    if workers.beside:
        threading.Thread(target=_import_for_the_end, daemon=True).start()
    stored = {row.stimulus for row in folder.rows()}
    todo = (one for one in numbered(stimuli) if one.stimulus.id not in stored)
    progress.start("scoring", len(stimuli), len(stored))
    with closing(workers.run(ScoreChunk(scorer, folder, stop_at_error=strict), todo)) as finished:
        for chunk, failures in finished:
            for name, text in failures:
                if strict:
                    raise RunError(f"stimulus {name}: {text}")
                progress.note(f"stimulus {name}: {text}")
            progress.advance(len(chunk))
    if workers.elsewhere:
        _see_all_rows(folder, len(stimuli))
    progress.finish()


def _see_all_rows(folder: RunFolder, count: int) -> None:
    """Wait until the rows that other machines wrote are listed here. RunError where they do not come."""
    missing = count
    for pause in LISTING_PAUSES:
        time.sleep(pause)
        missing = count - len({row.stimulus for row in folder.rows()})
        if not missing:
            return
    raise RunError(f"{folder.shards}: {missing} rows that workers wrote are not there; run the same command again")


def _table(stimuli: Sequence[Stimulus], keys: Sequence[str], folder: RunFolder) -> ScoreTable:
    """The rows of a finished run, with the categories of its stimuli where there are any."""
    found = [(stimulus.id, stimulus.category) for stimulus in stimuli]
    categories = [category for _, category in found]
    return ScoreTable.of([name for name, _ in found], keys, folder.rows(), categories if any(categories) else None)


def _summary(table: ScoreTable, seed: int) -> dict[str, Any]:
    scored = np.array([not error for error in table.errors])
    return {
        "n": len(scored),
        "errors": int((~scored).sum()),
        "without_fixations": int((scored & (table.fixations == 0)).sum()),
        "fixations": int(table.fixations.sum()),
        "fixations_outside": int(table.dropped.sum()),
        "metrics": summarise(table.scores, seed),
    }
