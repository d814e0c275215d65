"""The metrics as the reference code computes them, step by step: one pass over the map per threshold, one per split.

NumPy, vectorised within each pass, written to be measured against; `plain_loops.py` loops over the pixels too. The maps
of a call have one size.
"""

import numpy as np
import ot
from scipy.spatial.distance import cdist

from salbench.maps import imresize

EPS = np.finfo(float).eps


def stretch(values):
    return (values - np.nanmin(values)) / (np.nanmax(values) - np.nanmin(values))


def area(x, y):
    return np.trapezoid([0.0, *y, 1.0], [0.0, *x, 1.0])


def auc_judd(saliency, fixated, rng):
    saliency = stretch(saliency + rng.random(saliency.shape) / 1e7)
    values = saliency.ravel()
    thresholds = sorted(values[fixated.ravel()], reverse=True)
    n, pixels = len(thresholds), values.size
    hits, alarms = [], []
    for i, threshold in enumerate(thresholds, start=1):
        above = np.sum(values >= threshold)
        hits.append(i / n)
        alarms.append((above - i) / (pixels - n))
    return area(alarms, hits)


def sampled(saliency, fixated, draw):
    values = stretch(saliency).ravel()
    positives = values[fixated.ravel()]
    areas = []
    for _ in range(100):
        negatives = values[draw(positives.size)]
        top = max(positives.max(), negatives.max())
        thresholds = np.arange(0, top + 1e-12, 0.1)[::-1]
        hits = [np.sum(positives >= t) / positives.size for t in thresholds]
        alarms = [np.sum(negatives >= t) / negatives.size for t in thresholds]
        areas.append(area(alarms, hits))
    return np.mean(areas)


def auc_borji(saliency, fixated, rng):
    return sampled(saliency, fixated, lambda count: rng.integers(0, saliency.size, count))


def auc_shuffled(saliency, fixated, other, rng):
    pool = np.flatnonzero(other)
    return sampled(saliency, fixated, lambda count: rng.permutation(pool)[:count])


def z_scores(values):
    return (values - values.mean()) / values.std(ddof=1)


def nss(saliency, fixated):
    return z_scores(saliency)[fixated].mean()


def information_gain(saliency, fixated, baseline):
    ours, theirs = (stretch(values) / stretch(values).sum() for values in (saliency, baseline))
    return np.mean(np.log2(EPS + ours[fixated]) - np.log2(EPS + theirs[fixated]))


def cc(saliency, truth):
    return np.corrcoef(z_scores(saliency).ravel(), z_scores(truth).ravel())[0, 1]


def sim(saliency, truth):
    ours, theirs = (stretch(values) / stretch(values).sum() for values in (saliency, truth))
    return np.minimum(ours, theirs).sum()


def kl_divergence(saliency, truth):
    ours, theirs = saliency / saliency.sum(), truth / truth.sum()
    return np.sum(theirs * np.log(EPS + theirs / (ours + EPS)))


def emd(saliency, truth):
    small = imresize(truth, scale=1 / 32)
    ours = imresize(saliency, size=small.shape)
    cells = np.indices(small.shape).reshape(2, -1).T.astype(float)
    masses = [np.maximum(values, 0).ravel() for values in (ours, small)]
    return ot.emd2(*(mass / mass.sum() for mass in masses), cdist(cells, cells))
