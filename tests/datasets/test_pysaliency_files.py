"""Data sets as pysaliency stores them, written here by the layout; `tests/peers` has files that pysaliency wrote."""

import h5py
import numpy as np
import pytest
from PIL import Image

from salbench.datasets.registry import open_dataset
from salbench.errors import DataError
from salbench.scoring.runner import score

SIZES = {"a/001": (40, 60), "b/001": (50, 30), "b/002": (20, 33)}
RNG = np.random.default_rng(5)
IMAGES = {name: RNG.integers(0, 256, (*size, 3), dtype=np.uint8) for name, size in SIZES.items()}
TEXT = h5py.string_dtype()


def write_file_stimuli(path, names=None, shapes=None, version=b"2.1"):
    listed = [f"stim/{name}.png" for name in SIZES] if names is None else names
    with h5py.File(path, "w") as file:
        file.attrs.update({"type": b"FileStimuli", "version": version, "size": len(listed), "__attributes__": b"[]"})
        file.create_dataset("filenames", data=np.array([name.encode() for name in listed]), dtype=TEXT)
        shaped = file.create_dataset("shapes", (len(listed),), dtype=h5py.vlen_dtype(np.dtype("int64")))
        for place, shape in enumerate(shapes or [(*size, 3) for size in SIZES.values()]):
            shaped[place] = np.array(shape)


def write_fixations(path, x, y, n, subjects=None):
    with h5py.File(path, "w") as file:
        file.attrs.update({"type": b"Fixations", "version": b"1.0", "__attributes__": b'["subjects"]'})
        for name, values in (("x", x), ("y", y), ("n", n), ("subjects", subjects)):
            if values is not None:
                file.create_dataset(name, data=np.asarray(values))


def write_trains(path, xs, ys, ns, subjects):
    with h5py.File(path, "w") as file:
        file.attrs.update({"type": b"FixationTrains", "version": b"1.2", "__attributes__": b"[]"})
        for name, values in (("train_xs", xs), ("train_ys", ys), ("train_ns", ns), ("train_subjects", subjects)):
            file.create_dataset(name, data=np.asarray(values))


@pytest.fixture
def folder(tmp_path):
    for name, image in IMAGES.items():
        (tmp_path / "stim" / name).parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(image).save(tmp_path / "stim" / f"{name}.png")
    write_file_stimuli(tmp_path / "stimuli.hdf5")
    # Not sorted by stimulus; b/002 has none; (59.99, 39.9) is the last pixel of a/001, (60, 40) lies outside.
    write_fixations(
        tmp_path / "fixations.hdf5", [0.2, 59.99, 3.5, 60.0], [49.9, 39.9, 0.0, 40.0], [1, 0, 0, 0], [7, 7, 8, 8]
    )
    return tmp_path


def places(stimulus):
    return [(column, row) for row, column in stimulus.fixations().positions.tolist()]


def test_files_and_fixations_find_each_other(folder):
    """Catches rounded positions where they are cut off, x and y exchanged, and fixations given to another stimulus."""
    a, b1, b2 = open_dataset(folder).stimuli()
    assert [one.id for one in (a, b1, b2)] == list(SIZES)
    assert [one.size for one in (a, b1, b2)] == list(SIZES.values())
    assert (places(a), places(b1), places(b2)) == ([(59, 39), (3, 0)], [(0, 49)], [])
    assert (len(a.recorded_fixations()), list(a.fixations().by_viewer())) == (3, ["7", "8"])
    assert np.array_equal(b1.image(), IMAGES["b/001"])


def test_images_in_the_file_and_scanpaths(tmp_path):
    """Catches NaN that fills scanpaths up taken for fixations, and viewers or stimuli shifted among scanpaths."""
    with h5py.File(tmp_path / "stimuli.hdf5", "w") as file:
        file.attrs.update({"type": b"Stimuli", "version": b"1.1", "size": 2, "__attributes__": b"[]"})
        file.create_dataset("0", data=IMAGES["a/001"], compression="gzip")
        file.create_dataset("1", data=IMAGES["b/001"][:, :, 0])
    gap = np.nan
    write_trains(
        tmp_path / "fixations.hdf5",
        [[5, 6, 7], [1, gap, gap], [2, 3, gap]],
        [[8, 9, 10], [4, gap, gap], [5, 6, gap]],
        [1, 0, 1],
        [3, 4, 5],
    )
    first, second = open_dataset(tmp_path).stimuli()
    assert (places(first), places(second)) == ([(1, 4)], [(5, 8), (6, 9), (7, 10), (2, 5), (3, 6)])
    assert second.fixations().viewer.tolist() == ["3", "3", "3", "5", "5"]
    assert np.array_equal(first.image(), IMAGES["a/001"])
    assert second.image().shape == (50, 30, 3)


def test_such_a_folder_is_scored_in_workers(folder, tmp_path):
    """Catches stimuli that cannot travel to another process."""
    runs = [score(folder, model="centre", metrics=["nss"], jobs=jobs, out=tmp_path / str(jobs)) for jobs in (1, 2)]
    assert runs[0].errors == 0
    assert runs[0].scores.equals(runs[1].scores)


def spoil(folder, name):
    """One way to damage a file each."""
    stimuli, fixations = folder / "stimuli.hdf5", folder / "fixations.hdf5"
    if name == "cut":
        stimuli.write_bytes(stimuli.read_bytes()[:700])
    elif name == "text":
        fixations.write_text("<html>")
    elif name == "kind":
        write_fixations(stimuli, [1], [1], [0])
    elif name == "beyond":
        write_fixations(fixations, [1], [1], [3])
    elif name == "lengths":
        write_fixations(fixations, [1, 2], [1], [0])
    elif name == "letters":
        write_fixations(fixations, np.array([b"x"]), [1], [0])
    elif name == "outside link":
        with h5py.File(fixations, "a") as file:
            del file["x"]
            file["x"] = h5py.ExternalLink("other.hdf5", "/x")
    elif name == "huge":
        with h5py.File(fixations, "a") as file:
            del file["x"]
            file.create_dataset("x", (1 << 40,), dtype="f8", chunks=(1 << 16,))
    elif name == "shape":
        write_file_stimuli(stimuli, shapes=[(0, 4, 3), (50, 30, 3), (20, 33, 3)])
    elif name == "twins":
        write_file_stimuli(stimuli, names=["stim/a.png", "stim/a.jpg"], shapes=[(4, 4, 3)] * 2)
    elif name == "no type":
        with h5py.File(stimuli, "a") as file:
            del file.attrs["type"]


@pytest.mark.parametrize(
    "damage",
    ["cut", "text", "kind", "beyond", "lengths", "letters", "outside link", "huge", "shape", "twins", "no type"],
)
def test_a_file_that_is_something_else_is_refused_by_name(folder, damage):
    """Catches a traceback, terabytes that are allocated, and another file read by way of a link."""
    spoil(folder, damage)
    with pytest.raises(DataError, match=r"(stimuli|fixations)\.hdf5: "):
        open_dataset(folder)


def test_a_missing_image_costs_its_own_row(folder, tmp_path):
    """Catches one image that was moved and takes the others' scores with it."""
    (folder / "stim" / "b" / "001.png").unlink()
    images = [one.id for one in open_dataset(folder).stimuli() if _readable(one)]
    assert images == ["a/001", "b/002"]


def _readable(stimulus):
    try:
        stimulus.image()
    except DataError:
        return False
    return True
