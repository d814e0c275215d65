"""Drawings of scores as SVG text: numbers in, no file, no browser. Colours are those of the page's style."""

from collections.abc import Sequence

import numpy as np
from markupsafe import Markup, escape

from salbench.arrays import FloatArray
from salbench.report.roc import GRID

BINS = 30
COLOURS = ("#2a78d6", "#c2701a", "#2f9e62", "#b04ad0", "#c93c3c", "#7a8b99", "#0f8f94", "#8a6d3b")
"""One a model, in turn; each is told apart on white and on the dark paper."""
WIDTH, BAND, LABEL = 320, 44, 16
"""Of the histograms: all of them wide, each high, and the axis below them high."""
HEAD = 16
"""Part of a histogram's band that its name takes."""
CLOSE = 1e-9
"""Of two values: a difference, relative to them, that is rounding and has no room for bins."""


def colour_of(place: int) -> str:
    """The colour of the model at that place."""
    return COLOURS[place % len(COLOURS)]


def distributions(metric: str, columns: Sequence[tuple[str, FloatArray]]) -> Markup:
    """Histograms of each named model's (n,) scores of one metric, one below the other on a common axis; NaN left out.

    A line marks the mean. Values beyond the 0.5 and 99.5 per cent quantiles of all models are counted in the last bins.
    """
    known = [(name, column[np.isfinite(column)]) for name, column in columns]
    everything = np.concatenate([np.empty(0), *(column for _, column in known)])
    if everything.size == 0:
        return _safe("<p class='soft'>No value is defined.</p>")
    low, high = _ends(everything)
    parts = [_histogram(name, place, column, (low, high)) for place, (name, column) in enumerate(known)]
    height = BAND * len(known) + LABEL
    axis = (
        f"<text x='0' y='{height - 3}' class='axis'>{low:.3g}</text>"
        f"<text x='{WIDTH}' y='{height - 3}' class='axis' text-anchor='end'>{high:.3g}</text>"
    )
    label = escape(f"{metric}: " + "; ".join(f"{name}, {_in_words(column)}" for name, column in known))
    box = f"viewBox='0 0 {WIDTH} {height}'"
    return _safe(f"<svg {box} role='img' aria-label='{label}' class='drawing'>{''.join(parts)}{axis}</svg>")


def _ends(values: FloatArray) -> tuple[float, float]:
    """Where the common axis begins and ends, with room for values that are all the same."""
    low, high = (float(end) for end in np.quantile(values, [0.005, 0.995]))
    if high - low > CLOSE * max(abs(low), abs(high)):
        return low, high
    room = max(0.5, abs(low) / 2)
    return low - room, low + room


def _in_words(column: FloatArray) -> str:
    if not column.size:
        return "no value is defined"
    return f"mean {float(column.mean()):.4g} over {column.size} stimuli"


def _histogram(name: str, place: int, column: FloatArray, ends: tuple[float, float]) -> str:
    words, top = _in_words(column), BAND * place
    if not column.size:
        note = f"<text x='0' y='{top + HEAD + 14}' class='axis'>{words}</text>"
        return f"{_name(name, top)}{note}"
    low, high = ends
    at = (min(max(float(column.mean()), low), high) - low) / (high - low) * WIDTH
    line = f"<line x1='{at:.1f}' x2='{at:.1f}' y1='{top + HEAD - 2}' y2='{top + BAND - 2}' class='mean'/>"
    title = f"<title>{escape(name)}: {words}</title>"
    return f"<g fill='{colour_of(place)}'>{title}{_bars(column, top, ends)}</g>{line}{_name(name, top)}"


def _bars(column: FloatArray, top: int, ends: tuple[float, float]) -> str:
    counts, _ = np.histogram(np.clip(column, *ends), bins=BINS, range=ends)
    heights, step = counts / counts.max() * (BAND - HEAD), WIDTH / BINS
    return "".join(
        f"<rect x='{i * step:.1f}' y='{top + BAND - 2 - height:.1f}' width='{step - 1:.1f}' height='{height:.1f}'/>"
        for i, height in enumerate(heights)
        if height
    )


def _name(name: str, top: int) -> str:
    return f"<text x='0' y='{top + 11}' class='name'>{escape(name)}</text>"


def roc_drawing(curves: Sequence[tuple[str, FloatArray | None]]) -> Markup:
    """The mean ROC curve of each named model, as from `mean_roc`; one without a curve keeps its place and colour."""
    size = 300
    drawn = [(place, name, curve) for place, (name, curve) in enumerate(curves) if curve is not None]
    parts = [_curve(name, curve, colour_of(place), size) for place, name, curve in drawn]
    frame = f"<rect x='0' y='0' width='{size}' height='{size}' class='frame'/>"
    chance = f"<line x1='0' y1='{size}' x2='{size}' y2='0' class='chance'/>"
    texts = (
        f"<text x='{size / 2}' y='{size + 16}' class='axis' text-anchor='middle'>false positive rate</text>"
        f"<text x='-{size / 2}' y='-6' class='axis' text-anchor='middle' transform='rotate(-90)'>"
        "true positive rate</text>"
    )
    label = escape(f"Mean ROC curves of {', '.join(name for _, name, _ in drawn)}")
    head = f"<svg viewBox='-20 -4 {size + 26} {size + 26}' role='img' aria-label='{label}' class='drawing roc'>"
    return _safe(f"{head}{frame}{chance}{''.join(parts)}{texts}</svg>")


def _curve(name: str, curve: FloatArray, colour: str, size: int) -> str:
    points = " ".join(f"{x * size:.1f},{(1 - y) * size:.1f}" for x, y in zip(GRID, curve, strict=True))
    title = f"<title>{escape(name)}</title>"
    return f"<polyline points='{points}' stroke='{colour}' fill='none' stroke-width='2'>{title}</polyline>"


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
