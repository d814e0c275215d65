"""From finished runs to a page: one file with some stimuli, or a folder with all of them."""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from salbench import __version__
from salbench.arrays import FloatArray
from salbench.atomic import check_writable, write_text
from salbench.comparison import check_comparable, common_metrics
from salbench.datasets.dataset import Dataset
from salbench.datasets.stimulus import Stimulus
from salbench.errors import DataError, RunError, UsageError
from salbench.metrics import METRICS
from salbench.pages.page import made_here, names_page, render_page
from salbench.paths import PathLike
from salbench.progress import Progress, Silent
from salbench.report.drawings import distributions, legend, roc_drawing
from salbench.report.pictures import Beside, Embedded, addresses, draw_all
from salbench.report.roc import MeanRoc, mean_roc
from salbench.run_pictures import names_of
from salbench.run_stimuli import check_ground_truth, stimuli_of
from salbench.scoring.run_folder import Run, open_run
from salbench.scoring.statistics import interval
from salbench.tables.marks import GROUND_TRUTH, marks_of
from salbench.tables.runs import read_run

Item = TypeVar("Item")

PRIMARY = ("nss", "auc_judd", "cc")
"""The metric whose best and worst stimuli are drawn first: the first of these that the runs have."""
EXTREMES = 8
"""Best and worst stimuli of each model that a page of one file has pictures of."""
ROC_STIMULI = 100
"""Stimuli behind the ROC curves of a page of one file, spread evenly: the best and worst are no sample of the split."""
TOLD = 20
"""What could not be drawn: as many lines on the page."""
DIGITS = 5
"""Significant digits of a score on the page; `scores.parquet` has all."""
PROVENANCE = ("salbench", "created", "command", "seed", "dataset", "protocol", "model", "inputs", "versions")


@dataclass(frozen=True)
class Report:
    """What was written. `drawn`: how many stimuli have pictures; `lost`: what could not be drawn, as text."""

    page: Path
    drawn: int
    lost: tuple[str, ...]


def write_report(
    runs: Sequence[PathLike],
    out: PathLike,
    *,
    dataset: PathLike | Dataset | None = None,
    data: PathLike | None = None,
    progress: Progress | None = None,
) -> Report:
    """Write the report of finished runs on the same stimuli.

    `out`: a file that ends with .html, which holds everything, and pictures of each model's best and worst stimuli; or
    a folder, which gets `index.html` and pictures of all stimuli beside it. `dataset`, `data`: where images and
    fixations are, by default the named data set that the runs tell of; without it the report has no pictures.
    Raises UsageError for no run, RunError for runs that do not compare or are damaged, and DataError where a data set
    that was named is not the one that the runs were scored on.
    """
    opened, keys = _opened(runs)
    _check_place(Path(out))
    listener = progress or Silent()
    scores = {key: np.stack([_column(run, key) for run in opened]) for key in keys}
    stimuli, notes = _stimuli(opened[0], dataset, data, listener)
    target = Path(out)
    single = names_page(target)
    chosen = _extremes(scores, keys) if single else list(range(len(opened[0].scores)))
    place, page = (Embedded(), target) if single else (Beside(target), target / "index.html")
    drawn, lost = _draw(opened, stimuli, chosen, place, listener)
    roc = mean_roc(opened, stimuli, listener, ROC_STIMULI if single else None) if stimuli else None
    values = _values(opened, keys, scores, drawn, roc, [*notes, *_some(lost)])
    write_text(page, render_page("report.html.j2", **values))
    return Report(page, len(drawn), (*notes, *lost))


def _check_place(target: Path) -> None:
    """Before anything is drawn: RunError for somebody else's folder, OSError for a place that cannot be written."""
    page = target if names_page(target) else target / "index.html"
    check_writable(page)
    if page == target or not target.is_dir() or not any(target.iterdir()):
        return
    if not (page.is_file() and made_here(page)):
        raise RunError(f"{target}: exists and holds no report; name another folder, or a file that ends with .html")


def _opened(runs: Sequence[PathLike]) -> tuple[list[Run], list[str]]:
    """The runs, which compare, and the metrics that all of them have."""
    if not runs:
        raise UsageError("name at least one run")
    opened = [open_run(run) for run in runs]
    keys = common_metrics(opened, None)
    check_comparable(opened, keys)
    return opened, keys


def _some(lost: Sequence[str]) -> list[str]:
    rest = len(lost) - TOLD
    return [*lost[:TOLD], *([f"and {rest} more that could not be drawn"] if rest > 0 else [])]


def _column(run: Run, key: str) -> FloatArray:
    column: FloatArray = run.scores[key].to_numpy(dtype=np.float64)
    return column


def _stimuli(
    run: Run, dataset: PathLike | Dataset | None, data: PathLike | None, progress: Progress
) -> tuple[list[Stimulus] | None, list[str]]:
    """The run's stimuli in the order of its rows; None, and why, where their data are not at hand or are others."""
    try:
        split = stimuli_of(run, dataset, data)
        known = {stimulus.id: stimulus for stimulus in split}
        ordered = [known[name] for name in run.scores["stimulus"]]
        check_ground_truth(run, split, progress)
        return ordered, []
    except KeyError as error:
        if dataset is not None or data is not None:
            raise RunError(
                f"the data set has no stimulus {error} of {run.path}; name the one it was scored on"
            ) from None
        return None, ["No pictures: the data set at hand has other stimuli."]
    except (DataError, UsageError) as error:
        if dataset is not None or data is not None:
            raise
        return None, [f"No pictures: {error}"]


def _extremes(scores: dict[str, FloatArray], keys: Sequence[str]) -> list[int]:
    """Places of the best and worst stimuli of each model by the primary metric."""
    key = _primary(keys)
    chosen: set[int] = set()
    for column in scores[key]:
        order = [int(place) for place in np.argsort(column, kind="stable") if np.isfinite(column[place])]
        chosen.update(order[:EXTREMES] + order[-EXTREMES:])
    return sorted(chosen)


def _primary(keys: Sequence[str]) -> str:
    return next((key for key in PRIMARY if key in keys), keys[0])


def _draw(
    runs: Sequence[Run],
    stimuli: Sequence[Stimulus] | None,
    chosen: Sequence[int],
    place: Embedded | Beside,
    progress: Progress,
) -> tuple[dict[int, Any], list[str]]:
    """What the page knows of pictures by the stimulus's place, and what could not be drawn."""
    if stimuli is None:
        return {}, []
    drawn: dict[int, Any] = {}
    lost: list[str] = []
    pictures = draw_all(runs, [stimuli[i] for i in chosen], progress, large=place.large)
    for number, made in zip(chosen, pictures, strict=True):
        drawn[number] = addresses(place, number, made)
        lost += made.lost
    return drawn, lost


def _values(
    runs: Sequence[Run],
    keys: Sequence[str],
    scores: dict[str, FloatArray],
    drawn: dict[int, Any],
    roc: MeanRoc | None,
    warnings: Sequence[str],
) -> dict[str, Any]:
    """What the template shows."""
    names, first = names_of(runs), runs[0]
    manifest = first.manifest
    marks = [marks_of(read_run(run.path)) for run in runs]
    return {
        "title": f"{', '.join(names)} on {manifest['dataset']['title']}",
        "version": __version__,
        "subtitle": f"split {manifest['dataset']['split']}, protocol {manifest['protocol']['label']}",
        "warnings": list(warnings),
        "legend": legend(names),
        "models": [{"name": name, "marks": own} for name, own in zip(names, marks, strict=True)],
        "marks": list(dict.fromkeys(mark for own in marks for mark in own)),
        "summary": [_summary(key, runs, scores[key], [GROUND_TRUTH in own for own in marks]) for key in keys],
        "distributions": [
            {"heading": _heading(key), "drawing": distributions(_heading(key), _paired(names, scores[key]))}
            for key in keys
        ],
        "roc": None if roc is None else roc_drawing(_paired(names, roc.curves)),
        "roc_stimuli": 0 if roc is None else roc.n,
        "count": len(first.scores),
        "provenance": [_provenance(name, run) for name, run in zip(names, runs, strict=True)],
        "data": _data(runs, names, keys, scores, drawn),
    }


def _paired(names: Sequence[str], values: Iterable[Item]) -> list[tuple[str, Item]]:
    return list(zip(names, values, strict=True))


def _heading(key: str) -> str:
    return f"{METRICS[key].symbol} {METRICS[key].arrow}"


def _summary(key: str, runs: Sequence[Run], column: FloatArray, sees_truth: Sequence[bool]) -> dict[str, Any]:
    """A metric's row: each run's mean and interval, as the run itself says."""
    figures = [run.summary["metrics"][key] for run in runs]
    rivals = [one["mean"] for one, sees in zip(figures, sees_truth, strict=True) if not sees]
    best = _best(key, [mean for mean in rivals if mean is not None])
    cells = [
        {
            "mean": "-" if one["mean"] is None else f"{one['mean']:.4f}",
            "interval": "" if one["ci_low"] is None else f"[{one['ci_low']:.4f}, {one['ci_high']:.4f}]",
            "best": best is not None and one["mean"] == best and not sees,
        }
        for one, sees in zip(figures, sees_truth, strict=True)
    ]
    return {"heading": _heading(key), "title": METRICS[key].title, "cells": cells, "change": _change(key, column)}


def _best(key: str, means: Sequence[float]) -> float | None:
    """The best of means; None where there are no two to choose from."""
    if len(means) < 2:
        return None
    return max(means) if METRICS[key].higher_is_better else min(means)


def _change(key: str, column: FloatArray) -> str:
    """Of two runs, the second's mean less the first's, with its interval."""
    if len(column) != 2:
        return ""
    values = column[1] - column[0]
    values = values[np.isfinite(values)]
    if not values.size:
        return "-"
    low, high = interval(values, 0, f"difference/{key}")
    ends = "" if low is None else f" [{low:+.4f}, {high:+.4f}]"
    return f"{values.mean():+.4f}{ends}"


def _provenance(name: str, run: Run) -> dict[str, str]:
    record = {key: run.manifest[key] for key in PROVENANCE if key in run.manifest}
    record["errors"] = run.errors
    return {"name": name, "text": json.dumps(record, indent=2, ensure_ascii=False)}


def _data(
    runs: Sequence[Run], names: Sequence[str], keys: Sequence[str], scores: dict[str, FloatArray], drawn: dict[int, Any]
) -> dict[str, Any]:
    """What the page's script needs: names, metrics, and every score."""
    return {
        "names": list(names),
        "metrics": [{"key": key, "heading": _heading(key), "higher": METRICS[key].higher_is_better} for key in keys],
        "primary": list(keys).index(_primary(keys)),
        "stimuli": list(runs[0].scores["stimulus"]),
        "errors": [list(run.scores["error"]) if run.errors else None for run in runs],
        "scores": [[[_short(value) for value in row] for row in scores[key]] for key in keys],
        "pictures": {str(place): found for place, found in drawn.items()},
    }


def _short(value: float) -> float | None:
    return float(f"{value:.{DIGITS}g}") if np.isfinite(value) else None
