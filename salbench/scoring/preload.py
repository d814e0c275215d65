"""The process that workers are forks of. This module imports nothing heavy, so that it can be asked for first.

Workers are started clean: a fork of the driver would copy locks that another thread, of PyTorch or OpenMP, may hold.
Where the system can, a small server imports what workers need, once, beside what the driver does meanwhile.
"""

import multiprocessing

from salbench.environment import variables_set

THREAD_VARIABLES = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
NEEDED = ("salbench.scoring.workers", "salbench.result_file")
"""What the server imports."""
SOLVER = "salbench.metrics.pot"


def start_method() -> str:
    """How workers are started on this system."""
    return "forkserver" if "forkserver" in multiprocessing.get_all_start_methods() else "spawn"


def get_ready(jobs: int, *, emd: bool = False) -> None:
    """Start the server where there will be workers. Call it early; later calls do nothing.

    `emd`: whether EMD will be computed, whose solver takes long to import.
    """
    if jobs > 1 and start_method() == "forkserver":
        from multiprocessing import forkserver  # noqa: PLC0415 - not there on every system

        # Libraries that read these when they are loaded start no threads; a fork copies none.
        with variables_set(dict.fromkeys(THREAD_VARIABLES, "1")):
            multiprocessing.set_forkserver_preload([*NEEDED, *([SOLVER] if emd else [])])
            forkserver.ensure_running()
