"""The protocol and the result file through the runner and the command line."""

import base64
import hashlib
import io
import json

import numpy as np
import pytest
from PIL import Image
from pytest import approx
from small_sets import SIZES, make_set

from salbench import write_results
from salbench.array_cache import open_cache
from salbench.cli import main
from salbench.datasets.folder import open_folder
from salbench.errors import DataError, UsageError
from salbench.progress import Silent
from salbench.protocols import salicon2015 as protocol
from salbench.protocols.mit300 import MIT300
from salbench.result_file import ResultFile, image_number
from salbench.scoring.fixated_pixels import read_fixations
from salbench.scoring.runner import score
from salbench.scoring.stimulus_score import ModelSource, Numbered, StimulusScorer

NAMES = [f"img_{number}" for number in range(4)]


@pytest.fixture
def dataset(tmp_path):
    """Four images with many repeated fixations, of three sizes."""
    root = make_set(tmp_path / "set", 4)
    rng = np.random.default_rng(3)
    for number, (height, width) in enumerate(SIZES):
        (root / "images" / f"s{number}.png").rename(root / "images" / f"img_{number}.png")
        (root / "fixations" / f"s{number}.csv").unlink()
        pairs = rng.integers(0, (width // 3, height // 3), (60, 2)).tolist()
        text = "\n".join(["x,y", *(f"{x},{y}" for x, y in pairs), "-9,3"])
        (root / "fixations" / f"img_{number}.csv").write_text(text + "\n")
    return root


@pytest.fixture
def maps():
    """Maps of the images' sizes but one, 8-bit and 16-bit."""
    rng = np.random.default_rng(4)
    sizes = [*SIZES[:3], (20, 25)]
    kinds = [np.uint8, np.uint16, np.uint8, np.uint8]
    return {
        name: rng.integers(0, np.iinfo(kind).max, size, dtype=kind, endpoint=True)
        for name, size, kind in zip(NAMES, sizes, kinds, strict=True)
    }


@pytest.fixture
def results(tmp_path, maps):
    path = tmp_path / "results.json"
    write_results(path, maps.items())
    return path


def stimulus(dataset, number):
    return open_folder(dataset).stimuli()[number]


def test_the_runner_gives_the_protocol_counted_fixations_and_all_others_with_weights(dataset, results, maps, tmp_path):
    run = score(dataset, predictions=results, protocol="salicon2015", out=tmp_path / "run")
    assert list(run.manifest["metrics"]) == ["auc_borji", "auc_shuffled", "nss", "cc"]
    stimuli = open_folder(dataset).stimuli()
    own = [protocol.repeated_positions(s.fixations().positions) for s in stimuli]
    assert all(0 < len(counted) < 60 for counted in own)
    for index in (0, 2):  # these two have one size
        row, size = run.scores.iloc[index], stimuli[index].size
        fitted = protocol.fit_map(maps[NAMES[index]], size)
        fixated = np.zeros(size, dtype=bool)
        fixated[own[index][:, 0], own[index][:, 1]] = True
        assert row["nss"] == protocol.nss(fitted, own[index])
        assert row["cc"] == protocol.cc(fitted, protocol.density(fixated))
        assert row["auc_shuffled"] == protocol.shuffled_auc(fitted, own[index], others(own, stimuli, index))
    assert run.summary["fixations_outside"] == 4


def others(own, stimuli, index):
    """Counts of the other images, their pixels scaled to this one."""
    height, width = stimuli[index].size
    counts = np.zeros((height, width))
    for number, counted in enumerate(own):
        if number == index:
            continue
        h, w = stimuli[number].size
        unique = np.unique(counted, axis=0)
        rows, columns = ((2 * unique[:, 0] + 1) * height // (2 * h)), ((2 * unique[:, 1] + 1) * width // (2 * w))
        np.add.at(counts, (rows, columns), 1)
    return counts


def test_scores_do_not_depend_on_jobs_or_on_the_other_metrics(dataset, results, tmp_path):
    options = {"predictions": results, "protocol": "salicon2015"}
    one = score(dataset, **options, out=tmp_path / "one").scores
    assert one.equals(score(dataset, **options, jobs=2, out=tmp_path / "two").scores)
    for key in ("auc_borji", "auc_shuffled", "nss", "cc"):
        alone = score(dataset, **options, metrics=[key], out=tmp_path / key).scores
        assert alone[key].equals(one[key])


def test_a_scorer_that_does_not_know_the_counted_fixations_refuses(dataset, results):
    """Catches a caller that forgets the protocol's rule: sAUC would silently be another one."""
    stimuli = open_folder(dataset).stimuli()
    scorer = StimulusScorer(
        pixels=read_fixations(stimuli, Silent(), open_cache(), MIT300).pixels,
        source=ModelSource(folder=results),
        protocol_key="salicon2015",
        metrics=("auc_shuffled",),
        blur_sigma=None,
        seed=0,
    )
    assert "does not count every fixation" in scorer.row(Numbered(0, stimuli[0])).error


def test_the_record_of_a_run_is_truthful(dataset, results, tmp_path):
    run = score(dataset, predictions=results, protocol="salicon2015", out=tmp_path / "run")
    assert run.manifest["protocol"] == {
        "key": "salicon2015",
        "label": "SALICON 2015",
        "blur_sigma": None,
        "blur": "Gaussian, sigma 19 px",
    }
    assert run.manifest["inputs"]["predictions"] == hashlib.sha256(results.read_bytes()).hexdigest()
    assert run.manifest["model"]["title"] == "results"
    wider = score(dataset, predictions=results, protocol="salicon2015", blur_sigma=5, out=tmp_path / "wider")
    assert wider.manifest["protocol"]["blur"] == "Gaussian, sigma 5 px"
    assert wider.mean("cc") != approx(run.mean("cc"))
    assert wider.mean("nss") == run.mean("nss")


def test_a_viewer_by_viewer_model_is_scored_too(dataset, tmp_path):
    """Catches a protocol that only works on maps from files: chance and the centre have none."""
    run = score(dataset, model="centre", protocol="salicon2015", out=tmp_path / "run")
    assert run.errors == 0
    assert 0 < run.mean("auc_borji") < 1


def test_an_image_without_repeated_fixations_has_no_score_and_no_error(dataset, results, tmp_path):
    (dataset / "fixations" / "img_1.csv").write_text("x,y\n1,1\n2,2\n")
    run = score(dataset, predictions=results, protocol="salicon2015", out=tmp_path / "run")
    row = run.scores.iloc[1]
    assert row["error"] == ""
    assert row[["auc_borji", "auc_shuffled", "nss", "cc"]].isna().all()


def test_the_command_line_labels_the_auc(dataset, results, tmp_path, capsys):
    arguments = ["score", "--dataset", str(dataset), "--predictions", str(results), "--protocol", "salicon2015"]
    assert main([*arguments, "--jobs", "1", "--out", str(tmp_path / "run")]) == 0
    printed = capsys.readouterr().out
    assert "AUC-B (SALICON) ↑" in printed
    assert "protocol SALICON 2015 (Gaussian, sigma 19 px)" in printed
    assert main([*arguments, "--metrics", "nss,emd", "--out", str(tmp_path / "other")]) == 2
    assert "auc_borji, auc_shuffled, nss, cc" in capsys.readouterr().err


def test_a_result_file_gives_back_what_was_written(dataset, results, maps):
    found = ResultFile(results)
    for number, name in enumerate(NAMES):
        read = found.predict_stimulus(stimulus(dataset, number), None)
        assert read.dtype == maps[name].dtype
        assert np.array_equal(read, maps[name])


def test_floats_are_stretched_to_8_bits(dataset, tmp_path):
    write_results(tmp_path / "r.json", [(0, np.array([[0.1, 0.2], [0.3, 0.35]]))])
    read = ResultFile(tmp_path / "r.json").predict_stimulus(stimulus(dataset, 0), None)
    assert read.tolist() == [[0, 102], [204, 255]]


def test_names_without_a_number_and_repeated_ids_are_not_written(tmp_path):
    for names in (["picture"], ["a_1", 1]):
        with pytest.raises(UsageError):
            write_results(tmp_path / "r.json", [(name, np.eye(2)) for name in names])
    assert list(tmp_path.iterdir()) == []


def test_an_empty_result_file_is_a_list(tmp_path):
    write_results(tmp_path / "r.json", [])
    assert json.loads((tmp_path / "r.json").read_text()) == []
    assert ResultFile(tmp_path / "r.json").places == {}


@pytest.mark.parametrize(
    ("name", "number"),
    [("COCO_train2014_000000123067", 123067), ("12", 12), ("a_7.b_9", 7), ("a_", None), ("a1", None), ("a_²", None)],
)
def test_the_image_id_is_what_stands_after_the_last_underscore(name, number):
    assert image_number(name) == number


def picture(values, form: str = "PNG") -> str:
    content = io.BytesIO()
    Image.fromarray(values).save(content, format=form)
    return base64.b64encode(content.getvalue()).decode()


def read_first(dataset, path):
    return ResultFile(path).predict_stimulus(stimulus(dataset, 0), None)


def test_the_first_entry_of_an_id_wins(dataset, tmp_path):
    entries = [{"image_id": 0, "saliency_map": picture(np.full((2, 2), n, np.uint8))} for n in (7, 9)]
    (tmp_path / "r.json").write_text(json.dumps(entries, indent=3) + "\n\n")
    assert read_first(dataset, tmp_path / "r.json").tolist() == [[7, 7], [7, 7]]


def test_text_of_other_alphabets_shifts_no_place(dataset, tmp_path):
    entries = [{"note": "ä€😀", "image_id": n, "saliency_map": picture(np.full((2, 2), n, np.uint8))} for n in (5, 0)]
    (tmp_path / "r.json").write_text(json.dumps(entries, ensure_ascii=False), encoding="utf-8", newline="\r\n")
    assert read_first(dataset, tmp_path / "r.json").max() == 0


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "wanted: '\\['"),
        ("{}", "wanted: '\\['"),
        ("[", "cannot be read"),
        ("[1]", "entry 0"),
        ("[{}]", "entry 0"),
        ('[{"image_id": "0", "saliency_map": ""}]', "entry 0: image_id"),
        ('[{"image_id": true, "saliency_map": ""}]', "entry 0: image_id"),
        ('[{"image_id": -1, "saliency_map": ""}]', "entry 0: image_id"),
        ('[{"image_id": 1, "saliency_map": ""}, {"image_id": 2, "saliency_map": 3}]', "entry 1: saliency_map"),
        ('[{"image_id": 1, "saliency_map": ""},]', "cannot be read"),
        ('[{"image_id": 1, "saliency_map": ""}] x', "text after the list"),
        ('[{"image_id": 1, "saliency_map": ""} {}]', "byte 37: wanted: ',' or '\\]'"),
        ("[" * 200_000, "cannot be read"),
        ('[{"image_id": ' + "9" * 10_000 + ', "saliency_map": ""}]', "cannot be read"),
    ],
    ids=range(14),
)
def test_hostile_result_files_are_refused_with_file_and_place(tmp_path, text, message):
    (tmp_path / "r.json").write_text(text)
    with pytest.raises(DataError, match=message) as caught:
        ResultFile(tmp_path / "r.json")
    assert "r.json" in str(caught.value)


@pytest.mark.parametrize("block", [1, 7, 100, 5000])
def test_the_places_do_not_depend_on_how_the_file_is_read(results, monkeypatch, block):
    """Catches an entry that is lost or cut where one block ends and the next begins."""
    whole = ResultFile(results).places
    monkeypatch.setattr("salbench.result_file.BLOCK_BYTES", block)
    assert ResultFile(results).places == whole
    assert len(whole) == 4


@pytest.mark.parametrize(
    ("saliency_map", "message"),
    [
        ("%%%", "no base64"),
        ("é", "no base64"),
        ("", "cannot be read as an image"),
        (base64.b64encode(b"\x89PNG\r\n\x1a\n").decode(), "cannot be read as an image"),
        (picture(np.zeros((2, 2), np.uint8), "GIF"), "cannot be read as an image"),
        (picture(np.arange(12, dtype=np.uint8).reshape(2, 2, 3) * 20), "colour picture"),
        (picture(np.zeros((2, 2, 4), np.uint8)), "transparent"),
        (picture(np.zeros((64, 64), np.uint8))[:40], "cannot be read as an image"),
    ],
    ids=range(8),
)
def test_a_damaged_map_costs_only_its_own_row(dataset, tmp_path, saliency_map, message):
    entries = [{"image_id": 0, "saliency_map": saliency_map}] + [
        {"image_id": n, "saliency_map": picture(np.eye(9, dtype=np.uint8) * 200)} for n in (1, 2, 3)
    ]
    (tmp_path / "r.json").write_text(json.dumps(entries))
    run = score(dataset, predictions=tmp_path / "r.json", protocol="salicon2015", out=tmp_path / "run")
    assert run.errors == 1
    assert message in run.scores["error"][0]
    assert "r.json: image_id 0" in run.scores["error"][0]


def test_a_picture_of_too_many_pixels_is_refused_before_it_is_decoded(dataset, tmp_path, monkeypatch):
    monkeypatch.setattr("salbench.image_files.MAX_PIXELS", 99)
    write_results(tmp_path / "r.json", [(0, np.zeros((10, 10), np.uint8))])
    with pytest.raises(DataError, match="image_id 0: 100 pixels; at most 99"):
        read_first(dataset, tmp_path / "r.json")


def test_files_and_entries_that_are_too_large_are_refused(tmp_path, results, monkeypatch):
    monkeypatch.setattr("salbench.result_file.MAX_ENTRY_BYTES", 99)
    with pytest.raises(DataError, match=r"entry 0: .* at most 99"):
        ResultFile(results)
    monkeypatch.setattr("salbench.result_file.MAX_FILE_BYTES", 50)
    with pytest.raises(DataError, match="at most 50"):
        ResultFile(results)


def test_a_file_in_which_no_id_fits_is_the_wrong_file(dataset, tmp_path):
    write_results(tmp_path / "r.json", [(77, np.eye(2))])
    with pytest.raises(DataError, match="no map for any of the 4 stimuli; wanted: image_id 0; there: image_id 77"):
        score(dataset, predictions=tmp_path / "r.json", out=tmp_path / "run")


def test_a_result_file_serves_any_protocol(dataset, results, tmp_path):
    run = score(dataset, predictions=results, metrics=["nss", "information_gain"], out=tmp_path / "run")
    assert run.errors == 0
    assert run.manifest["protocol"]["ig_baseline"].startswith("centre prior")
