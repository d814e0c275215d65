"""SALICON's JSON: index base, coordinate order, workers, result files beside it, hostile content."""

import json
import pickle
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from salbench.datasets.registry import open_dataset
from salbench.errors import DataError, UsageError

WIDTH, HEIGHT = 40, 30
NAMES = {7: "COCO_train2014_000000000007", 8: "COCO_train2014_000000000008"}


def content() -> dict:
    """Two images of which the first has two workers."""
    return {
        "info": {},
        "images": [
            {"id": number, "file_name": f"{name}.jpg", "height": HEIGHT, "width": WIDTH}
            for number, name in NAMES.items()
        ],
        "annotations": [
            {"id": 1, "image_id": 7, "worker_id": 5, "fixations": [[1, 1], [30, 40]]},
            {"id": 2, "image_id": 8, "worker_id": 5, "fixations": []},
            {"id": 3, "image_id": 7, "worker_id": 9, "fixations": [[2, 3], [0, 1], [31, 1], [1, 1]]},
        ],
        "type": "fixations",
    }


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "images" / "train").mkdir(parents=True)
    for name in NAMES.values():
        Image.new("RGB", (WIDTH, HEIGHT)).save(tmp_path / "images" / "train" / f"{name}.jpg")
    write(tmp_path, content())
    return tmp_path


def write(folder: Path, what, name: str = "fixations_train2014.json") -> None:
    (folder / name).write_text(what if isinstance(what, str) else json.dumps(what))


def test_positions_are_one_based_row_column_and_workers_are_kept_apart(folder):
    first, second = open_dataset("salicon2015", folder).stimuli("train")
    assert (first.id, second.id) == tuple(NAMES.values())
    assert first.size == (HEIGHT, WIDTH)
    viewers = first.recorded_fixations().by_viewer()
    assert list(viewers) == ["5", "9"]
    assert viewers["5"].positions.tolist() == [[0, 0], [29, 39]]
    assert viewers["9"].positions.tolist() == [[1, 2], [-1, 0], [30, 0], [0, 0]]
    assert len(second.recorded_fixations()) == 0


def test_positions_outside_are_dropped_and_repeats_are_kept(folder):
    first = open_dataset("salicon2015", folder).stimuli("train")[0]
    assert first.fixations().positions.tolist() == [[0, 0], [29, 39], [1, 2], [0, 0]]


def test_stimuli_travel_to_workers(folder):
    first = pickle.loads(pickle.dumps(open_dataset("salicon2015", folder).stimuli("train")))[0]
    assert len(first.fixations()) == 4


def test_images_may_lie_in_one_folder(folder):
    for path in (folder / "images" / "train").iterdir():
        path.rename(folder / "images" / path.name)
    assert open_dataset("salicon2015", folder).stimuli("train")[0].image().shape == (HEIGHT, WIDTH, 3)


def test_result_files_beside_the_annotations_are_passed_over(folder):
    write(folder, [{"image_id": 7, "saliency_map": ""}], "fixations_train2014_fake_results.json")
    assert len(open_dataset("salicon2015", folder).stimuli("train")) == 2


def test_two_annotation_files_of_a_split_are_refused(folder):
    write(folder, content(), "fixations_train2014examples.json")
    with pytest.raises(DataError, match=r"fixations_train2014\.json and fixations_train2014examples\.json"):
        open_dataset("salicon2015", folder).stimuli("train")


def test_a_split_that_is_not_there_says_which_file_is_wanted(folder):
    dataset = open_dataset("salicon2015", folder)
    with pytest.raises(DataError, match=r"split val; wanted: .*fixations_val2014"):
        dataset.stimuli("val")
    with pytest.raises(UsageError, match="train, val"):
        dataset.stimuli("test")


def test_a_folder_without_annotations_says_what_is_wanted(tmp_path):
    with pytest.raises(DataError, match="fixations_train2014"):
        open_dataset("salicon2015", tmp_path)


def test_an_image_that_is_missing_or_of_another_size_costs_only_its_own_row(folder):
    images = folder / "images" / "train"
    (images / f"{NAMES[7]}.jpg").unlink()
    Image.new("RGB", (HEIGHT, WIDTH)).save(images / f"{NAMES[8]}.jpg")
    missing, turned = open_dataset("salicon2015", folder).stimuli("train")
    with pytest.raises(DataError, match=f"{NAMES[7]}.jpg: no such file"):
        missing.fixations()
    with pytest.raises(DataError, match=r"is \(40, 30\).*wanted: \(30, 40\)"):
        turned.fixations()


def changed(part: str, index: int, **values) -> dict:
    whole = content()
    whole[part][index] |= values
    return whole


HOSTILE = {
    "no JSON": ("{", "cannot be read as JSON"),
    "not UTF-8": ("\udcff", "cannot be read as JSON"),
    "deep nesting": ("[" * 200_000, "cannot be read as JSON"),
    "a number": ("3", "wanted"),
    "no images": ({"annotations": []}, "wanted"),
    "images no list": ({"annotations": [], "images": {}}, "wanted"),
    "image no object": ({"annotations": [], "images": [3]}, r"images\[0\]"),
    "image id text": (changed("images", 1, id="8"), r"images\[1\]"),
    "path as name": (changed("images", 1, file_name="../../etc/passwd.jpg"), r"images\[1\]: file_name"),
    "backslash in name": (changed("images", 0, file_name="a\\b.jpg"), r"images\[0\]: file_name"),
    "empty name": (changed("images", 0, file_name=""), r"images\[0\]: file_name"),
    "null byte in name": (changed("images", 0, file_name="a\0.jpg"), r"images\[0\]: file_name"),
    "size text": (changed("images", 0, height="30"), r"images\[0\]: height"),
    "image twice": (changed("images", 1, id=7), "image id 7 occurs"),
    "name twice": (changed("images", 1, file_name=f"{NAMES[7]}.png"), "image name"),
    "annotation no object": ({"images": [], "annotations": [3]}, r"annotations\[0\]"),
    "annotation without fixations": ({"images": [], "annotations": [{"id": 1}]}, r"annotations\[0\]"),
    "unknown image": (changed("annotations", 1, image_id=9), "annotation 2: image_id '9'"),
    "image id a list": (changed("annotations", 1, image_id=[7]), "annotation 2: image_id"),
    "image id true": (changed("annotations", 1, image_id=True), "annotation 2: image_id"),
    "worker an object": (changed("annotations", 1, worker_id={}), "annotation 2: worker_id"),
    "fixations no list": (changed("annotations", 2, fixations="abc"), "annotation 3: fixations"),
    "fixations null": (changed("annotations", 2, fixations=None), "annotation 3: fixations"),
    "triples": (changed("annotations", 2, fixations=[[1, 2, 3]]), "annotation 3: fixations"),
    "ragged": (changed("annotations", 2, fixations=[[1, 2], [3]]), "annotation 3: fixations"),
    "text": (changed("annotations", 2, fixations=[["1", "2"]]), "annotation 3: fixations"),
    "the draft of April": (changed("annotations", 2, fixations=[[1.5, 2.0]]), "annotation 3: fixations"),
    "beyond 16 bits": (changed("annotations", 2, fixations=[[1, 40_000]]), "annotation 3: fixations"),
    "beyond 64 bits": (changed("annotations", 2, fixations=[[1, 10**30]]), "annotation 3: fixations"),
    "lowest of 64 bits": (changed("annotations", 2, fixations=[[1, -(2**63)]]), "annotation 3: fixations"),
    "whole list an annotation": ({"fixations": []}, "wanted"),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_json_is_refused_with_file_and_place(folder, name):
    what, message = HOSTILE[name]
    path = folder / "fixations_train2014.json"
    text = what if isinstance(what, str) else json.dumps(what)
    path.write_bytes(text.encode("utf-8", "surrogateescape"))
    with pytest.raises(DataError, match=message) as caught:
        open_dataset("salicon2015", folder).stimuli("train")
    assert str(path) in str(caught.value)


@pytest.mark.data
def test_the_real_sample_has_the_published_counts(salbench_data):
    stimuli = open_dataset("salicon2015", salbench_data / "datasets" / "salicon-sample").stimuli("train")
    fixations = [stimulus.fixations() for stimulus in stimuli]
    assert {stimulus.size for stimulus in stimuli} == {(480, 640)}
    assert sum(map(len, fixations)) == 73_630
    assert len(np.unique(np.concatenate([part.viewer for part in fixations]))) == 395
    assert all(55 <= len(part.by_viewer()) <= 67 for part in fixations)
