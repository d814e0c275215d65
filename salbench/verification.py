"""Whether a run's scores are those of its maps: files checked against their check sums, a sample of rows made anew."""

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from salbench.array_cache import open_cache
from salbench.datasets.dataset import Dataset
from salbench.datasets.stimulus import Stimulus
from salbench.errors import DataError, RunError, UsageError
from salbench.leaderboard import check_rows
from salbench.paths import PathLike
from salbench.progress import Progress, Silent
from salbench.protocols import find_protocol
from salbench.result_file import open_predictions
from salbench.run_stimuli import stimuli_of
from salbench.scoring.fixated_pixels import read_fixations
from salbench.scoring.randomness import generator
from salbench.scoring.run_folder import MAPS, Run, open_run
from salbench.scoring.runner import find_prior, needs_prior
from salbench.scoring.stimulus_score import ModelSource, Numbered, StimulusScorer, numbered
from salbench.scoring.workers import one_thread

SAMPLE = 20
AGREEMENT = 1e-9
"""How far a score may lie from the stored one, relative to it: processors round the last digits differently."""


@dataclass(frozen=True)
class Verification:
    """What was found. `checked`: the stimuli whose rows were made anew. `faults`: what does not hold, as text."""

    run: Run
    checked: tuple[str, ...]
    faults: tuple[str, ...]


def verify(
    run: PathLike,
    *,
    dataset: PathLike | Dataset | None = None,
    data: PathLike | None = None,
    sample: int | None = SAMPLE,
    seed: int = 0,
    progress: Progress | None = None,
) -> Verification:
    """Check a finished run against its own stored maps (`score --save-maps`) and the data set's ground truth.

    `dataset`: by default the named one that the run tells of; `data`: where it lies. `sample`: how many rows are made
    anew, drawn by `seed`; None for all.
    Raises RunError for a run that is not finished or damaged, DataError for one without maps or for missing data,
    UsageError for a sample below 1 and where the data set has to be named.
    """
    if sample is not None and sample < 1:
        raise UsageError(f"sample is {sample}; wanted: at least 1, or none for all rows")
    opened, listener = open_run(run, checked=False), progress or Silent()
    stimuli = stimuli_of(opened, dataset, data)
    scorer, digest = _scorer(opened, stimuli, listener)
    faults = [*_fault(lambda: check_rows(opened)), *_coverage_faults(opened, stimuli)]
    if digest != opened.manifest["inputs"].get("fixations"):
        faults.append("the data set's fixations are not those that the run was scored on: their check sums differ")
    chosen = _sample(opened, stimuli, sample, seed)
    faults += _rows_faults(opened, scorer, chosen, listener)
    if not chosen:
        faults.append("no row has a score and a map, so nothing could be made anew")
    return Verification(opened, tuple(one.stimulus.id for one in chosen), tuple(faults))


def _scorer(run: Run, stimuli: Sequence[Stimulus], progress: Progress) -> tuple[StimulusScorer, str]:
    """What scored the run, with its stored maps in the model's place; and the check sum of the fixations."""
    manifest, maps = run.manifest, run.path / MAPS
    if not maps.is_dir():
        raise DataError(f"{run.path} kept no maps; score with --save-maps what is to be verified")
    rules = find_protocol(manifest["protocol"]["key"])
    source = ModelSource(folder=maps, log_density=bool(manifest["model"].get("log_density")))
    cache = open_cache()
    recorded = read_fixations(stimuli, progress, cache, rules)
    keys, choice = tuple(manifest["metrics"]), manifest["protocol"].get("maps", "same")
    with one_thread():
        wanted = needs_prior(source.load().card, rules, keys, choice)
        prior = find_prior(stimuli, progress) if wanted else None
    scorer = StimulusScorer(
        pixels=recorded.pixels,
        counted=recorded.counted,
        source=source,
        protocol_key=rules.key,
        metrics=keys,
        blur_sigma=manifest["protocol"]["blur_sigma"],
        seed=manifest["seed"],
        cache=cache,
        maps=choice,
        prior=prior,
    )
    return scorer, recorded.digest


def _coverage_faults(run: Run, stimuli: Sequence[Stimulus]) -> Iterator[str]:
    """Rows or maps that are missing: who leaves the bad ones out has better means."""
    maps, scores = open_predictions(run.path / MAPS), run.scores
    wanted = [stimulus.id for stimulus in stimuli]
    if list(scores["stimulus"]) != wanted:
        yield f"the run has rows of {len(scores):,} stimuli, not of the {len(wanted):,} of the split in their order"
    failed = scores["error"] != ""
    without = [name for name in scores["stimulus"][~failed] if not maps.has(name)]
    if without:
        yield f"{len(without):,} scored stimuli have no map, the first {without[0]}"
    with_map = [name for name in scores["stimulus"][failed] if maps.has(name)]
    if with_map:
        yield f"{len(with_map):,} stimuli have a map, but an error in the place of scores, the first {with_map[0]}"


def _sample(run: Run, stimuli: Sequence[Stimulus], sample: int | None, seed: int) -> list[Numbered]:
    """Some of the stimuli that the run has scores and a map of, in the split's order."""
    maps = open_predictions(run.path / MAPS)
    scored = set(run.scores["stimulus"][run.scores["error"] == ""])
    candidates = [one for one in numbered(stimuli) if one.stimulus.id in scored and maps.has(one.stimulus.id)]
    if sample is None or sample >= len(candidates):
        return candidates
    drawn = generator(seed, "verify").choice(len(candidates), size=sample, replace=False)
    return [candidates[place] for place in sorted(drawn)]


def _rows_faults(run: Run, scorer: StimulusScorer, chosen: Sequence[Numbered], progress: Progress) -> Iterator[str]:
    stored = run.scores.set_index("stimulus")
    progress.start("verifying", len(chosen))
    with one_thread():
        scorer.prepare()
        for one in chosen:
            row = scorer.row(one)
            progress.advance()
            if row.error:
                yield f"{row.stimulus}: cannot be scored again: {row.error}"
            for key, value in row.scores.items():
                before = float(stored[key].loc[row.stimulus])
                if not row.error and not _same(value, before):
                    yield f"{row.stimulus}: {key} is {value:.10g} of its stored map, but the run says {before:.10g}"
    progress.finish()


def _same(one: float, other: float) -> bool:
    if np.isnan(one) or np.isnan(other):
        return bool(np.isnan(one) and np.isnan(other))
    return math.isclose(one, other, rel_tol=AGREEMENT, abs_tol=AGREEMENT)


def _fault(check: Callable[[], None]) -> Iterator[str]:
    try:
        check()
    except RunError as error:
        yield str(error)
