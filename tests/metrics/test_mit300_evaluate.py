"""The protocol scores a map by all metrics at once, sharing what they have in common: no bit may differ for that."""

from dataclasses import replace

import numpy as np
import pytest

from salbench.maps import mit_density, normalise_range
from salbench.metrics import MAP_METRICS, Truth
from salbench.metrics.prepared import PreparedMap, flat_statistics, named_statistics
from salbench.protocols import GroundTruth
from salbench.protocols.mit300 import MIT300

SIZE = (90, 130)


def points(seed, count):
    fixations = np.zeros(SIZE, dtype=bool)
    fixations.flat[np.random.default_rng(seed).choice(fixations.size, count, replace=False)] = True
    return fixations


FIXATIONS, OTHERS = points(0, 40), points(1, 300)
TRUTH = GroundTruth(FIXATIONS, mit_density(FIXATIONS), OTHERS, mit_density(OTHERS))
SMOOTH = mit_density(points(2, 9)) + 1e-4 * np.random.default_rng(3).random(SIZE)
UNKNOWN = SMOOTH.copy()
UNKNOWN[4, 7] = np.nan
SALIENCY_MAPS = {
    "float": SMOOTH,
    "8-bit": np.round(255 * SMOOTH / SMOOTH.max()).astype(np.uint8),
    "float32, Fortran order": np.asfortranarray(SMOOTH.astype(np.float32)),
    "tiny": SMOOTH * 1e-12,
    "huge": SMOOTH * 1e200,
    "negative": -SMOOTH,
    "smaller": SMOOTH[::3, ::2],
    "larger": np.kron(SMOOTH, np.ones((2, 2))),
    "not contiguous": np.kron(SMOOTH, np.ones((1, 2)))[:, ::2],
    "constant": np.full(SIZE, 0.3),
    "zero": np.zeros(SIZE),
    "one NaN": UNKNOWN,
    "only NaN": np.full(SIZE, np.nan),
}


def seeded(key):
    return np.random.default_rng(sum(key.encode()))


def one_by_one(saliency_map, truth):
    """Each metric by its public function, on the raw arrays."""
    against = {
        Truth.FIXATIONS: truth.fixation_map,
        Truth.DENSITY: truth.density,
        Truth.OTHERS: truth.other_map,
        Truth.BASELINE: truth.baseline_map,
    }
    scores = {}
    for key, metric in MAP_METRICS.items():
        scored = stretched(saliency_map, truth.fixation_map.shape) if key == "auc_judd" else saliency_map
        options = {"rng": seeded(key)} if key.startswith("auc_") else {}
        scores[key] = metric.function(scored, *(against[need] for need in metric.needs), **options)
    return scores


def stretched(saliency_map, size):
    """AUC-J gets the resized map, range-normalised; zeros for a flat one, which that would turn into NaN."""
    fitted = PreparedMap(
        np.asarray(saliency_map / 255 if saliency_map.dtype == np.uint8 else saliency_map, dtype=float)
    )
    fitted = fitted.resized(size).values
    return np.zeros(size) if np.ptp(fitted) == 0 else normalise_range(fitted)


def bits(scores):
    return {key: np.float64(value).tobytes() if not np.isnan(value) else "NaN" for key, value in scores.items()}


@pytest.mark.parametrize("name", SALIENCY_MAPS)
def test_together_as_one_by_one(name):
    """Catches a shared map or statistic that is not the one the metric would have made, and a changed array."""
    scores = MIT300.evaluate(SALIENCY_MAPS[name], TRUTH, list(MAP_METRICS), seeded)
    assert bits(scores) == bits(one_by_one(SALIENCY_MAPS[name], TRUTH))
    assert bits(MIT300.evaluate(SALIENCY_MAPS[name], TRUTH, list(MAP_METRICS), seeded)) == bits(scores)


@pytest.mark.parametrize("key", MAP_METRICS)
def test_alone_as_together(key):
    """Catches a metric that relies on what another one, not asked for, has prepared."""
    together = MIT300.evaluate(SMOOTH, TRUTH, list(MAP_METRICS), seeded)
    assert MIT300.evaluate(SMOOTH, TRUTH, [key], seeded) == {key: together[key]}


@pytest.mark.parametrize("name", SALIENCY_MAPS)
def test_a_ground_truth_with_stored_statistics(name):
    """Catches statistics that change a score: they are a cache."""
    row = flat_statistics(PreparedMap(TRUTH.density))
    truth = replace(TRUTH, density_statistics=named_statistics(row, TRUTH.density.shape))
    expected = MIT300.evaluate(SALIENCY_MAPS[name], TRUTH, list(MAP_METRICS), seeded)
    assert bits(MIT300.evaluate(SALIENCY_MAPS[name], truth, list(MAP_METRICS), seeded)) == bits(expected)
