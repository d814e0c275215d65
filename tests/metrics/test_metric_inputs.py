"""What the metrics refuse, and how they say it: the argument, what came, what is wanted."""

import numpy as np
import pytest
from pytest import approx

from salbench.errors import SalbenchError, ShapeError, ValueRangeError
from salbench.metrics import MAP_METRICS, Truth, auc_judd, cc, information_gain, kl_divergence, nss

RAMP = np.arange(64.0).reshape(8, 8)
POINTS = np.zeros((8, 8), dtype=np.uint8)
POINTS[[1, 6], [2, 7]] = 1

ARGUMENTS = {
    Truth.FIXATIONS: ("fixation_map", POINTS),
    Truth.DENSITY: ("ground_truth_map", RAMP),
    Truth.OTHERS: ("other_map", POINTS),
    Truth.BASELINE: ("baseline_map", RAMP),
}
DENSITIES = {"saliency_map", "ground_truth_map", "baseline_map"}


def arguments_of(metric):
    return {"saliency_map": RAMP} | dict(ARGUMENTS[need] for need in metric.needs)


EVERY_ARGUMENT = [(key, name) for key, metric in MAP_METRICS.items() for name in arguments_of(metric)]
DENSITY_ARGUMENTS = [(key, name) for key, name in EVERY_ARGUMENT if name in DENSITIES]
POINT_ARGUMENTS = [(key, name) for key, name in EVERY_ARGUMENT if name not in DENSITIES]


def call(key, **changed):
    metric = MAP_METRICS[key]
    return metric.function(*(arguments_of(metric) | changed).values())


@pytest.mark.parametrize("key", MAP_METRICS)
def test_the_untouched_arguments_are_fine(key):
    """Catches a refusal below that comes from the fixture and not from the change."""
    assert isinstance(call(key), float)
    assert np.isfinite(call(key))


@pytest.mark.parametrize(
    ("array", "shape"),
    [
        (np.zeros(64), r"\(64,\)"),
        (np.zeros((8, 8, 3)), r"\(8, 8, 3\)"),
        (np.float64(1), r"\(\)"),
        (np.zeros((0, 8)), r"\(0, 8\)"),
        (np.zeros((8, 0)), r"\(8, 0\)"),
    ],
    ids=str,
)
@pytest.mark.parametrize(("key", "argument"), EVERY_ARGUMENT)
def test_anything_but_two_dimensions_is_refused(key, argument, array, shape):
    """Catches an RGB picture, a flat list or nothing at all scored as a map."""
    with pytest.raises(ShapeError, match=rf"^{argument} has shape {shape}; wanted: two dimensions, \(height, width\)"):
        call(key, **{argument: array})


@pytest.mark.parametrize("dtype", [complex, str, object, "datetime64[s]"], ids=str)
@pytest.mark.parametrize(("key", "argument"), EVERY_ARGUMENT)
def test_anything_but_numbers_is_refused(key, argument, dtype):
    """Catches a complex map cut to its real part, digits in strings, and objects that run code when compared."""
    array = np.zeros((8, 8), dtype=int).astype(dtype)
    with pytest.raises(ValueRangeError, match=rf"^{argument} has type .+; wanted: bool, integers or floats"):
        call(key, **{argument: array})


@pytest.mark.parametrize("infinity", [np.inf, -np.inf])
@pytest.mark.parametrize(("key", "argument"), DENSITY_ARGUMENTS)
def test_infinity_is_refused_in_maps(key, argument, infinity):
    """Catches a log density handed in with its minus infinities: it would turn into NaN somewhere inside."""
    array = RAMP.copy()
    array[:2, 0] = infinity
    with pytest.raises(ValueRangeError, match=rf"^{argument} holds 2 infinite values; wanted: finite or NaN"):
        call(key, **{argument: array})


@pytest.mark.parametrize("value", [0.5, -1e-3, np.nan, np.inf])
@pytest.mark.parametrize(("key", "argument"), POINT_ARGUMENTS)
def test_a_point_map_holds_whole_numbers(key, argument, value):
    """Catches a blurred map where points belong, the mistake that users of other suites report most."""
    array = POINTS.astype(float)
    array[4, 4] = value
    with pytest.raises(
        ValueRangeError, match=rf"^{argument} holds values that are not whole numbers, so it looks like"
    ):
        call(key, **{argument: array})


@pytest.mark.parametrize("key", [key for key, argument in POINT_ARGUMENTS if argument == "fixation_map"])
def test_a_fixation_map_covers_no_more_than_a_quarter(key):
    """Catches a blurred map saved as 8-bit: whole numbers nearly everywhere. A quarter itself is still accepted."""
    quarter = np.zeros((8, 8), dtype=np.uint8)
    quarter[:2] = 200
    assert np.isfinite(call(key, fixation_map=quarter))
    quarter[2, 0] = 1
    with pytest.raises(
        ValueRangeError, match=r"^fixation_map is non-zero at 27% of its pixels, .* wanted: a fixation map"
    ):
        call(key, fixation_map=quarter)


def test_the_errors_are_value_errors_of_salbench():
    """Catches errors that neither `except ValueError` nor the command line would take for a user's mistake."""
    assert issubclass(ShapeError, SalbenchError)
    assert issubclass(ShapeError, ValueError)
    assert issubclass(ValueRangeError, SalbenchError)
    assert issubclass(ValueRangeError, ValueError)


@pytest.mark.parametrize("key", MAP_METRICS)
def test_lists_are_arrays(key):
    """Catches an attribute asked of the argument before it is made an array."""
    metric = MAP_METRICS[key]
    options = {"rng": 1} if key.startswith("auc_") else {}
    as_lists = [array.tolist() for array in arguments_of(metric).values()]
    assert metric.function(*as_lists, **options) == metric.function(*arguments_of(metric).values(), **options)


@pytest.mark.parametrize("dtype", [bool, np.int8, np.uint8, np.int64, np.float16, np.float32, ">f8", ">i4"])
def test_the_type_of_a_fixation_map_does_not_matter(dtype):
    """Catches a mask that compares with True or with 1, and byte orders read backwards."""
    assert nss(RAMP, POINTS.astype(dtype)) == nss(RAMP, POINTS)


def test_counts_above_one_and_weights_count_once():
    """Catches weights by count, in each metric of fixations."""
    counts = POINTS * np.uint8(7)
    for metric in (nss, lambda s, f: auc_judd(s, f, jitter=False), lambda s, f: information_gain(s, f, RAMP.T)):
        assert metric(RAMP, counts) == metric(RAMP, POINTS)


@pytest.mark.parametrize(("dtype", "top"), [(np.uint8, 255), (np.uint16, 65535), (">u2", 65535)])
def test_unsigned_maps_are_scaled_to_one(dtype, top):
    """Catches an unscaled map: a jitter of 1e-7 that breaks fewer ties, and another epsilon relative to the sum.

    Byte order is no part of the value: a big-endian map from a TIFF or a .npy file is the same map.
    """
    whole = np.linspace(0, top, 64).reshape(8, 8).astype(dtype)
    scaled = whole.astype(float) / top
    truth = RAMP.T + 1
    assert kl_divergence(whole, truth) == kl_divergence(scaled, truth)
    assert auc_judd(whole, POINTS, rng=0) == auc_judd(scaled, POINTS, rng=0)


def test_a_bool_map_is_zeros_and_ones():
    """Catches arithmetic on bool, which NumPy refuses or takes for `or`."""
    mask = RAMP % 3 == 0
    assert cc(mask, RAMP) == cc(mask.astype(float), RAMP)
    assert cc(mask, mask) == approx(1, abs=1e-15)


def test_a_ragged_list_is_refused_by_its_arguments_name():
    with pytest.raises(ShapeError, match="saliency_map is no array"):
        nss([[1.0, 2.0], [3.0]], np.eye(8, dtype=bool))
