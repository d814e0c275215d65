"""PASCAL-S (Li et al. 2014): 850 images of PASCAL VOC 2010's validation set, fixations of 8 viewers or more.

datasets/imgs/pascal/1.jpg … 850.jpg
datasets/fixations/pascalFix.mat         MATLAB 7.3 (HDF5): fixCell, 850 arrays of y, x and viewer, all from 1

The layout is that of the authors' archive salObj.zip, as pysaliency 0.2.22 reads it.
"""

from functools import lru_cache, partial
from pathlib import Path
from typing import Any

import numpy as np

from salbench.arrays import FloatArray
from salbench.datasets.dataset import Dataset
from salbench.datasets.hdf5_files import checked_array, own_array, survives
from salbench.datasets.image_stimulus import image_stimulus
from salbench.datasets.splits import ALL, eye_tracking_splits
from salbench.datasets.stimulus import Fixations, Stimulus
from salbench.errors import DataError

CITATION = "Li, Hou, Koch, Rehg and Yuille: The secrets of salient object segmentation. CVPR 2014."
GROUND_TRUTH = "as published, viewers told apart, the first fixation kept"
NAMES = tuple(str(number) for number in range(1, 851))
MOST = 100_000
"""Fixations on one image; more are no recording."""


def open_pascal_s(folder: Path) -> Dataset:
    """`pascal-s`: splits `all`, `mit300-style`, `rest`. DataError where it is not there."""
    for root in (folder / "datasets", folder):
        if (root / "imgs" / "pascal").is_dir() and (root / "fixations" / "pascalFix.mat").is_file():
            splits = eye_tracking_splits(NAMES, partial(_stimulus, root))
            return Dataset("pascal-s", "PASCAL-S", splits, ALL, CITATION)
    raise DataError(
        f"{folder}: PASCAL-S is not here; wanted: datasets/imgs/pascal and datasets/fixations/pascalFix.mat. "
        "Name its folder with --data"
    )


def _stimulus(root: Path, name: str) -> Stimulus:
    source = partial(read_fixations, root / "fixations" / "pascalFix.mat", int(name) - 1)
    return image_stimulus(name, root / "imgs" / "pascal" / f"{name}.jpg", source)


def read_fixations(path: Path, place: int) -> Fixations:
    """The fixations of the image at a place of the file. DataError for a file that is not as published."""
    rows = _read(path, path.stat().st_mtime_ns if path.is_file() else 0)[place]
    return Fixations(rows[1] - 1, rows[0] - 1, rows[2].astype(np.int64).astype(str))


@lru_cache(maxsize=1)
def _read(path: Path, modified: int) -> list[FloatArray]:
    """(3, n) y, x, viewer of every image, from 1."""
    del modified  # part of the cache's key: a file that changed is read again
    survives(_parsed, path)
    return _parsed(path)


def _parsed(path: Path) -> list[FloatArray]:
    import h5py  # noqa: PLC0415 - heavy, and for this data set alone

    try:
        with h5py.File(path, "r") as file:
            cells = own_array(file, "fixCell", path)
            if cells.shape != (1, len(NAMES)):
                raise DataError(f"{path}: fixCell has shape {cells.shape}; wanted: (1, {len(NAMES)})")
            return [_rows(file[cells[0, place]], path) for place in range(len(NAMES))]
    except DataError:
        raise
    except Exception as error:  # h5py raises errors of any kind for a damaged file
        raise DataError(f"{path}: cannot be read as PASCAL-S's fixations ({error}); fetch it again") from error


def _rows(found: Any, path: Path) -> FloatArray:
    values = checked_array(found, "a cell", path)
    if values.ndim != 2 or values.shape[0] != 3 or values.shape[1] > MOST:
        raise DataError(f"{path}: a cell has shape {values.shape}; wanted: (3, n) y, x and viewer")
    rows = np.asarray(values[:], dtype=np.float64)
    if not np.isfinite(rows[2]).all():
        raise DataError(f"{path}: has viewers that are no numbers; fetch it again")
    return rows
