"""The metrics of visual saliency, as pure functions: a saliency map and the ground truth in, a float out.

The functions follow the MIT300 benchmark's reference code to the last digits that it defines. `METRICS` lists them in
the order in which tables print them, `MAP_METRICS` those of them that score any map; the others want a log density.
"""

from salbench.metrics.auc import auc_borji, auc_judd, auc_shuffled
from salbench.metrics.distribution import cc, emd, kl_divergence, sim
from salbench.metrics.likelihood import log_likelihood
from salbench.metrics.location import information_gain, nss
from salbench.metrics.registry import Metric, Truth

_ALL = (
    Metric("auc_judd", "AUC-J", "AUC-Judd", auc_judd, (Truth.FIXATIONS,), higher_is_better=True),
    Metric("auc_borji", "AUC-B", "AUC-Borji", auc_borji, (Truth.FIXATIONS,), higher_is_better=True),
    Metric(
        "auc_shuffled", "sAUC", "shuffled AUC", auc_shuffled, (Truth.FIXATIONS, Truth.OTHERS), higher_is_better=True
    ),
    Metric("nss", "NSS", "normalized scanpath saliency", nss, (Truth.FIXATIONS,), higher_is_better=True, unit="sd"),
    Metric(
        "information_gain",
        "IG",
        "information gain",
        information_gain,
        (Truth.FIXATIONS, Truth.BASELINE),
        higher_is_better=True,
        unit="bit/fixation",
    ),
    Metric(
        "log_likelihood",
        "LL",
        "log-likelihood",
        log_likelihood,
        (Truth.FIXATIONS,),
        higher_is_better=True,
        unit="bit/fixation",
        of_log_density=True,
    ),
    Metric("cc", "CC", "correlation coefficient", cc, (Truth.DENSITY,), higher_is_better=True),
    Metric("sim", "SIM", "similarity", sim, (Truth.DENSITY,), higher_is_better=True),
    Metric(
        "kl_divergence",
        "KL",
        "Kullback-Leibler divergence",
        kl_divergence,
        (Truth.DENSITY,),
        higher_is_better=False,
        unit="nat",
    ),
    Metric("emd", "EMD", "earth mover's distance", emd, (Truth.DENSITY,), higher_is_better=False, unit="cell"),
)

METRICS: dict[str, Metric] = {metric.key: metric for metric in _ALL}
"""Every metric by its key, in printing order."""

MAP_METRICS: dict[str, Metric] = {key: metric for key, metric in METRICS.items() if not metric.of_log_density}
"""The metrics that score any saliency map."""

__all__ = [
    "MAP_METRICS",
    "METRICS",
    "Metric",
    "Truth",
    "auc_borji",
    "auc_judd",
    "auc_shuffled",
    "cc",
    "emd",
    "information_gain",
    "kl_divergence",
    "log_likelihood",
    "nss",
    "sim",
]
