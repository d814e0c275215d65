"""Print, metric by metric, how far salbench is from the reference values at most, and on which case.

Both protocols that have reference values: MIT300's MATLAB code and the SALICON challenge's evaluation.

Usage: SALBENCH_DATA=FOLDER python benchmarks/golden_differences.py
"""

import os
import sys
from pathlib import Path

import numpy as np

from salbench.metrics import MAP_METRICS, Metric, Truth
from salbench.protocols import salicon2015

ARGUMENTS = {
    Truth.FIXATIONS: "fixation_map",
    Truth.DENSITY: "ground_truth_map",
    Truth.OTHERS: "other_map",
    Truth.BASELINE: "baseline_map",
}
SALICON_SCORES = {"sauc": "sAUC", "auc": "AUC-B (SALICON)", "nss": "NSS", "cc": "CC"}
SALICON_SIZE = (480, 640)
INJECTED = {"auc_borji": "random_indices_borji", "auc_shuffled": "random_indices_shuffled"}


def score(metric: Metric, case: dict[str, np.ndarray]) -> float:
    options = {"jitter": False} if metric.key == "auc_judd" else {}
    if metric.key in INJECTED:
        options = {"random_indices": case[INJECTED[metric.key]]}
    return metric.function(case["saliency_map"], *(case[ARGUMENTS[need]] for need in metric.needs), **options)


def difference(metric: Metric, case: dict[str, np.ndarray]) -> float:
    """Absolute difference; 0 where both are NaN, infinite where only one is."""
    value, expected = score(metric, case), float(case[metric.key])
    if np.isnan(value) or np.isnan(expected):
        return 0.0 if np.isnan(value) and np.isnan(expected) else np.inf
    return abs(value - expected)


def mit300(golden: Path) -> None:
    files = sorted((golden / "mit300").glob("case*.npz"))
    largest = dict.fromkeys(MAP_METRICS, (0.0, "-"))
    for file in files:
        with np.load(file, allow_pickle=False) as arrays:
            case = dict(arrays)
        for key, metric in MAP_METRICS.items():
            largest[key] = max(largest[key], (difference(metric, case), file.stem))
    report(f"mit300: {len(files)} cases", {MAP_METRICS[key].symbol: found for key, found in largest.items()})


def salicon(golden: Path) -> None:
    """Every image of every stored set, with the challenge's filter of repeats and without."""
    files = sorted((golden / "salicon2015").glob("*.npz"))
    largest = dict.fromkeys(SALICON_SCORES, (0.0, "-"))
    images = 0
    for file in files:
        with np.load(file, allow_pickle=False) as arrays:
            case = dict(arrays)
        images += len(case["image_id"])
        for stored in ("filtered", "unfiltered"):
            away = np.abs(salicon_scores(case, filtered=stored == "filtered") - case[f"expected_{stored}"]).max(axis=0)
            for key, value in zip(case["metrics"].tolist(), away.tolist(), strict=True):
                largest[key] = max(largest[key], (value, f"{file.stem}, {stored}"))
    report(f"salicon2015: {images} images", {SALICON_SCORES[key]: found for key, found in largest.items()})


def salicon_scores(case: dict[str, np.ndarray], *, filtered: bool) -> np.ndarray:
    """(images, 4), in the order of the stored values."""
    fixations = {}
    for number in case["image_id"].tolist():
        listed = case[f"fix_rc_{number}"].astype(np.int64) - 1
        fixations[number] = salicon2015.repeated_positions(listed) if filtered else listed
    masks = {number: points(own) for number, own in fixations.items()}
    every = sum(mask.astype(float) for mask in masks.values())
    rows = []
    for number, own in fixations.items():
        fitted = salicon2015.fit_map(case[f"map_{number}"], SALICON_SIZE)
        drawn = np.cumsum(case[f"rand_delta_{number}"].astype(np.int64))
        rows.append(
            [
                salicon2015.shuffled_auc(fitted, own, every - masks[number]),
                salicon2015.auc(fitted, own, random_indices=drawn),
                salicon2015.nss(fitted, own),
                salicon2015.cc(fitted, salicon2015.density(masks[number])),
            ]
        )
    return np.array(rows)


def points(positions: np.ndarray) -> np.ndarray:
    mask = np.zeros(SALICON_SIZE, dtype=bool)
    mask[positions[:, 0], positions[:, 1]] = True
    return mask


def report(title: str, largest: dict[str, tuple[float, str]]) -> None:
    print(f"{title}, largest absolute difference from the reference")
    for symbol, (value, place) in largest.items():
        print(f"{symbol:<16} {value:8.1e}  {place}")


def main() -> None:
    if "SALBENCH_DATA" not in os.environ:
        sys.exit("SALBENCH_DATA is not set; it names the folder that holds golden/")
    golden = Path(os.environ["SALBENCH_DATA"]) / "golden"
    mit300(golden)
    print()
    salicon(golden)


if __name__ == "__main__":
    main()
