"""The generic folder layout, which any user can produce.

images/NAME.jpg|png     the stimuli
fixations/NAME.csv      header `x,y`, optionally `viewer` and `t`; 0-based pixels, x to the right, y down
maps/NAME.png           optional: continuous ground truth, instead of the protocol's blur of the fixations
dataset.toml            optional: title, citation, pixels_per_degree
"""

import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from sys import intern
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from salbench.datasets.csv_table import read_table
from salbench.datasets.dataset import Dataset
from salbench.datasets.image_stimulus import image_stimulus, refused_stimulus, sized_stimulus
from salbench.datasets.stimulus import LONGEST_NAME, Fixations, LazyStimuli, Stimulus
from salbench.errors import DataError
from salbench.image_files import IMAGE_SUFFIXES, MAP_SUFFIXES, files_by_stem, image_size

if TYPE_CHECKING:
    import pandas as pd

ONLY_SPLIT = "all"
MOST_FACTS = 1 << 20
"""Bytes of a dataset.toml."""
LAYOUT_HELP = "wanted: images/NAME.jpg|png and fixations/NAME.csv with the header x,y (see `salbench data make-folder`)"


def open_folder(folder: Path) -> Dataset:
    """The data set in a folder of the generic layout. DataError where the folder has no `images` in it."""
    if not (folder / "images").is_dir():
        raise DataError(f"{folder}: no data set in the generic layout; {LAYOUT_HELP}")
    facts = _facts(folder / "dataset.toml")
    name = folder.resolve().name
    return Dataset(
        key=name,
        title=str(facts.get("title", name)),
        citation=str(facts.get("citation", "")),
        splits={ONLY_SPLIT: partial(_stimuli, folder)},
        default_split=ONLY_SPLIT,
    )


def image_folder(folder: Path) -> list[Stimulus]:
    """Stimuli without fixations: the images of a folder and those below it, in natural order.

    DataError where there is none.
    """
    return [image_stimulus(name, path) for name, path in _images(folder).items()]


def read_fixations(path: Path) -> Fixations:
    """The fixations of one CSV file, in its order. DataError, naming the file, where it is not as the layout says."""
    if not path.is_file():
        raise DataError(f"{path}: no such file; an image without fixations needs a file with the header x,y")
    table = read_table(path, dtype={"viewer": str})
    missing = [column for column in ("x", "y") if column not in table.columns]
    if missing:
        raise DataError(f"{path}: no column {' and '.join(missing)}; wanted: a header with x,y")
    x, y = (_numbers(table, column, path) for column in ("x", "y"))
    if "viewer" not in table.columns:
        return Fixations.of_one_viewer(x, y)
    viewers = table["viewer"]
    if viewers.isna().any():  # a viewer may have the initials NA, which pandas takes for nothing
        viewers = read_table(path, usecols=["viewer"], dtype=str, na_filter=False)["viewer"]
    if viewers.str.len().max() > LONGEST_NAME:
        raise DataError(f"{path}: has a viewer whose name is longer than {LONGEST_NAME} letters")
    return Fixations(x, y, np.array(viewers.tolist(), dtype=str))


def _numbers(table: "pd.DataFrame", column: str, path: Path) -> Any:
    import pandas as pd  # noqa: PLC0415 - heavy, and data sets of other kinds do without

    try:
        numbers = pd.to_numeric(table[column], errors="coerce")
    except OverflowError as error:  # a whole number of hundreds of digits
        raise DataError(f"{path}: {column} has a number that is too large ({error})") from error
    wrong = numbers.isna() & table[column].notna()
    if wrong.any():
        line = int(wrong.to_numpy().argmax())
        raise DataError(f"{path}: line {line + 2}: {column} is {table[column].iloc[line]!r}; wanted: a number")
    return numbers.to_numpy(dtype=float)


def _stimuli(folder: Path) -> Sequence[Stimulus]:
    return LazyStimuli(len(listing := _Listing.of(folder)), listing.stimulus)


@dataclass(frozen=True)
class _Listing:
    """The images of a data set, a few bytes each: names, file suffixes, sizes (0, 0 where `refused` has the reason)."""

    folder: Path
    names: list[str]
    suffixes: list[str]
    map_suffixes: dict[str, str]
    sizes: npt.NDArray[np.int32]
    refused: dict[int, str]

    @classmethod
    def of(cls, folder: Path) -> "_Listing":
        """What lies in a folder; of the images only the headers are read."""
        maps = files_by_stem(folder / "maps", MAP_SUFFIXES) if (folder / "maps").is_dir() else {}
        images = _images(folder / "images")
        sizes, refused = np.zeros((len(images), 2), np.int32), {}
        for place, path in enumerate(images.values()):
            try:
                sizes[place] = image_size(path)
            except DataError as error:
                refused[place] = str(error)
        suffixes = [intern(path.suffix) for path in images.values()]
        map_suffixes = {name: intern(path.suffix) for name, path in maps.items()}
        return cls(folder, list(images), suffixes, map_suffixes, sizes, refused)

    def __len__(self) -> int:
        return len(self.names)

    def stimulus(self, place: int) -> Stimulus:
        """The stimulus of one image."""
        name = self.names[place]
        if place in self.refused:
            return refused_stimulus(name, self.refused[place])
        height, width = self.sizes[place].tolist()
        return sized_stimulus(
            name,
            self.folder / "images" / f"{name}{self.suffixes[place]}",
            (height, width),
            partial(read_fixations, self.folder / "fixations" / f"{name}.csv"),
            self.folder / "maps" / f"{name}{self.map_suffixes[name]}" if name in self.map_suffixes else None,
        )


def _images(folder: Path) -> dict[str, Path]:
    images = files_by_stem(folder, IMAGE_SUFFIXES)
    if not images:
        raise DataError(f"{folder}: holds no image ({', '.join(sorted(IMAGE_SUFFIXES))})")
    return images


def _facts(path: Path) -> dict[str, Any]:
    if not path.is_file():
        return {}
    try:
        if path.stat().st_size > MOST_FACTS:
            raise DataError(f"{path}: has more than {MOST_FACTS:,} bytes; wanted: a few facts")
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise DataError(f"{path}: cannot be read as TOML ({error})") from error
