import inspect

import pytest

from salbench.metrics import MAP_METRICS, METRICS, Truth

NAMES = {
    Truth.FIXATIONS: "fixation_map",
    Truth.DENSITY: "ground_truth_map",
    Truth.OTHERS: "other_map",
    Truth.BASELINE: "baseline_map",
}


def test_the_metrics_in_printing_order():
    """Catches a key or a symbol that changes under stored results, and a bare "AUC"."""
    assert [(key, metric.symbol) for key, metric in METRICS.items()] == [
        ("auc_judd", "AUC-J"),
        ("auc_borji", "AUC-B"),
        ("auc_shuffled", "sAUC"),
        ("nss", "NSS"),
        ("information_gain", "IG"),
        ("log_likelihood", "LL"),
        ("cc", "CC"),
        ("sim", "SIM"),
        ("kl_divergence", "KL"),
        ("emd", "EMD"),
    ]
    assert all(metric.key == key for key, metric in METRICS.items())


def test_nine_metrics_score_any_map():
    """Catches a metric of log densities that is handed a saliency map by whoever goes through all metrics of maps."""
    assert list(MAP_METRICS) == [key for key in METRICS if key != "log_likelihood"]
    assert len(MAP_METRICS) == 9


def test_only_divergence_and_distance_are_better_when_small():
    """Catches an arrow that points the wrong way, and with it every ranking."""
    assert {key for key, metric in METRICS.items() if not metric.higher_is_better} == {"kl_divergence", "emd"}
    assert {metric.arrow for metric in METRICS.values() if metric.higher_is_better} == {"↑"}
    assert METRICS["emd"].arrow == "↓"


@pytest.mark.parametrize("key", METRICS)
def test_needs_are_the_arguments_in_order(key):
    """Catches a runner that hands the ground truth to the wrong argument; options are by keyword only."""
    metric = METRICS[key]
    parameters = inspect.signature(metric.function).parameters.values()
    positional = [p.name for p in parameters if p.kind is inspect.Parameter.POSITIONAL_OR_KEYWORD]
    assert positional == [
        "log_density" if metric.of_log_density else "saliency_map",
        *(NAMES[need] for need in metric.needs),
    ]
    assert all(p.kind is inspect.Parameter.KEYWORD_ONLY for p in parameters if p.name not in positional)
    assert metric.function.__name__ == key
