"""What lies behind a finished run: the stimuli that it was scored on, and the maps that it kept."""

import difflib
from collections.abc import Sequence

import numpy as np

from salbench.arrays import SaliencyMap
from salbench.datasets.dataset import Dataset
from salbench.datasets.registry import DATASETS, open_dataset
from salbench.datasets.stimulus import Stimulus
from salbench.errors import DataError, UsageError
from salbench.image_files import read_map
from salbench.paths import PathLike
from salbench.scoring.run_folder import MAPS, Run
from salbench.scoring.runner import listed


def stimuli_of(run: Run, dataset: PathLike | Dataset | None = None, data: PathLike | None = None) -> Sequence[Stimulus]:
    """The stimuli of the run's split.

    `dataset`: by default the named one that the run tells of; `data`: where it lies. UsageError where the data set has
    to be named, DataError where it is not there or is not that of the run.
    """
    key, split = run.manifest["dataset"]["key"], run.manifest["dataset"]["split"]
    if dataset is None and key not in DATASETS:
        raise UsageError(f"{run.path} was scored on {key!r}, which has no known place; name its folder with --dataset")
    opened = dataset if isinstance(dataset, Dataset) else open_dataset(key if dataset is None else dataset, data)
    return listed(opened, split)


def stimulus_of(stimuli: Sequence[Stimulus], name: str) -> Stimulus:
    """The stimulus of that id. UsageError, with the near names, where there is none."""
    for stimulus in stimuli:
        if stimulus.id == name:
            return stimulus
    near = difflib.get_close_matches(name, [stimulus.id for stimulus in stimuli])
    hint = f"near: {', '.join(near)}" if near else f"the first is {stimuli[0].id!r}"
    raise UsageError(f"the split has no stimulus {name!r}; {hint}")


def stored_map(run: Run, stimulus: str) -> SaliencyMap:
    """The map (H, W) that a run scored for a stimulus; of a log density, the probabilities.

    DataError where the run kept none, or the file is damaged.
    """
    if not (run.path / MAPS).is_dir():
        raise DataError(f"{run.path} kept no maps; score with --save-maps to have them")
    file = run.path / MAPS / f"{stimulus}.npy"
    if not file.is_file():
        raise DataError(f"{file}: no such map; its stimulus could not be scored")
    values = read_map(file)
    if run.manifest["model"].get("log_density"):
        return np.exp(np.asarray(values, dtype=np.float64))
    return values
