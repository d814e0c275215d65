"""The training of SalGAN: content loss, then adversarial, an epoch at a time, each of which can be the last.

No step draws a random number that depends on what was drawn before: weights come from the seed, the order of images
and which of them are mirrored from seed and epoch. So a run that was stopped and resumed, within an epoch or between
two, gives the weights of one that was not.
"""

import dataclasses
import hashlib
import math
import time
from collections import Counter
from collections.abc import Generator, Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch

from salbench.best_epoch import best_of, nss_of
from salbench.datasets.stimulus import Stimulus
from salbench.digests import digest_file
from salbench.errors import RunError, UsageError
from salbench.models import TrainingJob
from salbench.progress import Silent
from salbench_models.salgan.checkpoint import Header
from salbench_models.salgan.config import SalGANConfig
from salbench_models.salgan.data import Batch, TrainingSet, read_training_set
from salbench_models.salgan.device import own_device, repeatable
from salbench_models.salgan.encoder import DOWNLOADS
from salbench_models.salgan.features import drop_features, kept_features
from salbench_models.salgan.files import held, prepare_folder
from salbench_models.salgan.history import Begun, Epoch
from salbench_models.salgan.inference import Predictor
from salbench_models.salgan.learner import DivergenceError, Learner, Step
from salbench_models.salgan.precision import resolved
from salbench_models.salgan.processes import Processes, joined
from salbench_models.salgan.run_folder import ENCODER, SCRATCH, RunFolder, Saved, kept_name
from salbench_models.salgan.samples import SamplePictures
from salbench_models.salgan.tensorboard import Board, open_board

MAX_SEED = 2**63 - 1
SAME_TRACES = (0.02, 1e-3)
"""How far the traces of one image, and of one truth, may differ: libraries round decoded and shrunk images in their own
ways. See TrainingSet.traces."""


def train(job: TrainingJob, config: SalGANConfig) -> Path:
    """Train, or go on from where `job.out` stands; the path of `salgan.safetensors`.

    The result is the final phase's epoch of best validation NSS, or its last where `job.validate` gives no `nss`.
    In the processes that a torchrun started each calls this, with the same; the first alone writes and validates.
    Raises UsageError for a seed below 0 or from 2**63 on, DataError for unreadable weights or images, RunError for
    another run's folder, for one that another process trains in or that is beyond the configuration's end, for a disk
    or a GPU's memory that is full and for a training that diverged; what was saved before stays.
    """
    check_seed(job.seed)
    with joined() as processes, ExitStack() as stack:
        if not processes.first:
            job = dataclasses.replace(job, progress=Silent())
        device = processes.each(lambda: own_device(job.device, processes.place))
        processes.agree("kind of device", device.type)
        processes.first_alone(lambda: stack.enter_context(held(job.out)))
        with repeatable(device, on_gpu=config.deterministic):
            return trained(dataclasses.replace(job, device=str(device)), config, processes)


def check_seed(seed: int) -> None:
    """UsageError for a seed that numpy or torch would not take; the discriminator's is one more than this."""
    if not 0 <= seed <= MAX_SEED:
        raise UsageError(f"seed is {seed}; wanted: 0 to {MAX_SEED}")


def trained(job: TrainingJob, config: SalGANConfig, processes: Processes) -> Path:
    """What is still to do of a training, and its result, once the processes are together."""
    processes.first_alone(lambda: prepare_folder(job.out, SCRATCH))
    given = config
    config = processes.first_alone(lambda: resolved(job, given))
    final_phase = config.phase(config.total_epochs)
    folder = RunFolder(job.out, identity(job, config), final_phase)
    saved = processes.each(lambda: saved_for(config, folder))
    processes.agree("saved epochs and batches", (len(saved.history), saved.begun.batches if saved.begun else 0))
    if saved.history:
        processes.first_alone(lambda: folder.arrange(saved.history))
    if len(saved.history) < config.total_epochs:
        run_epochs(run_of(job, config, processes, folder, saved))
    tell_of_files_not_kept(job, config)
    best = best_of(saved.history, final_phase)
    job.progress.note(f"salgan.safetensors is epoch {best.epoch}: {describe(best)}")
    return processes.first_alone(lambda: published(folder, saved.history))


def tell_of_files_not_kept(job: TrainingJob, config: SalGANConfig) -> None:
    """A note of epochs whose files were asked for and are not there: done before, or never reached."""
    missing = [number for number in sorted(config.kept_numbers) if not (job.out / kept_name(number)).is_file()]
    if missing:
        numbers = ", ".join(map(str, missing))
        job.progress.note(f"no file of epoch {numbers}: an epoch's is kept when it is done, if it is asked for by then")


def published(folder: RunFolder, history: Sequence[Epoch]) -> Path:
    """The result of a training that is done, and of what it needed no more than the folder's records left."""
    drop_features(folder.path)
    return folder.publish(history)


def saved_for(config: SalGANConfig, folder: RunFolder) -> Saved:
    """Where a run stands. RunError where a training of this configuration cannot go on from there."""
    saved = folder.load()
    if len(saved.history) == config.total_epochs:
        saved.begun = None  # which this call does not ask for; the state keeps it for one that does
    check_schedule(config, [*saved.history, *([saved.begun] if saved.begun else [])])
    saved.history[:] = [with_generator_steps(config, epoch) for epoch in saved.history]
    return saved


def check_schedule(config: SalGANConfig, done: Sequence[Epoch | Begun]) -> None:
    """RunError unless a training of this configuration starts with the epochs of an earlier one, in their phases."""
    if len(done) > config.total_epochs:
        raise RunError(
            f"{len(done)} epochs are done or begun, {config.total_epochs} are asked for: ask for {len(done)} or more, "
            "or train into another folder"
        )
    for epoch in done:
        now = config.phase(epoch.epoch)
        if epoch.phase != now:
            raise RunError(
                f"epoch {epoch.epoch} was {epoch.phase} and would be {now} now; a training can be prolonged only "
                "beyond what is done: ask for other epochs or adversarial epochs, or train into another folder"
            )


def with_generator_steps(config: SalGANConfig, epoch: Epoch) -> Epoch:
    """An epoch that tells the generator's steps, as those of older states do not."""
    if epoch.generator_steps is not None:
        return epoch
    return dataclasses.replace(epoch, generator_steps=config.generator_steps(epoch.epoch, epoch.images))


@dataclass
class Run:
    """All that the epochs of one training share. `saved_at`: when the state was last written, or the epochs began."""

    job: TrainingJob
    folder: RunFolder
    saved: Saved
    learner: Learner
    data: TrainingSet
    board: Board
    pictures: SamplePictures
    saved_at: float = field(default_factory=time.monotonic)

    @property
    def config(self) -> SalGANConfig:
        """How it is trained."""
        return self.learner.config

    @property
    def processes(self) -> Processes:
        """Which train together."""
        return self.learner.processes

    def due(self, begun: Begun) -> bool:
        """Whether the state is to be written now: by the first process, where so much time has passed since it was.

        Before a validation, which can take long and may fail, the time is that of the whole epoch.
        """
        passed = time.monotonic() - self.saved_at
        if self.job.validation and images_of(begun, self.config.batch) == begun.images:
            passed = max(passed, begun.seconds)
        return self.processes.first and 0 < self.config.save_minutes <= passed / 60


def run_of(job: TrainingJob, config: SalGANConfig, processes: Processes, folder: RunFolder, saved: Saved) -> Run:
    """What the epochs that are still to do share: networks that stand where the state does, images, a board."""
    with enough_memory(job.device):
        learner = learner_of(job, config, processes, saved)
        data = training_set(job, learner)
    check_same_images(saved.begun, len(data))
    processes.first_alone(lambda: check_same_content(saved, data))
    board = board_of(job, learner, saved, len(data))
    return Run(job, folder, saved, learner, data, board, SamplePictures(job, config.samples))


def learner_of(job: TrainingJob, config: SalGANConfig, processes: Processes, saved: Saved) -> Learner:
    """The networks and optimizers as the state has them, or new ones."""

    def make() -> Learner:
        return Learner(config, job.device, job.seed, fresh=saved.learner is None, processes=processes)

    downloads = saved.learner is None and config.vgg_weights in DOWNLOADS
    learner = processes.first_ahead(make) if downloads else processes.each(make)
    if saved.learner is not None:
        learner.load_state_dict(saved.learner)
        saved.learner = None  # a second copy of everything, which nobody needs again
    if not config.freezes:
        job.progress.note("the encoder starts random, so conv1-conv3 are trained too, not frozen")
    return learner


def run_epochs(run: Run) -> None:
    """All epochs that are still to do; `run.saved.history` grows with them."""
    job, saved, images = run.job, run.saved, len(run.data)
    done, total = len(saved.history), run.config.total_epochs
    job.progress.start("training salgan", total * images, done * images + images_of(saved.begun, run.config.batch))
    try:
        for number in range(done + 1, total + 1):
            saved.history.append(run_epoch(run, number))
            saved.begun = None
            run.processes.first_alone(lambda: save_epoch(run))
    finally:
        run.board.close()
        job.progress.finish()
    if run.data.skipped:
        job.progress.note(
            f"{run.data.skipped} of {len(job.train)} training stimuli were skipped, as noted when they were read"
        )


def board_of(job: TrainingJob, learner: Learner, saved: Saved, images: int) -> Board:
    """Where steps and epochs are drawn: by the first process alone, if the configuration asks for it."""
    if not (learner.config.tensorboard and learner.processes.first):
        return Board(job.progress)
    done = len(saved.history)
    steps = done * math.ceil(images / learner.config.batch) + (saved.begun.batches if saved.begun else 0)
    return open_board(job.out, steps, done, job.progress)


def check_same_images(begun: Begun | None, images: int) -> None:
    """RunError where an epoch was begun on another number of images: its order cannot be gone on with."""
    if begun is not None and begun.images != images:
        raise RunError(
            f"epoch {begun.epoch} was begun on {begun.images} images, and now {images} can be trained on: "
            "bring the others back, or train into another folder"
        )


def check_same_stimuli(everyones: Sequence[tuple[str, ...]]) -> None:
    """RunError, with the name of one, where not every process can train on the same images."""
    counts = Counter(name for own in everyones for name in own)
    some = [name for name, count in counts.items() if count < len(everyones)]
    if some:
        raise RunError(
            f"only some processes of this training can train on {min(some)}, and {len(some) - 1} others: "
            "let all of them read the same files"
        )


def check_same_content(saved: Saved, data: TrainingSet) -> None:
    """RunError where a training was begun on other images or truths, by their traces.

    A state that has none, new or of before there were any, is given them.
    """
    begun_on, saved.data = saved.data, data.traces
    if begun_on is None:
        return
    if begun_on.shape != data.traces.shape:
        raise RunError(
            f"this training was begun on {len(begun_on)} images, and now {len(data)} can be trained on: "
            "bring the others back, or train into another folder"
        )
    other = ((begun_on - data.traces).abs() > torch.tensor(SAME_TRACES)).nonzero()
    if len(other):
        row, column = (int(value) for value in other[0])
        what = ("the image", "the ground truth")[column]
        raise RunError(
            f"{what} of {data.stimuli[row]} is not the one that this training was begun on: bring it back, "
            "or train into another folder"
        )


def images_of(begun: Begun | None, batch: int) -> int:
    """The images that are done of an epoch."""
    return 0 if begun is None else min(begun.batches * batch, begun.images)


def training_set(job: TrainingJob, learner: Learner) -> TrainingSet:
    """The training set with mirroring or kept features, where the configuration asks for them.

    Every process reads it, and all must find as many images.
    """
    config, processes = learner.config, learner.processes
    data = processes.each(lambda: read_training_set(job, config.height_width, config.memory_gb))
    processes.agree("number of images to train on", len(data))
    check_same_stimuli(processes.gathered(data.stimuli))
    if config.flips:
        if config.cache_features:
            job.progress.note("images are mirrored at random, so features of conv1-conv3 are not kept")
        return dataclasses.replace(data, flips=True)
    if not config.cache_features:
        return data
    features = processes.first_ahead(
        lambda: kept_features(job, learner.generator, config.input_preprocessing, data.images)
    )
    return dataclasses.replace(data, features=features)


def run_epoch(run: Run, number: int) -> Epoch:
    """One epoch, or what is left of it: every image once, then the validation, whose time is not counted."""
    phase = run.config.phase(number)
    begun = run.saved.begun or Begun(number, phase, len(run.data))
    learn(run, begun)
    epoch = Epoch(
        epoch=number,
        phase=phase,
        losses=begun.losses.values(),
        metrics=run.processes.first_alone(lambda: validation(run.job, run.learner)),
        seconds=begun.seconds,
        images_per_second=len(run.data) / begun.seconds,
        figures={"learning_rate": run.learner.learning_rate, **begun.figures.values()},
        generator_steps=run.config.generator_steps(number, len(run.data)),
    )
    run.job.progress.note(f"epoch {number} of {run.config.total_epochs}: {describe(epoch)}")
    return epoch


def learn(run: Run, begun: Begun) -> None:
    """One pass over the images that are left of an epoch, which is told of each batch.

    RunError, naming the epoch, where training diverges, and where a GPU's memory does not do.
    """
    speed, before = Speed(), begun.seconds
    with explained(run, begun), closing(steps_left(run, begun)) as steps:
        for turn, images, batch in steps:
            step = run.learner.step(batch, turn, images)
            begun.losses.add(step.losses, images)
            begun.figures.add(step.figures, images)
            begun.batches += 1
            rate = speed.after(images)
            begun.seconds = before + speed.seconds
            run.job.progress.advance(images, loss=sum(step.losses.values()), images_per_second=rate)
            draw(run, begun, step, rate)
            if run.due(begun):
                save_within(run, begun)
        run.learner.check_weights()


@contextmanager
def explained(run: Run, begun: Begun) -> Iterator[None]:
    """RunError that says what may help for what can go wrong in an epoch's steps."""
    try:
        yield
    except DivergenceError as error:
        raise RunError(
            f"{error} in epoch {begun.epoch}. {standing(begun.epoch)}; try a smaller --learning-rate"
        ) from error
    except torch.cuda.OutOfMemoryError as error:
        config = run.config
        raise RunError(
            f"out of memory on {run.learner.device} with batch {config.batch} in epoch {begun.epoch}. "
            f"{standing(begun.epoch)}; try --accumulate {2 * config.accumulate} or --precision bf16"
        ) from error


@contextmanager
def enough_memory(device: str | None) -> Iterator[None]:
    """RunError for a GPU whose memory does not even do for the networks, or for the features that are to be kept."""
    try:
        yield
    except torch.cuda.OutOfMemoryError as error:
        raise RunError(
            f"out of memory on {device} before the first step: see what else uses it, or try a smaller --size"
        ) from error


def draw(run: Run, begun: Begun, step: Step, images_per_second: float) -> None:
    """Show the step that was just done, numbered through all epochs from 1 on."""
    number = (begun.epoch - 1) * math.ceil(begun.images / run.config.batch) + begun.batches
    losses = {f"{name}_loss": value for name, value in step.losses.items()}
    rates = {"learning_rate": run.learner.learning_rate, "images_per_second": images_per_second}
    run.board.step(number, {**losses, **step.figures, **rates})


def steps_left(run: Run, begun: Begun) -> Generator[tuple[int | None, int, Batch], None, None]:
    """The batches of an epoch that are not done, of each its turn, its images, and this process's share of them."""
    config = run.config
    left = turns(config, begun.epoch, begun.images)[begun.batches :]
    sizes = range(begun.images - begun.batches * config.batch, 0, -config.batch)
    batches = run.data.batches(
        *(config.batch, run.job.seed, begun.epoch, run.learner.device),
        first=begun.batches,
        share=run.processes.share,
    )
    with closing(batches):
        for turn, size, batch in zip(left, sizes, batches, strict=True):
            yield turn, min(size, config.batch), batch


def save_within(run: Run, begun: Begun) -> None:
    """Save how far an epoch is. Weights that are not finite are not: the next step will find them out."""
    if not any(run.learner.broken_weights()):
        run.folder.write_state(Saved(run.saved.history, run.learner.state_dict(), begun, run.saved.data))
    run.saved_at = time.monotonic()


def save_epoch(run: Run) -> None:
    """Save the epoch that was just done; its picture before, since what is saved is not done again."""
    history, learner = run.saved.history, run.learner
    picture = run.pictures.write(history[-1].epoch, predictor(learner))
    run.board.epoch(history[-1].epoch, history[-1].as_row(), picture)
    header = header_of(run.job, run.config, history[-1])
    keep = run.config.keeps(history[-1].epoch)
    state = learner.state_dict()
    run.folder.save(history, learner.generator.weights(), header, state, run.saved.data, keep=keep)
    run.saved_at = time.monotonic()


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


class Speed:
    """Seconds, and images a second, since this was made."""

    def __init__(self) -> None:
        self.began = time.monotonic()
        self.images = 0

    @property
    def seconds(self) -> float:
        """More than none."""
        return max(time.monotonic() - self.began, 1e-9)

    def after(self, images: int) -> float:
        """The speed when so many more images are done."""
        self.images += images
        return self.images / self.seconds


def validation(job: TrainingJob, learner: Learner) -> dict[str, float]:
    """Validation means of the generator as it is now; none without validation stimuli."""
    if not job.validation:
        return {}
    return {key: float(value) for key, value in job.validate(predictor(learner)).items()}


def predictor(learner: Learner) -> Predictor:
    """The generator as it is now, ready to predict."""
    config = learner.config
    return Predictor(learner.generator, config.input_preprocessing, config.height_width, learner.device)


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
    """What must be equal for a run to be gone on with: its epochs are also compared by one validation."""
    return {
        **config.as_record(),
        ENCODER: encoder_digest(config.vgg_weights),
        "dataset": job.dataset,
        "ground_truth": job.ground_truth_recipe,
        "seed": job.seed,
        "train_stimuli": digest_of(job.train),
        "validation_split": job.validation_split,
        "validation_stimuli": digest_of(job.validation),
    }


def encoder_digest(source: str) -> str | None:
    """SHA-256 of the file that the encoder comes from; None where it is no file that can be read."""
    if source in (*DOWNLOADS, "none"):
        return None
    try:
        return digest_file(Path(source).expanduser())
    except OSError:
        return None


def digest_of(stimuli: Sequence[Stimulus]) -> str:
    """16 hexadecimal digits of the names of stimuli, in their order."""
    names = "\n".join(stimulus.id for stimulus in stimuli)
    return hashlib.sha256(names.encode()).hexdigest()[:16]


def describe(epoch: Epoch) -> str:
    """An epoch's losses and validation NSS on one line."""
    figures = {f"{name} loss": value for name, value in epoch.losses.items()}
    if math.isfinite(nss_of(epoch)):
        figures["validation NSS"] = nss_of(epoch)
    return f"{epoch.phase}, " + ", ".join(f"{name} {value:.4f}" for name, value in figures.items())


def standing(number: int) -> str:
    """What a training that failed in an epoch leaves behind."""
    return f"last.safetensors holds epoch {number - 1}" if number > 1 else "No epoch was finished"
