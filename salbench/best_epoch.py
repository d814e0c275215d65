"""Which epoch of a training is its best, for whoever trains and for whoever scores what was trained."""

import math
from collections.abc import Mapping, Sequence
from typing import Protocol, TypeVar


class Scored(Protocol):
    """What epochs are compared by."""

    @property
    def phase(self) -> str:
        """The part of the training that it belongs to, such as `content`."""

    @property
    def metrics(self) -> Mapping[str, float]:
        """Validation means."""


S = TypeVar("S", bound=Scored)


def nss_of(epoch: Scored) -> float:
    """Validation NSS by which epochs are compared; minus infinity where there is none."""
    value = epoch.metrics.get("nss", math.nan)
    return value if math.isfinite(value) else -math.inf


def best_of(history: Sequence[S], phase: str) -> S:
    """The first epoch of a phase with its best validation NSS; its last where none was measured.

    ValueError where the phase has no epoch.
    """
    epochs = [epoch for epoch in history if epoch.phase == phase]
    best = max(epochs, key=nss_of)
    return best if math.isfinite(nss_of(best)) else epochs[-1]
