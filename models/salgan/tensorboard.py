"""What TensorBoard shows of a training: `tensorboard --logdir FOLDER/tensorboard`.

torch's writer is taken, not tensorboardX: that is smaller, but whoever wants to look needs TensorBoard anyway, so one
package does both. The loop goes on without it, and whatever happens to it.
"""

import math
import threading
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from salbench.image_files import read_image
from salbench.progress import Progress

if TYPE_CHECKING:
    from torch.utils.tensorboard import SummaryWriter

BOARD = "tensorboard"


class Board:
    """Two runs side by side: `steps`, by the number of the step, and `epochs`, by that of the epoch, both from 1.

    `writers`: of each run; none where nothing is to be written. `quiet`: what keeps their threads' errors off stderr.
    Once something goes wrong, a note says so, and no more is written.
    """

    def __init__(
        self,
        progress: Progress,
        writers: "Mapping[str, SummaryWriter] | None" = None,
        quiet: "QuietWriters | None" = None,
    ) -> None:
        self.quiet = quiet
        self.progress = progress
        self.writers: dict[str, Any] = dict(writers or {})

    def step(self, number: int, figures: Mapping[str, float]) -> None:
        """The losses and figures of a step."""
        self.write("steps", number, figures)

    def epoch(self, number: int, row: Mapping[str, Any], picture: Path | None = None) -> None:
        """An epoch's row of epochs.csv, of which numbers are shown, and its sample maps. The disk gets all so far."""
        figures = {key: value for key, value in row.items() if is_number(value) and key != "epoch"}
        self.write("epochs", number, figures, picture)

    def write(self, run: str, number: int, figures: Mapping[str, float], picture: Path | None = None) -> None:
        """Scalars, and a picture, of one step of a run."""
        if not self.writers:
            return
        writer = self.writers[run]
        try:
            for name, value in figures.items():
                writer.add_scalar(name, value, number)
            if picture is not None:
                writer.add_image("samples", read_image(picture), number, dataformats="HWC")
            if run == "epochs":
                for each in self.writers.values():
                    each.flush()
        except Exception as error:  # a full disk, or whatever the writer raises
            self.give_up(error)

    def close(self) -> None:
        """Write what is left."""
        try:
            for writer in self.writers.values():
                writer.close()
        except Exception as error:  # as above
            self.give_up(error)
        self.release()

    def give_up(self, error: Exception) -> None:
        """Write no more, and say why. Each writer is closed, as far as it can be, so that its thread ends."""
        for writer in self.writers.values():
            with suppress(Exception):  # it is told of already
                writer.close()
        self.release()
        self.progress.note(f"nothing more is written for TensorBoard: {error!r}")

    def release(self) -> None:
        """Forget the writers, whose threads have ended."""
        self.writers = {}
        if self.quiet is not None:
            self.quiet.close()


class QuietWriters:
    """Until it is closed, TensorBoard's threads end without a traceback on stderr.

    They raise what ended them in the training's thread once more, where it becomes a note.
    """

    def __init__(self) -> None:
        self.before = threading.excepthook
        threading.excepthook = self

    def __call__(self, args: threading.ExceptHookArgs) -> None:
        """What threading does with an error that ends a thread: other threads' go where they went before."""
        if not type(args.thread).__module__.startswith("tensorboard."):
            self.before(args)

    def close(self) -> None:
        """Put back what was there, unless somebody else has come after."""
        if threading.excepthook is self:
            threading.excepthook = self.before


def open_board(folder: Path, steps: int, epochs: int, progress: Progress) -> Board:
    """The board of a training's folder, after so many steps and whole epochs.

    What an earlier process wrote beyond them is done anew, and no longer shown. Where the package is missing, or the
    folder cannot be written, a note says so, and the board writes nothing.
    """
    board = Board(progress, quiet=QuietWriters())
    try:
        from torch.utils.tensorboard import SummaryWriter  # noqa: PLC0415 - may be missing

        wait_for_a_later_name(folder / BOARD)
        for name, count in {"steps": steps, "epochs": epochs}.items():
            board.writers[name] = SummaryWriter(str(folder / BOARD / name), purge_step=count + 1)
    except ImportError as error:
        board.release()
        progress.note(f'nothing is written for TensorBoard ({error}): pip install "salbench[torch]"')
    except Exception as error:  # the writer's, of any kind
        board.give_up(error)
    return board


def wait_for_a_later_name(folder: Path) -> None:
    """Return in a second in which no file of the folder was begun.

    Files are named by it and read in the order of their names: of two that share one, the newer may come first.
    """
    while any(folder.glob(f"*/events.out.tfevents.{int(time.time())}.*")):
        time.sleep(0.05)


def is_number(value: object) -> bool:
    """Whether a value can be drawn."""
    return isinstance(value, int | float) and math.isfinite(value)
