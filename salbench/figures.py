"""Pictures for papers: images and maps side by side, maps over their image, level sets; PNG, PDF or SVG by suffix."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from salbench.arrays import FloatArray, IntArray, RGBImage, SaliencyMap
from salbench.atomic import replacing
from salbench.errors import UsageError
from salbench.maps import resize_to

FORMATS = ("png", "pdf", "svg")
_UNDATED: Mapping[str, Mapping[str, Any]] = {"pdf": {"CreationDate": None}, "svg": {"Date": None}, "png": {}}
"""The same picture is the same file whenever it is drawn."""
LEVELS = 8
FIXATION_COLOUR = "#35d0ff"


@dataclass(frozen=True)
class GridRow:
    """One line of a grid: an image (H, W, 3) uint8, and maps (H, W), each under the grid's heading of its column."""

    image: RGBImage
    maps: Sequence[SaliencyMap]


def new_figure(width: float, height: float) -> Figure:
    """An empty figure of so many inches, apart from any window or global state of matplotlib."""
    figure = Figure(figsize=(width, height), layout="constrained")
    FigureCanvasAgg(figure)
    return figure


def picture_format(path: Path) -> str:
    """The format that a file's suffix asks for. UsageError for one that is not in FORMATS."""
    suffix = path.suffix.lower().removeprefix(".")
    if suffix not in FORMATS:
        raise UsageError(f"{path}: a picture ends with .{', .'.join(FORMATS)}")
    return suffix


def save(figure: Figure, path: Path, dpi: int = 150) -> None:
    """Write a figure, atomically, in the format of the file's suffix. UsageError for an unknown one."""
    form = picture_format(path)
    with replacing(path) as scratch, rc_context({"svg.hashsalt": "salbench"}):
        figure.savefig(scratch, format=form, dpi=dpi, metadata=dict(_UNDATED[form]))


def write_grid(path: Path, headings: Sequence[str], rows: Sequence[GridRow]) -> None:
    """Write a line per image: the image, then its maps, each stretched to its own range (as in the paper's Figures 4
    and 6). `headings`: one for the image column and one for each map.
    """
    figure = new_figure(2.0 * len(headings), 1.6 * len(rows))
    axes = figure.subplots(len(rows), len(headings), squeeze=False)
    for line, row in zip(axes, rows, strict=True):
        line[0].imshow(row.image)
        for place, values in zip(line[1:], row.maps, strict=True):
            place.imshow(stretch(values), cmap="gray", vmin=0, vmax=1)
        for place in line:
            place.set_axis_off()
    for place, heading in zip(axes[0], headings, strict=True):
        _name(place, heading, 9)
    save(figure, path, dpi=120)


def write_overlay(
    path: Path,
    image: RGBImage,
    maps: Sequence[tuple[str, SaliencyMap]],
    fixations: IntArray | None = None,
    strength: float = 0.6,
) -> None:
    """Write named maps as colours over their (H, W, 3) image, side by side; the image shows where a map is low.

    `fixations`: (n, 2) row and column of dots, or None. `strength`: opacity where a map is highest, 0 to 1.
    """
    height, width = image.shape[:2]
    figure = new_figure(4.0 * len(maps), 4.0 * height / width + 0.3)
    for place, (name, values) in zip(figure.subplots(1, len(maps), squeeze=False)[0], maps, strict=True):
        stretched = stretch(values)
        place.imshow(image)
        place.imshow(
            stretched, cmap="inferno", alpha=strength * stretched, extent=(-0.5, width - 0.5, height - 0.5, -0.5)
        )
        if fixations is not None:
            place.plot(fixations[:, 1], fixations[:, 0], "o", color=FIXATION_COLOUR, markersize=2.5, markeredgewidth=0)
        _name(place, name)
        place.set_axis_off()
    save(figure, path)


def write_level_sets(
    path: Path,
    image: RGBImage,
    maps: Sequence[tuple[str, SaliencyMap]],
    window: tuple[int, int, int, int] | None = None,
) -> None:
    """Write the level sets of named maps of one image side by side, as in the paper's Figure 5: how smooth is each?

    A map of another size is resized to the image, as for its scores. `window`: (left, top, width, height) of the part
    that is shown, in pixels of the image; by default the whole. Each map's levels divide its own range within the
    window into equal parts.
    Raises UsageError for a window that does not lie within the image.
    """
    left, top, width, height = _within(window, image)
    shown = image[top : top + height, left : left + width]
    figure = new_figure(3.0 * (len(maps) + 1), 3.0 * height / width + 0.3)
    axes = figure.subplots(1, len(maps) + 1, squeeze=False)[0]
    axes[0].imshow(shown)
    _name(axes[0], "image")
    for place, (name, values) in zip(axes[1:], maps, strict=True):
        fitted = resize_to(stretch(values), (image.shape[0], image.shape[1]))
        _draw_levels(place, fitted[top : top + height, left : left + width])
        _name(place, name)
    for place in axes:
        place.set_xticks([])
        place.set_yticks([])
    save(figure, path)


def _within(window: tuple[int, int, int, int] | None, image: RGBImage) -> tuple[int, int, int, int]:
    rows, columns = image.shape[:2]
    left, top, width, height = window or (0, 0, columns, rows)
    if left < 0 or top < 0 or width < 2 or height < 2 or left + width > columns or top + height > rows:
        raise UsageError(
            f"the window {left},{top},{width},{height} does not lie within the image of {columns}x{rows} pixels"
        )
    return left, top, width, height


def _draw_levels(place: Axes, values: FloatArray) -> None:
    stretched = stretch(values)
    place.imshow(stretched, cmap="gray", aspect="auto")
    if np.ptp(stretched) > 0:
        place.contour(stretched, levels=np.linspace(0, 1, LEVELS + 2)[1:-1], cmap="viridis", linewidths=1.0)


def _name(place: Axes, name: str, size: int = 10) -> None:
    """A heading as it is written: a name may hold a `$`, which matplotlib takes for mathematics."""
    place.set_title(name, fontsize=size, parse_math=False)


def stretch(values: SaliencyMap) -> FloatArray:
    """A map from 0 to 1, as it is looked at; a flat one is 0 everywhere, and what is not finite is 0."""
    values = np.asarray(values, dtype=np.float64)
    finite = np.isfinite(values)
    if not finite.any():
        return np.zeros(values.shape)
    low, high = float(values[finite].min()), float(values[finite].max())
    if not 0 < high - low < np.inf:
        return np.zeros(values.shape)
    return np.where(finite, (np.where(finite, values, low) - low) / (high - low), 0.0)
