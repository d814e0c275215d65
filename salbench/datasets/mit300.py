"""MIT300 (Judd et al. 2012): 300 images whose fixations the benchmark keeps to itself. Images only: for predictions.

BenchmarkIMAGES/i1.jpg … i300.jpg, or the images in the folder itself
"""

from collections.abc import Sequence
from functools import partial
from pathlib import Path

from salbench.datasets.dataset import Dataset
from salbench.datasets.image_stimulus import image_stimulus
from salbench.datasets.stimulus import Stimulus
from salbench.errors import DataError

CITATION = (
    "Judd, Durand and Torralba: A benchmark of computational models of saliency to predict human fixations. 2012."
)
GROUND_TRUTH = "not public"
NAMES = tuple(f"i{number}" for number in range(1, 301))


def open_mit300(folder: Path) -> Dataset:
    """`mit300`: the split `test`, in the order of the numbers. DataError where none of its images is there."""
    places = (folder / "BenchmarkIMAGES" / "BenchmarkIMAGES", folder / "BenchmarkIMAGES", folder)
    root = next((place for place in places if any((place / f"{name}.jpg").is_file() for name in NAMES)), None)
    if root is None:
        raise DataError(f"{folder}: MIT300 is not here; wanted: BenchmarkIMAGES/i1.jpg … i300.jpg. Name it with --data")
    return Dataset("mit300", "MIT300", {"test": partial(_stimuli, root)}, "test", CITATION)


def _stimuli(root: Path) -> Sequence[Stimulus]:
    return [image_stimulus(name, root / f"{name}.jpg") for name in NAMES]
