"""Paths as callers give them."""

import os
from pathlib import Path

PathLike = str | os.PathLike[str]
"""Anything that names a file or folder."""


def optional_path(value: PathLike | None) -> Path | None:
    """The path, or None for None."""
    return None if value is None else Path(value)
