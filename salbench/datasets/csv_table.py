"""CSV tables as pandas reads them, without its guesses about rows that do not fit the header."""

import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any

from salbench.errors import DataError

if TYPE_CHECKING:
    import pandas as pd


def read_table(path: Path, **options: Any) -> "pd.DataFrame":
    """A table with a header; `options` are those of `pandas.read_csv`.

    Raises DataError, naming the file, where it is no CSV or has a row with more fields than the header: left to itself,
    pandas would take the first column for an index and shift all others.
    """
    import pandas as pd  # noqa: PLC0415 - heavy, and data sets of other kinds do without

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", pd.errors.ParserWarning)
            table: pd.DataFrame = pd.read_csv(path, index_col=False, skipinitialspace=True, compression=None, **options)
    except pd.errors.ParserWarning as error:
        raise DataError(f"{path}: has rows with more fields than its header") from error
    except Exception as error:
        raise DataError(f"{path}: cannot be read as CSV ({error})") from error
    return table
