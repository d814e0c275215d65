"""salbench: the benchmark suite for visual saliency.

Everything that the command line does is a call: `score`, `predict`, `train`, `make_table` and `render`, `make_folder`,
`open_dataset`. The metrics are functions of `salbench.metrics`, operations on maps of `salbench.maps`.
Names are imported on first use, so that `import salbench` is quick and needs no PyTorch.
"""

from importlib import import_module
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from salbench.datasets.make_folder import make_folder
    from salbench.datasets.registry import open_dataset
    from salbench.prediction import predict
    from salbench.result_file import write_results
    from salbench.scoring.run_folder import Run, open_run
    from salbench.scoring.runner import score
    from salbench.tables import make_table, render
    from salbench.training import train

__version__ = version("salbench")

_PLACES = {
    "Run": "salbench.scoring.run_folder",
    "make_folder": "salbench.datasets.make_folder",
    "make_table": "salbench.tables",
    "open_dataset": "salbench.datasets.registry",
    "open_run": "salbench.scoring.run_folder",
    "predict": "salbench.prediction",
    "render": "salbench.tables",
    "score": "salbench.scoring.runner",
    "train": "salbench.training",
    "write_results": "salbench.result_file",
}

__all__ = [
    "Run",
    "__version__",
    "make_folder",
    "make_table",
    "open_dataset",
    "open_run",
    "predict",
    "render",
    "score",
    "train",
    "write_results",
]


def __getattr__(name: str) -> Any:
    if name not in _PLACES:
        raise AttributeError(f"module 'salbench' has no attribute {name!r}")
    return getattr(import_module(_PLACES[name]), name)


def __dir__() -> list[str]:
    return sorted(__all__)
