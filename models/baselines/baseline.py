"""What every baseline shares."""

from pathlib import Path
from typing import ClassVar

from salbench.errors import UsageError
from salbench.models import ModelCard


class Baseline:
    """Baselines have no weights to load, so that a checkpoint is a UsageError, and run anywhere."""

    card: ClassVar[ModelCard]

    def __init__(self, *, checkpoint: Path | None = None, device: str | None = None) -> None:
        del device
        if checkpoint is not None:
            raise UsageError(f"{self.card.name} has no weights: leave the checkpoint out")
