"""The SALICON challenge's result file: a JSON list of `{"image_id": 123855, "saliency_map": "<base64 of a PNG>"}`.

Read as predictions, and written. A map belongs to the stimulus whose name ends in its image id:
`COCO_train2014_000000123855` is image 123855.
"""

import base64
import binascii
import json
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, BinaryIO

from salbench.arrays import SaliencyMap
from salbench.atomic import replacing
from salbench.datasets.stimulus import Stimulus
from salbench.errors import DataError, UsageError
from salbench.image_files import decode_map, encode_map
from salbench.map_folder import MapFolder
from salbench.models import Context, ModelCard
from salbench.paths import PathLike

MAX_FILE_BYTES = 4 << 30
MAX_ENTRY_BYTES = 256 << 20
"""A picture of the largest size that is read, stored without compression, in base64."""
BLOCK_BYTES = 1 << 20

_DECODER = json.JSONDecoder()
_SPACE = re.compile(r"[ \t\r\n]*")
_DIGITS = re.compile(r"[0-9]{1,18}")


class ResultFile:
    """The maps of a result file. Only the place of each entry is kept; a map is read when it is asked for."""

    def __init__(self, path: PathLike, title: str | None = None) -> None:
        """`title`: the name for tables, by default the file's stem. DataError, naming the place, for a damaged file."""
        self.path = Path(path)
        self.places = _places(self.path)
        name = self.path.stem
        self.card = ModelCard(name=name, title=title or name, description=f"maps of the file {self.path.name}")

    def has(self, stimulus: str) -> bool:
        """Whether there is a map for the stimulus of that id."""
        return image_number(stimulus) in self.places

    def names(self, count: int) -> list[str]:
        """The first image ids, to show what is there."""
        return [f"image_id {number}" for number in list(self.places)[:count]]

    def wanted_name(self, stimulus: str) -> str:
        """What an entry for a stimulus would be called."""
        number = image_number(stimulus)
        return f"image_id {number}" if number is not None else f"stimuli whose names end in a number, not {stimulus}"

    def predict_stimulus(self, stimulus: Stimulus, context: Context | None = None) -> SaliencyMap:
        """The map of a stimulus: its id's first entry. DataError where it is missing or cannot be decoded."""
        del context
        number = image_number(stimulus.id)
        if number is None or number not in self.places:
            raise DataError(
                f"{self.path}: no map for stimulus {stimulus.id!r}; wanted: {self.wanted_name(stimulus.id)}"
            )
        where = f"{self.path}: image_id {number}"
        return decode_map(_picture(self._entry(number, where), where), where)

    def _entry(self, number: int, where: str) -> Any:
        start, end = self.places[number]
        try:
            with self.path.open("rb") as file:
                file.seek(start)
                return json.loads(file.read(end - start))
        except (OSError, ValueError) as error:
            raise DataError(f"{where}: cannot be read again ({error}); was the file changed?") from error


Predictions = MapFolder | ResultFile


def open_predictions(path: Path, title: str | None = None, *, log_density: bool = False) -> Predictions:
    """Ready maps: those of a result file, or of a folder, which may hold log densities.

    DataError where there is neither, or the file is damaged; UsageError for log densities in a result file, whose
    pictures cannot hold them.
    """
    if not path.is_file():
        return MapFolder(path, title, log_density=log_density)
    if log_density:
        raise UsageError(f"{path}: a result file holds 8-bit pictures, no log densities; name a folder of .npy files")
    return ResultFile(path, title)


def write_results(path: PathLike, maps: Iterable[tuple[int | str, SaliencyMap]]) -> None:
    """Write a result file, atomically, one map in memory at a time.

    `maps`: image id, or the name of a stimulus that ends in it, and its map (H, W). 8-bit and 16-bit maps are stored as
    they are, others stretched to 8 bits. Raises UsageError for a name without a number and for an id given twice.
    """
    seen: set[int] = set()
    with replacing(Path(path)) as scratch, scratch.open("w", encoding="ascii") as file:
        file.write("[")
        for name, saliency_map in maps:
            number = _new_number(name, seen)
            text = base64.b64encode(encode_map(saliency_map)).decode("ascii")
            file.write((",\n" if len(seen) > 1 else "") + json.dumps({"image_id": number, "saliency_map": text}))
        file.write("]\n")


def image_number(name: str) -> int | None:
    """The image id in a name: what stands before the first dot and after the last underscore. None if no number."""
    digits = name.split(".", 1)[0].rsplit("_", 1)[-1]
    return int(digits) if _DIGITS.fullmatch(digits) else None


def _new_number(name: int | str, seen: set[int]) -> int:
    number = image_number(str(name))
    if number is None:
        raise UsageError(
            f"{name!r} does not end in an image id; wanted: a number, or a name such as COCO_val2014_000042"
        )
    if number in seen:
        raise UsageError(f"image id {number} is given twice")
    seen.add(number)
    return number


def _places(path: Path) -> dict[int, tuple[int, int]]:
    """First and last byte of each image's first entry."""
    places: dict[int, tuple[int, int]] = {}
    try:
        size = path.stat().st_size
        if size > MAX_FILE_BYTES:
            raise DataError(f"{path}: {size:,} bytes; at most {MAX_FILE_BYTES:,} are read")
        with path.open("rb") as file:
            for index, (entry, start, end) in enumerate(_elements(_Window(file))):
                places.setdefault(_checked_id(entry, end - start, f"{path}: entry {index}"), (start, end))
    except (OSError, ValueError, RecursionError) as error:
        raise DataError(f"{path}: cannot be read as a result file, a JSON list of maps ({error})") from error
    return places


class _Window:
    """A part of a JSON file, moved on as it is read, so that memory does not grow with the file.

    One character a byte: a place in the text is a place in the file, and JSON's own characters are ASCII.
    """

    def __init__(self, file: BinaryIO) -> None:
        self.file = file
        self.text, self.place, self.base = "", 0, 0

    def more(self) -> bool:
        """Drop what was passed and read as much as is left again; whether there was any more."""
        block = self.file.read(max(BLOCK_BYTES, len(self.text) - self.place))
        self.base += self.place
        self.text, self.place = self.text[self.place :] + block.decode("latin-1"), 0
        return bool(block)

    def next_mark(self) -> str:
        """The next character that is no space, empty at the end of the file."""
        while True:
            found = _SPACE.match(self.text, self.place)
            self.place = self.place if found is None else found.end()
            if self.place < len(self.text) or not self.more():
                return self.text[self.place : self.place + 1]

    def take(self, marks: str) -> str:
        """Pass the next mark. ValueError, naming the byte, where it is none of these."""
        mark = self.next_mark()
        if not mark or mark not in marks:
            raise ValueError(f"byte {self.base + self.place}: wanted: {' or '.join(map(repr, marks))}")
        self.place += 1
        return mark

    def value(self) -> tuple[Any, int, int]:
        """Pass the next value: what it is, and its first and last byte. ValueError, naming the byte, for no JSON."""
        self.next_mark()
        while True:
            try:
                value, end = _DECODER.raw_decode(self.text, self.place)
            except json.JSONDecodeError as error:
                where = self.base + error.pos
                if len(self.text) - self.place > MAX_ENTRY_BYTES or not self.more():
                    raise ValueError(f"byte {where}: {error.msg}") from error
                continue
            start, self.place = self.place, end
            return value, self.base + start, self.base + end


def _elements(window: _Window) -> Iterator[tuple[Any, int, int]]:
    """The elements of a JSON list and where they stand. ValueError, naming the place, where the file is none."""
    window.take("[")
    closed = window.next_mark() == "]"
    if closed:
        window.take("]")
    while not closed:
        yield window.value()
        closed = window.take(",]") == "]"
    if window.next_mark():
        raise ValueError(f"byte {window.base + window.place}: text after the list")


def _checked_id(entry: Any, length: int, where: str) -> int:
    if not isinstance(entry, dict) or not {"image_id", "saliency_map"} <= entry.keys():
        raise DataError(f"{where}: wanted: an object with image_id and saliency_map")
    number = entry["image_id"]
    if not isinstance(number, int) or isinstance(number, bool) or number < 0:
        raise DataError(f"{where}: image_id is {str(number)[:40]!r}; wanted: a whole number, not negative")
    if not isinstance(entry["saliency_map"], str):
        raise DataError(f"{where}: saliency_map is not text; wanted: a PNG or JPEG in base64")
    if length > MAX_ENTRY_BYTES:
        raise DataError(f"{where}: {length:,} bytes; at most {MAX_ENTRY_BYTES:,} are read")
    return number


def _picture(entry: Any, where: str) -> bytes:
    try:
        return base64.b64decode(entry["saliency_map"], validate=True)
    except (TypeError, KeyError, ValueError, binascii.Error) as error:
        raise DataError(f"{where}: saliency_map is no base64 ({error})") from error
