"""Images with fixations and maps, as salbench's ground truth and as pysaliency's objects."""

import hashlib
from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from salbench.protocols import GroundTruth
from salbench.protocols.tuebingen import TUEBINGEN, density

OTHER_KINDS = ("smooth", "noise", "signed", "8-bit", "16 levels", "binary", "peaked", "density")
"""Every kind of map that is not constant."""


@dataclass(frozen=True)
class Scene:
    """`baseline`: a log density made of the other scenes' fixations; `maps`: a map of every kind."""

    image: np.ndarray
    positions: np.ndarray
    truth: GroundTruth
    baseline: np.ndarray
    maps: dict[str, np.ndarray]

    @property
    def log_density(self):
        """A model's: the baseline and a blob, never quite 0."""
        mixed = 0.5 * np.exp(self.baseline) + 0.5 * self.maps["density"]
        return np.log(mixed / mixed.sum())


def rng_of(*names):
    return np.random.default_rng(int.from_bytes(hashlib.sha256(repr(names).encode()).digest()[:8], "big"))


def scene_of(image, positions, other_counts, baseline, maps):
    size = image.shape[:2]
    points = TUEBINGEN.points(positions, size)
    truth = GroundTruth(
        fixation_map=points > 0,
        density=density(points),
        positions=positions,
        other_counts=other_counts,
        baseline_map=np.exp(baseline),
    )
    return Scene(image, positions, truth, baseline, maps)


def maps_of(number, size, baseline):
    noise = rng_of(number, "maps").random(size)
    smooth = ndimage.gaussian_filter(noise, size[0] / 20)
    smooth = (smooth - smooth.min()) / np.ptp(smooth)
    mixed = smooth**3 * np.exp(baseline)
    return {
        "smooth": smooth,
        "noise": noise,
        "signed": noise - 0.7,
        "8-bit": np.round(255 * smooth).astype(np.uint8),
        "16 levels": np.round(15 * smooth).astype(np.uint8),
        "binary": (smooth > 0.5).astype(np.uint8),
        "peaked": np.exp(40 * smooth),
        "density": mixed / mixed.sum(),
        "flat": np.full(size, 0.1),
        "zero": np.zeros(size),
    }


def stimuli_of(peer, scenes):
    return peer.Stimuli([scene.image for scene in scenes])


def fixations_of(peer, scenes):
    rows, columns = np.concatenate([scene.positions for scene in scenes]).T
    numbers = np.repeat(np.arange(len(scenes)), [len(scene.positions) for scene in scenes])
    return peer.Fixations.create_without_history(columns.astype(float), rows.astype(float), numbers)


def map_model(peer, scenes, maps):
    """A saliency map model that has the maps ready, by image; 8-bit maps as floats, as the benchmark reads them."""
    by_image = {peer.datasets.get_image_hash(scene.image): one for scene, one in zip(scenes, maps, strict=True)}

    class Ready(peer.SaliencyMapModel):
        def _saliency_map(self, stimulus):
            return by_image[peer.datasets.get_image_hash(stimulus)].astype(float)

    return Ready()


def density_model(peer, scenes, log_densities):
    """A probabilistic model that has the log densities ready, by image."""
    by_image = {
        peer.datasets.get_image_hash(scene.image): one for scene, one in zip(scenes, log_densities, strict=True)
    }

    class Ready(peer.Model):
        def _log_density(self, stimulus):
            return by_image[peer.datasets.get_image_hash(stimulus)]

    return Ready()
