"""Whether a data set lies on the disk as it should: counts, readable images, readable recordings."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from salbench.datasets.dataset import Dataset
from salbench.datasets.stimulus import Stimulus
from salbench.errors import DataError
from salbench.progress import Progress, Silent

EXPECTED = {
    "osie-eye": {"train": 350, "val": 50, "test": 300, "all": 700},
    "osie-mouse-amt": {"train": 350, "val": 50, "test": 300, "all": 700},
    "osie-mouse-lab": {"train": 350, "val": 50, "test": 300, "all": 700},
    "salicon2015": {"train": 10_000, "val": 5_000},
    **{
        f"salicon{edition}-{kind}": {"train": 10_000, "val": 5_000, "test": 5_000}
        for edition in ("2015", "2017")
        for kind in ("fixations", "mouse")
    },
    "mit1003": {"all": 1_003},
    "mit300": {"test": 300},
    "cat2000-train": {"all": 2_000},
    "cat2000-test": {"test": 2_000},
    "toronto": {"all": 120},
    "pascal-s": {"all": 850},
    "dut-omron": {"all": 5_168},
    "figrim": {"targets": 630},
}
"""Stimuli of each split, as the authors count them. Splits that are parts of these are not listed."""
LISTED = 20
"""Faults that are told one by one; all are counted."""


@dataclass
class Checked:
    """What was found. `stimuli`, `fixations`, `outside`: counts over the splits checked; `faults`: as text."""

    stimuli: int = 0
    fixations: int = 0
    outside: int = 0
    without: int = 0
    counted: int = 0
    faults: list[str] = field(default_factory=list)

    def fault(self, text: str) -> None:
        """Count a fault, and keep the first few."""
        self.counted += 1
        if len(self.faults) < LISTED:
            self.faults.append(text)


def check(dataset: Dataset, *, images: bool = False, progress: Progress | None = None) -> Checked:
    """Look at every stimulus of a data set: is it there, do its image's header and its recordings read?

    `images`: decode every image, too. A stimulus that is in several splits is looked at once. Fixations outside the
    frame and stimuli without fixations are counted; they are no faults.
    """
    found, listener = Checked(), progress or Silent()
    seen: set[str] = set()
    for split in dataset.splits:
        try:
            stimuli = dataset.stimuli(split)
        except DataError as error:
            found.fault(f"split {split}: {error}")
            continue
        wanted = EXPECTED.get(dataset.key, {}).get(split)
        if wanted is not None and len(stimuli) != wanted:
            found.fault(f"split {split}: {len(stimuli):,} stimuli; wanted: {wanted:,}")
        _check_split(stimuli, seen, images, found, listener, f"{dataset.key}/{split}")
    return found


def _check_split(
    stimuli: Sequence[Stimulus], seen: set[str], images: bool, found: Checked, progress: Progress, name: str
) -> None:
    progress.start(f"checking {name}", len(stimuli))
    for stimulus in stimuli:
        progress.advance()
        if stimulus.id not in seen:
            seen.add(stimulus.id)
            _check_stimulus(stimulus, images, found)
    progress.finish()


def _check_stimulus(stimulus: Stimulus, images: bool, found: Checked) -> None:
    found.stimuli += 1
    try:
        if stimulus.image_file is None or images:
            stimulus.image()
        recorded = stimulus.recorded_fixations()
    except DataError as error:
        found.fault(f"{stimulus.id}: {error}")
        return
    inside = len(recorded.within(stimulus.size))
    found.fixations += inside
    found.outside += len(recorded) - inside
    found.without += inside == 0
