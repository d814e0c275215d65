"""FIGRIM (Bylinskii et al. 2015): over 2,700 scenes of 1000x1000 in 21 categories, fixations of 15 or so viewers.

Targets/CATEGORY/NAME.jpg, Fillers/CATEGORY/NAME.jpg
allImages_release.mat, allImages_fillers.mat     allImages: filename, category, userdata(viewer).fixations.enc

Viewers had to remember the scenes. Only the first look at a scene counts here, `enc`: later ones were of a scene that
was known. Positions are taken to count from 0, as pysaliency 0.2.22 takes them; the authors do not say.
"""

from functools import lru_cache, partial
from pathlib import Path
from typing import Any

import numpy as np

from salbench.datasets.dataset import Dataset
from salbench.datasets.image_stimulus import image_stimulus
from salbench.datasets.mat_files import points_of, read_mat, variable
from salbench.datasets.splits import ALL, eye_tracking_splits
from salbench.datasets.stimulus import Fixations, Stimulus
from salbench.errors import DataError

CITATION = (
    "Bylinskii, Isola, Bainbridge, Torralba and Oliva: Intrinsic and extrinsic effects on image memorability. "
    "Vision Research 116, 2015."
)
GROUND_TRUTH = "the first look of each viewer at a scene, the first fixation kept; viewers had to remember the scenes"
PARTS = {"Targets": "allImages_release.mat", "Fillers": "allImages_fillers.mat"}


def open_figrim(folder: Path) -> Dataset:
    """`figrim`: splits `all`, `mit300-style`, `rest`, and `targets` and `fillers`. DataError where it is not there."""
    images: dict[str, Path] = {}
    for part in PARTS:
        images |= {f"{part}/{file.parent.name}/{file.stem}": file for file in sorted((folder / part).glob("*/*.jpg"))}
    if not images or not any((folder / name).is_file() for name in PARTS.values()):
        raise DataError(
            f"{folder}: FIGRIM is not here; wanted: Targets, Fillers (images), {', '.join(PARTS.values())}. "
            "Name its folder with --data"
        )
    make = partial(_stimulus, folder, images)
    splits = eye_tracking_splits(list(images), make)
    for part in PARTS:
        chosen = [name for name in images if name.startswith(f"{part}/")]
        splits[part.lower()] = eye_tracking_splits(chosen, make)[ALL]
    return Dataset("figrim", "FIGRIM", splits, ALL, CITATION)


def _stimulus(folder: Path, images: dict[str, Path], name: str) -> Stimulus:
    part, category, _ = name.split("/", 2)
    source = partial(read_first_looks, folder / PARTS[part], images[name].name)
    return image_stimulus(name, images[name], source, category=category)


def read_first_looks(path: Path, file_name: str) -> Fixations:
    """The fixations of all viewers who saw the image of that file name for the first time. DataError where the file
    does not tell of it.
    """
    recorded = _read(path, path.stat().st_mtime_ns if path.is_file() else 0)
    if file_name not in recorded:
        raise DataError(f"{path}: has no image {file_name!r}; fetch it again")
    return recorded[file_name]


@lru_cache(maxsize=2)
def _read(path: Path, modified: int) -> dict[str, Fixations]:
    del modified  # part of the cache's key: a file that changed is read again
    records = variable(read_mat(path, "FIGRIM's fixations"), "allImages", path)
    try:
        return {str(record["filename"][0]): _fixations(record, path) for record in np.ravel(records)}
    except (KeyError, IndexError, TypeError, ValueError) as error:
        raise DataError(f"{path}: allImages is not as FIGRIM has it ({error}); fetch it again") from error


def _fixations(record: Any, path: Path) -> Fixations:
    parts = []
    for viewer, seen in enumerate(np.ravel(record["userdata"])):
        if np.size(seen["trial"]):
            points = points_of(seen["fixations"][0, 0]["enc"], 2, path, "the fixations of enc")
            parts.append(Fixations.of_one_viewer(points[:, 0], points[:, 1], str(viewer)))
    return Fixations.joined(parts)
