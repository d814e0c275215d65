"""A folder of ready maps as a model: one image, `.npy` or `.npz` per stimulus, under the stimulus's name."""

from pathlib import Path
from sys import intern

from salbench.arrays import SaliencyMap
from salbench.datasets.stimulus import Stimulus
from salbench.errors import DataError
from salbench.image_files import MAP_SUFFIXES, files_by_stem, read_map
from salbench.models import Context, ModelCard


class MapFolder:
    """The maps of a folder. Nothing but the names is read before a map is asked for."""

    def __init__(self, folder: Path, title: str | None = None, *, log_density: bool = False) -> None:
        """`title`: the name for tables, by default the folder's. `log_density`: whether the maps are log densities, as
        `ModelCard` has it. DataError where the folder is not there.
        """
        self.folder = folder
        self._suffixes = {name: intern(path.suffix) for name, path in files_by_stem(folder, MAP_SUFFIXES).items()}
        name = folder.resolve().name
        self.card = ModelCard(
            name=name, title=title or name, description=f"maps of the folder {name}", log_density=log_density
        )

    def has(self, stimulus: str) -> bool:
        """Whether there is a map for the stimulus of that id."""
        return stimulus in self._suffixes

    def file(self, stimulus: str) -> Path | None:
        """The file of a stimulus's map, None where there is none."""
        return self.folder / f"{stimulus}{self._suffixes[stimulus]}" if self.has(stimulus) else None

    def names(self, count: int) -> list[str]:
        """The first names, to show what is there."""
        return list(self._suffixes)[:count]

    def wanted_name(self, stimulus: str) -> str:
        """What a file for a stimulus would be called."""
        return f"names such as {stimulus}.png"

    def predict_stimulus(self, stimulus: Stimulus, context: Context | None = None) -> SaliencyMap:
        """The map of a stimulus as stored. DataError where it is missing or unreadable."""
        del context
        path = self.file(stimulus.id)
        if path is None:
            raise DataError(
                f"{self.folder}: no map for stimulus {stimulus.id!r}; wanted: {stimulus.id}.png or the like"
            )
        return read_map(path)
