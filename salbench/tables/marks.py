"""The marks that a row can carry, and which of them a measured run earns."""

from salbench.tables.runs import Run
from salbench.tables.structure import Mark

NOT_REVIEWED = Mark("not-peer-reviewed", "(*)", "(*): not peer-reviewed when it was published.")
GROUND_TRUTH = Mark("uses-ground-truth", "†", "†: uses the ground truth of the stimulus that it is judged on.")
SAME_SPLIT = Mark(
    "trained-on-evaluated-split",
    "‡",
    "‡: trained on the very data set and split that it is evaluated on (or on the data set with no split named).",
)
SAME_DATASET = Mark(
    "trained-on-evaluated-dataset", "§", "§: trained on another split of the data set that it is evaluated on."
)


def marks_of(run: Run) -> tuple[Mark, ...]:
    """The marks of a measured run."""
    marks = [GROUND_TRUTH] if run.uses_ground_truth else []
    return (*marks, *_training_marks(run))


def _training_marks(run: Run) -> tuple[Mark, ...]:
    """Overlap of training and evaluation; the split itself outweighs the data set."""
    if {run.dataset, f"{run.dataset}/{run.split}"} & set(run.trained_on):
        return (SAME_SPLIT,)
    if any(name.startswith(f"{run.dataset}/") for name in run.trained_on):
        return (SAME_DATASET,)
    return ()
