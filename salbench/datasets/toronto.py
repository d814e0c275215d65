"""Toronto (Bruce and Tsotsos 2005): 120 images of 681x511, fixations of 20 viewers, taken together.

eyetrackingdata/fixdens/Original Image Set/1.jpg … 120.jpg
eyetrackingdata/fixdens/origfixdata.mat     white, (1, 120) cells of (511, 681), 1 where anybody fixated

The positions of single viewers that lie beside these are in no pixels of the images, so viewers are not told apart.
"""

from functools import lru_cache, partial
from pathlib import Path
from typing import Any

import numpy as np

from salbench.arrays import IntArray
from salbench.datasets.dataset import Dataset
from salbench.datasets.image_stimulus import image_stimulus
from salbench.datasets.mat_files import read_mat, variable
from salbench.datasets.splits import ALL, eye_tracking_splits
from salbench.datasets.stimulus import Fixations, Stimulus
from salbench.errors import DataError

CITATION = "Bruce and Tsotsos: Saliency based on information maximization. NIPS 2005."
GROUND_TRUTH = "20 viewers together, as the authors' maps have them"
NAMES = tuple(str(number) for number in range(1, 121))


def open_toronto(folder: Path) -> Dataset:
    """`toronto`: splits `all`, `held-out-40`, `rest`. DataError where it is not there."""
    for root in (folder / "eyetrackingdata" / "fixdens", folder / "fixdens", folder):
        if (root / "Original Image Set").is_dir() and (root / "origfixdata.mat").is_file():
            splits = eye_tracking_splits(NAMES, partial(_stimulus, root))
            return Dataset("toronto", "Toronto", splits, ALL, CITATION, scanpaths=False)
    raise DataError(
        f"{folder}: Toronto is not here; wanted: eyetrackingdata/fixdens with Original Image Set and origfixdata.mat. "
        "Name its folder with --data"
    )


def _stimulus(root: Path, name: str) -> Stimulus:
    source = partial(read_fixated, root / "origfixdata.mat", int(name) - 1)
    return image_stimulus(name, root / "Original Image Set" / f"{name}.jpg", source)


def read_fixated(path: Path, place: int) -> Fixations:
    """The fixated pixels of the image at a place of the file. DataError for a file that is not as published."""
    points = _read(path, path.stat().st_mtime_ns if path.is_file() else 0)[place]
    return Fixations.of_one_viewer(points[:, 1], points[:, 0], "all")


@lru_cache(maxsize=1)
def _read(path: Path, modified: int) -> list[IntArray]:
    """Fixated [row, column] of every image."""
    del modified  # part of the cache's key: a file that changed is read again
    cells = np.asarray(variable(read_mat(path, "Toronto's fixations"), "white", path)).ravel()
    if cells.dtype != object or len(cells) != len(NAMES):
        raise DataError(f"{path}: white has {len(cells)} cells; wanted: a map for each of {len(NAMES)} images")
    return [np.argwhere(_fixated(cell, path)) for cell in cells]


def _fixated(cell: Any, path: Path) -> "np.ndarray[Any, np.dtype[Any]]":
    values = np.asarray(cell)
    if values.ndim != 2 or values.dtype.kind not in "buif":
        raise DataError(f"{path}: a cell of white has shape {values.shape}; wanted: a map of zeros and ones")
    return values
