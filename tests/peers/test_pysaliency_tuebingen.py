"""Protocol tuebingen against pysaliency's own objects: the same maps and fixations in, the same scores out."""

import numpy as np
import pytest
from peer_scenes import OTHER_KINDS, fixations_of, map_model, stimuli_of

from salbench.protocols.tuebingen import KL_EPSILON, TUEBINGEN

pytestmark = [pytest.mark.peers, pytest.mark.filterwarnings("ignore")]

TOLERANCE = 1e-9
KEYS = ("auc_judd", "auc_shuffled", "nss", "cc", "sim", "kl_divergence")


def no_rng(key):
    raise AssertionError(f"{key} draws a random number")


def ours(scenes, kind):
    """By metric, the score of each scene."""
    rows = [TUEBINGEN.evaluate(scene.maps[kind], scene.truth, KEYS, no_rng) for scene in scenes]
    return {key: np.array([row[key] for row in rows]) for key in KEYS}


def theirs(peer, scenes, kind):
    stimuli, fixations = stimuli_of(peer, scenes), fixations_of(peer, scenes)
    model = map_model(peer, scenes, [scene.maps[kind] for scene in scenes])
    truth = peer.FixationMap(stimuli, fixations, kernel_size=24)
    regularised = {
        "minimum_value": 0,
        "log_regularization": KL_EPSILON,
        "quotient_regularization": KL_EPSILON,
    }
    return {
        "auc_judd": np.array(model.AUC_per_image(stimuli, fixations)),
        "auc_shuffled": np.array(model.AUC_per_image(stimuli, fixations, nonfixations="shuffled")),
        "nss": np.array([model.NSSs(stimuli, fixations)[fixations.n == n].mean() for n in range(len(scenes))]),
        "cc": model.CCs(stimuli, truth),
        "sim": model.SIMs(stimuli, truth),
        "kl_divergence": np.array(model.KLDivs(stimuli, truth, **regularised)),
    }


def assert_same(first, second, record_property):
    for key in KEYS:
        record_property(key, float(np.abs(first[key] - second[key]).max()))
        np.testing.assert_allclose(first[key], second[key], rtol=0, atol=TOLERANCE, err_msg=key)


@pytest.mark.parametrize("kind", OTHER_KINDS)
def test_scores_on_real_images_are_pysaliencys(peer, osie_scenes, kind, record_property):
    """Catches other ties, negatives, standard deviations, blurs or normalisations, image by image."""
    assert_same(ours(osie_scenes, kind), theirs(peer, osie_scenes, kind), record_property)


@pytest.mark.parametrize("kind", OTHER_KINDS)
def test_scores_on_images_of_unequal_sizes_are_pysaliencys(peer, unequal_scenes, kind, record_property):
    """Catches another rule for the coordinates of other images' fixations, and repeats that count once."""
    assert_same(ours(unequal_scenes, kind), theirs(peer, unequal_scenes, kind), record_property)


def test_negatives_of_another_size_are_pysaliencys(peer, unequal_scenes):
    """Catches a scaling rule that differs by a pixel somewhere, which scores could hide."""
    stimuli, fixations = stimuli_of(peer, unequal_scenes), fixations_of(peer, unequal_scenes)
    provider = peer.saliency_map_models.FullShuffledNonfixationProvider(stimuli, fixations)
    for number, scene in enumerate(unequal_scenes):
        columns, rows = provider(stimuli, fixations, int(np.flatnonzero(fixations.n == number)[0]))
        expected = np.zeros(scene.image.shape[:2])
        np.add.at(expected, (rows, columns), 1)
        np.testing.assert_array_equal(scene.truth.other_counts, expected)


@pytest.mark.parametrize("kind", ["flat", "zero"])
def test_a_constant_map_has_pysaliencys_scores(peer, unequal_scenes, kind):
    """Catches a NaN for a map that says nothing. NSS and CC: what pysaliency gives where it sees that it is constant.

    It asks whether the standard deviation is exactly 0, which rounding can hide: only then does it give a value of
    rounding noise, and ours is compared with its 0.
    """
    mine, expected = ours(unequal_scenes, kind), theirs(peer, unequal_scenes, "zero")
    for key in KEYS:
        np.testing.assert_allclose(mine[key], expected[key], rtol=0, atol=TOLERANCE, err_msg=key)


def test_averages_over_images_are_means_of_the_scores(peer, osie_scenes):
    """Catches a mean over fixations where the benchmark has the mean over images."""
    stimuli, fixations = stimuli_of(peer, osie_scenes), fixations_of(peer, osie_scenes)
    model = map_model(peer, osie_scenes, [scene.maps["8-bit"] for scene in osie_scenes])
    mine = ours(osie_scenes, "8-bit")
    assert mine["auc_judd"].mean() == pytest.approx(model.AUC(stimuli, fixations, average="image"), abs=TOLERANCE)
    assert mine["nss"].mean() == pytest.approx(model.NSS(stimuli, fixations, average="image"), abs=TOLERANCE)
    shuffled = model.AUC(stimuli, fixations, nonfixations="shuffled", average="image")
    assert mine["auc_shuffled"].mean() == pytest.approx(shuffled, abs=TOLERANCE)


def test_the_ground_truth_is_pysaliencys(peer, osie_scenes, unequal_scenes):
    """Catches another cut-off or edge rule of the blur: an absolute comparison, before any normalisation."""
    for scenes in (osie_scenes, unequal_scenes):
        truth = peer.FixationMap(stimuli_of(peer, scenes), fixations_of(peer, scenes), kernel_size=24)
        for scene in scenes:
            np.testing.assert_allclose(scene.truth.density, truth.saliency_map(scene.image), rtol=0, atol=1e-15)


def test_pysaliencys_default_divergence_is_another(peer, osie_scenes):
    """Catches a pysaliency whose default became the benchmark's: the docstring of the protocol says it is not."""
    stimuli, fixations = stimuli_of(peer, osie_scenes), fixations_of(peer, osie_scenes)
    model = map_model(peer, osie_scenes, [scene.maps["binary"] for scene in osie_scenes])
    default = np.array(model.KLDivs(stimuli, peer.FixationMap(stimuli, fixations, kernel_size=24)))
    assert np.abs(default - ours(osie_scenes, "binary")["kl_divergence"]).min() > 0.1
