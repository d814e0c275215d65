"""Where `salbench predict` may write: never among what it reads."""

import shutil

import numpy as np
import pytest
from PIL import Image

from salbench.datasets.stimulus import Fixations, Stimulus
from salbench.errors import UsageError
from salbench.prediction import predict


@pytest.fixture
def folder(tmp_path):
    """A data set in the generic layout, its stimuli PNGs, one of them in a folder of its own."""
    root = tmp_path / "set"
    for name in ("a", "inner/b"):
        for place in ("images", "fixations"):
            (root / place / name).parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(np.random.default_rng(0).integers(0, 255, (20, 30, 3), np.uint8)).save(
            root / "images" / f"{name}.png"
        )
        (root / "fixations" / f"{name}.csv").write_text("x,y\n3,4\n10,12\n")
    return root


def contents(root):
    return {path.relative_to(root): path.read_bytes() for path in root.rglob("*") if path.is_file()}


@pytest.mark.parametrize("out", ["images", "maps", ".", "predicted", "images/inner"])
def test_maps_never_lie_in_the_data_set(folder, out):
    """Catches stimuli replaced by their maps, and predictions that are taken for the ground truth from then on."""
    before = contents(folder)
    with pytest.raises(UsageError, match="is the folder of the data set, or in it"):
        predict("centre", dataset=folder, out=folder / out)
    assert contents(folder) == before


def test_maps_never_lie_among_the_stimuli_of_any_data_set(folder, tmp_path):
    """Catches the same where the data set is no folder of the generic layout, also by way of a link."""
    from salbench.datasets.dataset import Dataset
    from salbench.image_files import read_image

    file = folder / "images" / "inner" / "b.png"
    stimulus = Stimulus(
        "inner/b", (20, 30), lambda: read_image(file), lambda: Fixations.of_one_viewer([1], [1]), image_file=file
    )
    dataset = Dataset("own", "Own", {"all": lambda: [stimulus]}, "all")
    (tmp_path / "link").symlink_to(folder / "images")
    before = contents(folder)
    with pytest.raises(UsageError, match="maps would lie among the data set's own files"):
        predict("centre", dataset=dataset, out=tmp_path / "link")
    assert contents(folder) == before
    assert predict("centre", dataset=dataset, out=tmp_path / "maps").written == 1


def test_two_formats_never_share_a_folder(folder, tmp_path):
    """Catches a folder of maps that nothing can be scored from, as every stimulus has two."""
    predict("centre", dataset=folder, out=tmp_path / "maps")
    with pytest.raises(UsageError, match=r"a\.png: is a map already, in another format"):
        predict("centre", dataset=folder, out=tmp_path / "maps", form="npy")
    assert predict("centre", dataset=folder, out=tmp_path / "maps", form="png16").written == 2


def test_a_neighbour_of_the_data_set_is_written_into(folder, tmp_path):
    """Catches a refusal of what harms nobody."""
    assert predict("centre", dataset=folder, out=tmp_path / "set-maps").written == 2
    shutil.copytree(folder, tmp_path / "out" / "set")
    assert predict("centre", dataset=tmp_path / "out" / "set", out=tmp_path / "out").written == 2
