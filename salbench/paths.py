"""Paths as callers give them."""

import os
from pathlib import Path

from salbench.errors import UsageError

PathLike = str | os.PathLike[str]
"""Anything that names a file or folder."""


def local_path(value: PathLike) -> Path:
    """The path. UsageError for an address, which would become a folder of its name."""
    if isinstance(value, str) and "://" in value:
        raise UsageError(f"{value!r} is an address; wanted: a path of this machine")
    return Path(value)


def optional_path(value: PathLike | None) -> Path | None:
    """The path, or None for None."""
    return None if value is None else Path(value)
