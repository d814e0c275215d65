"""The folder of one training: checkpoints, epochs.csv, and the state from which a stopped run goes on.

`state.pt` is the only file that is trained on from, so whatever moment a run is killed at, the folder stands at one of
its savings. At the end of an epoch it is written after the epoch's checkpoint and before what follows from both, the
best epoch's file and epochs.csv: these never run ahead of it, and where they fell behind the start makes them anew.
"""

import dataclasses
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from salbench.atomic import replacing
from salbench.best_epoch import best_of
from salbench.errors import DataError, RunError
from salbench_models.salgan.checkpoint import Header, read_header, write_checkpoint
from salbench_models.salgan.config import OPERATIONAL, SCHEDULE, SalGANConfig
from salbench_models.salgan.files import copy_whole
from salbench_models.salgan.history import EPOCHS, Begun, Epoch, as_csv
from salbench_models.salgan.reasons import reason_of

if TYPE_CHECKING:
    import torch

STATE = "state.pt"
LAST = "last.safetensors"
BEST = "best.safetensors"
BEST_CONTENT = "best-content.safetensors"
FINAL = "salgan.safetensors"
FEATURES = "features.fp16"
PRECISION_FILE = "precision.json"
FILES = "|".join(re.escape(name) for name in (STATE, EPOCHS, LAST, BEST, BEST_CONTENT, FINAL, FEATURES, PRECISION_FILE))
SCRATCH = re.compile(rf"\.({FILES}|epoch-\d{{3,}}\.safetensors)\.[0-9a-f]{{8}}\.tmp")
"""Names of the half-written files that a killed training leaves; whatever else lies in its folder is not its own."""

ENCODER, VGG_WEIGHTS = "encoder_sha256", "vgg_weights"
LATER = ("validation_split", "validation_stimuli")
"""Parts of an identity that older states do not tell; they are taken to be as they are now."""


@dataclass
class Saved:
    """Where a run stands: the epochs that are done, the one that is begun, and the learner, for all but a new run.

    `data`: what its images and truths are known by again, `TrainingSet.traces`; None in states of before there were.
    """

    history: list[Epoch] = field(default_factory=list)
    learner: Mapping[str, Any] | None = None
    begun: Begun | None = None
    data: "torch.Tensor | None" = None


@dataclass(frozen=True)
class RunFolder:
    """`identity`: everything that makes this run this run; it must equal that of the folder's earlier run.

    `final_phase`: the phase whose best epoch is the result.
    """

    path: Path
    identity: Mapping[str, Any]
    final_phase: str

    def load(self) -> Saved:
        """Where the run stands. RunError for a folder of another run, or with results but no state or a damaged one."""
        file = self.path / STATE
        if not file.exists():
            self.check_empty()
            return Saved()
        with readable(file):
            state = read_state(file)
            identity = {**json.loads(state["identity"])}
            history = [Epoch(**record) for record in json.loads(state["history"])]
            learner = state["learner"]
            begun = json.loads(state.get("begun", "null"))  # runs of before were saved between epochs alone
            part = None if begun is None else Begun.from_record(begun)
            data = state.get("data")
        self.check(identity)
        return Saved(history, learner, part, data)

    def check_empty(self) -> None:
        """RunError where there are results of a training, which are only ever written after its state."""
        results = [name for name in (EPOCHS, FINAL, BEST, BEST_CONTENT) if (self.path / name).exists()]
        if results:
            raise RunError(
                f"{self.path} holds {results[0]} of a training, but no {STATE} to go on from: train into another "
                "folder, or move its files away to train anew"
            )

    def check(self, earlier: Mapping[str, Any]) -> None:
        """RunError naming every field in which an earlier run of this folder differs, its length aside."""
        ours = json.loads(json.dumps(self.identity))
        later = {name: ours[name] for name in LATER if name in ours}
        # Options newer than the run were as their defaults are.
        earlier = {**SalGANConfig().as_record(), **later, **earlier}
        names = sorted((ours.keys() | earlier.keys()) - OPERATIONAL - SCHEDULE - same_encoder(ours, earlier))
        differing = [f"{n} was {earlier.get(n)!r}, now {ours.get(n)!r}" for n in names if earlier.get(n) != ours.get(n)]
        if differing:
            raise RunError(
                f"{self.path} holds another training: {'; '.join(differing)}. "
                "Train into another folder, or ask for the same as before"
            )

    def save(
        self,
        history: list[Epoch],
        weights: "Mapping[str, torch.Tensor]",
        header: Header,
        learner: Mapping[str, Any],
        data: "torch.Tensor | None" = None,
        *,
        keep: bool,
    ) -> None:
        """Commit the last epoch of `history`. `learner` and `data`: to go on from. `keep`: this epoch's file too.

        RunError, naming the file, where the disk does not take it; what was committed before stays.
        """
        latest = history[-1]
        last = self.path / LAST
        with going_on(last):
            write_checkpoint(last, weights, header)
            if keep:
                copy_whole(last, self.path / kept_name(latest.epoch))
        self.write_state(Saved(history, learner, data=data))
        # Only now: until the state has this epoch, the best one before it is still the result.
        if best_of(history, latest.phase) is latest:
            best = self.path / (BEST if latest.phase == self.final_phase else BEST_CONTENT)
            with going_on(best):
                copy_whole(last, best)
        self.arrange(history)

    def write_state(self, saved: Saved) -> None:
        """Rewrite what a stopped run goes on from. RunError where the disk does not take it; the old one stays then."""
        import torch  # noqa: PLC0415

        state = {
            "identity": json.dumps(self.identity),
            "history": json.dumps([dataclasses.asdict(epoch) for epoch in saved.history]),
            "learner": saved.learner,
            "begun": json.dumps(None if saved.begun is None else dataclasses.asdict(saved.begun)),
            "data": saved.data,
        }
        # An open file, since torch's own writing to a path hides why it failed.
        with going_on(self.path / STATE), replacing(self.path / STATE) as scratch, scratch.open("wb") as file:
            torch.save(state, file)

    def arrange(self, history: Sequence[Epoch]) -> None:
        """Make the best epochs' files and epochs.csv what a state's history says; what is so already stays untouched.

        They are behind it after each epoch, and after a killing in between. A training that is prolonged may end in
        another phase than before: the best of its content epochs is no longer its result. Files are known by their
        headers, so that this may be stopped and repeated at any moment. RunError where the disk does not take them.
        """
        names = {"content": BEST_CONTENT, self.final_phase: BEST}
        phases = {epoch.phase for epoch in history}
        wanted = {name: best_of(history, phase).epoch for phase, name in names.items() if phase in phases}
        there = {name: epoch_of(self.path / name) for name in (LAST, BEST, BEST_CONTENT)}
        holders = {epoch: name for name, epoch in there.items()}
        with going_on(self.path / BEST):
            for name, epoch in wanted.items():
                if there[name] != epoch and epoch in holders:
                    copy_whole(self.path / holders[epoch], self.path / name)
            for name in {BEST, BEST_CONTENT} - wanted.keys():
                (self.path / name).unlink(missing_ok=True)
        self.list_epochs(as_csv(history))

    def list_epochs(self, text: str) -> None:
        """Make a text epochs.csv, unless it is already. RunError where the disk does not take it."""
        file = self.path / EPOCHS
        with going_on(file):
            if file.exists() and file.read_bytes() == text.encode():
                return
            with replacing(file) as scratch:
                scratch.write_bytes(text.encode())

    def publish(self, history: Sequence[Epoch]) -> Path:
        """The finished run's checkpoint: a copy of the final phase's best epoch. RunError where that is gone."""
        final, best = self.path / FINAL, self.path / BEST
        chosen = best_of(history, self.final_phase).epoch
        if epoch_of(best) == chosen:
            with going_on(final):
                copy_whole(best, final)
        elif epoch_of(final) != chosen:
            state = self.path / STATE
            raise RunError(f"{best}, of epoch {chosen}, is gone, though {state} says that the training is done")
        return final


def same_encoder(ours: Mapping[str, Any], earlier: Mapping[str, Any]) -> set[str]:
    """The fields that need not agree: the encoder is compared by its check sum where both tell it, else by its name.

    Its file may lie elsewhere now, or be gone, as the state has its weights.
    """
    if ours.get(ENCODER) is None or earlier.get(ENCODER) is None:
        return {ENCODER}
    return {VGG_WEIGHTS}


@contextmanager
def readable(file: Path) -> Iterator[None]:
    """RunError that names a state and the mend for whatever is raised in reading it."""
    try:
        yield
    except (OSError, MemoryError) as error:  # which say nothing of what is in it
        raise RunError(
            f"{file} cannot be read ({reason_of(error)}); mend that, and run the same command again"
        ) from error
    except Exception as error:  # the restricted unpickler raises errors of any kind for a damaged file
        raise RunError(
            f"{file} cannot be read ({error!r}); remove the folder to train anew, or name another one"
        ) from error


def read_state(file: Path, *, mapped: bool = False) -> Any:
    """The content of a state, in which no code is run. `mapped`: tensors are read when they are looked at."""
    import torch  # noqa: PLC0415 - what only looks at a folder needs none

    return torch.load(file, map_location="cpu", weights_only=True, mmap=mapped)


def precision_begun(folder: Path) -> str | None:
    """The precision that a folder's training was begun with; None where there is no state. RunError for a damaged one.

    Of its hundreds of megabytes only the head is read.
    """
    file = folder / STATE
    if not file.exists():
        return None
    with readable(file):
        return str(json.loads(read_state(file, mapped=True)["identity"]).get("precision", SalGANConfig.precision))


@contextmanager
def going_on(path: Path) -> Iterator[None]:
    """RunError that names a file and the mend for what fails in writing it."""
    try:
        yield
    except (OSError, RuntimeError) as error:  # torch raises the latter
        interrupt = interrupt_behind(error)
        if interrupt is not None:
            raise interrupt  # noqa: B904 - what torch made of it is no cause
        raise RunError(
            f"{path} cannot be written ({reason_of(error)}). What was saved before is whole: make room, and the same "
            "command goes on from there"
        ) from error


def interrupt_behind(error: BaseException) -> BaseException | None:
    """Ctrl-C or SIGTERM, where that is what ended a file's writing: torch raises an error of its own in its place."""
    cause: BaseException | None = error
    while cause is not None and isinstance(cause, Exception):
        cause = cause.__cause__ or cause.__context__
    return cause


def kept_name(epoch: int) -> str:
    """The file of an epoch that is kept."""
    return f"epoch-{epoch:03}.safetensors"


def epoch_of(checkpoint: Path) -> int | None:
    """The epoch that a checkpoint is of; None where there is none that can be read."""
    try:
        return read_header(checkpoint).epoch
    except DataError:
        return None
