"""The files of a training's folder: none is ever seen half written, none is written into once it has its name."""

import re
import shutil
from pathlib import Path

from salbench.atomic import replacing
from salbench.errors import RunError


def prepare_folder(folder: Path, scratch: re.Pattern[str]) -> None:
    """Make a folder, and rid it of what killed writes left: files of names that are `scratch`, and no others.

    RunError where that cannot be done.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for leftover in [path for path in folder.iterdir() if scratch.fullmatch(path.name)]:
            leftover.unlink(missing_ok=True)
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
