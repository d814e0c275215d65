"""Where the networks run, and how exactly their arithmetic repeats itself."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch

from salbench.environment import Launch
from salbench.errors import UsageError

CUBLAS = "CUBLAS_WORKSPACE_CONFIG"
CUBLAS_DETERMINISTIC = (":4096:8", ":16:8")


def torch_device(name: str | None) -> torch.device:
    """The device of that name; without one CUDA where there is any, else the CPU.

    Raises UsageError, naming those that are there, for any other.
    """
    there = device_names()
    if name is None:
        name = "cuda" if "cuda" in there else "cpu"
    # Looked up by name, not parsed: torch takes devices that nothing here runs on, and cuda:256 for cuda:0.
    if name not in there:
        raise UsageError(f"device is {name!r}; wanted: one that torch finds here, which are {', '.join(there)}")
    return torch.device(name)


def device_names() -> list[str]:
    """Every name that a device of this machine can be asked for by."""
    cuda = [f"cuda:{number}" for number in range(torch.cuda.device_count())]
    mps = ["mps"] if torch.backends.mps.is_available() else []
    return ["cpu", *(["cuda"] if cuda else []), *cuda, *mps]


def own_device(name: str | None, place: Launch) -> torch.device:
    """The device of one of several processes, which have a GPU each, or the CPU together; alone as `torch_device`.

    Raises UsageError for the name of a single device, and where there are fewer GPUs than processes.
    """
    if place.count == 1:
        return torch_device(name)
    if name not in (None, "cpu", "cuda"):
        raise UsageError(f"device is {name!r}; wanted: cpu or cuda, as {place.count} processes have one each")
    device = torch_device(name)
    if device.type == "cpu":
        return device
    there = torch.cuda.device_count()
    if place.local_rank >= there:
        raise UsageError(
            f"there are more processes here than the {there} GPUs that they want one each of; "
            "start fewer, or pass --device cpu"
        )
    return torch.device("cuda", place.local_rank)


@contextmanager
def repeatable(device: torch.device, *, on_gpu: bool) -> Iterator[None]:
    """In the block torch computes the same from the same to the last bit: on a CPU, and with `on_gpu` elsewhere too.

    Raises UsageError where CUDA's library of matrix products was not told to.
    """
    if device.type != "cpu" and not on_gpu:
        yield
        return
    if device.type == "cuda" and os.environ.get(CUBLAS) not in CUBLAS_DETERMINISTIC:
        raise UsageError(
            f"deterministic is True; wanted: {CUBLAS}={CUBLAS_DETERMINISTIC[0]} in the environment, as CUDA wants it"
        )
    before = torch.are_deterministic_algorithms_enabled(), torch.is_deterministic_algorithms_warn_only_enabled()
    settings: Any = torch.utils.deterministic  # whose attributes its stubs do not know
    fill = settings.fill_uninitialized_memory
    torch.use_deterministic_algorithms(True)
    settings.fill_uninitialized_memory = False  # nothing here reads memory that it did not write
    try:
        yield
    finally:
        torch.use_deterministic_algorithms(before[0], warn_only=before[1])
        settings.fill_uninitialized_memory = fill
