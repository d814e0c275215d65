import numpy as np
import pytest
import torch

from salbench.errors import UsageError
from salbench_models.salgan.config import LOSSES
from salbench_models.salgan.losses import adversarial_loss, content_loss, discriminator_loss

LOGITS = np.random.default_rng(0).normal(0, 2, (2, 1, 16, 24))
TRUTH = np.random.default_rng(1).random((2, 1, 16, 24))


def pooled(maps, factor):
    count, _, height, width = maps.shape
    return maps.reshape(count, height // factor, factor, width // factor, factor).mean(axis=(2, 4))


def expected(name):
    probability = 1 / (1 + np.exp(-LOGITS))
    if name == "mse":
        return np.mean((probability - TRUTH) ** 2)
    factor = int(name[3:] or 1)
    p, t = pooled(probability, factor), pooled(TRUTH, factor)
    return np.mean(-t * np.log(p) - (1 - t) * np.log(1 - p))


def value(name, logits=LOGITS, truth=TRUTH):
    return content_loss(name, torch.from_numpy(logits), torch.from_numpy(truth)).item()


@pytest.mark.parametrize("name", LOSSES)
def test_content_losses_equal_numpys(name):
    """Catches pooling after the logarithm, pooling of logits, sums for means, a wrong factor."""
    assert value(name) == pytest.approx(expected(name), rel=1e-5)


def test_a_hand_computed_bce2():
    """Catches an error that the NumPy formula shares: four pixels of 0.5 against a mean truth of 0.25."""
    truth = np.array([[1.0, 0.0], [0.0, 0.0]])[None, None]
    assert value("bce2", np.zeros((1, 1, 2, 2)), truth) == pytest.approx(np.log(2))
    assert value("bce", np.zeros((1, 1, 2, 2)), truth) == pytest.approx(np.log(2))
    assert value("mse", np.zeros((1, 1, 2, 2)), truth) == pytest.approx(0.25)


@pytest.mark.parametrize("name", ["bce", "bce4"])
def test_certain_and_wrong_still_has_a_gradient(name):
    """Catches a sigmoid that saturates: at a logit of 200 its probability is exactly 1 in floating point."""
    logits = torch.full((1, 1, 4, 4), 200.0, requires_grad=True)
    loss = content_loss(name, logits, torch.zeros(1, 1, 4, 4))
    loss.backward()
    assert loss.item() == pytest.approx(200, rel=1e-3)
    assert logits.grad.sum().item() == pytest.approx(1, rel=1e-3)


@pytest.mark.parametrize("name", ["bce2", "bce4", "bce8"])
def test_pooling_that_does_not_divide_the_map_is_refused(name):
    """Catches silently dropped border pixels."""
    with pytest.raises(UsageError, match="7x16 cannot be pooled by"):
        content_loss(name, torch.zeros(1, 1, 16, 7), torch.zeros(1, 1, 16, 7))


def test_an_unknown_loss_is_refused():
    """Catches a fall-through to some default loss."""
    with pytest.raises(UsageError, match="'bce3'; wanted: one of mse, bce"):
        content_loss("bce3", torch.zeros(1, 1, 2, 2), torch.zeros(1, 1, 2, 2))


def test_adversarial_loss_rewards_a_fooled_discriminator():
    """Catches a flipped sign: -log D is log 2 at D = 1/2 and falls as D's logit grows."""
    assert adversarial_loss(torch.zeros(3)).item() == pytest.approx(np.log(2))
    verdict = torch.zeros(2, requires_grad=True)
    adversarial_loss(verdict).backward()
    assert (verdict.grad < 0).all()
    assert adversarial_loss(torch.tensor([3.0, -1.0])).item() == pytest.approx(
        -np.mean(np.log(1 / (1 + np.exp([-3.0, 1.0])))), rel=1e-6
    )


def test_discriminator_loss_has_label_1_for_recorded_maps():
    """Catches exchanged labels."""
    assert discriminator_loss(torch.zeros(2), torch.zeros(2)).item() == pytest.approx(2 * np.log(2))
    recorded, predicted = torch.zeros(2, requires_grad=True), torch.zeros(2, requires_grad=True)
    discriminator_loss(recorded, predicted).backward()
    assert (recorded.grad < 0).all()
    assert (predicted.grad > 0).all()
