"""Cross-validated densities, against leaving out done by hand: without the fixations, from the start, one by one."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import minimize

from salbench import densities
from salbench.datasets.stimulus import Fixations, Stimulus
from salbench.densities import (
    BANDWIDTHS,
    SMALLEST_WEIGHT,
    CentrePriorFit,
    GoldStandardFit,
    centre_prior,
    fit_centre_prior,
    fit_gold_standard,
    gold_standard,
    kernel,
    kernel_density,
    mixture_weights,
)
from salbench.errors import DataError, UsageError
from salbench.progress import Silent

SIZE = (30, 40)


def stimulus(name: str, fixations: Fixations, size=SIZE) -> Stimulus:
    return Stimulus(name, size, lambda: np.zeros((*size, 3), np.uint8), lambda: fixations)


def gaze(rng, centre, spread: float, count: int, viewers: int = 3, size=SIZE) -> Fixations:
    """Fixations scattered around a point, inside the frame."""
    y, x = (np.clip(rng.normal(c, spread, count), 0, side - 1) for c, side in zip(centre, size, strict=True))
    return Fixations(np.round(x), np.round(y), np.array([str(i % viewers) for i in range(count)]))


@pytest.fixture
def images() -> list[Stimulus]:
    """Eight images whose viewers look near the middle, and at one place of each image."""
    rng = np.random.default_rng(3)
    found = []
    for number in range(8):
        place = rng.normal((15, 20), (4, 6))
        found.append(stimulus(f"s{number}", gaze(rng, place, 2.0, 30)))
    return found


def counts(positions: np.ndarray, size=SIZE) -> np.ndarray:
    total = np.zeros(size)
    for row, column in positions:
        total[row, column] += 1
    return total


def test_a_kernel_is_a_gaussian_cut_at_the_border():
    weights = kernel(9, 2.0)
    assert weights.sum(axis=0) == pytest.approx(np.ones(9))
    assert weights[6, 4] / weights[4, 4] == pytest.approx(np.exp(-0.5))
    assert weights[1, 0] / weights[0, 0] == pytest.approx(np.exp(-0.125))


def test_few_and_many_points_give_the_same_density():
    """Catches the two ways of summing kernels apart: one by one, and as matrix products."""
    few = counts(np.array([[0, 0], [3, 5], [3, 5], [29, 39]]))
    background = np.full(SIZE, 0.01)
    together = kernel_density(few + background, (2.0, 3.0))
    assert together == pytest.approx(
        kernel_density(few, (2.0, 3.0)) + kernel_density(background, (2.0, 3.0)), abs=1e-14
    )
    assert kernel_density(few, (2.0, 3.0)).sum() == pytest.approx(4)


def test_a_centre_prior_is_a_mixture_of_gaussians_and_uniform():
    others = counts(np.array([[10, 10], [20, 30]]))
    fit = CentrePriorFit(bandwidth=0.1, uniform=0.25, log_likelihood=0.0)
    density = np.exp(centre_prior(others, fit))
    assert density.sum() == pytest.approx(1)
    rows, columns = np.arange(30), np.arange(40)
    expected = np.full(SIZE, 0.25 / 1200)
    for row, column in ((10, 10), (20, 30)):
        bump = np.exp(-0.5 * ((rows[:, None] - row) / 3) ** 2) * np.exp(-0.5 * ((columns - column) / 4) ** 2)
        expected += 0.75 * bump / bump.sum() / 2
    assert density == pytest.approx(expected)


def test_without_any_fixation_nothing_is_known():
    assert np.exp(centre_prior(np.zeros(SIZE), CentrePriorFit(0.1, 0.1, 0.0))) == pytest.approx(np.full(SIZE, 1 / 1200))
    prior = np.full(SIZE, -np.log(1200))
    alone = gold_standard(np.zeros((0, 2), np.int64), prior, GoldStandardFit(0.1, 0.2, 0.3, 0.0))
    assert np.exp(alone) == pytest.approx(np.full(SIZE, 1 / 1200))


def gain(log_density: np.ndarray, positions: np.ndarray) -> np.ndarray:
    """Bits per fixation over the uniform density."""
    return log_density[positions[:, 0], positions[:, 1]] / np.log(2) + np.log2(log_density.size)


def left_out_images(images: list[Stimulus], fit: CentrePriorFit) -> float:
    positions = [image.fixations().positions for image in images]
    gains = []
    for number, own in enumerate(positions):
        others = np.concatenate(positions[:number] + positions[number + 1 :])
        gains.append(gain(centre_prior(counts(others), fit), own))
    return float(np.concatenate(gains).mean())


def test_the_centre_prior_is_judged_on_images_that_it_has_not_seen(images):
    """Catches an own fixation that stays in the density: the narrowest kernel would win."""
    fit = fit_centre_prior(images, Silent())
    assert fit.log_likelihood == pytest.approx(left_out_images(images, fit), abs=1e-8)
    for bandwidth in np.geomspace(*BANDWIDTHS, 40):
        for uniform in (SMALLEST_WEIGHT, 0.01, fit.uniform, 0.3):
            other = left_out_images(images, CentrePriorFit(bandwidth, uniform, 0.0))
            assert other <= fit.log_likelihood + 1e-3, (bandwidth, uniform)


def left_out_viewers(images: list[Stimulus], fit: GoldStandardFit, prior: CentrePriorFit) -> float:
    positions = [image.fixations().positions for image in images]
    gains = []
    for number, image in enumerate(images):
        centre = centre_prior(counts(np.concatenate(positions[:number] + positions[number + 1 :])), prior)
        for name, own in image.fixations().by_viewer().items():
            rest = image.fixations().without(name).positions
            gains.append(gain(gold_standard(rest, centre, fit), own.positions))
    return float(np.concatenate(gains).mean())


def test_the_gold_standard_is_judged_on_viewers_that_it_has_not_seen(images):
    prior = fit_centre_prior(images, Silent())
    fit = fit_gold_standard(images, prior, Silent())
    assert fit.log_likelihood == pytest.approx(left_out_viewers(images, fit, prior), abs=1e-8)
    assert fit.log_likelihood > prior.log_likelihood + 0.5
    for bandwidth in np.geomspace(*BANDWIDTHS, 15):
        for uniform, centre in ((0.01, 0.01), (fit.uniform, fit.centre), (0.2, 0.3), (0.001, 0.5)):
            other = left_out_viewers(images, GoldStandardFit(bandwidth, uniform, centre, 0.0), prior)
            assert other <= fit.log_likelihood + 1e-3, (bandwidth, uniform, centre)


def test_the_spread_of_gaze_is_found_again():
    """Catches a bandwidth in the wrong unit. Many viewers around one place: the kernel's width is well below theirs."""
    rng = np.random.default_rng(0)
    size = (60, 200)
    tight, loose = (
        [stimulus(f"s{i}", gaze(rng, (30, 60 + 10 * i), spread, 60, size=size), size) for i in range(6)]
        for spread in (2.0, 8.0)
    )
    flat = CentrePriorFit(0.3, 0.5, 0.0)
    narrow, wide = (fit_gold_standard(images, flat, Silent()).bandwidth * 200 for images in (tight, loose))
    assert 0.5 < narrow < 2.0
    assert 2.0 < wide < 8.0


@given(st.integers(0, 2**32 - 1), st.integers(2, 4))
def test_mixture_weights_are_those_of_a_general_optimiser(seed, count):
    rng = np.random.default_rng(seed)
    parts, counted = rng.exponential(1.0, (count, 200)), rng.uniform(0, 3, 200)

    def loss(logits):
        weights = np.exp(logits - logits.max())
        return -np.average(np.log(weights / weights.sum() @ parts), weights=counted)

    best = minimize(loss, np.zeros(count), method="Nelder-Mead", options={"maxiter": 4000, "fatol": 1e-12}).fun
    weights = mixture_weights(parts, counted)
    assert weights.sum() == pytest.approx(1)
    assert weights.min() >= SMALLEST_WEIGHT / 2
    assert -np.average(np.log(weights @ parts), weights=counted) <= best + 1e-4


def test_images_of_several_sizes_share_a_frame(images):
    """Catches positions that are not scaled: twice as large, everything lies at the same share of its frame."""
    grown = [
        stimulus(f"t{i}", Fixations(2 * f.x, 2 * f.y, f.viewer), (60, 80))
        for i, f in enumerate(image.fixations() for image in images[:3])
    ]
    mixed = fit_centre_prior(images + grown, Silent())
    same = fit_centre_prior(
        images + [stimulus(f"t{i}", image.fixations()) for i, image in enumerate(images[:3])], Silent()
    )
    assert mixed.bandwidth == pytest.approx(same.bandwidth, rel=0.02)
    assert mixed.log_likelihood == pytest.approx(same.log_likelihood, abs=0.02)


def test_images_with_thousands_of_samples_are_all_judged(monkeypatch):
    """Catches crowded images that are left out for their cost: mouse traces have ten thousand samples an image."""
    rng = np.random.default_rng(5)
    few = [stimulus(f"few{i}", gaze(rng, (5, 5), 1.0, 5)) for i in range(2)]
    many = [stimulus(f"many{i}", gaze(rng, (22, 30), 2.0, 1500)) for i in range(6)]
    monkeypatch.setattr(densities, "PAIRS", 1_000_000)
    fit = fit_centre_prior(few + many, Silent())
    density = np.exp(centre_prior(counts(np.concatenate([one.fixations().positions for one in many])), fit))
    assert density[22, 30] > 20 * density[5, 5]
    gold = fit_gold_standard(few + many, fit, Silent())
    monkeypatch.setattr(densities, "PAIRS", 10**9)
    assert fit.bandwidth == pytest.approx(fit_centre_prior(few + many, Silent()).bandwidth, rel=0.3)
    assert gold.log_likelihood == pytest.approx(fit_gold_standard(few + many, fit, Silent()).log_likelihood, abs=0.2)


def test_unreadable_images_do_not_choose_the_frame():
    """Catches the size (1, 1) of refused images as the commonest: every fixation would fall on one pixel."""
    rng = np.random.default_rng(6)
    sizes = [(30 + i, 40 + i) for i in range(6)]
    good = [stimulus(f"s{i}", gaze(rng, (15, 20), 3.0, 30, size=size), size) for i, size in enumerate(sizes)]

    def refuse() -> Fixations:
        raise DataError("damaged")

    bad = [Stimulus(f"bad{i}", (1, 1), lambda: np.zeros((1, 1, 3), np.uint8), refuse) for i in range(3)]
    assert fit_centre_prior(good + bad, Silent()) == fit_centre_prior(good, Silent())


def test_a_large_frame_is_worked_on_in_squares(monkeypatch):
    """Catches a density of another scale or place where the frame is too large for whole kernels."""
    positions = np.array([[20, 30], [21, 33], [50, 90]])
    fit, flat = GoldStandardFit(0.05, 0.01, 0.01, 0.0), np.full((80, 120), -np.log(9600))
    whole = np.exp(gold_standard(positions, flat, fit))
    monkeypatch.setattr(densities, "LARGEST_SIDE", 60)
    squares = np.exp(gold_standard(positions, flat, fit))
    assert squares.shape == (80, 120)
    assert squares.sum() == pytest.approx(1)
    assert np.abs(squares - whole).sum() < 0.1


def test_what_cannot_be_cross_validated_is_refused(images):
    with pytest.raises(DataError, match="fewer than two images"):
        fit_centre_prior(images[:1], Silent())
    alone = [stimulus(f"s{i}", Fixations.of_one_viewer([1, 2], [3, 4])) for i in range(3)]
    with pytest.raises(UsageError, match="two viewers"):
        fit_gold_standard(alone, CentrePriorFit(0.1, 0.1, 0.0), Silent())


def test_an_unreadable_image_is_passed_over(images):
    def refuse() -> Fixations:
        raise DataError("damaged")

    broken = Stimulus("broken", SIZE, lambda: np.zeros((*SIZE, 3), np.uint8), refuse)
    assert fit_centre_prior([*images, broken], Silent()) == fit_centre_prior(images, Silent())
