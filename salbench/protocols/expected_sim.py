"""The saliency map that a density's own fixations are expected to match best in SIM.

SIM compares a map s with the blurred fixations Q, both of sum 1: the sum over pixels of min(s, Q). Where the fixations
come from a known density, the best map is the one that maximises the expectation of that sum over s >= 0 of sum 1.
More s at a pixel gains the chance that Q exceeds s there; at the optimum that chance is the same at every pixel, so s
is a quantile of Q, the same one everywhere, and the quantile is the one whose map sums to 1.
"""

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from salbench.arrays import FloatArray, IntArray

VALUES = 36_000_000
"""How many pixels all drawn maps have together: about 150 MB, and less than a second of work. Above 1.1 megapixels
the fewest maps are more, 128 bytes a pixel: 0.8 GB for 2000 x 3000."""
SAMPLES = (32, 1000)
"""Fewest and most maps that are drawn; 75 for 600 x 800 pixels, where about 0.001 of SIM is left to gain."""


def best_sim_map(
    probabilities: FloatArray, count: int, blurred: Callable[[IntArray], FloatArray], rng: np.random.Generator
) -> FloatArray:
    """The map of the largest mean SIM with blurred maps of `count` fixations drawn from the density; of sum 1.

    `probabilities`: (H, W), at least 0, with a positive sum. `count`: at least 1. `blurred`: from positions, (count, 2)
    [row, column] with repeats, to the ground-truth map they give, (H, W), at least 0. Deterministic for a given
    generator. Exact for the maps drawn, in float32.
    """
    fewest, most = SAMPLES
    samples = min(most, max(fewest, VALUES // probabilities.size))
    return fill_to_one(_drawn_maps(probabilities, count, blurred, samples, rng)).reshape(probabilities.shape)


def _drawn_maps(
    probabilities: FloatArray,
    count: int,
    blurred: Callable[[IntArray], FloatArray],
    samples: int,
    rng: np.random.Generator,
) -> npt.NDArray[np.float32]:
    """(samples, H * W): blurred maps of drawn fixations, each of sum 1."""
    flat = (probabilities / probabilities.sum()).ravel()
    drawn = rng.choice(flat.size, size=(samples, count), p=flat)
    maps = np.empty((samples, flat.size), dtype=np.float32)
    for row, pixels in zip(maps, drawn, strict=True):
        values = blurred(np.column_stack(np.divmod(pixels, probabilities.shape[1]))).ravel()
        row[:] = values / values.sum()
    return maps


def fill_to_one(maps: npt.NDArray[np.float32]) -> FloatArray:
    """The map s of sum 1 with the largest mean over the rows q of `maps` of sum(min(s, q)); sorts `maps` in place.

    (n, pixels), at least 0, each row of sum 1, to (pixels,). Sorted, row k holds the k-th smallest value of each pixel.
    Between two neighbouring rows every pixel gains alike, so that s fills all pixels together, row by row, until its
    sum is 1, and where between two rows that is does not matter.
    """
    maps.sort(axis=0)
    levels = maps.sum(axis=1, dtype=np.float64)
    above = min(int(np.searchsorted(levels, 1.0)), len(levels) - 1)
    # The mean level is 1: where even the lowest is not below, all rows are equal, and there is no room between them.
    # Rounding may leave the highest below 1, hence no step beyond it.
    lower, upper = (maps[row].astype(np.float64) for row in (max(0, above - 1), above))
    missing, room = 1 - lower.sum(), upper.sum() - lower.sum()
    filled: FloatArray = lower + min(1.0, missing / room) * (upper - lower) if room > 0 else upper
    filled /= filled.sum()  # 1 already, but for the rounding of the rows
    return filled
