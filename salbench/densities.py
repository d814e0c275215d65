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

import cv2
import numpy as np
import scipy

from salbench.arrays import FloatArray, IntArray
from salbench.datasets.stimulus import Fixations, Stimulus
from salbench.errors import DataError, UsageError
from salbench.progress import Progress

BANDWIDTHS = (0.005, 0.3)
"""Where bandwidths are looked for, as shares of a side."""
GRID = 9
"""Bandwidths that are tried before the best is refined."""
PAIRS = 20_000_000
"""Pairs of fixations that one evaluation looks at, about: where there are more, each image is judged by some of its
fixations, and still made of all others."""
MOST_IMAGES = 1000
"""Images that a fit reads, picked by their names."""
DIGITS = 10
"""Digits of a parameter that count: the last ones depend on the processor."""
SMALLEST_WEIGHT = 1e-6
"""Of a mixture's parts: no place has density zero, however far from every fixation."""
LARGEST_SIDE = 1024
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
    over_rows, over_columns = (kernel(side, sigma) for side, sigma in zip(counts.shape, sigmas, strict=True))
    rows, columns = np.nonzero(counts)
    density: FloatArray
    if rows.size < min(counts.shape):  # a sum of that many outer products is cheaper than two full products
        density = (over_rows[:, rows] * counts[rows, columns]) @ over_columns[:, columns].T
    else:
        density = over_rows @ counts @ over_columns.T
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
    density = _kernel_share(counts_of_others, lambda size: (fit.bandwidth * size[0], fit.bandwidth * size[1]))
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
    counts = _counts([positions], size)
    density = _kernel_share(counts, lambda frame: (fit.bandwidth * max(frame), fit.bandwidth * max(frame)))
    return _log_normalised((1 - fit.uniform - fit.centre) * density + background)


def _kernel_share(counts: FloatArray, sigmas: Callable[[Size], tuple[float, float]]) -> FloatArray:
    """The kernel density of counts, its sum 1; `sigmas`: of a frame's size. On large frames it is made of the counts of
    squares of pixels, and interpolated.
    """
    height, width = counts.shape
    square = -(-max(height, width) // LARGEST_SIDE)
    if square == 1:
        whole: FloatArray = kernel_density(counts, sigmas((height, width))) / counts.sum()
        return whole
    small = -(-height // square), -(-width // square)
    rows, columns = np.nonzero(counts)
    coarse = np.zeros(small)
    np.add.at(coarse, (rows // square, columns // square), counts[rows, columns])
    fine = cv2.resize(kernel_density(coarse, sigmas(small)), (width, height), interpolation=cv2.INTER_LINEAR)
    return np.asarray(fine / fine.sum(), dtype=np.float64)


def _log_normalised(density: FloatArray) -> FloatArray:
    logarithm: FloatArray = np.log(density)
    logarithm -= np.log(density.sum())
    return logarithm


@dataclass(frozen=True, eq=False)
class _Image:
    """One image's fixations, [row, column] in the sample's frame, the viewers as numbers, and which are `judged`."""

    positions: IntArray
    viewers: IntArray
    judged: IntArray

    @property
    def weights(self) -> FloatArray:
        """How many fixations each judged one stands for."""
        return np.full(len(self.judged), len(self.positions) / len(self.judged))

    @property
    def has_others(self) -> bool:
        """Whether there are viewers that can be left out."""
        return len(np.unique(self.viewers)) > 1


@dataclass(frozen=True, eq=False)
class _Sample:
    """The fixations that a fit looks at, all in one frame."""

    size: Size
    images: list[_Image]

    @property
    def count(self) -> int:
        """How many fixations there are."""
        return sum(len(image.positions) for image in self.images)


def fit_centre_prior(stimuli: Sequence[Stimulus], progress: Progress) -> CentrePriorFit:
    """The bandwidth and the weight of the uniform density under which each image's fixations are most likely, given
    those of all other images.

    Images of several sizes are brought to the commonest. Of a large split some images serve, picked by their names.
    Raises DataError where fewer than two images have fixations.
    """
    sample = _sample(stimuli, progress)
    progress.start("fitting the centre prior", GRID)
    weights = np.concatenate([image.weights for image in sample.images])
    found = _best_bandwidth(lambda bandwidth: _centre_mixture(sample, bandwidth), weights, progress)
    progress.finish()
    return CentrePriorFit(*_rounded(found.bandwidth, found.weights[1], found.gain))


def fit_gold_standard(stimuli: Sequence[Stimulus], prior: CentrePriorFit, progress: Progress) -> GoldStandardFit:
    """The bandwidth and the weights of uniform density and centre prior under which each viewer's fixations are most
    likely, given those of the image's other viewers.

    Raises UsageError where no image has fixations of two viewers.
    """
    sample = _sample(stimuli, progress)
    if not any(image.has_others for image in sample.images):
        raise UsageError("no image has fixations of two viewers, whom the gold standard leaves out one at a time")
    centre = _prior_at_fixations(sample, prior)
    progress.start("fitting the gold standard", GRID)
    weights = np.concatenate([image.weights * image.has_others for image in sample.images])
    found = _best_bandwidth(lambda bandwidth: _viewer_mixture(sample, bandwidth, centre), weights, progress)
    progress.finish()
    return GoldStandardFit(*_rounded(found.bandwidth, found.weights[1], found.weights[2], found.gain))


def _rounded(*values: float) -> list[float]:
    return [float(f"{value:.{DIGITS}g}") for value in values]


@dataclass(frozen=True)
class _Found:
    bandwidth: float
    weights: tuple[float, ...]
    gain: float


def _best_bandwidth(parts_at: Callable[[float], FloatArray], counted: FloatArray, progress: Progress) -> _Found:
    """The bandwidth whose best mixture is the most likely: the best of a grid, refined between its neighbours.

    `parts_at(bandwidth)`: (parts, n), the density of every part of the mixture at n left-out fixations, as multiples of
    the uniform density. `counted`: (n,), how much each of these counts.
    """

    def found(logarithm: float) -> _Found:
        bandwidth = float(np.exp(logarithm))
        parts = parts_at(bandwidth)
        weights = mixture_weights(parts, counted)
        gain = float(np.average(np.log2(weights @ parts), weights=counted))
        return _Found(bandwidth, tuple(weights.tolist()), gain)

    grid = np.log(np.geomspace(*BANDWIDTHS, GRID))
    gains = []
    for logarithm in grid:
        gains.append(found(logarithm).gain)
        progress.advance()
    best = int(np.argmax(gains))
    around = grid[max(0, best - 1)], grid[min(GRID - 1, best + 1)]
    refined = scipy.optimize.minimize_scalar(
        lambda x: -found(x).gain, bounds=around, method="bounded", options={"xatol": 0.01}
    )
    return max((found(float(refined.x)), found(grid[best])), key=lambda one: one.gain)


def mixture_weights(parts: FloatArray, counted: FloatArray, *, rounds: int = 200) -> FloatArray:
    """The weights under which a mixture is most likely: (parts, n) densities at n observations to (parts,), sum 1.

    `counted`: (n,), how much each observation counts. Expectation maximisation of a concave likelihood: it has one
    maximum. No weight is below SMALLEST_WEIGHT.
    """
    weights = np.full(len(parts), 1 / len(parts))
    of_all = counted / counted.sum()
    for _ in range(rounds):
        shares = weights[:, None] * parts
        updated: FloatArray = np.maximum((shares / shares.sum(axis=0)) @ of_all, SMALLEST_WEIGHT)
        updated /= updated.sum()
        if np.abs(updated - weights).max() < 1e-7:
            return updated
        weights = updated
    return weights


def _centre_mixture(sample: _Sample, bandwidth: float) -> FloatArray:
    """Kernel density of the other images, and uniform density, at each judged fixation, as multiples of the latter."""
    height, width = sample.size
    sigmas = bandwidth * height, bandwidth * width
    rows, columns = kernel(height, sigmas[0]), kernel(width, sigmas[1])
    total = kernel_density(_counts((image.positions for image in sample.images), sample.size), sigmas)
    at_fixations = []
    for image in sample.images:
        judged = image.positions[image.judged]
        own = _sums_of_pairs(judged, image.positions, rows, columns)
        others = sample.count - len(image.positions)
        at_fixations.append((total[judged[:, 0], judged[:, 1]] - own) / others)
    density = np.maximum(np.concatenate(at_fixations), 0.0) * total.size
    return np.stack([density, np.ones(density.size)])


def _viewer_mixture(sample: _Sample, bandwidth: float, centre: FloatArray) -> FloatArray:
    """Kernel density of the image's other viewers, uniform density and centre prior at each judged fixation, as
    multiples of the uniform. Fixations of an image's only viewer have no such density and do not count: 1 stands there.
    """
    height, width = sample.size
    sigma = bandwidth * max(sample.size)
    rows, columns = kernel(height, sigma), kernel(width, sigma)
    density = np.concatenate([_at_judged(image, rows, columns) for image in sample.images]) * (height * width)
    return np.stack([np.where(np.isnan(density), 1.0, density), np.ones(density.size), centre])


def _at_judged(image: _Image, rows: FloatArray, columns: FloatArray) -> FloatArray:
    """The density of the image's other viewers at its judged fixations; NaN where there is no other."""
    density = np.full(len(image.judged), np.nan)
    viewers = image.viewers[image.judged]
    for viewer in np.unique(viewers):
        own, rest = viewers == viewer, image.positions[image.viewers != viewer]
        if len(rest):
            density[own] = _sums_of_pairs(image.positions[image.judged[own]], rest, rows, columns) / len(rest)
    return density


def _prior_at_fixations(sample: _Sample, prior: CentrePriorFit) -> FloatArray:
    """The centre prior of each image at its judged fixations, as multiples of the uniform density."""
    parts = _centre_mixture(sample, prior.bandwidth)
    at_fixations: FloatArray = (1 - prior.uniform) * parts[0] + prior.uniform
    return at_fixations


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
    """The fixations of up to MOST_IMAGES images in one frame; of each as many are judged as PAIRS allows."""
    read: list[tuple[str, Size, Fixations]] = []
    progress.start("reading fixations", len(stimuli))
    for place in sorted(range(len(stimuli)), key=lambda place: hashlib.sha256(stimuli[place].id.encode()).digest()):
        progress.advance()
        stimulus = stimuli[place]
        fixations = _readable(stimulus) if len(read) < MOST_IMAGES else Fixations.of_one_viewer([], [])
        if len(fixations):
            read.append((stimulus.id, stimulus.size, fixations))
    progress.finish()
    if len(read) < 2:
        raise DataError("a density cannot be cross-validated: fewer than two images have fixations")
    size = _commonest([size for _, size, _ in read])
    budget = PAIRS // len(read)
    return _Sample(size, [_image(name, own, fixations, size, budget) for name, own, fixations in read])


def _image(name: str, own: Size, fixations: Fixations, size: Size, budget: int) -> _Image:
    """One image of the sample. What is judged is drawn by the image's name, so it depends on nothing else."""
    count = len(fixations)
    judged = max(1, min(count, budget // count))
    seed = int.from_bytes(hashlib.sha256(f"judged\0{name}".encode()).digest()[:8], "big")
    drawn = np.sort(np.random.default_rng(seed).choice(count, judged, replace=False))
    viewers = np.unique(fixations.viewer, return_inverse=True)[1]
    return _Image(_in_frame(fixations.positions, own, size), viewers, drawn)


def _commonest(sizes: Sequence[Size]) -> Size:
    """The commonest size, the largest of several; scaled down where it is large."""
    kinds, counts = np.unique(sizes, axis=0, return_counts=True)
    height, width = max(kinds[counts == counts.max()].tolist(), key=lambda kind: kind[0] * kind[1])
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
