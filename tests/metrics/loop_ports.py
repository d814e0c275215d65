"""The metrics once more, in plain Python: one pixel, one threshold, one term at a time, as they are defined.

Slow and obvious on purpose. Nothing here may call `salbench`.
"""

import math
from itertools import pairwise

EPSILON = 2.0**-52


def pixels(array):
    return [float(value) for row in array.tolist() for value in row]


def stretched(values):
    """(m - min) / (max - min), NaN left out of both."""
    known = [value for value in values if not math.isnan(value)]
    low, high = min(known), max(known)
    return [(value - low) / (high - low) for value in values]


def z_scores(values):
    mean = math.fsum(values) / len(values)
    deviation = math.sqrt(math.fsum((value - mean) ** 2 for value in values) / (len(values) - 1))
    return [(value - mean) / deviation for value in values]


def shares(values):
    total = math.fsum(values)
    return [value / total for value in values]


def area(curve):
    """Trapezoids under (0, 0), the (false, true) positive rates given, (1, 1)."""
    points = [(0.0, 0.0), *curve, (1.0, 1.0)]
    return math.fsum((right[0] - left[0]) * (right[1] + left[1]) / 2 for left, right in pairwise(points))


def auc_judd(saliency_map, fixation_map):
    """Without jitter. A NaN is no smaller than anything: as a threshold it comes first, and no pixel reaches it."""
    saliency = stretched(pixels(saliency_map))
    at_fixations = [value for value, count in zip(saliency, pixels(fixation_map), strict=True) if count]
    n, negatives = len(at_fixations), len(saliency) - len(at_fixations)
    curve = []
    for i, threshold in enumerate(sorted(at_fixations, key=lambda v: (not math.isnan(v), -v)), start=1):
        reached = sum(value >= threshold for value in saliency)
        curve.append(((reached - i) / negatives, i / n))
    return area(curve)


def auc_sampled(saliency_map, fixation_map, random_indices, step_size=0.1):
    """AUC-B and sAUC: they differ only in what is drawn."""
    saliency = stretched(pixels(saliency_map))
    positives = [value for value, count in zip(saliency, pixels(fixation_map), strict=True) if count]
    areas = []
    for split in random_indices.T.tolist():
        negatives = [saliency[index] for index in split]
        top = max(value for value in positives + negatives if not math.isnan(value))
        curve = []
        for threshold in reversed(colon(top, step_size)):
            false_rate = sum(value >= threshold for value in negatives) / len(negatives)
            true_rate = sum(value >= threshold for value in positives) / len(positives)
            curve.append((false_rate, true_rate))
        areas.append(area(curve))
    return math.fsum(areas) / len(areas)


def colon(stop, step):
    """MATLAB's `0 : step : stop` as MathWorks describes it: counted, then filled from both ends."""
    tolerance = 2 * EPSILON * abs(stop)
    n = math.floor(stop / step + 0.5)
    if n * step - stop > tolerance:
        n -= 1
    last = n * step
    if last - stop > -tolerance:
        last = stop
    values = [0.0] * (n + 1)
    for k in range(n // 2 + 1):
        values[n - k] = last - k * step
        values[k] = k * step
    if n % 2 == 0:
        values[n // 2] = last / 2
    return values


def nss(saliency_map, fixation_map):
    scores = z_scores(pixels(saliency_map))
    fixated = [score for score, count in zip(scores, pixels(fixation_map), strict=True) if count]
    return math.fsum(fixated) / len(fixated)


def information_gain(saliency_map, fixation_map, baseline_map):
    model, baseline = shares(stretched(pixels(saliency_map))), shares(stretched(pixels(baseline_map)))
    gains = [
        math.log2(EPSILON + p) - math.log2(EPSILON + b)
        for p, b, count in zip(model, baseline, pixels(fixation_map), strict=True)
        if count
    ]
    return math.fsum(gains) / len(gains)


def cc(saliency_map, ground_truth_map):
    a, b = z_scores(pixels(saliency_map)), z_scores(pixels(ground_truth_map))
    return math.fsum(x * y for x, y in zip(a, b, strict=True)) / (len(a) - 1)


def sim(saliency_map, ground_truth_map):
    a, b = shares(stretched(pixels(saliency_map))), shares(stretched(pixels(ground_truth_map)))
    return math.fsum(min(x, y) for x, y in zip(a, b, strict=True))


def kl_divergence(saliency_map, ground_truth_map):
    p, q = shares(pixels(saliency_map)), shares(pixels(ground_truth_map))
    return math.fsum(y * math.log(EPSILON + y / (x + EPSILON)) for x, y in zip(p, q, strict=True))
