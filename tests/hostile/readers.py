"""Every reader of files that somebody else may have written: how whole files for it come about, and how it is called.

Whole files are made here; where SALBENCH_DATA names real ones, these are mutated as well.
"""

import io
import json
import math
import shutil
import zipfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import h5py
import mutation
import numpy as np
import scipy.io
from PIL import Image

from salbench.archives import unpack
from salbench.array_cache import ArrayCache
from salbench.atomic import write_json
from salbench.datasets import (
    cat2000,
    dut_omron,
    figrim,
    folder,
    mit1003,
    osie,
    pascal_s,
    pysaliency_files,
    salicon,
    salicon_mat,
    toronto,
)
from salbench.datasets.make_folder import make_folder
from salbench.datasets.prepared import prepare
from salbench.datasets.registry import open_dataset
from salbench.datasets.stimulus import Fixations
from salbench.errors import RunError
from salbench.image_files import image_size, read_image, read_map
from salbench.progress import Silent
from salbench.result_file import ResultFile, write_results

Seeds = Callable[[Path, Path | None], Sequence[bytes]]
"""From an empty folder and that of the real data, if there is any, to whole files."""

RNG = np.random.default_rng(3)
KEY = "ab" * 32


@dataclass(frozen=True)
class Reader:
    """A reader. `file`: the name of what it reads. `read`: is given the path of a file of that name, in a folder of its
    own. `share`: of the usual number of inputs, less for slow ones. `mend`: applied to damaged files, so that they get
    past check sums. `hollow`: that whole files are refused as well, as what they lack makes them too large to try.
    """

    name: str
    file: str
    seeds: Seeds
    read: Callable[[Path], Any]
    share: float = 1.0
    mend: Callable[[bytes], bytes] | None = None
    hollow: bool = False


def encoded(picture: np.ndarray, form: str, **options: Any) -> bytes:
    file = io.BytesIO()
    Image.fromarray(picture).save(file, format=form, **options)
    return file.getvalue()


# Pictures and arrays


GREY = RNG.integers(0, 256, (13, 17), dtype=np.uint8)
COLOUR = RNG.integers(0, 256, (13, 17, 3), dtype=np.uint8)


def real(data: Path | None, pattern: str, count: int, most: int = 400_000) -> list[bytes]:
    """Some real files that are not too large to be mutated by the hundred."""
    if data is None:
        return []
    small = (path for path in sorted(data.glob(pattern)) if path.stat().st_size <= most)
    return [path.read_bytes() for path, _ in zip(small, range(count), strict=False)]


def pngs(_: Path, data: Path | None) -> list[bytes]:
    clear = np.dstack([COLOUR, np.full(GREY.shape, 255, np.uint8)])
    exif = Image.Exif()
    exif[0x0112] = 6
    palette = io.BytesIO()
    Image.fromarray(COLOUR).quantize(8).save(palette, format="PNG", transparency=b"\xff\x80")
    made = [encoded(one, "PNG") for one in (GREY, COLOUR, clear, GREY.astype(np.uint16) * 257, GREY > 99)]
    return [*made, encoded(COLOUR, "PNG", exif=exif), palette.getvalue(), *real(data, "datasets/**/*.png", 3)]


def jpegs(_: Path, data: Path | None) -> list[bytes]:
    exif = Image.Exif()
    exif[0x0112] = 8
    cmyk = io.BytesIO()
    Image.fromarray(COLOUR).convert("CMYK").save(cmyk, format="JPEG")
    made = [encoded(GREY, "JPEG"), encoded(COLOUR, "JPEG", progressive=True), encoded(COLOUR, "JPEG", exif=exif)]
    return [*made, cmyk.getvalue(), *real(data, "datasets/stockchart/maps/*/1*.jpg", 2, 60_000)]


def other_pictures(_: Path, __: Path | None) -> list[bytes]:
    tiffs = [encoded(COLOUR, "TIFF", compression=how) for how in (None, "tiff_lzw", "tiff_deflate", "jpeg", "packbits")]
    floats = encoded(GREY.astype(np.float32), "TIFF")
    webps = [encoded(COLOUR, "WEBP", lossless=lossless) for lossless in (True, False)]
    return [*tiffs, floats, *webps, encoded(COLOUR, "BMP"), encoded(GREY, "BMP"), encoded(GREY, "GIF")]


def every_picture(path: Path) -> None:
    """The size, the image and the map: each may refuse what another takes."""
    refusals = []
    for read in (image_size, read_image, read_map):
        try:
            read(path)
        except Exception as error:
            refusals.append(error)
    if refusals:
        raise max(refusals, key=lambda error: not str(error).startswith(str(path)))


def npys(_: Path, __: Path | None) -> list[bytes]:
    found = []
    for array in (GREY, COLOUR[:, :, 0].astype(">f4"), np.asfortranarray(GREY.astype(float)), GREY.astype("<i8")):
        for version in ((1, 0), (2, 0)):
            file = io.BytesIO()
            np.lib.format.write_array(file, array, version=version)
            found.append(file.getvalue())
    return found


def npzs(_: Path, data: Path | None) -> list[bytes]:
    found = []
    for save in (np.savez, np.savez_compressed):
        file = io.BytesIO()
        save(file, GREY.astype(float))
        found.append(file.getvalue())
    return [*found, *real(data, "golden/mit300/imresize_*.npz", 3, 10_000)]


# MATLAB


def structs(*elements: dict[str, Any]) -> np.ndarray:
    made = np.empty((1, len(elements)), dtype=[(name, object) for name in elements[0]])
    for place, element in enumerate(elements):
        for name, value in element.items():
            made[0, place][name] = value
    return made


def cells(*elements: Any) -> np.ndarray:
    made = np.empty((1, len(elements)), dtype=object)
    for place, element in enumerate(elements):
        made[0, place] = element
    return made


def mats(content: dict[str, Any], pattern: str = "") -> Seeds:
    """The content stored plain and compressed, and real files."""

    def make(_: Path, data: Path | None) -> list[bytes]:
        found = []
        for compressed in (False, True):
            file = io.BytesIO()
            scipy.io.savemat(file, content, do_compression=compressed)
            found.append(file.getvalue())
        return [*found[:1], *found, *(real(data, pattern, 2, 40_000) if pattern else [])]

    return make


POINTS = np.array([[3.0, 2.0], [60.5, 1.0], [9.0, 40.0]])
TRACE = np.repeat(POINTS, 60, axis=0)
LOOKS = structs({"enc": POINTS, "rec": POINTS[:1], "rec2": np.zeros((0, 0))})
USERS = structs({"trial": 3, "fixations": LOOKS}, {"trial": np.zeros((0, 0)), "fixations": []})
FIGRIM = {"allImages": structs({"filename": "a.jpg", "category": "x", "userdata": USERS})}
WORKERS = structs({"location": POINTS, "fixations": POINTS[1:]}, {"location": POINTS[:1], "fixations": POINTS})
LOCATIONS = {"fixLocs": (GREY > 200).astype(np.uint8), "other": "text", "sparse": scipy.sparse.eye_array(4).tocsc()}
MOUSE = {
    "fixations": {
        "subj": np.array([[2], [1], [1], [1], [2]]),
        "coord": np.array([[30, 40], [1, 1], [1, 25], [2, 30], [1, 1]], dtype=np.uint16),
        "order": np.array([[1], [1], [2], [3], [2]], dtype=np.uint8),
    }
}
EYE_CELL = structs({"fix_x": POINTS[:, :1], "fix_y": POINTS[:, 1:], "fix_duration": POINTS[:, :1].astype(np.uint8)})
EYE = {"fixations": cells(structs({"img": "1001.jpg", "subjects": cells(EYE_CELL, EYE_CELL)})).T}
TORONTO = {"white": cells(*[(GREY > 200).astype(np.uint8)[:4, :5]] * 120)}


def read_toronto(path: Path) -> None:
    for place in (0, 119):
        toronto.read_fixated(path, place)


def read_trace(path: Path) -> Fixations:
    return mit1003.read_traces(path.parent.parent, (path.parent.name,), path.stem)


# HDF5


def pascals(scratch: Path, _: Path | None) -> list[bytes]:
    with h5py.File(scratch / "made.h5", "w") as file:
        references = file.create_dataset("fixCell", (1, 850), dtype=h5py.ref_dtype)
        shared = [file.create_dataset(f"c{number}", data=np.full((3, number + 1), 2.0)).ref for number in range(4)]
        for place in range(850):
            references[0, place] = shared[place % 4]
    return [(scratch / "made.h5").read_bytes()]


def stimuli_files(scratch: Path, _: Path | None) -> list[bytes]:
    with h5py.File(scratch / "images.h5", "w") as file:
        file.attrs.update({"type": b"Stimuli", "version": b"1.1", "size": 2, "__attributes__": b"[]"})
        file.create_dataset("0", data=COLOUR, compression="gzip")
        file.create_dataset("1", data=GREY)
    with h5py.File(scratch / "files.h5", "w") as file:
        file.attrs.update({"type": b"FileStimuli", "version": b"2.1", "size": 2, "__attributes__": b"[]"})
        file.create_dataset("filenames", data=np.array([b"stim/a.png", b"stim/b.png"]), dtype=h5py.string_dtype())
        shapes = file.create_dataset("shapes", (2,), dtype=h5py.vlen_dtype(np.dtype("int64")))
        for place in range(2):
            shapes[place] = np.array([13, 17, 3])
    return [(scratch / name).read_bytes() for name in ("images.h5", "files.h5")]


def fixation_files(scratch: Path, _: Path | None) -> list[bytes]:
    with h5py.File(scratch / "plain.h5", "w") as file:
        file.attrs.update({"type": b"Fixations", "version": b"1.0", "__attributes__": b'["subjects"]'})
        for name, values in (("x", [1.5, 2]), ("y", [3.0, 4]), ("n", [1, 0]), ("subjects", [7, 8])):
            file.create_dataset(name, data=np.asarray(values))
    gap = np.nan
    with h5py.File(scratch / "trains.h5", "w") as file:
        file.attrs.update({"type": b"FixationTrains", "version": b"1.2", "__attributes__": b"[]"})
        file.create_dataset("train_xs", data=[[5, 6, 7], [1, gap, gap]], compression="gzip")
        file.create_dataset("train_ys", data=[[8, 9, 1], [4, gap, gap]])
        file.create_dataset("train_ns", data=[1, 0])
        file.create_dataset("train_subjects", data=np.array([b"me", b"you"], dtype=object), dtype=h5py.string_dtype())
    return [(scratch / name).read_bytes() for name in ("plain.h5", "trains.h5")]


def read_stimuli(path: Path) -> None:
    """With whole fixations beside it; every image is read."""
    other = path.parent / "fixations.hdf5"
    if not other.is_file():
        with h5py.File(other, "w") as file:
            file.attrs.update({"type": b"Fixations", "version": b"1.0"})
            for name, values in (("x", [1.5]), ("y", [3.0]), ("n", [0])):
                file.create_dataset(name, data=np.asarray(values))
    opened = pysaliency_files.open_pysaliency(path.parent).stimuli("all")
    for place in range(min(len(opened), 3)):
        opened[place].fixations()
        if opened[place].image_file is None:
            opened[place].image()


def read_pysaliency_fixations(path: Path) -> None:
    other = path.parent / "stimuli.hdf5"
    if not other.is_file():
        with h5py.File(other, "w") as file:
            file.attrs.update({"type": b"Stimuli", "version": b"1.1", "size": 2})
            for name in ("0", "1"):
                file.create_dataset(name, data=COLOUR)
    for one in pysaliency_files.open_pysaliency(path.parent).stimuli("all"):
        one.fixations().by_viewer()


# Texts


def annotations(_: Path, data: Path | None) -> list[bytes]:
    images = [{"id": 7, "file_name": "a_7.jpg", "height": 13, "width": 17}, {"id": 8, "file_name": "b_8.jpg"}]
    records = [
        {"id": 1, "image_id": 7, "worker_id": 3, "fixations": [[1, 2], [13, 17]]},
        {"id": 2, "image_id": 8, "worker_id": "w\u00e9", "fixations": []},
    ]
    made = json.dumps({"images": images, "annotations": records}).encode()
    return [made, made, *real(data, "datasets/salicon-sample/**/*.json", 2, 400_000)]


def read_salicon(path: Path) -> None:
    salicon.read_annotations(path)
    for split in salicon.SPLITS:
        if path.name.startswith(f"fixations_{split}"):
            for one in salicon.open_salicon2015(path.parent).stimuli(split):
                one.size  # noqa: B018 - what the listing reads of each


def result_files(scratch: Path, _: Path | None) -> list[bytes]:
    write_results(scratch / "made.json", [(1, GREY), ("a_22", GREY.astype(float)), ("333", COLOUR[:, :, 0])])
    return [(scratch / "made.json").read_bytes()]


def read_results(path: Path) -> None:
    found = ResultFile(path)
    for number in list(found.places)[:5]:
        found.predict_stimulus(stimulus_called(str(number)))


def stimulus_called(name: str) -> Any:
    from salbench.datasets.stimulus import Stimulus

    return Stimulus(name, GREY.shape, lambda: COLOUR)


def tables(_: Path, __: Path | None) -> list[bytes]:
    plain = "x,y,viewer,t\n1,2,a,5\n3.5,4e0,b,6\n,,,\n-7,8,\u00e9,\n"
    return [plain.encode(), "x,y\r\n1,2\r\n3,4\r\n".encode("utf-8-sig"), b'"x","y","viewer"\n1,2,"a,b"\n3,4,"c\n"\n']


def whole_tables(_: Path, data: Path | None) -> list[bytes]:
    made = b"image,x,y,viewer,t\na.png,1,2,v1,0.5\nb,3.5,4,v2,\n"
    if data is None:
        return [made]
    lines = (data / "datasets/stockchart/fixations.csv").read_text().splitlines()[:40]
    return [made, "\n".join(lines).replace("participant", "viewer").encode()]


def make_of_table(path: Path) -> None:
    images, out = path.parent / "images", path.parent / "made"
    if not images.is_dir():
        images.mkdir()
        for name in ("a", "b"):
            Image.fromarray(COLOUR).save(images / f"{name}.png")
    shutil.rmtree(out, ignore_errors=True)
    make_folder(images, path, out)


TOML = """title = "A set"\ncitation = '''Some\nbody'''\npixels_per_degree = 3.5\n[more]\nlist = [1, [2.5, "x"], {a = 1}]
when = 1979-05-27T07:32:00Z\nnumber = 0x1F\n"""


def read_toml(path: Path) -> None:
    (path.parent / "images").mkdir(exist_ok=True)
    opened = folder.open_folder(path.parent)
    assert isinstance(opened.title, str)


EPOCHS = (
    "epoch,phase,content_loss,adversarial_loss,discriminator_loss,nss,cc,seconds,images_per_second,generator_steps\n"
    "1,content,0.5,,,1.25,0.5,3.0,10.0,8\n2,adversarial,0.4,0.3,0.2,,,3.0,10.0,16\n"
)


def read_epochs(path: Path) -> None:
    from salbench_models.salgan.history import read_epochs as read

    read(path)


def read_decision(path: Path) -> None:
    from salbench_models.salgan.precision import read_decision as read

    read(path)


# Runs and what is made of them

MANIFEST = {
    "format": 1,
    "salbench": "0.1.0",
    "created": "2026-01-01T00:00:00+00:00",
    "command": ["salbench", "score"],
    "model": {"key": "m", "title": "M", "trained_on": ["a/b"], "uses_ground_truth": False, "citation": "C"},
    "dataset": {"key": "d", "title": "D", "split": "all", "n": 3},
    "protocol": {"key": "mit300", "label": "MIT300", "blur": "8 cycles", "blur_sigma": None, "ig_baseline": "x"},
    "metrics": ["nss", "cc"],
    "seed": 0,
    "inputs": {"fixations": "ab" * 32},
    "versions": {"numpy": "2.0"},
}
FIGURES = {"mean": 0.5, "ci_low": 0.25, "ci_high": 0.75, "n": 3}
SUMMARY = {"n": 3, "errors": 0, "metrics": {"nss": FIGURES, "cc": FIGURES}}
"""As of runs of before there were check sums: with one, whatever else was damaged would not be looked at."""


def json_of(content: Any) -> Seeds:
    return lambda _, __: [json.dumps(content).encode(), json.dumps(content, indent=2).encode()]


def parquets(scratch: Path, _: Path | None) -> list[bytes]:
    import pandas as pd
    import pyarrow as pa
    import pyarrow.parquet as pq

    columns = {
        "stimulus": ["a", "b", "c"],
        "nss": [0.5, float("nan"), 1.0],
        "cc": [0.1, 0.2, 0.3],
        "error": ["", "x", ""],
    }
    pd.DataFrame(columns).to_parquet(scratch / "pandas.parquet")
    for how in ("snappy", "zstd", "gzip"):
        pq.write_table(pa.table(columns), scratch / f"{how}.parquet", compression=how, use_dictionary=how != "snappy")
    return [(scratch / f"{name}.parquet").read_bytes() for name in ("pandas", "snappy", "zstd", "gzip")]


def read_run(path: Path, changed: str) -> None:
    """All that a run tells, with whole files beside the changed one; and as tables read it."""
    from salbench.scoring.run_folder import open_run
    from salbench.tables import make_table, render

    folder = path.parent
    for name, content in (("run.json", MANIFEST), ("summary.json", SUMMARY)):
        if name != changed and not (folder / name).is_file():
            write_json(folder / name, content)
    if changed != "scores.parquet" and not (folder / "scores.parquet").is_file():
        (folder / "scores.parquet").write_bytes(parquets(folder, None)[1])
    refusals = []
    for read in (use_run, lambda folder: render(make_table([folder]), "html")):
        try:
            read(open_run(folder) if read is use_run else folder)
        except RunError as error:
            refusals.append(error)
    if refusals:
        raise refusals[0]


def use_run(run: Any) -> None:
    """What commands ask of a run."""
    from salbench.leaderboard import check_rows

    _ = run.errors, len(run.scores), [run.manifest[name]["title"] + "" for name in ("model", "dataset")]
    for key in run.manifest["metrics"]:
        _ = run.mean(key), run.column(key)
    if "scores_sha256" in run.summary:
        check_rows(run)


def read_shard(path: Path) -> None:
    from salbench.scoring.run_folder import RunFolder

    list(RunFolder(path.parent.parent).rows())


def read_place(path: Path) -> None:
    from salbench.scoring.run_folder import place_of_rows

    place_of_rows(path.parent)


PLACE = {"url": "file:///rows/salbench-0123456789abcdef"}


def read_as_doctor(path: Path) -> None:
    """As part of a training: what `salbench doctor` calls damaged is refused."""
    from salbench.doctor import examine
    from salbench.errors import RunError

    (path.parent / "epochs.csv").write_text(EPOCHS)
    if any(str(path) in finding.what for finding in examine(path.parent).findings):
        raise RunError(f"{path} is damaged")


SHARD = "\n".join(
    json.dumps({"stimulus": name, "scores": {"nss": 0.5}, "error": "", "fixations": 3, "dropped": 0}) for name in "ab"
)


def read_entry(path: Path) -> None:
    """As the leaderboard's table and page."""
    from salbench.leaderboard import entries_of
    from salbench.site import write_site
    from salbench.tables import make_table, render

    board = path.parent
    entries_of(board)
    make = make_table([path])
    for form in ("markdown", "latex", "html", "csv"):
        render(make, form)
    write_site(board.parent / "site.html", [board])


# Archives, and salbench's own files


def zips(_: Path, __: Path | None) -> list[bytes]:
    found = []
    for method in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA):
        file = io.BytesIO()
        with zipfile.ZipFile(file, "w", method) as archive:
            archive.writestr("A/x.txt", "text " * 40)
            archive.writestr("A/deep/y.bin", bytes(range(256)))
        found.append(file.getvalue())
    return found


def read_zip(path: Path) -> None:
    """Nothing may land outside the root."""
    root = path.parent / "outer" / "root"
    shutil.rmtree(root.parent, ignore_errors=True)
    root.mkdir(parents=True)
    try:
        unpack(path, root, ["A"], Silent())
    finally:
        outside = {one.name for one in path.parent.iterdir()} - {path.name, "outer"}
        assert not outside, f"outside: {outside}"
        assert [one.name for one in root.parent.iterdir()] == ["root"]


def arrow_set(root: Path) -> Path:
    """A data set of the generic layout with its prepared file."""
    for part in ("images", "fixations"):
        (root / part).mkdir(parents=True, exist_ok=True)
    for name in ("a", "b"):
        Image.fromarray(COLOUR).save(root / "images" / f"{name}.png")
        (root / "fixations" / f"{name}.csv").write_text("x,y,viewer\n1,2,v\n3,4,w\n")
    path, _, _ = prepare(open_dataset(root), root)
    return path


def arrows(scratch: Path, _: Path | None) -> list[bytes]:
    return [arrow_set(scratch / "set").read_bytes()]


def read_prepared(path: Path) -> None:
    """A damaged file is as if it were not there: the recordings are read, never anything else."""
    changed, root = path.read_bytes(), path.parent / "set"
    target = root / ".salbench" / "fixations-set.arrow"
    if not target.is_file():
        arrow_set(root)
    target.unlink()
    target.write_bytes(changed)
    for one in open_dataset(root).stimuli():
        one.fixations()


def cached(scratch: Path, _: Path | None) -> list[bytes]:
    cache = ArrayCache(scratch, 1 << 20)
    cache.get(KEY, lambda: np.arange(12.0).reshape(3, 4))
    return [cache.path(KEY, ".npy").read_bytes()]


def read_cached(path: Path) -> None:
    """What comes is an array of numbers, made anew where the file is no such thing."""
    cache = ArrayCache(path.parent / "cache", 1 << 20)
    target = cache.path(KEY, ".npy")
    target.parent.mkdir(parents=True, exist_ok=True)
    target.unlink(missing_ok=True)
    target.write_bytes(path.read_bytes())
    found = cache.get(KEY, lambda: np.arange(12.0).reshape(3, 4))
    assert found.ndim == 2
    assert found.dtype == np.float64


# SalGAN's


def checkpoint_heads(_: Path, __: Path | None) -> list[bytes]:
    """The head of a checkpoint; its weights are a hole, put behind it when it is read."""
    from salbench_models.salgan.checkpoint import Header
    from salbench_models.salgan.layers import GENERATOR_SHAPES
    from salbench_models.salgan.preprocessing import TORCHVISION

    header = Header({"loss": "bce4"}, TORCHVISION, "48x32", ("toy/train",), 3, {"nss": 1.25, "cc": None}, 7)
    entries: dict[str, Any] = {"__metadata__": header.as_metadata()}
    end = 0
    for name, shape in GENERATOR_SHAPES.items():
        begin, end = end, end + 4 * math.prod(shape)
        entries[name] = {"dtype": "F32", "shape": shape, "data_offsets": [begin, end]}
    text = json.dumps(entries).encode()
    text += b" " * (-len(text) % 8)
    return [len(text).to_bytes(8, "little") + text]


def read_checkpoint(path: Path) -> None:
    from salbench_models.salgan.checkpoint import read_header, read_weights
    from salbench_models.salgan.layers import GENERATOR_SHAPES

    size = path.stat().st_size + 4 * sum(map(math.prod, GENERATOR_SHAPES.values()))
    with path.open("rb+") as file:
        file.truncate(size)
    read_header(path)
    if path.stat().st_ino % 50 == 0:  # 120 MB of zeros, so not each time
        read_weights(path)


def tensors(_: Path, __: Path | None) -> list[bytes]:
    import torch
    from safetensors.torch import save

    return [save({"features.0.weight": torch.ones(2, 3), "features.0.bias": torch.zeros(4, dtype=torch.bfloat16)})]


def torch_files(scratch: Path, _: Path | None) -> list[bytes]:
    import torch

    content = {"features.0.weight": torch.ones(2, 3), "features.0.bias": torch.zeros(4)}
    torch.save(content, scratch / "new.pth")
    torch.save(content, scratch / "old.pth", _use_new_zipfile_serialization=False)
    return [(scratch / name).read_bytes() for name in ("new.pth", "old.pth")]


def read_vgg(path: Path) -> None:
    from salbench_models.salgan.encoder import read_tensors

    read_tensors(path)


def states(scratch: Path, _: Path | None) -> list[bytes]:
    import torch

    from salbench_models.salgan.config import SalGANConfig

    epoch = {"epoch": 1, "phase": "content", "losses": {}, "metrics": {"nss": 1.0}, "seconds": 1.0}
    state = {
        "identity": json.dumps(SalGANConfig().as_record()),
        "history": json.dumps([{**epoch, "images_per_second": 2.0}]),
        "learner": {"generator": {"conv.weight": torch.ones(2, 2)}},
        "begun": "null",
    }
    torch.save(state, scratch / "state.pt")
    return [(scratch / "state.pt").read_bytes()]


def read_state(path: Path) -> None:
    from salbench_models.salgan.config import SalGANConfig
    from salbench_models.salgan.run_folder import RunFolder, precision_begun

    precision_begun(path.parent)
    RunFolder(path.parent, SalGANConfig().as_record(), "content").load()


def released(_: Path, __: Path | None) -> list[bytes]:
    """Right headers without values: the whole archive has 100 MB."""
    from salbench_models.salgan.layers import GENERATOR_SHAPES

    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for number, shape in enumerate(GENERATOR_SHAPES.values()):
            head = io.BytesIO()
            form = {"descr": "<f4", "fortran_order": False, "shape": tuple(shape)}
            np.lib.format.write_array_header_1_0(head, form)
            archive.writestr(f"arr_{number}.npy", head.getvalue())
    return [file.getvalue()]


def read_npz_of_weights(path: Path) -> None:
    from salbench_models.salgan.released import read_released

    read_released(path)


def text_of(text: str) -> Seeds:
    return lambda _, __: [text.encode()]


MOUSE_FILES = "datasets/osie/data/mouse_amt/*.mat"
DECISION = {"precision": "bf16", "device": "cpu", "seconds": {"fp32": 1.5, "bf16": 1.0}, "reason": "quicker"}

READERS: tuple[Reader, ...] = (
    Reader("PNG", "a.png", pngs, every_picture),
    Reader("PNG, check sums mended", "a.png", pngs, every_picture, mend=mutation.png_mended),
    Reader("JPEG", "a.jpg", jpegs, every_picture),
    Reader("TIFF, WebP, BMP, GIF", "a.tif", other_pictures, every_picture),
    Reader("npy", "a.npy", npys, read_map),
    Reader("npz", "a.npz", npzs, read_map),
    Reader("SALICON .mat", "a.mat", mats({"gaze": WORKERS}), partial(salicon_mat.read_gaze, field="fixations")),
    Reader("MIT1003 .mat", "v/a.mat", mats({"a": structs({"DATA": structs({"eyeData": TRACE})})}), read_trace),
    Reader("CAT2000 .mat", "a.mat", mats(LOCATIONS), cat2000.read_locations),
    Reader("Toronto .mat", "a.mat", mats(TORONTO), read_toronto, 0.3),
    Reader("DUT-OMRON .mat", "a.mat", mats({"s": np.c_[POINTS, [[0], [1], [2]]]}), dut_omron.read_fixations),
    Reader("FIGRIM .mat", "a.mat", mats(FIGRIM), partial(figrim.read_first_looks, file_name="a.jpg")),
    Reader("OSIE mouse .mat", "a.mat", mats(MOUSE, MOUSE_FILES), osie.read_mouse_samples),
    Reader("OSIE eye .mat", "a.mat", mats(EYE), osie.read_eye_fixations, 0.5),
    Reader("PASCAL-S HDF5", "a.mat", pascals, partial(pascal_s.read_fixations, place=1), 0.1),
    Reader("pysaliency stimuli HDF5", "stimuli.hdf5", stimuli_files, read_stimuli, 0.1),
    Reader("pysaliency fixations HDF5", "fixations.hdf5", fixation_files, read_pysaliency_fixations, 0.1),
    Reader("SALICON JSON", "fixations_val2014.json", annotations, read_salicon),
    Reader("result file JSON", "a.json", result_files, read_results),
    Reader("fixations CSV", "a.csv", tables, folder.read_fixations),
    Reader("make-folder CSV", "a.csv", whole_tables, make_of_table, 0.5),
    Reader("dataset.toml", "dataset.toml", text_of(TOML), read_toml),
    Reader("run.json", "run.json", json_of(MANIFEST), partial(read_run, changed="run.json"), 0.5),
    Reader("summary.json", "summary.json", json_of(SUMMARY), partial(read_run, changed="summary.json"), 0.5),
    Reader("scores.parquet", "scores.parquet", parquets, partial(read_run, changed="scores.parquet"), 0.5),
    Reader("run shard JSON", "shards/a.jsonl", text_of(SHARD), read_shard),
    Reader("run's place of rows JSON", "shards.json", json_of(PLACE), read_place),
    Reader(
        "leaderboard entry JSON",
        "board/a.json",
        json_of({"format": 1, "run": MANIFEST, "summary": {**SUMMARY, "scores_sha256": "ab" * 32}}),
        read_entry,
        0.3,
    ),
    Reader("zip of a data set", "a.zip", zips, read_zip),
    Reader("prepared fixations Arrow", "a.arrow", arrows, read_prepared, 0.5),
    Reader("array cache npy", "a.npy", cached, read_cached),
    Reader("SalGAN checkpoint safetensors", "a.safetensors", checkpoint_heads, read_checkpoint),
    Reader("doctor's safetensors", "a.safetensors", tensors, read_as_doctor),
    Reader("VGG-16 safetensors", "a.safetensors", tensors, read_vgg),
    Reader("VGG-16 .pth", "a.pth", torch_files, read_vgg, 0.5),
    Reader("SalGAN training state", "state.pt", states, read_state, 0.5),
    Reader("SalGAN released npz", "a.npz", released, read_npz_of_weights, 0.3, hollow=True),
    Reader("SalGAN epochs.csv", "epochs.csv", text_of(EPOCHS), read_epochs),
    Reader("SalGAN precision.json", "precision.json", json_of(DECISION), read_decision),
)
