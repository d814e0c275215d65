"""Archives unpacked as the hostile input that any file is: nothing lands outside, nothing is larger than announced."""

import json
import lzma
import shutil
import stat
import struct
import zipfile
import zlib
from collections.abc import Sequence
from pathlib import Path, PurePosixPath

from salbench.atomic import write_text
from salbench.errors import DataError
from salbench.progress import Progress

MOST_FILES = 1_000_000
MOST_BYTES = 256 << 30
MOST_TIMES = 1000
"""How many times its packed size a file may have; pictures have hardly more than one."""
BLOCK = 1 << 20
METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
"""Those that Python unpacks no further than it is asked to, in little memory."""
JUNK = frozenset({"__MACOSX", ".svn", ".DS_Store", "Thumbs.db"})
DAMAGE = (
    zipfile.BadZipFile,
    EOFError,
    IndexError,
    MemoryError,
    NotImplementedError,
    RuntimeError,
    ValueError,
    struct.error,
    zlib.error,
    lzma.LZMAError,
)
"""What Python's zipfile raises for a damaged archive, by the place of the damage; beside it OSError."""
RECORDS = ".salbench"
"""Folder, in the data set's, of what says which archives were unpacked."""


def is_unpacked(root: Path, name: str) -> bool:
    """Whether an archive of that name was unpacked into a folder to its end."""
    return (root / RECORDS / f"{name}.json").is_file()


def unpack(archive: Path, root: Path, makes: Sequence[str], progress: Progress, *, name: str | None = None) -> None:
    """Unpack a zip archive such that `makes`, paths below `root`, are there whole or not at all.

    `name`: of the archive, where its file has another. DataError for an archive that is damaged, that reaches outside,
    that is larger than it says or than anything known, or that does not hold `makes`; and where these are there
    already, but not from this archive.
    """
    label = name or archive.name
    moving = root / RECORDS / f"{label}.moving"
    there = [entry for entry in makes if (root / entry).exists()]
    if there and not moving.exists():
        raise DataError(
            f"{root / there[0]} is there already, and not from {label}; move it away, or leave this archive out"
        )
    scratch = root / RECORDS / f"{label}.unpacking"
    shutil.rmtree(scratch, ignore_errors=True)
    try:
        _extract(archive, scratch, progress)
        _move(scratch, root, makes, moving, archive)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    write_text(root / RECORDS / f"{label}.json", json.dumps({"archive": label, "makes": list(makes)}) + "\n")
    moving.unlink(missing_ok=True)


def _move(scratch: Path, root: Path, makes: Sequence[str], moving: Path, archive: Path) -> None:
    missing = [entry for entry in makes if not (scratch / entry).exists()]
    if missing:
        found = ", ".join(sorted(path.name for path in scratch.iterdir())[:10]) or "nothing"
        raise DataError(f"{archive}: does not hold {missing[0]}; it holds {found}")
    write_text(moving, "\n".join(makes) + "\n")
    for entry in makes:
        target = root / entry
        if target.is_dir():
            shutil.rmtree(target)
        target.parent.mkdir(parents=True, exist_ok=True)
        (scratch / entry).replace(target)


def _extract(archive: Path, scratch: Path, progress: Progress) -> None:
    try:
        with zipfile.ZipFile(archive) as opened:
            members = [one for one in opened.infolist() if not one.is_dir() and not JUNK & set(_parts(one, archive))]
            _check_sizes(members, archive, scratch)
            progress.start(f"unpacking {archive.name}", len(members))
            for member in members:
                _extract_one(opened, member, scratch.joinpath(*_parts(member, archive)), archive)
                progress.advance()
    except DAMAGE as error:
        raise DataError(f"{archive}: is damaged, or no zip archive ({error}); fetch it again") from error
    except OSError as error:  # of places beyond the archive's end, names that clash or no disk takes, or a full disk
        raise DataError(
            f"{archive}: cannot be unpacked ({error}); make room where it lacks, or fetch it again"
        ) from error
    finally:
        progress.finish()


def _parts(member: zipfile.ZipInfo, archive: Path) -> tuple[str, ...]:
    """The parts of a member's path. DataError for one that is no plain path below its folder, or no plain file."""
    name = member.filename
    parts = PurePosixPath(name).parts
    mode = member.external_attr >> 16
    special = mode and stat.S_IFMT(mode) not in (0, stat.S_IFREG, stat.S_IFDIR)
    wild = name.startswith("/") or "\\" in name or ":" in name or ".." in parts or not name.isprintable() or not parts
    if wild or special:
        raise DataError(f"{archive}: holds {name!r}, which would not stay in its folder; nothing was unpacked")
    return parts


def _check_sizes(members: Sequence[zipfile.ZipInfo], archive: Path, scratch: Path) -> None:
    """DataError for more than there is room for, or than any archive of pictures has."""
    total = sum(member.file_size for member in members)
    wild = next((one for one in members if one.file_size > MOST_TIMES * max(one.compress_size, 1)), None)
    if len(members) > MOST_FILES or total > MOST_BYTES or wild is not None:
        what = f"{wild.filename!r} of {wild.file_size:,} bytes" if wild is not None else f"{total:,} bytes"
        raise DataError(f"{archive}: would unpack to {what} in {len(members):,} files, which no data set does")
    odd = next((one for one in members if one.compress_type not in METHODS), None)
    if odd is not None:
        raise DataError(f"{archive}: packs {odd.filename!r} by method {odd.compress_type}, which no data set does")
    scratch.mkdir(parents=True)
    free = shutil.disk_usage(scratch).free
    if total > free:
        raise DataError(f"{archive}: unpacks to {total:,} bytes, but there is room for {free:,}. Make room first")


def _extract_one(opened: zipfile.ZipFile, member: zipfile.ZipInfo, target: Path, archive: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    left = member.file_size
    with opened.open(member) as source, target.open("xb") as file:
        while block := source.read(BLOCK):
            left -= len(block)
            if left < 0:
                raise DataError(f"{archive}: {member.filename!r} is larger than it says; nothing was unpacked")
            file.write(block)
