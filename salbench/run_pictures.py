"""Pictures of finished runs: their stored maps beside each other and over the images that they belong to."""

from collections.abc import Sequence
from itertools import count as counting
from pathlib import Path

from salbench.arrays import SaliencyMap
from salbench.comparison import check_comparable
from salbench.datasets.dataset import Dataset
from salbench.datasets.stimulus import Stimulus
from salbench.errors import UsageError
from salbench.figures import GridRow, picture_format, write_grid, write_level_sets, write_overlay
from salbench.paths import PathLike
from salbench.protocols import find_protocol
from salbench.run_stimuli import check_ground_truth, evenly, has_map, stimuli_of, stimulus_of, stored_map
from salbench.scoring.run_folder import Run, open_run
from salbench.training import training_map

COUNT = 6
"""Stimuli of a grid, where none are named."""


def draw_grid(
    path: PathLike,
    runs: Sequence[PathLike],
    *,
    stimuli: Sequence[str] | None = None,
    count: int = COUNT,
    dataset: PathLike | Dataset | None = None,
    data: PathLike | None = None,
) -> None:
    """Image, ground truth and each run's map: a line per stimulus.

    `stimuli`: their ids; by default `count` of those that all runs have a map of, spread evenly. `dataset`, `data`: as
    in `stimuli_of`. Raises UsageError, DataError or RunError for a suffix that is no picture's, an unknown stimulus,
    runs that do not compare, runs without stored maps, and a data set whose ground truth is not that of the runs.
    """
    opened, known = _opened(path, runs, dataset, data)
    check_ground_truth(opened[0], known)
    chosen = _spread(opened, known, count) if stimuli is None else [stimulus_of(known, name) for name in stimuli]
    if not chosen:
        raise UsageError("no stimulus to draw; count has to be at least 1")
    rows = [
        GridRow(one.image(), [ground_truth(opened[0], one), *(stored_map(run, one.id) for run in opened)])
        for one in chosen
    ]
    write_grid(Path(path), ["image", "ground truth", *names_of(opened)], rows)


def _spread(runs: Sequence[Run], stimuli: Sequence[Stimulus], count: int) -> list[Stimulus]:
    """Some of the stimuli that all runs have a map of; of runs without any the first one, whose map then is missed."""
    drawable = [place for place, one in enumerate(stimuli) if all(has_map(run, one.id) for run in runs)]
    return [stimuli[(drawable or [0])[place]] for place in evenly(len(drawable or [0]), max(0, count))]


def draw_overlay(
    path: PathLike,
    runs: Sequence[PathLike],
    stimulus: str,
    *,
    fixations: bool = True,
    dataset: PathLike | Dataset | None = None,
    data: PathLike | None = None,
) -> None:
    """Each run's map as colours over the image, with the fixations as dots. Raises as `draw_grid` does."""
    opened, known = _opened(path, runs, dataset, data)
    one = stimulus_of(known, stimulus)
    if fixations:
        check_ground_truth(opened[0], known)
    dots = one.recorded_fixations().within(one.size).positions if fixations else None
    write_overlay(Path(path), one.image(), _maps(opened, one), dots)


def draw_level_sets(
    path: PathLike,
    runs: Sequence[PathLike],
    stimulus: str,
    *,
    window: tuple[int, int, int, int] | None = None,
    dataset: PathLike | Dataset | None = None,
    data: PathLike | None = None,
) -> None:
    """The level sets of each run's map, as in the paper's Figure 5; `window` as in `write_level_sets`, which see for
    errors beside those of `draw_grid`.
    """
    opened, known = _opened(path, runs, dataset, data)
    one = stimulus_of(known, stimulus)
    write_level_sets(Path(path), one.image(), _maps(opened, one), window)


def _opened(
    path: PathLike, runs: Sequence[PathLike], dataset: PathLike | Dataset | None, data: PathLike | None
) -> tuple[list[Run], Sequence[Stimulus]]:
    picture_format(Path(path))
    if not runs:
        raise UsageError("name at least one run")
    opened = [open_run(run) for run in runs]
    check_comparable(opened, ())
    return opened, stimuli_of(opened[0], dataset, data)


def names_of(runs: Sequence[Run]) -> list[str]:
    """The models' titles, each once: namesakes are told apart by the ends of their folders' paths, then by numbers."""
    titles = [run.manifest["model"]["title"] for run in runs]
    names = [
        title if titles.count(title) == 1 else f"{title} ({_path_end(run, _namesakes(runs, title))})"
        for title, run in zip(titles, runs, strict=True)
    ]
    return _numbered(names)


def _namesakes(runs: Sequence[Run], title: str) -> set[Path]:
    return {run.path.resolve() for run in runs if run.manifest["model"]["title"] == title}


def _path_end(run: Run, paths: set[Path]) -> str:
    """As many of the last parts of a run's path as no other of the paths ends with."""
    own = run.path.resolve().parts
    others = [path.parts for path in paths if path.parts != own]
    depth = next((n for n in range(1, len(own)) if all(own[-n:] != other[-n:] for other in others)), len(own))
    return Path(*own[-depth:]).as_posix()


def _numbered(names: Sequence[str]) -> list[str]:
    """Names, with a number behind each that came before."""
    used: list[str] = []
    for name in names:
        candidates = (name if number == 1 else f"{name} [{number}]" for number in counting(1))
        used.append(next(one for one in candidates if one not in used))
    return used


def _maps(runs: Sequence[Run], stimulus: Stimulus) -> list[tuple[str, SaliencyMap]]:
    return [(name, stored_map(run, stimulus.id)) for name, run in zip(names_of(runs), runs, strict=True)]


def ground_truth(run: Run, stimulus: Stimulus) -> SaliencyMap:
    """The continuous ground truth that a run was scored with, (height, width) from 0 to 1."""
    protocol = run.manifest["protocol"]
    return training_map(find_protocol(protocol["key"]), protocol["blur_sigma"], stimulus)
