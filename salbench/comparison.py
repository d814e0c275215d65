"""Whether the runs of two models differ by more than noise, and how firm a ranking of several is."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from salbench.arrays import FloatArray
from salbench.errors import RunError, UsageError
from salbench.metrics import METRICS
from salbench.paths import PathLike
from salbench.scoring.paired import Difference, RankStability, difference, holm, rank_stability
from salbench.scoring.run_folder import Run, open_run

SIGNIFICANT = 0.05
NOT_COMPARED = ("label", "maps")
"""Members of a protocol's record that do not decide what a score means."""


@dataclass(frozen=True)
class MetricComparison:
    """One metric of two runs. `adjusted`: p after Holm's correction over all metrics compared.

    `better`: 0 or 1, the place of the run that is better beyond noise, or None.
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
    check_comparable(runs)
    keys = common_metrics(runs, metrics)
    found = {key: difference(_column(runs[0], key), _column(runs[1], key), seed, key) for key in keys}
    tested = {key: one for key, one in found.items() if one is not None}
    adjusted = _adjusted(tested)
    compared = []
    for key, one in tested.items():
        means = (runs[0].mean(key), runs[1].mean(key))
        compared.append(MetricComparison(key, means, one, adjusted.get(key), _better(key, one, adjusted.get(key))))
    return Comparison(runs, tuple(compared), {key: "no stimulus has both values" for key in keys if key not in tested})


def _adjusted(tested: Mapping[str, Difference]) -> dict[str, float]:
    p_values = {key: one.p for key, one in tested.items() if one.p is not None}
    return dict(zip(p_values, holm(list(p_values.values())), strict=True))


def _better(key: str, one: Difference, adjusted: float | None) -> int | None:
    if adjusted is None or adjusted >= SIGNIFICANT or one.mean == 0:
        return None
    return 0 if (one.mean > 0) == METRICS[key].higher_is_better else 1


def common_metrics(runs: Sequence[Run], wanted: Sequence[str] | None) -> list[str]:
    """The metrics that all runs have, or the wanted ones. UsageError for one that a run lacks, and for none at all."""
    shared = [key for key in runs[0].manifest["metrics"] if all(key in run.manifest["metrics"] for run in runs)]
    if wanted is None:
        if not shared:
            raise UsageError("the runs have no metric in common")
        return shared
    missing = [key for key in wanted if key not in shared]
    if missing:
        raise UsageError(f"not every run has the metric {missing[0]!r}. All have: {', '.join(shared) or 'none'}.")
    return list(dict.fromkeys(wanted))


def check_comparable(runs: Sequence[Run]) -> None:
    """RunError, saying what differs, unless all runs were scored on the same stimuli in the same way."""
    first = runs[0]
    for run in runs[1:]:
        different = _differences(first, run)
        if different:
            raise RunError(f"{first.path} and {run.path} do not compare: {'; '.join(different)}")


def _differences(one: Run, other: Run) -> list[str]:
    found = []
    for name in ("key", "split"):
        a, b = one.manifest["dataset"][name], other.manifest["dataset"][name]
        if a != b:
            found.append(f"data set {name} {a} and {b}")
    gains = all("information_gain" in run.manifest["metrics"] for run in (one, other))
    aside = NOT_COMPARED if gains else (*NOT_COMPARED, "ig_baseline")
    rules = [{k: v for k, v in run.manifest["protocol"].items() if k not in aside} for run in (one, other)]
    found += [
        f"protocol {name}: {rules[0].get(name)} and {rules[1].get(name)}"
        for name in sorted(rules[0].keys() | rules[1].keys())
        if rules[0].get(name) != rules[1].get(name)
    ]
    for name in ("fixations", "maps"):
        if one.manifest["inputs"].get(name) != other.manifest["inputs"].get(name):
            found.append(
                f"other {'fixations' if name == 'fixations' else 'ground-truth maps'}: their check sums differ"
            )
    if list(one.scores["stimulus"]) != list(other.scores["stimulus"]):
        found.append("other stimuli")
    return found


def _column(run: Run, key: str) -> FloatArray:
    column: FloatArray = run.scores[key].to_numpy(dtype=np.float64)
    return column


@dataclass(frozen=True)
class Ranking:
    """The ranking of runs by one metric. `n`: stimuli that all of them have a value on."""

    key: str
    n: int
    stability: RankStability


def rank(runs: Sequence[PathLike], *, metrics: Sequence[str] | None = None, seed: int = 0) -> list[Ranking]:
    """How firm the ranking of two or more runs is, by each metric. Raises as `compare` does."""
    if len(runs) < 2:
        raise UsageError("a ranking needs at least two runs")
    opened = [open_run(run) for run in runs]
    check_comparable(opened)
    rankings = []
    for key in common_metrics(opened, metrics):
        scores = np.stack([_column(run, key) for run in opened])
        scores = scores[:, ~np.isnan(scores).any(axis=0)]
        if scores.shape[1]:
            better = METRICS[key].higher_is_better
            stability = rank_stability(scores, seed, key, higher_is_better=better)
            rankings.append(Ranking(key, scores.shape[1], stability))
    return rankings
