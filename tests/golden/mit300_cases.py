"""The reference cases of protocol mit300: their names, their files, and a call of a metric on one of them.

They are listed here, so that the tests exist, and say why they are skipped, where the files are not.
"""

from functools import lru_cache
from types import MappingProxyType

import numpy as np

from salbench.metrics import METRICS, Truth

CASES = (
    "case01_center",
    "case02_other_viewers",
    "case03_contrast",
    "case04_quantised8",
    "case05_jpeg",
    "case06_small_map_upsampled",
    "case07_large_map_downsampled",
    "case08_constant",
    "case09_all_zero",
    "case10_one_nan_unfixated",
    "case11_no_fixations",
    "case12_one_fixation",
    "case13_repeated_fixations",
    "case14_equals_gt",
    "case15_full_size",
)
RESIZINGS = (
    "imresize_bool_down",
    "imresize_f64_1x2",
    "imresize_f64_down_odd",
    "imresize_f64_one_dim",
    "imresize_f64_same",
    "imresize_f64_scale_1_32",
    "imresize_f64_scale_1p5",
    "imresize_f64_up_odd",
    "imresize_u8_down",
    "imresize_u8_mixed",
    "imresize_u8_up",
)
BLURS = ("blur_120x160", "blur_128x64", "blur_91x123")

ARGUMENTS = {
    Truth.FIXATIONS: "fixation_map",
    Truth.DENSITY: "ground_truth_map",
    Truth.OTHERS: "other_map",
    Truth.BASELINE: "baseline_map",
}
INJECTED = {"auc_borji": "random_indices_borji", "auc_shuffled": "random_indices_shuffled"}


def folder_of(data):
    return data / "golden" / "mit300"


@lru_cache(maxsize=2)
def load(path):
    with np.load(path, allow_pickle=False) as arrays:
        return MappingProxyType(dict(arrays))


def score(case, key, **options):
    """The metric on a case, with the reference's own draws and, for AUC-J, without jitter unless asked for."""
    metric = METRICS[key]
    if key == "auc_judd":
        options = {"jitter": False} | options
    if key in INJECTED:
        options = {"random_indices": case[INJECTED[key]]} | options
    return metric.function(case["saliency_map"], *(case[ARGUMENTS[need]] for need in metric.needs), **options)
