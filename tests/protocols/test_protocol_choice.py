"""Which metrics a protocol computes for a model of maps, and which for a model of log densities."""

import pytest

from salbench.errors import UsageError
from salbench.metrics import MAP_METRICS, METRICS
from salbench.protocols import PROTOCOLS, find_protocol


def test_models_of_maps_have_no_metric_of_log_densities():
    """Catches a tenth column of NaN in every table, and a range-normalised information gain under tuebingen."""
    assert find_protocol("mit300").choose(None) == tuple(MAP_METRICS)
    assert find_protocol("tuebingen").choose(None) == (
        "auc_judd",
        "auc_shuffled",
        "nss",
        "cc",
        "sim",
        "kl_divergence",
    )


def test_models_of_log_densities_have_all():
    """Catches a metric that nobody can ask for. salicon2015 has none of log densities."""
    assert find_protocol("mit300").choose(None, log_density=True) == tuple(METRICS)
    assert {"information_gain", "log_likelihood"} < set(find_protocol("tuebingen").choose(None, log_density=True))
    salicon = find_protocol("salicon2015")
    assert salicon.choose(None) == salicon.choose(None, log_density=True) == salicon.metrics


@pytest.mark.parametrize(
    ("protocol", "key"),
    [("mit300", "log_likelihood"), ("tuebingen", "log_likelihood"), ("tuebingen", "information_gain")],
)
def test_asking_for_one_of_them_is_answered_with_the_reason(protocol, key):
    """Catches a silent omission, and an answer that leaves the user without a way on."""
    rules = find_protocol(protocol)
    assert rules.choose([key], log_density=True) == (key,)
    with pytest.raises(UsageError, match=f"protocol {protocol} computes {key} from log densities alone.*card"):
        rules.choose(["nss", key])


def test_information_gain_of_maps_stays_with_mit300():
    """Catches mit300 losing one of its nine."""
    assert find_protocol("mit300").choose(["nss", "information_gain"]) == ("nss", "information_gain")


@pytest.mark.parametrize("protocol", PROTOCOLS.values(), ids=PROTOCOLS)
def test_metrics_are_listed_in_printing_order(protocol):
    """Catches tables whose columns depend on who asked."""
    assert list(protocol.metrics) == [key for key in METRICS if key in protocol.metrics]
    assert protocol.choose(list(reversed(protocol.metrics)), log_density=True) == protocol.metrics
