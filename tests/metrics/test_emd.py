import math
import os
import subprocess
import sys

import numpy as np
import ot
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from map_strategies import histogram_triples, maps
from pytest import approx
from scipy.optimize import linear_sum_assignment, linprog
from scipy.spatial.distance import cdist

from salbench.errors import UsageError
from salbench.maps import imresize
from salbench.metrics import emd
from salbench.metrics.transport import transport_cost


def cells_of(shape):
    return np.indices(shape).reshape(2, -1).T.astype(float)


def linear_program(source, target):
    """The transport problem as a textbook has it: every pair of cells, nothing cancelled beforehand."""
    cells = cells_of(source.shape)
    n = len(cells)
    leaves = np.kron(np.eye(n), np.ones(n))
    arrives = np.kron(np.ones(n), np.eye(n))
    flow = linprog(
        cdist(cells, cells).ravel(),
        A_eq=np.vstack([leaves, arrives]),
        b_eq=np.concatenate([source.ravel(), target.ravel()]),
        method="highs",
    )
    assert flow.success
    return flow.fun


@settings(max_examples=25)
@given(st.tuples(st.integers(1, 4), st.integers(2, 4)).flatmap(lambda shape: st.tuples(maps(shape), maps(shape))))
def test_it_is_the_optimum_of_the_whole_transport_problem(pair):
    """Catches an approximate solver, and a cancellation of common mass that is not exact. HiGHS is exact to 1e-7."""
    saliency, truth = pair
    expected = linear_program(truth / truth.sum(), saliency / saliency.sum())
    assert emd(saliency, truth, downsize=1) == approx(expected, abs=1e-7)


@given(st.data())
def test_equal_points_are_an_assignment(data):
    """Catches another ground distance: k points moved to k places is the assignment problem over their distances."""
    chosen = [data.draw(st.lists(st.integers(0, 34), min_size=4, max_size=4, unique=True)) for _ in range(2)]
    saliency, truth = np.zeros((5, 7)), np.zeros((5, 7))
    saliency.flat[chosen[0]] = truth.flat[chosen[1]] = 3.0
    distances = cdist(cells_of((5, 7))[chosen[1]], cells_of((5, 7))[chosen[0]])
    expected = distances[linear_sum_assignment(distances)].mean()
    assert emd(saliency, truth, downsize=1) == approx(expected, abs=1e-12)


def test_a_real_size_is_the_optimum_of_the_whole_problem():
    """Catches an order of the cells that mixes up masses and distances, on more of them than toy problems have."""
    rng = np.random.default_rng(8)
    saliency, truth = rng.random((19, 25)) ** 4, rng.random((19, 25)) ** 2
    distances = cdist(cells_of((19, 25)), cells_of((19, 25)))
    masses = [(values / values.sum()).ravel() for values in (truth, saliency)]
    assert emd(saliency, truth, downsize=1) == approx(ot.emd2(*masses, distances), abs=1e-12)


def test_one_cell_moved_three_down_and_four_across():
    """Catches city-block or squared distances: 5 cells."""
    saliency, truth = np.zeros((4, 5)), np.zeros((4, 5))
    saliency[0, 0] = truth[3, 4] = 0.2
    assert emd(saliency, truth, downsize=1) == approx(5, abs=1e-12)


def test_the_unit_is_a_cell_of_32_pixels():
    """Catches distances in pixels: one smooth blob, 64 pixels away, is 2 cells away.

    It is wide enough for negative cells near -1e-4 only, which is what the tolerance allows for, and ends in the frame.
    """
    x = np.arange(640)
    saliency, truth = (np.tile(np.exp(-((x - centre) ** 2) / (2 * 40.0**2)), (32, 1)) for centre in (256, 320))
    assert imresize(truth, scale=1 / 32).shape == (1, 20)
    assert emd(saliency, truth) == approx(2, abs=1e-3)
    assert emd(saliency, truth, downsize=16) == approx(4, abs=1e-3)


def test_mass_in_common_stays_where_it_is():
    """Catches a cancellation that changes the cost: a thick common layer adds nothing to the work, only to the sum."""
    rng = np.random.default_rng(4)
    source, target, common = rng.random((6, 8)), rng.random((6, 8)), rng.random((6, 8))
    source, target = source / source.sum(), target / target.sum()
    bare = transport_cost(source, target)
    assert transport_cost(source + common, target + common) == approx(bare, abs=1e-12)
    assert bare == approx(linear_program(source, target), abs=1e-7)


def test_negative_entries_are_moved_as_debts():
    """Catches a clip of negative entries: what counts is the difference, here 0.5 moved by two cells."""
    source, target = np.array([[1.5, -0.5, 0.0]]), np.array([[1.0, -0.5, 0.5]])
    assert transport_cost(source, target) == approx(1.0, abs=1e-15)


def test_the_bicubic_kernel_does_leave_negative_entries():
    """Catches a clip before the transport: a spot beside nothing has negative cells, and they change the cost."""
    saliency, truth = np.zeros((96, 160)), np.zeros((96, 160))
    saliency[32:64, 32:64] = truth[32:64, 96:128] = 1
    small_truth, small_saliency = imresize(truth, scale=1 / 32), imresize(saliency, scale=1 / 32)
    assert small_truth.min() < 0
    clipped = [np.maximum(small, 0) / np.maximum(small, 0).sum() for small in (small_truth, small_saliency)]
    assert emd(saliency, truth) != approx(transport_cost(*clipped), abs=1e-6)
    assert emd(saliency, truth) == approx(
        transport_cost(small_truth / small_truth.sum(), small_saliency / small_saliency.sum()), abs=1e-15
    )


def test_a_map_against_itself():
    """Catches mass that never cancels where the sides divide by 32; elsewhere the two scales differ slightly."""
    even, odd = np.random.default_rng(5).random((64, 96)), np.random.default_rng(6).random((70, 100))
    assert emd(even, even) == 0
    assert 0 < emd(odd, odd) < 0.5


def test_a_map_without_mass_or_with_nan_has_no_value():
    """Catches the reference's perfect 0 for the worst of maps, and a constant map refused."""
    ramp = np.arange(64.0 * 64).reshape(64, 64)
    unknown = ramp.copy()
    unknown[3, 3] = np.nan
    for bad in (np.zeros((64, 64)), unknown):
        assert math.isnan(emd(bad, ramp))
        assert math.isnan(emd(ramp, bad))
    assert emd(np.ones((64, 64)), ramp) > 0


def test_a_map_whose_mass_cancels_has_no_value():
    """Catches shares divided by a sum of zero."""
    assert math.isnan(emd([[1.0, -1.0]], [[1.0, 2.0]], downsize=1))


def test_a_saliency_map_of_any_size():
    """Catches the saliency map shrunk by 32 in place of to the truth's cells."""
    rng = np.random.default_rng(7)
    saliency, truth = rng.random((50, 41)), rng.random((64, 96))
    small_truth = imresize(truth, scale=1 / 32)
    small_saliency = imresize(saliency, size=(2, 3))
    expected = transport_cost(small_truth / small_truth.sum(), small_saliency / small_saliency.sum())
    assert emd(saliency, truth) == expected > 0


@given(histogram_triples())
def test_it_is_a_distance(triple):
    """Catches a solver that stops early: identity, symmetry and the triangle. 1e-12 is the sums' round-off."""
    a, b, c = triple
    ab, bc, ac = emd(a, b, downsize=4), emd(b, c, downsize=4), emd(a, c, downsize=4)
    assert emd(a, a, downsize=4) == 0
    assert ab == approx(emd(b, a, downsize=4), abs=1e-12)
    assert ac <= ab + bc + 1e-12
    assert 0 <= ab <= math.hypot(3, 3) * 10  # four cells a side at most, and little negative mass


@pytest.mark.parametrize("downsize", [0, -32])
def test_downsize_is_at_least_one(downsize):
    """Catches a division by zero, and a map mirrored by a negative scale."""
    with pytest.raises(UsageError, match=rf"downsize is {downsize}; wanted: at least 1"):
        emd(np.ones((4, 4)), np.ones((4, 4)), downsize=downsize)


LAZY_IMPORT = """
import os, sys
os.environ["POT_BACKEND_DISABLE_JAX"] = "mine"
os.environ.pop("POT_BACKEND_DISABLE_PYTORCH", None)
before = dict(os.environ)
import salbench.metrics as metrics
assert "salbench_pot" not in sys.modules, "the solver is imported before it is needed"
assert metrics.emd([[0.0, 1.0]], [[1.0, 0.0]], downsize=1) == 1.0
assert "salbench_pot.lp.emd_wrap" in sys.modules
assert not {"ot", "scipy.stats", "networkx"} & set(sys.modules), "the whole of POT is imported"
assert dict(os.environ) == before, "the environment is not what it was"
print(*sorted({"torch", "jax", "tensorflow", "cupy", "matplotlib", "salbench_models"} & set(sys.modules)))
"""


def test_emd_imports_no_torch_and_leaves_the_environment_alone():
    """Catches seconds and gigabytes spent on importing torch, which POT does unless told, and switches left set."""
    pytest.importorskip("torch", reason="without torch there is nothing to import by accident")
    environment = {name: value for name, value in os.environ.items() if not name.startswith("POT_")}
    done = subprocess.run(
        [sys.executable, "-c", LAZY_IMPORT], capture_output=True, text=True, check=False, env=environment
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.strip() == ""


@pytest.mark.parametrize("first", ["ot", "salbench"])
def test_pot_works_beside_it(first):
    """Catches a compiled module that two packages cannot share."""
    code = """
import warnings; warnings.simplefilter("ignore")
import numpy as np
def ours():
    from salbench.metrics import emd
    assert emd([[0.0, 1.0]], [[1.0, 0.0]], downsize=1) == 1.0
def theirs():
    import ot
    assert ot.emd2([0.5, 0.5], [0.25, 0.75], np.array([[0.0, 1.0], [1.0, 0.0]])) == 0.25
"""
    order = "theirs(); ours(); theirs()" if first == "ot" else "ours(); theirs(); ours()"
    environment = {**os.environ, "POT_BACKEND_DISABLE_PYTORCH": "1"}
    done = subprocess.run(
        [sys.executable, "-c", code + order], capture_output=True, text=True, check=False, env=environment
    )
    assert (done.returncode, done.stderr) == (0, "")


def test_a_release_that_is_laid_out_otherwise_is_imported_whole():
    """Catches EMD lost with the next release of POT."""
    code = """
import importlib.util as util
import warnings; warnings.simplefilter("ignore")
util.find_spec = lambda name: None
from salbench.metrics import emd
assert emd([[0.0, 1.0]], [[1.0, 0.0]], downsize=1) == 1.0
import sys
assert "ot" in sys.modules
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
