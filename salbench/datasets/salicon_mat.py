"""SALICON's editions of 2015 and 2017 as MATLAB files: crowd workers' mouse positions, and fixations inferred.

images/SPLIT/COCO_*.jpg      640 x 480; splits train, val and test
SPLIT/COCO_*.mat             gaze, an element a worker: location (mouse) and fixations, (n, 2) x, y from 1; or the same
                             below fixations/
maps/SPLIT/COCO_*.png        optional: the authors' continuous ground truth

The fixations of test are not public: it has images only. In the edition of 2017 mouse positions outside the image
occur; they are dropped as everywhere.
"""

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

import numpy as np

from salbench.datasets.dataset import Dataset
from salbench.datasets.image_stimulus import image_stimulus
from salbench.datasets.mat_files import points_of, read_mat, variable
from salbench.datasets.stimulus import Fixations, LazyStimuli, Stimulus
from salbench.errors import DataError

CITATION = "Jiang, Huang, Duan and Zhao: SALICON: Saliency in context. CVPR 2015."
GROUND_TRUTH = (
    "as published: fixations that the authors inferred from mouse traces, or the traces themselves; workers told apart"
)
RECORDED = ("train", "val")
FIELDS = {"fixations": "fixations", "mouse": "location"}
"""By what a data set's name ends with, the member of `gaze` that holds its positions."""


def open_edition(edition: str, kind: str, folder: Path) -> Dataset:
    """`salicon2015-fixations` and its like. `kind`: of FIELDS. DataError where images or recordings are missing."""
    splits: dict[str, Callable[[], Sequence[Stimulus]]] = {}
    recordings = {split: _recordings(folder, split) for split in RECORDED}
    for split in (*RECORDED, "test"):
        if (folder / "images" / split).is_dir() and (split == "test" or recordings[split] is not None):
            splits[split] = partial(_stimuli, folder, split, recordings.get(split), FIELDS[kind])
    if not any(split in splits for split in RECORDED):
        raise DataError(
            f"{folder}: SALICON {edition} is not here; wanted: images/train with train/*.mat, or the same of val. "
            "Name its folder with --data"
        )
    key, title = f"salicon{edition}-{kind}", f"SALICON ({edition}, {kind})"
    return Dataset(key, title, splits, "val" if "val" in splits else "train", CITATION)


def _recordings(folder: Path, split: str) -> Path | None:
    places = (folder / split, folder / "fixations" / split)
    return next((place for place in places if any(place.glob("*.mat"))), None)


def _stimuli(folder: Path, split: str, recordings: Path | None, field: str) -> Sequence[Stimulus]:
    names = tuple(sorted(path.stem for path in (folder / "images" / split).glob("*.jpg")))
    return LazyStimuli(len(names), partial(_stimulus, folder, split, recordings, field, names))


def _stimulus(
    folder: Path, split: str, recordings: Path | None, field: str, names: tuple[str, ...], place: int
) -> Stimulus:
    name = names[place]
    own_map = folder / "maps" / split / f"{name}.png"
    source = None if recordings is None else partial(read_gaze, recordings / f"{name}.mat", field)
    image = folder / "images" / split / f"{name}.jpg"
    return image_stimulus(name, image, source, own_map if own_map.is_file() else None)


def read_gaze(path: Path, field: str) -> Fixations:
    """All workers' positions on an image, one worker after the other. DataError for a file that is not as published."""
    gaze = np.ravel(variable(read_mat(path, "SALICON's gaze"), "gaze", path))
    try:
        values = [worker[field] for worker in gaze]
    except (KeyError, IndexError, TypeError, ValueError) as error:
        raise DataError(f"{path}: gaze has no member {field!r}; fetch it again") from error
    points = [points_of(one, 2, path, f"the positions of {field}") - 1 for one in values]
    return Fixations.joined(
        [Fixations.of_one_viewer(one[:, 0], one[:, 1], str(worker)) for worker, one in enumerate(points)]
    )
