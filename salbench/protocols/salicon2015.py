"""Protocol `salicon2015`: the SALICON challenge's evaluation of 2015 (AUC, sAUC, NSS, CC).

Written from a description of the challenge's code (NUS-VIP/salicon-evaluation), exact on maps of the images' size as
today's SciPy resizes them. Its AUC is neither Judd's nor Borji's: it has the key `auc_borji`, whose idea it shares
(random pixels as negatives), and is shown as "AUC-B (SALICON)".

The functions take a map that `fit_map` made, and fixations as (n, 2) int positions [row, column], 0-based, with
repeats.
"""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import scipy

from salbench.arrays import BoolArray, FixationMap, FloatArray, IntArray, SaliencyMap
from salbench.errors import ShapeError, UsageError, ValueRangeError
from salbench.maps import gaussian_blur, to_float
from salbench.metrics.inputs import as_map
from salbench.protocols.protocol import GroundTruth, Protocol, RngOf

SIGMA = 19.0
"""Pixels: the Gaussian of CC's target."""
RANDOM_PIXELS = 100_000
"""How many pixels are drawn as negatives of the AUC."""
STEP = 0.01
"""Distance of the thresholds, which begin at 0."""
FLAT = 1e-12
"""A map whose range is at most this share of its largest magnitude is flat: anything less is rounding noise."""

_LEVELS = {1: 255, 2: 65535}
"""The largest value of an unsigned integer of so many bytes."""


def repeated_positions(positions: IntArray) -> IntArray:
    """The fixations that the challenge counts: a pixel seen k times stays k - 1 times, whoever looked.

    (n, 2) to (m, 2), sorted by row and column. The challenge's filter, on by default there.
    """
    in_order = positions[np.lexsort((positions[:, 1], positions[:, 0]))]
    kept: IntArray = in_order[:-1][(in_order[:-1] == in_order[1:]).all(axis=1)]
    return kept


def density(fixation_map: FixationMap, sigma: float | None = None) -> FloatArray:
    """CC's target: the fixation map under a Gaussian of 19 px (or `sigma`), cut at four sigma, edges mirrored.

    (H, W) to (H, W) float64. The challenge stretches it to [0, 1] afterwards, which CC cannot see.
    Raises UsageError for a sigma that is not positive and finite.
    """
    return gaussian_blur(to_float(np.asarray(fixation_map)), SIGMA if sigma is None else sigma, "reflect")


def describe_blur(sigma: float | None) -> str:
    """What `density` does, in words."""
    return f"Gaussian, sigma {SIGMA if sigma is None else sigma:g} px"


def fit_map(saliency_map: npt.ArrayLike, size: tuple[int, int]) -> FloatArray:
    """A saliency map as the challenge sees it: decoded, and resized to (height, width) unless it has that size.

    8-bit and 16-bit values are multiplied by 1/255 and 1/65535: the product differs from the quotient in the last bit
    of some levels, which decides ties at the thresholds. The resize is SciPy's cubic spline through the corner pixels;
    it overshoots, and where rounding puts the last coordinate beyond the map its last row or column is 0.
    Raises ShapeError and ValueRangeError as `salbench.metrics.inputs.as_map`.
    """
    decoded = _decoded(np.asarray(saliency_map))
    if decoded.shape == size:
        return decoded
    factors = tuple(wanted / own for wanted, own in zip(size, decoded.shape, strict=True))
    fitted: FloatArray = scipy.ndimage.zoom(decoded, factors, order=3)
    return fitted


def _decoded(values: npt.NDArray[Any]) -> FloatArray:
    if values.dtype.kind != "u" or values.dtype.itemsize > 2:
        return as_map(values, "saliency_map")
    decoded: FloatArray = as_map(values.astype(np.float64), "saliency_map") * (1 / _LEVELS[values.dtype.itemsize])
    return decoded


def auc(
    saliency_map: FloatArray,
    positions: IntArray,
    *,
    random_indices: IntArray | None = None,
    rng: np.random.Generator | None = None,
) -> float:
    """The challenge's AUC: values at fixations, repeats counted, against 100,000 pixels drawn with replacement.

    `random_indices`: (k,) flat indices, row by row, instead of a draw from `rng`; one of the two must be given, else
    UsageError. 0.5 for a flat map; NaN without fixations or where the map has a NaN.
    """
    if (random_indices is None) == (rng is None):
        raise UsageError("auc wants either random_indices or rng")
    values, positives = _values_and_positives(saliency_map, positions)
    if rng is not None:
        random_indices = rng.integers(values.size, size=RANDOM_PIXELS)
    assert random_indices is not None  # noqa: S101 - narrows the type, checked above
    negatives = values.ravel()[_within(np.asarray(random_indices), values.size)]
    return _area(positives, negatives, np.ones(negatives.size))


def shuffled_auc(saliency_map: FloatArray, positions: IntArray, other_counts: FloatArray) -> float:
    """The challenge's sAUC: against the other images' fixated pixels, each weighted by the number of those images.

    `other_counts`: (H, W), how many other images have a fixation at a pixel; pixels of this image's own fixations do
    not count. Nothing is drawn. 0.5 for a flat map; NaN without fixations, without negatives, or where the map has a
    NaN. Raises ShapeError where the shapes differ.
    """
    if other_counts.shape != saliency_map.shape:
        raise ShapeError(f"other_counts has shape {other_counts.shape}; wanted: the map's, {saliency_map.shape}")
    values, positives = _values_and_positives(saliency_map, positions)
    negative = (other_counts > 0) & ~_mask(positions, values.shape)
    return _area(positives, values[negative], other_counts[negative])


def nss(saliency_map: FloatArray, positions: IntArray) -> float:
    """Mean z-score at the fixations, repeats counted; standard deviation over N.

    0 for a flat map; NaN without fixations or where the map has a NaN.
    """
    values, positives = _values_and_positives(saliency_map, positions)
    if not positives.size:
        return np.nan
    spread = float(values.std())
    return float((positives - values.mean()).mean() / (spread if spread != 0 else 1.0))


def cc(saliency_map: FloatArray, target: FloatArray) -> float:
    """Pearson's correlation of the map and of `density`'s target over all pixels; NaN where either is flat or has NaN.

    Raises ShapeError where the shapes differ.
    """
    if target.shape != saliency_map.shape:
        raise ShapeError(f"target has shape {target.shape}; wanted: the map's, {saliency_map.shape}")
    first, second = (_centred(_stretched(array)) for array in (saliency_map, target))
    scale = float(np.sqrt(np.vdot(first, first)) * np.sqrt(np.vdot(second, second)))
    return float(np.vdot(first, second)) / scale if scale != 0 else np.nan


def _centred(values: FloatArray) -> FloatArray:
    centred: FloatArray = values - values.mean()
    return centred


def _stretched(saliency_map: FloatArray) -> FloatArray:
    """The map with its range stretched to [0, 1]; all 0 where it is flat, all NaN where a pixel is NaN."""
    low, high = float(saliency_map.min()), float(saliency_map.max())
    if np.isnan(low):
        return np.full(saliency_map.shape, np.nan)
    if high - low <= FLAT * max(abs(low), abs(high)):
        return np.zeros(saliency_map.shape)
    shifted: FloatArray = saliency_map - low
    shifted /= shifted.max()
    return shifted


def _values_and_positives(saliency_map: FloatArray, positions: IntArray) -> tuple[FloatArray, FloatArray]:
    """The stretched map, and its values at the fixations. ValueRangeError for a fixation outside the map."""
    values = _stretched(saliency_map)
    _mask(positions, values.shape)
    return values, values[positions[:, 0], positions[:, 1]]


def _mask(positions: IntArray, size: tuple[int, ...]) -> BoolArray:
    """(H, W), True at the fixated pixels."""
    if positions.ndim != 2 or positions.shape[1] != 2:
        raise ShapeError(f"positions have shape {positions.shape}; wanted: (n, 2), row and column")
    for axis, name in enumerate(("row", "column")):
        _within(positions[:, axis], size[axis], f"a fixation's {name}")
    mask = np.zeros(size, dtype=np.bool_)
    mask[positions[:, 0], positions[:, 1]] = True
    return mask


def _within(indices: IntArray, count: int, what: str = "a random index") -> IntArray:
    if indices.size and not (indices.min() >= 0 and indices.max() < count):
        raise ValueRangeError(f"{what} is outside 0 to {count - 1}: found {indices.min()} to {indices.max()}")
    return indices


def _area(positives: FloatArray, negatives: FloatArray, weights: FloatArray) -> float:
    """Area under the ROC curve at thresholds 0, 0.01, 0.02, ... below the largest value; rates by `>=`."""
    if not positives.size or not negatives.size or np.isnan(positives[0]):
        return np.nan
    top = max(float(positives.max()), float(negatives.max()))
    thresholds: FloatArray = np.arange(int(np.ceil(top / STEP)), dtype=np.float64) * STEP
    hits = _share_reaching(thresholds, positives, np.ones(positives.size))
    false_alarms = _share_reaching(thresholds, negatives, weights)
    return float(np.trapezoid(hits, false_alarms))


def _share_reaching(thresholds: FloatArray, values: FloatArray, weights: FloatArray) -> FloatArray:
    """The weight share of values that reach each threshold, thresholds falling, between the curve's ends 0 and 1."""
    passed = np.searchsorted(thresholds, values, side="right")
    counts = np.bincount(passed, weights, minlength=len(thresholds) + 1)
    reaching = np.cumsum(counts[::-1])[:-1] / counts.sum()
    return np.concatenate([[0.0], reaching, [1.0]])


def evaluate(saliency_map: SaliencyMap, truth: GroundTruth, keys: Sequence[str], rng: RngOf) -> dict[str, float]:
    """Scores of one saliency map by metric key.

    `saliency_map`: (H, W), fitted to the ground truth by `fit_map`. Raises ShapeError and ValueRangeError as there.
    """
    fitted = fit_map(saliency_map, (truth.fixation_map.shape[0], truth.fixation_map.shape[1]))
    return {key: _SCORES[key](fitted, truth, rng) for key in keys}


def _auc_of(fitted: FloatArray, truth: GroundTruth, rng: RngOf) -> float:
    return auc(fitted, truth.known_positions, rng=rng("auc_borji"))


def _shuffled_auc_of(fitted: FloatArray, truth: GroundTruth, rng: RngOf) -> float:
    del rng
    assert truth.other_counts is not None  # noqa: S101 - the runner gives what the protocol says that it needs
    return shuffled_auc(fitted, truth.known_positions, truth.other_counts)


def _nss_of(fitted: FloatArray, truth: GroundTruth, rng: RngOf) -> float:
    del rng
    return nss(fitted, truth.known_positions)


def _cc_of(fitted: FloatArray, truth: GroundTruth, rng: RngOf) -> float:
    del rng
    assert truth.density is not None  # noqa: S101 - as above
    return cc(fitted, truth.density)


_SCORES: dict[str, Callable[[FloatArray, GroundTruth, RngOf], float]] = {
    "auc_borji": _auc_of,
    "auc_shuffled": _shuffled_auc_of,
    "nss": _nss_of,
    "cc": _cc_of,
}

SALICON2015 = Protocol(
    key="salicon2015",
    label="SALICON 2015",
    description="SALICON challenge's evaluation code: AUC-B (SALICON), sAUC, NSS, CC on pixels fixated more than once",
    metrics=tuple(_SCORES),
    density=density,
    evaluate=evaluate,
    describe_blur=describe_blur,
    counted=repeated_positions,
    other_images=None,
    symbols={"auc_borji": "AUC-B (SALICON)"},
)
