"""Cross-validation: any split of any data set cut into folds, the same on every machine.

The split `all-3of10` is the third of ten folds of `all`, and `all-without-3of10` the other nine. Stimuli are dealt out
in the order of the SHA-256 of their ids, category by category, so that folds are alike in categories and differ in size
by at most one. A fold does not depend on the order of the listing.
"""

import re
from collections.abc import Iterator, Sequence
from functools import partial

from salbench.datasets.splits import by_digest
from salbench.datasets.stimulus import LazyStimuli, Stimulus
from salbench.errors import UsageError

_NAME = re.compile(r"(?P<split>.+?)-(?P<others>without-)?(?P<fold>\d{1,6})of(?P<count>\d{1,6})", re.ASCII)


def fold_of(name: str) -> tuple[str, int, int, bool] | None:
    """Of a fold's name: the split, which fold, of how many, and whether the others are meant. None for another name.

    UsageError for a fold that there is not.
    """
    found = _NAME.fullmatch(name)
    if found is None:
        return None
    fold, count = int(found["fold"]), int(found["count"])
    if not (count >= 2 and 1 <= fold <= count):
        raise UsageError(f"split {name!r}: there is no fold {fold} of {count}; the first is 1of{max(count, 2)}")
    return found["split"], fold, count, found["others"] is not None


def fold(stimuli: Sequence[Stimulus], which: int, count: int, *, others: bool = False) -> Sequence[Stimulus]:
    """Fold `which`, from 1, of `count`, or all others, in the order of the split.

    UsageError where the split has fewer stimuli than folds.
    """
    if len(stimuli) < count:
        raise UsageError(f"{len(stimuli)} stimuli cannot be cut into {count} folds")
    categories = {stimulus.id: stimulus.category for stimulus in stimuli}
    dealt = sorted(by_digest(list(categories)), key=categories.__getitem__)
    mine = {name for place, name in enumerate(dealt) if place % count == which - 1}
    places = tuple(place for place, name in enumerate(categories) if (name in mine) != others)
    return LazyStimuli(len(places), partial(_at, stimuli, places))


def cross_validation(
    stimuli: Sequence[Stimulus], count: int = 10
) -> Iterator[tuple[Sequence[Stimulus], Sequence[Stimulus]]]:
    """For each fold, the stimuli to fit on and those to evaluate on. Errors as `fold`."""
    for which in range(1, count + 1):
        yield fold(stimuli, which, count, others=True), fold(stimuli, which, count)


def _at(stimuli: Sequence[Stimulus], places: tuple[int, ...], place: int) -> Stimulus:
    return stimuli[places[place]]
