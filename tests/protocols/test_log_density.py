"""Scores of log densities: the two metrics in bits by hand, and which map each other metric gets."""

import math

import numpy as np
import pytest
from pytest import approx
from scipy.special import logsumexp
from scipy.stats import rankdata

from salbench.errors import ShapeError, UsageError, ValueRangeError
from salbench.metrics import auc_borji, auc_judd, auc_shuffled, cc, emd, information_gain, kl_divergence, log_likelihood
from salbench.metrics.likelihood import as_log_density, information_gain_at, log_likelihood_at
from salbench.protocols import GroundTruth, expected_sim, find_protocol, tuebingen
from salbench.protocols.expected_sim import best_sim_map
from salbench.protocols.log_density import MAP_KINDS, evaluate_log_density, over_baseline
from salbench.scoring.randomness import generator

SIZE = (64, 96)
MIT300, TUEBINGEN = find_protocol("mit300"), find_protocol("tuebingen")
HALVES = np.log(np.array([[0.5, 0.25], [0.125, 0.125]]))
OWN = np.array([[4, 5], [4, 5], [20, 30], [11, 12]])


def rng(key):
    return generator(0, "stimulus", key)


def log_of(weights):
    with np.errstate(divide="ignore"):
        logs = np.log(weights)
    return logs - logsumexp(logs)


@pytest.fixture(scope="module")
def model():
    return log_of(np.random.default_rng(0).random(SIZE) ** 3)


@pytest.fixture(scope="module")
def baseline():
    return log_of(np.random.default_rng(1).random(SIZE) + 0.1)


def truth_of(protocol):
    points = protocol.points(OWN, SIZE)
    others = np.random.default_rng(2).integers(0, 2, SIZE).astype(np.float64)
    return GroundTruth(
        points > 0,
        density=protocol.density(points, None),
        positions=OWN,
        other_map=others > 0,
        other_counts=others,
        baseline_map=np.random.default_rng(3).random(SIZE),
    )


def scores(protocol, logs, keys, *, maps="metric-specific", baseline=None, sigma=None):
    return evaluate_log_density(
        protocol,
        logs,
        truth_of(protocol),
        keys,
        rng,
        maps=maps,
        baseline_log_density=baseline,
        blur=lambda points: protocol.density(points, sigma),
        fixation_count=len(OWN),
    )


def test_log_likelihood_is_in_bits_over_the_fixations():
    """Catches nats, a sum, and repeats that count once in a list or twice in a map."""
    own = np.array([[0, 0], [0, 0], [1, 1]])
    assert log_likelihood_at(HALVES, own) == approx((-1 - 1 - 3) / 3)
    assert log_likelihood(HALVES, np.array([[2, 0], [0, 0]])) == approx(-1)
    assert log_likelihood(np.full((32, 32), -math.log(1024)), np.eye(32)) == approx(-10)


def test_information_gain_is_the_difference_to_the_baseline():
    """Catches a sign, and a ratio of means."""
    uniform = np.full((2, 2), math.log(0.25))
    own = np.array([[0, 0], [0, 0], [1, 1]])
    assert information_gain_at(HALVES, uniform, own) == approx((1 + 1 - 1) / 3)
    assert information_gain_at(uniform, HALVES, own) == approx(-(1 + 1 - 1) / 3)
    assert information_gain_at(HALVES, HALVES, own) == 0


def test_no_fixation_no_likelihood():
    """Catches a warning, and a perfect 0."""
    empty = np.zeros((0, 2), dtype=np.int64)
    assert math.isnan(log_likelihood_at(HALVES, empty))
    assert math.isnan(information_gain_at(HALVES, HALVES, empty))
    assert math.isnan(log_likelihood(HALVES, np.zeros((2, 2))))


def test_a_fixation_without_probability_costs_everything():
    """Catches an epsilon: a model that excludes what happened has an infinite loss, and says so."""
    logs = log_of(np.array([[1.0, 0.0], [1.0, 0.0]]))
    assert log_likelihood(logs, np.array([[0, 1], [0, 0]])) == -math.inf
    assert log_likelihood(logs, np.array([[1, 0], [0, 0]])) == approx(-1)
    assert information_gain_at(logs, HALVES, np.array([[0, 1]])) == -math.inf
    assert information_gain_at(HALVES, logs, np.array([[0, 1]])) == math.inf
    assert math.isnan(information_gain_at(logs, logs, np.array([[0, 1]])))


def test_probabilities_far_below_float64_still_have_a_likelihood():
    """Catches a density that is made first: exp underflows where its logarithm is a common number."""
    logs = np.array([[0.0, -2000.0], [-1e5, -np.inf]])
    assert log_likelihood(logs, np.array([[0, 1], [0, 0]])) == approx(-2000 / math.log(2))
    assert log_likelihood(logs, np.array([[0, 0], [1, 0]])) == approx(-1e5 / math.log(2))


@pytest.mark.parametrize(
    ("values", "reason"),
    [
        (np.exp(HALVES), "summed exponentials is 1.64"),
        (HALVES + 1e-5, "summed exponentials is 1e-05"),
        (np.where(HALVES < -2, np.nan, HALVES), "holds NaN"),
        (np.full((2, 2), -np.inf), "summed exponentials is -inf"),
        (np.full((2, 2), np.inf), "summed exponentials is inf"),
        (np.zeros((2, 2), dtype=np.uint8), "uint8"),
    ],
)
def test_what_is_no_log_density_is_refused(values, reason):
    """Catches densities, unnormalised scores and 8-bit maps taken for log densities. The value is in the message."""
    with pytest.raises(ValueRangeError, match=reason):
        as_log_density(values, (2, 2))


def test_float32_is_near_enough():
    """Catches a tolerance that refuses what a network gives."""
    logs = log_of(np.random.default_rng(0).random((60, 80)) ** 8).astype(np.float32)
    assert as_log_density(logs, (60, 80)).dtype == np.float64
    assert as_log_density(HALVES + 9e-7, (2, 2)) is not None


def test_a_log_density_is_never_resized(model, baseline):
    """Catches a silent resize, after which nothing sums to 1."""
    with pytest.raises(ShapeError, match="never resized"):
        scores(TUEBINGEN, log_of(np.ones((12, 16))), ["nss"])
    with pytest.raises(ShapeError, match="baseline_log_density"):
        scores(TUEBINGEN, model, ["nss"], baseline=log_of(np.ones((12, 16))))


def test_likelihoods_count_as_the_protocol_counts(model, baseline):
    """Catches repeats under mit300, where each fixated pixel counts once, or none under tuebingen."""
    once = np.array([[4, 5], [11, 12], [20, 30]])
    keys = ["log_likelihood", "information_gain"]
    assert scores(TUEBINGEN, model, keys, baseline=baseline) == {
        "log_likelihood": approx(log_likelihood_at(model, OWN)),
        "information_gain": approx(information_gain_at(model, baseline, OWN)),
    }
    assert scores(MIT300, model, keys, baseline=baseline) == {
        "log_likelihood": approx(log_likelihood_at(model, once)),
        "information_gain": approx(information_gain_at(model, baseline, once)),
    }


def test_one_map_for_all_under_mit300_keeps_its_information_gain(model):
    """Catches two definitions in one column: the other rows' is MIT's, on range-normalised maps."""
    truth = truth_of(MIT300)
    expected = information_gain(np.exp(model), truth.fixation_map, truth.baseline_map)
    assert scores(MIT300, model, ["information_gain"], maps="same") == {"information_gain": expected}


@pytest.mark.parametrize("protocol", [MIT300, TUEBINGEN], ids=lambda protocol: protocol.key)
def test_one_map_for_all_is_the_density(protocol, model, baseline):
    """Catches log densities handed to metrics of maps, and scores in another order than asked for."""
    keys = [key for key in protocol.metrics if key not in protocol.needs_log_density]
    expected = protocol.evaluate(np.exp(model), truth_of(protocol), keys, rng)
    assert list(expected) == keys
    got = scores(protocol, model, protocol.metrics, maps="same", baseline=baseline)
    assert tuple(got) == protocol.metrics
    assert {key: got[key] for key in keys} == expected


def test_each_metric_gets_its_own_map(model, baseline):
    """Catches a metric that gets another's map: every one is computed here from the map that suits it."""
    truth = truth_of(MIT300)
    got = scores(MIT300, model, MIT300.metrics, baseline=baseline)
    p = np.exp(model)
    smooth = MIT300.density(p, None)
    ranks = rankdata(model - baseline).reshape(SIZE) / model.size
    best = best_sim_map(p, len(OWN), lambda drawn: MIT300.density(MIT300.points(drawn, SIZE), None), rng("sim"))
    assert got["auc_judd"] == auc_judd((p - p.min()) / np.ptp(p), truth.fixation_map, rng=rng("auc_judd"))
    assert got["auc_borji"] == auc_borji(p, truth.fixation_map, rng=rng("auc_borji"))
    assert got["auc_shuffled"] == auc_shuffled(ranks, truth.fixation_map, truth.other_map, rng=rng("auc_shuffled"))
    assert got["nss"] == MIT300.evaluate(p, truth, ["nss"], rng)["nss"]
    assert got["cc"] == cc(smooth, truth.density)
    assert got["kl_divergence"] == kl_divergence(smooth, truth.density)
    assert got["emd"] == emd(smooth, truth.density)
    assert got["sim"] == MIT300.evaluate(best, truth, ["sim"], rng)["sim"]
    assert tuple(got) == MIT300.metrics


def test_every_metric_of_every_protocol_has_a_map():
    """Catches a metric that is registered later and fails in the first run of a probabilistic model."""
    for protocol in (MIT300, TUEBINGEN, find_protocol("salicon2015")):
        assert set(protocol.metrics) - {"log_likelihood", "information_gain"} <= set(MAP_KINDS)


def test_the_blur_is_the_runs(model, baseline):
    """Catches the protocol's own sigma where the run names another."""
    truth = truth_of(TUEBINGEN)
    got = scores(TUEBINGEN, model, ["cc"], sigma=3.0)["cc"]
    assert got == tuebingen.cc(TUEBINGEN.density(np.exp(model), 3.0), truth.density)
    assert got != scores(TUEBINGEN, model, ["cc"])["cc"]


def test_metric_specific_maps_pay(monkeypatch):
    """Catches a map made for a metric that is worse than the density, in the mean over what the model itself draws."""
    monkeypatch.setattr(expected_sim, "SAMPLES", (200, 200))
    rows, columns = np.indices(SIZE)
    smooth = log_of(np.exp(-((rows - 9) ** 2 + (columns - 20) ** 2) / 40) + 0.02)
    drawn = np.random.default_rng(7).choice(smooth.size, (60, 15), p=np.exp(smooth).ravel())
    gained = {key: [] for key in ("cc", "sim", "kl_divergence")}
    for one in drawn:
        own = np.column_stack(np.divmod(one, SIZE[1]))
        points = TUEBINGEN.points(own, SIZE)
        truth = GroundTruth(points > 0, density=TUEBINGEN.density(points, 2.0), positions=own)
        plain, specific = (
            evaluate_log_density(
                TUEBINGEN,
                smooth,
                truth,
                list(gained),
                rng,
                maps=maps,
                baseline_log_density=None,
                blur=lambda counts: TUEBINGEN.density(counts, 2.0),
                fixation_count=15,
            )
            for maps in ("same", "metric-specific")
        )
        for key, values in gained.items():
            values.append(specific[key] - plain[key])
    assert np.mean(gained["cc"]) > 0
    assert np.mean(gained["sim"]) > 0.005
    assert np.mean(gained["kl_divergence"]) < 0


def test_a_baseline_is_needed_where_it_is_used(model):
    """Catches a None that travels on, and one that is asked for where no metric uses it."""
    for key in ("information_gain", "auc_shuffled"):
        with pytest.raises(UsageError, match="baseline_log_density"):
            scores(TUEBINGEN, model, [key])
    assert scores(TUEBINGEN, model, ["auc_shuffled"], maps="same")


def test_an_unknown_choice_of_maps_is_refused(model):
    with pytest.raises(UsageError, match="same or metric-specific"):
        scores(TUEBINGEN, model, ["nss"], maps="best")


def test_a_density_with_holes_has_finite_scores_elsewhere(baseline):
    """Catches infinities that reach the metrics of maps: -inf less -inf, and exp of it."""
    weights = np.random.default_rng(4).random(SIZE)
    weights[:, :3] = 0
    with_holes = baseline.copy()
    with_holes[:, 2:6] = -np.inf
    got = scores(TUEBINGEN, log_of(weights), TUEBINGEN.metrics, baseline=log_of(np.exp(with_holes)))
    assert all(math.isfinite(got[key]) for key in set(got) - {"information_gain"})


def test_ranks_keep_ties_and_order():
    """Catches ranks by place, which would break ties one way or the other."""
    logs, flat = np.array([[-1.0, -2.0], [-2.0, -np.inf]]), np.zeros((2, 2))
    assert over_baseline(logs, flat).tolist() == [[1.0, 0.625], [0.625, 0.25]]
    nowhere = np.array([[0.0, 0.0], [0.0, -np.inf]])
    assert over_baseline(logs, nowhere).tolist() == [[1.0, 0.625], [0.625, 0.25]]
