"""Arrays of HDF5 files, taken as hostile: a few kilobytes may claim terabytes, or show another file's content."""

import os
import subprocess
import sys
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from salbench.errors import DataError

if TYPE_CHECKING:
    import h5py

MOST_BYTES = 1 << 30
"""Of one array, unpacked; more are no recording of people."""
SECONDS, PATIENCE = 20, 900
"""Of computing for a trial, many times what the largest known file takes; of waiting, where others compute as well."""
TRIAL = """
import sys
from importlib import import_module
from pathlib import Path

try:
    import resource
    resource.setrlimit(resource.RLIMIT_CPU, (int(sys.argv[4]), int(sys.argv[4])))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
except ImportError:
    pass
read = getattr(import_module(sys.argv[1]), sys.argv[2])
try:
    read(Path(sys.argv[3]))
except Exception:
    pass
"""
"""A program that reads a file, and ends well unless it is ended."""


def own_array(file: "h5py.File", name: str, path: Path) -> "h5py.Dataset":
    """The array of that name. DataError where it is none, or lies in another file."""
    import h5py  # noqa: PLC0415 - heavy, and for such files alone

    if not isinstance(file.get(name, getlink=True), h5py.HardLink):
        raise DataError(f"{path}: has no {name} of its own; fetch it again, or store it again")
    return checked_array(file[name], name, path)


def checked_array(member: Any, name: str, path: Path) -> "h5py.Dataset":
    """What was found under that name. DataError where it is no array, too large, or lies in another file."""
    import h5py  # noqa: PLC0415 - as above

    if not isinstance(member, h5py.Dataset) or member.is_virtual or member.external or member.shape is None:
        raise DataError(f"{path}: {name} is no array of this file's own")
    if member.size * member.dtype.itemsize > MOST_BYTES:
        raise DataError(f"{path}: {name} claims {member.size:,} times {member.dtype}, which is no recording")
    return member


def survives(read: Callable[[Path], object], path: Path) -> None:
    """DataError where HDF5's library hangs or dies in reading a damaged file, as it does: tried in another process.

    `read`: a function of a module that does the reading; whether it likes the content is not asked here.
    """
    if path.is_file():
        state = path.stat()
        _tried(read.__module__, read.__qualname__, path.absolute(), state.st_mtime_ns, state.st_size)


@lru_cache(maxsize=64)
def _tried(module: str, name: str, path: Path, *state: int) -> None:
    """`state`: what tells a file that changed from the one that was tried."""
    del state
    if not sys.executable:  # Python is part of another program
        return
    words = [sys.executable, "-c", TRIAL, module, name, str(path), str(SECONDS)]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    try:
        code = subprocess.run(words, env=environment, capture_output=True, timeout=PATIENCE, check=False).returncode
    except subprocess.TimeoutExpired:
        code = -1
    if code:
        raise DataError(f"{path}: cannot be read as HDF5: the library hangs or dies; fetch it again, or store it again")
