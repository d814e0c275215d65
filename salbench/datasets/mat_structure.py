"""The structure of a MATLAB file of version 5 to 7, looked through before SciPy reads it.

SciPy believes a file: an element of an unknown type, or cells nested thousands deep, end the process, and a few packed
kilobytes may claim any number of gigabytes. Here tags are read in the order in which SciPy reads them, and no values.

Source: MathWorks, MAT-File Format, "Level 5 MAT-File Format".
"""

import math
import struct
import zlib
from dataclasses import dataclass
from pathlib import Path

MOST_UNPACKED = 1 << 30
"""Bytes of all variables of a file, unpacked; the largest known of a data set have some hundred million."""
DEEPEST = 32
"""Cells and structs within each other; the deepest known of a data set are six."""
MOST_DIMENSIONS = 32
BLANKS = 4096
"""Letters that a text without any may claim: they are read as blanks."""

HEAD, TAG = 128, 8
MATRIX, COMPRESSED = 14, 15
NUMBERS = frozenset({1, 2, 3, 4, 5, 6, 7, 9, 12, 13})
TEXTS = NUMBERS | {16, 17, 18}
NAMES, SIDES = frozenset({1, 16}), frozenset({5, 6})
"""Some programs write names in UTF-8, and sides without a sign."""
CELL, STRUCT, OBJECT, CHAR, SPARSE, FUNCTION, OPAQUE = 1, 2, 3, 4, 5, 16, 17
NUMERIC = range(6, 16)
COMPLEX = 1 << 11


class StructureError(ValueError):
    """A file whose structure SciPy must not be given."""


def check_structure(path: Path) -> None:
    """StructureError for such a file; one of another version passes, and is SciPy's to read or refuse."""
    content = memoryview(path.read_bytes())
    if len(content) < HEAD or 0 in content[:4] or 2 in content[124:126]:  # too short, version 4, version 7.3
        return
    order = "<" if bytes(content[126:128]) == b"IM" else ">"
    place, left = HEAD, MOST_UNPACKED
    while place + TAG <= len(content):
        kind, size = struct.unpack_from(f"{order}II", content, place)
        variable = content[place : place + TAG + size]
        if kind == COMPRESSED:
            variable = memoryview(_unpacked(variable[TAG:], left))
            left -= len(variable)
        _Walk(variable, order).matrix(0)
        place += TAG + size


def _unpacked(packed: memoryview, left: int) -> bytes:
    """A packed variable. StructureError where it is damaged, or larger than what is left of a file's share."""
    unpacking = zlib.decompressobj()
    try:
        content = unpacking.decompress(packed, left + 1)
    except zlib.error as error:
        raise StructureError(f"a packed variable is damaged: {error}") from error
    if len(content) > left:
        raise StructureError(f"unpacks to more than {MOST_UNPACKED:,} bytes, which no data set does")
    return content


@dataclass
class _Walk:
    """A way through the elements of one variable, `place` being the next byte."""

    content: memoryview
    order: str
    place: int = 0

    def matrix(self, depth: int) -> None:
        """Pass an array with all that is in it."""
        kind, size = self._words("II")
        if kind != MATRIX:
            raise StructureError(f"an element of type {kind} where an array should be")
        if size == 0:
            return
        if depth > DEEPEST:
            raise StructureError(f"cells within cells, more than {DEEPEST} deep")
        _, _, flags, _ = self._words("IIII")
        if flags & 0xFF == OPAQUE:
            for _ in range(3):
                self._element(NAMES)
            self.matrix(depth + 1)
            return
        count = self._count()
        self._element(NAMES)  # its name
        self._values(flags, count, depth)

    def _values(self, flags: int, count: int, depth: int) -> None:
        kind, parts = flags & 0xFF, 2 if flags & COMPLEX else 1
        if kind in NUMERIC or kind == SPARSE:
            for _ in range(parts + (2 if kind == SPARSE else 0)):
                self._element(NUMBERS)
        elif kind == CHAR:
            size = self._element(TEXTS)
            if count > max(size, BLANKS):
                raise StructureError(f"a text of {count:,} letters in {size:,} bytes")
        elif kind in (CELL, FUNCTION):
            self._matrices(count if kind == CELL else 1, depth)
        elif kind in (STRUCT, OBJECT):
            if kind == OBJECT:
                self._element(NAMES)
            self._matrices(count * self._fields(), depth, count)
        else:
            raise StructureError(f"an array of class {kind}")

    def _matrices(self, number: int, depth: int, elements: int = 0) -> None:
        """Pass so many arrays, for each of which there must be a tag at least."""
        if max(number, elements - 1) > (len(self.content) - self.place) // TAG:
            raise StructureError(f"{max(number, elements):,} cells in {len(self.content):,} bytes")
        for _ in range(number):
            self.matrix(depth + 1)

    def _fields(self) -> int:
        """How many members a struct has."""
        size = self._element(SIDES)
        (length,) = struct.unpack_from(f"{self.order}i", self.content, self._last) if size == 4 else (0,)
        names = self._element(NAMES)
        if length < 1:
            raise StructureError(f"members with names of {length} letters")
        return names // int(length)

    def _count(self) -> int:
        """How many elements an array has."""
        size = self._element(SIDES)
        if size % 4 or not 0 < size <= 4 * MOST_DIMENSIONS:
            raise StructureError(f"dimensions of {size} bytes")
        sides = struct.unpack_from(f"{self.order}{size // 4}i", self.content, self._last)
        if min(sides) < 0:
            raise StructureError(f"an array of shape {sides}")
        return math.prod(sides)

    _last: int = 0
    """Where the values of the element begin that was passed last."""

    def _element(self, kinds: frozenset[int]) -> int:
        """Pass an element of one of these types; the number of its bytes."""
        kind, size = self._words("II")
        small = kind >> 16
        if small:
            kind, size, self._last = kind & 0xFFFF, small, self.place - 4
        else:
            self._last = self.place
            self.place += size + -size % TAG
        if kind not in kinds or (small and size > 4) or self._last + size > len(self.content):
            raise StructureError(f"an element of type {kind} and {size:,} bytes")
        return size

    def _words(self, form: str) -> tuple[int, ...]:
        """Pass so many whole numbers of 32 bits."""
        if self.place + 4 * len(form) > len(self.content):
            raise StructureError("its end where more should follow")
        self.place += 4 * len(form)
        return struct.unpack_from(self.order + form, self.content, self.place - 4 * len(form))
