"""What lies behind a finished run: the stimuli that it was scored on, and the maps that it kept."""

import difflib
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from salbench.array_cache import open_cache
from salbench.arrays import SaliencyMap
from salbench.datasets.dataset import Dataset
from salbench.datasets.ground_truth import FixationRules
from salbench.datasets.registry import DATASETS, open_dataset
from salbench.datasets.stimulus import Stimulus
from salbench.errors import DataError, UsageError
from salbench.image_files import read_map
from salbench.paths import PathLike
from salbench.progress import Progress, Silent
from salbench.protocols import find_protocol
from salbench.scoring.fixated_pixels import read_fixations
from salbench.scoring.manifest import digest_files
from salbench.scoring.run_folder import MAPS, Run
from salbench.scoring.runner import listed


def stimuli_of(run: Run, dataset: PathLike | Dataset | None = None, data: PathLike | None = None) -> Sequence[Stimulus]:
    """The stimuli of the run's split.

    `dataset`: by default the named one that the run tells of; `data`: where it lies. UsageError where the data set has
    to be named, DataError where it is not there or is another registered one. A folder may have been renamed: whether
    its fixations are the run's is what `check_ground_truth` tells.
    """
    key, split = run.manifest["dataset"]["key"], run.manifest["dataset"]["split"]
    if dataset is None and key not in DATASETS:
        raise UsageError(f"{run.path} was scored on {key!r}, which has no known place; name its folder with --dataset")
    opened = dataset if isinstance(dataset, Dataset) else open_dataset(key if dataset is None else dataset, data)
    if opened.key != key and opened.key in DATASETS:
        raise DataError(f"{run.path} was scored on {key}, not on {opened.key}")
    return listed(replace(opened, rules=_rules(run, opened)), split)


def _rules(run: Run, opened: Dataset) -> FixationRules:
    """Which fixations counted in the run; the data set's own rules where a run of an older version does not tell."""
    record = run.manifest["dataset"].get("fixations")
    return opened.rules if record is None else FixationRules.recorded(record)


def check_ground_truth(run: Run, stimuli: Sequence[Stimulus], progress: Progress | None = None) -> None:
    """DataError unless the fixations, and the data set's own maps, are those that the run was scored on.

    `stimuli`: all of the run's split; every fixation of it is read.
    """
    inputs, rules = run.manifest["inputs"], find_protocol(run.manifest["protocol"]["key"])
    recorded = read_fixations(stimuli, progress or Silent(), open_cache(), rules)
    if recorded.digest != inputs.get("fixations"):
        raise DataError(f"the data set's fixations are not those that {run.path} was scored on: check sums differ")
    # Asked the other way round, a run of a data set whose own maps were taken away would pass.
    own = [(one.id, one.map_file) for one in stimuli]
    digest = digest_files(own) if any(file is not None for _, file in own) else None
    if digest != inputs.get("maps"):
        raise DataError(f"the data set's own maps are not those that {run.path} was scored on: check sums differ")


def stimulus_of(stimuli: Sequence[Stimulus], name: str) -> Stimulus:
    """The stimulus of that id. UsageError, with the near names, where there is none."""
    for stimulus in stimuli:
        if stimulus.id == name:
            return stimulus
    near = difflib.get_close_matches(name, [stimulus.id for stimulus in stimuli])
    hint = f"near: {', '.join(near)}" if near else f"the first is {stimuli[0].id!r}"
    raise UsageError(f"the split has no stimulus {name!r}; {hint}")


def kept_maps(run: Run) -> bool:
    """Whether a run kept its maps."""
    return (run.path / MAPS).is_dir()


def has_map(run: Run, stimulus: str) -> bool:
    """Whether a run kept the map of a stimulus."""
    return (run.path / MAPS / f"{stimulus}.npy").is_file()


def stored_map(run: Run, stimulus: str) -> SaliencyMap:
    """The map (H, W) that a run scored for a stimulus; of a log density, the probabilities.

    DataError where the run kept none, or the file is damaged or holds no map.
    """
    if not kept_maps(run):
        raise DataError(
            f"{run.path} kept no maps; score with --save-maps to have them (a model that is scored several times on a "
            "stimulus, as humans is, has none)"
        )
    file = run.path / MAPS / f"{stimulus}.npy"
    if not file.is_file():
        raise DataError(f"{file}: no such map; its stimulus could not be scored")
    values = read_map(file)
    if values.ndim != 2 or values.size == 0:
        raise DataError(f"{file}: an array of shape {values.shape} is no map")
    if run.manifest["model"].get("log_density"):
        return np.exp(np.asarray(values, dtype=np.float64))
    return values


def evenly(total: int, wanted: int) -> list[int]:
    """Up to `wanted` of the places 0 to `total` - 1, spread evenly from the first to the last."""
    chosen: list[int] = np.linspace(0, total - 1, min(total, wanted)).round().astype(int).tolist()
    return chosen
