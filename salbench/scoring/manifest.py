"""`run.json`: everything needed to repeat a run, and the check sums of what went into it."""

import hashlib
import platform
import sys
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from salbench.datasets.dataset import Dataset
from salbench.datasets.stimulus import Stimulus
from salbench.densities import CentrePriorFit
from salbench.digests import digest_file
from salbench.map_folder import MapFolder
from salbench.models import Model, RepeatedModel, TrainedModel, registry
from salbench.protocols import Protocol
from salbench.protocols.log_density import MapChoice
from salbench.result_file import ResultFile
from salbench.scoring.run_folder import FORMAT
from salbench.scoring.stimulus_score import ModelSource

IG_BASELINE = "centre prior: blurred fixations of all other images of the split"
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
    maps: MapChoice,
    prior: CentrePriorFit | None,
    metrics: Sequence[str],
    blur_sigma: float | None,
    seed: int,
    save_maps: bool,
    timeout: float | None,
) -> dict[str, Any]:
    """The content of `run.json`, as JSON types."""
    return {
        "format": FORMAT,
        "salbench": installed_version("salbench"),
        "model": _describe_model(model, source),
        "dataset": {"key": dataset.key, "title": dataset.title, "split": split, "n": len(stimuli)}
        | {"fixations": dataset.rules.record()},
        "protocol": {
            "key": protocol.key,
            "label": protocol.label,
            "blur_sigma": blur_sigma,
            "blur": _ground_truth(model, stimuli, protocol.describe_blur(blur_sigma)),
            **({"maps": maps} if maps != "same" else {}),
            **({"ig_baseline": _ig_baseline(prior)} if "information_gain" in metrics else {}),
        },
        "metrics": list(metrics),
        "seed": seed,
        "save_maps": save_maps,
        "timeout": timeout,
        "inputs": _inputs(model, source, stimuli, fixations_digest),
        **({"training": dict(model.training_record)} if isinstance(model, TrainedModel) else {}),
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        "command": [_printable(word) for word in (_program(), *sys.argv[1:])],
        "versions": _versions(),
    }


def _ig_baseline(prior: CentrePriorFit | None) -> str:
    """What information gain is measured against. `prior`: that of a density, None for a map's."""
    if prior is None:
        return IG_BASELINE
    return (
        f"density of all other images' fixations: kernels of {prior.bandwidth:.6g} of each side, uniform share "
        f"{prior.uniform:.3g}, found by cross-validation over images"
    )


def _ground_truth(model: Model, stimuli: Sequence[Stimulus], blur: str) -> str:
    """How continuous ground truth was made. A data set's own maps replace the blur, except for the human row."""
    own = sum(stimulus.map_source is not None for stimulus in stimuli)
    if not own or isinstance(model, RepeatedModel):
        return blur
    return f"the data set's own maps for {own} of {len(stimuli)} stimuli, else {blur}"


def digest_files(files: Iterable[tuple[str, Path | None]]) -> str:
    """SHA-256 over the names and contents of files; a missing or unreadable one counts as such, its row tells more."""
    whole = hashlib.sha256()
    for name, path in files:
        whole.update(f"{name}\0{_digest_or_why_not(path)}\n".encode())
    return whole.hexdigest()


def _digest_or_why_not(path: Path | None) -> str:
    if path is None or not path.is_file():
        return "missing"
    try:
        return digest_file(path)
    except OSError:
        return "unreadable"


def installed_version(package: str) -> str | None:
    """The version of an installed distribution, None where there is none."""
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def _describe_model(model: Model, source: ModelSource) -> dict[str, Any]:
    card = model.card
    return {
        "device": source.device,
        "package": registry().package(source.name) if source.name is not None else None,
        "key": card.name,
        "title": source.title or card.title,
        "citation": card.citation,
        "trained_on": list(card.trained_on),
        "uses_ground_truth": card.uses_ground_truth,
        **({"log_density": True} if card.log_density else {}),
        **({"parameters": dict(source.parameters)} if source.parameters is not None else {}),
    }


def _inputs(model: Model, source: ModelSource, stimuli: Sequence[Stimulus], fixations: str) -> dict[str, str]:
    """Check sums of everything that goes into a score: a change of any makes another run."""
    inputs = {"fixations": fixations}
    if any(stimulus.map_file is not None for stimulus in stimuli):
        inputs["maps"] = digest_files((stimulus.id, stimulus.map_file) for stimulus in stimuli)
    if isinstance(model, ResultFile):
        return inputs | {"predictions": digest_file(model.path)}
    if isinstance(model, MapFolder):
        return inputs | {"predictions": digest_files((stimulus.id, model.file(stimulus.id)) for stimulus in stimuli)}
    inputs["images"] = digest_files((stimulus.id, stimulus.image_file) for stimulus in stimuli)
    if source.checkpoint is not None:
        inputs["checkpoint"] = digest_file(source.checkpoint)
    return inputs


def _program() -> str:
    """What was called; `python -m salbench` is called salbench, too."""
    name = Path(sys.argv[0]).name
    return "salbench" if name == "__main__.py" else name


def _printable(word: str) -> str:
    """A word of the command line, with bytes that are no text escaped."""
    return word.encode("utf-8", "backslashreplace").decode("utf-8")


def _versions() -> dict[str, str | None]:
    found = {package: installed_version(package) for package in _PACKAGES}
    return {"python": platform.python_version(), "platform": platform.platform(), **found}
