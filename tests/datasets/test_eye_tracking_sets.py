"""Every loader of a public data set: the real layout, written here with known points, and the points found in place.

Images have several sizes and none is square, so that x and y, or 0 and 1, cannot be exchanged without notice.
"""

import hashlib

import h5py
import numpy as np
import pytest
import scipy.io
from PIL import Image

from salbench.datasets.registry import DATASETS, open_dataset
from salbench.datasets.splits import held_out
from salbench.errors import DataError

SIZES = ((40, 60), (50, 30))
"""(height, width), in turn."""


def picture(path, size, **options):
    path.parent.mkdir(parents=True, exist_ok=True)
    height, width = size
    ramp = np.add.outer(np.arange(height), np.arange(width)) % 256
    Image.fromarray(np.stack([ramp] * 3, axis=-1).astype(np.uint8)).save(path, **options)


def mat(path, content):
    path.parent.mkdir(parents=True, exist_ok=True)
    scipy.io.savemat(path, content)


def pixels(stimulus):
    """The fixated pixels as sorted (row, column)."""
    return sorted(map(tuple, stimulus.fixations().positions.tolist()))


def struct(**members):
    """A MATLAB struct of one element."""
    made = np.empty((1, 1), dtype=[(name, object) for name in members])
    for name, value in members.items():
        made[0, 0][name] = value
    return made


def structs(*elements):
    """A MATLAB struct array of one row."""
    made = np.empty((1, len(elements)), dtype=[(name, object) for name in elements[0]])
    for place, element in enumerate(elements):
        for name, value in element.items():
            made[0, place][name] = value
    return made


# SALICON


@pytest.fixture
def salicon(tmp_path):
    for place, split in enumerate(("train", "val", "test")):
        picture(tmp_path / "images" / split / f"COCO_{split}2014_000000000001.jpg", SIZES[place % 2])
    workers = [
        {"location": np.array([[1, 1], [60, 40], [61, 40]]), "fixations": np.array([[3, 2]]), "timestamp": [[1, 2, 3]]},
        {"location": np.array([[5, 7]]), "fixations": np.array([[60, 1], [1, 40]]), "timestamp": [[9]]},
        {"location": np.zeros((0, 0)), "fixations": np.zeros((0, 0)), "timestamp": []},
    ]
    for split in ("train", "val"):
        mat(tmp_path / split / f"COCO_{split}2014_000000000001.mat", {"gaze": structs(*workers)})
    return tmp_path


@pytest.mark.parametrize("edition", ["2015", "2017"])
def test_salicon_counts_x_and_y_from_one(salicon, edition):
    """Catches rows for columns, a base of 0, mouse positions for fixations, and positions outside that are kept."""
    (stimulus,) = open_dataset(f"salicon{edition}-fixations", salicon).stimuli("train")
    assert stimulus.id == "COCO_train2014_000000000001"
    assert pixels(stimulus) == [(0, 59), (1, 2), (39, 0)]
    assert list(stimulus.fixations().by_viewer()) == ["0", "1"]
    (stimulus,) = open_dataset(f"salicon{edition}-mouse", salicon).stimuli("train")
    assert pixels(stimulus) == [(0, 0), (6, 4), (39, 59)]
    assert len(stimulus.recorded_fixations()) == 4


def test_salicons_test_split_has_images_only_and_its_own_maps_count(salicon):
    """Catches a test split that asks for fixations nobody has, and continuous maps that lie there and are not used."""
    opened = open_dataset("salicon2015-fixations", salicon)
    (test,) = opened.stimuli("test")
    assert (test.size, len(test.fixations()), test.map_source) == (SIZES[0], 0, None)
    (tmp := salicon / "maps" / "val").mkdir(parents=True)
    Image.fromarray(np.full(SIZES[1], 7, dtype=np.uint8)).save(tmp / "COCO_val2014_000000000001.png")
    (val,) = opened.stimuli("val")
    assert val.map_source().tolist() == np.full(SIZES[1], 7).tolist()


# MIT1003


def gaze(*places):
    """A trace of 240 samples a second that rests at each of these (x, y) and jumps to the next."""
    parts = []
    for here, following in zip(places, [*places[1:], None], strict=True):
        parts.append(np.tile(np.array(here, dtype=float), (60, 1)))
        if following is not None:
            way = np.linspace(0, 1, 8)[1:-1, None]
            way = way * way * (3 - 2 * way)
            parts.append(np.array(here) + way * (np.array(following) - np.array(here)))
    return np.concatenate(parts)


LONG = "istatic_outdoor_street_with_a_name_of_more_than_sixty_three_letters_in_it"


@pytest.fixture
def mit1003(tmp_path):
    size = (400, 600)
    for name in ("i05june05", LONG):
        picture(tmp_path / "ALLSTIMULI" / f"{name}.jpeg", size)
    traces = {
        "ajs": gaze((300.2, 200.7), (1.0, 1.9), (600.9, 400.0), (-30.0, 50.0), (250.5, 1.0)),
        "zb": gaze((300.0, 200.0), (100.4, 300.6)),
    }
    for viewer, trace in traces.items():
        for name in ("i05june05", LONG):
            content = {name[:63]: struct(DATA=struct(eyeData=trace), imgName=f"{name}.jpeg")}
            (tmp_path / "DATA" / viewer).mkdir(parents=True, exist_ok=True)
            scipy.io.savemat(tmp_path / "DATA" / viewer / f"{name}.mat", content, long_field_names=True)
    return tmp_path


def test_mit1003_finds_fixations_and_leaves_the_cross_out(mit1003):
    """Catches the first fixation kept, MATLAB's pixels taken for 0-based ones, blinks inside, x and y exchanged."""
    stimulus = next(one for one in open_dataset("mit1003", mit1003).stimuli("all") if one.id == "i05june05")
    # MATLAB's pixel of (x, y) is column floor(x), row floor(y), from 1: (1, 1.9) is (0, 0) here.
    assert pixels(stimulus) == [(0, 0), (0, 249), (299, 99), (399, 599)]
    assert list(stimulus.fixations().by_viewer()) == ["ajs", "zb"]


def test_mit1003s_first_fixations_count_where_they_are_asked_for(mit1003):
    """Catches a first fixation that is lost in the reading, where no rule can bring it back."""
    kept = open_dataset("mit1003", mit1003).with_rules(first="kept")
    stimulus = next(one for one in kept.stimuli("all") if one.id == "i05june05")
    # The cross: (300.2, 200.7) and (300, 200) are both MATLAB's pixel of column 300, row 200.
    assert pixels(stimulus) == [(0, 0), (0, 249), (199, 299), (199, 299), (299, 99), (399, 599)]


def test_mit1003_takes_structs_whose_names_matlab_cut(mit1003):
    """Catches a search for the struct by the image's whole name, of which MATLAB keeps 63 letters."""
    stimulus = next(one for one in open_dataset("mit1003", mit1003).stimuli("all") if one.id == LONG)
    assert len(stimulus.fixations()) == 4


def test_mit1003_without_traces_reads_the_pictures(tmp_path):
    """Catches compression's grey taken for fixations, and a continuous map taken for a picture of fixations."""
    size = (240, 160)
    points = np.zeros(size, dtype=np.uint8)
    points[[3, 120, 239], [7, 80, 159]] = 255
    picture(tmp_path / "ALLSTIMULI" / "a.jpeg", size)
    picture(tmp_path / "ALLSTIMULI" / "b.jpeg", size)
    (tmp_path / "ALLFIXATIONMAPS").mkdir()
    Image.fromarray(points).save(tmp_path / "ALLFIXATIONMAPS" / "a_fixPts.jpg", quality=95)
    Image.fromarray(np.full(size, 200, dtype=np.uint8)).save(tmp_path / "ALLFIXATIONMAPS" / "b_fixPts.jpg")
    good, bad = sorted(open_dataset("mit1003", tmp_path).stimuli("all"), key=lambda one: one.id)
    assert pixels(good) == [(3, 7), (120, 80), (239, 159)]
    with pytest.raises(DataError, match="no picture of fixations"):
        bad.fixations()


# MIT300, CAT2000, Toronto


def test_mit300_is_in_natural_order_and_tells_of_missing_images(tmp_path):
    """Catches i10 before i2, and a missing image that shifts all that follow."""
    for number in (1, 2, 10):
        picture(tmp_path / "BenchmarkIMAGES" / f"i{number}.jpg", SIZES[number % 2])
    stimuli = open_dataset("mit300", tmp_path).stimuli()
    assert [one.id for one in stimuli] == [f"i{number}" for number in range(1, 301)]
    assert (stimuli[0].size, stimuli[9].size) == (SIZES[1], SIZES[0])
    with pytest.raises(DataError, match=r"i3\.jpg"):
        stimuli[2].image()


@pytest.fixture
def cat2000(tmp_path):
    for part in ("trainSet", "testSet"):
        for category in ("Action", "Pattern"):
            for number in ("001", "134"):
                picture(tmp_path / part / "Stimuli" / category / f"{number}.jpg", SIZES[0])
            picture(tmp_path / part / "Stimuli" / category / "Output" / "001_SaliencyMap.jpg", SIZES[1])
    for category in ("Action", "Pattern"):
        for number in ("001", "134"):
            locations = np.zeros(SIZES[0], dtype=np.uint8)
            locations[2, 59] = locations[39, 0] = 1
            mat(tmp_path / "trainSet" / "FIXATIONLOCS" / category / f"{number}.mat", {"fixLocs": locations})
    return tmp_path


def test_cat2000_sorts_by_category_and_passes_output_over(cat2000):
    """Catches maps in Output taken for stimuli, transposed locations, and a category that is lost."""
    opened = open_dataset("cat2000-train", cat2000)
    stimuli = opened.stimuli("all")
    assert [one.id for one in stimuli] == ["Action/001", "Action/134", "Pattern/001", "Pattern/134"]
    assert [one.category for one in stimuli] == ["Action", "Action", "Pattern", "Pattern"]
    assert pixels(stimuli[0]) == [(2, 59), (39, 0)]
    assert [one.id for one in opened.stimuli("Pattern")] == ["Pattern/001", "Pattern/134"]


def test_cat2000s_image_with_a_wrong_orientation_is_not_turned(cat2000):
    """Catches Pattern/134 turned by the orientation that it wrongly claims; others are turned by theirs."""
    exif = Image.Exif()
    exif[0x0112] = 6
    for category in ("Action", "Pattern"):
        picture(cat2000 / "testSet" / "Stimuli" / category / "134.jpg", SIZES[0], exif=exif)
    by_id = {one.id: one for one in open_dataset("cat2000-test", cat2000).stimuli()}
    assert by_id["Pattern/134"].size == SIZES[0] == by_id["Pattern/134"].image().shape[:2]
    assert by_id["Action/134"].size == SIZES[0][::-1] == by_id["Action/134"].image().shape[:2]
    assert len(by_id["Pattern/134"].fixations()) == 0


def test_toronto_takes_its_cells_by_number(tmp_path):
    """Catches images in the order 1, 10, 100, and cells that are transposed."""
    root = tmp_path / "eyetrackingdata" / "fixdens"
    cells = np.empty((1, 120), dtype=object)
    for number in range(120):
        cell = np.zeros(SIZES[0], dtype=np.uint8)
        cell[number % 40, 59] = 1
        cells[0, number] = cell
        if number in (0, 1, 9):
            picture(root / "Original Image Set" / f"{number + 1}.jpg", SIZES[0])
    mat(root / "origfixdata.mat", {"white": cells})
    stimuli = open_dataset("toronto", tmp_path).stimuli("all")
    assert [one.id for one in stimuli[:3]] == ["1", "2", "3"]
    assert [pixels(stimuli[place]) for place in (0, 1, 9)] == [[(0, 59)], [(1, 59)], [(9, 59)]]
    assert len(open_dataset("toronto", tmp_path).stimuli("held-out-40")) == 48


# PASCAL-S, DUT-OMRON, FIGRIM


def test_pascal_s_counts_y_x_and_viewer_from_one(tmp_path):
    """Catches x for y: the file's first row is y."""
    picture(tmp_path / "datasets" / "imgs" / "pascal" / "1.jpg", SIZES[0])
    picture(tmp_path / "datasets" / "imgs" / "pascal" / "2.jpg", SIZES[1])
    (tmp_path / "datasets" / "fixations").mkdir()
    with h5py.File(tmp_path / "datasets" / "fixations" / "pascalFix.mat", "w") as file:
        cells = file.create_dataset("fixCell", (1, 850), dtype=h5py.ref_dtype)
        for place in range(850):
            rows = [[1, 40], [60, 1], [1, 2]] if place == 0 else [[place % 50 + 1], [30], [3]]
            cells[0, place] = file.create_dataset(f"c{place}", data=np.array(rows, dtype=float)).ref
    stimuli = open_dataset("pascal-s", tmp_path).stimuli("all")
    assert pixels(stimuli[0]) == [(0, 59), (39, 0)]
    assert pixels(stimuli[1]) == [(1, 29)]
    assert list(stimuli[0].fixations().by_viewer()) == ["1", "2"]


def test_dut_omron_counts_from_zero_and_leaves_the_size_out(tmp_path):
    """Catches the row of viewer 0, which is the image's size, taken for a fixation."""
    picture(tmp_path / "DUT-OMRON-image" / "DUT-OMRON-image" / "im005.jpg", SIZES[1])
    rows = np.array([[30, 50, 0], [0, 0, 1], [29, 49, 1], [29, 0, 5], [30, 0, 5]])
    mat(tmp_path / "DUT-OMRON-eye-fixations" / "mat" / "im005.mat", {"s": rows})
    (stimulus,) = open_dataset("dut-omron", tmp_path).stimuli("all")
    assert pixels(stimulus) == [(0, 0), (0, 29), (49, 29)]
    assert list(stimulus.fixations().by_viewer()) == ["1", "5"]


def test_figrim_counts_first_looks_only(tmp_path):
    """Catches later looks at a scene that was known by then, and viewers who never saw it."""
    for part, category, name in (("Targets", "bridge", "a"), ("Fillers", "castle", "b")):
        picture(tmp_path / part / category / f"{name}.jpg", SIZES[0])
    looks = struct(enc=np.array([[0.0, 0.0], [59.0, 39.0]]), rec=np.array([[5.0, 5.0]]), rec2=np.zeros((0, 0)))
    others = struct(enc=np.array([[10.0, 20.0]]), rec=np.zeros((0, 0)), rec2=np.zeros((0, 0)))
    users = structs(
        {"trial": 3, "fixations": looks},
        {"trial": np.zeros((0, 0)), "fixations": []},
        {"trial": 9, "fixations": others},
    )
    for file, name in (("allImages_release.mat", "a"), ("allImages_fillers.mat", "b")):
        mat(tmp_path / file, {"allImages": structs({"filename": f"{name}.jpg", "category": "x", "userdata": users})})
    opened = open_dataset("figrim", tmp_path)
    (target,) = opened.stimuli("targets")
    assert (target.id, target.category) == ("Targets/bridge/a", "bridge")
    assert pixels(target) == [(0, 0), (20, 10), (39, 59)]
    assert list(target.fixations().by_viewer()) == ["0", "2"]
    assert [one.id for one in opened.stimuli("fillers")] == ["Fillers/castle/b"]


# All


SETS = [key for key in DATASETS if key not in ("synthetic",)]


@pytest.mark.parametrize("key", SETS)
def test_a_folder_without_the_set_says_what_is_wanted(key, tmp_path):
    """Catches a traceback, or an empty data set, for a mistyped folder."""
    with pytest.raises(DataError, match=r"wanted: |--data"):
        open_dataset(key, tmp_path).stimuli()


@pytest.mark.parametrize("content", [b"", b"MATLAB 5.0 MAT-file and nothing more", b"\x89HDF\r\n\x1a\n" + bytes(600)])
def test_damaged_recordings_cost_their_own_stimulus(salicon, content):
    """Catches a damaged file that ends the listing, or raises something that no row can tell."""
    (salicon / "val" / "COCO_val2014_000000000001.mat").write_bytes(content)
    (stimulus,) = open_dataset("salicon2017-mouse", salicon).stimuli("val")
    with pytest.raises(DataError, match="cannot be read as SALICON's gaze"):
        stimulus.fixations()


def test_the_held_out_split_is_the_end_of_the_order_by_digest():
    """Catches a split that depends on the order of files: worked out again, from the rule as it is written."""
    ids = [f"c/{number:03}" for number in range(700)]
    name, kept = held_out(ids)
    digests = {one: hashlib.sha256(one.encode()).hexdigest() for one in ids}
    assert (name, len(kept)) == ("mit300-style", 300)
    assert min(digests[one] for one in kept) > max(digests[one] for one in set(ids) - set(kept))
    assert held_out(ids[::-1]) == (name, kept)
    assert [held_out(ids[:count])[0] for count in (599, 600)] == ["held-out-40", "mit300-style"]
    assert len(held_out(ids[:120])[1]) == 48
