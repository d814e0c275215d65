"""What each epoch of a training gave, and epochs.csv, which tells it. Nothing here needs torch."""

import csv
import io
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from salbench.errors import RunError

EPOCHS = "epochs.csv"
PHASES = ("content", "adversarial")
LOSSES = ("content", "adversarial", "discriminator")
FIGURES = ("learning_rate", "generator_gradient_norm", "discriminator_gradient_norm", "d_real", "d_fake")
"""The generator's rate at the epoch's end, mean lengths of both gradients, the discriminator's mean answers to truths
and predictions."""

HEAD = ("epoch", "phase", *(f"{name}_loss" for name in LOSSES))
TAIL = ("seconds", "images_per_second", *FIGURES, "generator_steps")
"""Columns of epochs.csv before and after those of the metrics. New ones come last, so that readers of older files find
the others where they were."""

MOST_BYTES = 64_000_000
"""No training has that many epochs: what is larger is not read."""


@dataclass(frozen=True)
class Epoch:
    """What one epoch gave: mean losses, validation means, and its cost.

    `generator_steps`: those that the generator has taken at its end, from the first epoch on.
    """

    epoch: int
    phase: str
    losses: Mapping[str, float]
    metrics: Mapping[str, float]
    seconds: float
    images_per_second: float
    figures: Mapping[str, float] = field(default_factory=dict)
    """Of FIGURES those that it has; none in runs made before there were any."""
    generator_steps: int | None = None

    @property
    def images(self) -> int:
        """On how many images it was trained."""
        return round(self.seconds * self.images_per_second)

    def as_row(self) -> dict[str, str | int | float]:
        """The epoch as a row of epochs.csv; a loss or figure that it did not have is empty."""
        losses = {f"{name}_loss": self.losses.get(name, "") for name in LOSSES}
        cost = {"seconds": round(self.seconds, 3), "images_per_second": round(self.images_per_second, 3)}
        figures = {name: self.figures.get(name, "") for name in FIGURES}
        steps = "" if self.generator_steps is None else self.generator_steps
        numbers = {**losses, **self.metrics, **cost, **figures}
        return {"epoch": self.epoch, "phase": self.phase, **numbers, "generator_steps": steps}


@dataclass
class Means:
    """Mean losses or figures over images, each over the images that it was computed on."""

    sums: dict[str, float] = field(default_factory=dict)
    counts: dict[str, int] = field(default_factory=dict)

    def add(self, values: Mapping[str, float], images: int) -> None:
        """Count the means of a batch."""
        for name, value in values.items():
            self.sums[name] = self.sums.get(name, 0.0) + value * images
            self.counts[name] = self.counts.get(name, 0) + images

    def values(self) -> dict[str, float]:
        """The means so far, in alphabetical order."""
        return {name: self.sums[name] / self.counts[name] for name in sorted(self.sums)}


@dataclass
class Begun:
    """An epoch that is not done: of how many images, the batches that are, what they gave, and the time they took."""

    epoch: int
    phase: str
    images: int
    batches: int = 0
    seconds: float = 0.0
    losses: Means = field(default_factory=Means)
    figures: Means = field(default_factory=Means)

    @classmethod
    def from_record(cls, record: Mapping[str, Any]) -> "Begun":
        """What `dataclasses.asdict` was given. TypeError or KeyError for another record."""
        means = {name: Means(**record[name]) for name in ("losses", "figures")}
        return cls(**{**record, **means})


def as_csv(history: Sequence[Epoch]) -> str:
    """The text of epochs.csv: a row an epoch, a column for each metric that any of them has."""
    metrics = dict.fromkeys(name for epoch in history for name in epoch.metrics)
    text = io.StringIO()
    writer = csv.DictWriter(text, [*HEAD, *metrics, *TAIL], lineterminator="\n")
    writer.writeheader()
    writer.writerows(epoch.as_row() for epoch in history)
    return text.getvalue()


@dataclass(frozen=True)
class Row:
    """What epochs.csv says of an epoch, as far as others ask. `generator_steps`: None in files without them."""

    epoch: int
    phase: str
    metrics: Mapping[str, float]
    generator_steps: int | None


def read_epochs(path: Path) -> list[Row]:
    """The rows of an epochs.csv, the epochs counted from 1; none where there is no such file.

    RunError, naming the file and the line, for one that is not as `as_csv` gives it.
    """
    try:
        if not path.exists():
            return []
        if path.stat().st_size > MOST_BYTES:
            raise RunError(f"{path} has more than {MOST_BYTES} bytes, so it is no training's")
        with path.open(encoding="utf-8", newline="") as handle:
            lines = [line for line in csv.reader(handle) if line]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise RunError(f"{path} cannot be read: {error}") from error
    return rows_of(path, lines)


def rows_of(path: Path, lines: Sequence[Sequence[str]]) -> list[Row]:
    """The rows of a split epochs.csv. RunError for wrong columns or values."""
    columns = lines[0] if lines else []
    if not {"epoch", "phase"} <= set(columns) or len(set(columns)) < len(columns):
        raise RunError(f"{path}: its first line names no columns of a training's epochs")
    rows = []
    for number, line in enumerate(lines[1:], 1):
        try:
            rows.append(row_of(dict(zip(columns, line, strict=True)), number))
        except ValueError as error:
            raise RunError(f"{path}: epoch {number} is not as a training writes it: {error}") from error
    return rows


def row_of(values: Mapping[str, str], number: int) -> Row:
    """One row. ValueError for values that are not what their columns promise, and for another epoch's number."""
    if values["epoch"] != str(number):
        raise ValueError(f"its number is {values['epoch']!r}")
    if values["phase"] not in PHASES:
        raise ValueError(f"its phase is {values['phase']!r}")
    metrics = {name: float(text) for name, text in measured(values)}
    steps = values.get("generator_steps", "")
    if steps and not (steps.isascii() and steps.isdigit() and len(steps) < 19):  # an int of 64 bits
        raise ValueError(f"its generator_steps are {steps!r}")
    return Row(number, values["phase"], metrics, int(steps) if steps else None)


def measured(values: Mapping[str, str]) -> Iterable[tuple[str, str]]:
    """The columns of metrics, those left out that the epoch was not measured by."""
    return [(name, text) for name, text in values.items() if name not in (*HEAD, *TAIL) and text]
