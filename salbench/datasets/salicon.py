"""SALICON's challenge data of 2014/2015: COCO images of 640 x 480, crowd workers' mouse positions, in COCO-like JSON.

fixations_train2014*.json, fixations_val2014*.json   an object with `images` and `annotations`, one a worker and image
images/train/, images/val/, or images/               the images, under the annotations' `file_name`

Positions are 1-based [row, column], in time order. Files beside these that hold a list are results of the challenge.
"""

import json
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path, PurePosixPath
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from salbench.datasets.dataset import Dataset
from salbench.datasets.image_stimulus import image_stimulus, refused_stimulus
from salbench.datasets.stimulus import LONGEST_NAME, Fixations, Stimulus
from salbench.errors import DataError

CITATION = "Jiang, Huang, Duan and Zhao: SALICON: Saliency in context. CVPR 2015."
GROUND_TRUTH = "the challenge's mouse positions, workers told apart, repeats kept (protocol salicon2015)"
SPLITS = ("train", "val")
WANTED = "wanted: fixations_train2014*.json or fixations_val2014*.json, a JSON object with images and annotations"
MAX_BYTES = 4 << 30
LONGEST_FILE_NAME = 255
"""Bytes, as file systems have it."""
LARGEST_POSITION = 32767
"""Positions are kept in 16 bits: all workers' positions on 10,000 images have to fit into memory."""


class Record(NamedTuple):
    """One worker's positions on one image: (n, 2) int16 [row, column], 1-based."""

    worker: str
    positions: npt.NDArray[np.int16]


@dataclass(frozen=True)
class ImageEntry:
    """One image of an annotation file; `size`: (height, width) where the file tells."""

    number: int
    file_name: str
    size: tuple[int, int] | None


class _Annotation(NamedTuple):
    """An annotation with its positions in 16 bits; `place` names it in messages."""

    place: str
    image_id: Any
    worker_id: Any
    positions: npt.NDArray[np.int16]


def open_salicon2015(folder: Path) -> Dataset:
    """`salicon2015`: nothing but file names is read before a split is asked for. DataError where none is there."""
    if not any(_candidates(folder, split) for split in SPLITS):
        raise DataError(f"{folder}: SALICON is not here; {WANTED}. Name its folder with --data")
    splits: dict[str, Callable[[], Sequence[Stimulus]]] = {split: partial(_stimuli, folder, split) for split in SPLITS}
    return Dataset(key="salicon2015", title="SALICON (2015)", splits=splits, default_split="val", citation=CITATION)


def read_annotations(path: Path) -> tuple[list[ImageEntry], dict[int, list[Record]]] | None:
    """The images of an annotation file, and their workers' records by image id, both in the file's order.

    None for a file that holds a JSON list: a result file. Raises DataError, naming file and place, for anything else
    that is not as the format says.
    """
    content = _json(path)
    if isinstance(content, list):
        return None
    if not isinstance(content, dict) or not all(isinstance(content.get(k), list) for k in ("images", "annotations")):
        raise DataError(f"{path}: {WANTED}")
    images = [_image_entry(entry, f"{path}: images[{index}]") for index, entry in enumerate(content["images"])]
    _check_unique([image.number for image in images], path, "image id")
    _check_unique([PurePosixPath(image.file_name).stem for image in images], path, "image name")
    records: dict[int, list[Record]] = {image.number: [] for image in images}
    for index, annotation in enumerate(content["annotations"]):
        _file_record(annotation, records, f"{path}: annotations[{index}]")
    return images, records


def _candidates(folder: Path, split: str) -> list[Path]:
    return sorted(path for path in folder.glob(f"fixations_{split}2014*.json") if path.is_file())


def _stimuli(folder: Path, split: str) -> list[Stimulus]:
    path, (images, records) = _only_annotations(folder, split)
    return [_stimulus(folder, split, image, records[image.number], path) for image in images]


def _only_annotations(folder: Path, split: str) -> tuple[Path, tuple[list[ImageEntry], dict[int, list[Record]]]]:
    read = ((path, read_annotations(path)) for path in _candidates(folder, split))
    found = [(path, content) for path, content in read if content is not None]
    if not found:
        raise DataError(f"{folder}: no annotations of the split {split}; {WANTED}")
    if len(found) > 1:
        names = " and ".join(path.name for path, _ in found)
        raise DataError(f"{folder}: {names} both hold annotations of the split {split}; leave one of them there")
    return found[0]


def _stimulus(folder: Path, split: str, image: ImageEntry, records: list[Record], annotations: Path) -> Stimulus:
    name = PurePosixPath(image.file_name).stem
    places = (folder / "images" / split / image.file_name, folder / "images" / image.file_name)
    path = next((place for place in places if place.is_file()), places[0])
    stimulus = image_stimulus(name, path, partial(_fixations, tuple(records)))
    if image.size is not None and stimulus.image_file is not None and stimulus.size != image.size:
        return refused_stimulus(
            name, f"{path}: is {stimulus.size} (height, width); wanted: {image.size}, as {annotations} says"
        )
    return stimulus


def _fixations(records: tuple[Record, ...]) -> Fixations:
    """All workers' positions, 0-based, one worker after the other."""
    parts = [
        Fixations.of_one_viewer(positions[:, 1] - 1.0, positions[:, 0] - 1.0, viewer=worker)
        for worker, positions in records
    ]
    return Fixations.joined(parts)


def _json(path: Path) -> Any:
    try:
        size = path.stat().st_size
        if size > MAX_BYTES:
            raise DataError(f"{path}: {size:,} bytes; at most {MAX_BYTES:,} are read")
        return json.loads(path.read_bytes(), object_hook=partial(_compacted, path))
    except (OSError, ValueError, RecursionError) as error:
        raise DataError(f"{path}: cannot be read as JSON ({error}); fetch it again") from error


def _compacted(path: Path, entry: dict[str, Any]) -> Any:
    """Puts an annotation's positions into an array as soon as it is parsed: as lists they would fill the memory."""
    if "fixations" not in entry:
        return entry
    place = f"{path}: annotation {str(entry.get('id'))[:40]}"
    return _Annotation(place, entry.get("image_id"), entry.get("worker_id"), _positions(entry["fixations"], place))


def _positions(fixations: Any, place: str) -> npt.NDArray[np.int16]:
    wanted = f"wanted: a list of [row, column], whole numbers counted from 1, at most {LARGEST_POSITION}"
    try:
        values = np.array(fixations if fixations != [] else np.zeros((0, 2), dtype=np.int64))
    except (ValueError, OverflowError) as error:
        raise DataError(f"{place}: fixations are no pairs; {wanted}") from error
    if values.ndim != 2 or values.shape[1] != 2 or values.dtype.kind != "i":
        raise DataError(f"{place}: fixations have shape {values.shape} and type {values.dtype}; {wanted}")
    if values.min(initial=0) < -LARGEST_POSITION or values.max(initial=0) > LARGEST_POSITION:
        raise DataError(f"{place}: fixations lie beyond {LARGEST_POSITION}; {wanted}")
    return values.astype(np.int16)


def _file_record(annotation: Any, records: Mapping[int, list[Record]], place: str) -> None:
    """Put an annotation to its image's records."""
    if not isinstance(annotation, _Annotation):
        raise DataError(f"{place}: wanted: an object with image_id, worker_id and fixations")
    if not _is_whole(annotation.image_id) or annotation.image_id not in records:
        raise DataError(f"{annotation.place}: image_id {str(annotation.image_id)[:40]!r} is not among the images")
    if not _is_whole(annotation.worker_id) and not isinstance(annotation.worker_id, str):
        raise DataError(
            f"{annotation.place}: worker_id is {str(annotation.worker_id)[:40]!r}; wanted: a number or text"
        )
    worker = str(annotation.worker_id)
    if len(worker) > LONGEST_NAME:
        raise DataError(f"{annotation.place}: worker_id has {len(worker):,} letters; wanted: at most {LONGEST_NAME}")
    records[annotation.image_id].append(Record(worker, annotation.positions))


def _image_entry(entry: Any, place: str) -> ImageEntry:
    if not isinstance(entry, dict) or not _is_whole(entry.get("id")):
        raise DataError(f"{place}: wanted: an object with id, a whole number, and file_name")
    name = entry.get("file_name")
    if not isinstance(name, str) or not _is_plain_name(name):
        raise DataError(f"{place}: file_name is {str(name)[:80]!r}; wanted: the name of a file, without folders")
    height, width = entry.get("height"), entry.get("width")
    if height is None and width is None:
        return ImageEntry(entry["id"], name, None)
    if not isinstance(height, int) or not isinstance(width, int):
        raise DataError(f"{place}: height and width are {str((height, width))[:80]}; wanted: whole numbers")
    return ImageEntry(entry["id"], name, (height, width))


def _is_whole(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _is_plain_name(name: str) -> bool:
    """Whether a name can only mean a file in the images' folder, on any system."""
    if len(name.encode("utf-8", "replace")) > LONGEST_FILE_NAME:
        return False
    return name.isprintable() and not name.startswith(".") and not set(name) & set('/\\:*?"<>|') and name != ""


def _check_unique(values: list[Any], path: Path, what: str) -> None:
    twice = [value for value, count in Counter(values).items() if count > 1]
    if twice:
        raise DataError(f"{path}: the {what} {twice[0]!r} occurs more than once")
