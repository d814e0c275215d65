"""MATLAB files, read as the hostile input that any file is: no object is made of them, and no size is believed."""

from pathlib import Path
from typing import Any

import numpy as np
import scipy

from salbench.datasets.mat_structure import check_structure
from salbench.errors import DataError

MAX_BYTES = 1 << 30
"""A larger file is no data set's; the largest known has 150 MB."""


def read_mat(path: Path, what: str) -> dict[str, Any]:
    """The variables of a MATLAB file of version 4 to 7, by name. `what`: what the file should hold, for messages.

    DataError, naming the file, where it is missing, too large, packed or not, damaged or of version 7.3 (HDF5).
    """
    try:
        size = path.stat().st_size
        if size > MAX_BYTES:
            raise DataError(f"{path}: {size:,} bytes; at most {MAX_BYTES:,} are read")
        check_structure(path)
        content = scipy.io.loadmat(path)
    except FileNotFoundError:
        raise DataError(f"{path}: no such file; wanted: {what}") from None
    except DataError:
        raise
    except Exception as error:  # SciPy raises errors of any kind for a damaged file
        raise DataError(
            f"{path}: cannot be read as {what} ({type(error).__name__}: {error}); fetch it again"
        ) from error
    return {name: value for name, value in content.items() if not name.startswith("__")}


def variable(content: dict[str, Any], name: str, path: Path) -> Any:
    """A variable by name. DataError, naming those that are there, where it is not."""
    if name not in content:
        there = ", ".join(sorted(content)) or "nothing"
        raise DataError(f"{path}: has no variable {name!r}; there: {there}")
    return content[name]


def points_of(values: Any, columns: int, path: Path, what: str) -> "np.ndarray[Any, np.dtype[np.float64]]":
    """A numeric (n, columns) array as float64; an empty one of any shape has no rows. DataError for anything else."""
    array = np.asarray(values)
    if array.dtype.kind not in "buif":
        raise DataError(f"{path}: {what} are no numbers")
    if array.size == 0:
        return np.zeros((0, columns))
    if array.ndim != 2 or array.shape[1] < columns:
        raise DataError(f"{path}: {what} have shape {array.shape}; wanted: (n, {columns})")
    return array[:, :columns].astype(np.float64)
