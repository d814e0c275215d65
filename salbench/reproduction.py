"""The SalGAN paper's experiments on any data set: what is missing is trained, then scored, printed and drawn.

Below the folder `out` lie `trainings/PRESET`, `runs/…` (run folders as `score` makes them), and the results: a file per
experiment and format, and `reproduction.json`. Everything that was finished is found again, so the same call goes on
after any interruption, with more experiments, or with more epochs.
"""

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from itertools import islice
from pathlib import Path
from typing import Any, cast

from salbench import __version__
from salbench.atomic import write_json, write_text
from salbench.best_epoch import best_of
from salbench.curves import write_curve_table, write_curves
from salbench.datasets.dataset import Dataset
from salbench.datasets.registry import open_dataset
from salbench.digests import digest_file
from salbench.environment import launch
from salbench.errors import DataError, RunError, UsageError
from salbench.experiments import ADVERSARIAL, EXPERIMENTS, FIGURE_3_METRICS, MODEL, Budget, Experiment, presets_of
from salbench.figures import GridRow, write_grid
from salbench.locks import held
from salbench.models import SaliencyModel, TrainedEpoch, epochs_factory, registry
from salbench.names import unknown_name
from salbench.paths import PathLike
from salbench.progress import Progress, Silent
from salbench.protocols import find_protocol
from salbench.scoring.runner import score
from salbench.tables import make_table, render
from salbench.training import configured, train, trainable, training_map

DECIDED_HERE = frozenset({"preset", "loss", "epochs", "adversarial_epochs", "keep_epochs"})
"""Options of a training that the experiment decides."""

RECORD = "reproduction.json"
SUFFIXES = {"markdown": "md", "latex": "tex", "html": "html", "csv": "csv"}
PICTURES = 6
"""Stimuli in the grid of figure6, spread evenly over the split."""


@dataclass(frozen=True)
class Target:
    """A split that trainings are scored on."""

    dataset: Dataset
    split: str

    @property
    def name(self) -> str:
        """As part of a folder's name."""
        return f"{self.dataset.key}-{self.split}"


@dataclass(frozen=True)
class ScoredRow:
    """A row of a table: which epoch of which training was scored. `run`: its run folder, below the reproduction's."""

    experiment: str
    preset: str
    title: str
    epoch: int
    generator_steps: int | None
    target: str
    run: str


@dataclass
class Reproduction:
    """What came out. `files`: the results, in order. `failures`: by preset, why its training or scores are missing."""

    out: Path
    files: list[Path] = field(default_factory=list)
    failures: dict[str, str] = field(default_factory=dict)
    trained: dict[str, Sequence[TrainedEpoch]] = field(default_factory=dict)
    rows: list[ScoredRow] = field(default_factory=list)


@dataclass(frozen=True)
class Plan:
    """What is asked for. `targets`: the validation split first, then the test split if there is any.

    `epochs`: of every training; None for those that the paper's experiments with it take. `options`: of the training's
    configuration, the same for all trainings.
    """

    experiments: Sequence[Experiment]
    dataset: Dataset
    split: str
    targets: Sequence[Target]
    epochs: int | None
    bootstrap: int
    out: Path
    options: Mapping[str, Any]
    blur_sigma: float | None
    jobs: int
    seed: int
    device: str | None
    progress: Progress

    def budget(self, preset: str) -> Budget:
        """The epochs of a preset's training."""
        longest = max(_paper_epochs(one, self.bootstrap) for one in self.experiments if preset in one.trainings)
        return Budget(longest if self.epochs is None else self.epochs, self.bootstrap)


def reproduce(
    experiments: Sequence[str],
    dataset: PathLike | Dataset,
    *,
    out: PathLike,
    data: PathLike | None = None,
    split: str = "train",
    validation_split: str = "val",
    test_dataset: PathLike | Dataset | None = None,
    test_data: PathLike | None = None,
    test_split: str | None = None,
    epochs: int | None = None,
    bootstrap: int = Budget.bootstrap,
    blur_sigma: float | None = None,
    jobs: int = 1,
    seed: int = 0,
    device: str | None = None,
    progress: Progress | None = None,
    **options: Any,
) -> Reproduction:
    """Repeat experiments of the SalGAN paper, keys of EXPERIMENTS, and return what came out.

    `dataset` is trained on (`split`) and validated on (`validation_split`), as the paper did with SALICON;
    `test_dataset`, its default split unless `test_split` names another, is scored beside it. `epochs` of every
    training, by default the paper's (15 where Table 2 alone asks for it, 120 else); of the adversarial ones the first
    `bootstrap` are content loss alone, and after as many Table 2 is measured. Table 3 and the figures take each
    training's best epoch by validation NSS. `options`: further fields of the training's configuration, the same for all
    trainings.
    A training or scoring that fails costs only its own row: it is in the result's `failures`.
    Raises UsageError or DataError for a request that cannot be carried out, RunError where another process is at it.
    """
    _check_alone()
    asked = [_experiment(key) for key in dict.fromkeys(experiments)]
    _check_budget(asked, epochs, bootstrap)
    opened = dataset if isinstance(dataset, Dataset) else open_dataset(dataset, data)
    elsewhere = test_data if test_data is not None else data
    plan = Plan(
        experiments=asked,
        dataset=opened,
        split=split,
        targets=_targets(opened, validation_split, test_dataset, elsewhere, test_split),
        epochs=epochs,
        bootstrap=bootstrap,
        out=Path(out),
        options=_checked(options),
        blur_sigma=blur_sigma,
        jobs=jobs,
        seed=seed,
        device=device,
        progress=progress or Silent(),
    )
    with held(plan.out, "repeats experiments in"):
        return carry_out(plan)


def _check_alone() -> None:
    """UsageError where several processes were started: scoring has its own."""
    if launch().count > 1:
        raise UsageError(
            "reproduce runs in one process: with torchrun, train each preset into DIR/trainings/PRESET by "
            "`salbench train salgan --preset PRESET`, then call `salbench reproduce --out DIR` without it"
        )


def _experiment(key: str) -> Experiment:
    try:
        return EXPERIMENTS[key]
    except KeyError:
        raise UsageError(unknown_name("experiment", key, list(EXPERIMENTS))) from None


def _paper_epochs(experiment: Experiment, bootstrap: int) -> int:
    """As many as the paper's, and enough for what is measured after the bootstrap."""
    return max(experiment.epochs, bootstrap) if experiment.at_bootstrap else experiment.epochs


def _check_budget(experiments: Sequence[Experiment], epochs: int | None, bootstrap: int) -> None:
    if not experiments:
        raise UsageError(f"name at least one experiment: {', '.join(EXPERIMENTS)}")
    for one in experiments:
        total = _paper_epochs(one, bootstrap) if epochs is None else epochs
        least = bootstrap + (1 if ADVERSARIAL & set(one.trainings) else 0)
        if bootstrap < 1 or total < least:
            raise UsageError(
                f"epochs is {total} with a bootstrap of {bootstrap}; wanted: a bootstrap of 1 or more, "
                f"and at least {max(least, 1)} epochs for {one.key}"
            )


def _checked(options: Mapping[str, Any]) -> Mapping[str, Any]:
    """The options. UsageError for one that makes the experiments what they are, or that no training has."""
    taken = sorted(DECIDED_HERE & options.keys())
    if taken:
        raise UsageError(f"the experiments decide {', '.join(taken)}; they are no options here")
    configured(trainable(MODEL), options)
    return options


def _targets(
    dataset: Dataset,
    validation_split: str,
    test_dataset: PathLike | Dataset | None,
    test_data: PathLike | None,
    test_split: str | None,
) -> list[Target]:
    targets = [Target(dataset, validation_split)]
    if test_dataset is not None:
        opened = test_dataset if isinstance(test_dataset, Dataset) else open_dataset(test_dataset, test_data)
        targets.append(Target(opened, test_split or opened.default_split))
    elif test_split is not None:
        targets.append(Target(dataset, test_split))
    for target in targets:
        target.dataset.stimuli(target.split)  # an unknown split is better told of now than after hours of training
    return targets


def carry_out(plan: Plan) -> Reproduction:
    """Train what is missing, then make every result."""
    result = Reproduction(plan.out)
    presets = presets_of(plan.experiments)
    for number, preset in enumerate(presets, start=1):
        plan.progress.note(f"{preset}: training {number} of {len(presets)}")
        with _costs_only(preset, plan, result):
            result.trained[preset] = trained(plan, preset)
    for experiment in plan.experiments:
        make = _table if experiment.layout else {"figure3": _figure3, "figure6": _figure6}[experiment.key]
        made = make(plan, experiment, result)
        result.files += made
        _record(plan, experiment, made, result)
    return result


@contextmanager
def _costs_only(preset: str, plan: Plan, result: Reproduction) -> Iterator[None]:
    """What cannot be had in the block is noted under a preset, and the others go on; a wrong request ends them all."""
    try:
        yield
    except (DataError, RunError) as error:
        result.failures[preset] = str(error)
        plan.progress.note(f"{preset} is left out: {error}")


def trained(plan: Plan, preset: str) -> Sequence[TrainedEpoch]:
    """The epochs of a preset's training up to the budget, to which it is carried on where it has fewer.

    All rows of a table stand for the same number of epochs: what a training did beyond them does not count.
    """
    factory, folder = epochs_factory(MODEL), _training_folder(plan, preset)
    # A training that went further is asked for as it is, so that what else it was made with is checked all the same.
    wanted = plan.budget(preset)
    budget = replace(wanted, total=max(wanted.total, len(factory.epochs(folder))))
    train(
        MODEL,
        plan.dataset,
        split=plan.split,
        validation_split=plan.targets[0].split,
        blur_sigma=plan.blur_sigma,
        seed=plan.seed,
        device=plan.device,
        jobs=plan.jobs,
        out=folder,
        progress=plan.progress,
        preset=preset,
        keep_epochs=str(budget.bootstrap),
        **budget.options(preset),
        **plan.options,
    )
    return factory.epochs(folder)[: wanted.total]


def chosen(plan: Plan, experiment: Experiment, preset: str, epochs: Sequence[TrainedEpoch]) -> TrainedEpoch:
    """The epoch that an experiment scores: the bootstrap's last, or the best of the last phase by validation NSS.

    RunError where its checkpoint was not kept.
    """
    epoch = epochs[plan.bootstrap - 1] if experiment.at_bootstrap else best_of(epochs, epochs[-1].phase)
    if epoch.checkpoint is None:
        folder = _training_folder(plan, preset)
        count = len(epochs_factory(MODEL).epochs(folder))
        mend = f"its training went on, so ask for --epochs {count}" if count > len(epochs) else "it is gone"
        raise RunError(
            f"{folder} has no checkpoint of epoch {epoch.epoch}: {mend}, or remove the folder to train again"
        )
    return epoch


def _training_folder(plan: Plan, preset: str) -> Path:
    return plan.out / "trainings" / preset


def _table(plan: Plan, experiment: Experiment, result: Reproduction) -> list[Path]:
    """The table in every format; nothing where all its trainings failed."""
    rows: list[ScoredRow] = []
    for target in plan.targets:
        for preset in experiment.trainings:
            if preset in result.trained:
                with _costs_only(preset, plan, result):
                    rows.append(scored(plan, experiment, preset, result.trained[preset], target))
    if not rows:
        return []
    result.rows += rows
    runs = [plan.out / row.run for row in rows]
    table = make_table(runs, layout=experiment.layout, published=True, intervals=True)
    files = {form: plan.out / f"{experiment.key}.{suffix}" for form, suffix in SUFFIXES.items()}
    for form, file in files.items():
        write_text(file, render(table, form))
    return list(files.values())


def scored(
    plan: Plan, experiment: Experiment, preset: str, epochs: Sequence[TrainedEpoch], target: Target
) -> ScoredRow:
    """The row of a training in an experiment's table, its epoch being scored on a split."""
    epoch, title = chosen(plan, experiment, preset, epochs), experiment.trainings[preset]
    run = f"runs/{preset}-epoch-{epoch.epoch:03}-{target.name}-{_mark(epoch)}"
    score(
        target.dataset,
        split=target.split,
        model=MODEL,
        checkpoint=epoch.checkpoint,
        name=title,
        blur_sigma=plan.blur_sigma,
        jobs=plan.jobs,
        seed=plan.seed,
        device=plan.device,
        out=plan.out / run,
        progress=plan.progress,
    )
    name = f"{target.dataset.key}/{target.split}"
    return ScoredRow(experiment.key, preset, title, epoch.epoch, epoch.generator_steps, name, run)


def _mark(epoch: TrainedEpoch) -> str:
    """Letters that tell runs of one epoch apart: of a training that was made anew, or scored by another salbench."""
    assert epoch.checkpoint is not None  # noqa: S101 - `chosen` sees to it
    return hashlib.sha256(f"{digest_file(epoch.checkpoint)} {__version__}".encode()).hexdigest()[:8]


def _figure3(plan: Plan, experiment: Experiment, result: Reproduction) -> list[Path]:
    """Validation metrics against epochs, as a picture and as numbers; nothing where all trainings failed."""
    curves = {
        title: result.trained[preset] for preset, title in experiment.trainings.items() if preset in result.trained
    }
    if not curves:
        return []
    picture, numbers = plan.out / "figure3.png", plan.out / "figure3.csv"
    write_curves(picture, curves, FIGURE_3_METRICS)
    write_curve_table(numbers, curves)
    return [picture, numbers]


def _figure6(plan: Plan, experiment: Experiment, result: Reproduction) -> list[Path]:
    """Images, ground truth and maps side by side, a picture per split; nothing where all trainings failed."""
    models: dict[str, SaliencyModel] = {}
    for preset, title in experiment.trainings.items():
        if preset in result.trained:
            with _costs_only(preset, plan, result):
                epoch = chosen(plan, experiment, preset, result.trained[preset])
                model = registry().factory(MODEL)(checkpoint=epoch.checkpoint, device=plan.device)
                models[title] = cast(SaliencyModel, model)
    files = []
    for target in plan.targets if models else ():
        file = plan.out / f"figure6-{target.name}.png"
        rows = list(islice(_grid_rows(plan, target, models), PICTURES))
        write_grid(file, ["image", "ground truth", *models], rows)
        files.append(file)
    return files


def _grid_rows(plan: Plan, target: Target, models: Mapping[str, SaliencyModel]) -> Iterator[GridRow]:
    """A row for every so-manieth stimulus of a split that can be read."""
    protocol = find_protocol("mit300")
    stimuli = target.dataset.stimuli(target.split)
    for number in range(0, len(stimuli), max(1, len(stimuli) // PICTURES)):
        try:
            image, truth = stimuli[number].image(), training_map(protocol, plan.blur_sigma, stimuli[number])
        except DataError as error:
            plan.progress.note(f"{stimuli[number].id} is left out of the picture: {error}")
            continue
        yield GridRow(image, [truth, *(model.predict(image) for model in models.values())])


def _record(plan: Plan, experiment: Experiment, made: Sequence[Path], result: Reproduction) -> None:
    """Write down what an experiment's results were made of, beside those of other calls. Each run folder holds the
    check sums and versions of its own.
    """
    file = plan.out / RECORD
    experiments = _recorded(file)
    if not made and experiment.key in experiments:
        return  # what an earlier call made is still there
    experiments[experiment.key] = {
        "salbench": __version__,
        "epochs": {preset: plan.budget(preset).total for preset in experiment.trainings},
        "bootstrap": plan.bootstrap,
        "options": dict(plan.options),
        "seed": plan.seed,
        "blur_sigma": plan.blur_sigma,
        "trained_on": f"{plan.dataset.key}/{plan.split}",
        "validated_on": f"{plan.dataset.key}/{plan.targets[0].split}",
        "rows": [asdict(row) for row in result.rows if row.experiment == experiment.key],
        "failures": {preset: why for preset, why in result.failures.items() if preset in experiment.trainings},
        "files": [str(path.relative_to(plan.out)) for path in made],
    }
    write_json(file, {"format": 2, "experiments": experiments})


def _recorded(file: Path) -> dict[str, Any]:
    """What earlier calls wrote down, by experiment; nothing where that cannot be read."""
    try:
        record = json.loads(file.read_text(encoding="utf-8"))["experiments"]
    except (OSError, ValueError, TypeError, KeyError, RecursionError):
        return {}
    return {key: one for key, one in record.items() if key in EXPERIMENTS} if isinstance(record, dict) else {}
