"""The metrics in plain Python: one pixel, one threshold, one split, one term at a time, as the reference code loops.

Written to be measured against; arguments as in `numpy_ports.py`, where the same is vectorised within each threshold
and split. EMD resizes and measures distances in loops; the transport itself is POT's there as here, without mass in
common cancelled beforehand: nobody loops over the pivots of a simplex in Python.
"""

import math

import numpy as np
import ot

EPS = 2.0**-52


def pixels(array):
    return [value for row in array.tolist() for value in row]


def stretched(values):
    low, high = min(values), max(values)
    return [(value - low) / (high - low) for value in values]


def shares(values):
    total = sum(values)
    return [value / total for value in values]


def area(x, y):
    x, y = [0.0, *x, 1.0], [0.0, *y, 1.0]
    return sum((x[i + 1] - x[i]) * (y[i + 1] + y[i]) / 2 for i in range(len(x) - 1))


def count_at_least(values, threshold):
    count = 0
    for value in values:
        if value >= threshold:
            count += 1
    return count


def at_fixations(values, fixated):
    return [value for value, fixation in zip(values, pixels(fixated), strict=True) if fixation]


def auc_judd(saliency, fixated, rng):
    values = stretched([value + rng.random() / 1e7 for value in pixels(saliency)])
    thresholds = sorted(at_fixations(values, fixated), reverse=True)
    n = len(thresholds)
    x, y = [], []
    for i, threshold in enumerate(thresholds, start=1):
        x.append((count_at_least(values, threshold) - i) / (len(values) - n))
        y.append(i / n)
    return area(x, y)


def sampled(saliency, fixated, draw):
    values = stretched(pixels(saliency))
    positives = at_fixations(values, fixated)
    total = 0.0
    for _ in range(100):
        negatives = [values[index] for index in draw(len(positives))]
        thresholds = [k * 0.1 for k in range(int(max(positives + negatives) / 0.1 + 1e-9), -1, -1)]
        x = [count_at_least(negatives, threshold) / len(negatives) for threshold in thresholds]
        y = [count_at_least(positives, threshold) / len(positives) for threshold in thresholds]
        total += area(x, y)
    return total / 100


def auc_borji(saliency, fixated, rng):
    return sampled(saliency, fixated, lambda count: [int(rng.integers(saliency.size)) for _ in range(count)])


def auc_shuffled(saliency, fixated, other, rng):
    pool = [index for index, fixation in enumerate(pixels(other)) if fixation]
    return sampled(saliency, fixated, lambda count: rng.permutation(pool)[:count].tolist())


def mean_and_deviation(values):
    mean = sum(values) / len(values)
    squares = 0.0
    for value in values:
        squares += (value - mean) ** 2
    return mean, math.sqrt(squares / (len(values) - 1))


def nss(saliency, fixated):
    values = pixels(saliency)
    mean, deviation = mean_and_deviation(values)
    scores = [(value - mean) / deviation for value in at_fixations(values, fixated)]
    return sum(scores) / len(scores)


def information_gain(saliency, fixated, baseline):
    ours, theirs = (at_fixations(shares(stretched(pixels(values))), fixated) for values in (saliency, baseline))
    return sum(math.log2(EPS + p) - math.log2(EPS + q) for p, q in zip(ours, theirs, strict=True)) / len(ours)


def cc(saliency, truth):
    ours, theirs = pixels(saliency), pixels(truth)
    (our_mean, our_deviation), (their_mean, their_deviation) = mean_and_deviation(ours), mean_and_deviation(theirs)
    together = 0.0
    for a, b in zip(ours, theirs, strict=True):
        together += (a - our_mean) / our_deviation * (b - their_mean) / their_deviation
    return together / (len(ours) - 1)


def sim(saliency, truth):
    ours, theirs = shares(stretched(pixels(saliency))), shares(stretched(pixels(truth)))
    total = 0.0
    for a, b in zip(ours, theirs, strict=True):
        total += min(a, b)
    return total


def kl_divergence(saliency, truth):
    total = 0.0
    for p, q in zip(shares(pixels(saliency)), shares(pixels(truth)), strict=True):
        total += q * math.log(EPS + q / (p + EPS))
    return total


def cubic(x):
    x = abs(x)
    if x <= 1:
        return (1.5 * x - 2.5) * x * x + 1
    return ((-0.5 * x + 2.5) * x - 4) * x + 2 if x <= 2 else 0.0


def resized_rows(rows, length, scale):
    """MATLAB's imresize along the first axis of a list of rows, shrinking."""
    result = []
    for k in range(1, length + 1):
        centre = k / scale + 0.5 * (1 - 1 / scale)
        first = math.floor(centre - 2 / scale)
        weights = [cubic(scale * (centre - i)) for i in range(first, first + math.ceil(4 / scale) + 2)]
        total, row = sum(weights), [0.0] * len(rows[0])
        for i, weight in enumerate(weights, start=first):
            mirrored = (i - 1) % (2 * len(rows))
            source = rows[mirrored if mirrored < len(rows) else 2 * len(rows) - 1 - mirrored]
            for column, value in enumerate(source):
                row[column] += weight / total * value
        result.append(row)
    return result


def resized(array, size, scales):
    """Rows first: the order matters to the last bit only."""
    rows = resized_rows(array.tolist(), size[0], scales[0])
    columns = resized_rows([list(column) for column in zip(*rows, strict=True)], size[1], scales[1])
    return [value for row in zip(*columns, strict=True) for value in row]


def emd(saliency, truth):
    height, width = (math.ceil(side / 32) for side in truth.shape)
    scales = height / truth.shape[0], width / truth.shape[1]
    small = resized(truth, (height, width), (1 / 32, 1 / 32)), resized(saliency, (height, width), scales)
    masses = [np.array(shares([max(value, 0.0) for value in values])) for values in small]
    cells = [(row, column) for row in range(height) for column in range(width)]
    distances = np.array([[math.hypot(a[0] - b[0], a[1] - b[1]) for b in cells] for a in cells])
    return ot.emd2(*masses, distances)
