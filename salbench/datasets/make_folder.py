"""Any table of fixations, together with its images, made into a data set of the generic layout."""

import shutil
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from salbench.datasets.csv_table import read_table
from salbench.datasets.stimulus import Fixations
from salbench.errors import DataError, UsageError
from salbench.image_files import IMAGE_SUFFIXES, files_by_stem, image_size
from salbench.paths import PathLike

COLUMNS = ("image", "x", "y", "viewer", "t")


@dataclass(frozen=True)
class MadeFolder:
    """What was made, in numbers."""

    images: int
    fixations: int
    outside: int
    without_fixations: int

    def __str__(self) -> str:
        text = f"{self.images} images, {self.fixations:,} fixations"
        if self.outside:
            text += f" ({self.outside:,} outside the frame: kept in the files, left out by scoring)"
        if self.without_fixations:
            text += f", {self.without_fixations} images without fixations"
        return text


def make_folder(
    images: PathLike,
    table: PathLike,
    out: PathLike,
    *,
    rename: Mapping[str, str] | None = None,
    one_based: bool = False,
) -> MadeFolder:
    """Make a data set in the generic layout.

    `table`: a CSV file with a row per fixation and the columns image (a file name, with or without suffix), x, y and
    optionally viewer and t. `rename` maps the table's own column names to these. `one_based`: its pixels count from 1.
    `out` must not exist yet, or be empty; it appears only when everything is in it.
    Raises DataError for a table that does not fit the images, UsageError for columns that are not there.
    """
    images, table, out = Path(images), Path(table), Path(out)
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise DataError(f"{out}: exists and is not empty; name another folder or remove it")
    files = files_by_stem(images, IMAGE_SUFFIXES)
    if not files:
        raise DataError(f"{images}: holds no image ({', '.join(sorted(IMAGE_SUFFIXES))})")
    fixations = _read_table(table, rename or {}, one_based)
    stems = _stems(fixations["image"], files, table, images)
    out.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f".{out.name}.", dir=out.parent) as scratch:
        made = _fill(Path(scratch) / "made", files, fixations.drop(columns="image"), stems)
        if out.exists():
            out.rmdir()
        (Path(scratch) / "made").rename(out)
    return made


def _read_table(path: Path, rename: Mapping[str, str], one_based: bool) -> pd.DataFrame:
    table = read_table(path, dtype=str, keep_default_na=False)
    unknown = [column for column in rename if column not in table.columns]
    if unknown:
        raise UsageError(f"{path}: no column {', '.join(unknown)} to rename. Its columns: {', '.join(table.columns)}.")
    table = table.rename(columns=dict(rename))
    missing = [column for column in ("image", "x", "y") if column not in table.columns]
    if missing:
        raise UsageError(
            f"{path}: no column {', '.join(missing)}. Its columns: {', '.join(table.columns)}. "
            "Name the right ones with --rename OLD=NEW."
        )
    repeated = [column for column in COLUMNS if list(table.columns).count(column) > 1]
    if repeated:
        raise UsageError(f"{path}: more than one column {', '.join(repeated)} after renaming")
    table = table[[column for column in COLUMNS if column in table.columns]].copy()
    for column in ("x", "y"):
        table[column] = _coordinates(table[column], path) - one_based
    return table


def _coordinates(texts: "pd.Series[str]", path: Path) -> "pd.Series[float]":
    try:
        numbers = pd.to_numeric(texts, errors="coerce")
    except OverflowError as error:  # a whole number of hundreds of digits
        raise DataError(f"{path}: {texts.name} has a number that is too large ({error})") from error
    wrong = numbers.isna() | np.isinf(numbers)
    if wrong.any():
        line = int(wrong.to_numpy().argmax())
        raise DataError(
            f"{path}: line {line + 2}: {texts.name} is {texts.iloc[line]!r}; wanted: a number. "
            f"{int(wrong.sum())} such rows; remove them from the table if they stand for lost samples"
        )
    return numbers.astype(float)


def _stems(names: "pd.Series[str]", files: Mapping[str, Path], table: Path, images: Path) -> "pd.Series[str]":
    """The image that each row means, as the stem of its file."""
    by_name = {stem: stem for stem in files} | {
        Path(stem).with_name(path.name).as_posix(): stem for stem, path in files.items()
    }
    stems = names.str.replace("\\", "/").map(by_name)
    unknown = names[stems.isna()].unique()
    if len(unknown):
        shown = ", ".join(repr(str(name)) for name in unknown[:5])
        raise DataError(f"{table}: names {len(unknown)} images that are not in {images}: {shown}")
    return stems


def _fill(root: Path, files: Mapping[str, Path], table: pd.DataFrame, stems: "pd.Series[str]") -> MadeFolder:
    outside = empty = 0
    rows_of = table.groupby(stems, sort=False).indices
    for stem, source in files.items():
        rows = table.iloc[rows_of.get(stem, [])]
        image = root / "images" / f"{stem}{source.suffix.lower()}"
        points = root / "fixations" / f"{stem}.csv"
        for target in (image, points):
            target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source, image)
        rows.to_csv(points, index=False)
        recorded = Fixations.of_one_viewer(rows["x"], rows["y"])
        outside += len(recorded) - len(recorded.within(image_size(source)))
        empty += not len(rows)
    return MadeFolder(len(files), len(table), outside, empty)
