"""Whether the runs of two models differ by more than noise, and how firm a ranking of several is."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from salbench.errors import RunError, UsageError
from salbench.metrics import METRICS
from salbench.paths import PathLike
from salbench.scoring.paired import Difference, RankStability, difference, holm, rank_stability
from salbench.scoring.run_folder import Run, open_run

SIGNIFICANT = 0.05
FEWEST = 3
"""Stimuli without which nothing can be said about noise."""
NOTHING_IN_COMMON = "no stimulus has both values"
NOT_COMPARED = ("label", "maps")
"""Members of a protocol's record that do not decide what a score means."""


@dataclass(frozen=True)
class MetricComparison:
    """One metric of two runs. `means`: over the stimuli that both have a value on. `adjusted`: p after Holm's
    correction over all metrics compared. `better`: 0 or 1, the place of the run that is better beyond noise, or None.
    """

    key: str
    means: tuple[float, float]
    difference: Difference
    adjusted: float | None
    better: int | None


@dataclass(frozen=True)
class Comparison:
    """Two runs on the same stimuli. `left_out`: by metric key, why it is not compared."""

    runs: tuple[Run, Run]
    metrics: tuple[MetricComparison, ...]
    left_out: Mapping[str, str]


def compare(ours: PathLike, theirs: PathLike, *, metrics: Sequence[str] | None = None, seed: int = 0) -> Comparison:
    """Compare two finished runs, metric by metric, on the stimuli that both have a score of.

    `metrics`: keys, by default all that both have. RunError for runs that do not compare: other stimuli, another data
    set, split, ground truth or protocol. UsageError for a metric that one of them lacks.
    """
    runs = (open_run(ours), open_run(theirs))
    keys = common_metrics(runs, metrics)
    check_comparable(runs, keys)
    found = {key: difference(runs[0].column(key), runs[1].column(key), seed, key) for key in keys}
    tested = {key: one for key, one in found.items() if one is not None}
    adjusted = _adjusted(tested)
    compared = [
        MetricComparison(key, _paired_means(runs, key), one, adjusted.get(key), _better(key, one, adjusted.get(key)))
        for key, one in tested.items()
    ]
    return Comparison(runs, tuple(compared), {key: NOTHING_IN_COMMON for key in keys if key not in tested})


def _paired_means(runs: tuple[Run, Run], key: str) -> tuple[float, float]:
    ours, theirs = (run.column(key) for run in runs)
    paired = ~(np.isnan(ours) | np.isnan(theirs))
    return float(ours[paired].mean()), float(theirs[paired].mean())


def _adjusted(tested: Mapping[str, Difference]) -> dict[str, float]:
    p_values = {key: one.p for key, one in tested.items() if one.p is not None}
    return dict(zip(p_values, holm(list(p_values.values())), strict=True))


def _better(key: str, one: Difference, adjusted: float | None) -> int | None:
    if adjusted is None or adjusted >= SIGNIFICANT or one.mean == 0:
        return None
    return 0 if (one.mean > 0) == METRICS[key].higher_is_better else 1


def common_metrics(runs: Sequence[Run], wanted: Sequence[str] | None) -> list[str]:
    """The metrics that all runs have and salbench knows, or the wanted ones of them.

    UsageError for one that a run lacks, and where none is left.
    """
    first = [key for key in runs[0].manifest["metrics"] if key in METRICS]
    shared = [key for key in first if all(key in run.manifest["metrics"] for run in runs)]
    chosen = shared if wanted is None else list(dict.fromkeys(wanted))
    missing = [key for key in chosen if key not in shared]
    if missing:
        raise UsageError(f"not every run has the metric {missing[0]!r}. All have: {', '.join(shared) or 'none'}.")
    if not chosen:
        raise UsageError(f"no metric to look at. All runs have: {', '.join(shared) or 'none'}.")
    return chosen


def check_comparable(runs: Sequence[Run], metrics: Sequence[str] = ()) -> None:
    """RunError, saying what differs, unless all runs were scored on the same stimuli in the same way.

    `metrics`: what is looked at; the baseline of information gain matters only where that is among them.
    """
    for run in runs[1:]:
        different = _differences(runs[0], run, metrics)
        if different:
            raise RunError(f"{runs[0].path} and {run.path} do not compare: {'; '.join(different)}")


def _differences(one: Run, other: Run, metrics: Sequence[str]) -> list[str]:
    records = [run.manifest for run in (one, other)]
    found = [
        f"data set {name} {records[0]['dataset'][name]} and {records[1]['dataset'][name]}"
        for name in ("key", "split")
        if records[0]["dataset"][name] != records[1]["dataset"][name]
    ]
    aside = NOT_COMPARED if "information_gain" in metrics else (*NOT_COMPARED, "ig_baseline")
    rules = [{k: v for k, v in record["protocol"].items() if k not in aside} for record in records]
    found += [
        f"protocol {name}: {rules[0].get(name)} and {rules[1].get(name)}"
        for name in sorted(rules[0].keys() | rules[1].keys())
        if rules[0].get(name) != rules[1].get(name)
    ]
    for name, what in {"fixations": "fixations", "maps": "ground-truth maps"}.items():
        if records[0]["inputs"].get(name) != records[1]["inputs"].get(name):
            found.append(f"other {what}: their check sums differ")
    if list(one.scores["stimulus"]) != list(other.scores["stimulus"]):
        found.append("other stimuli")
    return found


@dataclass(frozen=True)
class Ranking:
    """The ranking of runs by one metric. `n`: stimuli that all of them have a value on; `means`: over these."""

    key: str
    n: int
    means: tuple[float, ...]
    stability: RankStability


@dataclass(frozen=True)
class Rankings:
    """Runs on the same stimuli, ranked. `left_out`: by metric key, why there is no ranking."""

    runs: tuple[Run, ...]
    rankings: tuple[Ranking, ...]
    left_out: Mapping[str, str]


def rank(runs: Sequence[PathLike], *, metrics: Sequence[str] | None = None, seed: int = 0) -> Rankings:
    """How firm the ranking of two or more runs is, by each metric, on stimuli that all have. Raises as `compare` does.

    A metric of which fewer than three stimuli are left has no ranking.
    """
    if len(runs) < 2:
        raise UsageError("a ranking needs at least two runs")
    opened = tuple(open_run(run) for run in runs)
    keys = common_metrics(opened, metrics)
    check_comparable(opened, keys)
    rankings, left_out = [], {}
    for key in keys:
        scores = np.stack([run.column(key) for run in opened])
        scores = scores[:, ~np.isnan(scores).any(axis=0)]
        if scores.shape[1] < FEWEST:
            left_out[key] = f"{scores.shape[1]} stimuli have a value of every run; wanted: at least {FEWEST}"
            continue
        stability = rank_stability(scores, seed, key, higher_is_better=METRICS[key].higher_is_better)
        rankings.append(Ranking(key, scores.shape[1], tuple(scores.mean(axis=1).tolist()), stability))
    return Rankings(opened, tuple(rankings), left_out)
