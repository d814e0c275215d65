"""The training of SalGAN: content loss, then adversarial, an epoch at a time, each of which can be the last.

No step draws a random number that depends on what was drawn before: weights come from the seed, the order of images
and which of them are mirrored from seed and epoch. So a run that was stopped and resumed gives the weights of one that
was not.
"""

import dataclasses
import hashlib
import math
import time
from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from salbench.errors import RunError, UsageError
from salbench.models import TrainingJob
from salbench_models.salgan.checkpoint import Header
from salbench_models.salgan.config import SalGANConfig
from salbench_models.salgan.data import TrainingSet, read_training_set
from salbench_models.salgan.features import drop_features, kept_features
from salbench_models.salgan.files import prepare_folder
from salbench_models.salgan.inference import Predictor
from salbench_models.salgan.learner import Learner
from salbench_models.salgan.run_folder import SCRATCH, Epoch, RunFolder, Saved, best_of

MAX_SEED = 2**63 - 1


def train(job: TrainingJob, config: SalGANConfig) -> Path:
    """Train, or go on from the last whole epoch in `job.out`; the path of `salgan.safetensors`.

    The result is the final phase's epoch of best validation NSS, or its last where `job.validate` gives no `nss`.
    Raises UsageError for a seed below 0 or from 2**63 on, DataError for unreadable weights or images, RunError for
    another run's folder and for a training that diverged; the checkpoints of the epochs before stay.
    """
    check_seed(job.seed)
    prepare_folder(job.out, SCRATCH)
    final_phase = config.phase(config.total_epochs)
    folder = RunFolder(job.out, identity(job, config), final_phase)
    saved = folder.load()
    if len(saved.history) < config.total_epochs:
        run_epochs(job, config, folder, saved)
    drop_features(job.out)
    best = best_of(saved.history, final_phase)
    job.progress.note(f"salgan.safetensors is epoch {best.epoch}: {describe(best)}")
    return folder.publish()


def check_seed(seed: int) -> None:
    """UsageError for a seed that numpy or torch would not take; the discriminator's is one more than this."""
    if not 0 <= seed <= MAX_SEED:
        raise UsageError(f"seed is {seed}; wanted: 0 to {MAX_SEED}")


def run_epochs(job: TrainingJob, config: SalGANConfig, folder: RunFolder, saved: Saved) -> None:
    """All epochs that are still to do; `saved.history` grows with them."""
    learner = Learner(config, job.device, job.seed, fresh=saved.learner is None)
    if saved.learner is not None:
        learner.load_state_dict(saved.learner)
    if not config.freezes:
        job.progress.note("the encoder starts random, so conv1-conv3 are trained too, not frozen")
    data = with_options(job, learner, read_training_set(job, config.height_width, config.memory_gb))
    done = len(saved.history)
    job.progress.start("training salgan", config.total_epochs * len(data), done * len(data))
    try:
        for number in range(done + 1, config.total_epochs + 1):
            saved.history.append(run_epoch(job, learner, data, number))
            header = header_of(job, config, saved.history[-1])
            folder.save(saved.history, learner.generator.weights(), header, learner.state_dict())
    finally:
        job.progress.finish()


def with_options(job: TrainingJob, learner: Learner, data: TrainingSet) -> TrainingSet:
    """The training set with mirroring or kept features, where the configuration asks for them."""
    config = learner.config
    if config.flips:
        if config.cache_features:
            job.progress.note("images are mirrored at random, so features of conv1-conv3 are not kept")
        return dataclasses.replace(data, flips=True)
    if not config.cache_features:
        return data
    features = kept_features(job, learner.generator, config.input_preprocessing, data.images)
    return dataclasses.replace(data, features=features)


def run_epoch(job: TrainingJob, learner: Learner, data: TrainingSet, number: int) -> Epoch:
    """One epoch: every image once, then the validation, whose time is not counted."""
    began = time.monotonic()
    losses, figures = learn(job, learner, data, number)
    seconds = time.monotonic() - began
    epoch = Epoch(
        epoch=number,
        phase=learner.config.phase(number),
        losses=losses,
        metrics=validation(job, learner),
        seconds=seconds,
        images_per_second=len(data) / seconds,
        figures={"learning_rate": learner.learning_rate, **figures},
    )
    job.progress.note(f"epoch {number} of {learner.config.total_epochs}: {describe(epoch)}")
    return epoch


def learn(
    job: TrainingJob, learner: Learner, data: TrainingSet, number: int
) -> tuple[dict[str, float], dict[str, float]]:
    """One pass over the images; the mean of each loss and of each figure.

    RunError, naming the epoch, where training diverges.
    """
    losses, figures, speed = Means(), Means(), Speed()
    batches = data.batches(learner.config.batch, job.seed, number, learner.device)
    try:
        for turn, batch in zip(turns(learner.config, number, len(data)), batches, strict=True):
            step = learner.step(batch, turn)
            losses.add(step.losses, len(batch))
            figures.add(step.figures, len(batch))
            rate = speed.after(len(batch))
            job.progress.advance(len(batch), loss=sum(step.losses.values()), images_per_second=rate)
        learner.check_weights()
    except RunError as error:
        raise RunError(f"{error} in epoch {number}. {standing(number)}; try a smaller --learning-rate") from error
    return losses.values(), figures.values()


def turns(config: SalGANConfig, number: int, images: int) -> list[int | None]:
    """The turn of each batch of an epoch: None in the content phase, else counted through the adversarial epochs.

    Counting on across epochs keeps generator and discriminator alternating where an epoch has an odd number of
    batches, be it one.
    """
    batches = math.ceil(images / config.batch)
    if config.phase(number) == "content":
        return [None] * batches
    first = (number - config.epochs - 1) * batches
    return list(range(first, first + batches))


class Means:
    """Mean losses or figures over images, each over the images that it was computed on."""

    def __init__(self) -> None:
        self.sums: dict[str, float] = defaultdict(float)
        self.counts: dict[str, int] = defaultdict(int)

    def add(self, losses: Mapping[str, float], images: int) -> None:
        """Count the means of a batch."""
        for name, value in losses.items():
            self.sums[name] += value * images
            self.counts[name] += images

    def values(self) -> dict[str, float]:
        """The means so far, in alphabetical order."""
        return {name: self.sums[name] / self.counts[name] for name in sorted(self.sums)}


class Speed:
    """Images a second since this was made."""

    def __init__(self) -> None:
        self.began = time.monotonic()
        self.images = 0

    def after(self, images: int) -> float:
        """The speed when so many more images are done."""
        self.images += images
        return self.images / max(time.monotonic() - self.began, 1e-9)


def validation(job: TrainingJob, learner: Learner) -> dict[str, float]:
    """Validation means of the generator as it is now; none without validation stimuli."""
    if not job.validation:
        return {}
    config = learner.config
    predict = Predictor(learner.generator, config.input_preprocessing, config.height_width, learner.device)
    return {key: float(value) for key, value in job.validate(predict).items()}


def header_of(job: TrainingJob, config: SalGANConfig, epoch: Epoch) -> Header:
    """What the checkpoint of an epoch says of itself."""
    return Header(
        config={**config.as_record(), "encoder_frozen": config.freezes},
        preprocessing=config.input_preprocessing,
        size=config.size,
        trained_on=(job.dataset,),
        epoch=epoch.epoch,
        metrics={key: value if math.isfinite(value) else None for key, value in epoch.metrics.items()},
        seed=job.seed,
    )


def identity(job: TrainingJob, config: SalGANConfig) -> dict[str, Any]:
    """What must be equal for a run to be gone on with."""
    names = "\n".join(stimulus.id for stimulus in job.train)
    digest = hashlib.sha256(names.encode()).hexdigest()[:16]
    return {
        **config.as_record(),
        "dataset": job.dataset,
        "ground_truth": job.ground_truth_recipe,
        "seed": job.seed,
        "train_stimuli": digest,
    }


def describe(epoch: Epoch) -> str:
    """An epoch's losses and validation NSS on one line."""
    figures = {f"{name} loss": value for name, value in epoch.losses.items()}
    if math.isfinite(epoch.nss):
        figures["validation NSS"] = epoch.nss
    return f"{epoch.phase}, " + ", ".join(f"{name} {value:.4f}" for name, value in figures.items())


def standing(number: int) -> str:
    """What a training that failed in an epoch leaves behind."""
    return f"last.safetensors holds epoch {number - 1}" if number > 1 else "No epoch was finished"
