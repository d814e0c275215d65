"""The process that workers are forks of. This module imports nothing heavy, so that it can be asked for first.

Workers are started clean: a fork of the driver would copy locks that another thread, of PyTorch or OpenMP, may hold.
Where the system can, a small server imports what workers need, once, beside what the driver does meanwhile.
"""

import multiprocessing
import signal
from collections.abc import Iterator
from contextlib import contextmanager

from salbench.environment import variables_set
from salbench.scratch import temporary_files_inside

THREAD_VARIABLES = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
NEEDED = (
    "salbench.scoring.workers",
    "salbench.metrics.pot",
    "scipy.fft",
    "scipy.sparse",
    "scipy.spatial",
    "PIL.PngImagePlugin",
)
"""What the server imports."""


_method: str | None = None


def start_method() -> str:
    """How workers are started: as forks of the server, or anew where the system has none or could not start it."""
    return _method or ("forkserver" if "forkserver" in multiprocessing.get_all_start_methods() else "spawn")


def get_ready(jobs: int, *, apart: bool = False) -> None:
    """Start the server where there will be workers: for more than one job, or for one that is done `apart`.

    Call it early; later calls do nothing.
    """
    global _method  # noqa: PLW0603 - a process has one server
    if not (jobs > 1 or apart) or start_method() != "forkserver":
        return
    from multiprocessing import forkserver, resource_tracker  # noqa: PLC0415 - not there on every system

    resource_tracker.ensure_running()  # before: its start would end the block of interrupts that the server needs
    # Libraries that read these when they are loaded start no threads; a fork copies none.
    with variables_set(dict.fromkeys(THREAD_VARIABLES, "1")), interrupts_held_back():
        multiprocessing.set_forkserver_preload(list(NEEDED))
        try:
            with temporary_files_inside():  # its socket, which a killed process leaves behind
                forkserver.ensure_running()
        except OSError:  # its socket's path can be too long for the system, as below a long TMPDIR
            _method = "spawn"


@contextmanager
def interrupts_held_back() -> Iterator[None]:
    """Ctrl-C reaches every process of the terminal; one that is started meanwhile inherits the block, stays quiet, and
    leaves with its driver.
    """
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
