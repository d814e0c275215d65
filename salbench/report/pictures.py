"""The pictures of a report's stimuli: which there are, and where the page finds them."""

import base64
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from salbench.ahead import in_order
from salbench.arrays import SaliencyMap
from salbench.atomic import replacing
from salbench.datasets.stimulus import Stimulus
from salbench.errors import SalbenchError
from salbench.progress import Progress
from salbench.report.thumbnails import (
    LARGE_SIDE,
    SIDE,
    fixation_dots,
    image_thumbnail,
    level_sets,
    map_thumbnail,
    small_size,
)
from salbench.run_pictures import ground_truth, names_of
from salbench.run_stimuli import kept_maps, stored_map
from salbench.scoring.run_folder import Run

KINDS = {"jpg": "image/jpeg", "svg": "image/svg+xml"}
THREADS = 4


@dataclass
class Pictures:
    """Everything drawn of one stimulus. `size`: (height, width) of its small pictures. `files`: by name, content;
    `lost`: what could not be drawn, as text.
    """

    stimulus: str
    size: tuple[int, int]
    files: dict[str, bytes] = field(default_factory=dict)
    lost: list[str] = field(default_factory=list)


def draw_all(
    runs: Sequence[Run], stimuli: Sequence[Stimulus], progress: Progress, *, large: bool = False
) -> Iterator[Pictures]:
    """The pictures of stimuli, in order, a few at a time in memory."""
    progress.start("drawing", len(stimuli))
    names = names_of(runs)
    for made in in_order(lambda one: draw(runs, names, one, large=large), stimuli, THREADS):
        yield made
        progress.advance()
    progress.finish()


def draw(runs: Sequence[Run], names: Sequence[str], stimulus: Stimulus, *, large: bool = False) -> Pictures:
    """The pictures of one stimulus: `image.jpg`, `fixations.svg`, `truth.jpg`, and `map-N.jpg`, `levels-N.svg` of each
    run that kept its map. `large`: also `image-large.jpg` and so on, where there is more to see.
    """
    made = Pictures(stimulus.id, small_size(*stimulus.size))
    sides = {"": SIDE, "-large": LARGE_SIDE} if large and max(stimulus.size) > SIDE else {"": SIDE}
    with _keeping(made, "image"):
        image = stimulus.image()
        made.files |= {f"image{end}.jpg": image_thumbnail(image, side) for end, side in sides.items()}
    with _keeping(made, "fixations"):
        _draw_truth(made, runs[0], stimulus, sides)
    for place, run in enumerate(runs):
        if kept_maps(run):
            with _keeping(made, f"map of {names[place]}"):
                _draw_map(made, place, stored_map(run, stimulus.id), stimulus, sides)
    return made


def _draw_truth(made: Pictures, run: Run, stimulus: Stimulus, sides: Mapping[str, int]) -> None:
    made.files["fixations.svg"] = fixation_dots(stimulus.fixations().positions, stimulus.size)
    truth = ground_truth(run, stimulus)
    made.files |= {f"truth{end}.jpg": map_thumbnail(truth, stimulus.size, side) for end, side in sides.items()}


def _draw_map(made: Pictures, place: int, values: SaliencyMap, stimulus: Stimulus, sides: Mapping[str, int]) -> None:
    made.files |= {f"map-{place}{end}.jpg": map_thumbnail(values, stimulus.size, side) for end, side in sides.items()}
    made.files[f"levels-{place}.svg"] = level_sets(values, stimulus.size)


@contextmanager
def _keeping(made: Pictures, what: str) -> Iterator[None]:
    """A picture that cannot be drawn costs no other: it is told of."""
    try:
        yield
    except SalbenchError as error:
        made.lost.append(f"{made.stimulus}: {what}: {error}")


class Embedded:
    """Pictures inside the page itself: small ones only."""

    large = False

    def place(self, number: int, name: str, content: bytes) -> str:
        """The address of a picture."""
        del number
        kind = KINDS[name.rpartition(".")[2]]
        return f"data:{kind};base64,{base64.b64encode(content).decode()}"


@dataclass
class Beside:
    """Pictures in files beside the page, in a folder a thousand stimuli."""

    folder: Path
    large = True

    def place(self, number: int, name: str, content: bytes) -> str:
        """Write a picture, and its address as the page has it."""
        relative = f"pictures/{number // 1000:03}/{number:06}-{name}"
        with replacing(self.folder / relative, durable=False) as scratch:
            scratch.write_bytes(content)
        return relative


def addresses(place: Embedded | Beside, number: int, made: Pictures) -> dict[str, Any]:
    """What the page knows of a stimulus's pictures: `size`, [width, height] of the small ones, and by the name of each
    without suffix its address.
    """
    files = {name.rpartition(".")[0]: place.place(number, name, content) for name, content in made.files.items()}
    return {"size": [made.size[1], made.size[0]], **files}
