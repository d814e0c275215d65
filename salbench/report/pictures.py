"""The pictures of a report's stimuli: which there are, and where the page finds them."""

import base64
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np

from salbench.arrays import FloatArray
from salbench.atomic import replacing
from salbench.datasets.stimulus import Stimulus
from salbench.errors import SalbenchError
from salbench.progress import Progress
from salbench.report.drawings import GRID, roc_curve
from salbench.report.thumbnails import fixation_dots, image_thumbnail, level_sets, map_thumbnail
from salbench.run_pictures import ground_truth
from salbench.run_stimuli import stored_map
from salbench.scoring.run_folder import MAPS, Run

KINDS = {"jpg": "image/jpeg", "svg": "image/svg+xml"}
THREADS = 4
AHEAD = 16


@dataclass
class Pictures:
    """Everything drawn of one stimulus. `files`: by name, content; `lost`: what could not be drawn, as text.

    `curves`: each run's ROC curve, NaN where it has no map.
    """

    stimulus: str
    files: dict[str, bytes] = field(default_factory=dict)
    lost: list[str] = field(default_factory=list)
    curves: list[FloatArray] = field(default_factory=list)


def draw_all(runs: Sequence[Run], stimuli: Sequence[Stimulus], progress: Progress) -> Iterator[Pictures]:
    """The pictures of stimuli, in order, a few at a time in memory."""
    progress.start("drawing", len(stimuli))
    todo = iter(stimuli)
    with ThreadPoolExecutor(THREADS) as pool:
        waiting = [pool.submit(draw, runs, one) for one in islice(todo, AHEAD)]
        try:
            while waiting:
                yield waiting.pop(0).result()
                progress.advance()
                waiting += [pool.submit(draw, runs, one) for one in islice(todo, 1)]
        finally:
            pool.shutdown(wait=True, cancel_futures=True)
    progress.finish()


def draw(runs: Sequence[Run], stimulus: Stimulus) -> Pictures:
    """The pictures of one stimulus: `image.jpg`, `fixations.svg`, `truth.jpg`, and `map-N.jpg`, `levels-N.svg` of each
    run that kept its map.
    """
    made = Pictures(stimulus.id)
    with _keeping(made, "image"):
        made.files["image.jpg"] = image_thumbnail(stimulus.image())
    with _keeping(made, "fixations"):
        _draw_truth(made, runs[0], stimulus)
    for place, run in enumerate(runs):
        made.curves.append(np.full(GRID.size, np.nan))
        if (run.path / MAPS).is_dir():
            with _keeping(made, f"map of {run.manifest['model']['title']}"):
                _draw_map(made, place, run, stimulus)
    return made


def _draw_truth(made: Pictures, run: Run, stimulus: Stimulus) -> None:
    fixations = stimulus.recorded_fixations().within(stimulus.size)
    made.files["fixations.svg"] = fixation_dots(fixations.positions, stimulus.size)
    made.files["truth.jpg"] = map_thumbnail(ground_truth(run, stimulus), stimulus.size)


def _draw_map(made: Pictures, place: int, run: Run, stimulus: Stimulus) -> None:
    values = stored_map(run, stimulus.id)
    made.files[f"map-{place}.jpg"] = map_thumbnail(values, stimulus.size)
    made.files[f"levels-{place}.svg"] = level_sets(values, stimulus.size)
    if values.shape == stimulus.size:
        made.curves[place] = roc_curve(values, stimulus.fixation_map())


@contextmanager
def _keeping(made: Pictures, what: str) -> Iterator[None]:
    """A picture that cannot be drawn costs no other: it is told of."""
    try:
        yield
    except SalbenchError as error:
        made.lost.append(f"{made.stimulus}: {what}: {error}")


class Embedded:
    """Pictures inside the page itself."""

    def place(self, number: int, name: str, content: bytes) -> str:
        """The address of a picture."""
        del number
        kind = KINDS[name.rpartition(".")[2]]
        return f"data:{kind};base64,{base64.b64encode(content).decode()}"


@dataclass
class Beside:
    """Pictures in files beside the page, in a folder a thousand stimuli."""

    folder: Path

    def place(self, number: int, name: str, content: bytes) -> str:
        """Write a picture, and its address as the page has it."""
        relative = f"pictures/{number // 1000:03}/{number:06}-{name}"
        with replacing(self.folder / relative, durable=False) as scratch:
            scratch.write_bytes(content)
        return relative


def addresses(place: Embedded | Beside, number: int, made: Pictures) -> Mapping[str, Any]:
    """Where the page finds each picture of a stimulus: `image`, `fixations`, `truth`, and lists `maps` and `levels`."""
    found: dict[str, Any] = {"maps": {}, "levels": {}}
    for name, content in made.files.items():
        stem = name.rpartition(".")[0]
        kind, _, run = stem.partition("-")
        address = place.place(number, name, content)
        if run:
            found[{"map": "maps", "levels": "levels"}[kind]][run] = address
        else:
            found[stem] = address
    return found
