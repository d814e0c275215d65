"""The losses of SalGAN, computed from logits so that no sigmoid can saturate to 0 or 1 (Pan et al. 2017, section 4)."""

import math

import torch
import torch.nn.functional as F
from torch import Tensor

from salbench.errors import UsageError
from salbench_models.salgan.config import LOSSES, pooling


def content_loss(name: str, logits: Tensor, truth: Tensor) -> Tensor:
    """The content loss of that name: `mse`, `bce`, or `bceN`, on maps pooled by N. A scalar, mean over all pixels.

    `logits`: (N, 1, H, W), before the sigmoid. `truth`: the same shape, in 0 to 1.
    Raises UsageError for an unknown name and for sides that the pooling does not divide.
    """
    if name not in LOSSES:
        raise UsageError(f"loss is {name!r}; wanted: one of {', '.join(LOSSES)}")
    logits, truth = logits.float(), truth.float()
    if name == "mse":
        return F.mse_loss(torch.sigmoid(logits), truth)
    return pooled_bce(logits, truth, pooling(name))


def pooled_bce(logits: Tensor, truth: Tensor, factor: int) -> Tensor:
    """Binary cross-entropy of the prediction's and the truth's means over squares of `factor` pixels a side."""
    height, width = logits.shape[-2:]
    if height % factor or width % factor:
        raise UsageError(f"a map of {width}x{height} cannot be pooled by {factor}: both sides must divide by it")
    if factor == 1:
        return F.binary_cross_entropy_with_logits(logits, truth)
    target = F.avg_pool2d(truth, factor)
    return -(target * log_mean_sigmoid(logits, factor) + (1 - target) * log_mean_sigmoid(-logits, factor)).mean()


def log_mean_sigmoid(logits: Tensor, factor: int) -> Tensor:
    """log of the average-pooled sigmoid: a log-sum-exp over each square, finite and with a gradient for any logits."""
    *leading, height, width = logits.shape
    squares = F.logsigmoid(logits).reshape(*leading, height // factor, factor, width // factor, factor)
    return torch.logsumexp(squares, dim=(-3, -1)) - 2 * math.log(factor)


def adversarial_loss(verdict: Tensor) -> Tensor:
    """-log D(I, S_hat), the batch's mean: small where the discriminator takes predictions for recorded maps.

    `verdict`: (N,) the discriminator's logits of predictions.
    """
    return F.softplus(-verdict.float()).mean()


def discriminator_loss(recorded: Tensor, predicted: Tensor) -> Tensor:
    """Cross-entropy of the discriminator, label 1 for recorded maps and 0 for predictions: the two means, added.

    `recorded`, `predicted`: (N,) its logits of ground truth and of predictions.
    """
    return F.softplus(-recorded.float()).mean() + F.softplus(predicted.float()).mean()
