"""The map of the largest expected SIM: against linear programming, chance, and the maps that one would try first."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from pytest import approx
from scipy.optimize import linprog

from salbench.protocols import expected_sim
from salbench.protocols.expected_sim import best_sim_map, fill_to_one
from salbench.protocols.tuebingen import TUEBINGEN, density

SIZE = (24, 32)
COUNT = 12


def mean_sim(candidate, targets):
    return np.minimum(candidate, targets).sum(axis=1).mean()


def optimum(targets):
    """The largest mean SIM by linear programming: s and one t <= s, t <= q for each target and pixel."""
    count, pixels = targets.shape
    below_s = np.hstack([-np.tile(np.eye(pixels), (count, 1)), np.eye(count * pixels)])
    sums_to_one = np.concatenate([np.ones(pixels), np.zeros(count * pixels)])[None]
    bounds = [(0, None)] * pixels + [(0, value) for value in targets.ravel()]
    gain = np.concatenate([np.zeros(pixels), np.full(count * pixels, -1 / count)])
    return -linprog(gain, below_s, np.zeros(count * pixels), sums_to_one, [1], bounds, method="highs").fun


def target_sets():
    """Histograms of whole numbers: often 0, often equal."""
    shapes = st.tuples(st.integers(1, 6), st.integers(1, 8))
    counts = shapes.flatmap(lambda shape: hnp.arrays(np.int64, shape, elements=st.integers(0, 5)))
    return counts.filter(lambda values: values.any(axis=1).all()).map(
        lambda values: values / values.sum(axis=1, keepdims=True)
    )


@settings(max_examples=150)
@given(target_sets())
def test_filling_reaches_the_optimum_of_linear_programming(targets):
    """Catches a wrong level, a wrong mixture of two rows, and a map that does not sum to 1. float32 holds 7 digits."""
    filled = fill_to_one(targets.astype(np.float32))
    assert filled.min() >= 0
    assert filled.sum() == approx(1, abs=1e-12)
    assert mean_sim(filled, targets) == approx(optimum(targets), abs=1e-6)


def test_one_target_is_its_own_best_map():
    """Catches an optimum that is blurred or flattened for no reason."""
    target = np.array([[0.5, 0.3, 0.2, 0.0]])
    assert fill_to_one(target.astype(np.float32)) == approx(target[0], abs=1e-7)


def test_two_targets_without_common_pixels_share_as_they_like():
    """Catches a level above what there is: any split has SIM 1/2."""
    targets = np.array([[1.0, 0.0], [0.0, 1.0]])
    assert mean_sim(fill_to_one(targets.astype(np.float32)), targets) == approx(0.5)


@pytest.fixture(scope="module")
def model():
    """Probabilities with two peaks of unequal height and width."""
    rows, columns = np.indices(SIZE)
    wide = np.exp(-((rows - 8) ** 2 + (columns - 10) ** 2) / 60)
    narrow = np.exp(-((rows - 17) ** 2 + (columns - 25) ** 2) / 8)
    mixed = wide + 2 * narrow + 0.05
    return mixed / mixed.sum()


def blurred(positions):
    return density(TUEBINGEN.points(positions, SIZE), 2.0)


def held_out(probabilities, number=2000):
    """Targets that the map under test has not seen."""
    drawn = np.random.default_rng(123).choice(probabilities.size, (number, COUNT), p=probabilities.ravel())
    maps = [blurred(np.column_stack(np.divmod(one, SIZE[1]))).ravel() for one in drawn]
    return np.array([one / one.sum() for one in maps])


def test_the_map_beats_the_density_and_the_blurred_density(model):
    """Catches an optimum of something else: on fixations that it has not seen, the map must be the best."""
    targets = held_out(model)
    best = best_sim_map(model, COUNT, blurred, np.random.default_rng(0)).ravel()
    smooth = density(model, 2.0).ravel()
    assert mean_sim(best, targets) > mean_sim(smooth / smooth.sum(), targets) + 0.01
    assert mean_sim(best, targets) > mean_sim(model.ravel(), targets) + 0.01


def test_no_small_move_of_mass_gains_anything(model):
    """Catches a map near the optimum that is not it: moves between pixels, on the very maps that were drawn."""
    rng = np.random.default_rng(5)
    drawn = expected_sim._drawn_maps(model, COUNT, blurred, 50, rng).astype(np.float64)
    best = fill_to_one(drawn.astype(np.float32))
    reached = mean_sim(best, drawn)
    for _ in range(300):
        source, sink = rng.choice(best.size, 2, replace=False)
        moved = best.copy()
        step = rng.random() * moved[source]
        moved[source] -= step
        moved[sink] += step
        assert mean_sim(moved, drawn) <= reached + 1e-7


def test_the_same_generator_gives_the_same_map(model):
    """Catches a draw from anywhere else: a run must repeat itself."""
    first, second, other = (best_sim_map(model, COUNT, blurred, np.random.default_rng(seed)) for seed in (1, 1, 2))
    assert np.array_equal(first, second)
    assert not np.array_equal(first, other)
    assert first.shape == SIZE


def test_pixels_without_probability_are_never_drawn(model):
    """Catches draws by a cumulated sum that fall on its flat parts, or behind its end."""
    halved = model.copy()
    halved[:, 16:] = 0
    best = best_sim_map(halved, COUNT, lambda drawn: TUEBINGEN.points(drawn, SIZE), np.random.default_rng(0))
    assert not best[:, 16:].any()
    certain = np.zeros(SIZE)
    certain[3, 4] = 1
    best = best_sim_map(certain, COUNT, lambda drawn: TUEBINGEN.points(drawn, SIZE), np.random.default_rng(0))
    assert best[3, 4] == approx(1)


def test_large_frames_get_fewer_maps(model, monkeypatch):
    """Catches memory that grows with the frame: below the fewest it does not go."""
    asked = []
    monkeypatch.setattr(expected_sim, "VALUES", 50 * model.size)
    best_sim_map(model, COUNT, lambda drawn: asked.append(0) or blurred(drawn), np.random.default_rng(0))
    assert len(asked) == 50
    monkeypatch.setattr(expected_sim, "VALUES", 1)
    best_sim_map(model, COUNT, lambda drawn: asked.append(0) or blurred(drawn), np.random.default_rng(0))
    assert len(asked) == 50 + expected_sim.SAMPLES[0]
