"""Drawings of scores as SVG text: numbers in, no file, no browser. Colours are those of the page's style."""

from collections.abc import Mapping, Sequence

import numpy as np
from markupsafe import Markup, escape

from salbench.arrays import BoolArray, FloatArray, SaliencyMap

BINS = 30
COLOURS = ("#2a78d6", "#d9822b", "#2f9e62", "#b04ad0", "#c93c3c", "#7a8b99", "#14a3a8", "#8a6d3b")
"""One a model, in turn; each is told apart on white and on black."""
GRID = np.linspace(0.0, 1.0, 101)
"""False positive rates of a mean ROC curve."""


def colour_of(place: int) -> str:
    """The colour of the model at that place."""
    return COLOURS[place % len(COLOURS)]


def distributions(columns: Mapping[str, FloatArray]) -> Markup:
    """Histograms of each model's (n,) scores of one metric, one below the other on a common axis; NaN left out.

    A line marks the mean. Values beyond the 0.5 and 99.5 per cent quantiles of all models are counted in the last bins.
    """
    values = {name: column[np.isfinite(column)] for name, column in columns.items()}
    everything = np.concatenate(list(values.values())) if values else np.empty(0)
    if everything.size == 0:
        return _safe("<p class='soft'>No value is defined.</p>")
    low, high = (float(end) for end in np.quantile(everything, [0.005, 0.995]))
    low, high = (low, high) if high > low else (low - 0.5, low + 0.5)
    width, band, label = 320, 44, 16
    parts = [
        _histogram(name, place, column, (low, high), (width, band, label))
        for place, (name, column) in enumerate(values.items())
    ]
    height = band * len(values) + label
    axis = (
        f"<text x='0' y='{height - 3}' class='axis'>{low:.3g}</text>"
        f"<text x='{width}' y='{height - 3}' class='axis' text-anchor='end'>{high:.3g}</text>"
    )
    return _safe(f"<svg viewBox='0 0 {width} {height}' role='img' class='drawing'>{''.join(parts)}{axis}</svg>")


def _histogram(
    name: str, place: int, column: FloatArray, ends: tuple[float, float], sizes: tuple[int, int, int]
) -> str:
    (low, high), (width, band, _) = ends, sizes
    counts, _ = np.histogram(np.clip(column, low, high), bins=BINS, range=ends)
    top, foot, step = max(1, int(counts.max(initial=0))), band * (place + 1) - 2, width / BINS
    bars = "".join(
        f"<rect x='{i * step:.1f}' y='{foot - count / top * (band - 16):.1f}' width='{step - 1:.1f}' "
        f"height='{count / top * (band - 16):.1f}'/>"
        for i, count in enumerate(counts)
        if count
    )
    mean = float(column.mean()) if column.size else float("nan")
    line = ""
    if np.isfinite(mean):
        at = (min(max(mean, low), high) - low) / (high - low) * width
        line = f"<line x1='{at:.1f}' x2='{at:.1f}' y1='{foot - band + 16}' y2='{foot}' class='mean'/>"
    title = f"{escape(name)}: mean {mean:.4g} over {column.size} stimuli"
    return (
        f"<g fill='{colour_of(place)}'><title>{title}</title>{bars}</g>{line}"
        f"<text x='0' y='{band * place + 11}' class='name'>{escape(name)}</text>"
    )


def roc_curve(saliency_map: SaliencyMap, fixation_map: BoolArray) -> FloatArray:
    """True positive rates at the false positive rates of GRID, (101,): AUC-Judd's curve (Riche et al. 2013).

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


def roc_drawing(curves: Mapping[str, FloatArray]) -> Markup:
    """The mean ROC curve of each model, values as from `roc_curve`."""
    size = 300
    parts = []
    for place, (name, curve) in enumerate(curves.items()):
        points = " ".join(f"{x * size:.1f},{(1 - y) * size:.1f}" for x, y in zip(GRID, curve, strict=True))
        title = f"<title>{escape(name)}</title>"
        parts.append(
            f"<polyline points='{points}' stroke='{colour_of(place)}' fill='none' stroke-width='2'>{title}</polyline>"
        )
    frame = f"<rect x='0' y='0' width='{size}' height='{size}' class='frame'/>"
    chance = f"<line x1='0' y1='{size}' x2='{size}' y2='0' class='chance'/>"
    texts = (
        f"<text x='{size / 2}' y='{size + 16}' class='axis' text-anchor='middle'>false positive rate</text>"
        f"<text x='-{size / 2}' y='-6' class='axis' text-anchor='middle' transform='rotate(-90)'>"
        "true positive rate</text>"
    )
    box = f"-20 -4 {size + 26} {size + 26}"
    return _safe(f"<svg viewBox='{box}' role='img' class='drawing roc'>{frame}{chance}{''.join(parts)}{texts}</svg>")


def legend(names: Sequence[str]) -> Markup:
    """The models with their colours."""
    items = "".join(
        f"<li><span class='swatch' style='background:{colour_of(i)}'></span>{escape(name)}</li>"
        for i, name in enumerate(names)
    )
    return _safe(f"<ul class='legend'>{items}</ul>")


def _safe(drawing: str) -> Markup:
    """A drawing of numbers and of names that were escaped where they went in."""
    return Markup(drawing)  # noqa: S704 - as above
