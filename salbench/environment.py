"""Environment variables: those that libraries read when they are loaded, and those that tell of a launch."""

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass


@dataclass(frozen=True)
class Launch:
    """Which of the processes that torchrun started this is.

    `rank`: from 0 on, of `count`. `local_rank`: from 0 on, among those of this machine.
    """

    rank: int = 0
    count: int = 1
    local_rank: int = 0


def launch() -> Launch:
    """The place of this process among those of a torchrun; alone where there is none."""
    if "TORCHELASTIC_RUN_ID" not in os.environ:
        return Launch()
    rank, count, local_rank = (int(os.environ[name]) for name in ("RANK", "WORLD_SIZE", "LOCAL_RANK"))
    return Launch(rank, count, local_rank)


@contextmanager
def variables_set(values: Mapping[str, str]) -> Iterator[None]:
    """These variables set within the block, and as they were after it."""
    before = {name: os.environ.get(name) for name in values}
    os.environ.update(values)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value
