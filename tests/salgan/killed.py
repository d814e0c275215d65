"""Trainings in processes of their own, for test_salgan_killed.py to end at a moment of its choice."""

import multiprocessing
import os
import resource
import signal
from dataclasses import dataclass

from narrow import narrow

from salbench.errors import SalbenchError
from salbench.models import TrainingJob
from salbench.progress import Silent

from .scenes import scenes, truth_of
from .several_processes import validate


def kill_myself():
    """As `kill -9` does: nothing is cleaned up."""
    os.kill(os.getpid(), signal.SIGKILL)


@dataclass
class Killing(Silent):
    """Ends the process after so many batches, before what they gave is saved; 0: never. Tells where it began."""

    after: int
    told: object

    def start(self, description, total, done=0):
        if description.startswith("training"):
            self.told.put(done)

    def advance(self, steps=1, **figures):
        self.after -= bool(figures)
        if figures and self.after == 0:
            kill_myself()


def half_a_state(state, file):
    """A killing in the middle of a state's writing."""
    file.write(b"PK half of it")
    file.flush()
    kill_myself()


def train(out, config, told, batches, in_writing, bytes_at_most):
    """Train on, to the end or to the one that is asked for; tells where it began and what went wrong."""
    import torch

    from salbench_models.salgan import SalGAN

    narrow()
    torch.set_num_threads(1)
    if in_writing:
        torch.save = half_a_state
    if bytes_at_most:
        resource.setrlimit(resource.RLIMIT_FSIZE, (bytes_at_most, resource.RLIM_INFINITY))
    stimuli = scenes(6)
    job = TrainingJob(
        *(stimuli, stimuli[:2], "toy/train", truth_of, "as it is", validate, out, "cpu", 3),
        progress=Killing(batches, told),
    )
    try:
        SalGAN.train(job, config)
    except SalbenchError as error:
        told.put(str(error))


def in_a_process(out, config, batches=0, in_writing=False, bytes_at_most=0):
    """The exit code of such a process, and what it told."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["salbench_models.salgan.training"])
    told = context.SimpleQueue()
    process = context.Process(target=train, args=(out, config, told, batches, in_writing, bytes_at_most))
    process.start()
    process.join()
    words = []
    while not told.empty():
        words.append(told.get())
    return process.exitcode, words
