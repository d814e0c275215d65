"""Pictures of images, ground truth and maps side by side."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from salbench.arrays import RGBImage, SaliencyMap
from salbench.atomic import replacing


@dataclass(frozen=True)
class GridRow:
    """One line of a grid: an image (H, W, 3) uint8, and maps (H, W), each under the grid's heading of its column."""

    image: RGBImage
    maps: Sequence[SaliencyMap]


def write_grid(path: Path, headings: Sequence[str], rows: Sequence[GridRow]) -> None:
    """Write a PNG with a line per image: the image, then its maps, each stretched to its own range (as in the paper's
    Figures 4 and 6). `headings`: one for the image column and one for each map.
    """
    figure = Figure(figsize=(2.0 * len(headings), 1.6 * len(rows)), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots(len(rows), len(headings), squeeze=False)
    for line, row in zip(axes, rows, strict=True):
        line[0].imshow(row.image)
        for place, values in zip(line[1:], row.maps, strict=True):
            place.imshow(np.asarray(values, dtype=np.float64), cmap="gray")
        for place in line:
            place.set_axis_off()
    for place, heading in zip(axes[0], headings, strict=True):
        place.set_title(heading, fontsize=9)
    with replacing(path) as scratch:
        figure.savefig(scratch, format="png", dpi=120)
