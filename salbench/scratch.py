"""A folder for what must not outlive this process; what a killed one left of its own is removed by the next.

Imports nothing heavy: the server of worker processes asks for it before all else.
"""

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from multiprocessing.util import Finalize
from pathlib import Path

from salbench.locks import LOCK, abandoned, held

PREFIX = "salbench-"
AFTER_ALL = -200
"""When it is removed: after the folder that multiprocessing has in it, for which -100 is used there."""

_own: Path | None = None


def own_folder() -> Path:
    """The folder of this process, in the system's for temporary files. OSError where none can be made."""
    global _own  # noqa: PLW0603 - a process has one such folder
    if _own is None or not _own.is_dir():
        _remove_orphans()
        _own = Path(tempfile.mkdtemp(prefix=PREFIX)).resolve()
        holding = ExitStack()
        holding.enter_context(held(_own))
        Finalize(None, _remove, args=(_own, holding), exitpriority=AFTER_ALL)
    return _own


@contextmanager
def temporary_files_inside() -> Iterator[None]:
    """What the block makes by `tempfile` lies in the folder of this process."""
    before = tempfile.tempdir
    tempfile.tempdir = str(own_folder())
    try:
        yield
    finally:
        tempfile.tempdir = before


def _remove(folder: Path, holding: ExitStack) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    holding.close()


def _remove_orphans() -> None:
    """Remove folders whose process was killed: it has signed their lock, and does not hold it any more."""
    for lock in Path(tempfile.gettempdir()).glob(f"{PREFIX}????????/{LOCK}"):
        with suppress(OSError):
            mine = lock.stat().st_uid == os.getuid() if hasattr(os, "getuid") else False
            if mine and abandoned(lock.parent):
                shutil.rmtree(lock.parent, ignore_errors=True)
