"""Curves of figures against epochs, as a picture and as a table of numbers."""

import csv
import itertools
import math
from collections.abc import Mapping, Sequence
from pathlib import Path

from matplotlib.axes import Axes

from salbench.atomic import replacing
from salbench.errors import RunError, UsageError
from salbench.experiments import FIGURE_3_METRICS
from salbench.figures import new_figure, picture_format, save
from salbench.metrics import METRICS
from salbench.models import TrainedEpoch, epochs_factory
from salbench.names import unknown_name
from salbench.paths import PathLike
from salbench.tables.to_csv import safe_text

COLUMNS = 3
"""Panels in a line, as in the paper's Figure 3."""

Curves = Mapping[str, Sequence[TrainedEpoch]]
"""By the name in print, the epochs of a training in order."""


def draw_curves(
    path: PathLike,
    trainings: Sequence[PathLike],
    *,
    model: str = "salgan",
    names: Sequence[str] | None = None,
    metrics: Sequence[str] | None = None,
) -> None:
    """Write the curves of training folders of a model, by default under the folders' names and those of Figure 3.

    Raises UsageError for a suffix that is no picture's, a model that does not tell what its epochs gave, an unknown
    metric, and names that are not one a folder and different; RunError for a folder without epochs.
    """
    picture_format(Path(path))
    folders = [Path(training) for training in trainings]
    titles = list(names) if names is not None else [folder.resolve().name for folder in folders]
    if len(titles) != len(folders) or len(set(titles)) != len(titles):
        raise UsageError(f"{len(folders)} trainings want as many different names, not: {', '.join(titles)}")
    chosen = list(metrics) if metrics is not None else list(FIGURE_3_METRICS)
    for key in chosen:
        if key not in METRICS:
            raise UsageError(unknown_name("metric", key, list(METRICS)))
    curves = {title: _epochs(model, folder) for title, folder in zip(titles, folders, strict=True)}
    write_curves(Path(path), curves, chosen)


def _epochs(model: str, folder: Path) -> Sequence[TrainedEpoch]:
    epochs = epochs_factory(model).epochs(folder)
    if not epochs:
        raise RunError(f"{folder} is no training: it has no epochs")
    return epochs


def write_curves(path: Path, curves: Curves, metrics: Sequence[str]) -> None:
    """Write a picture with a panel per metric and in it a curve per training; a dotted line where a phase ends.

    The steep rise of the first tenth of the epochs is cut off, so that what happens later can be told apart.
    """
    lines = math.ceil(len(metrics) / COLUMNS)
    figure = new_figure(3.2 * COLUMNS, 2.6 * lines)
    panels = figure.subplots(lines, COLUMNS, squeeze=False).flat
    for panel, key in zip(panels, metrics, strict=False):
        _draw(panel, key, curves)
    for panel in list(panels)[len(metrics) :]:
        panel.set_axis_off()
    handles, names = figure.axes[0].get_legend_handles_labels()
    figure.legend(handles, names, loc="outside lower center", ncols=len(names), frameon=False)
    save(figure, path)


def _draw(panel: Axes, key: str, curves: Curves) -> None:
    for name, epochs in curves.items():
        values = [epoch.metrics.get(key, math.nan) for epoch in epochs]
        panel.plot([epoch.epoch for epoch in epochs], values, label=name, linewidth=1.4)
    for end in sorted({end for epochs in curves.values() for end in _phase_ends(epochs)}):
        panel.axvline(end + 0.5, color="0.6", linestyle=":", linewidth=1)
    settled = _settled_values(key, curves)
    if settled:
        margin = 0.08 * (max(settled) - min(settled)) or 0.01
        panel.set_ylim(min(settled) - margin, max(settled) + margin)
    metric = METRICS.get(key)
    panel.set_title(f"{metric.symbol} {metric.arrow}" if metric else key, fontsize=10)
    panel.set_xlabel("epoch", fontsize=8)
    panel.tick_params(labelsize=8)


def _settled_values(key: str, curves: Curves) -> list[float]:
    """The defined values of a metric after the first tenth of the epochs."""
    last = max(epoch.epoch for epochs in curves.values() for epoch in epochs)
    values = [one.metrics.get(key, math.nan) for epochs in curves.values() for one in epochs if one.epoch > last / 10]
    return [value for value in values if math.isfinite(value)]


def _phase_ends(epochs: Sequence[TrainedEpoch]) -> list[int]:
    """The epochs after which another phase begins."""
    return [one.epoch for one, following in itertools.pairwise(epochs) if one.phase != following.phase]


def write_curve_table(path: Path, curves: Curves) -> None:
    """Write a CSV with a line per training and epoch: its phase, its generator steps so far, and every metric."""
    keys = list(dict.fromkeys(key for epochs in curves.values() for epoch in epochs for key in epoch.metrics))
    with replacing(path) as scratch, scratch.open("w", encoding="utf-8", newline="") as handle:
        writer = csv.writer(handle, lineterminator="\n")
        writer.writerow(["training", "epoch", "phase", "generator_steps", *map(safe_text, keys)])
        for name, epochs in curves.items():
            for epoch in epochs:
                steps = "" if epoch.generator_steps is None else epoch.generator_steps
                values = [_as_text(epoch.metrics.get(key, math.nan)) for key in keys]
                writer.writerow([safe_text(name), epoch.epoch, safe_text(epoch.phase), steps, *values])


def _as_text(value: float) -> str:
    return repr(float(value)) if math.isfinite(value) else ""
