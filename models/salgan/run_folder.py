"""The folder of one training: checkpoints, epochs.csv, and the state from which a stopped run goes on.

`state.pt` is written last in each epoch and is the only file read back, so whatever moment a run is killed at, the
folder stands at the end of some epoch.
"""

import csv
import dataclasses
import json
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch

from salbench.atomic import replacing
from salbench.errors import RunError
from salbench_models.salgan.checkpoint import Header, write_checkpoint
from salbench_models.salgan.config import OPERATIONAL, SalGANConfig
from salbench_models.salgan.files import copy_whole

STATE = "state.pt"
EPOCHS = "epochs.csv"
LAST = "last.safetensors"
BEST = "best.safetensors"
BEST_CONTENT = "best-content.safetensors"
FINAL = "salgan.safetensors"
FEATURES = "features.fp16"
FILES = "|".join(re.escape(name) for name in (STATE, EPOCHS, LAST, BEST, BEST_CONTENT, FINAL, FEATURES))
SCRATCH = re.compile(rf"\.({FILES}|epoch-\d{{3,}}\.safetensors)\.[0-9a-f]{{8}}\.tmp")
"""Names of the half-written files that a killed training leaves; whatever else lies in its folder is not its own."""

LOSSES = ("content", "adversarial", "discriminator")
FIGURES = ("learning_rate", "generator_gradient_norm", "discriminator_gradient_norm", "d_real", "d_fake")
"""Columns of epochs.csv, after all others, so that readers of older files find those where they were: the generator's
rate at the epoch's end, mean lengths of both gradients, the discriminator's mean answers to truths and predictions."""


@dataclass(frozen=True)
class Epoch:
    """What one epoch gave: mean losses, validation means, and its cost."""

    epoch: int
    phase: str
    losses: Mapping[str, float]
    metrics: Mapping[str, float]
    seconds: float
    images_per_second: float
    figures: Mapping[str, float] = field(default_factory=dict)
    """Of FIGURES those that it has; none in runs made before there were any."""

    @property
    def nss(self) -> float:
        """Validation NSS by which epochs are compared; minus infinity where there is none."""
        value = self.metrics.get("nss", math.nan)
        return value if math.isfinite(value) else -math.inf

    def as_row(self) -> dict[str, str | int | float]:
        """The epoch as a row of epochs.csv; a loss or figure that it did not have is empty."""
        losses = {f"{name}_loss": self.losses.get(name, "") for name in LOSSES}
        cost = {"seconds": round(self.seconds, 3), "images_per_second": round(self.images_per_second, 3)}
        figures = {name: self.figures.get(name, "") for name in FIGURES}
        return {"epoch": self.epoch, "phase": self.phase, **losses, **self.metrics, **cost, **figures}


@dataclass
class Saved:
    """Where a run stands: the epochs that are done and, for all but a new one, the learner after the last."""

    history: list[Epoch] = field(default_factory=list)
    learner: Mapping[str, Any] | None = None


@dataclass(frozen=True)
class RunFolder:
    """`identity`: everything that makes this run this run; it must equal that of the folder's earlier run.

    `final_phase`: the phase whose best epoch is the result.
    """

    path: Path
    identity: Mapping[str, Any]
    final_phase: str

    def load(self) -> Saved:
        """Where the run stands. RunError for a folder of another run or a damaged state."""
        file = self.path / STATE
        if not file.exists():
            return Saved()
        try:
            state = torch.load(file, map_location="cpu", weights_only=True)
            identity = json.loads(state["identity"])
            history = [Epoch(**record) for record in json.loads(state["history"])]
            learner = state["learner"]
        except Exception as error:  # the restricted unpickler raises errors of any kind for a damaged file
            raise RunError(f"{file} cannot be read ({error!r}); remove it to train anew") from error
        self.check(identity)
        return Saved(history, learner)

    def check(self, earlier: Mapping[str, Any]) -> None:
        """RunError naming every field in which an earlier run of this folder differs."""
        ours = json.loads(json.dumps(self.identity))
        earlier = {**SalGANConfig().as_record(), **earlier}  # options newer than the run were as their defaults are
        names = sorted((ours.keys() | earlier.keys()) - OPERATIONAL)
        differing = [f"{n} was {earlier.get(n)!r}, now {ours.get(n)!r}" for n in names if earlier.get(n) != ours.get(n)]
        if differing:
            raise RunError(
                f"{self.path} holds another training: {'; '.join(differing)}. "
                "Train into another folder, or ask for the same as before"
            )

    def save(
        self, history: Sequence[Epoch], weights: Mapping[str, torch.Tensor], header: Header, learner: Mapping[str, Any]
    ) -> None:
        """Commit the last epoch of `history`. `learner` is the state to go on from."""
        latest = history[-1]
        write_checkpoint(self.path / LAST, weights, header)
        if best_of(history, latest.phase) is latest:
            copy_whole(self.path / LAST, self.path / (BEST if latest.phase == self.final_phase else BEST_CONTENT))
        if self.identity["keep_epochs"]:
            copy_whole(self.path / LAST, self.path / f"epoch-{latest.epoch:03}.safetensors")
        self.write_csv(history)
        records = json.dumps([dataclasses.asdict(epoch) for epoch in history])
        state = {"identity": json.dumps(self.identity), "history": records, "learner": learner}
        with replacing(self.path / STATE) as scratch:
            torch.save(state, scratch)

    def write_csv(self, history: Sequence[Epoch]) -> None:
        """Rewrite epochs.csv."""
        rows = [epoch.as_row() for epoch in history]
        columns = list(dict.fromkeys(name for row in rows for name in row))

        with replacing(self.path / EPOCHS) as scratch, scratch.open("w", encoding="utf-8", newline="") as handle:
            writer = csv.DictWriter(handle, columns, lineterminator="\n")
            writer.writeheader()
            writer.writerows(rows)

    def publish(self) -> Path:
        """The finished run's checkpoint: a copy of the final phase's best epoch. RunError where that is gone."""
        final, best = self.path / FINAL, self.path / BEST
        if not final.exists() and not best.exists():
            raise RunError(f"{best} is gone, though {self.path / STATE} says that the training is done")
        if best.exists():
            copy_whole(best, final)
        return final


def best_of(history: Sequence[Epoch], phase: str) -> Epoch:
    """The first epoch of a phase with its best validation NSS; its last where none was measured."""
    epochs = [epoch for epoch in history if epoch.phase == phase]
    best = max(epochs, key=lambda epoch: epoch.nss)
    return best if math.isfinite(best.nss) else epochs[-1]
