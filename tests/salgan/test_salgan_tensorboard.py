"""What TensorBoard is given to show, read back with TensorBoard's own reader."""

import os
import subprocess
import sys
import textwrap
import threading
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from salbench.errors import DataError
from salbench_models.salgan import SalGAN
from salbench_models.salgan.history import FIGURES, LOSSES
from salbench_models.salgan.samples import SAMPLES
from salbench_models.salgan.tensorboard import BOARD, Board, open_board

from .scenes import Recorder, rows_of


def shown(folder, run, tag):
    """(step, value) of a tag, as TensorBoard shows them."""
    events = EventAccumulator(str(folder / BOARD / run)).Reload()
    return [(event.step, event.value) for event in events.Scalars(tag)]


def tags(folder, run):
    found = EventAccumulator(str(folder / BOARD / run)).Reload().Tags()
    return set(found["scalars"]), set(found["images"])


def unreadable():
    raise DataError("images/5.png: cannot be read")


@pytest.fixture(scope="module")
def resumed(make_job, run_config, tmp_path_factory):
    """The folder of a training that Ctrl-C stopped within its second epoch, of which a step was written but not saved.

    Catches, besides, threads that stay behind while somebody holds the error and its frames, and a skipped stimulus
    that the training's last lines do not tell of.
    """
    job = make_job(tmp_path_factory.mktemp("resumed"))
    job = replace(job, train=[*job.train[:5], replace(job.train[5], image_source=unreadable)])
    config = replace(run_config, tensorboard=True, samples=2)
    with pytest.raises(KeyboardInterrupt) as stopped:
        SalGAN.train(replace(job, progress=Recorder(interrupt_after=4)), config)
    assert stopped.tb is not None
    assert not any(thread.name.startswith("salbench-") for thread in threading.enumerate())
    SalGAN.train(job, config)
    assert "1 of 6 training stimuli were skipped, as noted when they were read" in job.progress.notes[-2:]
    return job.out


def test_a_resumed_training_shows_every_step_once(resumed):
    """Catches figures that are missing or of another step, and the stopped epoch's beside those of its repetition.

    Two batches an epoch: steps 1 and 2 are of the content phase, then discriminator and generator alternate.
    """
    assert [step for step, _ in shown(resumed, "steps", "learning_rate")] == [1, 2, 3, 4, 5, 6]
    assert [step for step, _ in shown(resumed, "steps", "content_loss")] == [1, 2, 4, 6]
    assert [step for step, _ in shown(resumed, "steps", "d_real")] == [3, 5]
    scalars, _ = tags(resumed, "steps")
    assert scalars == {*(f"{name}_loss" for name in LOSSES), *FIGURES, "images_per_second"}


def test_epochs_are_shown_as_in_epochs_csv(resumed):
    """Catches columns that are left out, figures of another epoch, and step losses that are not those of the epoch."""
    rows = rows_of(resumed)
    scalars, images = tags(resumed, "epochs")
    assert (scalars, images) == (set(rows[0]) - {"epoch", "phase"}, {"samples"})
    for name in scalars:
        wanted = [(number, float(row[name])) for number, row in enumerate(rows, 1) if row[name]]
        for (step, value), (number, figure) in zip(shown(resumed, "epochs", name), wanted, strict=True):
            assert step == number
            assert value == pytest.approx(figure, rel=1e-6)
    first, second = (value for _, value in shown(resumed, "steps", "content_loss")[:2])
    assert float(rows[0]["content_loss"]) == pytest.approx((4 * first + second) / 5, rel=1e-5)


def test_every_epoch_has_its_picture(resumed):
    """Catches missing pictures, half-written files, and columns in the wrong places: only the image has colours."""
    pictures = sorted((resumed / SAMPLES).iterdir())
    assert [path.name for path in pictures] == [f"epoch-{number:03}.png" for number in (1, 2, 3)]
    colours = np.asarray(Image.open(pictures[0]).convert("RGB")).astype(int)
    coloured = [int((np.ptp(part, axis=2) > 30).sum()) for part in np.array_split(colours, 3, axis=1)]
    assert coloured[0] > 100
    assert coloured[1:] == [0, 0]


def test_what_a_killed_process_was_ahead_of_its_state_is_no_longer_shown(tmp_path):
    """Catches, after a real kill -9, steps and an epoch that were written but not saved, and older ones that vanish."""
    script = f"""
        import os, signal
        from pathlib import Path
        from salbench.progress import Silent
        from salbench_models.salgan.tensorboard import open_board
        board = open_board(Path({str(tmp_path)!r}), 0, 0, Silent())
        for step in range(1, 8):
            board.step(step, {{"loss": 1.0}})
        board.epoch(1, {{"nss": 1.0}})
        board.epoch(2, {{"nss": 1.0}})
        os.kill(os.getpid(), signal.SIGKILL)
    """
    assert subprocess.run([sys.executable, "-c", textwrap.dedent(script)], check=False).returncode == -9
    board = open_board(tmp_path, 4, 1, Recorder())
    for step in range(5, 9):
        board.step(step, {"loss": 2.0})
    board.epoch(2, {"nss": 2.0})
    board.close()
    assert shown(tmp_path, "steps", "loss") == [
        *((step, 1.0) for step in range(1, 5)),
        *((s, 2.0) for s in range(5, 9)),
    ]
    assert shown(tmp_path, "epochs", "nss") == [(1, 1.0), (2, 2.0)]


def test_without_the_package_a_note_says_so(tmp_path, monkeypatch):
    """Catches an optional package that a training cannot do without, and a note after every step."""
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", None)
    progress = Recorder()
    board = open_board(tmp_path, 0, 0, progress)
    for step in range(1, 4):
        board.step(step, {"loss": 1.0})
    board.close()
    assert list(tmp_path.iterdir()) == []
    assert len(progress.notes) == 1
    assert progress.notes[0].endswith('pip install "salbench[torch]"')


def test_a_folder_that_cannot_be_written_costs_a_note(tmp_path):
    """Catches a training that ends because its curves cannot be drawn."""
    (tmp_path / BOARD).touch()
    progress = Recorder()
    board = open_board(tmp_path, 0, 0, progress)
    board.step(1, {"loss": 1.0})
    board.epoch(1, {"nss": 1.0})
    board.close()
    assert len(progress.notes) == 1
    assert "nothing more is written for TensorBoard" in progress.notes[0]


def test_a_writer_that_fails_is_given_up(tmp_path):
    """Catches a full disk that ends the training, and one note per step."""

    class Full:
        def add_scalar(self, *values):
            raise OSError(28, "No space left on device")

    progress = Recorder()
    board = Board(progress, {"steps": Full(), "epochs": Full()})
    for step in range(1, 4):
        board.step(step, {"loss": 1.0})
    board.close()
    assert len(progress.notes) == 1
    assert "No space left on device" in progress.notes[0]


def test_a_full_disk_costs_a_note_and_no_traceback(tmp_path):
    """Catches what TensorBoard's threads print where the disk takes no more, and writers that are left open.

    A process whose files may have 2,000 bytes; another thread's error is still heard.
    """
    script = f"""
        import resource, threading
        from pathlib import Path
        from salbench_models.salgan.tensorboard import open_board
        from salgan.scenes import Recorder
        resource.setrlimit(resource.RLIMIT_FSIZE, (2000, resource.RLIM_INFINITY))
        progress = Recorder()
        board = open_board(Path({str(tmp_path)!r}), 0, 0, progress)
        for step in range(1, 200):
            board.step(step, {{"loss": 1.0}})
            if step % 50 == 0:
                board.epoch(step, {{"nss": 1.0}})
        other = threading.Thread(target=lambda: 1 / 0)
        other.start()
        other.join()
        board.close()
        left = [one.name for one in threading.enumerate() if type(one).__module__.startswith("tensorboard")]
        print(len(progress.notes), "File too large" in progress.notes[0], left)
    """
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[1])}
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(script)],
        **{"env": environment, "capture_output": True, "text": True},
        check=False,
    )
    assert done.stdout == "1 True []\n", done.stderr
    assert done.stderr.count("Traceback") == 1
    assert "ZeroDivisionError" in done.stderr
    assert "tensorboard" not in done.stderr


def test_threads_are_heard_again_when_the_board_is_closed(tmp_path):
    """Catches a hook that outlives its training."""
    before = threading.excepthook
    board = open_board(tmp_path, 0, 0, Recorder())
    assert threading.excepthook is not before
    board.close()
    assert threading.excepthook is before


def test_only_finite_numbers_and_the_picture_are_drawn(tmp_path):
    """Catches words, empty cells and NaN, which TensorBoard cannot draw, and a picture of other colours."""
    pixels = np.zeros((8, 12, 3), np.uint8)
    pixels[..., 0] = 200
    Image.fromarray(pixels).save(tmp_path / "picture.png")
    board = open_board(tmp_path, 0, 0, Recorder())
    row = {"epoch": 1, "phase": "content", "nss": 1.5, "cc": float("nan"), "d_real": "", "generator_steps": 3}
    board.epoch(1, row, tmp_path / "picture.png")
    board.close()
    assert tags(tmp_path, "epochs") == ({"nss", "generator_steps"}, {"samples"})
    image = EventAccumulator(str(tmp_path / BOARD / "epochs")).Reload().Images("samples")[0]
    assert (image.height, image.width) == (8, 12)
    (tmp_path / "shown.png").write_bytes(image.encoded_image_string)
    assert np.array_equal(np.asarray(Image.open(tmp_path / "shown.png")), pixels)


def test_a_training_without_the_option_writes_nothing(finished):
    """Catches an option without effect: the configuration of the finished training says no."""
    assert finished.config.tensorboard is False
    assert not (finished.folder / BOARD).exists()
