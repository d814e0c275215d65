"""The optimizers that SalGAN can be trained with: the paper's, those of the released code, and Adam."""

from collections.abc import Callable, Mapping

import torch
from torch import nn

from salbench_models.salgan.config import SalGANConfig

Groups = list[dict[str, object]]

LASAGNE_EPSILON = 1e-6
"""Lasagne's default, added to the sum of squares under the root."""


def make_optimizer(network: nn.Module, config: SalGANConfig) -> torch.optim.Optimizer:
    """The configured optimizer over what is not frozen; decay adds `weight_decay * w` to the gradient of weights only.

    Its learning rate is `config.learning_rate`.
    """
    parameters = [parameter for parameter in network.parameters() if parameter.requires_grad]
    groups: Groups = [
        {"params": [p for p in parameters if p.ndim > 1], "weight_decay": config.weight_decay},
        {"params": [p for p in parameters if p.ndim == 1], "weight_decay": 0.0},
    ]
    return MAKERS[config.optimizer](groups, config)


def adagrad(groups: Groups, config: SalGANConfig) -> torch.optim.Optimizer:
    """AdaGrad as PyTorch has it: lr * g / (sqrt(sum of g^2) + 1e-10)."""
    return torch.optim.Adagrad(groups, lr=config.learning_rate)


def lasagne_adagrad(groups: Groups, config: SalGANConfig) -> torch.optim.Optimizer:
    """AdaGrad as Lasagne has it: lr * g / sqrt(sum of g^2 + 1e-6), the released code's.

    A sum that starts at 1e-6, and nothing added to its root, is that formula. Source: lasagne.updates.adagrad.
    """
    return torch.optim.Adagrad(groups, lr=config.learning_rate, initial_accumulator_value=LASAGNE_EPSILON, eps=0.0)


def adam(groups: Groups, config: SalGANConfig) -> torch.optim.Optimizer:
    """Adam with PyTorch's defaults."""
    return torch.optim.Adam(groups, lr=config.learning_rate)


def nesterov(groups: Groups, config: SalGANConfig) -> torch.optim.Optimizer:
    """Nesterov's momentum with v = m * v - lr * g and w += m * v - lr * g, the released code's for BCE alone.

    PyTorch keeps v / -lr: as long as the rate does not change, the steps are Lasagne's.
    """
    return torch.optim.SGD(groups, lr=config.learning_rate, momentum=config.momentum, nesterov=True)


MAKERS: Mapping[str, Callable[[Groups, SalGANConfig], torch.optim.Optimizer]] = {
    "adagrad": adagrad,
    "adagrad-lasagne": lasagne_adagrad,
    "adam": adam,
    "nesterov": nesterov,
}
