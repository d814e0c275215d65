"""Errors that a user can cause and mend. The command line prints their text, never a traceback."""

from collections.abc import Iterator
from contextlib import contextmanager

GPU_MEMORY = "OutOfMemoryError"
"""The name of what torch raises where a GPU's memory does not do; it is no MemoryError, and not all have torch."""


class SalbenchError(Exception):
    """Base of every error that salbench raises on purpose; `exit_code` is what the command line ends with."""

    exit_code = 1


class UsageError(SalbenchError, ValueError):
    """A request that cannot be carried out as it was put: an unknown name, options that exclude each other."""

    exit_code = 2


class ShapeError(SalbenchError, ValueError):
    """An array whose dimensions or size do not fit."""


class ValueRangeError(SalbenchError, ValueError):
    """An array whose values cannot be what the argument stands for."""


class DataError(SalbenchError):
    """A file that is missing, unreadable or not what it should be; the text names the file and the mend."""


class RunError(SalbenchError):
    """A run folder that cannot be used: of another plan, incomplete, or damaged."""


class WriteError(RunError):
    """A file of a run that cannot be written: the disk is full, or read-only."""


@contextmanager
def going_on(file: object) -> Iterator[None]:
    """WriteError, with the mend, for what the system raises while a file is written of a run that can be continued.

    `file`: what is written, or where, as it is told.
    """
    try:
        yield
    except OSError as error:
        raise WriteError(
            f"{file} cannot be written ({error.strerror or error}); what was finished is kept: make room, or let it be "
            "written, and run the same command again"
        ) from error


def is_lack_of_memory(error: BaseException | None) -> bool:
    """Whether an error is one of memory, or was raised for one: a reader takes what it cannot read for damaged."""
    while error is not None:
        if isinstance(error, MemoryError) or any(kind.__name__ == GPU_MEMORY for kind in type(error).__mro__):
            return True
        error = error.__cause__ or error.__context__
    return False
