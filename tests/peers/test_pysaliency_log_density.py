"""Scores of probabilistic models against pysaliency's: likelihoods, and the maps that both derive alike."""

import numpy as np
import pytest
from peer_scenes import density_model, fixations_of, rng_of, stimuli_of

from salbench.protocols.log_density import evaluate_log_density
from salbench.protocols.tuebingen import KL_EPSILON, TUEBINGEN, density

pytestmark = [pytest.mark.peers, pytest.mark.filterwarnings("ignore")]

TOLERANCE = 1e-9


def ours(scenes, keys, maps="metric-specific"):
    rows = [
        evaluate_log_density(
            TUEBINGEN,
            scene.log_density,
            scene.truth,
            keys,
            lambda key: rng_of("test", key),
            maps=maps,
            baseline_log_density=scene.baseline,
            blur=density,
            fixation_count=len(scene.positions),
        )
        for scene in scenes
    ]
    return {key: np.array([row[key] for row in rows]) for key in keys}


def per_image(values, fixations):
    return np.array([values[fixations.n == number].mean() for number in range(fixations.n.max() + 1)])


@pytest.fixture(params=["osie_scenes", "unequal_scenes"])
def scenes(request, osie_scenes):
    return request.getfixturevalue(request.param)


@pytest.fixture
def objects(peer, scenes):
    return stimuli_of(peer, scenes), fixations_of(peer, scenes), density_model(peer, scenes, log_densities(scenes))


def log_densities(scenes):
    return [scene.log_density for scene in scenes]


def baseline_model(peer, scenes):
    return density_model(peer, scenes, [scene.baseline for scene in scenes])


def assert_same(first, second):
    np.testing.assert_allclose(first, second, rtol=0, atol=TOLERANCE)


def test_log_likelihood_is_pysaliencys_in_bits(scenes, objects):
    """Catches another base, a sum for the mean, or repeats that count once."""
    stimuli, fixations, model = objects
    in_nats = per_image(model.log_likelihoods(stimuli, fixations), fixations)
    assert_same(ours(scenes, ["log_likelihood"])["log_likelihood"], in_nats / np.log(2))


def test_log_likelihood_is_the_gain_over_uniform_less_the_bits_of_a_pixel(scenes, objects):
    """Catches a likelihood that is relative to something: pysaliency's default gain is over the uniform density."""
    stimuli, fixations, model = objects
    gains = per_image(model.information_gains(stimuli, fixations), fixations)
    bits = np.log2([scene.truth.fixation_map.size for scene in scenes])
    assert_same(ours(scenes, ["log_likelihood"])["log_likelihood"], gains - bits)


@pytest.mark.parametrize("maps", ["same", "metric-specific"])
def test_information_gain_is_pysaliencys(peer, scenes, objects, maps):
    """Catches MIT's range-normalised gain, an epsilon, or a sign."""
    stimuli, fixations, model = objects
    gains = model.information_gains(stimuli, fixations, baseline_model(peer, scenes))
    assert_same(ours(scenes, ["information_gain"], maps)["information_gain"], per_image(gains, fixations))


def test_auc_and_nss_are_those_of_pysaliencys_density_map(peer, scenes, objects):
    """Catches a log density handed over in place of the density."""
    stimuli, fixations, model = objects
    theirs = peer.saliency_map_models.DensitySaliencyMapModel(model)
    mine = ours(scenes, ["auc_judd", "nss"])
    assert_same(mine["auc_judd"], theirs.AUC_per_image(stimuli, fixations))
    assert_same(mine["nss"], per_image(theirs.NSSs(stimuli, fixations), fixations))


def test_shuffled_auc_is_that_of_pysaliencys_ratio(peer, scenes, objects):
    """Catches a density that is not divided by the baseline, and ranks that change the order or the ties."""
    stimuli, fixations, model = objects
    theirs = peer.models.ShuffledAUCSaliencyMapModel(model, baseline_model(peer, scenes))
    assert_same(
        ours(scenes, ["auc_shuffled"])["auc_shuffled"],
        theirs.AUC_per_image(stimuli, fixations, nonfixations="shuffled"),
    )


def test_cc_and_kl_are_those_of_pysaliencys_blurred_density(peer, scenes, objects):
    """Catches another blur of the density: with pysaliency's edges set as those of the ground truth."""
    stimuli, fixations, model = objects
    truth = peer.FixationMap(stimuli, fixations, kernel_size=24)
    plain = peer.saliency_map_models.DensitySaliencyMapModel(model)
    theirs = peer.saliency_map_models.BluringSaliencyMapModel(plain, kernel_size=24, mode="reflect")
    mine = ours(scenes, ["cc", "kl_divergence"])
    assert_same(mine["cc"], theirs.CCs(stimuli, truth))
    regularised = {"minimum_value": 0, "log_regularization": KL_EPSILON, "quotient_regularization": KL_EPSILON}
    assert_same(mine["kl_divergence"], theirs.KLDivs(stimuli, truth, **regularised))


def test_sim_is_at_least_that_of_pysaliencys_optimised_map(peer, unequal_scenes):
    """Catches a map for SIM that is worse, in the mean over drawn fixations, than gradient descent's."""
    scene = unequal_scenes[0]
    size, count = scene.image.shape[:2], len(scene.positions)
    model = density_model(peer, [scene], [scene.log_density])
    descent = peer.SIMSaliencyMapModel(
        model,
        kernel_size=4,
        fixation_count=count,
        train_samples_per_epoch=500,
        val_samples=500,
        min_iter=10,
        max_iter=40,
        initial_learning_rate=1e-5,
        learning_rate_decay_scheme="validation_loss",
        truncate_gaussian=4,
        verbose=False,
    )
    narrow = scene_blur(4.0)
    best = best_map(scene, count, narrow)
    drawn = [TUEBINGEN.points(one, size) for one in draws(scene, count, 300)]
    truths = [blurred / blurred.sum() for blurred in map(narrow, drawn)]
    theirs = descent.saliency_map(scene.image).astype(float)
    expected = [np.mean([np.minimum(one / one.sum(), truth).sum() for truth in truths]) for one in (best, theirs)]
    assert expected[0] > expected[1] - 1e-3


def scene_blur(sigma):
    return lambda counts: density(counts, sigma)


def best_map(scene, count, blur):
    from salbench.protocols.log_density import DensityMaps, MapKind

    size = scene.image.shape[:2]
    maps = DensityMaps(scene.log_density, None, blur, lambda drawn: TUEBINGEN.points(drawn, size), count, rng_of)
    return maps.make(MapKind.BEST_SIM)


def draws(scene, count, number):
    flat = np.exp(scene.log_density).ravel()
    pixels = rng_of("held out").choice(flat.size, (number, count), p=flat / flat.sum())
    return [np.column_stack(np.divmod(one, scene.image.shape[1])) for one in pixels]
