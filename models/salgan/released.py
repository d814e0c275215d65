"""The generator that the authors of SalGAN released, made a checkpoint.

`gen_modelWeights0090.npz` holds Lasagne's `get_all_param_values`: arr_0, arr_1, ... are W and b of each convolution
from conv1_1 to the output. The file is never trusted: its arrays' headers must be, one by one, those of the generator
before a value is read, so that nothing else is ever decompressed or allocated, and nothing is unpickled.
"""

import hashlib
import io
import math
import re
import warnings
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from salbench.atomic import check_writable
from salbench.errors import DataError, UsageError
from salbench.image_files import HEADER_BYTES
from salbench.names import unknown_name
from salbench_models.salgan.checkpoint import Header, write_checkpoint
from salbench_models.salgan.layers import ENCODER_SHAPES, GENERATOR_SHAPES
from salbench_models.salgan.postprocessing import POSTPROCESSES
from salbench_models.salgan.preprocessing import CAFFE_BGR, Preprocessing

Weights = dict[str, npt.NDArray[np.float32]]

CHANNELS = {"bgr": CAFFE_BGR, "rgb": Preprocessing("RGB", CAFFE_BGR.maximum, CAFFE_BGR.mean, CAFFE_BGR.std)}
"""What reaches conv1_1. The released layer reverses the channels, then takes the means off in one fixed order: read
as RGB an image arrives as BGR; read as BGR it arrives as RGB, the means for blue, green, red taken off all the same."""

TITLE = "Pan et al. 2017, released weights"
TRAINED_ON = ("salicon2015/train", "salicon2015/val")
SIZE = "256x192"

LARGEST_VALUE = 8
"""Bytes of a float64, should the weights have been kept as such."""

METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
"""Those that Python decompresses no further than it is asked to."""

WANTED = "wanted: gen_modelWeights0090.npz, the generator that the authors of SalGAN released"


@dataclass(frozen=True)
class ReleasedOptions:
    """What the file does not say. Raises UsageError for a value that is none of the choices."""

    channels: str = field(
        default="bgr",
        metadata={
            "help": "Order in which an image's channels reach the first layer; check it against a published map.",
            "choices": tuple(CHANNELS),
        },
    )
    postprocess: str = field(
        default="original",
        metadata={
            "help": "How maps get their image's size: as the authors published them (8 bits, blurred), or exact.",
            "choices": tuple(POSTPROCESSES),
        },
    )

    def __post_init__(self) -> None:
        for name, choices in (("channels", CHANNELS), ("postprocess", POSTPROCESSES)):
            if getattr(self, name) not in choices:
                raise UsageError(unknown_name(name, str(getattr(self, name)), list(choices)))


@dataclass(frozen=True)
class Stored:
    """An array's header. `begin`: the byte of its entry at which the values begin."""

    shape: tuple[int, ...]
    fortran: bool
    dtype: np.dtype[Any]
    begin: int

    @property
    def end(self) -> int:
        """The size of an entry that holds this header and all values."""
        return self.begin + self.dtype.itemsize * math.prod(self.shape)


def import_released(source: Path, out: Path, options: ReleasedOptions) -> str:
    """Write the checkpoint `out` of the released weights in `source`; a line that says what it is.

    Raises DataError for a file that does not hold just these arrays, UsageError where `out` is `source`.
    """
    if out.resolve() == source.resolve():
        raise UsageError(f"{out}: is the file to import; name another one for the checkpoint")
    check_writable(out)
    import torch  # noqa: PLC0415 - slow to import, and needed here alone

    weights = {name: torch.from_numpy(array) for name, array in read_released(source).items()}
    write_checkpoint(out, weights, header_of(source, options))
    return f"{out}: {TITLE}, from {source.name}; channels {options.channels}, postprocess {options.postprocess}"


def header_of(source: Path, options: ReleasedOptions) -> Header:
    """What the checkpoint says of itself. There was no training here, so its configuration is empty, its seed 0."""
    with source.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    number = re.search(r"modelWeights(\d{4})", source.name)
    return Header(
        config={},
        preprocessing=CHANNELS[options.channels],
        size=SIZE,
        trained_on=TRAINED_ON,
        epoch=int(number[1]) if number else 0,
        metrics={},
        seed=0,
        postprocess=options.postprocess,
        origin={"title": TITLE, "file": source.name, "sha256": digest},
    )


def read_released(path: Path) -> Weights:
    """The released generator's parameters under the paper's layer names, kernels as PyTorch wants them.

    Raises DataError, naming the file and the array, for anything else, before its values are read.
    """
    try:
        check_size(path)
        with zipfile.ZipFile(path) as archive:
            entries = listed(path, archive)
            headers = [header(path, archive, entry) for entry in entries]
            check_shapes(path, headers)
            check_ends(path, entries, headers)
            return {
                name: oriented(name, values(path, archive, entry, stored))
                for name, entry, stored in zip(GENERATOR_SHAPES, entries, headers, strict=True)
            }
    except DataError:
        raise
    except Exception as error:  # zipfile raises errors of any kind for a damaged or hostile archive
        raise DataError(f"{path}: not a whole .npz archive ({error!r}); {WANTED}") from error


def check_size(path: Path) -> None:
    """DataError for a file that is larger than all parameters, as float64, with their headers."""
    most = sum(HEADER_BYTES + LARGEST_VALUE * math.prod(shape) for shape in GENERATOR_SHAPES.values())
    if path.stat().st_size > most:
        raise DataError(f"{path}: {path.stat().st_size} bytes are more than the generator can take up; {WANTED}")


def listed(path: Path, archive: zipfile.ZipFile) -> list[zipfile.ZipInfo]:
    """The entries arr_0, arr_1, ... in this order. DataError unless these are there, each once, and nothing else."""
    wanted = [f"arr_{number}.npy" for number in range(len(GENERATOR_SHAPES))]
    entries = {entry.filename: entry for entry in archive.infolist()}
    if len(archive.infolist()) != len(wanted) or entries.keys() != set(wanted):
        odd = sorted(entries.keys() ^ set(wanted))[:3]
        raise DataError(
            f"{path}: holds {len(archive.infolist())} arrays, wanted: arr_0 to arr_{len(wanted) - 1}, each once"
            f"{' (missing or superfluous: ' + ', '.join(odd) + ')' if odd else ''}; {WANTED}"
        )
    for entry in entries.values():
        if entry.compress_type not in METHODS:
            raise DataError(f"{path}: {entry.filename} is compressed by method {entry.compress_type}; {WANTED}")
    return [entries[name] for name in wanted]


def header(path: Path, archive: zipfile.ZipFile, entry: zipfile.ZipInfo) -> Stored:
    """An entry's header, of whose values none is read. DataError unless its values are floats."""
    with archive.open(entry) as file:
        content = io.BytesIO(file.read(HEADER_BYTES))
    version = np.lib.format.read_magic(content)
    read = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}.get(version)
    if read is None:
        raise DataError(f"{path}: {entry.filename} is of .npy version {version}; {WANTED}")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # that Python 2 wrote the header, as it did for this release
        shape, fortran, dtype = read(content)
    if dtype.kind != "f" or dtype.itemsize not in (4, LARGEST_VALUE):
        raise DataError(f"{path}: {entry.filename} holds {dtype}, not float32 numbers; {WANTED}")
    return Stored(shape, fortran, dtype, content.tell())


def check_shapes(path: Path, headers: Sequence[Stored]) -> None:
    """DataError unless the shapes are those of the layers in Lasagne's order: only they can tell what is what."""
    rows = enumerate(zip(GENERATOR_SHAPES.items(), headers, strict=True))
    wrong = [(number, name, shape, stored) for number, ((name, shape), stored) in rows if stored.shape != shape]
    if wrong:
        number, name, shape, stored = wrong[0]
        raise DataError(
            f"{path}: not SalGAN's generator in the order of its layers; {len(wrong)} arrays do not fit, the first "
            f"being arr_{number}: {stored.shape}, where {name} has {shape}; {WANTED}"
        )


def check_ends(path: Path, entries: Sequence[zipfile.ZipInfo], headers: Sequence[Stored]) -> None:
    """DataError unless every entry is as large as its header says, neither cut off nor an ocean of bytes."""
    for entry, stored in zip(entries, headers, strict=True):
        if entry.file_size != stored.end:
            raise DataError(
                f"{path}: {entry.filename} has {entry.file_size} bytes, its header tells of {stored.end}; {WANTED}"
            )


def values(path: Path, archive: zipfile.ZipFile, entry: zipfile.ZipInfo, stored: Stored) -> npt.NDArray[np.float32]:
    """An array whose header was checked, as float32. DataError for values that are not finite."""
    with archive.open(entry) as file:
        content = file.read(stored.end)  # no more than that is decompressed, whatever the entry holds
    flat = np.frombuffer(content, stored.dtype, math.prod(stored.shape), stored.begin)
    with np.errstate(over="ignore"):
        array = flat.reshape(stored.shape, order="F" if stored.fortran else "C").astype(np.float32, order="C")
    if not np.isfinite(array).all():
        raise DataError(f"{path}: {entry.filename} holds values that are not finite; {WANTED}")
    return array


def oriented(name: str, array: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """A parameter as PyTorch's cross-correlation wants it.

    The encoder was made with `flip_filters=False` and stays. Decoder and output are true convolutions, Lasagne's
    default, so their kernels are turned by 180 degrees.
    """
    if name in ENCODER_SHAPES or array.ndim == 1:
        return array
    return array[:, :, ::-1, ::-1].copy()
