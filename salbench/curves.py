"""Curves of figures against epochs, as a picture and as a table of numbers."""

import csv
import itertools
import math
from collections.abc import Mapping, Sequence
from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from salbench.atomic import replacing
from salbench.metrics import METRICS
from salbench.models import TrainedEpoch

COLUMNS = 3
"""Panels in a line, as in the paper's Figure 3."""

Curves = Mapping[str, Sequence[TrainedEpoch]]
"""By the name in print, the epochs of a training in order."""


def write_curves(path: Path, curves: Curves, metrics: Sequence[str]) -> None:
    """Write a PNG with a panel per metric and in it a curve per training; a dotted line where a phase ends.

    The steep rise of the first tenth of the epochs is cut off, so that what happens later can be told apart.
    """
    lines = math.ceil(len(metrics) / COLUMNS)
    figure = Figure(figsize=(3.2 * COLUMNS, 2.6 * lines), layout="constrained")
    FigureCanvasAgg(figure)
    panels = figure.subplots(lines, COLUMNS, squeeze=False).flat
    for panel, key in zip(panels, metrics, strict=False):
        _draw(panel, key, curves)
    for panel in list(panels)[len(metrics) :]:
        panel.set_axis_off()
    handles, names = figure.axes[0].get_legend_handles_labels()
    figure.legend(handles, names, loc="outside lower center", ncols=len(names), frameon=False)
    with replacing(path) as scratch:
        figure.savefig(scratch, format="png", dpi=150)


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
        writer.writerow(["training", "epoch", "phase", "generator_steps", *keys])
        for name, epochs in curves.items():
            for epoch in epochs:
                steps = "" if epoch.generator_steps is None else epoch.generator_steps
                values = [_as_text(epoch.metrics.get(key, math.nan)) for key in keys]
                writer.writerow([name, epoch.epoch, epoch.phase, steps, *values])


def _as_text(value: float) -> str:
    return repr(float(value)) if math.isfinite(value) else ""
