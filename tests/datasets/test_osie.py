"""OSIE: index bases, coordinate orders, the fixed split, the rule for mouse samples."""

import hashlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from scipy.io import savemat

from salbench.datasets.osie import read_mouse_samples, split_names
from salbench.datasets.registry import open_dataset
from salbench.errors import DataError

WIDTH, HEIGHT = 40, 30


def eye_cell(x: list[float], y: list[float], dtype: type = np.float64) -> np.ndarray:
    cell = np.empty((1, 1), dtype=[("fix_x", object), ("fix_y", object), ("fix_duration", object)])
    cell[0, 0] = (np.array([x], dtype=dtype), np.array([y], dtype=dtype), np.array([[200] * len(x)], dtype=np.uint8))
    return cell


def eye_record(name: str, cells: list[np.ndarray]) -> np.ndarray:
    subjects = np.empty((len(cells), 1), dtype=object)
    for number, cell in enumerate(cells):
        subjects[number, 0] = cell
    record = np.empty((1, 1), dtype=[("img", object), ("subjects", object)])
    record[0, 0] = (np.array([name]), subjects)
    return record


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The published layout with one image, two viewers, and two mouse participants."""
    data = tmp_path / "data"
    for part in ("stimuli", "eye", "mouse_amt"):
        (data / part).mkdir(parents=True)
    Image.new("RGB", (WIDTH, HEIGHT)).save(data / "stimuli" / "1001.jpg")
    records = np.empty((1, 1), dtype=object)
    records[0, 0] = eye_record("1001.jpg", [eye_cell([1.2, 40.4], [1.0, 30.4]), eye_cell([255], [2], np.uint8)])
    savemat(data / "eye" / "fixations.mat", {"fixations": records})
    samples = {
        "subj": np.array([[2], [1], [1], [1], [2]]),
        "coord": np.array([[30, 40], [1, 1], [1, 25], [2, 30], [1, 1]], dtype=np.uint16),
        "order": np.array([[1], [1], [2], [3], [2]], dtype=np.uint8),
    }
    savemat(data / "mouse_amt" / "1001.mat", {"fixations": samples})
    return tmp_path


def test_eye_positions_are_one_based_x_y_and_viewers_are_kept_apart(folder):
    stimulus = open_dataset("osie-eye", folder).stimuli("all")[0]
    assert stimulus.id == "1001"
    assert stimulus.size == (HEIGHT, WIDTH)
    viewers = stimulus.recorded_fixations().by_viewer()
    assert list(viewers) == ["1", "2"]
    assert np.argwhere(stimulus.fixation_map()).tolist() == [[0, 0], [29, 39]]


def test_small_integer_cells_do_not_wrap(folder):
    stimulus = open_dataset("osie-eye", folder).stimuli("all")[0]
    assert stimulus.recorded_fixations().by_viewer()["2"].x.tolist() == [254.0]


def test_mouse_samples_are_one_based_row_column_and_count_only_after_the_cursor_has_moved(folder):
    samples = read_mouse_samples(folder / "data" / "mouse_amt" / "1001.mat")
    # Participant 1 starts at (1, 1): 24 px away is still, 29 px is not. Participant 2 moves at once.
    assert {name: list(zip(part.x, part.y, strict=True)) for name, part in samples.by_viewer().items()} == {
        "1": [(29.0, 1.0)],
        "2": [(0.0, 0.0)],
    }


def test_a_participant_who_never_moves_leaves_nothing(tmp_path):
    samples = {"subj": np.ones((2, 1)), "coord": np.ones((2, 2)), "order": np.array([[1], [2]])}
    savemat(tmp_path / "a.mat", {"fixations": samples})
    assert len(read_mouse_samples(tmp_path / "a.mat")) == 0


def test_the_split_follows_the_hash_of_the_file_name():
    names = [f"{1001 + i}.jpg" for i in range(700)]
    splits = split_names(names)
    assert [len(splits[name]) for name in ("train", "val", "test", "all")] == [350, 50, 300, 700]
    digests = [hashlib.sha256(name.encode()).hexdigest() for part in ("train", "val", "test") for name in splits[part]]
    assert digests == sorted(digests)


def test_the_folder_data_itself_is_accepted_too(folder):
    assert open_dataset("osie-eye", folder / "data").stimuli("all")[0].size == (HEIGHT, WIDTH)


def test_a_folder_without_osie_names_what_is_wanted(tmp_path):
    with pytest.raises(DataError, match="data/stimuli and data/eye"):
        open_dataset("osie-eye", tmp_path)


@pytest.mark.parametrize("dataset", ["osie-eye", "osie-mouse-amt"])
def test_a_damaged_file_is_named(folder, dataset):
    damaged = folder / "data" / ("eye/fixations.mat" if dataset == "osie-eye" else "mouse_amt/1001.mat")
    damaged.write_bytes(damaged.read_bytes()[:150])
    with pytest.raises(DataError, match=damaged.name):
        open_dataset(dataset, folder).stimuli("all")[0].fixations()


def test_salbench_home_is_where_data_is_looked_for(folder, monkeypatch, tmp_path):
    home = tmp_path / "home" / "datasets"
    home.mkdir(parents=True)
    (home / "osie").symlink_to(folder)
    monkeypatch.setenv("SALBENCH_HOME", str(home.parent))
    assert open_dataset("osie-eye").stimuli("all")[0].size == (HEIGHT, WIDTH)


def test_a_missing_image_does_not_shift_the_split_and_is_named(folder):
    """Catches a split cut from the files that happen to lie there: test images would leak into the training."""
    dataset = open_dataset("osie-eye", folder)
    assert [len(dataset.stimuli(split)) for split in ("train", "val", "test")] == [350, 50, 300]
    with pytest.raises(DataError, match=r"1002\.jpg: no such file"):
        dataset.stimuli("all")[1].fixations()


@pytest.mark.parametrize(
    "changes", [{"coord": np.ones((2, 2))}, {"order": np.ones((4, 1))}, {"coord": np.ones((5, 1))}, {"subj": "text"}]
)
def test_mouse_samples_that_do_not_fit_together_are_refused(tmp_path, changes):
    samples = {"subj": np.ones((5, 1)), "coord": np.ones((5, 2)), "order": np.ones((5, 1))} | changes
    savemat(tmp_path / "a.mat", {"fixations": samples})
    with pytest.raises(DataError, match=r"a\.mat"):
        read_mouse_samples(tmp_path / "a.mat")


@pytest.mark.data
def test_the_real_eye_fixations_have_the_published_counts(salbench_data):
    stimuli = open_dataset("osie-eye", salbench_data / "datasets" / "osie").stimuli("all")
    fixations = [stimulus.recorded_fixations() for stimulus in stimuli]
    assert sum(len(part) for part in fixations) == 98_321
    assert {len(part.by_viewer()) for part in fixations} == {15}
    shared = sum(len(s.fixations()) - int(s.fixation_map().sum()) for s in stimuli)
    # FORMAT.md: 406 fixations share a rounded pixel with another one of their image, and all lie inside the frame.
    assert sum(len(s.fixations()) for s in stimuli) == 98_321
    assert 203 <= shared <= 406


@pytest.mark.data
def test_the_real_test_split_has_300_images(salbench_data):
    assert len(open_dataset("osie-eye", salbench_data / "datasets" / "osie").stimuli("test")) == 300


@pytest.mark.data
def test_real_mouse_and_eye_positions_agree_only_in_the_right_coordinate_order(salbench_data):
    """Catches a swap of rows and columns: looked-at places of the two recordings must overlap."""
    folder = salbench_data / "datasets" / "osie"
    eye, mouse = (open_dataset(name, folder).stimuli("val")[:10] for name in ("osie-eye", "osie-mouse-lab"))
    right, wrong = [], []
    for seen, moved in zip(eye, mouse, strict=True):
        a, b = (
            np.histogram2d(f.y / 600, f.x / 800, bins=8, range=[[0, 1], [0, 1]])[0]
            for f in (seen.fixations(), moved.fixations())
        )
        right.append(np.corrcoef(a.ravel(), b.ravel())[0, 1])
        wrong.append(np.corrcoef(a.ravel(), b.T.ravel())[0, 1])
    assert np.mean(right) > 0.6
    assert np.mean(right) > np.mean(wrong) + 0.3
