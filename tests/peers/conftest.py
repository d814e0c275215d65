"""Tests against pysaliency, in an environment that has it: `SALBENCH_PEERS=1` asks for them.

Not asked for, they are skipped. Asked for, nothing may pass by skipping: a missing package or folder is an error, and
the tests on real images count among the `data` tests.
"""

import importlib
import os
import warnings
from pathlib import Path

import numpy as np
import pytest
from peer_scenes import OTHER_KINDS, Scene, maps_of, rng_of, scene_of

from salbench.datasets import osie
from salbench.densities import CentrePriorFit, centre_prior
from salbench.protocols.tuebingen import TUEBINGEN

ASKED_FOR = os.environ.get("SALBENCH_PEERS") == "1"
IMAGES = 12


def pytest_configure(config):
    config.addinivalue_line("markers", "peers: compares with pysaliency; runs where SALBENCH_PEERS is 1")


def pytest_collection_modifyitems(items):
    for item in items:
        if item.get_closest_marker("peers") is None:
            continue
        if not ASKED_FOR:
            item.add_marker(pytest.mark.skip(reason="SALBENCH_PEERS is not 1; it asks for comparisons with pysaliency"))
        elif "osie_scenes" in item.fixturenames:
            item.add_marker(pytest.mark.data)


def pytest_terminal_summary(terminalreporter):
    """Say how far from pysaliency the scores were: that is what a log of this environment is read for."""
    largest = {}
    for report in terminalreporter.stats.get("passed", []):
        for key, difference in report.user_properties:
            largest[key] = max(largest.get(key, 0.0), difference)
    if largest:
        figures = ", ".join(f"{key} {difference:.1e}" for key, difference in sorted(largest.items()))
        terminalreporter.write_line(f"largest differences from pysaliency: {figures}")


@pytest.fixture(scope="session")
def peer():
    """The package. An error, not a skip, where it is missing."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # its dependencies' deprecations are not ours
        return importlib.import_module("pysaliency")


@pytest.fixture(scope="session")
def osie_scenes():
    """Twelve images of OSIE with their fixations, each with a map of every kind."""
    folder = os.environ.get("SALBENCH_DATA")
    assert folder, "SALBENCH_DATA must name the folder with datasets/osie"
    stimuli = osie.open_eye(Path(folder) / "datasets" / "osie").splits["test"]()[:IMAGES]
    return make_scenes([(s.image(), s.fixations().positions) for s in stimuli])


@pytest.fixture(scope="session")
def unequal_scenes():
    """Made images of several sizes, with fixations on and near every border, many of them repeated."""
    sizes = [(40, 60), (50, 30), (33, 47), (40, 60), (80, 120)]
    images = [rng_of(number).integers(0, 256, (*size, 3), dtype=np.uint8) for number, size in enumerate(sizes)]
    return make_scenes([(image, fixations_on(image.shape[:2], number)) for number, image in enumerate(images)])


def fixations_on(size, seed):
    """Sixty random ones, thirty of them twice, and the corners."""
    random = rng_of(seed, "fixations").integers(0, size, (60, 2))
    corners = [(row, column) for row in (0, size[0] - 1) for column in (0, size[1] - 1)]
    return np.concatenate([random, random[:30], np.array(corners)])


def make_scenes(recorded) -> list[Scene]:
    sizes = [image.shape[:2] for image, _ in recorded]
    positions = [own for _, own in recorded]
    scenes = []
    for number, (image, own) in enumerate(recorded):
        counts = sum(
            TUEBINGEN.points(rescaled(positions[other], sizes[other], sizes[number]), sizes[number])
            for other in range(len(recorded))
            if other != number
        )
        baseline = centre_prior(counts, CentrePriorFit(bandwidth=0.04, uniform=0.01, log_likelihood=0.0))
        scenes.append(scene_of(image, own, counts, baseline, maps_of(number, sizes[number], baseline)))
    assert set(scenes[0].maps) == set(OTHER_KINDS) | {"flat", "zero"}
    return scenes


def rescaled(positions, own, wanted):
    return np.column_stack([TUEBINGEN.rescaled(positions[:, axis], own[axis], wanted[axis]) for axis in (0, 1)])
