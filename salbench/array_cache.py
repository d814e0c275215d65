"""Arrays that are made once per machine: files named by what went into them, safe under any number of processes.

The folder is `$SALBENCH_CACHE`, by default `salbench` in the platform's cache folder; set to an empty text nothing
outlives the process. It can be deleted at any time.
"""

import math
import os
import re
import tempfile
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import numpy as np
import platformdirs

from salbench.arrays import FloatArray
from salbench.atomic import write_array
from salbench.errors import UsageError
from salbench.scratch import own_folder

FOLDER_VARIABLE, LIMIT_VARIABLE = "SALBENCH_CACHE", "SALBENCH_CACHE_GIB"
DEFAULT_LIMIT_GIB = 8.0
KEPT_SECONDS = 24 * 3600
"""A file used within a day is never removed to make room: a split larger than the limit would push itself out."""
SMALL = 1 << 16
"""Bytes up to which a file is quicker read than mapped."""
CLOSE = 1e-12
"""Relative difference up to which two sums of one array count as equal; NumPy's order of adding is its own."""


_OWN = re.compile(r"[0-9a-f]{2}/(\.?[0-9a-f]{64}\.(npy|pixels)(\.[0-9a-f]{8}\.tmp)?)")
"""Folder and name of a file of the cache, whole or half-written."""


@dataclass
class ArrayCache:
    """Two-dimensional float64 arrays on disk, by key. `limit`: bytes, above which nothing is added.

    It travels to worker processes; each keeps its own account of the size, which is therefore not exact.
    """

    folder: Path
    limit: int
    _size: int | None = field(default=None, init=False, repr=False)

    def get(self, key: str, make: Callable[[], FloatArray]) -> FloatArray:
        """The array of a key (hexadecimal digits), made and stored where it is not there; read-only.

        A stored array is mapped, not read: what nobody looks at is never loaded. One that does not have the sum that
        was stored with it is made anew. A full or read-only disk costs the time to make it, nothing else.
        """
        path = self.path(key, ".npy")
        stored = _load(path)
        if stored is not None:
            with suppress(OSError):
                os.utime(path)
            return stored
        made = make()
        self._store(path, made)
        made.flags.writeable = False
        return made

    def path(self, key: str, suffix: str) -> Path:
        """Where the file of a key lies."""
        return self.folder / key[:2] / f"{key}{suffix}"

    def trim(self) -> None:
        """Remove what was not used for a day, oldest first, until the limit is kept. For the driver, once a run.

        What a killed process left half-written is removed at any size.
        """
        unused = sorted(
            (file for file in self._files() if file[1] < time.time() - KEPT_SECONDS), key=lambda file: file[1]
        )
        excess = sum(size for _, _, size in self._files()) - self.limit
        for path, _, size in unused:
            if excess > 0 or path.suffix == ".tmp":
                with suppress(OSError):
                    path.unlink()
                    excess -= size

    def _files(self) -> list[tuple[Path, float, int]]:
        """Path, time of last use and size of every file of the cache; whatever else lies there is not its own."""
        found = []
        for path in self.folder.glob("??/*"):
            if not _OWN.fullmatch(f"{path.parent.name}/{path.name}"):
                continue
            with suppress(OSError):
                status = path.stat()
                found.append((path, status.st_mtime, status.st_size))
        return found

    def _store(self, path: Path, array: FloatArray) -> None:
        if self._size is None:
            self._size = sum(size for _, _, size in self._files())
        if self._size + array.nbytes > self.limit:
            return
        with suppress(OSError):
            # Two rows more than the map: its sum, and ones, which a file full of zeros does not have.
            checked = np.concatenate([array, np.full((1, array.shape[1]), array.sum()), np.ones((1, array.shape[1]))])
            write_array(path, checked, durable=False)
            self._size += checked.nbytes


def _load(path: Path) -> FloatArray | None:
    """The array of a file; None where there is none or it is damaged."""
    try:
        return _checked(path)
    except Exception:  # NumPy's reader raises errors of many kinds for a damaged header
        return None


def _checked(path: Path) -> FloatArray | None:
    mode: Literal["r"] | None = "r" if path.stat().st_size > SMALL else None
    stored = np.load(path, mmap_mode=mode, allow_pickle=False)
    if not isinstance(stored, np.ndarray) or stored.ndim != 2 or stored.dtype != np.float64 or stored.shape[0] < 3:
        return None
    array: FloatArray = np.asarray(stored)[:-2]
    array.flags.writeable = False
    whole = stored[-1, -1] == 1 and math.isclose(float(array.sum()), float(stored[-2, 0]), rel_tol=CLOSE, abs_tol=0.0)
    return array if whole else None


def open_cache() -> ArrayCache:
    """The cache of this machine. UsageError for a limit that is no number.

    Where there is no folder that can be written, one that ends with the process, in which no array is kept.
    """
    limit = _limit()
    folder = _named_folder()
    if folder is None or not _writable(folder):
        return passing_cache()
    return ArrayCache(folder.resolve(), limit)


def passing_cache() -> ArrayCache:
    """A cache in a folder that is removed when this process ends; it keeps no array."""
    folder = own_folder() / "cache"  # of its own: whoever empties it must not take the other files of this process
    folder.mkdir(exist_ok=True)
    return ArrayCache(folder, 0)


def _named_folder() -> Path | None:
    """The folder that the environment names, or the platform's; None where it names none or nobody has a home."""
    named = os.environ.get(FOLDER_VARIABLE)
    if named == "":
        return None
    try:
        return Path(named).expanduser() if named else platformdirs.user_cache_path("salbench", appauthor=False)
    except RuntimeError:
        return None


def _limit() -> int:
    text = os.environ.get(LIMIT_VARIABLE, "") or str(DEFAULT_LIMIT_GIB)
    try:
        limit = float(text)
    except ValueError:
        limit = math.nan
    if not 0 <= limit < math.inf:
        raise UsageError(f"{LIMIT_VARIABLE} is {text!r}; wanted: a number of GiB")
    return int(limit * 2**30)


def _writable(folder: Path) -> bool:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            return True
    except OSError:
        return False
