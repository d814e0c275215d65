"""A data set: its facts, its splits, and how a split's stimuli are listed."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from salbench.datasets.stimulus import Stimulus
from salbench.errors import UsageError


@dataclass(frozen=True)
class Dataset:
    """A data set that is at hand.

    `key` is what the command line and results call it, `title` what tables print.
    `splits`: name to a function that lists the stimuli; nothing is read before a split is asked for.
    """

    key: str
    title: str
    splits: Mapping[str, Callable[[], Sequence[Stimulus]]]
    default_split: str
    citation: str = ""

    def stimuli(self, split: str | None = None) -> Sequence[Stimulus]:
        """The stimuli of a split (None: `default_split`), in the data set's order. UsageError for an unknown one."""
        name = self.default_split if split is None else split
        if name not in self.splits:
            raise UsageError(f"{self.key} has no split {name!r}. Its splits: {', '.join(self.splits)}.")
        return self.splits[name]()
