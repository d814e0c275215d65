"""What gives a score its meaning: how well one can do without looking, and how well viewers predict each other.

Lower bounds: chance, another image's ground truth, the centre prior. Upper bounds: gold standards, one viewer against
the rest, and the limit for infinitely many viewers, extrapolated as Judd et al. did.

Source of the limit: Judd, Durand and Torralba 2012, A benchmark of computational models of saliency to predict human
fixations: the performance of n viewers who predict n others follows a power law of n.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import scipy

from salbench.arrays import FloatArray
from salbench.atomic import write_json
from salbench.datasets.dataset import Dataset
from salbench.datasets.registry import open_dataset
from salbench.datasets.stimulus import Stimulus
from salbench.errors import DataError, RunError, UsageError
from salbench.metrics import METRICS, Truth
from salbench.paths import PathLike
from salbench.progress import Progress, Silent
from salbench.scoring.randomness import generator
from salbench.scoring.run_folder import MANIFEST, Run, open_run, read_json
from salbench.scoring.runner import listed, score

LOWER = ("chance", "shuffled", "centre-prior", "centre-prior-cv")
UPPER = ("humans", "gold-standard-cv", "gold-standard")
GROUPS = "viewer-groups"
LIMIT = "limit.json"
EXPONENTS = (-3.0, -0.1)
"""Where a power law's exponent is looked for; performance settles, so it is below zero."""
AT_END = 0.02
"""An exponent this close to an end of that is none: the points do not bend as a power law does."""
FEWEST_SIZES = 4
"""A law of three numbers needs more than three points."""
MOST_SIZES = 12
RESAMPLES = 500
CONFIDENCE = 0.95


@dataclass(frozen=True)
class PowerLaw:
    """scale * n ** exponent + limit; `residual`: root mean square of what it leaves of the points."""

    scale: float
    exponent: float
    limit: float
    residual: float


def fit_power_law(sizes: Sequence[float], means: Sequence[float], limit: float | None = None) -> PowerLaw:
    """The law with the least squared residual. `sizes`: at least three, positive; `means`: finite. `limit`: where it is
    known.

    For one exponent the other numbers follow by linear regression, so only the exponent is searched for.
    UsageError for points that make no law.
    """
    n, points = np.asarray(sizes, dtype=np.float64), np.asarray(means, dtype=np.float64)
    if n.size < 3 or n.shape != points.shape or not (n > 0).all() or not np.isfinite(points).all():
        raise UsageError("a power law wants at least three positive sizes, with a finite mean for each")

    def law(exponent: float) -> PowerLaw:
        powers = n**exponent
        if limit is None:
            scale, end = np.linalg.lstsq(np.column_stack([powers, np.ones(n.size)]), points, rcond=None)[0].tolist()
        else:
            scale, end = float(powers @ (points - limit) / (powers @ powers)), limit
        residual = float(np.sqrt(np.mean((scale * powers + end - points) ** 2)))
        return PowerLaw(scale, exponent, end, residual)

    grid = np.linspace(*EXPONENTS, 60)
    best = int(np.argmin([law(float(exponent)).residual for exponent in grid]))
    around = grid[max(0, best - 1)], grid[min(grid.size - 1, best + 1)]
    refined = scipy.optimize.minimize_scalar(
        lambda x: law(x).residual, bounds=around, method="bounded", options={"xatol": 1e-8}
    )
    return min((law(float(refined.x)), law(float(grid[best]))), key=lambda one: one.residual)


@dataclass(frozen=True)
class Limit:
    """A metric's limit for infinitely many viewers. `low`, `high`: 95 % interval, images resampled; None where the
    limit is `known`: two maps of infinitely many viewers are one, so that metrics of maps end at a map against itself.

    `law` is None, with the reason in `why`, where there is none. `means`: of n viewers who predict n others, by
    `Bounds.sizes`.
    """

    means: tuple[float, ...]
    law: PowerLaw | None
    low: float | None = None
    high: float | None = None
    why: str = ""
    known: bool = False


@dataclass(frozen=True)
class Bounds:
    """The bounds of one split under one protocol: finished runs by model name, and limits by metric key.

    `sizes`: how many viewers predicted as many others.
    """

    runs: Mapping[str, Run]
    sizes: tuple[int, ...]
    limits: Mapping[str, Limit]

    @property
    def metrics(self) -> tuple[str, ...]:
        """The metrics that a bound has, in printing order; those of log densities are had by some bounds only."""
        had = {key for run in self.runs.values() for key in run.manifest["metrics"]}
        return tuple(key for key in METRICS if key in had)


def make_bounds(
    dataset: PathLike | Dataset,
    *,
    out: PathLike,
    data: PathLike | None = None,
    split: str | None = None,
    protocol: str = "mit300",
    blur_sigma: float | None = None,
    draws: int = 3,
    jobs: int = 1,
    seed: int = 0,
    overwrite: bool = False,
    progress: Progress | None = None,
) -> Bounds:
    """Score every bound on a split, each into a run folder below `out`, and fit the limits.

    `draws`: how often viewers are drawn for each group size and image. The other arguments as in `salbench.score`. An
    interrupted call goes on. Bounds that need viewers are left out, with a note, where a data set does not tell them.
    Raises UsageError, DataError and RunError as `salbench.score`.
    """
    listener = progress or Silent()
    if draws < 1:
        raise UsageError(f"draws is {draws}; wanted: at least 1")
    opened = dataset if isinstance(dataset, Dataset) else open_dataset(dataset, data)
    place = Path(out)
    if (place / MANIFEST).exists():
        raise RunError(f"{place}: holds a run; bounds go into a folder of their own, a run each below it")
    stimuli = listed(opened, opened.default_split if split is None else split)
    counts = _viewer_counts(stimuli)
    shared: dict[str, Any] = {
        "split": split,
        "protocol": protocol,
        "blur_sigma": blur_sigma,
        "jobs": jobs,
        "seed": seed,
        "overwrite": overwrite,
        "progress": listener,
    }
    runs = _score_bounds(opened, place, shared, several_viewers=max(counts, default=0) >= 2)
    # So many that nearly every image has them: those without have no value for a group.
    sizes = group_sizes(int(np.quantile(counts, 0.1, method="lower")) if counts else 0)
    groups = _score_groups(opened, place, shared, sizes, draws)
    gold = runs["gold-standard"]
    limits = {
        key: _limit(key, sizes, [run.scores[key].to_numpy() for run in groups], seed, _known_limit(key, gold))
        for key in runs[LOWER[0]].manifest["metrics"]
    }
    write_json(place / LIMIT, {"sizes": sizes, "draws": draws, "limits": {k: _as_json(v) for k, v in limits.items()}})
    return Bounds(runs, tuple(sizes), limits)


def _score_bounds(dataset: Dataset, place: Path, shared: Mapping[str, Any], *, several_viewers: bool) -> dict[str, Run]:
    """The run of every bound that the data set can have, by name. `shared`: options of every call of `score`."""
    progress: Progress = shared["progress"]
    if not several_viewers:
        progress.note("no image has two viewers: without humans, gold-standard-cv and the limit of many viewers")
    runs = {}
    for name in (*LOWER, *(name for name in UPPER if several_viewers or name == "gold-standard")):
        progress.note(f"bound: {name}")
        try:
            runs[name] = score(dataset, model=name, out=place / name, **shared)
        except DataError as error:
            if not name.endswith("-cv"):
                raise
            progress.note(f"without {name}: {error}")
    return runs


def _score_groups(
    dataset: Dataset, place: Path, shared: Mapping[str, Any], sizes: Sequence[int], draws: int
) -> list[Run]:
    """The run of every group size: so many viewers predict as many others."""
    runs = []
    for size in sizes:
        shared["progress"].note(f"bound: {size} viewers predict {size} others")
        parameters = {"viewers": size, "draws": draws}
        runs.append(score(dataset, model=GROUPS, parameters=parameters, out=place / f"viewers-{size}", **shared))
    return runs


def open_bounds(place: PathLike) -> Bounds:
    """The bounds that `make_bounds` wrote. RunError where the folder holds none, or not all of them."""
    folder = Path(place)
    if not (folder / LIMIT).is_file():
        raise RunError(f"{folder}: holds no bounds, or not all; make them with `salbench bounds make --out {folder}`")
    content = read_json(folder / LIMIT)
    try:
        limits = {key: _from_json(value) for key, value in content["limits"].items()}
        sizes = tuple(int(size) for size in content["sizes"])
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise RunError(f"{folder / LIMIT}: is not as `salbench bounds make` writes it ({error!r})") from error
    names = [name for name in (*LOWER, *UPPER) if (folder / name).is_dir()]
    missing = [name for name in (*LOWER, "gold-standard") if name not in names and not name.endswith("-cv")]
    if missing:
        raise RunError(f"{folder}: the bound {missing[0]} is gone; make it again with `salbench bounds make`")
    return Bounds({name: open_run(folder / name) for name in names}, sizes, limits)


def _viewer_counts(stimuli: Sequence[Stimulus]) -> list[int]:
    """How many viewers each image has; images without fixations are left out."""
    return [count for stimulus in stimuli if (count := _viewers_of(stimulus)) > 0]


def _viewers_of(stimulus: Stimulus) -> int:
    try:
        return len(np.unique(stimulus.fixations().viewer))
    except DataError:
        return 0


def group_sizes(viewers: int) -> list[int]:
    """Sizes of groups that predict as many others; none where there are too few for a law."""
    largest = viewers // 2
    if largest < FEWEST_SIZES:
        return []
    return sorted({round(float(size)) for size in np.geomspace(1, largest, min(largest, MOST_SIZES))} | {largest})


def _known_limit(key: str, gold: Run) -> float | None:
    """Where a metric ends that compares maps: at a map against itself.

    The gold standard tells, unless the data set has ground-truth maps of its own, which viewers' maps do not have.
    """
    if Truth.DENSITY not in METRICS[key].needs:
        return None
    if "maps" in gold.manifest["inputs"]:
        return 1.0 if METRICS[key].higher_is_better else 0.0
    return gold.mean(key)


def _limit(key: str, sizes: Sequence[int], columns: Sequence[FloatArray], seed: int, known: float | None) -> Limit:
    """`columns`: for each size the metric of every image. Only images that have all sizes count."""
    if not sizes:
        return Limit((), None, why=f"too few viewers: {2 * FEWEST_SIZES} are needed")
    table = np.stack(columns)
    table = table[:, ~np.isnan(table).any(axis=0)]
    if table.shape[1] < 2:
        return Limit((), None, why="too few images have a value for every number of viewers")
    means = table.mean(axis=1)
    law = fit_power_law(sizes, means.tolist(), known)
    if known is not None:
        return Limit(tuple(means.tolist()), law, known=True)
    if min(abs(law.exponent - end) for end in EXPONENTS) < AT_END:
        return Limit(tuple(means.tolist()), None, why=f"the means of {key} do not follow a power law")
    lowest, highest = _range(key)
    if not lowest <= law.limit <= highest:
        why = f"the power law of {key} ends at {law.limit:.3f}, which {key} cannot be"
        return Limit(tuple(means.tolist()), None, why=why)
    rng = generator(seed, "limit", key)
    again = [
        fit_power_law(sizes, table[:, rng.integers(0, table.shape[1], table.shape[1])].mean(axis=1).tolist()).limit
        for _ in range(RESAMPLES)
    ]
    tail = (1 - CONFIDENCE) / 2
    low, high = np.clip(np.quantile(again, [tail, 1 - tail]), lowest, highest)
    return Limit(tuple(means.tolist()), law, float(low), float(high))


def _range(key: str) -> tuple[float, float]:
    """Between what a metric lies: an area under a curve between 0 and 1."""
    return (0.0, 1.0) if key.startswith("auc_") else (-np.inf, np.inf)


def _as_json(limit: Limit) -> dict[str, Any]:
    law = limit.law
    fit = None if law is None else {name: getattr(law, name) for name in ("scale", "exponent", "limit", "residual")}
    rest = {"low": limit.low, "high": limit.high, "why": limit.why, "known": limit.known}
    return {"means": list(limit.means), "law": fit, **rest}


def _from_json(content: Mapping[str, Any]) -> Limit:
    law = None if content["law"] is None else PowerLaw(**content["law"])
    return Limit(
        tuple(content["means"]), law, content["low"], content["high"], str(content["why"]), bool(content["known"])
    )


def gold_standard_of(key: str, bounds: Bounds) -> str:
    """The gold standard by which a metric's gain is measured: a bound's name.

    A metric of single fixations has the one that predicts viewers it has not seen. A metric of whole ground-truth maps
    compares with all viewers' map, which only the image's own can reach: a single viewer's map is another target.
    """
    seen = Truth.DENSITY in METRICS[key].needs or "gold-standard-cv" not in bounds.runs
    return "gold-standard" if seen else "gold-standard-cv"


def share_of_gain(value: float, lower: float, upper: float) -> float:
    """How much of the way from a lower to an upper bound a value has come: 0 to 1, beyond where it lies outside.

    NaN where the bounds are equal or one is NaN. For metrics whose lower values are better, too.
    """
    return (value - lower) / (upper - lower) if upper != lower else float("nan")


@dataclass(frozen=True)
class Relation:
    """A metric of a run among its bounds. `share`: of the gold standard's gain over `lower`; None where undefined."""

    key: str
    value: float
    lower: str
    gold: str
    share: float | None


def relate(run: Run, bounds: Bounds, *, lower: str = "centre-prior") -> Iterator[Relation]:
    """Every metric that a run and the bounds share. A metric that `lower` does not have, as one of log densities, is
    measured from the cross-validated centre prior.

    RunError where the run was scored on other stimuli, fixations or rules than the bounds; UsageError for a `lower`
    that is none of them.
    """
    if lower not in bounds.runs:
        raise UsageError(f"{lower!r} is no bound; there are: {', '.join(bounds.runs)}")
    if bounds.runs[lower].manifest["model"].get("uses_ground_truth"):
        raise UsageError(
            f"{lower} is an upper bound, since it is shown the ground truth; a gain has a lower one to start from"
        )
    _check_comparable(run, bounds.runs[lower])
    for key in run.manifest["metrics"]:
        gold = gold_standard_of(key, bounds)
        base = lower if _has(bounds.runs[lower], key) else "centre-prior-cv"
        if _has(bounds.runs[base], key) and _has(bounds.runs[gold], key):
            share = share_of_gain(run.mean(key), bounds.runs[base].mean(key), bounds.runs[gold].mean(key))
            yield Relation(key, run.mean(key), base, gold, None if np.isnan(share) else share)


def _has(run: Run, key: str) -> bool:
    return key in run.manifest["metrics"]


def _check_comparable(run: Run, bound: Run) -> None:
    """RunError, naming what differs, unless both were scored on the same ground truth."""
    ours, theirs = run.manifest, bound.manifest
    for name, keys in (
        ("dataset", ("key", "split", "n")),
        ("protocol", ("key", "blur_sigma")),
        ("inputs", ("fixations", "maps")),
    ):
        for key in keys:
            if ours[name].get(key) != theirs[name].get(key):
                raise RunError(
                    f"{run.path}: does not compare with {bound.path}: "
                    f"{name}.{key} is {ours[name].get(key)!r} here and {theirs[name].get(key)!r} there"
                )
