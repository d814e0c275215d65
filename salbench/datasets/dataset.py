"""A data set: its facts, its splits, and how a split's stimuli are listed."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial

from salbench.datasets.folds import fold, fold_of
from salbench.datasets.ground_truth import FixationRules
from salbench.datasets.stimulus import Fixations, LazyStimuli, Stimulus
from salbench.errors import UsageError


@dataclass(frozen=True)
class Dataset:
    """A data set that is at hand.

    `key` is what the command line and results call it, `title` what tables print.
    `splits`: name to a function that lists the stimuli as recorded; nothing is read before a split is asked for.
    `rules`: which of the recorded fixations count. `scanpaths`: whether each viewer's fixations are told apart and in
    order, so that there is a first one.
    """

    key: str
    title: str
    splits: Mapping[str, Callable[[], Sequence[Stimulus]]]
    default_split: str
    citation: str = ""
    rules: FixationRules = field(default_factory=FixationRules)
    scanpaths: bool = True

    def stimuli(self, split: str | None = None) -> Sequence[Stimulus]:
        """The stimuli of a split (None: `default_split`) or of a fold of one, in the data set's order.

        UsageError for an unknown split or fold.
        """
        name = self.default_split if split is None else split
        if name in self.splits:
            return self._ruled(self.splits[name]())
        part = fold_of(name)
        if part is None or part[0] not in self.splits:
            raise UsageError(
                f"{self.key} has no split {name!r}. Its splits: {', '.join(self.splits)}; of each, folds such as "
                f"{self.default_split}-1of10 and {self.default_split}-without-1of10."
            )
        whole, which, count, others = part
        return self._ruled(fold(self.splits[whole](), which, count, others=others))

    def with_rules(
        self, *, viewers: tuple[str, ...] | None = None, first: str | None = None, outside: str | None = None
    ) -> "Dataset":
        """The data set with some of its rules replaced; see FixationRules. None leaves one as it is.

        UsageError for a rule that there is not, or one about first fixations or viewers that were not told apart.
        """
        if not self.scanpaths and (viewers is not None or (first is not None and first != self.rules.first)):
            raise UsageError(f"{self.key} does not tell viewers and the order of their fixations apart")
        return replace(self, rules=self.rules.changed(viewers=viewers, first=first, outside=outside))

    def _ruled(self, stimuli: Sequence[Stimulus]) -> Sequence[Stimulus]:
        if self.rules == FixationRules():
            return stimuli
        return LazyStimuli(len(stimuli), partial(_at, stimuli, self.rules))


def _at(stimuli: Sequence[Stimulus], rules: FixationRules, place: int) -> Stimulus:
    stimulus = stimuli[place]
    if stimulus.fixation_source is None:
        return stimulus
    source = partial(_counting, stimulus.fixation_source, stimulus.size, rules)
    return replace(stimulus, fixation_source=source)


def _counting(source: Callable[[], Fixations], size: tuple[int, int], rules: FixationRules) -> Fixations:
    return rules.applied(source(), size)
