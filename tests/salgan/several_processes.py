"""What each process of a torchrun does for test_salgan_processes.py: train small jobs together, one after the other.

Called with the folder of the trainings and the file of VGG-16 weights. A training that fails leaves its error's type
and text in a file, a line for each process.

What trains is imported before there is a process group, as the command line does: torch's modules keep one that is
there when they are imported (`group=dist.group.WORLD`), which then ends with the interpreter, sometimes by an abort.
"""

import sys
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

sys.path.insert(0, str(Path(__file__).parents[1]))

from narrow import narrow

from salbench.environment import launch
from salbench.errors import DataError, SalbenchError
from salbench.models import TrainingJob
from salbench_models.salgan import SalGANConfig
from salbench_models.salgan.files import held
from salbench_models.salgan.processes import joined
from salbench_models.salgan.training import train
from salgan.scenes import Recorder, nss_at_centre, scenes, truth_of

IMAGES = 7
OPTIONS = {"size": "48x32", "epochs": 1, "adversarial_epochs": 2, "learning_rate": 1e-5}
OPTIONS |= {"batch": 3, "accumulate": 2, "cache_features": True, "tensorboard": False, "samples": 0}
"""Batches of 3, 3 and 1: of each, the second process has an image more than the first, which has none of the last."""


def validate(predict):
    return {"nss": float(np.mean([nss_at_centre(predict, number) for number in range(2)]))}


def unreadable(stimulus):
    raise DataError("not to be read")


def job_of(out, images):
    stimuli = scenes(images)
    return TrainingJob(stimuli, stimuli[:2], "toy/train", truth_of, "as it is", validate, out, "cpu", 3, Recorder())


def compared(out, vgg):
    """A job and its configuration, for as many processes as there are."""
    return job_of(out, IMAGES), SalGANConfig(**OPTIONS, vgg_weights=str(vgg))


def failing(out, vgg):
    """Trainings that fail in one process, or in all."""
    config = SalGANConfig(size="48x32", epochs=1, batch=2, vgg_weights=vgg, tensorboard=False, samples=0)
    job = replace(job_of(out, 4), validation=())
    second = launch().rank == 1
    yield "diverged", replace(job, out=out / "d"), replace(config, learning_rate=1e30, weight_decay=0.0)
    yield "fewer", replace(job, out=out / "f", train=scenes(4 - second)), config
    yield "unreadable", replace(job, out=out / "u", ground_truth=unreadable if second else truth_of), config
    yield "validation", replace(job, out=out / "v", validation=scenes(1), validate=unreadable), config
    yield "device", replace(job, out=out / "c", device="cpu:0"), config


def main(out, vgg):
    narrow()
    torch.set_num_threads(1)
    with joined():
        job, config = compared(out / "compared", vgg)
        train(job, config)
        said = [*job.progress.notes, *job.progress.started]
        (out / f"compared.{launch().rank}").write_text("\n".join(map(str, said)))
        for name, job, config in failing(out, vgg):
            told(out / name, job, config)
        with held(out / "h") if launch().rank == 1 else nullcontext():
            torch.distributed.barrier()
            told(out / "held", replace(job, out=out / "h", device="cpu"), config)
    (out / f"threads.{launch().rank}").write_text("\n".join(sorted(threads())))


def threads():
    """The names of this process's threads, where the system tells them."""
    tasks = Path("/proc/self/task")
    return {(task / "comm").read_text().strip() for task in tasks.iterdir()} if tasks.is_dir() else set()


def told(file, job, config):
    """Leave what goes wrong in a training."""
    try:
        train(job, config)
    except SalbenchError as error:
        file.with_name(f"{file.name}.{launch().rank}").write_text(f"{type(error).__name__}: {error}")


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2])
