"""Attacks by name: code in pickles, files that claim terabytes, names that lead elsewhere or mean something."""

import json
import pickle
import struct
import time
import tracemalloc
import zipfile
import zlib
from pathlib import Path

import deadly
import h5py
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import readers
from picture_files import npy_header_only, npz_of, png_header_only

from salbench.archives import unpack
from salbench.array_cache import ArrayCache
from salbench.curves import write_curve_table
from salbench.datasets import hdf5_files, mat_structure, pascal_s, pysaliency_files, salicon
from salbench.datasets.dataset import Dataset
from salbench.datasets.folder import open_folder, read_fixations
from salbench.datasets.mat_files import read_mat
from salbench.datasets.stimulus import LONGEST_NAME, Stimulus
from salbench.errors import DataError, RunError, SalbenchError
from salbench.image_files import image_size, read_image, read_map
from salbench.map_folder import MapFolder
from salbench.models import TrainedEpoch
from salbench.progress import Silent
from salbench.result_file import ResultFile
from salbench.scoring import run_folder
from salbench.scoring.runner import score
from salbench.site import write_site
from salbench.tables import make_table, render
from salbench.tables.to_csv import safe_text

MIB = 1 << 20


@pytest.fixture
def frugal():
    """Fails the test where more than a few MiB are asked for at any moment."""
    tracemalloc.start()
    yield
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 24 * MIB


# Code


class Trap:
    """Unpickled, it leaves a file behind."""

    def __init__(self, mark):
        self.mark = mark

    def __reduce__(self):
        return Path.touch, (self.mark,)


def trap_as(kind, mark, path):
    """A file that would make `mark` for whoever unpickles what is in it."""
    if kind == "pickle":
        path.write_bytes(pickle.dumps(Trap(mark)))
    elif kind in ("npy", "npz"):
        with path.open("wb") as file:
            (np.save if kind == "npy" else np.savez)(file, np.array([[Trap(mark)]], dtype=object))
    elif kind == "released":
        with zipfile.ZipFile(path, "w") as archive:
            for number in range(54):
                with archive.open(f"arr_{number}.npy", "w") as file:
                    np.save(file, np.array([Trap(mark)], dtype=object))
    else:
        import torch

        torch.save({"identity": Trap(mark), "features.0.weight": Trap(mark)}, path)


def of_torch(name):
    """A reader of SalGAN's, which imports torch when it is called."""

    def read(path):
        from salbench_models.salgan import checkpoint, encoder, released, run_folder

        folder = run_folder.RunFolder(path.parent, {}, "content")
        {
            "weights": lambda: encoder.read_tensors(path),
            "state": folder.load,
            "precision": lambda: run_folder.precision_begun(path.parent),
            "checkpoint": lambda: checkpoint.read_header(path),
            "released": lambda: released.read_released(path),
        }[name]()

    return read


def read_cache(path):
    """Its file under the name that the cache would look for; the trap is no array of numbers, so one is made."""
    cache = ArrayCache(path.parent / "cache", MIB)
    target = cache.path(readers.KEY, ".npy")
    target.parent.mkdir(parents=True)
    target.write_bytes(path.read_bytes())
    assert cache.get(readers.KEY, lambda: np.ones((1, 2))).tolist() == [[1, 1]]
    raise DataError("made anew")


UNPICKLERS = {
    "map .npy": ("map.npy", read_map),
    "map .npz": ("map.npz", read_map),
    "picture": ("map.png", read_map),
    "cache": ("a.npy", read_cache),
    "MATLAB file": ("a.mat", lambda path: read_mat(path, "anything")),
    "table": ("a.csv", read_fixations),
    "VGG-16 .pth": ("a.pth", of_torch("weights")),
    "VGG-16 safetensors": ("a.safetensors", of_torch("weights")),
    "training state": ("state.pt", of_torch("state")),
    "training's precision": ("state.pt", of_torch("precision")),
    "checkpoint": ("a.safetensors", of_torch("checkpoint")),
    "released weights": ("a.npz", of_torch("released")),
    "result file": ("a.json", ResultFile),
    "scores": ("scores.parquet", lambda path: run_folder.Run(path.parent).scores),
}


@pytest.mark.parametrize("kind", ["pickle", "npy", "npz", "released", "torch"])
@pytest.mark.parametrize("reader", UNPICKLERS)
def test_no_reader_runs_what_a_pickle_says(tmp_path, reader, kind):
    """Catches an unpickler without bounds in any reader, whatever form the pickle comes in."""
    name, read = UNPICKLERS[reader]
    mark = tmp_path / "code-was-run"
    trap_as(kind, mark, tmp_path / name)
    with pytest.raises(SalbenchError):
        read(tmp_path / name)
    assert not mark.exists()


def test_the_trap_is_one(tmp_path):
    """Catches a test above that proves nothing."""
    for number, kind in enumerate(("npy", "npz", "torch", "pickle")):
        mark = tmp_path / f"mark-{number}"
        trap_as(kind, mark, tmp_path / "a")
        if kind == "torch":
            import torch

            torch.load(tmp_path / "a", weights_only=False)
        else:
            loaded = np.load(tmp_path / "a", allow_pickle=True)
            _ = loaded["arr_0"] if kind == "npz" else loaded
        assert mark.exists(), kind


# Sizes


@pytest.mark.parametrize("read", [read_image, read_map, image_size])
def test_a_picture_of_50000_by_50000_costs_nothing(tmp_path, read, frugal):
    """Catches pixels that are made room for on a header's word."""
    path = tmp_path / "bomb.png"
    path.write_bytes(png_header_only(50_000, 50_000))
    with pytest.raises(DataError, match=r"bomb\.png: too many pixels .*2500000000"):
        read(path)


def test_a_bomb_among_pictures_costs_its_own_stimulus(tmp_path):
    """Catches a listing that ends at the first hostile picture."""
    (tmp_path / "images").mkdir()
    (tmp_path / "images" / "a.png").write_bytes(png_header_only(50_000, 50_000))
    (tmp_path / "images" / "b.png").write_bytes(readers.encoded(readers.COLOUR, "PNG"))
    first, second = open_folder(tmp_path).stimuli()
    with pytest.raises(DataError, match="too many pixels"):
        first.image()
    assert second.image().shape == readers.COLOUR.shape


@pytest.mark.parametrize("dtype", ["<f8", "|S1000000000", "|V2000000000", "<U900000000", "|O", "<M8[D]"])
def test_an_array_that_claims_more_than_it_has_costs_nothing(tmp_path, dtype, frugal):
    """Catches room made for terabytes of numbers, or for one text of gigabytes, on a header's word."""
    shape = (1 << 20, 1 << 20) if dtype == "<f8" else (1, 1)
    content = npy_header_only(shape, dtype)
    (tmp_path / "a.npy").write_bytes(content)
    (tmp_path / "a.npz").write_bytes(npz_of(a=content))
    for name in ("a.npy", "a.npz"):
        with pytest.raises(DataError, match=name):
            read_map(tmp_path / name)


def test_a_header_that_unpacks_to_gigabytes_costs_nothing(tmp_path, frugal):
    """Catches a header read whole before it is found too long: its length is what the file says, its blanks cost
    nothing in an archive, and none on a disk with holes.
    """
    length = 300 * MIB
    start = b"\x93NUMPY\x02\x00" + length.to_bytes(4, "little") + b"{'descr': '<f8', 'fortran_order': False, "
    with (
        zipfile.ZipFile(tmp_path / "a.npz", "w", zipfile.ZIP_DEFLATED) as archive,
        archive.open("a.npy", "w", force_zip64=True) as file,
    ):
        file.write(start)
        for _ in range(length // MIB):
            file.write(b" " * MIB)
    with (tmp_path / "a.npy").open("wb") as file:
        file.write(start)
        file.truncate(length + 1000)
    for name in ("a.npz", "a.npy"):
        with pytest.raises(DataError, match=name):
            read_map(tmp_path / name)


def test_an_archive_packed_by_another_method_is_refused(tmp_path):
    """Catches methods whose unpacking takes memory that a file's head tells nothing of."""
    with zipfile.ZipFile(tmp_path / "a.npz", "w", zipfile.ZIP_LZMA) as archive:
        archive.writestr("a.npy", npy_header_only((2, 2)) + bytes(32))
    with pytest.raises(DataError, match=r"a\.npz: is compressed by method 14"):
        read_map(tmp_path / "a.npz")


def test_a_postscript_file_is_no_picture(tmp_path, monkeypatch):
    """Catches a program that Pillow starts for a file which only calls itself a picture."""
    monkeypatch.setattr("subprocess.Popen", lambda *_, **__: pytest.fail("a program was started"))
    program = b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 10 10\n%%EndComments\n(x) run\n%%EOF\n"
    (tmp_path / "a.png").write_bytes(program)
    for read in (read_image, read_map, image_size):
        with pytest.raises(DataError, match=r"a\.png: cannot be read as an image"):
            read(tmp_path / "a.png")


def element(kind, content):
    """An element of a MATLAB file."""
    return struct.pack("<II", kind, len(content)) + content + bytes(-len(content) % 8)


def array(flags, sides, *elements):
    """An array of a MATLAB file, `flags` being its class."""
    head = element(6, struct.pack("<II", flags, 0)) + element(5, struct.pack(f"<{len(sides)}i", *sides))
    return element(14, head + element(1, b"a") + b"".join(elements))


def mat_of(content):
    return b"MATLAB 5.0 MAT-file".ljust(124) + struct.pack("<H", 0x0100) + b"IM" + content


CELL, TEXT, DOUBLE = 1, 4, 6


def nested(depth):
    """Cells in cells. Only the outermost tag tells the truth about its length: SciPy looks at no other."""
    level = array(CELL, (1, 1))
    return element(14, level[8:] + level * depth)


WILD_MATS = {
    "cells too deep": (nested(100_000), "deep"),
    "billions of cells": (array(CELL, (1 << 30, 1)), "1,073,741,824 cells"),
    "billions of structs": (array(2, (1 << 30, 1), element(5, struct.pack("<i", 8)), element(1, b"")), "cells"),
    "billions of blanks": (array(TEXT, (1 << 30, 1), element(16, b"")), "a text of 1,073,741,824 letters"),
    "an unknown type": (array(DOUBLE, (1, 1), element(8, bytes(8))), "type 8"),
    "a type beyond all": (array(DOUBLE, (1, 1), element(0x7FFF, bytes(8))), "type 32767"),
    "a negative side": (array(DOUBLE, (-1, -1), element(9, bytes(8))), "shape"),
    "33 sides": (array(DOUBLE, (1,) * 33, element(9, bytes(8))), "dimensions"),
    "a length beyond the end": (array(DOUBLE, (1, 1), struct.pack("<II", 9, 1 << 31)), "2,147,483,648 bytes"),
    "names of no letters": (array(2, (1, 1), element(5, bytes(4)), element(1, b"abc")), "names of 0 letters"),
    "no array": (element(9, bytes(8)), "where an array should be"),
    "an unknown class": (array(99, (1, 1)), "class 99"),
}


@pytest.mark.parametrize("name", WILD_MATS)
def test_a_matlab_file_that_would_end_the_process_is_refused(tmp_path, name, frugal):
    """Catches what SciPy is not proof against: wild pointers, a full stack, and gigabytes on a file's word."""
    content, words = WILD_MATS[name]
    (tmp_path / "a.mat").write_bytes(mat_of(content))
    with pytest.raises(DataError, match=rf"a\.mat: cannot be read as a thing \(StructureError: .*{words}"):
        read_mat(tmp_path / "a.mat", "a thing")


def test_a_packed_matlab_file_that_unpacks_to_gigabytes_is_refused(tmp_path, monkeypatch, frugal):
    """Catches a decompression bomb, in one variable or in many."""
    monkeypatch.setattr(mat_structure, "MOST_UNPACKED", MIB)
    for count, size in ((1, 2 * MIB), (200, 10_000)):
        packed = zlib.compress(array(DOUBLE, (size // 8, 1), element(9, bytes(size))))
        tag = struct.pack("<II", 15, len(packed))
        (tmp_path / "a.mat").write_bytes(mat_of((tag + packed) * count))
        with pytest.raises(DataError, match=r"a\.mat: .*unpacks to more than 1,048,576 bytes"):
            read_mat(tmp_path / "a.mat", "a thing")


def test_whole_matlab_files_pass(tmp_path):
    """Catches a look at the structure that refuses what SciPy itself writes: every class, packed and not."""
    content = {
        "struct": {"a": 1.0, "b": {"c": "text"}},
        "complex": np.ones((2, 2)) * 1j,
        "sparse": readers.scipy.sparse.eye_array(3).tocsc(),
        "letters": "h\u00e9",
        "cells": readers.cells(1, "x", readers.cells(np.zeros((0, 0)))),
        "truth": np.array([[True]]),
        "small": np.array([[1, 2]], dtype=np.int8),
        "nothing": "",
    }
    for packed in (False, True):
        readers.scipy.io.savemat(tmp_path / "a.mat", content, do_compression=packed)
        assert read_mat(tmp_path / "a.mat", "a thing").keys() == content.keys()


@pytest.mark.data
def test_real_matlab_files_pass(salbench_data):
    """Catches the same for what MATLAB itself wrote."""
    files = sorted((salbench_data / "datasets" / "osie" / "data").glob("*/*.mat"))
    assert len(files) > 50
    for path in files[:: len(files) // 40]:
        mat_structure.check_structure(path)


@pytest.mark.parametrize("how", ["dies", "hangs"])
def test_a_file_that_hdf5s_library_does_not_survive_is_refused(tmp_path, monkeypatch, how):
    """Catches a benchmark that dies of, or hangs at, a file that a process of its own was to try."""
    monkeypatch.setattr(hdf5_files, "SECONDS", 1)
    (tmp_path / "a.h5").write_bytes(b"x")
    with pytest.raises(DataError, match=r"a\.h5: cannot be read as HDF5: the library hangs or dies"):
        hdf5_files.survives(getattr(deadly, how), tmp_path / "a.h5")
    hdf5_files.survives(deadly.refuses, tmp_path / "a.h5")


def test_a_heap_without_end_is_no_hang(tmp_path, monkeypatch):
    """Catches HDF5's library at an object of no size in a heap: it looks for the next one where it is, for ever."""
    monkeypatch.setattr(hdf5_files, "SECONDS", 2)
    (tmp_path / "seeds").mkdir()
    content = bytearray(readers.fixation_files(tmp_path / "seeds", None)[0])
    heap = content.find(b"GCOL")
    content[heap + 24 : heap + 32] = bytes(8)
    (tmp_path / "fixations.hdf5").write_bytes(content)
    began = time.monotonic()
    with pytest.raises(DataError, match=r"fixations\.hdf5"):
        readers.read_pysaliency_fixations(tmp_path / "fixations.hdf5")
    assert time.monotonic() - began < 300


def stimuli_file(path, kind, **attributes):
    file = h5py.File(path, "w")
    file.attrs.update({"type": kind, "version": b"2.1", "__attributes__": b"[]", **attributes})
    return file


def file_stimuli(path, names, shapes):
    with stimuli_file(path, b"FileStimuli", size=len(names)) as file:
        fixed = any("\0" in name for name in names)
        listed = np.array([name.encode() for name in names], dtype="S20" if fixed else object)
        file.create_dataset("filenames", data=listed, dtype=None if fixed else h5py.string_dtype())
        made = file.create_dataset("shapes", (len(names),), dtype=h5py.vlen_dtype(np.dtype("float64")))
        for place, shape in enumerate(shapes):
            made[place] = np.array(shape, dtype=float)


def test_hdf5_files_that_claim_more_than_they_have_cost_nothing(tmp_path, frugal):
    """Catches names for millions of stimuli that are not there, and room for texts that were never written."""
    with stimuli_file(tmp_path / "many.hdf5", b"Stimuli", size=1 << 26) as file:
        file.create_dataset("0", data=readers.COLOUR)
    with stimuli_file(tmp_path / "texts.hdf5", b"FileStimuli", size=100_000) as file:
        file.create_dataset("filenames", (100_000,), dtype="S60000", chunks=(1000,))
    for name in ("many", "texts"):
        with pytest.raises(DataError, match=rf"{name}\.hdf5: .*(stimuli, but|claims 100,000 times)"):
            pysaliency_files._listing(tmp_path / f"{name}.hdf5")


@pytest.mark.parametrize("shape", [(np.nan, 4, 3), (np.inf, 4, 3), (), (-4, 4), (1e30, 1e30)])
def test_shapes_that_are_none_are_refused(tmp_path, shape):
    """Catches an OverflowError for a side that is no number."""
    file_stimuli(tmp_path / "stimuli.hdf5", ["a.png"], [shape])
    with pytest.raises(DataError, match=r"stimuli\.hdf5: "):
        pysaliency_files._listing(tmp_path / "stimuli.hdf5")


@pytest.mark.parametrize("link", ["external", "soft", "virtual", "raw"])
def test_pascal_s_reads_no_other_file(tmp_path, link):
    """Catches the content of a file that the sender may not read, taken for fixations."""
    (tmp_path / "secret").write_bytes(bytes(8 * 850))
    with h5py.File(tmp_path / "other.h5", "w") as file:
        file.create_dataset("fixCell", (1, 850), dtype=h5py.ref_dtype)
    with h5py.File(tmp_path / "a.mat", "w") as file:
        if link == "external":
            file["fixCell"] = h5py.ExternalLink("other.h5", "/fixCell")
        elif link == "soft":
            file["fixCell"] = h5py.SoftLink("/nowhere")
        elif link == "virtual":
            layout = h5py.VirtualLayout((1, 850), dtype="f8")
            layout[:] = h5py.VirtualSource(str(tmp_path / "other.h5"), "x", (1, 850), dtype="f8")
            file.create_virtual_dataset("fixCell", layout)
        else:
            whole = [(str(tmp_path / "secret"), 0, h5py.h5f.UNLIMITED)]
            file.create_dataset("fixCell", (1, 850), dtype="f8", external=whole)
    with pytest.raises(DataError, match=r"a\.mat: .*fixCell"):
        pascal_s.read_fixations(tmp_path / "a.mat", 0)


def test_names_of_viewers_are_short(tmp_path):
    """Catches memory of fixations times letters: NumPy gives every fixation as much room as the longest name takes."""
    long = "v" * (LONGEST_NAME + 1)
    (tmp_path / "a.csv").write_text(f"x,y,viewer\n1,2,{long}\n3,4,w\n")
    with pytest.raises(DataError, match=r"a\.csv: has a viewer whose name is longer"):
        read_fixations(tmp_path / "a.csv")
    images = [{"id": 1, "file_name": "a.jpg"}]
    record = {"id": 1, "image_id": 1, "worker_id": long, "fixations": [[1, 1]]}
    (tmp_path / "a.json").write_text(json.dumps({"images": images, "annotations": [record]}))
    with pytest.raises(DataError, match=r"a\.json: annotation 1: worker_id has 201 letters"):
        salicon.read_annotations(tmp_path / "a.json")


def test_a_run_that_claims_billions_of_rows_is_refused(tmp_path, monkeypatch):
    """Catches gigabytes made of a few kilobytes: repeated values are stored once."""
    readers.write_json(tmp_path / "run.json", readers.MANIFEST)
    names = ("stimulus", "nss", "cc", "error")
    pq.write_table(pa.table({name: pa.nulls(run_folder.MOST_ROWS + 1) for name in names}), tmp_path / "scores.parquet")
    assert (tmp_path / "scores.parquet").stat().st_size < MIB
    with pytest.raises(RunError, match=r"scores\.parquet: claims 10,000,001 rows"):
        _ = run_folder.Run(tmp_path).scores
    monkeypatch.setattr(run_folder, "MOST_JSON", 10)
    with pytest.raises(RunError, match=r"run\.json: has more than 10 bytes"):
        run_folder.open_run(tmp_path) if (tmp_path / "summary.json").touch() is None else None


def test_a_text_that_is_repeated_without_end_is_refused(tmp_path):
    """Catches gigabytes made of a few kilobytes: here 4 GB of errors, each of which is stored once."""
    readers.write_json(tmp_path / "run.json", readers.MANIFEST)
    count = 2_000_000
    text = pa.DictionaryArray.from_arrays(pa.array(np.zeros(count, np.int32)), pa.array(["x" * 2000]))
    number = pa.array(np.zeros(count))
    table = pa.table({"stimulus": text, "nss": number, "cc": number, "error": text})
    pq.write_table(table, tmp_path / "scores.parquet", compression="zstd")
    assert (tmp_path / "scores.parquet").stat().st_size < MIB
    with pytest.raises(RunError, match=r"scores\.parquet: holds 8,000,000,000 bytes of text"):
        _ = run_folder.Run(tmp_path).scores
    pq.write_table(table.append_column("more", text), tmp_path / "scores.parquet", compression="zstd")
    with pytest.raises(RunError, match=r"scores\.parquet: has a column 'more', which no run has"):
        _ = run_folder.Run(tmp_path).scores


@pytest.mark.parametrize(
    ("column", "values"),
    [
        ("nss", ["a", "b", "c"]),
        ("error", [0, 1, 2]),
        ("error", [None, "", ""]),
        ("stimulus", [1, 2, 3]),
        ("stimulus", [None, "a", "b"]),
    ],
)
def test_scores_of_another_type_are_refused(tmp_path, column, values):
    """Catches a ValueError in a command, or an error counted that is none."""
    readers.write_json(tmp_path / "run.json", readers.MANIFEST)
    columns = {"stimulus": ["a", "b", "c"], "nss": [0.1, 0.2, 0.3], "cc": [0.1, 0.2, 0.3], "error": [""] * 3}
    pd.DataFrame({**columns, column: values}).to_parquet(tmp_path / "scores.parquet")
    with pytest.raises(RunError, match=rf"scores\.parquet: column '{column}' holds"):
        _ = run_folder.Run(tmp_path).scores


# Names that lead elsewhere


@pytest.mark.parametrize("name", ["../outside", "a/../../outside", "/outside", "..", "a/.."])
def test_a_stimulus_is_not_called_by_a_way_out(tmp_path, name):
    """Catches maps and pictures written outside their folder under a stimulus's name."""

    def stimuli():
        return [Stimulus(name, readers.GREY.shape, lambda: readers.COLOUR)]

    with pytest.raises(DataError, match="would lead out of a folder"):
        score(Dataset("d", "D", {"all": stimuli}, "all"), model="centre", out=tmp_path / "run", save_maps=True)
    assert [path.name for path in tmp_path.iterdir() if path.name != "run"] == []


@pytest.mark.parametrize("name", ["a..b", "...", "a/b..c/d", "a:b", "~", "x y", "-rf", "con"])
def test_odd_names_are_no_way_out(name):
    """Catches names refused that stay where they are."""
    assert Stimulus(name, (1, 1), lambda: readers.COLOUR).id == name


def test_a_map_folder_gives_nothing_from_elsewhere(tmp_path):
    """Catches a map that is found by a path out of the folder."""
    (tmp_path / "maps").mkdir()
    for path in (tmp_path / "maps" / "a.png", tmp_path / "b.png"):
        path.write_bytes(readers.encoded(readers.GREY, "PNG"))
    maps = MapFolder(tmp_path / "maps")
    assert maps.has("a")
    for name in ("../b", str(tmp_path / "b"), "x/../a"):
        assert not maps.has(name)
        assert maps.file(name) is None


@pytest.mark.parametrize(
    "names",
    [["../../a.png", "b.png"], ["/etc/passwd", "b.png"], ["/", "b.png"], ["", "b.png"], ["a\0b.png", "b.png"], [".."]],
)
def test_pysaliencys_file_names_make_plain_stimulus_names(tmp_path, names):
    """Catches a stimulus called by the way to its file; such a file may lie anywhere, but its name leads nowhere."""
    file_stimuli(tmp_path / "stimuli.hdf5", names, [(13, 17, 3)] * len(names))
    try:
        listing = pysaliency_files._listing(tmp_path / "stimuli.hdf5")
    except DataError as error:
        assert "stimuli.hdf5: " in str(error)
    else:
        assert [Stimulus(name, (1, 1), lambda: readers.COLOUR).id for name in listing.names] == [*listing.names]


def test_names_that_clash_in_an_archive_are_refused(tmp_path):
    """Catches an OSError for a file and a folder of one name, a name twice, and one that no disk takes."""
    for name, members in {
        "folder": ["A", "A/x"],
        "long": ["A/" + "x" * 300],
        "two": ["A/x", "A/x"],
    }.items():
        with zipfile.ZipFile(tmp_path / f"{name}.zip", "w") as archive, pytest.warns() if name == "two" else quiet():
            for member in members:
                archive.writestr(member, "x")
        with pytest.raises(DataError, match=rf"{name}\.zip: cannot be unpacked"):
            unpack(tmp_path / f"{name}.zip", tmp_path / name, ["A"], Silent())
        assert not [path for path in (tmp_path / name).rglob("*") if path.is_file()]


class quiet:  # noqa: N801 - stands beside pytest.warns
    def __enter__(self):
        return self

    def __exit__(self, *_):
        return False


# Names that mean something


@pytest.mark.parametrize(
    "text",
    ["=cmd|' /C calc'!A0", "@SUM(1)", "+1", "-1", "\t=1", "\r=1", "\n=1", "\tx", "\rx", "\u200b=1", "\ufeff=1", "\0=1"],
)
def test_texts_are_no_formulas(text):
    """Catches a cell that a spreadsheet computes, also behind what it drops or cannot print."""
    assert safe_text(text) == f"'{text}"


@pytest.mark.parametrize("text", ["a=1", "SalGAN", "", "'=1", "x\ty", "1-2", "é"])
def test_other_texts_stay(text):
    """Catches an apostrophe in front of every name."""
    assert safe_text(text) == text


def test_the_table_of_curves_holds_no_formulas(tmp_path):
    """Catches a training, or a column of an epochs.csv from elsewhere, that is a formula in the numbers of Figure 3."""
    epoch = TrainedEpoch(epoch=1, phase="content", metrics={"=1+1": 0.5}, checkpoint=None, generator_steps=None)
    write_curve_table(tmp_path / "a.csv", {"@SUM(A1)": [epoch]})
    header, row = (tmp_path / "a.csv").read_text().splitlines()
    assert header.endswith(",'=1+1")
    assert row.startswith("'@SUM(A1),1,content")


NASTY = [
    "<script>alert(1)</script>",
    "</script><img src=x onerror=y>",
    r"\input{/etc/passwd}",
    "=cmd()",
    "\"' onload='x",
]


@pytest.fixture
def nasty_entries(tmp_path):
    """A board whose every text is one of those names."""
    (tmp_path / "board").mkdir()
    for number, name in enumerate(NASTY):
        run = json.loads(json.dumps(readers.MANIFEST))
        for part in ("model", "dataset"):
            run[part] |= {"title": name, "key": f"{name}{number}"}
        run["protocol"]["label"] = run["dataset"]["split"] = run["command"] = name
        entry = {"format": 1, "run": run, "summary": readers.SUMMARY}
        readers.write_json(tmp_path / "board" / f"{number}.json", entry)
    return tmp_path / "board"


@pytest.mark.parametrize("form", ["html", "site"])
def test_names_are_text_on_pages(nasty_entries, tmp_path, form):
    """Catches a name that becomes an element or an attribute, without a browser to tell."""
    if form == "site":
        write_site(tmp_path / "site.html", [nasty_entries])
        page = (tmp_path / "site.html").read_text()
    else:
        page = render(make_table(sorted(nasty_entries.iterdir())), "html")
    assert "alert(1)" in page
    assert "<script>alert" not in page
    assert "<img" not in page
    assert "' onload='x" not in page
    assert '" onload=' not in page


def test_names_are_text_in_latex_and_csv(nasty_entries):
    """Catches a name that reads a file when the table is set, or computes when it is opened."""
    table = make_table(sorted(nasty_entries.iterdir()))
    latex = render(table, "latex")
    assert r"\input{/etc/passwd}" not in latex
    assert "etc/passwd" in latex
    cells = [cell for line in render(table, "csv").splitlines() for cell in line.split(",")]
    assert not [cell for cell in cells if cell.lstrip('"').startswith(("=", "@", "+"))]
