"""Image and map files to arrays and back. Every file is taken as hostile: checked before it is decoded, named when bad.

Pillow decodes: it refuses truncated files, which OpenCV fills with grey, and tells sizes from the header alone.
"""

import io
import re
import warnings
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, cast

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageOps

from salbench.arrays import RGBImage, SaliencyMap
from salbench.atomic import replacing, write_array
from salbench.errors import DataError, UsageError
from salbench.maps import is_flat, normalise_range, to_float

MAX_PIXELS = 89_000_000
IMAGE_SUFFIXES = frozenset({".png", ".jpg", ".jpeg", ".bmp", ".tif", ".tiff", ".webp"})
MAP_SUFFIXES = IMAGE_SUFFIXES | {".npy", ".npz"}
DECODERS = ("PNG", "JPEG", "BMP", "TIFF", "WEBP", "GIF", "PPM")
"""Pillow's, whatever a file is called. It has dozens, and that of PostScript starts another program."""
MAP_FORMATS = ("png", "png16", "npy")
HEADER_BYTES = 4096
"""More than the header of any array of numbers takes."""
LARGEST_NUMBER = 16
"""Bytes of NumPy's longest float."""
COLOUR_NOISE = 3
"""How far the channels of a grey picture may differ, in 8-bit levels: JPEG's chroma rounding stays below."""

Label = Path | str
"""What an error calls the file."""

_DIGITS = re.compile("([0-9]+)")
_EXIF_ORIENTATION = 0x0112
_SIDEWAYS = frozenset({5, 6, 7, 8})


def read_image(path: Path, *, turn: bool = True) -> RGBImage:
    """A stimulus: (H, W, 3) uint8 RGB, turned as its EXIF orientation says, or with `turn` False as it is stored.

    Grey and palette images become RGB, 16-bit ones keep their upper 8 bits, CMYK is converted.
    Raises DataError, naming the file, where it is missing, damaged, too large, not an image, or has transparent pixels.
    """
    with _opened(path) as image:
        return np.asarray(_as_rgb(_upright(image) if turn else image, path))


def image_size(path: Path, *, turn: bool = True) -> tuple[int, int]:
    """(height, width) of an image as `read_image` would give it, from its header alone. DataError as there."""
    with _opened(path) as image:
        width, height = image.size
        return (width, height) if turn and _orientation(image) in _SIDEWAYS else (height, width)


def read_map(path: Path) -> SaliencyMap:
    """A saliency or ground-truth map: (H, W) with the file's own type: bool, uint8, uint16, int32 or float.

    An image, an `.npy` array, or an `.npz` archive with one array. A colour picture whose channels agree is grey.
    Raises DataError, naming the file, where it is missing, damaged, too large, transparent or really coloured.
    """
    if path.suffix.lower() == ".npy":
        return _read_npy(path)
    if path.suffix.lower() == ".npz":
        return _read_npz(path)
    with _opened(path) as image:
        return _as_grey(_upright(image), path)


def decode_map(content: bytes, label: str) -> SaliencyMap:
    """A map from the bytes of a PNG or JPEG file, as `read_map` would give it; DataError as there, naming `label`."""
    with _decoded(io.BytesIO(content), label, formats=("PNG", "JPEG")) as image:
        return _as_grey(_upright(image), label)


def encode_map(saliency_map: SaliencyMap) -> bytes:
    """A map as the bytes of a PNG file: 8-bit and 16-bit maps with their values, others stretched to 8 bits."""
    values = np.asarray(saliency_map)
    content = io.BytesIO()
    exact = values.dtype in (np.uint8, np.uint16)
    Image.fromarray(values if exact else _quantised(values, 255)).save(content, format="PNG")
    return content.getvalue()


def write_map(path: Path, saliency_map: SaliencyMap, form: str = "png") -> None:
    """Write a map, atomically: `png` and `png16` stretch its range to 8 or 16 bits, `npy` keeps every bit.

    A flat map becomes an all-zero picture. Raises UsageError for another form.
    """
    if form == "npy":
        write_array(path, saliency_map)
        return
    with replacing(path) as scratch:
        if form in MAP_FORMATS:
            Image.fromarray(_quantised(saliency_map, 65535 if form == "png16" else 255)).save(scratch, format="PNG")
        else:
            raise UsageError(f"unknown map format {form!r}; wanted: {', '.join(MAP_FORMATS)}")


def map_suffix(form: str) -> str:
    """The file suffix of a map format."""
    return ".npy" if form == "npy" else ".png"


def files_by_stem(folder: Path, suffixes: frozenset[str]) -> dict[str, Path]:
    """The files of a folder and those below it, by their path in the folder without suffix, in natural order.

    Hidden files and folders are passed over. Raises DataError where the folder is missing or two files share a stem.
    """
    if not folder.is_dir():
        raise DataError(f"{folder}: no such folder")
    found: dict[str, Path] = {}
    for path in sorted(folder.rglob("*"), key=lambda p: natural_key(p.relative_to(folder).as_posix())):
        relative = path.relative_to(folder)
        hidden = any(part.startswith(".") for part in relative.parts)
        if path.suffix.lower() not in suffixes or hidden or path.is_dir():
            continue
        stem = relative.with_suffix("").as_posix()
        _check_name(folder, stem)
        if stem in found:
            raise DataError(f"{folder}: {found[stem].name} and {path.name} have the same stem; remove one of them")
        found[stem] = path
    return found


def _check_name(folder: Path, stem: str) -> None:
    """A stem becomes a stimulus's name in files, so it must be text."""
    try:
        stem.encode("utf-8")
    except UnicodeEncodeError as error:
        raise DataError(f"{folder}: the file name {stem!a} is not UTF-8; rename the file") from error


def natural_key(text: str) -> tuple[list[str | int], str]:
    """A sort key that puts `i2` before `i10`."""
    parts: list[str | int] = list(_DIGITS.split(text))
    parts[1::2] = [int(digits) for digits in parts[1::2]]  # text and numbers in turn, so only like is compared
    return parts, text


def _check_there(path: Path) -> None:
    try:
        there = path.is_file()
    except OSError as error:  # a name, out of some data set's file, that no disk takes
        raise DataError(f"{path}: cannot be looked for ({error.strerror})") from error
    if not there:
        raise DataError(f"{path}: no such file")


@contextmanager
def _opened(path: Path) -> Iterator[Image.Image]:
    """The image behind a path. DataError where there is none, or as `_decoded`."""
    _check_there(path)
    with _decoded(path, path) as image:
        yield image


@contextmanager
def _decoded(source: Path | io.BytesIO, path: Label, formats: tuple[str, ...] = DECODERS) -> Iterator[Image.Image]:
    """The image in a file. Whatever a decoder raises on a damaged one becomes a DataError that names it."""
    try:
        with _bombs_refused(), Image.open(source, formats=formats) as image:
            _check_pixels(image.width * image.height, path)
            yield image
    except DataError:
        raise
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise DataError(f"{path}: too many pixels ({error}); at most {MAX_PIXELS:,} are read. Scale it down") from error
    except MemoryError as error:
        raise DataError(f"{path}: too large for this machine's memory") from error
    except Exception as error:
        raise DataError(f"{path}: cannot be read as an image ({error}); restore the file or remove it") from error


@contextmanager
def _bombs_refused() -> Iterator[None]:
    """Pillow only warns of sizes a little above our limit; here they are refused as larger ones are."""
    with warnings.catch_warnings():
        warnings.simplefilter("error", Image.DecompressionBombWarning)
        yield


def _orientation(image: Image.Image) -> int:
    """The EXIF orientation, 1 (upright) where there is none.

    In a PNG it counts only where it stands before the pixels: looking behind them would decode the image for its size.
    """
    if image.format == "PNG" and "exif" not in image.info:
        return 1
    return int(image.getexif().get(_EXIF_ORIENTATION, 1))


def _upright(image: Image.Image) -> Image.Image:
    return image if _orientation(image) == 1 else ImageOps.exif_transpose(image)


def _check_pixels(count: int, path: Label) -> None:
    if count > MAX_PIXELS:
        raise DataError(f"{path}: {count:,} pixels; at most {MAX_PIXELS:,} are read. Scale it down")


def _as_rgb(image: Image.Image, path: Path) -> Image.Image:
    opaque = _without_alpha(image, path)
    if opaque.mode.startswith("I;16"):
        return Image.fromarray((np.asarray(opaque) >> 8).astype(np.uint8)).convert("RGB")
    if opaque.mode in {"I", "F"}:
        raise DataError(f"{path}: pixels of type {opaque.mode} have no known range; convert it to an 8-bit image")
    return opaque.convert("RGB")


def _without_alpha(image: Image.Image, path: Label) -> Image.Image:
    """The image without its alpha channel, refused where a pixel is not opaque: its colour would be a guess."""
    if not (image.mode in {"RGBA", "LA", "PA", "RGBa", "La"} or "transparency" in image.info):
        return image
    coloured = image.convert("RGBA")
    if cast(tuple[int, int], coloured.getchannel("A").getextrema())[0] < 255:
        raise DataError(f"{path}: has transparent pixels; flatten the image onto its background first")
    return coloured.convert("RGB")


def _as_grey(image: Image.Image, path: Label) -> SaliencyMap:
    opaque = _without_alpha(image, path)
    if opaque.mode in {"1", "L", "I", "F"} or opaque.mode.startswith("I;16"):
        values = np.asarray(opaque)
        return values.astype(values.dtype.newbyteorder("="), copy=False)
    coloured = np.asarray(opaque.convert("RGB"))
    if np.ptp(coloured.astype(np.int16), axis=2).max() > COLOUR_NOISE:
        raise DataError(
            f"{path}: is a colour picture; a saliency map has one channel. Save the map itself, not its plot"
        )
    return np.asarray(opaque.convert("RGB").convert("L"))


def _read_npy(path: Path) -> SaliencyMap:
    _check_there(path)
    try:
        with path.open("rb") as file:
            _check_claims(file.read(HEADER_BYTES), path)
        # A memory map never allocates what a header claims; it fails where the file is shorter than that.
        mapped = np.load(path, mmap_mode="r", allow_pickle=False)
        return _checked_array(mapped, path)
    except DataError:
        raise
    except Exception as error:
        raise DataError(f"{path}: cannot be read as a NumPy array ({error})") from error


def _read_npz(path: Path) -> SaliencyMap:
    _check_there(path)
    try:
        with zipfile.ZipFile(path) as archive:
            members = archive.infolist()
            if len(members) != 1:
                names = ", ".join(member.filename for member in members)
                raise DataError(f"{path}: holds {len(members)} arrays ({names}); wanted: one, the saliency map")
            _check_member(archive, members[0], path)
        with np.load(path, allow_pickle=False) as arrays:
            return _checked_array(arrays[arrays.files[0]], path)
    except DataError:
        raise
    except Exception as error:
        raise DataError(f"{path}: cannot be read as a NumPy archive ({error})") from error


def _check_member(archive: zipfile.ZipFile, member: zipfile.ZipInfo, path: Path) -> None:
    """Look at the head of an array in an archive, of which no more is unpacked."""
    if member.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        raise DataError(f"{path}: is compressed by method {member.compress_type}; wanted: as numpy.savez does")
    with archive.open(member) as file:
        _check_claims(file.read(HEADER_BYTES), path)


def is_array_file(path: Path) -> bool:
    """Whether a .npy file is there and as long as its header says; of its values none is read."""
    try:
        if not path.is_file():  # a pipe would be waited for
            return False
        with path.open("rb") as file:
            _check_claims(file.read(HEADER_BYTES), path)
        np.lib.format.open_memmap(path, mode="r")
    except Exception:  # NumPy raises errors of many kinds for a damaged header
        return False
    return True


def _check_claims(head: bytes, path: Path) -> None:
    """Compare what an array's header claims with the limit before anything of that size is allocated.

    The header, too, may claim gigabytes: `head` is as much of the file as one of numbers takes, and has to hold it.
    """
    content = io.BytesIO(head)
    version = np.lib.format.read_magic(content)
    read_header = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
    shape, _, dtype = read_header(content)
    if dtype.itemsize > LARGEST_NUMBER:  # texts and records have any number of bytes
        raise DataError(f"{path}: has type {dtype}; wanted: numbers")
    _check_pixels(int(np.prod(shape, dtype=object)), path)


def _checked_array(array: npt.NDArray[Any], path: Path) -> SaliencyMap:
    if array.ndim != 2:
        raise DataError(f"{path}: has shape {array.shape}; wanted: (height, width)")
    if array.dtype.kind not in "biuf":
        raise DataError(f"{path}: has type {array.dtype}; wanted: numbers")
    _check_pixels(array.size, path)
    return np.array(array, dtype=array.dtype.newbyteorder("="))


def _quantised(saliency_map: SaliencyMap, top: int) -> npt.NDArray[Any]:
    kind = np.uint8 if top == 255 else np.uint16
    values = to_float(np.asarray(saliency_map))
    if is_flat(values):
        return np.zeros(values.shape, dtype=kind)
    return np.floor(np.nan_to_num(normalise_range(values)) * top + 0.5).astype(kind)
