"""The files of a training's folder: none is ever seen half written, none is written into once it has its name."""

import shutil
from pathlib import Path

from salbench.atomic import replacing
from salbench.errors import RunError


def prepare_folder(folder: Path) -> None:
    """Make a folder, and rid it of what killed writes left. RunError where it cannot be made."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise RunError(f"{folder} cannot be made: {error}") from error
    for leftover in folder.glob(".*.tmp"):
        leftover.unlink(missing_ok=True)


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
