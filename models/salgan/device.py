"""Where the networks run."""

import torch

from salbench.errors import UsageError


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
