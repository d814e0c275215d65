"""MIT1003 (Judd et al. 2009): 1,003 images whose longer side is 1,024, gaze of 15 viewers.

ALLSTIMULI/NAME.jpeg                    the images
DATA/VIEWER/NAME.mat                    gaze traces, 240 samples a second; the struct is named after the image
ALLFIXATIONMAPS/NAME_fixPts.jpg         where DATA is not there: all viewers' fixations as a picture

Fixations are found in the traces as the authors' code does; the first of each trace lies on the cross that is shown
before the image, and does not count unless told otherwise. That code takes a fixation at (x, y) for the pixel of column
floor(x) and row floor(y), counted from 1; a blink has negative coordinates and lies outside. Pictures of fixations are
JPEGs: a pixel counts from half of the brightest on, and the fixations then belong to no viewer.
"""

import math
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

import numpy as np

from salbench.datasets.dataset import Dataset
from salbench.datasets.gaze_events import find_fixations
from salbench.datasets.ground_truth import FixationRules
from salbench.datasets.image_stimulus import image_stimulus
from salbench.datasets.mat_files import points_of, read_mat
from salbench.datasets.splits import ALL, eye_tracking_splits, lazy_split
from salbench.datasets.stimulus import Fixations, Stimulus
from salbench.errors import DataError
from salbench.image_files import files_by_stem, natural_key, read_map

CITATION = "Judd, Ehinger, Durand and Torralba: Learning to predict where humans look. ICCV 2009."
GROUND_TRUTH = (
    "found in the gaze traces as the authors' code does, 15 viewers told apart; the first of each trace, on "
    "the cross before the image, is dropped (Judd et al. 2009). Without traces: the authors' pictures of "
    "fixations"
)
FOLDS = 10
WANTED = "wanted: ALLSTIMULI/*.jpeg with DATA/VIEWER/*.mat or ALLFIXATIONMAPS/*_fixPts.jpg"
MOST_FIXATED = 0.01
"""A picture with a greater share of fixated pixels shows something else, or was damaged by compression."""


def open_mit1003(folder: Path) -> Dataset:
    """`mit1003`. DataError where the images, or all that was recorded on them, are not there."""
    images = files_by_stem(folder / "ALLSTIMULI", frozenset({".jpeg"})) if (folder / "ALLSTIMULI").is_dir() else {}
    viewers = tuple(sorted(path.name for path in (folder / "DATA").glob("*/") if path.is_dir()))
    pictures = folder / "ALLFIXATIONMAPS"
    if not images or not (viewers or pictures.is_dir()):
        raise DataError(f"{folder}: MIT1003 is not here; {WANTED}. Name its folder with --data")
    make = partial(_stimulus, folder, viewers, images)
    splits = {**eye_tracking_splits(list(images), make), **_deepgaze_folds(images, make)}
    rules = FixationRules(first="dropped") if viewers else FixationRules()
    return Dataset("mit1003", "MIT1003", splits, ALL, CITATION, rules, scanpaths=bool(viewers))


def _deepgaze_folds(
    images: dict[str, Path], make: Callable[[str], Stimulus]
) -> dict[str, Callable[[], Sequence[Stimulus]]]:
    """The ten folds that DeepGaze II, IIE and III were trained on: `deepgaze-0-train`, `-val` and `-test` to `-9-`.

    Source: `pysaliency.filter_datasets.crossval_split` (0.2.22), which their published training code calls with ten
    folds: file names in natural order, shuffled by NumPy's RandomState(42), cut into ten pieces of equal size, rounded
    up; fold k is the test piece, the one before it validates.
    """
    places = list(range(len(images)))
    np.random.RandomState(42).shuffle(places)  # the generator that made the folds of the literature
    names = sorted(images, key=lambda name: natural_key(images[name].name))
    size = math.ceil(len(names) / FOLDS)
    pieces = [[names[place] for place in places[start : start + size]] for start in range(0, len(names), size)]
    if len(pieces) < FOLDS:
        return {}
    splits: dict[str, Callable[[], Sequence[Stimulus]]] = {}
    for number, test in enumerate(pieces):
        val = pieces[number - 1]
        left_out = {*test, *val}
        parts = {"train": [name for name in names if name not in left_out], "val": val, "test": test}
        splits |= {f"deepgaze-{number}-{part}": lazy_split(chosen, make) for part, chosen in parts.items()}
    return splits


def _stimulus(folder: Path, viewers: tuple[str, ...], images: dict[str, Path], name: str) -> Stimulus:
    if viewers:
        return image_stimulus(name, images[name], partial(read_traces, folder / "DATA", viewers, name))
    picture = folder / "ALLFIXATIONMAPS" / f"{name}_fixPts.jpg"
    return image_stimulus(name, images[name], partial(read_points, picture))


def read_traces(data: Path, viewers: tuple[str, ...], name: str) -> Fixations:
    """The fixations of all viewers on an image. DataError for a file that is not as published."""
    return Fixations.joined([_of_viewer(data / viewer / f"{name}.mat", viewer) for viewer in viewers])


def _of_viewer(path: Path, viewer: str) -> Fixations:
    content = read_mat(path, "a gaze trace of MIT1003")
    if len(content) != 1:
        raise DataError(f"{path}: holds {len(content)} variables; wanted: one, named after its image")
    (record,) = content.values()
    try:
        trace = record["DATA"][0, 0]["eyeData"][0, 0]
    except (KeyError, IndexError, TypeError, ValueError) as error:
        raise DataError(f"{path}: has no DATA.eyeData; fetch it again") from error
    samples = points_of(trace, 2, path, "the samples of eyeData")
    if np.isinf(samples).any():
        raise DataError(f"{path}: has samples at infinity; fetch it again")
    found = find_fixations(samples[:, 0], samples[:, 1])
    # 1.5: from MATLAB's pixel, counted from 1 and cut off, to the middle of pixel 0, rounded.
    xs, ys = ([getattr(one, axis) - 1.5 for one in found] for axis in ("x", "y"))
    return Fixations.of_one_viewer(xs, ys, viewer)


def read_points(path: Path) -> Fixations:
    """The fixations of a picture. DataError where it is missing, or more of it is bright than fixations can be."""
    values = np.asarray(read_map(path), dtype=np.float64)
    rows, columns = np.nonzero(values >= values.max() / 2) if values.max() > 0 else (np.zeros(0), np.zeros(0))
    if len(rows) > MOST_FIXATED * values.size:
        raise DataError(f"{path}: {len(rows):,} of its pixels are bright, which is no picture of fixations")
    return Fixations.of_one_viewer(columns, rows, "all")
