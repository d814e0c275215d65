"""Archives for benchmarks: what is in them, and what is refused."""

import json
import zipfile
from functools import partial
from io import BytesIO

import h5py
import numpy as np
import pytest
from PIL import Image

from salbench.cli import main
from salbench.datasets.dataset import Dataset
from salbench.datasets.image_stimulus import image_stimulus
from salbench.errors import DataError, UsageError
from salbench.scoring.runner import score
from salbench.submissions import KINDS, export

SIZES = {"i1": (30, 40), "i2": (24, 20), "i10": (50, 31)}


def stimuli(folder):
    return [image_stimulus(name, folder / f"{name}.jpg") for name in SIZES]


@pytest.fixture
def benchmark(tmp_path):
    """Three images of MIT300, in a data set of their own."""
    folder = tmp_path / "images"
    folder.mkdir()
    for name, (height, width) in SIZES.items():
        Image.new("RGB", (width, height)).save(folder / f"{name}.jpg")
    return Dataset("mit300", "MIT300", {"test": partial(stimuli, folder)}, "test")


def write_maps(folder, log_density=False):
    folder.mkdir()
    rng = np.random.default_rng(0)
    for name, size in SIZES.items():
        values = rng.random(size)
        np.save(folder / f"{name}.npy", np.log(values / values.sum()) if log_density else values)
    return folder


def test_a_zip_holds_a_picture_per_image_as_large_as_it(benchmark, tmp_path):
    """Catches names of another form, sizes that are transposed, and a map whose order of values is lost."""
    maps = write_maps(tmp_path / "maps")
    Image.fromarray(np.full((6, 8), 77, dtype=np.uint8)).save(maps / "i1.png")
    (maps / "i1.npy").unlink()
    out = export("mit300", maps, tmp_path / "m.zip", dataset=benchmark)
    with zipfile.ZipFile(out) as archive:
        assert sorted(archive.namelist()) == ["i1.png", "i10.png", "i2.png"]
        shown = {name[:-4]: np.asarray(Image.open(BytesIO(archive.read(name)))) for name in archive.namelist()}
    assert {name: values.shape for name, values in shown.items()} == SIZES
    assert {values.dtype.name for values in shown.values()} == {"uint8"}
    original = np.load(maps / "i2.npy")
    assert shown["i2"].ravel()[np.argmax(original)] == 255
    assert np.corrcoef(original.ravel(), shown["i2"].ravel())[0, 1] > 0.999


def test_missing_maps_are_listed_and_nothing_is_written(benchmark, tmp_path):
    """Catches an archive with fewer maps than the benchmark wants."""
    maps = write_maps(tmp_path / "maps")
    (maps / "i2.npy").unlink()
    (maps / "i10.npy").unlink()
    with pytest.raises(DataError, match=r"i2, i10 of 3 have no map"):
        export("mit300", maps, tmp_path / "m.zip", dataset=benchmark)
    assert list(tmp_path.glob("*m.zip*")) == []


@pytest.mark.parametrize("damage", [lambda a: a[:, :5] * np.nan, lambda a: a[0], lambda a: a + np.inf])
def test_a_map_that_cannot_be_used_is_named(benchmark, tmp_path, damage):
    """Catches NaN turned into black pixels, and half an archive under the name of a whole one."""
    maps = write_maps(tmp_path / "maps")
    np.save(maps / "i10.npy", damage(np.load(maps / "i10.npy")))
    with pytest.raises(DataError, match="i10"):
        export("mit300", maps, tmp_path / "m.zip", dataset=benchmark)
    assert list(tmp_path.glob("*m.zip*")) == []


def test_log_densities_keep_every_bit(benchmark, tmp_path):
    """Catches densities rounded to 32 bits, or named without their suffix, and maps that are no densities."""
    maps = write_maps(tmp_path / "maps", log_density=True)
    out = export("tuebingen", maps, tmp_path / "d.hdf5", dataset=benchmark)
    with h5py.File(out) as file:
        assert sorted(file) == ["i1.jpg", "i10.jpg", "i2.jpg"]
        for name in SIZES:
            assert np.array_equal(file[f"{name}.jpg"][:], np.load(maps / f"{name}.npy"))
    np.save(maps / "i2.npy", np.load(maps / "i2.npy") + 0.1)
    with pytest.raises(DataError, match=r"i2: .* is no log density"):
        export("tuebingen", maps, tmp_path / "e.hdf5", dataset=benchmark)
    with pytest.raises(DataError, match="i1"):
        export("tuebingen", write_maps(tmp_path / "plain"), tmp_path / "e.hdf5", dataset=benchmark)


def test_a_result_file_has_an_entry_per_test_image(tmp_path):
    """Catches entries of train or val, and ids that are texts."""
    for number in (12, 345):
        path = tmp_path / "data" / "images" / "test" / f"COCO_test2014_{number:012}.jpg"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (64, 48)).save(path)
        (tmp_path / "maps").mkdir(exist_ok=True)
        np.save(tmp_path / "maps" / f"{path.stem}.npy", np.random.default_rng(number).random((48, 64)))
    train = tmp_path / "data" / "images" / "train" / "COCO_train2014_000000000001.jpg"
    train.parent.mkdir()
    Image.new("RGB", (64, 48)).save(train)
    (tmp_path / "data" / "train").mkdir()
    (tmp_path / "data" / "train" / "COCO_train2014_000000000001.mat").touch()
    out = export("salicon2017", tmp_path / "maps", tmp_path / "r.json", data=tmp_path / "data")
    assert sorted(entry["image_id"] for entry in json.loads(out.read_text())) == [12, 345]


def test_a_run_that_kept_its_maps_is_a_source(tmp_path):
    """Catches a run folder that is searched for maps in the wrong place."""
    run = score("synthetic", split="val", model="centre", metrics=["nss"], save_maps=True, out=tmp_path / "run").path
    from salbench.datasets.synthetic import open_synthetic

    out = export("mit300", run, tmp_path / "m.zip", dataset=replace_split(open_synthetic()))
    with zipfile.ZipFile(out) as archive:
        assert len(archive.namelist()) == 16


def replace_split(dataset):
    return Dataset("val-only", "Val", {"val": dataset.splits["val"]}, "val")


def test_a_model_is_predicted_first(tmp_path, capsys):
    """Catches maps that are left behind, or an archive of a model that failed on an image."""
    for number in range(1, 301):
        if number != 7:
            Image.new("RGB", (20, 16)).save(tmp_path / f"i{number}.jpg")
    words = ["export", "mit300", "--model", "centre", "--data", str(tmp_path), "--jobs", "1", "-o"]
    assert main([*words, str(tmp_path / "out" / "m.zip")]) == 1
    assert "i7" in capsys.readouterr().err
    assert list((tmp_path / "out").iterdir()) == []
    Image.new("RGB", (20, 16)).save(tmp_path / "i7.jpg")
    assert main([*words, str(tmp_path / "out" / "m.zip")]) == 0
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["m.zip"]


def test_requests_that_make_no_sense(tmp_path, capsys):
    with pytest.raises(UsageError, match="mit300"):
        export("mit30", tmp_path, tmp_path / "m.zip")
    assert main(["export", "mit300", "-o", str(tmp_path / "m.zip")]) == 2
    assert main(["export", "--help"]) == 0
    shown = capsys.readouterr().out
    assert all(kind in shown for kind in KINDS)


def test_16_bit_maps_are_stretched_to_8_bits(benchmark, tmp_path):
    """Catches an archive whose pictures a benchmark's uint8 reader cannot take."""
    maps = write_maps(tmp_path / "maps")
    fine = np.random.default_rng(1).integers(20_000, 40_000, SIZES["i2"], dtype=np.uint16)
    (maps / "i2.npy").unlink()
    Image.fromarray(fine).save(maps / "i2.png")
    with zipfile.ZipFile(export("mit300", maps, tmp_path / "m.zip", dataset=benchmark)) as archive:
        shown = np.asarray(Image.open(BytesIO(archive.read("i2.png"))))
    assert shown.dtype == np.uint8
    assert (shown.min(), shown.max()) == (0, 255)
    wanted = (fine - 20_000.0) / (fine.max() - fine.min()) * 255
    assert np.corrcoef(wanted.ravel(), shown.ravel())[0, 1] > 0.999
