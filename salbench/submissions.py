"""Archives that benchmarks take: the right names, sizes and formats, read back before they are called done.

mit300            zip of i1.png … i300.png, 8 bit, each as large as its image
cat2000           zip of CATEGORY/001.png …, the same
salicon2015, salicon2017   the challenge's result file: a JSON list of image ids and base64 PNGs, split test
tuebingen         HDF5, a float64 array under the name of each image file: natural logarithms of densities
"""

import io
import zipfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

import numpy as np
from PIL import Image

from salbench.arrays import SaliencyMap
from salbench.atomic import replacing
from salbench.datasets.dataset import Dataset
from salbench.datasets.registry import open_dataset
from salbench.datasets.stimulus import Stimulus
from salbench.errors import DataError, SalbenchError, UsageError
from salbench.image_files import encode_map
from salbench.maps import resize_to
from salbench.metrics.inputs import as_map
from salbench.metrics.likelihood import as_log_density
from salbench.names import unknown_name
from salbench.paths import PathLike
from salbench.progress import Progress, Silent
from salbench.result_file import Predictions, ResultFile, image_number, open_predictions, write_results
from salbench.scoring.run_folder import MAPS

Maps = Iterator[tuple[Stimulus, SaliencyMap]]
SHOWN = 10
"""Missing or unusable maps that an error names; it counts them all."""


@dataclass(frozen=True)
class Kind:
    """A benchmark's format. `dataset`: whose images it wants; `split`: of it."""

    key: str
    dataset: str
    split: str
    description: str
    write: Callable[[Path, Maps], None]
    check: Callable[[Path, Sequence[Stimulus]], None]
    log_density: bool = False


def export(
    kind: str,
    source: PathLike,
    out: PathLike,
    *,
    data: PathLike | None = None,
    dataset: PathLike | Dataset | None = None,
    progress: Progress | None = None,
) -> Path:
    """Write a benchmark's archive of maps that are ready, and return its path.

    `kind`: a key of KINDS. `source`: a folder of maps, or a run that kept its maps. `data`: where the benchmark's
    images are; `dataset`: instead of them, such as a part for a trial. Maps of another size are resized as in scoring.
    Nothing is written unless there is a usable map for every image: DataError names those that are missing.
    """
    chosen = _kind(kind)
    opened = dataset if isinstance(dataset, Dataset) else open_dataset(dataset or chosen.dataset, data)
    stimuli = opened.stimuli(chosen.split if chosen.split in opened.splits else opened.default_split)
    folder = Path(source)
    if (folder / MAPS).is_dir():
        folder = folder / MAPS
    predictions = open_predictions(folder, log_density=chosen.log_density)
    missing = [one.id for one in stimuli if not predictions.has(one.id)]
    if missing:
        raise DataError(f"{folder}: {_listed(missing)} of {len(stimuli)} have no map")
    target = Path(out)
    with replacing(target) as scratch:
        chosen.write(scratch, _maps(chosen, predictions, stimuli, progress or Silent()))
        chosen.check(scratch, stimuli)
    return target


def _kind(name: str) -> Kind:
    try:
        return KINDS[name]
    except KeyError:
        raise UsageError(unknown_name("benchmark", name, list(KINDS))) from None


def _listed(names: Sequence[str]) -> str:
    more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    return ", ".join(names[:SHOWN]) + more


def _maps(kind: Kind, predictions: Predictions, stimuli: Sequence[Stimulus], progress: Progress) -> Maps:
    """Each stimulus's map, as large as its image, one at a time. DataError, with its name, for an unusable one."""
    progress.start(f"writing {kind.key}", len(stimuli))
    try:
        for stimulus in stimuli:
            try:
                yield stimulus, _fitted(kind, predictions, stimulus)
            except SalbenchError as error:
                raise DataError(f"{stimulus.id}: {error}") from error
            progress.advance()
    finally:
        progress.finish()


def _fitted(kind: Kind, predictions: Predictions, stimulus: Stimulus) -> SaliencyMap:
    stimulus.image()  # an image that cannot be read has no size to be as large as
    values = predictions.predict_stimulus(stimulus)
    if kind.log_density:
        return as_log_density(values, stimulus.size)
    numbers = as_map(values, "the map")
    if np.isnan(numbers).any():
        raise DataError("its map holds NaN, which no picture can")
    if values.shape != stimulus.size:
        return resize_to(numbers, stimulus.size)  # as scoring resizes it
    return values if values.dtype == np.uint8 else numbers  # 8-bit pictures of the right size go out as they came in


def _write_zip(path: Path, maps: Maps) -> None:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as archive:  # PNGs are compressed already
        for stimulus, values in maps:
            archive.writestr(f"{stimulus.id}.png", encode_map(values))


def _check_zip(path: Path, stimuli: Sequence[Stimulus]) -> None:
    with zipfile.ZipFile(path) as archive:
        wanted = {f"{one.id}.png": one.size for one in stimuli}
        if archive.testzip() is not None or set(archive.namelist()) != set(wanted):
            raise DataError(f"{path}: the archive read back is not the one that was written")
        for name, size in wanted.items():
            with Image.open(io.BytesIO(archive.read(name))) as picture:
                _check_size(path, name, (picture.height, picture.width), size)
                if picture.mode != "L":
                    raise DataError(f"{path}: {name} read back is a picture of mode {picture.mode}; wanted: 8-bit grey")


def _check_size(path: Path, name: str, found: tuple[int, ...], wanted: tuple[int, int]) -> None:
    if found != wanted:
        raise DataError(f"{path}: {name} read back has shape {found}; wanted: {wanted}")


def _write_results(path: Path, maps: Maps) -> None:
    write_results(path, ((stimulus.id, values) for stimulus, values in maps))


def _check_results(path: Path, stimuli: Sequence[Stimulus]) -> None:
    found = ResultFile(path)
    if len(found.places) != len(stimuli):
        raise DataError(f"{path}: read back has {len(found.places)} maps; wanted: {len(stimuli)}")
    for one in stimuli:
        values = found.predict_stimulus(one)
        _check_size(path, f"image {image_number(one.id)}", values.shape, one.size)


def _write_hdf5(path: Path, maps: Maps) -> None:
    import h5py  # noqa: PLC0415 - heavy, and for this format alone

    with h5py.File(path, "w") as file:
        for stimulus, values in maps:
            file.create_dataset(_file_name(stimulus), data=values, compression="gzip", compression_opts=4)


def _check_hdf5(path: Path, stimuli: Sequence[Stimulus]) -> None:
    import h5py  # noqa: PLC0415 - as above

    with h5py.File(path, "r") as file:
        if set(file) != {_file_name(one) for one in stimuli}:
            raise DataError(f"{path}: read back holds other names than were written")
        for one in stimuli:
            values = np.asarray(file[_file_name(one)])
            _check_size(path, one.id, values.shape, one.size)
            as_log_density(values, one.size, f"the density of {one.id} read back")


def _file_name(stimulus: Stimulus) -> str:
    return stimulus.image_file.name if stimulus.image_file is not None else stimulus.id


KINDS: Mapping[str, Kind] = MappingProxyType(
    {
        kind.key: kind
        for kind in (
            Kind("mit300", "mit300", "test", "zip of 300 PNGs, as large as their images", _write_zip, _check_zip),
            Kind("cat2000", "cat2000-test", "test", "zip of PNGs by category", _write_zip, _check_zip),
            Kind("salicon2015", "salicon2015-fixations", "test", "result file (JSON)", _write_results, _check_results),
            Kind("salicon2017", "salicon2017-fixations", "test", "result file (JSON)", _write_results, _check_results),
            Kind("tuebingen", "mit300", "test", "HDF5 of log densities", _write_hdf5, _check_hdf5, log_density=True),
        )
    }
)
"""Every benchmark's format by the name that the command line takes."""
