"""Scores do not depend on workers, threads, hashes or the order of listing: real processes, compared bit by bit."""

import numpy as np
import pytest
from matrix import FEW_CELLS, Cell, digests, generated

from salbench.metrics.prepared import PreparedMap


def test_scores_are_the_same_bits_however_they_are_computed(tmp_path):
    """Catches sums shared among threads, draws in the order of a set, a split in the order of its folder.

    A few cells and two plans; `python tests/determinism/matrix.py` prints the whole matrix.
    """
    inputs = generated(tmp_path / "set")
    plans = ["mit300, maps", "tuebingen, density"]
    found = {cell: digests(cell, inputs, tmp_path / f"cell{n}", plans) for n, cell in enumerate(FEW_CELLS)}
    assert len(set(map(tuple, found.values()))) == 1, found


def test_the_matrix_tells_scores_apart(tmp_path):
    """Catches a matrix that compares nothing: another seed of the run must give another digest."""
    inputs = generated(tmp_path / "set", 2)
    plain = digests(Cell(1, 1, 0, False), inputs, tmp_path / "plain", ["salicon2015, maps"])
    inputs = type(inputs)((*inputs.dataset, "--seed", "1"), inputs.maps)
    assert digests(Cell(1, 1, 0, False), inputs, tmp_path / "seed", ["salicon2015, maps"]) != plain


@pytest.mark.parametrize("size", [(480, 640), (96, 128), (100, 70)])
def test_a_shrunken_truth_lies_in_the_order_that_it_is_stored_in(size):
    """Catches EMD off by a bit where the ground truth comes from the cache: numpy adds up in the memory's order."""
    assert PreparedMap(np.ones(size)).shrunken.flags.c_contiguous
