"""Fixation densities with a bandwidth and weights found by cross-validation: of a whole split, and of other viewers.

A density is a mixture of a Gaussian kernel estimate, the uniform density and, for one image, the centre prior. Its
parameters are those under which fixations that were left out are most likely. Nothing here knows a metric or a model.

Source: Kümmerer, Wallis and Bethge 2015 (Information-theoretic model comparison unifies saliency metrics), whose
baseline leaves images out and whose gold standard leaves viewers out.
"""

import hashlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from salbench.arrays import FloatArray, IntArray
from salbench.datasets.stimulus import Fixations, Stimulus
from salbench.errors import DataError, UsageError
from salbench.progress import Progress

BANDWIDTHS = (0.005, 0.3)
"""Where bandwidths are looked for, as shares of a side."""
GRID = 9
"""Bandwidths that are tried before the best is refined."""
PAIRS = 20_000_000
"""Pairs of fixations that one evaluation may look at; a split with more is represented by some of its images."""
SMALLEST_WEIGHT = 1e-6
"""Of a mixture's parts: no place has density zero, however far from every fixation."""
LARGEST_SIDE = 2048
"""Pixels of a kernel's side: larger frames are worked on at a lower resolution."""

Size = tuple[int, int]


@dataclass(frozen=True)
class CentrePriorFit:
    """How the centre prior of a split is made: `bandwidth` as a share of each side, `uniform`: weight of that part.

    `log_likelihood`: bits per fixation over the uniform density, images left out one at a time.
    """

    bandwidth: float
    uniform: float
    log_likelihood: float


@dataclass(frozen=True)
class GoldStandardFit:
    """How a gold standard is made of some viewers' fixations: `bandwidth` as a share of the longer side, and the
    weights of the uniform density and of the centre prior.

    `log_likelihood`: bits per fixation over the uniform density, viewers left out one at a time.
    """

    bandwidth: float
    uniform: float
    centre: float
    log_likelihood: float


@lru_cache(maxsize=8)
def kernel(length: int, sigma: float) -> FloatArray:
    """(length, length): column j is a Gaussian around pixel j, cut at the frame's border, its sum 1."""
    places = np.arange(length, dtype=np.float64)
    weights = np.exp(-0.5 * ((places[:, None] - places) / sigma) ** 2)
    weights /= weights.sum(axis=0)
    weights.flags.writeable = False
    return weights


def kernel_density(counts: FloatArray, sigmas: tuple[float, float]) -> FloatArray:
    """The sum of a Gaussian for every count, (H, W) to (H, W); its sum is that of the counts.

    `sigmas`: pixels, along the rows' and the columns' direction.
    """
    height, width = counts.shape
    density: FloatArray = kernel(height, sigmas[0]) @ counts @ kernel(width, sigmas[1]).T
    return density


def points_density(positions: IntArray, size: Size, sigmas: tuple[float, float]) -> FloatArray:
    """The same of a few fixations, (n, 2) [row, column]: quicker than from their map."""
    rows, columns = kernel(size[0], sigmas[0]), kernel(size[1], sigmas[1])
    density: FloatArray = rows[:, positions[:, 0]] @ columns[:, positions[:, 1]].T
    return density


def centre_prior(counts_of_others: FloatArray, fit: CentrePriorFit) -> FloatArray:
    """Log density of the next fixation, (H, W), natural logarithm, from the fixations of other images.

    `counts_of_others`: how many fell on each pixel. Without any, the uniform density.
    """
    height, width = counts_of_others.shape
    total = counts_of_others.sum()
    uniform = 1 / counts_of_others.size
    if total == 0:
        return np.full((height, width), np.log(uniform))
    density = kernel_density(counts_of_others, (fit.bandwidth * height, fit.bandwidth * width)) / total
    return _log_normalised((1 - fit.uniform) * density + fit.uniform * uniform)


def gold_standard(positions: IntArray, centre: FloatArray, fit: GoldStandardFit) -> FloatArray:
    """Log density of the next fixation, (H, W), natural logarithm, from some viewers' fixations on the image itself.

    `positions`: (n, 2) [row, column]. `centre`: the image's centre prior as log density. Without any fixation, the
    prior and the uniform density alone.
    """
    size = centre.shape[0], centre.shape[1]
    background = fit.uniform / centre.size + fit.centre * np.exp(centre)
    if not len(positions):
        return _log_normalised(background)
    sigma = fit.bandwidth * max(size)
    density = points_density(positions, size, (sigma, sigma)) / len(positions)
    return _log_normalised((1 - fit.uniform - fit.centre) * density + background)


def _log_normalised(density: FloatArray) -> FloatArray:
    logarithm: FloatArray = np.log(density)
    logarithm -= np.log(density.sum())
    return logarithm


@dataclass(frozen=True, eq=False)
class _Sample:
    """Fixations that a fit looks at, all in one frame: by image [row, column] and the viewers, as numbers."""

    size: Size
    positions: list[IntArray]
    viewers: list[IntArray]

    @property
    def count(self) -> int:
        """How many fixations there are."""
        return sum(len(positions) for positions in self.positions)


def fit_centre_prior(stimuli: Sequence[Stimulus], progress: Progress) -> CentrePriorFit:
    """The bandwidth and the weight of the uniform density under which each image's fixations are most likely, given
    those of all other images.

    Images of several sizes are brought to the commonest. Of a large split some images serve, picked by their names.
    Raises DataError where fewer than two images have fixations.
    """
    sample = _sample(stimuli, progress)
    progress.start("fitting the centre prior", GRID)
    found = _best_bandwidth(lambda bandwidth: _centre_mixture(sample, bandwidth), progress)
    progress.finish()
    return CentrePriorFit(found.bandwidth, found.weights[1], found.gain)


def fit_gold_standard(stimuli: Sequence[Stimulus], prior: CentrePriorFit, progress: Progress) -> GoldStandardFit:
    """The bandwidth and the weights of uniform density and centre prior under which each viewer's fixations are most
    likely, given those of the image's other viewers.

    Raises UsageError where no image has fixations of two viewers.
    """
    sample = _sample(stimuli, progress)
    if not any(len(np.unique(viewers)) > 1 for viewers in sample.viewers):
        raise UsageError("no image has fixations of two viewers, whom the gold standard leaves out one at a time")
    centre = np.concatenate(_prior_at_fixations(sample, prior))
    progress.start("fitting the gold standard", GRID)
    found = _best_bandwidth(lambda bandwidth: _viewer_mixture(sample, bandwidth, centre), progress)
    progress.finish()
    return GoldStandardFit(found.bandwidth, found.weights[1], found.weights[2], found.gain)


@dataclass(frozen=True)
class _Found:
    bandwidth: float
    weights: tuple[float, ...]
    gain: float


def _best_bandwidth(parts_at: Callable[[float], FloatArray], progress: Progress) -> _Found:
    """The bandwidth whose best mixture is the most likely: the best of a grid, refined between its neighbours.

    `parts_at(bandwidth)`: (parts, n), the density of every part of the mixture at n left-out fixations, as multiples of
    the uniform density.
    """

    from scipy.optimize import minimize_scalar  # noqa: PLC0415 - a tenth of a second that only a fit should cost

    def found(logarithm: float) -> _Found:
        bandwidth = float(np.exp(logarithm))
        parts = parts_at(bandwidth)
        weights = mixture_weights(parts)
        return _Found(bandwidth, tuple(weights.tolist()), float(np.log2(weights @ parts).mean()))

    grid = np.log(np.geomspace(*BANDWIDTHS, GRID))
    gains = []
    for logarithm in grid:
        gains.append(found(logarithm).gain)
        progress.advance()
    best = int(np.argmax(gains))
    around = grid[max(0, best - 1)], grid[min(GRID - 1, best + 1)]
    refined = minimize_scalar(lambda x: -found(x).gain, bounds=around, method="bounded", options={"xatol": 0.01})
    return max((found(float(refined.x)), found(grid[best])), key=lambda one: one.gain)


def mixture_weights(parts: FloatArray, *, rounds: int = 200) -> FloatArray:
    """The weights under which a mixture is most likely: (parts, n) densities at n observations to (parts,), sum 1.

    Expectation maximisation of a concave likelihood: it has one maximum. No weight is below SMALLEST_WEIGHT.
    """
    weights = np.full(len(parts), 1 / len(parts))
    for _ in range(rounds):
        shares = weights[:, None] * parts
        updated: FloatArray = np.maximum((shares / shares.sum(axis=0)).mean(axis=1), SMALLEST_WEIGHT)
        updated /= updated.sum()
        if np.abs(updated - weights).max() < 1e-7:
            return updated
        weights = updated
    return weights


def _centre_mixture(sample: _Sample, bandwidth: float) -> FloatArray:
    """Kernel density of the other images, and uniform density, at each fixation, as multiples of the latter."""
    height, width = sample.size
    sigmas = bandwidth * height, bandwidth * width
    rows, columns = kernel(height, sigmas[0]), kernel(width, sigmas[1])
    total = kernel_density(_counts(sample.positions, sample.size), sigmas)
    at_fixations = []
    for positions in sample.positions:
        own = _sums_of_pairs(positions, positions, rows, columns)
        others = sample.count - len(positions)
        at_fixations.append((total[positions[:, 0], positions[:, 1]] - own) / others)
    density = np.maximum(np.concatenate(at_fixations), 0.0) * total.size
    return np.stack([density, np.ones(density.size)])


def _viewer_mixture(sample: _Sample, bandwidth: float, centre: FloatArray) -> FloatArray:
    """Kernel density of the image's other viewers, uniform density and centre prior at each fixation, as multiples of
    the uniform. Fixations of an image's only viewer have no such density: they are left out.
    """
    height, width = sample.size
    sigma = bandwidth * max(sample.size)
    rows, columns = kernel(height, sigma), kernel(width, sigma)
    densities = []
    for positions, viewers in zip(sample.positions, sample.viewers, strict=True):
        density = np.full(len(positions), np.nan)
        for viewer in np.unique(viewers):
            own = viewers == viewer
            if not own.all():
                density[own] = _sums_of_pairs(positions[own], positions[~own], rows, columns) / np.count_nonzero(~own)
        densities.append(density)
    density = np.concatenate(densities) * (height * width)
    known = ~np.isnan(density)
    return np.stack([density[known], np.ones(np.count_nonzero(known)), centre[known]])


def _prior_at_fixations(sample: _Sample, prior: CentrePriorFit) -> list[FloatArray]:
    """The centre prior of each image at its fixations, as multiples of the uniform density."""
    parts = _centre_mixture(sample, prior.bandwidth)
    at_fixations = (1 - prior.uniform) * parts[0] + prior.uniform
    return np.split(at_fixations, np.cumsum([len(positions) for positions in sample.positions])[:-1])


def _sums_of_pairs(at: IntArray, around: IntArray, rows: FloatArray, columns: FloatArray) -> FloatArray:
    """For each position of `at`, the sum of the kernels around the others."""
    vertical = rows[at[:, 0][:, None], around[:, 0]]
    vertical *= columns[at[:, 1][:, None], around[:, 1]]
    sums: FloatArray = vertical.sum(axis=1)
    return sums


def _counts(positions: Iterable[IntArray], size: Size) -> FloatArray:
    counts = np.zeros(size)
    for some in positions:
        np.add.at(counts, (some[:, 0], some[:, 1]), 1.0)
    return counts


def _sample(stimuli: Sequence[Stimulus], progress: Progress) -> _Sample:
    """Fixations in one frame, image by image, as many images as PAIRS allows."""
    size = _commonest_size(stimuli)
    positions: list[IntArray] = []
    viewers: list[IntArray] = []
    left = PAIRS
    progress.start("reading fixations", len(stimuli))
    for place in sorted(range(len(stimuli)), key=lambda place: hashlib.sha256(stimuli[place].id.encode()).digest()):
        progress.advance()
        stimulus = stimuli[place]
        fixations = _readable(stimulus)
        if not len(fixations) or left < len(fixations) ** 2:
            continue
        left -= len(fixations) ** 2
        positions.append(_in_frame(fixations.positions, stimulus.size, size))
        viewers.append(np.unique(fixations.viewer, return_inverse=True)[1])
    progress.finish()
    if len(positions) < 2:
        raise DataError("a density cannot be cross-validated: fewer than two images have fixations")
    return _Sample(size, positions, viewers)


def _commonest_size(stimuli: Sequence[Stimulus]) -> Size:
    sizes, counts = np.unique([stimulus.size for stimulus in stimuli], axis=0, return_counts=True)
    height, width = sizes[counts.argmax()].tolist()
    shrink = max(1.0, max(height, width) / LARGEST_SIDE)
    return max(1, round(height / shrink)), max(1, round(width / shrink))


def _in_frame(positions: IntArray, size: Size, target: Size) -> IntArray:
    """Pixels of a frame in another: the middle of a pixel falls into the pixel that it becomes."""
    scaled: IntArray = (2 * positions + 1) * np.array(target) // (2 * np.array(size))
    return scaled


def _readable(stimulus: Stimulus) -> Fixations:
    try:
        return stimulus.fixations()
    except DataError:
        return Fixations.of_one_viewer([], [])
