"""Which of the recorded fixations count: whose, from which on, and what becomes of those outside the frame."""

from dataclasses import dataclass, replace
from typing import Any, Literal, get_args

import numpy as np

from salbench.datasets.stimulus import Fixations
from salbench.errors import UsageError
from salbench.names import unknown_name

First = Literal["kept", "dropped"]
Outside = Literal["dropped", "clamped"]


@dataclass(frozen=True)
class FixationRules:
    """What a data set makes of what was recorded; by default everything counts that lies in the frame.

    `viewers`: the only ones that count; None for all. `first`: whether each viewer's first fixation on a stimulus
    counts; it often lies where a cross was shown before the image. `outside`: whether fixations outside the frame are
    left out, or moved to the nearest pixel in it.
    Raises UsageError for another value.
    """

    viewers: tuple[str, ...] | None = None
    first: First = "kept"
    outside: Outside = "dropped"

    def __post_init__(self) -> None:
        for what, value, choices in (("first", self.first, First), ("outside", self.outside, Outside)):
            if value not in get_args(choices):
                raise UsageError(unknown_name(f"rule for {what}", str(value), get_args(choices)))
        if self.viewers is not None and not self.viewers:
            raise UsageError("no viewer is left; name those that count, or none for all")

    def applied(self, recorded: Fixations, size: tuple[int, int]) -> Fixations:
        """The fixations that count, of all recorded ones on a stimulus of (height, width)."""
        kept = recorded
        if self.viewers is not None:
            kept = kept.select(np.isin(kept.viewer.astype(str), self.viewers))
        if self.first == "dropped":
            firsts = np.unique(kept.viewer, return_index=True)[1]
            kept = kept.select(np.setdiff1d(np.arange(len(kept)), firsts))
        if self.outside == "clamped":
            height, width = size
            kept = Fixations(np.clip(kept.x, 0, width - 1), np.clip(kept.y, 0, height - 1), kept.viewer)
        return kept

    def changed(
        self, *, viewers: tuple[str, ...] | None = None, first: str | None = None, outside: str | None = None
    ) -> "FixationRules":
        """The same with some rules replaced; None leaves one as it is."""
        given = {"viewers": viewers, "first": first, "outside": outside}
        new: dict[str, Any] = {name: value for name, value in given.items() if value is not None}
        return replace(self, **new)

    def record(self) -> dict[str, Any]:
        """The rules as JSON types, for a run's manifest."""
        viewers: str | list[str] = "all" if self.viewers is None else list(self.viewers)
        return {"viewers": viewers, "first_fixation": self.first, "outside": self.outside}

    @classmethod
    def recorded(cls, record: Any) -> "FixationRules":
        """The rules of a manifest. UsageError where it holds none that there are."""
        viewers = record.get("viewers", "all") if isinstance(record, dict) else None
        if viewers != "all" and not isinstance(viewers, list):
            raise UsageError(f"the run tells of rules for fixations that there are not: {str(record)[:80]}")
        return cls(
            None if viewers == "all" else tuple(str(one) for one in viewers),
            record.get("first_fixation", "kept"),
            record.get("outside", "dropped"),
        )
