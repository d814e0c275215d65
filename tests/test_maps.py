import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy import ndimage

from salbench.errors import ShapeError, UsageError
from salbench.maps import (
    MIT_CUTOFF,
    imresize,
    is_flat,
    mit_blur,
    mit_density,
    normalise_range,
    normalise_sum,
    resize_to,
    standardise,
    to_float,
    value_range,
)

NOISE = np.random.default_rng(0).random((11, 14))
SIDES = st.integers(1, 12)


def keys_cubic(x):
    """Keys's convolution kernel, a = -1/2, piece by piece."""
    x = abs(x)
    if x <= 1:
        return 1.5 * x**3 - 2.5 * x**2 + 1
    if x <= 2:
        return -0.5 * x**3 + 2.5 * x**2 - 4 * x + 2
    return 0.0


def resized_line(line, length, scale):
    """One line by MATLAB's rule, one output and one tap at a time: 1-based positions, mirrored edges."""
    shrink = min(scale, 1.0)
    width = 4 / shrink
    result = []
    for place in range(1, length + 1):
        centre = place / scale + 0.5 * (1 - 1 / scale)
        first = math.floor(centre - width / 2)
        total = weight_sum = 0.0
        for tap in range(first, first + math.ceil(width) + 2):
            weight = shrink * keys_cubic(shrink * (centre - tap))
            inside = (tap - 1) % (2 * len(line))
            total += weight * line[inside if inside < len(line) else 2 * len(line) - 1 - inside]
            weight_sum += weight
        result.append(total / weight_sum)
    return result


def resized(image, size, scales):
    for axis in (0, 1) if scales[0] <= scales[1] else (1, 0):
        image = np.apply_along_axis(lambda line, a=axis: np.array(resized_line(line, size[a], scales[a])), axis, image)
    return image


@given(
    image=hnp.arrays(np.float64, st.tuples(SIDES, SIDES), elements=st.integers(-9, 9).map(float)),
    size=st.tuples(SIDES, SIDES),
)
def test_imresize_to_a_size_is_the_loop_over_taps(image, size):
    """Catches errors of phase, support, mirroring (also of images narrower than the kernel) and normalisation."""
    scales = (size[0] / image.shape[0], size[1] / image.shape[1])
    np.testing.assert_allclose(imresize(image, size=size), resized(image, size, scales), rtol=0, atol=1e-12)


@given(scale=st.sampled_from([1 / 32, 0.1, 0.3, 0.5, 0.75, 1.0, 1.1, 2.0, 3.7]))
def test_imresize_by_a_scale_is_the_loop_over_taps(scale):
    """Catches the scale recomputed from the rounded-up size: the two differ where the sides do not divide."""
    size = (math.ceil(scale * 11), math.ceil(scale * 14))
    expected = resized(NOISE, size, (scale, scale))
    assert imresize(NOISE, scale=scale).shape == size
    np.testing.assert_allclose(imresize(NOISE, scale=scale), expected, rtol=0, atol=1e-12)


def test_doubling_worked_by_hand():
    """Catches another cubic. Outputs lie 1/4 and 3/4 between pixels; the kernel there is, by hand, / 128:

    at 1.75: -3, at 1.25: -9, at 0.75: 29, at 0.25: 111. A spike shows them in order.
    """
    spike = np.zeros((1, 9))
    spike[0, 4] = 128
    doubled = imresize(spike, size=(1, 18))
    expected = np.pad([-3, -9, 29, 111, 111, 29, -9, -3], 5)
    np.testing.assert_allclose(doubled[0], expected, rtol=0, atol=1e-12)


def test_halving_is_antialiased():
    """Catches shrinking without the stretched kernel: a checkerboard becomes grey, not one of its colours."""
    checkerboard = np.indices((16, 16)).sum(axis=0) % 2.0
    assert np.abs(imresize(checkerboard, scale=0.5)[2:-2, 2:-2] - 0.5).max() < 0.05


@given(size=st.tuples(SIDES, SIDES))
def test_a_constant_stays_constant(size):
    """Catches weights that do not sum to one at the edges."""
    np.testing.assert_allclose(imresize(np.full((5, 7), 3.25), size=size), 3.25, rtol=0, atol=1e-14)


def test_the_same_size_changes_nothing():
    """Catches a half-pixel shift; the kernel is exactly 1 at 0 and 0 at whole distances."""
    np.testing.assert_array_equal(imresize(NOISE, size=NOISE.shape), NOISE)
    np.testing.assert_array_equal(imresize(NOISE, scale=1.0), NOISE)


def test_a_nan_spreads_under_the_whole_kernel():
    """Catches sparse weights that drop taps of weight zero: MATLAB multiplies them, and 0 * NaN is NaN.

    Tripled, every third output lies on a pixel and has the weights 0, 1, 0, 0; MATLAB drops a tap only where no output
    has a use for it. So four taps of three outputs each meet the NaN; at the same size the one tap left does.
    """
    unknown = np.zeros((1, 12))
    unknown[0, 6] = np.nan
    assert np.flatnonzero(np.isnan(imresize(unknown, size=(1, 12)))).tolist() == [6]
    assert np.isnan(imresize(unknown, size=(1, 36))).sum() == 12


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_unsigned_integers_are_rounded_half_up_and_clamped_after_each_pass(dtype):
    """Catches truncation, rounding half to even, wrap-around of the overshoot, and one rounding at the end."""
    top = np.iinfo(dtype).max
    image = np.random.default_rng(1).choice([0, top], (9, 7)).astype(dtype)
    first = np.clip(np.floor(imresize(image.astype(float), size=(9, 12)) + 0.5), 0, top)
    columns = imresize(image, size=(9, 12))
    assert columns.dtype == dtype
    np.testing.assert_array_equal(columns, first)
    both = imresize(image, size=(15, 12))  # scale 1.67 along rows, 1.71 along columns: rows first
    rows = imresize(image, size=(15, 7))
    np.testing.assert_array_equal(both, imresize(rows, size=(15, 12)))
    np.testing.assert_array_equal(imresize(np.array([[0, 1]], dtype=dtype), size=(1, 1)), [[1]])  # 0.5 goes up


def test_bool_is_cut_in_the_middle():
    """Catches a nearest-neighbour resize of masks, and 0/1 arithmetic that rounds to all or nothing."""
    mask = np.zeros((6, 6), dtype=bool)
    mask[:, 3:] = True
    enlarged = imresize(mask, size=(12, 12))
    assert enlarged.dtype == np.bool_
    np.testing.assert_array_equal(enlarged, np.arange(12)[None, :].repeat(12, 0) >= 6)
    assert not imresize(np.array([[False, True]]), size=(1, 1)).any()  # 127.5 is rounded to 128, which is not above 128


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.uint8, np.uint16, np.bool_])
def test_the_result_has_the_type_of_the_image(dtype):
    """Catches a float32 image that comes back as float64, twice its size."""
    assert imresize(np.ones((5, 5), dtype=dtype), size=(3, 8)).dtype == dtype


def test_the_order_of_the_passes_is_that_of_the_scales():
    """Catches rows always first: with rounding between the passes the order shows."""
    image = np.random.default_rng(2).integers(0, 256, (20, 20), dtype=np.uint8)
    np.testing.assert_array_equal(imresize(image, size=(18, 5)), imresize(imresize(image, size=(20, 5)), size=(18, 5)))
    np.testing.assert_array_equal(imresize(image, size=(5, 18)), imresize(imresize(image, size=(5, 20)), size=(5, 18)))


@pytest.mark.parametrize("shape", [(4,), (2, 3, 3), (0, 5)])
def test_imresize_wants_an_image(shape):
    """Catches channels resized as rows."""
    with pytest.raises(ShapeError, match="two-dimensional image that is not empty"):
        imresize(np.zeros(shape), size=(2, 2))


@pytest.mark.parametrize(
    ("how", "text"),
    [
        ({}, "either scale or size"),
        ({"scale": 2.0, "size": (2, 2)}, "either scale or size"),
        ({"scale": 0.0}, "scale must be positive and finite, not 0.0"),
        ({"scale": -1.0}, "scale must be positive"),
        ({"scale": math.inf}, "scale must be positive"),
        ({"scale": math.nan}, "scale must be positive"),
        ({"size": (0, 3)}, "size must be at least 1 x 1, not 0 x 3"),
        ({"size": (3, -1)}, "size must be at least 1 x 1"),
    ],
)
def test_imresize_wants_a_scale_or_a_size(how, text):
    """Catches an empty or an endless result."""
    with pytest.raises(UsageError, match=text):
        imresize(NOISE, **how)


def test_resize_to_the_same_size_is_the_map_itself():
    """Catches a copy, or a resize that rounds, for a map that fits."""
    assert resize_to(NOISE, (11, 14)) is NOISE
    np.testing.assert_array_equal(resize_to(NOISE, (5, 6)), imresize(NOISE, size=(5, 6)))


@pytest.mark.parametrize(
    ("array", "expected"),
    [
        (np.array([[0, 51, 255]], dtype=np.uint8), [[0, 0.2, 1]]),
        (np.array([[0, 13107, 65535]], dtype=np.uint16), [[0, 0.2, 1]]),
        (np.array([[0, 13107, 65535]], dtype=">u2"), [[0, 0.2, 1]]),
        (np.array([[False, True]]), [[0, 1]]),
        (np.array([[-3, 200]], dtype=np.int16), [[-3, 200]]),
        (np.array([[7, 70000]], dtype=np.uint32), [[7, 70000]]),
        (np.array([[0.25, 3]], dtype=np.float16), [[0.25, 3]]),
    ],
    ids=lambda value: str(getattr(value, "dtype", "")),
)
def test_to_float_scales_what_pictures_are_stored_in(array, expected):
    """Catches another divisor (256), other integers scaled, and a byte order that hides a 16-bit map."""
    values = to_float(array)
    assert values.dtype == np.dtype(np.float64)
    assert values.tolist() == expected


def test_to_float_does_not_copy_doubles():
    """Catches a copy of every map, several per stimulus."""
    assert to_float(NOISE) is NOISE


def test_value_range_leaves_nan_out():
    """Catches NaN as the extreme, and a warning for a map of nothing else."""
    assert value_range(np.array([[np.nan, 2.0, -1.0]])) == (-1, 2)
    assert np.isnan(value_range(np.full((2, 2), np.nan))).all()
    assert np.isnan(value_range(np.zeros((0, 3)))).all()


def test_flatness_is_tested_as_such():
    """Catches a standard deviation above zero by rounding, taken for a range."""
    assert is_flat(np.full((9, 9), 0.1))
    assert is_flat(np.array([[np.nan, 1.0, 1.0]]))
    assert is_flat(np.full((2, 2), np.nan))
    assert not is_flat(np.array([[1.0, np.nextafter(1.0, 2.0)]]))


def test_range_normalisation():
    """Catches NaN that spreads, and a flat map that becomes 0, 1 or infinite."""
    np.testing.assert_array_equal(normalise_range(np.array([[2.0, np.nan, 4.0, 3.0]])), [[0, np.nan, 1, 0.5]])
    assert np.isnan(normalise_range(np.full((3, 3), 0.1))).all()
    assert normalise_range(NOISE).min() == 0
    assert normalise_range(NOISE).max() == 1


def test_sum_normalisation():
    """Catches an all-zero map divided, an absolute value taken of the sum, and NaN hidden."""
    np.testing.assert_array_equal(normalise_sum(np.array([[1.0, 3.0]])), [[0.25, 0.75]])
    np.testing.assert_array_equal(normalise_sum(np.array([[-1.0, -3.0]])), [[0.25, 0.75]])
    np.testing.assert_array_equal(normalise_sum(np.zeros((1, 2))), [[0, 0]])
    assert np.isnan(normalise_sum(np.array([[np.nan, 1.0]]))).all()
    np.testing.assert_array_equal(normalise_sum(np.array([[1.0, -1.0]])), [[np.inf, -np.inf]])


def test_standardisation():
    """Catches N in place of N - 1, and rounding noise of a flat map blown up to z-scores."""
    np.testing.assert_allclose(standardise(np.array([[1.0, 2.0, 3.0]])), [[-1, 0, 1]], rtol=0, atol=1e-15)
    assert np.isnan(standardise(np.full((9, 9), 0.1))).all()
    assert np.isnan(standardise(np.array([[np.nan, 1.0, 2.0]]))).all()
    assert np.isnan(standardise(np.ones((1, 1)))).all()


@pytest.mark.parametrize("function", [normalise_range, normalise_sum, standardise, mit_blur, mit_density])
def test_nothing_is_changed_in_place(function):
    """Catches arithmetic on the caller's array."""
    array = NOISE.copy()
    array.flags.writeable = False
    function(array)
    np.testing.assert_array_equal(array, NOISE)


def complex_blur(fixations, cutoff):
    """The reference's formula as written: the whole complex spectrum, its real part, cropped."""
    height, width = fixations.shape
    longest = max(height, width)
    side = 2 ** math.ceil(math.log2(longest + longest % 2))
    padded = np.zeros((side, side))
    padded[:height, :width] = fixations
    frequency = np.concatenate([np.arange(side // 2), np.arange(-side // 2, 0)])
    squared = np.add.outer(frequency**2, frequency**2)
    gain = np.exp(-squared / (cutoff / math.sqrt(math.log(2))) ** 2)
    return np.real(np.fft.ifft2(np.fft.fft2(padded) * gain))[:height, :width]


@pytest.mark.parametrize("shape", [(64, 64), (48, 65), (33, 17), (127, 20), (128, 128), (1, 9), (5, 1), (1, 1)])
@pytest.mark.parametrize("cutoff", [MIT_CUTOFF, 3.0])
def test_the_blur_is_the_complex_formula(shape, cutoff):
    """Catches a wrong half of the real spectrum, a wrong side of the padded square, and rows taken for columns."""
    fixations = (np.random.default_rng(3).random(shape) < 0.1).astype(np.uint8) * 255
    np.testing.assert_allclose(
        mit_blur(fixations, cutoff=cutoff), complex_blur(fixations / 255, cutoff), rtol=0, atol=1e-13
    )


def test_the_cutoff_is_where_a_frequency_is_halved():
    """Catches a Gaussian of another width: a wave of 8 cycles per padded image comes out at half its height."""
    wave = np.cos(2 * np.pi * 8 * np.arange(64) / 64)[None, :].repeat(64, 0)
    np.testing.assert_allclose(mit_blur(wave), wave / 2, rtol=0, atol=1e-12)


def test_the_blur_wraps_around():
    """Catches a blur that is not circular: the reference's is, so a fixation in a corner leaks to the others."""
    corner = np.zeros((64, 64))
    corner[0, 0] = 1
    blurred = mit_blur(corner)
    assert blurred[0, 63] > 0.9 * blurred[0, 1] > 0
    np.testing.assert_allclose(blurred.sum(), 1, rtol=0, atol=1e-12)


def test_a_density_has_no_negative_pixel():
    """Catches the round-off of the Fourier transform, which turns KL into NaN."""
    fixations = np.zeros((200, 240))
    fixations[20, 30] = 1
    assert mit_blur(fixations).min() < 0
    density = mit_density(fixations)
    assert density.min() == 0
    np.testing.assert_array_equal(density, np.maximum(mit_blur(fixations), 0))


def test_a_density_of_a_given_sigma():
    """Catches a sigma in cycles or degrees, and a blur that mirrors mass back in at the frame."""
    fixations = np.zeros((81, 81))
    fixations[40, 40] = 1
    density = mit_density(fixations, sigma=5.0)
    assert density[40, 45] / density[40, 40] == pytest.approx(math.exp(-0.5), rel=1e-12)
    assert density[40, 61] == 0 < density[40, 60]  # cut at four sigma
    np.testing.assert_allclose(density.sum(), 1, rtol=0, atol=1e-12)
    corner = np.zeros((40, 40))
    corner[0, 0] = 1
    assert mit_density(corner, sigma=5.0).sum() == pytest.approx(0.25, abs=0.05)  # three quarters fall outside
    expected = ndimage.gaussian_filter(fixations, 5.0, mode="constant")
    np.testing.assert_allclose(density, expected, rtol=0, atol=1e-16)  # the same sums, added in another order


@pytest.mark.parametrize("sigma", [0.0, -1.0, math.nan, math.inf])
def test_sigma_is_positive(sigma):
    """Catches a blur that divides by zero or never ends."""
    with pytest.raises(UsageError, match=r"blur sigma is .*; wanted: a positive, finite number"):
        mit_density(NOISE, sigma=sigma)


def test_a_very_long_map_is_refused_before_it_fills_the_memory():
    """Catches the square padding of a thin map: 60000 pixels that would be blurred as four gigapixels."""
    with pytest.raises(ShapeError, match="would be blurred as 65536 x 65536"):
        mit_density(np.zeros((60_000, 1), dtype=bool))


@pytest.mark.parametrize("gain", [2.0**-900, 2.0**-500, 2.0**500, 2.0**900])
def test_z_scores_of_extreme_values_are_those_of_ordinary_ones(gain):
    """Catches squares that leave float64's range: scores of zero or infinity for a map that is fine."""
    assert np.array_equal(standardise(NOISE * gain), standardise(NOISE))


@pytest.mark.parametrize("size", [(200, 300), (300, 200), (600, 800)])
@pytest.mark.parametrize("count", [1, 60, 20_000])
def test_summing_the_waves_that_pass_is_the_whole_filter(size, count):
    """Catches a wave too few, a gain counted once, and rows taken for columns: against the whole complex spectrum."""
    rng = np.random.default_rng(count)
    points = np.zeros(size)
    points.flat[rng.choice(points.size, count, replace=False)] = rng.integers(1, 4, count)
    side = 512 if max(size) <= 512 else 1024
    f = np.fft.fftfreq(side, 1 / side)
    gain = np.exp(-(f[:, None] ** 2 + f**2) / (8**2 / np.log(2)))
    expected = np.fft.ifft2(np.fft.fft2(points, (side, side)) * gain).real[: size[0], : size[1]]
    assert np.abs(mit_blur(points) - expected).max() < 1e-14 * max(1, expected.max())
