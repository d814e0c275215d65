"""Data sets as pysaliency stores them: `stimuli.hdf5` and `fixations.hdf5` in one folder.

stimuli.hdf5     `Stimuli`, whose images are data sets "0", "1", ..., or `FileStimuli`: file names from this folder
fixations.hdf5   `Fixations`: x, y, the stimulus n and the subject of each; or `FixationTrains`: those of scanpaths, a
                 row each, filled up with NaN

Source: `to_hdf5` of pysaliency 0.2.22's datasets (Stimuli 1.0-1.1, FileStimuli 1.0-2.1, Fixations 1.0, FixationTrains
1.0-1.2). There a fixation at (x, y) belongs to pixel column floor(x), row floor(y), so half a pixel is taken off here.
A stimulus of a file is called by its path below the folder that all have in common, without suffix; one of an array by
its number.
"""

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from salbench.arrays import BoolArray, FloatArray, IntArray, RGBImage
from salbench.datasets.dataset import Dataset
from salbench.datasets.hdf5_files import own_array, survives
from salbench.datasets.image_stimulus import sized_stimulus
from salbench.datasets.stimulus import LONGEST_NAME, Fixations, LazyStimuli, Stimulus, viewer_name
from salbench.errors import DataError
from salbench.image_files import MAX_PIXELS

if TYPE_CHECKING:
    import h5py

STIMULI, FIXATIONS = "stimuli.hdf5", "fixations.hdf5"
MOST_NUMBERS = 1 << 26
"""Numbers in one array of fixations; more are no recording of people."""


def is_pysaliency(folder: Path) -> bool:
    """Whether a folder holds both files."""
    return (folder / STIMULI).is_file() and (folder / FIXATIONS).is_file()


def open_pysaliency(folder: Path) -> Dataset:
    """The data set of a folder, split `all`; its key is the folder's name.

    DataError, naming the file, where one is damaged or holds something else.
    """
    survives(_listing, folder / STIMULI)
    survives(_recorded, folder / FIXATIONS)
    listing = _listing(folder / STIMULI)
    recorded = _in_order(_recorded(folder / FIXATIONS), len(listing.names), folder / FIXATIONS)
    name = folder.resolve().name
    return Dataset(name, name, {"all": partial(_stimuli, listing, recorded)}, "all")


@dataclass(frozen=True, eq=False)
class _Listing:
    """The stimuli of a file. `files`: their images, None where those lie in the HDF5 file under their numbers."""

    path: Path
    names: tuple[str, ...]
    sizes: tuple[tuple[int, int], ...]
    files: tuple[Path, ...] | None


@dataclass(frozen=True, eq=False)
class _Recorded:
    """All fixations, those of a stimulus together and in order: `ends`, (n + 1,), says where each stimulus's begin."""

    every: Fixations
    ends: IntArray


def _stimuli(listing: _Listing, recorded: _Recorded) -> Sequence[Stimulus]:
    return LazyStimuli(len(listing.names), partial(_stimulus, listing, recorded))


def _stimulus(listing: _Listing, recorded: _Recorded, place: int) -> Stimulus:
    own = recorded.every.select(np.arange(recorded.ends[place], recorded.ends[place + 1]))
    source = partial(_given, own)
    name, size = listing.names[place], listing.sizes[place]
    if listing.files is None:
        return Stimulus(name, size, partial(_read_array, listing.path, name), source)
    return sized_stimulus(name, listing.files[place], size, source, None)


def _given(fixations: Fixations) -> Fixations:
    return fixations


def _read_array(path: Path, name: str) -> RGBImage:
    with _opened(path) as file:
        member = own_array(file, name, path)
        if member.dtype != np.uint8:
            raise DataError(f"{path}: image {name} has type {member.dtype}; wanted: uint8")
        values = np.asarray(member[()])
    if values.ndim == 2:
        values = np.repeat(values[:, :, None], 3, axis=2)
    return np.ascontiguousarray(values[:, :, :3])


def _listing(path: Path) -> _Listing:
    with _opened(path) as file:
        kind, count = _kind(file, path), _count(file, path)
        if kind == "Stimuli":
            if count > len(file):
                raise DataError(f"{path}: {count:,} stimuli, but {len(file):,} arrays")
            names = tuple(str(number) for number in range(count))
            sizes = tuple(_size(own_array(file, name, path).shape, path, name) for name in names)
            return _Listing(path, names, sizes, None)
        if kind != "FileStimuli":
            raise DataError(f"{path}: holds {kind}; wanted: Stimuli or FileStimuli")
        named = [_text(one) for one in _vector(file, "filenames", path)]
        shapes = _vector(file, "shapes", path)
        root = Path() if _text(file.attrs.get("version")) == "1.0" else path.parent
        if not len(named) == len(shapes) == count:
            raise DataError(f"{path}: {count} stimuli, but {len(named)} file names and {len(shapes)} shapes")
        files = tuple(Path(os.path.normpath((root / name).absolute())) for name in named)
        sizes = tuple(_size(shape, path, name) for shape, name in zip(shapes, named, strict=True))
        return _Listing(path, _names(files, path), sizes, files)


def _names(files: Sequence[Path], path: Path) -> tuple[str, ...]:
    """The stimuli's names: what tells the paths apart, without suffix."""
    folder = os.path.commonpath([file.parent for file in files])
    names = tuple(file.relative_to(folder).with_suffix("").as_posix() for file in files)
    if len(set(names)) < len(names):
        raise DataError(f"{path}: two stimuli have the same file name, {max(names, key=names.count)}")
    return names


def _recorded(path: Path) -> tuple[FloatArray, Fixations]:
    """Of every fixation the stimulus's place, and where it fell."""
    with _opened(path) as file:
        kind = _kind(file, path)
        if kind == "Fixations":
            x, y, places = (_numbers(file, name, path, 1) for name in ("x", "y", "n"))
            viewers = _subjects(file, "subjects" if "subjects" in file else "subject", path, len(x))
        elif kind == "FixationTrains":
            xs, ys = (_numbers(file, name, path, 2) for name in ("train_xs", "train_ys"))
            trains = _numbers(file, "train_ns", path, 1)
            subjects = _subjects(file, "train_subjects", path, len(trains))
            if not xs.shape == ys.shape or len(xs) != len(trains):
                raise DataError(f"{path}: train_xs, train_ys and train_ns differ in length")
            there: BoolArray = ~np.isnan(xs)
            x, y = xs[there], ys[there]
            lengths = there.sum(axis=1)
            places, viewers = np.repeat(trains, lengths), np.repeat(subjects, lengths)
        else:
            raise DataError(f"{path}: holds {kind}; wanted: Fixations or FixationTrains")
    if not len(x) == len(y) == len(places) == len(viewers):
        raise DataError(f"{path}: x, y, n and subjects differ in length")
    return places, Fixations(x - 0.5, y - 0.5, viewers)


def _in_order(recorded: tuple[FloatArray, Fixations], count: int, path: Path) -> _Recorded:
    places, every = recorded
    if len(places) and not (places.min() >= 0 and places.max() < count):
        raise DataError(f"{path}: names stimulus {places.max():g}, but there are {count}")
    order = np.argsort(places, kind="stable")
    ends = np.concatenate([[0], np.cumsum(np.bincount(places.astype(np.int64), minlength=count))])
    return _Recorded(every.select(order), ends.astype(np.int64))


def _subjects(file: "h5py.File", name: str, path: Path, count: int) -> npt.NDArray[np.str_]:
    if name not in file:
        return np.full(count, "1")
    names = [_text(one) if isinstance(one, bytes | str) else viewer_name(one) for one in _vector(file, name, path)]
    if max(map(len, names), default=0) > LONGEST_NAME:
        raise DataError(f"{path}: has a subject whose name is longer than {LONGEST_NAME} letters")
    return np.array(names, dtype=str)


def _numbers(file: "h5py.File", name: str, path: Path, dimensions: int) -> FloatArray:
    member = own_array(file, name, path)
    if member.ndim != dimensions or member.dtype.kind not in "iuf":
        raise DataError(f"{path}: {name} has shape {member.shape} and type {member.dtype}; wanted: numbers")
    if member.size > MOST_NUMBERS:
        raise DataError(f"{path}: {name} claims {member.size:,} numbers, which is no recording")
    return np.asarray(member[()], dtype=np.float64)


def _vector(file: "h5py.File", name: str, path: Path) -> npt.NDArray[Any]:
    member = own_array(file, name, path)
    if member.ndim != 1 or member.size > MOST_NUMBERS:
        raise DataError(f"{path}: {name} has shape {member.shape}; wanted: a list")
    return np.asarray(member[()])


def _size(shape: Any, path: Path, name: str) -> tuple[int, int]:
    """(height, width) of an image of that shape."""
    sides = tuple(int(side) for side in shape)
    fits = len(sides) == 2 or (len(sides) == 3 and sides[2] in (3, 4))
    if not fits or min(sides) < 1 or sides[0] * sides[1] > MAX_PIXELS:
        raise DataError(f"{path}: image {name} has shape {sides}; wanted: (H, W) or (H, W, 3)")
    return sides[0], sides[1]


def _kind(file: "h5py.File", path: Path) -> str:
    if "type" not in file.attrs:
        raise DataError(f"{path}: does not say what it holds; it is no file of pysaliency's")
    return _text(file.attrs["type"])


def _count(file: "h5py.File", path: Path) -> int:
    try:
        count = int(file.attrs["size"])
    except (KeyError, TypeError, ValueError) as error:
        raise DataError(f"{path}: does not say how many stimuli it holds") from error
    if not 0 < count <= MOST_NUMBERS:
        raise DataError(f"{path}: holds {count} stimuli")
    return count


def _text(value: Any) -> str:
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)


@contextmanager
def _opened(path: Path) -> "Iterator[h5py.File]":
    """The file; whatever goes wrong in the block is its fault."""
    import h5py  # noqa: PLC0415 - as above

    try:
        with h5py.File(path, "r") as file:
            yield file
    except DataError:
        raise
    except Exception as error:  # h5py raises errors of any kind for a damaged file
        raise DataError(f"{path}: cannot be read as a file of pysaliency's ({error})") from error
