"""From finished runs to a page: one file with some stimuli, or a folder with all of them."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from salbench import __version__
from salbench.arrays import FloatArray
from salbench.atomic import write_text
from salbench.comparison import check_comparable, common_metrics
from salbench.datasets.dataset import Dataset
from salbench.datasets.stimulus import Stimulus
from salbench.errors import DataError, RunError, UsageError
from salbench.metrics import METRICS
from salbench.pages.page import render_page
from salbench.paths import PathLike
from salbench.progress import Progress, Silent
from salbench.report.drawings import colour_of, distributions, legend, roc_drawing
from salbench.report.pictures import Beside, Embedded, addresses, draw_all
from salbench.run_pictures import names_of
from salbench.run_stimuli import stimuli_of
from salbench.scoring.run_folder import Run, open_run
from salbench.scoring.statistics import interval

PRIMARY = ("nss", "auc_judd", "cc")
"""The metric whose best and worst stimuli are drawn first: the first of these that the runs have."""
EXTREMES = 8
"""Best and worst stimuli of each model that a page of one file has pictures of."""
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
    Raises UsageError for no run, RunError for runs that do not compare or are damaged.
    """
    if not runs:
        raise UsageError("name at least one run")
    opened = [open_run(run) for run in runs]
    check_comparable(opened)
    keys = common_metrics(opened, None)
    listener = progress or Silent()
    scores = {key: np.stack([_column(run, key) for run in opened]) for key in keys}
    stimuli, note = _stimuli(opened[0], dataset, data)
    target = Path(out)
    single = target.suffix.lower() in (".html", ".htm")
    chosen = _extremes(scores, keys) if single else list(range(len(opened[0].scores)))
    place = Embedded() if single else Beside(target)
    page = target if single else target / "index.html"
    drawn, curves, lost = _draw(opened, stimuli, chosen, place, listener)
    values = _values(opened, keys, scores, drawn, curves, [*note, *lost[:20]])
    write_text(page, render_page("report.html.j2", **values))
    return Report(page, len(drawn), (*note, *lost))


def _column(run: Run, key: str) -> FloatArray:
    column: FloatArray = run.scores[key].to_numpy(dtype=np.float64)
    return column


def _stimuli(
    run: Run, dataset: PathLike | Dataset | None, data: PathLike | None
) -> tuple[list[Stimulus] | None, list[str]]:
    """The run's stimuli in the order of its rows; None, and why, where their data are not at hand or are others."""
    try:
        known = {stimulus.id: stimulus for stimulus in stimuli_of(run, dataset, data)}
        return [known[name] for name in run.scores["stimulus"]], []
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
) -> tuple[dict[int, Any], list[FloatArray], list[str]]:
    """Addresses of pictures by the stimulus's place, each run's mean ROC curve, and what could not be drawn."""
    if stimuli is None:
        return {}, [], []
    drawn: dict[int, Any] = {}
    lost: list[str] = []
    sums, counts = np.zeros((len(runs), 101)), np.zeros(len(runs))
    for number, made in zip(chosen, draw_all(runs, [stimuli[i] for i in chosen], progress), strict=True):
        drawn[number] = addresses(place, number, made)
        lost += made.lost
        for run, curve in enumerate(made.curves):
            if np.isfinite(curve).all():
                sums[run] += curve
                counts[run] += 1
    curves = [sums[run] / counts[run] if counts[run] else np.full(101, np.nan) for run in range(len(runs))]
    return drawn, curves, lost


def _values(
    runs: Sequence[Run],
    keys: Sequence[str],
    scores: dict[str, FloatArray],
    drawn: dict[int, Any],
    curves: Sequence[FloatArray],
    warnings: Sequence[str],
) -> dict[str, Any]:
    """What the template shows."""
    names, first = names_of(runs), runs[0]
    manifest = first.manifest
    roc = {name: curve for name, curve in zip(names, curves, strict=False) if np.isfinite(curve).all()}
    return {
        "title": f"{', '.join(names)} on {manifest['dataset']['title']}",
        "version": __version__,
        "subtitle": f"split {manifest['dataset']['split']}, protocol {manifest['protocol']['label']}",
        "warnings": list(warnings),
        "legend": legend(names),
        "summary": [_summary(key, runs, scores[key]) for key in keys],
        "names": names,
        "colours": [colour_of(i) for i in range(len(names))],
        "distributions": [
            {"heading": _heading(key), "drawing": distributions(dict(zip(names, scores[key], strict=True)))}
            for key in keys
        ],
        "roc": roc_drawing(roc) if roc else None,
        "roc_stimuli": len(drawn),
        "count": len(first.scores),
        "provenance": [_provenance(name, run) for name, run in zip(names, runs, strict=True)],
        "data": _data(runs, names, keys, scores, drawn),
    }


def _heading(key: str) -> str:
    return f"{METRICS[key].symbol} {METRICS[key].arrow}"


def _summary(key: str, runs: Sequence[Run], column: FloatArray) -> dict[str, Any]:
    """A metric's row: each run's mean and interval, as the run itself says."""
    figures = [run.summary["metrics"][key] for run in runs]
    means = [one["mean"] for one in figures]
    known = [mean for mean in means if mean is not None]
    best = (max(known) if METRICS[key].higher_is_better else min(known)) if len(known) > 1 else None
    cells = [
        {
            "mean": "-" if one["mean"] is None else f"{one['mean']:.4f}",
            "interval": "" if one["ci_low"] is None else f"[{one['ci_low']:.4f}, {one['ci_high']:.4f}]",
            "best": best is not None and one["mean"] == best,
        }
        for one in figures
    ]
    return {"heading": _heading(key), "title": METRICS[key].title, "cells": cells, "change": _change(key, column)}


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
        "colours": [colour_of(i) for i in range(len(names))],
        "metrics": [{"key": key, "heading": _heading(key), "higher": METRICS[key].higher_is_better} for key in keys],
        "primary": list(keys).index(_primary(keys)),
        "stimuli": list(runs[0].scores["stimulus"]),
        "errors": [list(run.scores["error"]) if run.errors else None for run in runs],
        "scores": [[[_short(value) for value in row] for row in scores[key]] for key in keys],
        "pictures": {str(place): found for place, found in drawn.items()},
    }


def _short(value: float) -> float | None:
    return float(f"{value:.{DIGITS}g}") if np.isfinite(value) else None
