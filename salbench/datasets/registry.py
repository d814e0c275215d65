"""The data sets that have a name, and where they lie on this machine."""

import os
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import platformdirs

from salbench.datasets import (
    cat2000,
    dut_omron,
    figrim,
    mit300,
    mit1003,
    osie,
    pascal_s,
    salicon,
    salicon_mat,
    synthetic,
    toronto,
)
from salbench.datasets.dataset import Dataset
from salbench.datasets.folder import open_folder
from salbench.datasets.prepared import with_prepared
from salbench.datasets.pysaliency_files import is_pysaliency, open_pysaliency
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

    @property
    def module(self) -> str:
        """The module that says how its files lie, and where its citation and ground truth are told of."""
        return str(getattr(self.loader, "func", self.loader).__module__)


_EYE_SPLITS = ("all", "mit300-style", "rest")
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
        *(
            DatasetRecord(
                f"salicon{edition}-{kind}",
                f"SALICON's {words} of {edition}, MATLAB files",
                ("train", "val", "test"),
                partial(salicon_mat.open_edition, edition, kind),
                f"salicon{edition}",
            )
            for edition in ("2015", "2017")
            for kind, words in (("fixations", "inferred fixations"), ("mouse", "mouse positions"))
        ),
        DatasetRecord("mit1003", "gaze of 15 viewers on 1,003 images", _EYE_SPLITS, mit1003.open_mit1003, "mit1003"),
        DatasetRecord("mit300", "300 images whose fixations are not public", ("test",), mit300.open_mit300, "mit300"),
        DatasetRecord(
            "cat2000-train",
            "fixations of 18 viewers on 2,000 images in 20 categories",
            (*_EYE_SPLITS, "CATEGORY"),
            cat2000.open_cat2000_train,
            "cat2000",
        ),
        DatasetRecord(
            "cat2000-test",
            "2,000 images whose fixations are not public",
            ("test",),
            cat2000.open_cat2000_test,
            "cat2000",
        ),
        DatasetRecord(
            "toronto",
            "fixations of 20 viewers on 120 images",
            ("all", "held-out-40", "rest"),
            toronto.open_toronto,
            "toronto",
        ),
        DatasetRecord(
            "pascal-s", "fixations on 850 images of PASCAL VOC", _EYE_SPLITS, pascal_s.open_pascal_s, "pascal-s"
        ),
        DatasetRecord(
            "dut-omron", "fixations of 5 viewers on 5,168 images", _EYE_SPLITS, dut_omron.open_dut_omron, "dut-omron"
        ),
        DatasetRecord(
            "figrim",
            "first looks of about 15 viewers at over 2,700 scenes in 21 categories",
            (*_EYE_SPLITS, "targets", "fillers"),
            figrim.open_figrim,
            "figrim",
        ),
        DatasetRecord(
            "synthetic",
            "generated scenes with a known fixation density; needs no file",
            tuple(synthetic.SPLIT_SIZES),
            synthetic.open_in,
        ),
    )
}
"""Every named data set by its key."""


def open_dataset(name: PathLike, data: PathLike | None = None) -> Dataset:
    """The data set of that name, or the one in the folder of that name, in the generic layout or pysaliency's.

    `data`: the folder where a named data set lies; by default `$SALBENCH_HOME/datasets/` and its name.
    Raises UsageError for an unknown name, DataError where the files are not there.
    """
    folder = folder_of(name, data)
    record = DATASETS.get(str(name))
    if folder is None:
        return DATASETS[str(name)].loader(Path())
    if record is not None:
        return with_prepared(record.loader(folder), folder)
    return open_pysaliency(folder) if is_pysaliency(folder) else with_prepared(open_folder(folder), folder)


def folder_of(name: PathLike, data: PathLike | None = None) -> Path | None:
    """The folder where a data set lies, named as for `open_dataset`, which see for errors; None for one of no files."""
    record = DATASETS.get(str(name))
    if data is not None and (record is None or not record.home):
        raise UsageError(f"data names where a named data set's files lie; {name} needs none")
    if record is None:
        return _unnamed_folder(str(name))
    if not record.home:
        return None
    folder = Path(data) if data is not None else salbench_home() / "datasets" / record.home
    if not folder.is_dir():
        raise DataError(f"{folder}: no such folder; name the one that holds {name} with --data")
    return folder


def _unnamed_folder(name: str) -> Path:
    folder = Path(name)
    if folder.is_dir():
        return folder
    if folder.parent != Path() or name.startswith("."):
        raise DataError(f"{name}: no such folder")
    raise UsageError(unknown_name("data set", name, list(DATASETS)) + " Or the path of a folder in the generic layout.")


def salbench_home() -> Path:
    """Where salbench looks for data sets: `$SALBENCH_HOME`, by default the platform's user data folder."""
    named = os.environ.get("SALBENCH_HOME")
    return Path(named) if named else platformdirs.user_data_path("salbench", appauthor=False)
