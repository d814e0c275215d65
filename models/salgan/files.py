"""The files of a training's folder: none is ever seen half written, none is written into once it has its name."""

import re
import shutil
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import IO

from salbench.atomic import replacing
from salbench.errors import RunError

LOCK = ".lock"
"""Held by the process that trains into a folder; the file itself stays, and means nothing."""


def prepare_folder(folder: Path, scratch: re.Pattern[str]) -> None:
    """Make a folder, and rid it of what killed writes left: files of names that are `scratch`, and no others.

    RunError where that cannot be done.
    """
    with made_ready(folder):
        folder.mkdir(parents=True, exist_ok=True)
        for leftover in [path for path in folder.iterdir() if scratch.fullmatch(path.name)]:
            leftover.unlink(missing_ok=True)


@contextmanager
def held(folder: Path) -> Iterator[None]:
    """A folder, made where it is not there, that no other process trains into within the block.

    RunError at once where one does. Killed processes hold nothing; where the system has no such locks, all go without.
    """
    with ExitStack() as stack:
        with made_ready(folder):
            folder.mkdir(parents=True, exist_ok=True)
            file = stack.enter_context((folder / LOCK).open("ab"))
        lock(file, folder)
        yield


def lock(file: IO[bytes], folder: Path) -> None:
    """Lock an open file of a folder until it is closed. RunError where another one has it."""
    try:
        import fcntl  # noqa: PLC0415 - Windows has none
    except ImportError:
        return
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        raise RunError(f"another process trains in {folder}; wait for its end, or train into another folder") from error
    except OSError:  # a file system without locks
        return


@contextmanager
def made_ready(folder: Path) -> Iterator[None]:
    """RunError that names a folder for what the system raises in the block."""
    try:
        yield
    except OSError as error:
        raise RunError(f"{folder} cannot be made ready: {error}") from error


def copy_whole(source: Path, target: Path) -> None:
    """Give a file a second name, as a copy that stays when the first name is given to another file.

    Since files are only ever replaced, a hard link is such a copy and costs no space; where the file system has none,
    the bytes are copied.
    """
    with replacing(target) as scratch:
        scratch.unlink()
        try:
            scratch.hardlink_to(source)
        except OSError:
            shutil.copyfile(source, scratch)
