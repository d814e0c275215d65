"""What a training's folder holds when a write fails, when it is killed between two, and who may train into it."""

import errno
import io
import os
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch

import salbench.training
from salbench.cli import Terminated
from salbench.datasets.registry import open_dataset
from salbench.errors import RunError
from salbench.progress import Silent
from salbench.scoring.validation import Validator
from salbench_models.salgan import SalGAN, SalGANConfig, run_folder
from salbench_models.salgan.checkpoint import Header
from salbench_models.salgan.files import held
from salbench_models.salgan.history import Begun, Epoch
from salbench_models.salgan.preprocessing import TORCHVISION
from salbench_models.salgan.processes import Processes
from salbench_models.salgan.run_folder import RunFolder, Saved
from salbench_models.salgan.training import Run, explained, identity, saved_for, with_generator_steps

from .scenes import checkpoint, hollow_checkpoint, rows_of

CONTENT, ADVERSARIAL = "content", "adversarial"


def epoch(number, nss, phase=CONTENT):
    return Epoch(number, phase, {"content": 0.5}, {"nss": nss}, 1.0, 1.0, generator_steps=number)


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A folder whose checkpoints have no weights."""
    monkeypatch.setattr(
        run_folder, "write_checkpoint", lambda path, weights, header: hollow_in_one(path, header.as_metadata())
    )
    return RunFolder(tmp_path, SalGANConfig().as_record(), CONTENT)


def hollow_in_one(path, metadata):
    from salbench.atomic import replacing

    with replacing(path) as scratch:
        hollow_checkpoint(scratch, metadata)


def save(folder, history):
    last = history[-1]
    header = Header({}, TORCHVISION, "48x32", ("toy/train",), last.epoch, last.metrics, 0)
    folder.save(history, {}, header, {}, keep=True)


def start(folder):
    """As a call does that goes on; the epochs that are done."""
    history = folder.load().history
    if history:
        folder.arrange(history)
    return history


def test_a_state_that_cannot_be_written_costs_its_epoch_alone(folder, monkeypatch):
    """Catches the best epoch lost to one that was never saved: NSS 2, 1, 3 and a full disk, then 0.5 the second time.

    A repetition need not be identical, as on another number of processes.
    """
    history = [epoch(1, 2.0), epoch(2, 1.0)]
    for count in (1, 2):
        save(folder, history[:count])
    original = torch.save

    def full(*_):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(torch, "save", full)
    with pytest.raises(RunError, match=r"state\.pt cannot be written \(No space left on device\)"):
        save(folder, [*history, epoch(3, 3.0)])
    assert len(rows_of(folder.path)) == 2
    monkeypatch.setattr(torch, "save", original)
    assert start(folder) == history
    save(folder, [*history, epoch(3, 0.5)])
    assert run_folder.epoch_of(folder.publish(start(folder))) == 1


@pytest.mark.parametrize("wish", [KeyboardInterrupt, Terminated])
def test_an_interrupt_while_the_state_is_written_is_no_full_disk(folder, monkeypatch, wish):
    """Catches Ctrl-C told as a disk without room, after which `reproduce` goes on with the next training: torch makes
    an error of its own of whatever a file raises.
    """
    history = [epoch(1, 2.0), epoch(2, 1.0)]
    save(folder, history[:1])
    original = torch.save

    class Interrupted(io.BytesIO):
        def write(self, content):
            raise wish

    monkeypatch.setattr(torch, "save", lambda state, file: original(state, Interrupted()))
    with pytest.raises(wish):
        save(folder, history)
    monkeypatch.undo()
    assert start(folder) == history[:1]


def test_a_state_that_may_not_be_read_is_not_to_be_removed(folder, monkeypatch):
    """Catches the advice to throw a training away, where a disk fails for a moment."""
    save(folder, [epoch(1, 2.0)])

    def failing(*_, **__):
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    monkeypatch.setattr(torch, "load", failing)
    with pytest.raises(RunError, match=r"state\.pt cannot be read \(Input/output error\); mend that") as raised:
        folder.load()
    assert "remove" not in str(raised.value)


class Killed(BaseException):
    """As SIGKILL: nothing handles it."""


def kill_before(write, monkeypatch):
    """End the process, as it were, before the n-th file from now gets its name."""
    left, original = [write], Path.replace

    def rename(self, target):
        if left[0] == 0:
            raise Killed
        left[0] -= 1
        return original(self, target)

    monkeypatch.setattr(Path, "replace", rename)


@pytest.mark.parametrize("write", range(6))
@pytest.mark.parametrize("nss", [3.0, 0.5])
def test_a_killing_between_any_two_writes_is_mended_at_the_start(folder, monkeypatch, write, nss):
    """Catches a folder whose best epoch, or epochs.csv, is not that of its state: before each of an epoch's writes.

    They are last, kept, state, best where it is, and epochs.csv. After six nothing is killed.
    """
    first, second = epoch(1, 2.0), epoch(2, nss)
    save(folder, [first])
    with monkeypatch.context() as patched:
        kill_before(write, patched)
        try:
            save(folder, [first, second])
        except Killed:
            assert write < 5
        else:
            assert write >= (5 if nss > 2 else 4)
    done = start(folder)
    assert len(done) == (2 if write > 2 else 1)
    best = 2 if len(done) == 2 and nss > 2 else 1
    assert run_folder.epoch_of(folder.path / "best.safetensors") == best
    assert [row["epoch"] for row in rows_of(folder.path)] == [str(number) for number in range(1, len(done) + 1)]
    save(folder, [*done, epoch(len(done) + 1, 2.5)])
    assert run_folder.epoch_of(folder.publish(start(folder))) == (2 if len(done) == 1 or best == 2 else 3)


def test_what_is_right_already_is_not_written_again(folder):
    """Catches a start that rewrites epochs.csv, which others may be reading, and files of a training that is done."""
    save(folder, [epoch(1, 2.0)])
    before = {path: path.stat().st_mtime_ns for path in folder.path.iterdir()}
    start(folder)
    assert {path: path.stat().st_mtime_ns for path in folder.path.iterdir()} == before


def test_states_of_before_tell_no_validation(make_job, tmp_path):
    """Catches trainings of older versions that can no longer be gone on with, and another validation that passes."""
    ours = identity(make_job(tmp_path, validation_split="toy/val"), SalGANConfig())
    assert ours["validation_split"] == "toy/val"
    RunFolder(tmp_path, ours, CONTENT).check({k: v for k, v in ours.items() if not k.startswith("validation")})
    with pytest.raises(RunError, match="validation_split was 'toy/test', now 'toy/val'"):
        RunFolder(tmp_path, ours, CONTENT).check({**ours, "validation_split": "toy/test"})


def test_an_epoch_that_is_begun_does_not_block_what_is_done(make_job, tmp_path):
    """Catches a finished training that is refused since one epoch more was begun; for that one the state stays."""
    config = SalGANConfig(epochs=1, vgg_weights="none", tensorboard=False, samples=0)
    job = make_job(tmp_path)
    folder = RunFolder(tmp_path, identity(job, config), CONTENT)
    folder.write_state(Saved([epoch(1, 2.0)], {}, Begun(2, ADVERSARIAL, 6, 1)))
    checkpoint(tmp_path / "last.safetensors", 1)
    before = (tmp_path / "state.pt").read_bytes()
    assert run_folder.epoch_of(SalGAN.train(job, config)) == 1
    assert (tmp_path / "state.pt").read_bytes() == before
    assert saved_for(replace(config, adversarial_epochs=1), folder).begun.batches == 1
    with pytest.raises(RunError, match="2 epochs are done or begun"):
        folder.write_state(Saved([epoch(1, 2.0), epoch(2, 2.0)], {}))
        saved_for(config, folder)


def test_what_an_epoch_tells_of_its_steps_is_kept():
    """Catches steps that are counted anew by another rule, and older epochs without any."""
    config = SalGANConfig(batch=4)
    assert with_generator_steps(config, replace(epoch(1, 1.0), generator_steps=99)).generator_steps == 99
    older = replace(epoch(2, 1.0), generator_steps=None, seconds=2.0, images_per_second=3.0)
    assert with_generator_steps(config, older).generator_steps == 4


def test_a_folder_is_one_trainings_at_a_time(make_job, run_config, tmp_path):
    """Catches two trainings that replace each other's files; what the first is writing must not be removed."""
    writing = tmp_path / ".state.pt.0123abcd.tmp"
    with held(tmp_path):
        writing.touch()
        with pytest.raises(RunError, match=f"another process trains in {tmp_path}"):
            SalGAN.train(make_job(tmp_path), run_config)
        assert writing.exists()
    with held(tmp_path):
        pass


def test_a_killed_process_holds_nothing(tmp_path):
    """Catches a folder that has to be freed by hand after kill -9."""
    script = (
        "import sys\nfrom pathlib import Path\nfrom salbench_models.salgan.files import held\n"
        "with held(Path(sys.argv[1])):\n    print('held', flush=True)\n    sys.stdin.read()\n"
    )
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    with subprocess.Popen([sys.executable, "-c", script, tmp_path], **pipes) as process:
        assert process.stdout.readline() == b"held\n"
        with pytest.raises(RunError, match="another process trains"), held(tmp_path):
            raise AssertionError("not refused")
        process.send_signal(signal.SIGKILL)
        process.wait()
    with held(tmp_path):
        pass


def test_systems_without_locks_go_without(tmp_path, monkeypatch):
    """Catches a training that cannot start on Windows."""
    monkeypatch.setitem(sys.modules, "fcntl", None)
    with held(tmp_path), held(tmp_path):
        pass


def run_with(make_job, tmp_path, **options):
    """A run that is only asked, not trained."""
    config = SalGANConfig(batch=4, **options)
    learner = SimpleNamespace(config=config, processes=Processes(), device=torch.device("cpu"))
    return Run(make_job(tmp_path), None, Saved(), learner, None, None, None)


def test_full_memory_names_what_helps(make_job, tmp_path):
    """Catches a traceback of torch's where a batch does not fit."""
    run = run_with(make_job, tmp_path, accumulate=2)
    wanted = r"out of memory on cpu with batch 4 in epoch 3\. last\.safetensors holds epoch 2; try --accumulate 4 or "
    with pytest.raises(RunError, match=wanted + "--precision bf16"), explained(run, Begun(3, CONTENT, 6)):
        raise torch.cuda.OutOfMemoryError("CUDA out of memory. Tried to allocate 20 GiB")


@pytest.mark.parametrize(
    ("minutes", "since", "spent", "batches", "due"),
    [
        (10.0, 599, 0, 1, False),
        (10.0, 600, 0, 1, True),
        (0.0, 1e6, 1e6, 2, False),
        # The epoch's last batch, before its validation: what counts is how long the epoch took.
        (10.0, 0, 599, 2, False),
        (10.0, 0, 601, 2, True),
        (10.0, 0, 601, 1, False),
    ],
)
def test_a_state_is_due_by_time_and_before_a_long_epochs_validation(
    make_job, tmp_path, monkeypatch, minutes, since, spent, batches, due
):
    """Catches a state after every batch or never, one that is saved unasked, and a validation that costs an epoch."""
    run = run_with(make_job, tmp_path, save_minutes=minutes)
    run.saved_at = 0.0
    monkeypatch.setattr("salbench_models.salgan.training.time.monotonic", lambda: float(since))
    assert run.due(Begun(1, CONTENT, 6, batches, seconds=spent)) is due
    without = replace(run, job=replace(run.job, validation=()))
    assert without.due(Begun(1, CONTENT, 6, 2, seconds=1e9)) is (since >= 60 * minutes > 0)


def fails():
    raise AssertionError("read")


def test_a_validator_reads_nothing_before_it_is_called():
    """Catches fixations that each of eight processes reads, though one validates, also where nothing is to do."""
    stimuli = [replace(one, fixation_source=fails) for one in list(open_dataset("synthetic").stimuli("val"))[:2]]
    validate = Validator(stimuli, None, 0, 2, Silent())
    with pytest.raises(AssertionError, match="read"):
        validate(lambda image: image[..., 0])


def test_a_job_names_its_validation(tmp_path, monkeypatch):
    """Catches trainings on other validation splits that pass for the same."""
    jobs = []
    monkeypatch.setattr(SalGAN, "train", lambda job, config: jobs.append(job) or tmp_path)
    for options in ({}, {"validation_split": "test"}, {"split": "val"}):
        salbench.training.train("salgan", "synthetic", out=tmp_path, **options)
    assert [job.validation_split for job in jobs] == ["synthetic/val", "synthetic/test", ""]
    assert [len(job.validation) > 0 for job in jobs] == [True, True, False]
