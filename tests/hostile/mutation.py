"""Files damaged on purpose: bits flipped, parts cut out, doubled or put in, files spliced, lengths set to extremes.

The same seed gives the same files, so that one that a reader chokes on can be made again.
"""

import random
import struct
import zlib
from collections.abc import Callable, Iterator, Sequence

STEPS = (1, 1, 1, 2, 4)
"""Damages in one file: with many of them a reader stops at the first, and never sees what lies behind."""
LONGEST = 64
"""Bytes of a short part that is cut out, doubled or overwritten."""

Edit = Callable[[bytearray, random.Random], None]


def mutants(seeds: Sequence[bytes], start: int, stop: int, name: str) -> Iterator[bytes]:
    """Damaged files number `start` to `stop - 1` of these whole ones; `name` decides, with its number, on each."""
    for number in range(start, stop):
        rng = random.Random(f"{name} {number}")  # noqa: S311 - luck, no secret
        content = bytearray(rng.choice(seeds))
        if len(seeds) > 1 and rng.random() < 0.1:
            content = spliced(content, rng.choice(seeds), rng)
        for _ in range(rng.choice(STEPS)):
            rng.choice(EDITS)(content, rng)
        yield bytes(content)


def spliced(content: bytearray, other: bytes, rng: random.Random) -> bytearray:
    """The beginning of one file with the end of another."""
    return content[: _place(content, rng)] + other[_place(other, rng) :]


def flip_bit(content: bytearray, rng: random.Random) -> None:
    """One bit, more often near the beginning, where headers are."""
    if content:
        content[_place(content, rng)] ^= 1 << rng.randrange(8)


def set_byte(content: bytearray, rng: random.Random) -> None:
    """One byte to an extreme value."""
    if content:
        content[_place(content, rng)] = rng.choice((0, 1, 127, 128, 255, 10, 34, 44, 45, 46, 91, 123))


def cut_off(content: bytearray, rng: random.Random) -> None:
    """The end is missing."""
    del content[rng.randrange(len(content) + 1) :]


def cut_out(content: bytearray, rng: random.Random) -> None:
    """A part is missing."""
    place = _place(content, rng)
    del content[place : place + rng.randint(1, LONGEST)]


def double(content: bytearray, rng: random.Random) -> None:
    """A part comes twice, or many times."""
    place, length = _place(content, rng), rng.randint(1, LONGEST)
    content[place:place] = content[place : place + length] * rng.choice((1, 1, 2, 100))


def put_in(content: bytearray, rng: random.Random) -> None:
    """Random bytes are put in."""
    place = _place(content, rng)
    content[place:place] = rng.randbytes(rng.randint(1, LONGEST))


def overwrite(content: bytearray, rng: random.Random) -> None:
    """A part is replaced by one of the same length from elsewhere in the file."""
    source, target, length = _place(content, rng), _place(content, rng), rng.randint(1, LONGEST)
    part = content[source : source + length]
    content[target : target + len(part)] = part


def set_length(content: bytearray, rng: random.Random) -> None:
    """Four or eight bytes, which may be a length or an offset, become an extreme number in either order of bytes."""
    form = rng.choice(("<I", ">I", "<Q", ">Q", "<H", ">H"))
    most = (1 << 8 * struct.calcsize(form)) - 1
    value = rng.choice((0, 1, most, most // 2, most // 2 + 1, most - 7, len(content), 1 << 16, 50_000)) & most
    place = _place(content, rng)
    if rng.random() < 0.5:
        place -= place % struct.calcsize(form)
    content[place : place + struct.calcsize(form)] = struct.pack(form, value)


def set_number(content: bytearray, rng: random.Random) -> None:
    """A number in a text becomes another one."""
    places = [place for place, byte in enumerate(content[:20_000]) if 48 <= byte <= 57]
    if places:
        first = last = rng.choice(places)
        while last < len(content) and 48 <= content[last] <= 57:
            last += 1
        content[first:last] = rng.choice(
            (b"-1", b"0", b"1e999", b"99999999999999999999", b"NaN", b"null", b'"x"', b"[]", b"{}", b"9" * 5000, b"1.5")
        )


EDITS: tuple[Edit, ...] = (flip_bit, set_byte, cut_off, cut_out, double, put_in, overwrite, set_length, set_number)


def png_mended(content: bytes) -> bytes:
    """A PNG whose chunks have the right check sums again: a decoder would stop at wrong ones and read no further."""
    mended, place = bytearray(content), 8
    while place + 12 <= len(mended):
        length = int.from_bytes(mended[place : place + 4], "big")
        end = place + 8 + length
        if end + 4 > len(mended):
            break
        mended[end : end + 4] = struct.pack(">I", zlib.crc32(mended[place + 4 : end]))
        place = end + 4
    return bytes(mended)


def _place(content: bytes | bytearray, rng: random.Random) -> int:
    """A place in the file; every other one in its first 256 bytes, where headers are."""
    if not content:
        return 0
    return rng.randrange(min(256, len(content)) if rng.random() < 0.5 else len(content))
