"""Parity with the SALICON challenge's evaluation, on the values that its own code gave."""

import numpy as np
import pytest
from PIL import Image
from pytest import approx

from salbench.datasets.registry import open_dataset
from salbench.datasets.salicon import read_annotations
from salbench.protocols import salicon2015 as protocol
from salbench.result_file import ResultFile
from salbench.scoring.runner import score

pytestmark = pytest.mark.data

TOLERANCE = 1e-9
SETS = ("fake", "centre_240x320", "loo_worker")
KEYS = {"sauc": "auc_shuffled", "auc": "auc_borji", "nss": "nss", "cc": "cc"}
SIZE = (480, 640)


@pytest.fixture(scope="module")
def golden(salbench_data):
    """The stored sets by name."""
    folder = salbench_data / "golden" / "salicon2015"
    assert {path.stem for path in folder.glob("*.npz")} == set(SETS)
    return {name: dict(np.load(folder / f"{name}.npz")) for name in SETS}


@pytest.fixture(scope="module")
def sample(salbench_data):
    return salbench_data / "datasets" / "salicon-sample"


def positions_of(case, number: int, filtered: bool):
    listed = case[f"fix_rc_{number}"].astype(np.int64) - 1
    return protocol.repeated_positions(listed) if filtered else listed


def pixel_map(positions):
    fixated = np.zeros(SIZE, dtype=bool)
    fixated[positions[:, 0], positions[:, 1]] = True
    return fixated


def scores_of(case, filtered: bool):
    """(10, 4), in the order of the stored values."""
    ids = [int(number) for number in case["image_id"]]
    lists = {number: positions_of(case, number, filtered) for number in ids}
    total = sum(pixel_map(positions).astype(np.float64) for positions in lists.values())
    rows = []
    for number in ids:
        fitted, own = protocol.fit_map(case[f"map_{number}"], SIZE), lists[number]
        drawn = np.cumsum(case[f"rand_delta_{number}"].astype(np.int64))
        rows.append(
            [
                protocol.shuffled_auc(fitted, own, total - pixel_map(own)),
                protocol.auc(fitted, own, random_indices=drawn),
                protocol.nss(fitted, own),
                protocol.cc(fitted, protocol.density(pixel_map(own))),
            ]
        )
    return np.array(rows)


@pytest.mark.parametrize("filtered", [True, False], ids=["filtered", "unfiltered"])
@pytest.mark.parametrize("name", SETS)
def test_every_score_of_every_image_matches_the_challenge(golden, name, filtered, record_property):
    """Catches any departure: decoding, resize, repeats, weights, thresholds, N, the blur."""
    case = golden[name]
    assert case["metrics"].tolist() == list(KEYS)
    ours, stored = scores_of(case, filtered), "filtered" if filtered else "unfiltered"
    record_property("difference", float(np.abs(ours - case[f"expected_{stored}"]).max()))
    np.testing.assert_allclose(ours, case[f"expected_{stored}"], rtol=0, atol=TOLERANCE)
    np.testing.assert_allclose(ours.mean(axis=0), case[f"mean_{stored}"], rtol=0, atol=TOLERANCE)


@pytest.mark.parametrize("name", SETS)
def test_the_repeat_filter_matches_the_challenge(golden, name):
    case = golden[name]
    for number in case["image_id"]:
        stored = case[f"filt_rc_{number}"].astype(np.int64) - 1
        in_order = stored[np.lexsort((stored[:, 1], stored[:, 0]))]
        np.testing.assert_array_equal(positions_of(case, int(number), True), in_order)


def test_a_division_would_not_reach_the_tolerance(golden):
    """Catches a reference that is too blunt to see the decoding: 1/255 as a factor and as a divisor differ."""
    case = golden["fake"]
    divided = {key: value / 255 if key.startswith("map_") else value for key, value in case.items()}
    assert np.abs(scores_of(divided, True) - case["expected_filtered"]).max() > 1e-6


def test_the_annotations_are_read_as_stored(golden, sample):
    images, records = read_annotations(sample / "fixations_train2014examples.json")
    case = golden["fake"]
    assert sorted(image.number for image in images) == case["image_id"].tolist()
    assert sum(len(record.positions) for found in records.values() for record in found) == 73_630
    assert len({record.worker for found in records.values() for record in found}) == 395
    for number, found in records.items():
        assert [int(record.worker) for record in found] == case[f"worker_id_{number}"].tolist()
        np.testing.assert_array_equal(np.concatenate([r.positions for r in found]), case[f"fix_rc_{number}"])


def test_the_sample_ends_up_with_the_stored_scores(golden, sample, tmp_path):
    """End to end: result file, annotations, every other image's fixations. The AUC alone is drawn anew."""
    results = sample / "fixations_train2014examples_fake_results.json"
    run = score(
        "salicon2015", data=sample, split="train", protocol="salicon2015", predictions=results, out=tmp_path / "run"
    )
    check_run(run, golden["fake"])


def test_a_folder_of_smaller_maps_ends_up_with_the_stored_scores_whatever_the_jobs(golden, sample, tmp_path):
    case = golden["centre_240x320"]
    maps = tmp_path / "maps"
    maps.mkdir()
    for number in case["image_id"]:
        Image.fromarray(case[f"map_{number}"]).save(maps / f"COCO_train2014_{number:012d}.png")
    options = {"data": sample, "split": "train", "protocol": "salicon2015", "predictions": maps}
    one = score("salicon2015", **options, out=tmp_path / "one")
    check_run(one, case)
    assert one.scores.equals(score("salicon2015", **options, jobs=2, out=tmp_path / "two").scores)


def check_run(run, case) -> None:
    scores = run.scores.set_index("stimulus")
    assert run.errors == 0
    for row, number in enumerate(case["image_id"]):
        found = scores.loc[f"COCO_train2014_{number:012d}"]
        for column, name in enumerate(case["metrics"]):
            # 100,000 draws know an area to about 0.001.
            tolerance = 0.01 if name == "auc" else TOLERANCE
            assert found[KEYS[name]] == approx(case["expected_filtered"][row, column], abs=tolerance, rel=0)


def test_the_maps_of_the_result_file_are_read_as_stored(golden, sample):
    case, maps = golden["fake"], ResultFile(sample / "fixations_train2014examples_fake_results.json")
    for stimulus in open_dataset("salicon2015", sample).stimuli("train"):
        number = int(stimulus.id.rsplit("_", 1)[-1])
        np.testing.assert_array_equal(maps.predict_stimulus(stimulus, None), case[f"map_{number}"])
