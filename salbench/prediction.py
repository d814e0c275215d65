"""Write a model's maps into a folder, for a data set or for any images."""

from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path, PurePath

import numpy as np

from salbench.array_cache import open_cache
from salbench.arrays import SaliencyMap
from salbench.atomic import scratch_below
from salbench.datasets.dataset import Dataset
from salbench.datasets.folder import image_folder
from salbench.datasets.registry import open_dataset
from salbench.datasets.stimulus import Stimulus
from salbench.errors import DataError, SalbenchError, UsageError
from salbench.image_files import MAP_FORMATS, map_suffix, write_map
from salbench.locks import held
from salbench.maps import check_sigma, resize_to
from salbench.metrics.inputs import as_map
from salbench.metrics.likelihood import as_log_density
from salbench.models import Model, RepeatedModel
from salbench.names import unknown_name
from salbench.paths import PathLike, local_path, optional_path
from salbench.places import FolderPlace, Place, remove_left_work
from salbench.progress import Progress, Silent
from salbench.protocols.mit300 import MIT300
from salbench.scoring.fixated_pixels import no_fixations, read_fixations
from salbench.scoring.preload import get_ready
from salbench.scoring.runner import check_jobs
from salbench.scoring.stimulus_score import ModelSource, Numbered, StimulusScorer, numbered
from salbench.scoring.workers import Chunk, Failure, Workers, find_workers, one_thread


@dataclass(frozen=True)
class Predicted:
    """What was written: how many maps, and the errors of the stimuli that have none."""

    folder: Path
    written: int
    errors: dict[str, str]


def predict(
    model: str | Model,
    *,
    out: PathLike,
    dataset: PathLike | Dataset | None = None,
    images: PathLike | None = None,
    data: PathLike | None = None,
    split: str | None = None,
    checkpoint: PathLike | None = None,
    device: str | None = None,
    form: str = "png",
    blur_sigma: float | None = None,
    jobs: int = 1,
    executor: str = "local",
    scheduler: str | None = None,
    seed: int = 0,
    progress: Progress | None = None,
) -> Predicted:
    """Write a map of every stimulus as `out/ID.png` (or `.npy`), each as large as its image.

    Exactly one of `dataset` (with `split` and `data` as in `score`) and `images`, a folder of images. `form`: `png`
    and `png16` stretch a map's range, `npy` keeps every bit. Of a model that gives log densities, `npy` files hold
    these, pictures the densities. `jobs`, `executor`, `scheduler`: as in
    `score`. A map that is there already is replaced. A stimulus that
    cannot be predicted is told in the result and costs no other. Raises UsageError and DataError as `score` does, and
    RunError where another process writes into the folder.
    """
    if (dataset is None) == (images is None):
        raise UsageError("name either a data set or a folder of images")
    if form not in MAP_FORMATS:
        raise UsageError(unknown_name("map format", form, MAP_FORMATS))
    check_sigma(blur_sigma)
    check_jobs(model, jobs)
    get_ready(jobs)
    out = local_path(out)
    _check_apart(images, out, data, split)
    weights = optional_path(checkpoint)
    if weights is not None and not weights.is_file():
        raise DataError(f"{weights}: no such file")
    listener = progress or Silent()
    workers = find_workers(executor, scheduler, jobs, listener)
    if isinstance(model, str):
        source = ModelSource(name=model, checkpoint=weights, device=device)
    else:
        source = ModelSource(given=model)
    _check_model(source.load(), with_fixations=images is None)
    stimuli = image_folder(Path(images)) if images is not None else _listed(dataset, data, split)
    _check_beside(dataset, stimuli, out)
    _check_one_format(stimuli, out, form)
    scorer = _scorer(stimuli, source, blur_sigma, seed, listener, with_fixations=images is None)
    return _write_all(scorer, stimuli, out, form, workers, listener)


@dataclass
class PredictChunk:
    """The work of a worker: predict some stimuli and write their maps."""

    scorer: StimulusScorer
    out: Path
    form: str

    @property
    def results(self) -> Place:
        """Where the maps go."""
        return FolderPlace(self.out)

    def prepare(self) -> None:
        """Load the model."""
        self.scorer.prepare()

    def __call__(self, chunk: Chunk) -> list[Failure]:
        """The stimuli that could not be predicted."""
        return [(one.stimulus.id, text) for one in chunk if (text := self._written(one))]

    def give_up(self, one: Numbered, reason: str) -> list[Failure]:
        """A stimulus whose worker processes died."""
        return [(one.stimulus.id, reason)]

    def _written(self, one: Numbered) -> str:
        stimulus = one.stimulus
        try:
            saliency_map = self.scorer.predict(one, stimulus.fixations())
            path = self.out / f"{stimulus.id}{map_suffix(self.form)}"
            write_map(path, self._fitted(saliency_map, stimulus.size), self.form)
        except SalbenchError as error:
            return str(error)
        except OSError:
            raise  # a full disk concerns every map
        except Exception as error:  # a plugin may raise anything
            return f"{type(error).__name__}: {error}"
        return ""

    def _fitted(self, saliency_map: SaliencyMap, size: tuple[int, int]) -> SaliencyMap:
        """The map in its image's size. A log density has it already; a picture shows the density itself."""
        if not self.scorer.model.card.log_density:
            return resize_to(as_map(saliency_map, "the model's map"), size)
        log_density = as_log_density(saliency_map, size)
        return log_density if self.form == "npy" else np.exp(log_density)


def _check_apart(images: PathLike | None, out: Path, data: PathLike | None, split: str | None) -> None:
    """Maps must never take the place of the images that they are made of."""
    if images is None:
        return
    if data is not None or split is not None:
        raise UsageError("a folder of images has no split and lies where it is: leave out split and data")
    inside, folder = out.resolve(), Path(images).resolve()
    if folder in (inside, *inside.parents) or inside in folder.parents:
        raise UsageError(f"{out}: is the folder of the images, or in it, or around it; name another one for the maps")


def _check_beside(dataset: PathLike | Dataset | None, stimuli: Sequence[Stimulus], out: Path) -> None:
    """Maps must never take the place of a data set's own files, nor be taken for its own maps later."""
    there = out.resolve()
    if isinstance(dataset, str | PurePath) and Path(dataset).is_dir():
        root = Path(dataset).resolve()
        if root in (there, *there.parents):
            raise UsageError(f"{out}: is the folder of the data set, or in it; name another one for the maps")
    files = (file for one in stimuli for file in (one.image_file, one.map_file) if file is not None)
    own = {folder.resolve() for folder in {file.parent for file in files}}
    for folder in {(there / one.id).parent for one in stimuli}:
        if folder.resolve() in own:
            raise UsageError(f"{out}: maps would lie among the data set's own files; name another folder for them")


def _check_one_format(stimuli: Sequence[Stimulus], out: Path, form: str) -> None:
    """Two maps of one stimulus would make a folder that cannot be scored."""
    others = {map_suffix(other) for other in MAP_FORMATS} - {map_suffix(form)}
    there = next((file for one in stimuli for end in others if (file := out / f"{one.id}{end}").exists()), None)
    if there is not None:
        raise UsageError(f"{there}: is a map already, in another format; remove it, or name another folder")


def _check_model(model: Model, *, with_fixations: bool) -> None:
    if isinstance(model, RepeatedModel):
        raise UsageError(f"{model.card.name} has no map of its own: it is scored viewer by viewer")
    if model.card.needs_fixations and not with_fixations:
        raise UsageError(f"{model.card.name} is made of fixations: name a data set instead of images")


def _listed(dataset: PathLike | Dataset | None, data: PathLike | None, split: str | None) -> Sequence[Stimulus]:
    assert dataset is not None  # noqa: S101 - narrows the type, checked by the caller
    opened = dataset if isinstance(dataset, Dataset) else open_dataset(dataset, data)
    return opened.stimuli(split)


def _scorer(
    stimuli: Sequence[Stimulus],
    source: ModelSource,
    blur_sigma: float | None,
    seed: int,
    progress: Progress,
    *,
    with_fixations: bool,
) -> StimulusScorer:
    if with_fixations:
        pixels = read_fixations(stimuli, progress, open_cache(), MIT300).pixels
        with one_thread():
            source = source.fitted(stimuli, progress)
    else:
        pixels = no_fixations(stimuli)
    return StimulusScorer(pixels, source, MIT300.key, (), blur_sigma, seed)


def _write_all(
    scorer: StimulusScorer, stimuli: Sequence[Stimulus], out: Path, form: str, workers: Workers, progress: Progress
) -> Predicted:
    errors: dict[str, str] = {}
    progress.start("predicting", len(stimuli))
    with held(out), closing(workers.run(PredictChunk(scorer, out, form), numbered(stimuli))) as finished:
        remove_left_work(out)
        for leftover in list(scratch_below(out, map_suffix(form))):
            leftover.unlink(missing_ok=True)  # of a process that was killed
        for chunk, failures in finished:
            for name, text in failures:
                errors[name] = text
                progress.note(f"stimulus {name}: {text}")
            progress.advance(len(chunk))
    progress.finish()
    return Predicted(out, len(stimuli) - len(errors), errors)
