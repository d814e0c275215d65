"""CAT2000 (Borji and Itti 2015): 20 categories of 100 images of 1920x1080 for training, and as many without fixations.

trainSet/Stimuli/CATEGORY/001.jpg          the images; a folder Output in a category holds something else
trainSet/FIXATIONLOCS/CATEGORY/001.mat     fixLocs, (1080, 1920), 1 where any of 18 viewers fixated
testSet/Stimuli/CATEGORY/001.jpg

A stimulus is called CATEGORY/001. One image of the test set, Pattern/134, says of itself that it is turned, and is not.
"""

from functools import partial
from pathlib import Path

import numpy as np

from salbench.datasets.dataset import Dataset
from salbench.datasets.image_stimulus import image_stimulus
from salbench.datasets.mat_files import read_mat, variable
from salbench.datasets.splits import ALL, eye_tracking_splits
from salbench.datasets.stimulus import Fixations, LazyStimuli, Stimulus
from salbench.errors import DataError

CITATION = (
    "Borji and Itti: CAT2000: A large scale fixation dataset for boosting saliency research. CVPR workshop, 2015."
)
GROUND_TRUTH = (
    "18 viewers together, as the authors' maps of locations have them; the first fixation is in them (Borji "
    "and Itti 2015)"
)
NOT_TURNED = frozenset({"Pattern/134"})


def open_cat2000_train(folder: Path) -> Dataset:
    """`cat2000-train`: splits `all`, `mit300-style`, `rest`, and one per category."""
    root, names = _listed(folder, "trainSet")
    make = partial(_stimulus, root, True)
    splits = eye_tracking_splits(names, make)
    for category in dict.fromkeys(name.partition("/")[0] for name in names):
        chosen = tuple(name for name in names if name.startswith(f"{category}/"))
        splits[category] = partial(_lazy, chosen, root, True)
    return Dataset("cat2000-train", "CAT2000 (train)", splits, ALL, CITATION, scanpaths=False)


def open_cat2000_test(folder: Path) -> Dataset:
    """`cat2000-test`: the split `test`, images only."""
    root, names = _listed(folder, "testSet")
    return Dataset("cat2000-test", "CAT2000 (test)", {"test": partial(_lazy, names, root, False)}, "test", CITATION)


def _listed(folder: Path, part: str) -> tuple[Path, tuple[str, ...]]:
    """The part's folder, and the names CATEGORY/NUMBER of its images in order."""
    root = folder / part if (folder / part).is_dir() else folder
    files = sorted((root / "Stimuli").glob("*/*.jpg"))
    names = tuple(f"{file.parent.name}/{file.stem}" for file in files)
    if not names:
        raise DataError(f"{folder}: CAT2000 is not here; wanted: {part}/Stimuli/CATEGORY/001.jpg. Name it with --data")
    return root, names


def _lazy(names: tuple[str, ...], root: Path, recorded: bool) -> LazyStimuli:
    return LazyStimuli(len(names), partial(_at, names, root, recorded))


def _at(names: tuple[str, ...], root: Path, recorded: bool, place: int) -> Stimulus:
    return _stimulus(root, recorded, names[place])


def _stimulus(root: Path, recorded: bool, name: str) -> Stimulus:
    source = partial(read_locations, root / "FIXATIONLOCS" / f"{name}.mat") if recorded else None
    image = root / "Stimuli" / f"{name}.jpg"
    return image_stimulus(name, image, source, category=name.partition("/")[0], upright=name in NOT_TURNED)


def read_locations(path: Path) -> Fixations:
    """The fixated pixels of one image, of no viewer in particular. DataError for a file that is not as published."""
    locations = np.asarray(variable(read_mat(path, "CAT2000's fixation locations"), "fixLocs", path))
    if locations.ndim != 2 or locations.dtype.kind not in "buif":
        raise DataError(f"{path}: fixLocs has shape {locations.shape}; wanted: a map of zeros and ones")
    rows, columns = np.nonzero(locations)
    return Fixations.of_one_viewer(columns, rows, "all")
