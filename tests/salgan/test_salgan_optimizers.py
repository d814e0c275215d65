"""The optimizers of the released code against their formulas, by hand."""

import pytest
import torch

from salbench_models.salgan import SalGANConfig
from salbench_models.salgan.optimizers import make_optimizer

GRADIENTS = [(0.001, 0.0), (-0.002, 3e-4), (0.5, -1e-5)]
"""Of a weight and a bias; the first are as small as the root of Lasagne's 1e-6, where the formulas differ most."""


@pytest.fixture
def network():
    """One weight, one bias."""
    made = torch.nn.Conv2d(1, 1, 1)
    with torch.no_grad():
        made.weight.fill_(0.02)
        made.bias.fill_(0.03)
    return made


def stepped(network, config):
    """Weight and bias after each step with GRADIENTS."""
    optimizer = make_optimizer(network, config)
    for of_weight, of_bias in GRADIENTS:
        network.weight.grad = torch.full_like(network.weight, of_weight)
        network.bias.grad = torch.full_like(network.bias, of_bias)
        optimizer.step()
        yield network.weight.item(), network.bias.item()


def test_lasagnes_adagrad_by_hand(network):
    """Catches 1e-6 beside the root instead of under it: lr * g / sqrt(sum g^2 + 1e-6), three steps, no decay."""
    config = SalGANConfig(optimizer="adagrad-lasagne", weight_decay=0.0)
    values, sums = [0.02, 0.03], [0.0, 0.0]
    for gradients, found in zip(GRADIENTS, stepped(network, config), strict=True):
        for place, gradient in enumerate(gradients):
            sums[place] += gradient**2
            values[place] -= 3e-4 * gradient / (sums[place] + 1e-6) ** 0.5
        assert found == pytest.approx(values, rel=1e-6)


def test_lasagnes_first_step_is_not_pytorchs(network):
    """Catches an option without effect: at a gradient of 1e-3 Lasagne's first step is 1/sqrt(2) of PyTorch's."""
    first, _ = next(stepped(network, SalGANConfig(optimizer="adagrad-lasagne", weight_decay=0.0)))
    assert 0.02 - first == pytest.approx(3e-4 / 2**0.5, rel=1e-4)


def test_nesterovs_momentum_by_hand(network):
    """Catches classical momentum and another momentum: Lasagne's v = m v - lr g, then w += m v - lr g."""
    config = SalGANConfig(optimizer="nesterov", learning_rate=1e-3, weight_decay=0.0)
    values, velocities = [0.02, 0.03], [0.0, 0.0]
    for gradients, found in zip(GRADIENTS, stepped(network, config), strict=True):
        for place, gradient in enumerate(gradients):
            velocities[place] = 0.5 * velocities[place] - 1e-3 * gradient
            values[place] += 0.5 * velocities[place] - 1e-3 * gradient
        assert found == pytest.approx(values, rel=1e-6)


@pytest.mark.parametrize("name", ["adagrad", "adagrad-lasagne", "adam", "nesterov"])
def test_every_optimizer_decays_weights_and_not_biases(name, network):
    """Catches decay that one of the optimizers loses, and biases that shrink without a gradient."""
    optimizer = make_optimizer(network, SalGANConfig(optimizer=name, weight_decay=0.5))
    network.weight.grad, network.bias.grad = torch.zeros_like(network.weight), torch.zeros_like(network.bias)
    optimizer.step()
    assert network.weight.item() < 0.02
    assert network.bias.item() == pytest.approx(0.03, abs=1e-9)


@pytest.mark.parametrize("name", SalGANConfig.choices()["optimizer"])
def test_every_choice_is_made(name, network):
    """Catches an optimizer that the configuration offers and nobody makes; it has the configured rate."""
    optimizer = make_optimizer(network, SalGANConfig(optimizer=name, learning_rate=0.25))
    assert {group["lr"] for group in optimizer.param_groups} == {0.25}
