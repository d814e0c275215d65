"""The embedded data set: deterministic, learnable from the image, not from position alone."""

import hashlib

import numpy as np

from salbench.datasets.synthetic import SPLIT_SIZES, Scene, open_synthetic


def test_scenes_are_the_same_on_every_machine():
    """Catches any change of the embedded data, which would change published demo figures without notice."""
    scene = Scene(0, "test", 3)
    fixations = scene.fixations()
    again = Scene(0, "test", 3)
    assert np.array_equal(scene.image(), again.image())
    assert np.array_equal(fixations.x, again.fixations().x)
    assert hashlib.sha256(fixations.x.tobytes() + fixations.y.tobytes()).hexdigest()[:16] == "41db8f72b71e11d2"


def test_another_seed_gives_other_scenes():
    assert not np.array_equal(Scene(0, "test", 0).image(), Scene(1, "test", 0).image())


def test_splits_have_their_sizes_and_share_no_scene():
    dataset = open_synthetic()
    pictures = {split: [s.image().tobytes() for s in dataset.stimuli(split)] for split in SPLIT_SIZES}
    assert {split: len(images) for split, images in pictures.items()} == SPLIT_SIZES
    every = [picture for images in pictures.values() for picture in images]
    assert len(set(every)) == len(every)


def test_images_come_in_several_sizes_and_all_fixations_lie_inside():
    stimuli = open_synthetic().stimuli()
    assert len({stimulus.size for stimulus in stimuli}) >= 3
    for stimulus in stimuli:
        assert stimulus.image().shape == (*stimulus.size, 3)
        assert len(stimulus.recorded_fixations()) == len(stimulus.fixations())


def test_fixations_are_drawn_from_the_known_density():
    """Fixations of all scenes must be as likely under their densities as the densities' entropies say."""
    log_likelihood, entropy, count = 0.0, 0.0, 0
    for number in range(SPLIT_SIZES["test"]):
        scene = Scene(0, "test", number)
        density, fixations = scene.density(), scene.fixations()
        assert np.isclose(density.sum(), 1)
        log_likelihood += float(np.log2(density[fixations.rows, fixations.columns]).sum())
        entropy += float(-(density * np.log2(density)).sum()) * len(fixations)
        count += len(fixations)
    assert abs(log_likelihood + entropy) / count < 0.1


def test_gaze_goes_to_warm_shapes_and_not_to_cool_ones():
    for number in range(8):
        scene = Scene(0, "train", number)
        weights = {shape.weight > 0 for shape in scene.shapes()}
        assert weights == {True, False}


def test_position_alone_tells_little():
    """The mean density of many scenes must be far flatter than a single scene's."""
    scenes = [Scene(0, "train", number) for number in range(0, 64, 4)]
    mean = np.mean([scene.density() for scene in scenes], axis=0)
    assert mean.max() < 0.35 * np.mean([scene.density().max() for scene in scenes])
