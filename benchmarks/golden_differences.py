"""Print, metric by metric, how far salbench is from the MATLAB reference values at most, and on which case.

Usage: SALBENCH_DATA=FOLDER python benchmarks/golden_differences.py
"""

import os
import sys
from pathlib import Path

import numpy as np

from salbench.metrics import MAP_METRICS, Metric, Truth

ARGUMENTS = {
    Truth.FIXATIONS: "fixation_map",
    Truth.DENSITY: "ground_truth_map",
    Truth.OTHERS: "other_map",
    Truth.BASELINE: "baseline_map",
}
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


def main() -> None:
    if "SALBENCH_DATA" not in os.environ:
        sys.exit("SALBENCH_DATA is not set; it names the folder that holds golden/")
    files = sorted((Path(os.environ["SALBENCH_DATA"]) / "golden" / "mit300").glob("case*.npz"))
    if not files:
        sys.exit("no case*.npz in SALBENCH_DATA's golden/mit300")
    largest = dict.fromkeys(MAP_METRICS, (0.0, "-"))
    for file in files:
        with np.load(file, allow_pickle=False) as arrays:
            case = dict(arrays)
        for key, metric in MAP_METRICS.items():
            largest[key] = max(largest[key], (difference(metric, case), file.stem))
    print(f"{len(files)} cases, largest absolute difference from the MATLAB reference")
    for key, (value, stem) in largest.items():
        print(f"{MAP_METRICS[key].symbol:<6} {value:8.1e}  {stem}")


if __name__ == "__main__":
    main()
