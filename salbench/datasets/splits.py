"""Splits that are made by a rule, the same on every machine and whatever file is missing."""

import hashlib
from collections.abc import Callable, Sequence
from functools import partial

from salbench.datasets.stimulus import LazyStimuli, Stimulus

MIT300_STYLE, HELD_OUT = "mit300-style", "held-out-40"
COUNT, SMALL, SHARE = 300, 600, 0.4
ALL = "all"


def by_digest(ids: Sequence[str]) -> list[str]:
    """Stimulus ids in ascending order of the SHA-256 of the id in UTF-8."""
    return sorted(ids, key=lambda name: hashlib.sha256(name.encode()).hexdigest())


def held_out(ids: Sequence[str]) -> tuple[str, list[str]]:
    """Name and ids of the split that stands for MIT300 in an eye-tracked set: the last 300 in the order of `by_digest`.

    Of a set under 600 stimuli the last 40 per cent, rounded, under another name.
    """
    ordered = by_digest(ids)
    if len(ids) >= SMALL:
        return MIT300_STYLE, ordered[-COUNT:]
    return HELD_OUT, ordered[len(ordered) - round(SHARE * len(ordered)) :]


def eye_tracking_splits(
    ids: Sequence[str], make: Callable[[str], Stimulus]
) -> dict[str, Callable[[], Sequence[Stimulus]]]:
    """The splits of an eye-tracked set: `all` in the order given, the held-out one, and `rest`, all others.

    `make`: from an id to its stimulus; called each time that a stimulus is looked at.
    """
    name, kept = held_out(ids)
    others = set(ids) - set(kept)
    parts = {ALL: list(ids), name: kept, "rest": [one for one in ids if one in others]}
    return {part: lazy_split(names, make) for part, names in parts.items()}


def lazy_split(names: Sequence[str], make: Callable[[str], Stimulus]) -> Callable[[], Sequence[Stimulus]]:
    """The split of these ids, in this order. `make`: as of `eye_tracking_splits`."""
    return partial(_lazy, tuple(names), make)


def _lazy(ids: tuple[str, ...], make: Callable[[str], Stimulus]) -> Sequence[Stimulus]:
    return LazyStimuli(len(ids), partial(_made, ids, make))


def _made(ids: tuple[str, ...], make: Callable[[str], Stimulus], place: int) -> Stimulus:
    return make(ids[place])
