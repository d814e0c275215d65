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

FORMATS = ("png", "pdf", "svg")
_UNDATED: Mapping[str, Mapping[str, Any]] = {"pdf": {"CreationDate": None}, "svg": {"Date": None}, "png": {}}
"""The same picture is the same file whenever it is drawn."""
LEVELS = 8


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
            place.imshow(np.asarray(values, dtype=np.float64), cmap="gray")
        for place in line:
            place.set_axis_off()
    for place, heading in zip(axes[0], headings, strict=True):
        place.set_title(heading, fontsize=9)
    save(figure, path, dpi=120)


def write_overlay(
    path: Path,
    image: RGBImage,
    maps: Mapping[str, SaliencyMap],
    fixations: IntArray | None = None,
    strength: float = 0.6,
) -> None:
    """Write maps as colours over their (H, W, 3) image, side by side under their names; the image shows where a map is
    low. `fixations`: (n, 2) row and column of dots, or None. `strength`: opacity where a map is highest, 0 to 1.
    """
    height, width = image.shape[:2]
    figure = new_figure(4.0 * len(maps), 4.0 * height / width + 0.3)
    for place, (name, values) in zip(figure.subplots(1, len(maps), squeeze=False)[0], maps.items(), strict=True):
        stretched = stretch(values)
        place.imshow(image)
        place.imshow(
            stretched, cmap="inferno", alpha=strength * stretched, extent=(-0.5, width - 0.5, height - 0.5, -0.5)
        )
        if fixations is not None:
            place.plot(fixations[:, 1], fixations[:, 0], "o", color="#35d0ff", markersize=2.5, markeredgewidth=0)
        place.set_title(name, fontsize=10)
        place.set_axis_off()
    save(figure, path)


def write_level_sets(
    path: Path, image: RGBImage, maps: Mapping[str, SaliencyMap], window: tuple[int, int, int, int] | None = None
) -> None:
    """Write the level sets of maps of one image side by side, as in the paper's Figure 5: how smooth is each map?

    `window`: (left, top, width, height) of the part that is shown, in pixels of the image; by default the whole. Each
    map's levels divide its own range within the window into equal parts.
    Raises UsageError for a window that does not lie within the image.
    """
    left, top, width, height = _within(window, image)
    shown = image[top : top + height, left : left + width]
    figure = new_figure(3.0 * (len(maps) + 1), 3.0 * height / width + 0.3)
    axes = figure.subplots(1, len(maps) + 1, squeeze=False)[0]
    axes[0].imshow(shown)
    axes[0].set_title("image", fontsize=10)
    for place, (name, values) in zip(axes[1:], maps.items(), strict=True):
        _draw_levels(place, _part(values, image.shape[:2], (left, top, width, height)))
        place.set_title(name, fontsize=10)
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


def _part(values: SaliencyMap, size: tuple[int, int], window: tuple[int, int, int, int]) -> FloatArray:
    """The window of a map, which may be of another size than its image."""
    left, top, width, height = window
    down, across = values.shape[0] / size[0], values.shape[1] / size[1]
    rows = slice(int(top * down), max(int(top * down) + 2, round((top + height) * down)))
    columns = slice(int(left * across), max(int(left * across) + 2, round((left + width) * across)))
    return np.asarray(values, dtype=np.float64)[rows, columns]


def _draw_levels(place: Axes, values: FloatArray) -> None:
    stretched = stretch(values)
    place.imshow(stretched, cmap="gray", aspect="auto")
    if np.ptp(stretched) > 0:
        place.contour(stretched, levels=np.linspace(0, 1, LEVELS + 2)[1:-1], cmap="viridis", linewidths=1.0)


def stretch(values: SaliencyMap) -> FloatArray:
    """A map from 0 to 1, as it is looked at; a flat one is 0 everywhere."""
    values = np.asarray(values, dtype=np.float64)
    span = float(np.ptp(values))
    return (values - values.min()) / span if span > 0 else np.zeros(values.shape)
