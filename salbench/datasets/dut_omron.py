"""DUT-OMRON (Yang et al. 2013): 5,168 images whose longer side is 400, fixations of 5 viewers.

DUT-OMRON-image/NAME.jpg
DUT-OMRON-eye-fixations/mat/NAME.mat     s, (n, 3): x, y, viewer; the row of viewer 0 is the image's size

Positions of 0 occur, so they count from 0, as pysaliency 0.2.22 takes them. Viewer 1 of one image need not be viewer 1
of another. The images' archive may hold them below a further DUT-OMRON-image folder.
"""

from functools import partial
from pathlib import Path

import numpy as np

from salbench.datasets.dataset import Dataset
from salbench.datasets.image_stimulus import image_stimulus
from salbench.datasets.mat_files import points_of, read_mat, variable
from salbench.datasets.splits import ALL, eye_tracking_splits
from salbench.datasets.stimulus import Fixations, Stimulus
from salbench.errors import DataError
from salbench.image_files import files_by_stem

CITATION = "Yang, Zhang, Lu, Ruan and Yang: Saliency detection via graph-based manifold ranking. CVPR 2013."
GROUND_TRUTH = "as published, filtered by the authors; viewers told apart within an image"


def open_dut_omron(folder: Path) -> Dataset:
    """`dut-omron`: splits `all`, `mit300-style`, `rest`. DataError where it is not there."""
    places = (folder / "DUT-OMRON-image" / "DUT-OMRON-image", folder / "DUT-OMRON-image")
    images = next((place for place in places if place.is_dir() and any(place.glob("*.jpg"))), None)
    fixations = folder / "DUT-OMRON-eye-fixations" / "mat"
    if images is None or not fixations.is_dir():
        raise DataError(
            f"{folder}: DUT-OMRON is not here; wanted: DUT-OMRON-image and DUT-OMRON-eye-fixations/mat. "
            "Name its folder with --data"
        )
    files = files_by_stem(images, frozenset({".jpg"}))
    splits = eye_tracking_splits(list(files), partial(_stimulus, files, fixations))
    return Dataset("dut-omron", "DUT-OMRON", splits, ALL, CITATION, scanpaths=False)


def _stimulus(images: dict[str, Path], fixations: Path, name: str) -> Stimulus:
    return image_stimulus(name, images[name], partial(read_fixations, fixations / f"{name}.mat"))


def read_fixations(path: Path) -> Fixations:
    """The fixations of one image. DataError for a file that is not as published."""
    rows = points_of(variable(read_mat(path, "DUT-OMRON's fixations"), "s", path), 3, path, "the rows of s")
    if not np.isfinite(rows[:, 2]).all():
        raise DataError(f"{path}: has viewers that are no numbers; fetch it again")
    rows = rows[rows[:, 2] > 0]
    return Fixations(rows[:, 0], rows[:, 1], rows[:, 2].astype(np.int64).astype(str))
