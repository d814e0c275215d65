"""Fixations of other images: scaling, leaving out, randomness."""

import pickle
import shutil

import numpy as np
import pytest

from salbench.array_cache import ArrayCache
from salbench.datasets.stimulus import Fixations, Stimulus
from salbench.errors import DataError, RunError
from salbench.progress import Silent
from salbench.protocols.mit300 import MIT300
from salbench.protocols.salicon2015 import SALICON2015
from salbench.protocols.tuebingen import TUEBINGEN
from salbench.scoring import fixated_pixels
from salbench.scoring.fixated_pixels import FixatedPixels, no_fixations, read_fixations
from salbench.scoring.randomness import generator


def stimulus(name: str, size: tuple[int, int], fixated: list[tuple[int, int]] | None) -> Stimulus:
    def fixations() -> Fixations:
        if fixated is None:
            raise DataError("unreadable")
        rows, columns = zip(*fixated, strict=True)
        return Fixations.of_one_viewer(columns, rows)

    return Stimulus(name, size, lambda: np.zeros((*size, 3), np.uint8), fixations)


STIMULI = [
    stimulus("a", (2, 4), [(0, 0), (1, 3), (0, 0)]),
    stimulus("b", (4, 8), [(0, 0), (1, 1), (3, 7), (3, 7), (3, 7)]),
    stimulus("c", (2, 4), None),
]


@pytest.fixture
def cache(tmp_path) -> ArrayCache:
    return ArrayCache(tmp_path, 10**6)


@pytest.fixture
def pixels(cache) -> FixatedPixels:
    return read_fixations(STIMULI, Silent(), cache, MIT300).pixels


def test_pixels_of_another_size_are_scaled_to_this_one(pixels):
    # In the 4 x 8 frame: (0, 0), (1, 1), (3, 7), which become (0, 0), (0, 0), (1, 3) at half the size.
    assert pixels.counts_of_others(0).tolist() == [[2, 0, 0, 0], [0, 0, 0, 1]]


def test_a_protocol_brings_its_own_rule_for_other_sizes(cache):
    """In the 4 x 8 frame (0, 0), (1, 1), (3, 7): halved with the decimals cut off they are (0, 0), (0, 0), (1, 3); in
    a frame of 3 x 5, where the rules part, (0, 0), (0, 0), (2, 4).
    """
    pixels = read_fixations([*STIMULI, stimulus("d", (3, 5), [(0, 0)])], Silent(), cache, TUEBINGEN).pixels
    assert pixels.counts_of_others(0, repeats=True)[1, 3] == 3
    counts = pixels.counts_of_others(3, repeats=True)
    assert counts[0, 0] == 2 + 2
    assert counts[2, 4] == 3
    assert counts[1, 3] == 1


def test_own_fixations_are_left_out(pixels):
    assert pixels.counts_of_others(1).sum() == 2
    assert pixels.counts_of_others(2).sum() == 5


def test_unreadable_stimuli_are_no_other_images(pixels):
    assert pixels.others_of(0).tolist() == [1]
    assert pixels.others_of(2).tolist() == [0, 1]


def test_other_images_come_in_the_order_of_their_ids(cache):
    turned = read_fixations(STIMULI[::-1], Silent(), cache, MIT300).pixels
    assert turned.others_of(0).tolist() == [2, 1]


def test_the_union_holds_only_the_named_stimuli(pixels):
    assert np.flatnonzero(pixels.union([0], (2, 4))).tolist() == [0, 7]


def test_repeats_count_where_asked_for(pixels):
    """Catches a count of images where a protocol counts fixations."""
    assert pixels.counts_of_others(0, repeats=True).tolist() == [[2, 0, 0, 0], [0, 0, 0, 3]]
    assert pixels.counts_of_others(1, repeats=True).sum() == 3


def test_the_pixels_travel_as_a_file_name(pixels):
    """Catches fixations that are sent to every worker: their memory would grow with the split."""
    before = len(pickle.dumps(pixels))
    pixels.counts_of_others(0)
    pixels.of(1)
    assert len(pickle.dumps(pixels)) == before < 1500
    assert pickle.loads(pickle.dumps(pixels)).counts_of_others(1).sum() == 2


def test_many_pieces_count_as_one(pixels, monkeypatch):
    whole = pixels.counts_of_all((2, 4), repeats=True).copy()
    monkeypatch.setattr(fixated_pixels, "PIECE", 1)
    again = pickle.loads(pickle.dumps(pixels))
    assert np.array_equal(again.counts_of_all((2, 4), repeats=True), whole)


def test_the_file_is_named_by_what_was_recorded(cache):
    """Two runs at once write the same file; another split, or another protocol's rule, writes another."""
    first = read_fixations(STIMULI, Silent(), cache, MIT300)
    assert read_fixations(STIMULI, Silent(), cache, MIT300).pixels.file == first.pixels.file
    assert read_fixations(STIMULI[:2], Silent(), cache, MIT300).pixels.file != first.pixels.file
    counted = read_fixations(STIMULI, Silent(), cache, SALICON2015)
    assert counted.pixels.file == first.pixels.file != counted.counted.file
    assert counted.counted.of(1)["times"].tolist() == [2]
    assert not list(cache.folder.rglob("*.tmp")), "a scratch file is left"


def test_a_folder_that_cannot_be_written_is_done_without(tmp_path):
    """Catches a run that ends for a cache that another user owns: it only costs time."""
    (tmp_path / "file").write_text("no folder")
    cache = ArrayCache(tmp_path / "file", 10)
    assert read_fixations(STIMULI, Silent(), cache, MIT300).pixels.counts_of_others(1).sum() == 2


def test_pixels_outlive_their_file(cache):
    """Catches a mapping that is made late: the cache may be deleted at any time."""
    pixels = read_fixations(STIMULI, Silent(), cache, MIT300).pixels
    travelled = pickle.loads(pickle.dumps(pixels))
    shutil.rmtree(cache.folder)
    assert pixels.counts_of_others(1).sum() == 2
    with pytest.raises(RunError, match="run the same command again"):
        travelled.prepare()


def test_mere_images_have_no_fixations():
    none = no_fixations(STIMULI)
    assert none.counts_of_others(0).tolist() == np.zeros((2, 4)).tolist()
    assert none.others_of(1).tolist() == []


def test_generators_depend_on_every_name_and_on_their_borders():
    draws = {
        generator(seed, *names).random()
        for seed, names in [(0, ("a", "bc")), (0, ("ab", "c")), (1, ("a", "bc")), (0, ("a", "bd"))]
    }
    assert len(draws) == 4
    assert generator(0, "a", "bc").random() in draws
