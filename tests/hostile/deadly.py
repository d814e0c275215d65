"""Reads that end their process, or never end, for the trial that has to outlive them."""

import os
import signal
from pathlib import Path


def dies(path: Path) -> None:
    """As a library does that follows a wild pointer."""
    os.kill(os.getpid(), signal.SIGKILL)


def hangs(path: Path) -> None:
    """As one does that goes round in a circle."""
    while True:
        pass


def refuses(path: Path) -> None:
    """As one does that notices."""
    raise OSError(str(path))
