"""A model that takes its time and tells what it does; a module of its own, so that workers can import it."""

import os
import time
from pathlib import Path

import numpy as np

from salbench.models import ModelCard


class SlowModel:
    """Writes `PID loads -` and `PID predicts SUM` into a file."""

    card = ModelCard(name="slow", title="slow")

    def __init__(self, log: Path, *, broken: bool = False) -> None:
        self.log, self.broken = log, broken

    def load(self) -> None:
        if self.broken:
            raise OSError("no such weights")
        self.tell("loads", "-")

    def predict(self, image):
        self.tell("predicts", str(int(image.astype(int).sum())))
        time.sleep(0.03)
        return image[..., 0].astype(np.float64)

    def tell(self, what: str, of: str) -> None:
        with self.log.open("a") as file:
            file.write(f"{os.getpid()} {what} {of}\n")
