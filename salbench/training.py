"""Train a model that offers it, on any data set: what the plugin needs is prepared here, the loop is the plugin's."""

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from salbench.arrays import FloatArray, RGBImage, SaliencyMap
from salbench.datasets.dataset import Dataset
from salbench.datasets.ground_truth import FixationRules
from salbench.datasets.registry import open_dataset
from salbench.datasets.stimulus import Stimulus
from salbench.errors import DataError, UsageError
from salbench.maps import check_sigma
from salbench.models import TrainableFactory, TrainingJob, registry, with_preset
from salbench.paths import PathLike
from salbench.progress import Progress, Silent
from salbench.protocols import Protocol, find_protocol
from salbench.scoring.validation import Validator


def train(
    model: str,
    dataset: PathLike | Dataset,
    *,
    data: PathLike | None = None,
    split: str | None = None,
    validation_split: str | None = None,
    blur_sigma: float | None = None,
    seed: int = 0,
    device: str | None = None,
    jobs: int = 1,
    out: PathLike | None = None,
    progress: Progress | None = None,
    **options: Any,
) -> Path:
    """Train a model and return the path of its checkpoint.

    `model`: a registered name that can be trained; `options`: the fields of its configuration.
    `split`: by default `train`, or the only one of a folder. `validation_split`: by default `val` where the data set
    has it, else no validation. `blur_sigma`: pixels, how the ground-truth maps are blurred instead of MIT300's way.
    `jobs`: processes that compute the validation's metrics while this one predicts, 1: this one does both. Its scores
    do not depend on it; with more than one, a script needs the usual `if __name__ == "__main__":` guard.
    `out`: by default `runs/train-MODEL-DATASET`; a training that was interrupted there goes on.
    Raises UsageError, DataError or RunError where the request cannot be carried out.
    """
    check_sigma(blur_sigma)
    if jobs < 1:
        raise UsageError(f"jobs is {jobs}; wanted: at least 1")
    factory = trainable(model)
    config = configured(factory, options)
    opened = dataset if isinstance(dataset, Dataset) else open_dataset(dataset, data)
    if split is None:
        split = "train" if "train" in opened.splits else opened.default_split
    rules = find_protocol("mit300")
    stimuli = opened.stimuli(split)
    if validation_split is None:
        validation_split = _default_validation(opened, split)
    validation = [] if validation_split is None else opened.stimuli(validation_split)
    listener = progress or Silent()
    job = TrainingJob(
        train=stimuli,
        validation=validation,
        dataset=f"{opened.key}/{split}",
        ground_truth=partial(training_map, rules, blur_sigma),
        ground_truth_recipe=_recipe(rules.describe_blur(blur_sigma), opened.rules),
        validate=_validator(validation, blur_sigma, seed, jobs, listener),
        out=Path(out) if out is not None else Path("runs", f"train-{model}-{opened.key}"),
        device=device,
        seed=seed,
        progress=listener,
        validation_split="" if validation_split is None else f"{opened.key}/{validation_split}",
    )
    return factory.train(job, config)


def trainable(name: str) -> TrainableFactory:
    """The factory of a model that can be trained. UsageError for one that cannot, or that is not registered."""
    factory: object = registry().factory(name)
    if not isinstance(factory, TrainableFactory):
        raise UsageError(f"model {name!r} cannot be trained. Can be: {', '.join(trainable_names()) or 'none'}.")
    return factory


def trainable_names() -> list[str]:
    """The registered models that can be trained; one whose package cannot be imported is left out."""
    return [name for name in registry().names() if _is_trainable(name)]


def _is_trainable(name: str) -> bool:
    try:
        factory: object = registry().factory(name)
    except DataError:
        return False
    return isinstance(factory, TrainableFactory)


def training_map(protocol: Protocol, blur_sigma: float | None, stimulus: Stimulus) -> FloatArray:
    """The continuous ground truth of a stimulus, divided by its maximum: (height, width) float64 in 0 to 1.

    The data set's own map where it has one, else the protocol's blur of the fixation map. All zero without fixations.
    """
    if stimulus.map_source is not None:
        density = np.asarray(stimulus.map_source(), dtype=np.float64)
    else:
        density = protocol.density(stimulus.fixation_map(), blur_sigma)
    top = float(density.max())
    return density / top if top > 0 else np.zeros(density.shape)


def configured(factory: TrainableFactory, options: Mapping[str, Any]) -> Any:
    """The configuration that options make, a preset's name among them. UsageError for an unknown or wrong one."""
    known = [item.name for item in dataclasses.fields(factory.config_class)]
    unknown = [name for name in options if name not in known]
    if unknown:
        raise UsageError(f"{factory.card.name} has no option {', '.join(unknown)}. Its options: {', '.join(known)}.")
    return factory.config_class(**with_preset(factory, options))


def _recipe(blur: str, rules: FixationRules) -> str:
    """How ground-truth maps are made, in words; rules that change nothing are not told of."""
    return blur if rules == FixationRules() else f"{blur}; fixations that count: {rules}"


def _default_validation(dataset: Dataset, split: str) -> str | None:
    return "val" if "val" in dataset.splits and split != "val" else None


def _validator(
    stimuli: Sequence[Stimulus], blur_sigma: float | None, seed: int, jobs: int, progress: Progress
) -> Callable[[Callable[[RGBImage], SaliencyMap]], Mapping[str, float]]:
    return Validator(stimuli, blur_sigma, seed, jobs, progress) if stimuli else lambda predict: {}
