"""The files of a training's folder: none is ever seen half written, none is written into once it has its name."""

import re
import shutil
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from salbench import locks
from salbench.atomic import replacing
from salbench.errors import RunError


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

    RunError where one does. Killed processes hold nothing; where the system has no such locks, all go without.
    """
    with ExitStack() as stack:
        with made_ready(folder):
            stack.enter_context(locks.held(folder, "trains in"))
        yield


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
