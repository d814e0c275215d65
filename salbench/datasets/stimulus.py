"""What every data set is made of: a stimulus with its image and its fixations, kept apart by viewer."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, overload

import numpy as np
import numpy.typing as npt

from salbench.arrays import BoolArray, FloatArray, IntArray, RGBImage, SaliencyMap
from salbench.errors import DataError

LONGEST_NAME = 200
"""Letters of a viewer's name: arrays give each fixation as much room as the longest name takes."""


def viewer_name(number: float) -> str:
    """The name of a viewer whom a file or an array knows by a number: two numbers never share one."""
    return str(int(number)) if float(number).is_integer() else repr(float(number))


@dataclass(frozen=True, eq=False)
class Fixations:
    """Fixations of one stimulus in the order of recording.

    `x`, `y`: (n,) float64, pixels, 0-based, x to the right and y down, a whole number being the middle of a pixel.
    `viewer`: (n,) whose equal entries belong to one viewer.
    """

    x: FloatArray
    y: FloatArray
    viewer: npt.NDArray[Any]

    def __post_init__(self) -> None:
        if not len(self.x) == len(self.y) == len(self.viewer):
            raise ValueError(f"x, y and viewer differ in length: {len(self.x)}, {len(self.y)}, {len(self.viewer)}")

    def __len__(self) -> int:
        return len(self.x)

    @property
    def columns(self) -> IntArray:
        """Pixel column of each fixation: x rounded, halves up."""
        return np.floor(self.x + 0.5).astype(np.int64)

    @property
    def rows(self) -> IntArray:
        """Pixel row of each fixation: y rounded, halves up."""
        return np.floor(self.y + 0.5).astype(np.int64)

    @property
    def positions(self) -> IntArray:
        """(n, 2): pixel row and column of each fixation."""
        return np.column_stack([self.rows, self.columns])

    def select(self, keep: npt.NDArray[Any]) -> "Fixations":
        """The fixations that a boolean mask or an index array picks."""
        return Fixations(self.x[keep], self.y[keep], self.viewer[keep])

    def within(self, size: tuple[int, int]) -> "Fixations":
        """The fixations whose pixel lies inside a frame of (height, width); others, and NaN, are left out."""
        height, width = size
        inside = (self.x >= -0.5) & (self.x < width - 0.5) & (self.y >= -0.5) & (self.y < height - 0.5)
        return self.select(inside)

    def by_viewer(self) -> "dict[str, Fixations]":
        """The fixations of each viewer, viewers in the order of their first fixation."""
        names, first = np.unique(self.viewer, return_index=True)
        ordered = names[np.argsort(first)]
        return {str(name): self.select(self.viewer == name) for name in ordered}

    def without(self, viewer: str) -> "Fixations":
        """The fixations of all viewers but one."""
        return self.select(self.viewer.astype(str) != viewer)

    def as_map(self, size: tuple[int, int]) -> BoolArray:
        """The fixation map: (height, width) bool, True at every pixel with a fixation. All must lie inside."""
        return self.map_of(self.positions, size)

    @staticmethod
    def map_of(positions: IntArray, size: tuple[int, int]) -> BoolArray:
        """The same of (n, 2) positions [row, column]."""
        fixation_map = np.zeros(size, dtype=np.bool_)
        fixation_map[positions[:, 0], positions[:, 1]] = True
        return fixation_map

    @classmethod
    def of_one_viewer(cls, x: npt.ArrayLike, y: npt.ArrayLike, viewer: str = "1") -> "Fixations":
        """Fixations of a single, or an unknown, viewer."""
        xs = np.asarray(x, dtype=np.float64).ravel()
        return cls(xs, np.asarray(y, dtype=np.float64).ravel(), np.full(len(xs), viewer))

    @classmethod
    def joined(cls, parts: "Sequence[Fixations]") -> "Fixations":
        """All fixations of several records, one after the other."""
        if not parts:
            return cls.of_one_viewer([], [])
        return cls(
            np.concatenate([part.x for part in parts]),
            np.concatenate([part.y for part in parts]),
            np.concatenate([part.viewer.astype(str) for part in parts]),
        )


@dataclass(frozen=True, eq=False)
class Stimulus:
    """One image of a data set and what was recorded on it. Nothing is read before it is asked for.

    `id`: unique in its data set; predictions are found under this name.
    `size`: (height, width) of the image in pixels.
    The sources are functions without arguments; they must pickle, since stimuli travel to worker processes.
    `map_source` is given only where the data set has its own continuous ground-truth maps.
    `image_file`, `map_file`: the files behind them, where there are any, so that a run can record their check sums.
    `category`: what its data set sorts it under; empty where it does not.
    """

    id: str
    size: tuple[int, int]
    image_source: Callable[[], RGBImage]
    fixation_source: Callable[[], Fixations] | None = None
    map_source: Callable[[], SaliencyMap] | None = None
    image_file: Path | None = None
    map_file: Path | None = None
    category: str = ""

    def __post_init__(self) -> None:
        """DataError for an id that is no path below a folder: maps and pictures are written under it."""
        if (":" in self.id or ".." in self.id or self.id[:1] in ("/", "\\")) and _leaves_its_folder(self.id):
            raise DataError(f"stimulus {self.id!r}: its name would lead out of a folder; rename it")

    def image(self) -> RGBImage:
        """The image: (height, width, 3) uint8, RGB."""
        return self.image_source()

    def recorded_fixations(self) -> Fixations:
        """Every fixation as recorded, those outside the frame included; empty where a data set has none."""
        if self.fixation_source is None:
            return Fixations.of_one_viewer([], [])
        return self.fixation_source()

    def fixations(self) -> Fixations:
        """The fixations inside the frame: those outside are dropped, never clamped."""
        return self.recorded_fixations().within(self.size)

    def fixation_map(self) -> BoolArray:
        """(height, width) bool, True where at least one fixation fell."""
        return self.fixations().as_map(self.size)


def _leaves_its_folder(name: str) -> bool:
    path = Path(name)
    return bool(path.anchor) or ".." in path.parts


class LazyStimuli(Sequence[Stimulus]):
    """Stimuli that are made each time they are looked at, so that a large split costs little memory.

    Two of them are one where their ids are the same.
    """

    def __init__(self, count: int, make: Callable[[int], Stimulus]) -> None:
        """`make`: from a place in the split, 0 to count - 1, to its stimulus."""
        self._places = range(count)
        self._make = make

    def __len__(self) -> int:
        return len(self._places)

    @overload
    def __getitem__(self, place: int) -> Stimulus: ...

    @overload
    def __getitem__(self, place: slice) -> list[Stimulus]: ...

    def __getitem__(self, place: int | slice) -> Stimulus | list[Stimulus]:
        if isinstance(place, slice):
            return [self._make(one) for one in self._places[place]]
        return self._make(self._places[place])

    def __contains__(self, stimulus: object) -> bool:
        return isinstance(stimulus, Stimulus) and any(one.id == stimulus.id for one in self)

    def index(self, stimulus: Stimulus, start: int = 0, stop: int | None = None) -> int:
        """The place of a stimulus. ValueError where it is not in the split."""
        for place in self._places[start:stop]:
            if self._make(place).id == stimulus.id:
                return place
        raise ValueError(f"{stimulus.id!r} is not in the split")
