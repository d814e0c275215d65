"""The record of a metric: everything a table, a runner or a user must know of it, in one place."""

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum


class Truth(Enum):
    """What a metric compares a saliency map with."""

    FIXATIONS = "fixation map"
    DENSITY = "ground-truth map"
    OTHERS = "fixations of other images"
    BASELINE = "baseline map"


@dataclass(frozen=True)
class Metric:
    """A metric as it is registered.

    `key` names it in columns, JSON and on the command line; `symbol` is what a person reads. `of_log_density`: it wants
    a log density in the place of the saliency map, so only models that give one have it.
    """

    key: str
    symbol: str
    title: str
    function: Callable[..., float]
    needs: tuple[Truth, ...]
    higher_is_better: bool
    unit: str = ""
    of_log_density: bool = False

    @property
    def arrow(self) -> str:
        """The direction of better values."""
        return "↑" if self.higher_is_better else "↓"
