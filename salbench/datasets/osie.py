"""OSIE (Xu et al. 2014): 700 images of 800 x 600, eye fixations of 15 viewers, and mouse traces of the same images.

On disk as in the public repository NUS-VIP/predicting-human-gaze-beyond-pixels: `data/stimuli`, `data/eye`,
`data/mouse_amt`, `data/mouse_lab`. Eye positions are 1-based (x, y); mouse samples are 1-based (row, column).
"""

import hashlib
from collections.abc import Callable
from functools import lru_cache, partial
from pathlib import Path
from typing import Any

import numpy as np

from salbench.array_cache import open_cache
from salbench.arrays import FloatArray, IntArray
from salbench.datasets.dataset import Dataset
from salbench.datasets.image_stimulus import image_stimulus
from salbench.datasets.mat_files import read_mat
from salbench.datasets.stimulus import Fixations, Stimulus
from salbench.errors import DataError

CITATION = "Xu, Jiang, Wang, Kankanhalli and Zhao: Predicting human gaze beyond pixels. Journal of Vision 14(1), 2014."
GROUND_TRUTH = (
    "eye: as published, 15 viewers told apart, the first fixation kept. Mouse: samples from the first that is "
    "more than 24 px from where the cursor began"
)
IMAGE_NUMBERS = range(1001, 1701)
"""The images by name. The split is cut from these, not from what lies there: a missing file must not shift it."""
TRAIN_COUNT, VAL_COUNT = 350, 50
STILL_RADIUS = 24.0
"""Pixels, about one degree: a participant's samples count from the first that is farther from where it began."""


def open_eye(folder: Path) -> Dataset:
    """`osie-eye`: the fixations of 15 viewers."""
    root = _root(folder, "eye")
    return _dataset("osie-eye", "OSIE (eye)", root, partial(_eye_sources, root / "eye" / "fixations.mat"))


def open_mouse_amt(folder: Path) -> Dataset:
    """`osie-mouse-amt`: crowd workers' mouse traces, treated as SALICON treats them."""
    root = _root(folder, "mouse_amt")
    return _dataset("osie-mouse-amt", "OSIE (mouse, crowd)", root, partial(_mouse_sources, root / "mouse_amt"))


def open_mouse_lab(folder: Path) -> Dataset:
    """`osie-mouse-lab`: mouse traces recorded in the laboratory."""
    root = _root(folder, "mouse_lab")
    return _dataset("osie-mouse-lab", "OSIE (mouse, laboratory)", root, partial(_mouse_sources, root / "mouse_lab"))


def split_names(names: list[str]) -> dict[str, list[str]]:
    """The fixed split: file names in ascending order of the SHA-256 of the name; 350 train, 50 val, the rest test."""
    shuffled = sorted(names, key=lambda name: hashlib.sha256(name.encode()).hexdigest())
    held_out = TRAIN_COUNT + VAL_COUNT
    return {
        "train": shuffled[:TRAIN_COUNT],
        "val": shuffled[TRAIN_COUNT:held_out],
        "test": shuffled[held_out:],
        "all": sorted(names),
    }


def read_eye_fixations(path: Path) -> dict[str, Fixations]:
    """All fixations of `eye/fixations.mat`, by image file name. DataError where the file is not as published.

    Parsing MATLAB's thousands of cells takes longer than all else that starts a run, so it is done once per machine.
    """
    try:
        with path.open("rb") as file:
            content = hashlib.file_digest(file, "sha256")
    except OSError as error:
        raise DataError(f"{path}: cannot be read as OSIE's eye fixations ({error}); fetch it again") from error
    content.update(b"rows of image, viewer, x, y")
    rows = open_cache().get(content.hexdigest(), partial(_parsed_eye_fixations, path))
    starts = np.flatnonzero(np.diff(rows[:, 0], prepend=-1))
    return {f"{part[0, 0]:.0f}.jpg": _eye_record(part) for part in np.split(rows, starts[1:]) if len(part)}


def _eye_record(rows: FloatArray) -> Fixations:
    rows = rows[rows[:, 1] > 0]
    return Fixations(rows[:, 2], rows[:, 3], rows[:, 1].astype(np.int64).astype(str))


def _parsed_eye_fixations(path: Path) -> FloatArray:
    """(n, 4): image number, viewer, x and y, 0-based, of every fixation."""
    try:
        records = read_mat(path, "OSIE's eye fixations")["fixations"].ravel()
        return np.concatenate([_rows_of(record[0, 0]) for record in records])
    except DataError:
        raise
    except Exception as error:  # what was not published may be nested in any other way
        raise DataError(f"{path}: cannot be read as OSIE's eye fixations ({error}); fetch it again") from error


def read_mouse_samples(path: Path) -> Fixations:
    """The mouse samples of one image that count as looked-at positions.

    A participant's samples are dropped until the cursor is first more than 24 px from that participant's first sample.
    DataError where the file is not as published.
    """
    try:
        record = read_mat(path, "OSIE's mouse samples")["fixations"][0, 0]
        participant = record["subj"].ravel()
        position = record["coord"].astype(np.float64) - 1
        in_order = np.lexsort((record["order"].ravel(), participant))
        participant, position = participant[in_order], position[in_order]
        kept = np.concatenate([np.zeros(0, dtype=np.int64), *(_moved(position, rows) for rows in _runs(participant))])
        return Fixations(position[kept, 1], position[kept, 0], participant[kept].astype(str))
    except DataError:
        raise
    except Exception as error:  # as above
        raise DataError(f"{path}: cannot be read as OSIE's mouse samples ({error}); fetch it again") from error


def _runs(participant: Any) -> list[IntArray]:
    """The row numbers of each participant, rows being sorted by participant."""
    starts = np.flatnonzero(np.diff(participant.astype(np.int64))) + 1
    return [rows for rows in np.split(np.arange(len(participant)), starts) if rows.size]


def _moved(position: Any, rows: IntArray) -> IntArray:
    """The rows from the first that lies farther than the still radius from the first of all."""
    distance = np.hypot(*(position[rows] - position[rows[0]]).T)
    far = np.flatnonzero(distance > STILL_RADIUS)
    return rows[far[0] :] if far.size else rows[:0]


def _rows_of(record: Any) -> FloatArray:
    """One image's rows; the first, of viewer 0, tells of the image itself."""
    image = float(Path(str(record["img"][0])).stem)
    parts = [np.array([[image, 0.0, 0.0, 0.0]])]
    for number, cell in enumerate(record["subjects"].ravel()):
        # Cells differ in their integer types: cast before arithmetic, or it wraps.
        x, y = (cell[0, 0][axis].ravel().astype(np.float64) - 1 for axis in ("fix_x", "fix_y"))
        parts.append(np.column_stack([np.full(len(x), image), np.full(len(x), number + 1.0), x, y]))
    return np.concatenate(parts)


def _root(folder: Path, needed: str) -> Path:
    for root in (folder / "data", folder):
        if (root / "stimuli").is_dir() and (root / needed).exists():
            return root
    raise DataError(
        f"{folder}: OSIE is not here; wanted: data/stimuli and data/{needed} as in the public repository "
        "NUS-VIP/predicting-human-gaze-beyond-pixels. Name its folder with --data"
    )


FixationSources = Callable[[list[str]], dict[str, Callable[[], Fixations]]]


def _dataset(key: str, title: str, root: Path, sources: FixationSources) -> Dataset:
    splits = {name: partial(_stimuli, root, sources, name) for name in ("train", "val", "test", "all")}
    return Dataset(key=key, title=title, splits=splits, default_split="test", citation=CITATION)


def _stimuli(root: Path, sources: FixationSources, split: str) -> list[Stimulus]:
    names = split_names([f"{number}.jpg" for number in IMAGE_NUMBERS])[split]
    fixation_source = sources(names)
    return [image_stimulus(Path(name).stem, root / "stimuli" / name, fixation_source[name]) for name in names]


def _eye_sources(path: Path, names: list[str]) -> dict[str, Callable[[], Fixations]]:
    recorded = _cached_eye_fixations(path, path.stat().st_mtime_ns)
    return {name: partial(_given, recorded.get(name), name, path) for name in names}


@lru_cache(maxsize=1)
def _cached_eye_fixations(path: Path, modified: int) -> dict[str, Fixations]:
    del modified  # part of the cache's key: a file that changed is read again
    return read_eye_fixations(path)


def _mouse_sources(folder: Path, names: list[str]) -> dict[str, Callable[[], Fixations]]:
    return {name: partial(read_mouse_samples, folder / f"{Path(name).stem}.mat") for name in names}


def _given(fixations: Fixations | None, name: str, path: Path) -> Fixations:
    if fixations is None:
        raise DataError(f"{path}: has no fixations for {name}; fetch it again")
    return fixations
