"""Parity with the MIT Saliency Benchmark's MATLAB code, on the values that its own code gave."""

import math

import numpy as np
import pytest
from mit300_cases import BLURS, CASES, RESIZINGS, folder_of, load, score
from pytest import approx

from salbench.maps import imresize, mit_blur, mit_density, normalise_sum
from salbench.metrics import MAP_METRICS, auc_judd

pytestmark = pytest.mark.data

TOLERANCE = 1e-9
DEPARTURES = ("case09_all_zero", "case10_one_nan_unfixated")
"""Cases in which the reference's solver gives the perfect 0 to a map without mass or with a NaN; salbench gives NaN."""


@pytest.fixture
def golden(salbench_data):
    return lambda name: load(folder_of(salbench_data) / f"{name}.npz")


def test_every_reference_file_is_tested(salbench_data):
    """Catches a reference value added to the folder that no test reads."""
    assert {path.stem for path in folder_of(salbench_data).glob("*.npz")} == {*CASES, *RESIZINGS, *BLURS}


@pytest.mark.parametrize("key", MAP_METRICS)
@pytest.mark.parametrize("name", CASES)
def test_a_metric_matches_the_reference(golden, name, key, record_property):
    """Catches any departure from the MATLAB code: thresholds, ties, N - 1, epsilon, resizing, draws, NaN rules."""
    case = golden(name)
    value, expected = score(case, key), float(case[key])
    record_property("difference", value - expected)
    assert value == approx(expected, abs=TOLERANCE, rel=0, nan_ok=True)


@pytest.mark.parametrize("name", CASES)
def test_jitter_moves_auc_judd_as_in_the_reference(golden, name):
    """Catches jitter of another width, added after the range normalisation, or not at all where ties decide."""
    case = golden(name)
    values = [auc_judd(case["saliency_map"], case["fixation_map"], rng=seed) for seed in range(5)]
    if not case["fixation_map"].any():
        assert np.isnan(values).all()
        return
    # A mean of 5 against a mean of 20 runs, six standard errors wide. Where the jitter hardly ever changes a rank,
    # 20 runs measure its spread badly: one swap of a fixation with a pixel is allowed for.
    count = np.count_nonzero(case["fixation_map"])
    one_swap = 1 / (count * (case["fixation_map"].size - count))
    bound = 6 * float(case["auc_judd_jitter_std20"]) * math.sqrt(1 / 5 + 1 / 20) + one_swap
    assert np.mean(values) == approx(float(case["auc_judd_jitter_mean20"]), abs=bound, rel=0)


@pytest.mark.parametrize("name", ["case04_quantised8", "case05_jpeg", "case14_equals_gt"])
def test_jitter_matters_where_values_are_tied(golden, name):
    """Catches jitter that is drawn and not used: on these maps it moves AUC-J by more than all of its spread."""
    case = golden(name)
    spread = 4 * float(case["auc_judd_jitter_std20"])
    assert abs(score(case, "auc_judd", jitter=True, rng=1) - float(case["auc_judd"])) > spread


@pytest.mark.parametrize("name", CASES)
def test_the_histograms_of_emd_match_the_reference(golden, name):
    """Catches an EMD that is right by accident: the two maps that are moved, negative entries and all."""
    case = golden(name)
    truth = imresize(case["ground_truth_map"].astype(np.float64), scale=1 / 32)
    saliency = imresize(case["saliency_map"].astype(np.float64), size=truth.shape)
    for ours, key in ((truth, "emd_hist_gt"), (saliency, "emd_hist_sal")):
        # The reference divides a map without mass by its sum all the same.
        expected = normalise_sum(ours) if np.any(ours) else np.full(ours.shape, np.nan)
        np.testing.assert_allclose(expected, case[key], rtol=0, atol=1e-12)


@pytest.mark.parametrize("name", [name for name in CASES if name not in DEPARTURES])
def test_emd_stays_near_the_reference_solver(golden, name):
    """Catches another ground distance or normalisation. The reference's solver rounds masses and costs to 1e-6."""
    case = golden(name)
    assert score(case, "emd") == approx(float(case["emd_fastemd"]), abs=2e-4, rel=0, nan_ok=True)


@pytest.mark.parametrize("name", DEPARTURES)
def test_emd_gives_no_perfect_score_to_a_map_that_has_none(golden, name):
    """Catches the reference's 0.0 for zero and NaN maps coming back: our one deliberate departure."""
    case = golden(name)
    assert math.isnan(score(case, "emd"))
    assert float(case["emd_fastemd"]) == 0


@pytest.mark.parametrize("name", RESIZINGS)
def test_imresize_matches_matlab(golden, name):
    """Catches another kernel, phase, edge or rounding rule, or a result of another type."""
    case = golden(name)
    how = {"scale": float(case["scale"])} if "scale" in case else {"size": tuple(case["size"])}
    resized, expected = imresize(case["input"], **how), case["output"]
    assert resized.dtype == case["input"].dtype
    if resized.dtype == np.float64:
        np.testing.assert_allclose(resized, expected, rtol=0, atol=1e-12)
    else:
        np.testing.assert_array_equal(resized, expected)


@pytest.mark.parametrize("name", BLURS)
def test_the_blur_matches_the_reference(golden, name):
    """Catches another cut-off, padding or crop; the clip at zero comes after."""
    case = golden(name)
    blurred = mit_blur(case["fixation_map"].astype(np.float64), cutoff=float(case["fc"]))
    np.testing.assert_allclose(blurred, case["output"], rtol=0, atol=1e-12)
    np.testing.assert_array_equal(mit_density(case["fixation_map"].astype(np.float64)), np.maximum(blurred, 0))
