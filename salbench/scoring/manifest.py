"""`run.json`: everything needed to repeat a run, and the check sums of what went into it."""

import hashlib
import platform
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from salbench.datasets.dataset import Dataset
from salbench.datasets.stimulus import Stimulus
from salbench.map_folder import MapFolder
from salbench.models import Model, registry
from salbench.protocols import Protocol
from salbench.scoring.run_folder import FORMAT
from salbench.scoring.stimulus_score import ModelSource

_PACKAGES = ("numpy", "scipy", "POT", "opencv-python-headless", "pillow", "pandas", "pyarrow", "torch")


def describe_run(
    *,
    model: Model,
    source: ModelSource,
    dataset: Dataset,
    split: str,
    stimuli: Sequence[Stimulus],
    fixations_digest: str,
    protocol: Protocol,
    metrics: Sequence[str],
    blur_sigma: float | None,
    seed: int,
) -> dict[str, Any]:
    """The content of `run.json`, as JSON types."""
    return {
        "format": FORMAT,
        "salbench": installed_version("salbench"),
        "model": _describe_model(model, source),
        "dataset": {"key": dataset.key, "title": dataset.title, "split": split, "n": len(stimuli)},
        "protocol": {
            "key": protocol.key,
            "label": protocol.label,
            "blur_sigma": blur_sigma,
            "blur": protocol.describe_blur(blur_sigma),
        },
        "metrics": list(metrics),
        "seed": seed,
        "inputs": {"fixations": fixations_digest, **_model_inputs(model, source, stimuli)},
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        "command": [Path(sys.argv[0]).name, *sys.argv[1:]],
        "versions": _versions(),
    }


def digest_file(path: Path) -> str:
    """SHA-256 of a file's content."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def installed_version(package: str) -> str | None:
    """The version of an installed distribution, None where there is none."""
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def _describe_model(model: Model, source: ModelSource) -> dict[str, Any]:
    card = model.card
    return {
        "package": registry().package(source.name) if source.name is not None else None,
        "key": card.name,
        "title": card.title,
        "citation": card.citation,
        "trained_on": list(card.trained_on),
        "uses_ground_truth": card.uses_ground_truth,
    }


def _model_inputs(model: Model, source: ModelSource, stimuli: Sequence[Stimulus]) -> dict[str, str]:
    if isinstance(model, MapFolder):
        return {"predictions": model.digest(stimulus.id for stimulus in stimuli)}
    if source.checkpoint is not None:
        return {"checkpoint": digest_file(source.checkpoint)}
    return {}


def _versions() -> dict[str, str | None]:
    found = {package: installed_version(package) for package in _PACKAGES}
    return {"python": platform.python_version(), "platform": platform.platform(), **found}
