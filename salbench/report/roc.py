"""ROC curves of runs that kept their maps: one per map, and the mean of each run over stimuli that all of them have."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from salbench.ahead import in_order
from salbench.arrays import BoolArray, FloatArray, SaliencyMap
from salbench.datasets.stimulus import Stimulus
from salbench.errors import SalbenchError
from salbench.maps import resize_to, to_float
from salbench.progress import Progress
from salbench.report.pictures import THREADS
from salbench.run_stimuli import evenly, has_map, kept_maps, stored_map
from salbench.scoring.run_folder import Run

GRID = np.linspace(0.0, 1.0, 101)
"""False positive rates of a curve."""


@dataclass(frozen=True)
class MeanRoc:
    """Each run's mean curve, None where it kept no maps, at the run's own place; and over how many stimuli."""

    curves: list[FloatArray | None]
    n: int


def roc_curve(saliency_map: SaliencyMap, fixation_map: BoolArray) -> FloatArray:
    """True positive rates at the false positive rates of GRID: AUC-Judd's curve (Riche et al. 2013).

    Thresholds are the map's values at the fixated pixels; a pixel is positive from the threshold on. NaN without
    fixations, and where every pixel is fixated. The map and the fixation map have the same (H, W).
    """
    fixated = np.asarray(fixation_map, dtype=np.bool_).ravel()
    hits = int(fixated.sum())
    if hits in (0, fixated.size):
        return np.full(GRID.size, np.nan)
    values = np.asarray(saliency_map, dtype=np.float64).ravel()
    ordered = np.sort(values)
    thresholds = np.sort(values[fixated])[::-1]
    above = values.size - np.searchsorted(ordered, thresholds, side="left")
    found = np.searchsorted(-thresholds, -thresholds, side="right")
    false = (above - found) / (values.size - hits)
    return np.interp(GRID, np.r_[0.0, false, 1.0], np.r_[0.0, found / hits, 1.0])


def mean_roc(
    runs: Sequence[Run], stimuli: Sequence[Stimulus], progress: Progress, most: int | None = None
) -> MeanRoc | None:
    """The mean curves over the stimuli that every run with maps has a whole map of and could score; None without any.

    `stimuli`: in the order of the runs' rows. `most`: how many of them are looked at, spread evenly; None for all.
    """
    with_maps = [run for run in runs if kept_maps(run)]
    candidates = [place for place in _scored(with_maps) if all(has_map(run, stimuli[place].id) for run in with_maps)]
    chosen = [candidates[at] for at in evenly(len(candidates), len(candidates) if most is None else most)]
    total, n = np.zeros((len(with_maps), GRID.size)), 0
    progress.start("ROC curves", len(chosen))
    for curves in in_order(lambda one: _curves(with_maps, one), [stimuli[at] for at in chosen], THREADS):
        progress.advance()
        if curves is not None:
            total, n = total + curves, n + 1
    progress.finish()
    means = iter(total / max(n, 1))
    return MeanRoc([next(means) if run in with_maps else None for run in runs], n) if n else None


def _scored(runs: Sequence[Run]) -> list[int]:
    """The places of the stimuli that none of the runs has an error of."""
    if not runs:
        return []
    fine = np.all([run.scores["error"].to_numpy() == "" for run in runs], axis=0)
    return [int(place) for place in np.flatnonzero(fine)]


def _curves(runs: Sequence[Run], stimulus: Stimulus) -> FloatArray | None:
    """Each run's curve of one stimulus; None where one of them has none."""
    try:
        fixated = stimulus.fixation_map()
        maps = [to_float(np.asarray(stored_map(run, stimulus.id))) for run in runs]
    except SalbenchError:
        return None  # told of where the pictures are drawn
    if not all(np.isfinite(values).all() for values in maps):
        return None
    curves = np.stack([roc_curve(resize_to(values, stimulus.size), fixated) for values in maps])
    return curves if np.isfinite(curves).all() else None
