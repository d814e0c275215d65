"""A stimulus whose image is a file. One that cannot be read stays in the list and tells so when it is used."""

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import NoReturn

from salbench.arrays import SaliencyMap
from salbench.datasets.stimulus import Fixations, Stimulus
from salbench.errors import DataError
from salbench.image_files import image_size, read_image, read_map


def image_stimulus(
    name: str,
    path: Path,
    fixation_source: Callable[[], Fixations] | None = None,
    map_file: Path | None = None,
    *,
    category: str = "",
    upright: bool = False,
) -> Stimulus:
    """The stimulus of an image file; only its header is read now. `map_file`: its own continuous ground truth.
    `upright`: that the image is stored as it is to be seen, whatever its EXIF orientation says.

    An unreadable file costs no other stimulus its result: every source of its stimulus raises the DataError, and its
    size is (1, 1), which nobody comes to see.
    """
    try:
        size = image_size(path, turn=not upright)
    except DataError as error:
        return refused_stimulus(name, str(error))
    made = sized_stimulus(name, path, size, fixation_source, map_file)
    image_source = partial(read_image, path, turn=False) if upright else made.image_source
    return replace(made, category=category, image_source=image_source)


def sized_stimulus(
    name: str,
    path: Path,
    size: tuple[int, int],
    fixation_source: Callable[[], Fixations] | None,
    map_file: Path | None,
) -> Stimulus:
    """The same for an image whose (height, width) is known: nothing is read."""
    own_map = partial(_read_sized_map, map_file, size) if map_file is not None else None
    return Stimulus(name, size, partial(read_image, path), fixation_source, own_map, path, map_file)


def refused_stimulus(name: str, text: str) -> Stimulus:
    """A stimulus that cannot be used: each of its sources raises a DataError with this text."""
    refuse = partial(_refuse, text)
    return Stimulus(name, (1, 1), refuse, refuse)


def _read_sized_map(path: Path, size: tuple[int, int]) -> SaliencyMap:
    values = read_map(path)
    if values.shape != size:
        raise DataError(f"{path}: has shape {values.shape}; wanted: that of its image, {size}")
    return values


def _refuse(text: str) -> NoReturn:
    raise DataError(text)
