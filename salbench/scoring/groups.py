"""The means of a finished run by what its data set sorts stimuli under."""

from collections.abc import Mapping

from salbench.datasets.dataset import Dataset
from salbench.errors import UsageError
from salbench.scoring.run_folder import Run
from salbench.scoring.statistics import summarise

CATEGORY = "category"
Figures = Mapping[str, Mapping[str, float | int | None]]


def check_categories(dataset: Dataset, split: str | None) -> None:
    """UsageError, before anything is scored, for a data set that sorts its stimuli under nothing."""
    if not any(stimulus.category for stimulus in dataset.stimuli(split)):
        raise UsageError(f"{dataset.title} sorts its stimuli under no categories")


def category_means(run: Run) -> dict[str, Figures]:
    """For each category, in alphabetical order, what `summary.json` says of all: by metric key mean, interval and n.

    UsageError for a run on a data set that sorts its stimuli under nothing.
    """
    scores = run.scores
    if CATEGORY not in scores.columns:
        raise UsageError(f"{run.path}: {run.manifest['dataset']['title']} sorts its stimuli under no categories")
    keys = run.manifest["metrics"]
    return {
        str(name): summarise({key: part[key].to_numpy() for key in keys}, run.manifest["seed"])
        for name, part in scores.groupby(CATEGORY, sort=True)
    }
