"""The audit: what each treatment does to a map, the differences it reports, errors, the command."""

import csv
import io
import math
from dataclasses import FrozenInstanceError
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

import salbench
from salbench.audit import TREATMENTS, audit, quantise, quantise_unstretched, shrink, through_jpeg
from salbench.cli import main
from salbench.errors import DataError, UsageError
from salbench.image_files import write_map
from salbench.maps import imresize
from salbench.metrics import MAP_METRICS
from salbench.progress import Silent
from salbench.protocols import PROTOCOLS

SIZE = (48, 64)
COUNT = 5
CHEAP = ["nss", "cc", "kl_divergence"]


@pytest.fixture(scope="module")
def noise(tmp_path_factory):
    """Images, fixations, and 8-bit maps that fill their range."""
    root, rng = tmp_path_factory.mktemp("noise"), np.random.default_rng(0)
    for part in ("data/images", "data/fixations", "maps"):
        (root / part).mkdir(parents=True)
    for number in range(COUNT):
        Image.new("RGB", SIZE[::-1]).save(root / f"data/images/s{number}.png")
        rows = [f"{rng.integers(SIZE[1])},{rng.integers(SIZE[0])},{i % 3}" for i in range(9)]
        rows += rows[:5]  # salicon2015 counts pixels that were fixated again
        (root / f"data/fixations/s{number}.csv").write_text("\n".join(["x,y,viewer", *rows]) + "\n")
        levels = rng.integers(0, 256, SIZE, dtype=np.uint8)
        levels.flat[:2] = 0, 255
        Image.fromarray(levels).save(root / f"maps/s{number}.png")
    return root


class Notes(Silent):
    """A listener that keeps the notes."""

    def __init__(self, notes):
        self.notes = notes

    def note(self, text):
        self.notes.append(text)


def arrays(folder: Path, change) -> Path:
    """A folder of `.npy` maps, each a changed random map in 0 to 1."""
    rng = np.random.default_rng(1)
    folder.mkdir()
    for number in range(COUNT):
        np.save(folder / f"s{number}.npy", change(rng.random(SIZE), number))
    return folder


def test_rounding_is_stretched_half_up_and_as_written_maps_are(tmp_path):
    """Catches rounding to even, truncation, and an audit of another rounding than the one that `predict` does."""
    assert quantise(np.array([[0.0, 0.5 / 255, 1.0]])).tolist() == [[0, 1, 255]]
    values = np.random.default_rng(0).normal(size=SIZE)
    write_map(tmp_path / "m.png", values, "png")
    assert np.array_equal(quantise(values), np.asarray(Image.open(tmp_path / "m.png")))
    assert not quantise(np.full((2, 2), 7.0)).any()


def test_unstretched_rounding_keeps_levels_and_refuses_what_has_none():
    """Catches a density (values near 1e-6) that would be rounded to nothing and reported as a huge effect."""
    assert quantise_unstretched(np.array([[0.0, 0.5 / 255, 0.2]])).tolist() == [[0, 1, 51]]
    levels = np.arange(256, dtype=np.uint8).reshape(16, 16)
    assert np.array_equal(quantise_unstretched(levels / 255), levels)
    assert quantise_unstretched(np.random.default_rng(0).random(SIZE) / 1e6) is None
    assert quantise_unstretched(np.array([[0.0, 1.5]])) is None
    assert quantise_unstretched(np.array([[-0.1, 0.5]])) is None
    assert quantise_unstretched(np.full((2, 2), np.nan)) is None
    assert quantise_unstretched(np.full((2, 2), 0.3)).tolist() == [[77, 77], [77, 77]]


def test_shrinking_is_imresize_without_new_negative_values():
    """Catches the kernel's overshoot below zero, which would leave KL undefined; real negatives stay."""
    dot = np.zeros((32, 48))
    dot[8:16, 8:16] = 1
    assert imresize(dot, scale=0.5).min() < 0
    assert np.array_equal(shrink(dot, scale=0.5), np.maximum(imresize(dot, scale=0.5), 0))
    assert np.array_equal(shrink(dot - 1, scale=0.25), imresize(dot - 1, scale=0.25))
    assert shrink(dot, scale=0.25).shape == (8, 12)


def test_jpeg_loses_more_at_lower_quality():
    """Catches a quality that does not reach the encoder."""
    values = np.random.default_rng(0).random(SIZE)
    losses = [np.abs(through_jpeg(values, quality=q) - quantise(values).astype(float)).mean() for q in (95, 75)]
    assert 0 < losses[0] < losses[1]


def test_full_range_8_bit_maps_are_not_moved_by_8_bits(noise):
    """Catches other random draws for the treated map, which would move the three AUCs of an unchanged map."""
    done = audit(noise / "data", predictions=noise / "maps")
    assert {effect.metric for effect in done.effects} == set(MAP_METRICS)
    for treatment in ("8bit", "8bit_unstretched"):
        for key in MAP_METRICS:
            effect = done.effect(treatment, key)
            assert (effect.n, effect.mean, effect.mean_absolute, effect.largest) == (COUNT, 0, 0, 0), effect
            assert effect.relative == 0
    assert not done.errors and not any(done.left_out.values())
    assert all(done.effect("jpeg75", key).mean_absolute > 0 for key in MAP_METRICS)


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_differences_are_those_of_two_runs(noise, tmp_path, protocol):
    """Catches a reversed sign, a mean of the wrong thing, and another score than `salbench score` gives."""
    (tmp_path / "half").mkdir()
    for number in range(COUNT):
        levels = np.asarray(Image.open(noise / f"maps/s{number}.png"))
        np.save(tmp_path / f"half/s{number}.npy", shrink(levels / 255, scale=0.5))
    runs = [
        salbench.score(noise / "data", predictions=folder, protocol=protocol, out=tmp_path / f"run-{name}")
        for name, folder in (("given", noise / "maps"), ("half", tmp_path / "half"))
    ]
    done = audit(noise / "data", predictions=noise / "maps", protocol=protocol)
    for key in PROTOCOLS[protocol].choose(None):
        change = (runs[1].scores[key] - runs[0].scores[key]).to_numpy()
        effect, figures = done.effect("half", key), runs[0].summary["metrics"][key]
        assert effect.given == pytest.approx(runs[0].mean(key), abs=1e-12)
        assert effect.mean == pytest.approx(change.mean(), abs=1e-12)
        assert effect.mean_absolute == pytest.approx(np.abs(change).mean(), abs=1e-12)
        assert effect.largest == pytest.approx(change[np.abs(change).argmax()], abs=1e-12)
        assert effect.largest_at == f"s{np.abs(change).argmax()}"
        assert effect.half_width == pytest.approx((figures["ci_high"] - figures["ci_low"]) / 2, abs=1e-12)
        assert effect.relative == pytest.approx(abs(effect.mean) / effect.half_width)


def test_stretching_moves_kl_and_leaves_cc_nearly_alone(noise, tmp_path):
    """The finding that the audit is for: an offset is gone after stretching, and only some metrics care."""
    maps = arrays(tmp_path / "offset", lambda m, _: 0.6 + 0.4 * m)
    done = audit(noise / "data", predictions=maps, metrics=CHEAP)
    assert abs(done.effect("8bit", "kl_divergence").mean) > 0.05
    assert abs(done.effect("8bit_unstretched", "kl_divergence").mean) < 0.001
    assert abs(done.effect("8bit", "cc").mean) < 0.001


def test_results_do_not_depend_on_jobs(noise):
    """Catches rows that get lost or mixed up on their way from the workers, and work that does not pickle."""
    one = audit(noise / "data", predictions=noise / "maps", metrics=["auc_shuffled", "nss"])
    assert audit(noise / "data", predictions=noise / "maps", metrics=["auc_shuffled", "nss"], jobs=2) == one


def test_limit_keeps_the_first_and_the_draws_of_the_whole_split(noise):
    """Catches a limit that takes the other images of sAUC away, too, and so changes every score."""
    scores = {
        limit: audit(noise / "data", predictions=noise / "maps", metrics=["auc_shuffled"], limit=limit)
        for limit in (3, None)
    }
    assert scores[3].n == 3 and scores[3].effect("jpeg75", "auc_shuffled").n == 3
    one = audit(noise / "data", predictions=noise / "maps", metrics=["auc_shuffled"], limit=1)
    assert not math.isnan(one.effect("half", "auc_shuffled").given)
    assert one.effect("half", "auc_shuffled").half_width is None
    assert one.effect("half", "auc_shuffled").relative is None


def test_broken_maps_cost_only_themselves(noise, tmp_path):
    """Catches a missing, a damaged or an infinite map that ends the audit or leaves a half-treated stimulus in it."""
    maps = arrays(tmp_path / "maps", lambda m, number: m if number else np.full(SIZE, np.inf))
    (maps / "s1.npy").write_bytes(b"no array")
    (maps / "s2.npy").unlink()
    notes = []
    done = audit(noise / "data", predictions=maps, metrics=CHEAP, progress=Notes(notes))
    assert set(done.errors) == {"s0", "s1", "s2"}
    assert "infinite" in done.errors["s0"] and "no map" in done.errors["s2"]
    assert sorted(note.split(":")[0] for note in notes) == [f"stimulus s{n}" for n in range(3)]
    assert {effect.n for effect in done.effects} == {2}


def test_an_encoder_that_fails_costs_only_its_stimulus(noise, tmp_path):
    """Catches an exception of Pillow that ends the audit: JPEG ends at 65,535 pixels a side."""
    maps = arrays(tmp_path / "maps", lambda m, number: m if number else np.tile(m[:1], (1, 1100)))
    done = audit(noise / "data", predictions=maps, metrics=["nss"])
    assert list(done.errors) == ["s0"]
    assert {effect.n for effect in done.effects} == {COUNT - 1}


def test_values_without_levels_are_left_out_of_unstretched_rounding_alone(noise, tmp_path):
    """Catches one map out of 0 to 1 that costs all its treatments, or is silently compared."""
    maps = arrays(tmp_path / "maps", lambda m, number: m if number else m * 1000)
    done = audit(noise / "data", predictions=maps, metrics=CHEAP)
    assert done.left_out == {key: int(key == "8bit_unstretched") for key in [t.key for t in TREATMENTS]}
    assert done.effect("8bit_unstretched", "cc").n == COUNT - 1
    assert done.effect("8bit", "cc").n == COUNT


def test_flat_maps_are_not_compared_where_they_have_no_value(noise, tmp_path):
    """Catches NaN that spreads into the means of a CSV file."""
    maps = arrays(tmp_path / "maps", lambda m, _: np.full(SIZE, 0.3))
    done = audit(noise / "data", predictions=maps, metrics=["nss"])
    for effect in done.effects:
        assert (effect.n, effect.mean, effect.given, effect.relative) == (0, None, None, None)


def test_values_that_a_treatment_makes_undefined_are_told(noise, tmp_path, monkeypatch, capsys):
    """Catches a treatment that destroys some maps and looks harmless, since only the others are compared."""
    maps = arrays(tmp_path / "maps", lambda m, number: m if number else m * 0)
    np.save(maps / "s0.npy", np.where(np.random.default_rng(0).random(SIZE) > 0.5, np.nan, 0.5))
    done = audit(noise / "data", predictions=maps, metrics=["sim"])
    assert {effect.n for effect in done.effects} <= {COUNT - 1, COUNT}
    undefined = {effect.treatment: effect.undefined for effect in done.effects}
    assert undefined["8bit"] == 1 and done.effect("8bit", "sim").n == COUNT - 1
    assert main(["audit", "--dataset", str(noise / "data"), "--predictions", str(maps), "--metrics", "sim"]) == 0
    assert "defined only before or only after" in capsys.readouterr().out


def test_the_result_is_frozen(noise):
    done = audit(noise / "data", predictions=noise / "maps", metrics=["cc"], limit=1)
    with pytest.raises(FrozenInstanceError):
        done.n = 3
    with pytest.raises(KeyError, match="nss"):
        done.effect("half", "nss")


@pytest.mark.parametrize(
    ("options", "error"),
    [
        ({"limit": 0}, UsageError),
        ({"jobs": 0}, UsageError),
        ({"metrics": ["auc"]}, UsageError),
        ({"protocol": "mit301"}, UsageError),
        ({"split": "tset"}, UsageError),
        ({"blur_sigma": -1.0}, UsageError),
        ({"predictions": "nowhere"}, DataError),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else "",
)
def test_requests_that_cannot_be_carried_out_are_refused(noise, options, error):
    with pytest.raises(error):
        audit(noise / "data", **{"predictions": noise / "maps", **options})


def test_a_folder_of_other_maps_is_refused_by_name(noise):
    """Catches an audit of the wrong folder that ends in an error for each of a thousand stimuli."""
    with pytest.raises(DataError, match=r"no map for any of the 5 stimuli.*s0\.png"):
        audit(noise / "data", predictions=noise / "data", metrics=["cc"])


def test_the_command_prints_every_effect_and_writes_the_file(noise, tmp_path, capsys):
    out = tmp_path / "audit.csv"
    arguments = ["--dataset", str(noise / "data"), "--predictions", str(noise / "maps"), "--jobs", "1"]
    assert main(["audit", *arguments, "--metrics", "nss, cc", "--limit", "4", "-o", str(out)]) == 0
    printed = capsys.readouterr().out
    for treatment in TREATMENTS:
        assert printed.count(treatment.title + "  ") == 2
    assert "protocol MIT300" in printed
    table = pd.read_csv(out)
    assert list(table.treatment) == [t.key for t in TREATMENTS for _ in range(2)]
    assert list(table.metric[:2]) == ["nss", "cc"]
    assert (table.n == 4).all() and (table.dataset == table.dataset[0]).all()
    done = audit(noise / "data", predictions=noise / "maps", metrics=["nss", "cc"], limit=4)
    assert table.mean_difference.iloc[-1] == done.effects[-1].mean


def test_the_help_shows_an_example(capsys):
    assert main(["audit", "--help"]) == 0
    assert "salbench audit --dataset" in capsys.readouterr().out.split("Examples:")[1]


def test_the_command_ends_with_1_where_a_stimulus_failed(noise, tmp_path, capsys):
    maps = arrays(tmp_path / "maps", lambda m, number: m if number else m * 2)
    (maps / "s1.npy").unlink()
    arguments = ["--dataset", str(noise / "data"), "--predictions", str(maps), "--jobs", "1", "--metrics", "cc"]
    assert main(["audit", *arguments]) == 1
    printed = capsys.readouterr()
    assert "1 of 5 stimuli could not be scored" in printed.out
    assert "left out for 1 maps" in printed.out
    assert "stimulus s1: " in printed.err


def test_names_are_no_formulas_in_the_file(noise, tmp_path):
    """Catches a folder's name that a spreadsheet would run."""
    (tmp_path / "=1+1").symlink_to(noise / "maps", target_is_directory=True)
    done = audit(noise / "data", predictions=noise / "maps", metrics=["cc"], limit=1)
    named = type(done)(**{**vars(done), "predictions": "=1+1"})
    assert next(csv.DictReader(io.StringIO(named.to_csv())))["predictions"] == "'=1+1"


@pytest.mark.data
def test_8_bit_maps_of_real_models_are_moved_by_jpeg_but_not_by_8_bits(salbench_data, tmp_path):
    """Catches an audit that finds no effect on real maps, or one where there is none."""
    source = salbench_data / "datasets" / "stockchart"
    data = tmp_path / "stockchart"
    salbench.make_folder(source / "stimuli", source / "fixations.csv", data, rename={"participant": "viewer"})
    keys = ["auc_judd", "nss", "cc"]
    done = audit(data, predictions=source / "maps" / "SR", metrics=keys, limit=3)
    assert not done.errors and done.n == 3
    for key in keys:
        assert done.effect("8bit_unstretched", key).largest == 0
        assert 0 < done.effect("jpeg95", key).mean_absolute < done.effect("jpeg75", key).mean_absolute < 0.05
