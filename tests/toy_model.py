"""A model that trains in no time, under SalGAN's name: its epochs blur less and less, and its files are a few bytes."""

import json
from dataclasses import dataclass, field

import cv2
import numpy as np

from salbench.errors import RunError, UsageError
from salbench.models import ModelCard, TrainedEpoch
from salbench_models.salgan.presets import PRESETS

BLURS = {"mse": 9.0, "bce": 7.0, "bce2": 6.5, "bce4": 6.0, "bce8": 5.5}


@dataclass(frozen=True)
class Config:
    preset: str = ""
    loss: str = "bce4"
    epochs: int = 15
    adversarial_epochs: int = 0
    keep_epochs: str = "none"
    learning_rate: float = field(default=3e-4, metadata={"help": "As SalGAN's."})


class Toy:
    """Predicts the red of an image, blurred. A checkpoint holds the blur in pixels."""

    card = ModelCard("salgan", "Toy", trained_on=("few/train",))
    config_class = Config
    presets = PRESETS

    def __init__(self, *, checkpoint=None, device=None):
        self.blur = float(checkpoint.read_text())

    def predict(self, image):
        return cv2.GaussianBlur(np.asarray(image)[..., 0].astype(np.float64), (0, 0), self.blur)

    @classmethod
    def train(cls, job, config):
        """Every epoch blurs by 0.7 of the one before; the adversarial ones by 1.5 of it, so that they get worse."""
        job.out.mkdir(parents=True, exist_ok=True)
        state = job.out / "state.json"
        if config.learning_rate <= 0:
            raise UsageError("learning_rate is 0; wanted: a number above 0")
        try:
            saved = json.loads(state.read_text()) if state.exists() else {"rate": config.learning_rate, "epochs": []}
        except ValueError as error:
            raise RunError(f"{state} cannot be read; remove it to train anew") from error
        if saved["rate"] != config.learning_rate:
            raise RunError(f"{job.out} holds another training: learning_rate was {saved['rate']}")
        total = config.epochs + config.adversarial_epochs
        if len(saved["epochs"]) > total:
            raise RunError(f"{job.out}: more epochs are done than asked for")
        for number in range(len(saved["epochs"]) + 1, total + 1):
            adversarial = number > config.epochs
            blur = BLURS[config.loss] * 0.7 ** min(number, config.epochs) * (1.5 ** max(0, number - config.epochs))
            file = job.out / f"epoch-{number:03}.txt"
            file.write_text(str(blur))
            metrics = dict(job.validate(cls(checkpoint=file).predict))
            saved["epochs"].append(
                {"epoch": number, "phase": "adversarial" if adversarial else "content", "metrics": metrics}
            )
            state.write_text(json.dumps(saved))
        return cls.chosen_epoch(job.out).checkpoint

    @classmethod
    def epochs(cls, folder):
        state = folder / "state.json"
        if not state.exists():
            return []
        try:
            records = json.loads(state.read_text())["epochs"]
        except ValueError as error:
            raise RunError(f"{state} cannot be read") from error
        files = [folder / f"epoch-{record['epoch']:03}.txt" for record in records]
        return [
            TrainedEpoch(**record, generator_steps=2 * record["epoch"], checkpoint=file if file.exists() else None)
            for record, file in zip(records, files, strict=True)
        ]

    @classmethod
    def chosen_epoch(cls, folder):
        epochs = cls.epochs(folder)
        last = [one for one in epochs if one.phase == epochs[-1].phase]
        return max(last, key=lambda one: one.metrics["nss"])
