"""Data sets made of what is in memory, and data sets as tables: the way to and from other tools."""

from collections.abc import Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from salbench.datasets.dataset import Dataset
from salbench.datasets.stimulus import Fixations, Stimulus, viewer_name
from salbench.errors import DataError, ShapeError

if TYPE_CHECKING:
    import pandas as pd


def from_arrays(
    images: Mapping[str, npt.NDArray[np.uint8]],
    fixations: "Mapping[str, Any] | pd.DataFrame",
    *,
    key: str = "arrays",
    title: str | None = None,
) -> Dataset:
    """A data set, split `all`, of images and fixations in memory; its stimuli travel to workers with their images.

    `images`: by stimulus id, (H, W, 3) uint8 RGB or (H, W) grey. `fixations`: by stimulus id an array (n, 2) of x, y,
    or (n, 3) with viewer; or a table with the columns `stimulus`, `x`, `y` and, where known, `viewer`. Pixels from 0, x
    to the right; a stimulus that has none is left out of the mapping or table.
    Raises ShapeError for arrays of another shape, DataError for fixations of an unknown stimulus or missing columns.
    """
    recorded = (
        _of_table(fixations) if hasattr(fixations, "columns") else {n: _of_array(a) for n, a in fixations.items()}
    )
    unknown = [name for name in recorded if name not in images]
    if unknown:
        raise DataError(f"fixations of {unknown[0]!r}, which is no stimulus; there are {', '.join(list(images)[:5])} …")
    nothing = Fixations.of_one_viewer([], [])
    stimuli = [_stimulus(name, image, recorded.get(name, nothing)) for name, image in images.items()]
    return Dataset(key, title or key, {"all": partial(list, stimuli)}, "all")


def _stimulus(name: str, image: npt.NDArray[np.uint8], fixations: Fixations) -> Stimulus:
    values = np.asarray(image)
    if values.ndim == 2:
        values = np.repeat(values[:, :, None], 3, axis=2)
    if values.ndim != 3 or values.shape[2] != 3 or values.dtype != np.uint8 or values.size == 0:
        raise ShapeError(f"image {name!r} has shape {values.shape} and type {values.dtype}; wanted: (H, W, 3) uint8")
    return Stimulus(name, (values.shape[0], values.shape[1]), partial(_given, values), partial(_given, fixations))


def _given(value: Any) -> Any:
    return value


def _of_array(values: Any) -> Fixations:
    points = np.asarray(values, dtype=np.float64)
    if points.size == 0:
        return Fixations.of_one_viewer([], [])
    if points.ndim != 2 or points.shape[1] not in (2, 3):
        raise ShapeError(f"fixations have shape {points.shape}; wanted: (n, 2) x, y or (n, 3) x, y, viewer")
    if points.shape[1] == 2:
        return Fixations.of_one_viewer(points[:, 0], points[:, 1])
    return Fixations(points[:, 0], points[:, 1], np.array([viewer_name(one) for one in points[:, 2]]))


def _of_table(table: Any) -> dict[str, Fixations]:
    missing = [name for name in ("stimulus", "x", "y") if name not in table.columns]
    if missing:
        raise DataError(f"the table of fixations has no column {missing[0]!r}; wanted: stimulus, x, y and maybe viewer")
    found = {}
    for name, rows in table.groupby("stimulus", sort=False):
        viewers = rows["viewer"].astype(str).to_numpy() if "viewer" in rows else np.full(len(rows), "1")
        x, y = (rows[axis].to_numpy(dtype=np.float64) for axis in ("x", "y"))
        found[str(name)] = Fixations(x, y, viewers)
    return found


def fixation_table(stimuli: Sequence[Stimulus]) -> "pd.DataFrame":
    """A row per recorded fixation: `stimulus`, `viewer`, `x`, `y`, `order` among its viewer's, `inside` the frame.

    RGB images are not read. DataError where a recording cannot be read.
    """
    import pandas as pd  # noqa: PLC0415 - heavy, and scoring does without

    parts = []
    for stimulus in stimuli:
        recorded = stimulus.recorded_fixations()
        height, width = stimulus.size
        inside = (recorded.x >= -0.5) & (recorded.x < width - 0.5) & (recorded.y >= -0.5) & (recorded.y < height - 0.5)
        viewers = recorded.viewer.astype(str)
        frame = pd.DataFrame(
            {"stimulus": stimulus.id, "viewer": viewers, "x": recorded.x, "y": recorded.y, "inside": inside}
        )
        frame.insert(4, "order", frame.groupby("viewer").cumcount())
        parts.append(frame)
    columns = ["stimulus", "viewer", "x", "y", "order", "inside"]
    return pd.concat(parts, ignore_index=True) if parts else pd.DataFrame(columns=columns)
