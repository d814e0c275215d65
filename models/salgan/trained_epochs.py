"""What a training's folder tells of its epochs, to those that did not train it. Nothing here needs torch."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from salbench.best_epoch import best_of
from salbench.models import TrainedEpoch
from salbench_models.salgan.history import EPOCHS, read_epochs
from salbench_models.salgan.run_folder import BEST, BEST_CONTENT, LAST, epoch_of, kept_name


def trained_epochs(folder: Path) -> list[TrainedEpoch]:
    """The epochs of a folder's epochs.csv, each with the file that holds it; none without an epochs.csv.

    RunError, naming the file, for an epochs.csv that no training wrote.
    """
    folder = Path(folder)
    rows = read_epochs(folder / EPOCHS)
    others = holders(folder) if rows else {}
    return [
        TrainedEpoch(row.epoch, row.phase, row.metrics, row.generator_steps, file_of(folder, row.epoch, others))
        for row in rows
    ]


def holders(folder: Path) -> Mapping[int | None, Path]:
    """By its epoch, each checkpoint of a folder that is named for what it is."""
    return {epoch_of(path): path for path in (folder / LAST, folder / BEST_CONTENT, folder / BEST)}


def file_of(folder: Path, epoch: int, others: Mapping[int | None, Path]) -> Path | None:
    """The file of an epoch: its own where it was kept, else one of the others; None where none says that it is."""
    kept = folder / kept_name(epoch)
    return kept if epoch_of(kept) == epoch else others.get(epoch)


def chosen_epoch(epochs: Sequence[TrainedEpoch]) -> TrainedEpoch | None:
    """The epoch that a finished training's checkpoint is of: the last phase's best by NSS; None of none."""
    return best_of(epochs, epochs[-1].phase) if epochs else None
