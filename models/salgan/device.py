"""Where the networks run."""

import torch

from salbench.errors import UsageError


def torch_device(name: str | None) -> torch.device:
    """The device of that name; without one CUDA where there is any, else the CPU.

    Raises UsageError for a name that torch does not know and for a device that is not there.
    """
    try:
        device = torch.device(name or ("cuda" if torch.cuda.is_available() else "cpu"))
    except RuntimeError as error:
        raise UsageError(f"device is {name!r}; wanted: cpu, cuda, cuda:N, or none for the best there is") from error
    if device.type == "cuda" and (device.index or 0) >= torch.cuda.device_count():
        raise UsageError(f"device is {name!r}, but torch sees {torch.cuda.device_count()} CUDA devices; use cpu")
    return device
