"""The processes of one training: alone, or as many as torchrun started, each on a device of its own.

Each process works on its share of every batch; gradients are added up here, in one all-reduce of a flat tensor, and not
by Fabric's DDP. DDP takes means over processes, which are not the batch's where shares differ, waits for ever for a
process whose share is empty, and has its own mind on a network that is called twice before one backward pass, or that
only passes a gradient on. A sum has none of these cases. What it costs is that gradients travel after the backward pass
and not during it.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TypeVar

import torch
import torch.distributed as dist
from torch import Tensor, nn

from salbench.environment import Launch, launch
from salbench.errors import RunError, SalbenchError
from salbench_models.salgan.reasons import first_line

T = TypeVar("T")

LONGEST_WAIT = timedelta(days=7)
"""How long a process waits for others; the first alone validates, which can take hours."""


@dataclass(frozen=True)
class Processes:
    """One of them (`place`), and what they do together. Every process must make the same calls in the same order.

    A process that is gone is a RunError in the others; so is whatever SalbenchError one of them raises within a call.
    """

    place: Launch = field(default_factory=Launch)

    @property
    def first(self) -> bool:
        """Whether this is the one that writes, validates and speaks."""
        return self.place.rank == 0

    @property
    def share(self) -> tuple[int, int]:
        """The number of this process, from 0 on, and of how many."""
        return self.place.rank, self.place.count

    def each(self, work: Callable[[], T]) -> T:
        """What the work gives here. Every process does it; where it fails in some, all raise the first one's error."""
        outcome: list[T] = []
        error: SalbenchError | None = None
        try:
            outcome.append(work())
        except SalbenchError as failed:
            error = failed
        for reason in self.gathered(error):
            if reason is not None:
                raise reason
        return outcome[0]

    def first_alone(self, work: Callable[[], T]) -> T:
        """What the work gives in the first process, which alone does it while the others wait; so for its error."""
        outcome: list[T] = []
        self.each(lambda: outcome.append(work()) if self.first else None)
        return self.gathered(outcome)[0][0]

    def first_ahead(self, work: Callable[[], T]) -> T:
        """What the work gives here: the first process does it, and then the others, who may find it done."""
        outcome: list[T] = []
        self.each(lambda: outcome.append(work()) if self.first else None)
        self.each(lambda: None if self.first else outcome.append(work()))
        return outcome[0]

    def agree(self, what: str, value: object) -> None:
        """RunError in every process unless the value is the same in all."""
        values = self.gathered(value)
        if any(other != values[0] for other in values):
            found = ", ".join(str(other) for other in values)
            raise RunError(f"the processes of this training do not have the same {what}: {found}")

    def gathered(self, value: T) -> list[T]:
        """The value of every process, in their order; anything that can be pickled."""
        if self.place.count == 1:
            return [value]
        values: list[T] = [value] * self.place.count
        with reachable():
            dist.all_gather_object(values, value)
        return values

    def add_up(self, parameters: Sequence[nn.Parameter], numbers: Mapping[str, float]) -> dict[str, float]:
        """The sums over all processes of some numbers, and of the gradients, each of which is then that sum."""
        if self.place.count == 1:
            return dict(numbers)
        gradients = [gradient_of(parameter) for parameter in parameters]
        values = torch.tensor(list(numbers.values()), device=gradients[0].device)
        flat = torch.cat([*(gradient.flatten() for gradient in gradients), values])
        with reachable():  # to the end, since a GPU tells of a failed sum when the sum is looked at
            dist.all_reduce(flat)
            *sums, totals = torch.split(flat, [gradient.numel() for gradient in gradients] + [len(values)])
            for gradient, total in zip(gradients, sums, strict=True):
                gradient.copy_(total.view_as(gradient))
            return dict(zip(numbers, totals.tolist(), strict=True))


def gradient_of(parameter: nn.Parameter) -> Tensor:
    """A parameter's gradient, which is zero, but there, where nothing was computed."""
    if parameter.grad is None:
        parameter.grad = torch.zeros_like(parameter)
    return parameter.grad


@contextmanager
def joined() -> Iterator[Processes]:
    """The processes that torchrun started, or this one alone, for the length of the block.

    A process group that somebody else made is used, and left as it is.
    """
    place = launch()
    if place.count == 1 or dist.is_initialized():
        yield Processes(place)
        return
    with reachable("the processes of this training cannot reach each other"):
        dist.init_process_group(backend(), timeout=LONGEST_WAIT)
    try:
        yield Processes(place)
    except BaseException:
        # NCCL ends a group by an agreement of all, which the others, waiting for a sum, never come to. This process
        # ends without it, torchrun sees that and ends them. Of gloo they learn it from the closed connection.
        if backend() == "gloo":
            dist.destroy_process_group()
        raise
    dist.destroy_process_group()


def backend() -> str:
    """What carries tensors from process to process, by where they are."""
    return "cpu:gloo,cuda:nccl" if torch.cuda.is_available() and dist.is_nccl_available() else "gloo"


@contextmanager
def reachable(what: str = "another process of this training has ended or cannot be reached") -> Iterator[None]:
    """RunError for what torch raises in talking to other processes: what it means, and what torch says.

    That memory is short is no matter of other processes, and passes.
    """
    try:
        yield
    except torch.cuda.OutOfMemoryError:
        raise
    except RuntimeError as error:
        raise RunError(f"{what} ({first_line(error)}), so this one ends too") from error
