"""What every baseline shares."""

from pathlib import Path


class Baseline:
    """Baselines have no weights to load and run anywhere."""

    def __init__(self, *, checkpoint: Path | None = None, device: str | None = None) -> None:
        del checkpoint, device
