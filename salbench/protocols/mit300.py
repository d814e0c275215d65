"""Protocol `mit300`: the MIT Saliency Benchmark's reference code, the default."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from salbench.arrays import FixationMap, FloatArray, SaliencyMap
from salbench.maps import MIT_CUTOFF, is_flat, mit_density, normalise_range, resize_to
from salbench.metrics import METRICS, Truth
from salbench.metrics.inputs import as_map
from salbench.protocols.protocol import GroundTruth, Protocol, RngOf

_DRAWING = frozenset({"auc_judd", "auc_borji", "auc_shuffled"})
_RESIZING_THEMSELVES = frozenset({"kl_divergence", "emd"})
"""These look at the map before it is resized: KL at its sign, EMD resizes to its own grid."""


def density(fixation_map: FixationMap, sigma: float | None) -> FloatArray:
    """The ground-truth map: MIT300's filter, or a Gaussian of sigma pixels. See `salbench.maps.mit_density`."""
    return mit_density(fixation_map, sigma=sigma)


def describe_blur(sigma: float | None) -> str:
    """What `density` does, in words."""
    if sigma is None:
        return f"MIT300 low-pass, {MIT_CUTOFF:g} cycles per image"
    return f"Gaussian, sigma {sigma:g} px"


def evaluate(saliency_map: SaliencyMap, truth: GroundTruth, keys: Sequence[str], rng: RngOf) -> dict[str, float]:
    """Scores of one saliency map by metric key.

    `saliency_map`: (H, W), resized to the ground truth where its size differs. Raises ShapeError and ValueRangeError
    for a map that no metric accepts.
    """
    read = as_map(saliency_map, "saliency_map")
    fitted = resize_to(read, truth.fixation_map.shape)
    return {key: _score(key, read if key in _RESIZING_THEMSELVES else fitted, truth, rng) for key in keys}


def _score(key: str, saliency: FloatArray, truth: GroundTruth, rng: RngOf) -> float:
    metric = METRICS[key]
    against: dict[Truth, Any] = {
        Truth.FIXATIONS: truth.fixation_map,
        Truth.DENSITY: truth.density,
        Truth.OTHERS: truth.other_map,
        Truth.BASELINE: truth.baseline_map,
    }
    options = {"rng": rng(key)} if key in _DRAWING else {}
    values = _with_range_far_above_jitter(saliency) if key == "auc_judd" else saliency
    return metric.function(values, *(against[need] for need in metric.needs), **options)


def _with_range_far_above_jitter(saliency: FloatArray) -> FloatArray:
    """AUC-J's jitter is absolute, so a density of tiny values would drown in it: stretch the range first."""
    return np.zeros(saliency.shape) if is_flat(saliency) and not np.isnan(saliency).all() else normalise_range(saliency)


MIT300 = Protocol(
    key="mit300",
    label="MIT300",
    description="MIT Saliency Benchmark's MATLAB code (Bylinskii et al.); IG against the centre prior of the split",
    metrics=tuple(METRICS),
    density=density,
    evaluate=evaluate,
    describe_blur=describe_blur,
)
