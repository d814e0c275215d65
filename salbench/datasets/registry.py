"""The data sets that have a name, and where they lie on this machine."""

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import platformdirs

from salbench.datasets import osie, salicon, synthetic
from salbench.datasets.dataset import Dataset
from salbench.datasets.folder import open_folder
from salbench.errors import DataError, UsageError
from salbench.names import unknown_name
from salbench.paths import PathLike


@dataclass(frozen=True)
class DatasetRecord:
    """A named data set. `home`: its folder under `$SALBENCH_HOME/datasets`; empty where it needs no file."""

    key: str
    description: str
    splits: tuple[str, ...]
    loader: Callable[[Path], Dataset]
    home: str = ""


_OSIE_SPLITS = ("train", "val", "test", "all")

DATASETS: dict[str, DatasetRecord] = {
    record.key: record
    for record in (
        DatasetRecord("osie-eye", "eye fixations of 15 viewers on 700 images", _OSIE_SPLITS, osie.open_eye, "osie"),
        DatasetRecord(
            "osie-mouse-amt",
            "mouse traces of crowd workers on OSIE's images",
            _OSIE_SPLITS,
            osie.open_mouse_amt,
            "osie",
        ),
        DatasetRecord(
            "osie-mouse-lab", "laboratory mouse traces on OSIE's images", _OSIE_SPLITS, osie.open_mouse_lab, "osie"
        ),
        DatasetRecord(
            "salicon2015",
            "SALICON's crowd mouse positions on COCO images, the challenge's JSON files",
            salicon.SPLITS,
            salicon.open_salicon2015,
            "salicon2015",
        ),
        DatasetRecord(
            "synthetic",
            "generated scenes with a known fixation density; needs no file",
            tuple(synthetic.SPLIT_SIZES),
            lambda _: synthetic.open_synthetic(),
        ),
    )
}
"""Every named data set by its key."""


def open_dataset(name: PathLike, data: PathLike | None = None) -> Dataset:
    """The data set of that name, or the one in the folder of that name.

    `data`: the folder where a named data set lies; by default `$SALBENCH_HOME/datasets/` and its name.
    Raises UsageError for an unknown name, DataError where the files are not there.
    """
    record = DATASETS.get(str(name))
    if data is not None and (record is None or not record.home):
        raise UsageError(f"data names where a named data set's files lie; {name} needs none")
    if record is None:
        return _open_unnamed(str(name))
    if not record.home:
        return record.loader(Path())
    folder = Path(data) if data is not None else salbench_home() / "datasets" / record.home
    if not folder.is_dir():
        raise DataError(f"{folder}: no such folder; name the one that holds {name} with --data")
    return record.loader(folder)


def _open_unnamed(name: str) -> Dataset:
    folder = Path(name)
    if folder.is_dir():
        return open_folder(folder)
    if folder.parent != Path() or name.startswith("."):
        raise DataError(f"{name}: no such folder")
    raise UsageError(unknown_name("data set", name, list(DATASETS)) + " Or the path of a folder in the generic layout.")


def salbench_home() -> Path:
    """Where salbench looks for data sets: `$SALBENCH_HOME`, by default the platform's user data folder."""
    named = os.environ.get("SALBENCH_HOME")
    return Path(named) if named else platformdirs.user_data_path("salbench", appauthor=False)
