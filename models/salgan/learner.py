"""What is trained: two networks, their optimizers, and the three kinds of step."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import torch
from lightning_fabric import Fabric
from torch import Tensor, nn
from torch.optim.lr_scheduler import LambdaLR

from salbench.errors import RunError
from salbench_models.salgan.config import SalGANConfig
from salbench_models.salgan.data import Batch
from salbench_models.salgan.device import torch_device
from salbench_models.salgan.encoder import vgg_weights
from salbench_models.salgan.losses import adversarial_loss, content_loss, discriminator_loss
from salbench_models.salgan.networks import new_discriminator, new_generator
from salbench_models.salgan.preprocessing import TORCHVISION

PREPROCESSING = TORCHVISION
PRECISION: Mapping[str, Literal["32-true", "bf16-mixed"]] = {"fp32": "32-true", "bf16": "bf16-mixed"}


@dataclass
class Trained:
    """A network as it is (`network`), as Fabric runs it (`run`), the optimizer in both shapes, and its rate's rise."""

    network: nn.Module
    optimizer: torch.optim.Optimizer
    run: Any
    stepper: Any
    rise: LambdaLR

    def descend(self, fabric: Fabric, loss: Tensor) -> None:
        """One step of the optimizer down a loss."""
        self.stepper.zero_grad(set_to_none=True)
        fabric.backward(loss)
        self.stepper.step()
        self.rise.step()

    def state_dict(self) -> dict[str, Any]:
        """Parameters, optimizer, and where the rise of the learning rate stands."""
        return {
            "network": dict(self.network.state_dict()),
            "optimizer": self.optimizer.state_dict(),
            "rise": self.rise.state_dict(),
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """What `state_dict` gave."""
        self.network.load_state_dict(state["network"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.rise.load_state_dict(dict(state["rise"]))


class Learner:
    """Generator and, where adversarial epochs are asked for, discriminator. `seed` draws the weights not given.

    `fresh`: False where a saved state is loaded next, so that encoder weights need not be found again.
    Raises UsageError for a device that is not there, DataError for encoder weights that cannot be read.
    """

    def __init__(self, config: SalGANConfig, device: str | None, seed: int, *, fresh: bool = True) -> None:
        self.config = config
        self.fabric = fabric_on(torch_device(device), config.precision)
        self.generator = new_generator(config.init, seed, frozen=config.freezes)
        if fresh and config.freezes:
            with torch.no_grad():
                self.generator.load(vgg_weights(config.vgg_weights))
        self.painter = self.trained(self.generator)
        self.critic: Trained | None = None
        if config.adversarial_epochs:
            self.critic = self.trained(new_discriminator(config.height_width, seed + 1))

    @property
    def device(self) -> torch.device:
        """Where the networks are."""
        return self.fabric.device

    def trained(self, network: nn.Module) -> Trained:
        """A network on the device with its optimizer, which AdaGrad's state makes a matter of order."""
        self.fabric.to_device(network)
        optimizer = make_optimizer(network, self.config)
        run, stepper = self.fabric.setup(network, optimizer, move_to_device=False)
        return Trained(network, optimizer, run, stepper, rise_over(self.config.warmup, optimizer))

    def step(self, batch: Batch, turn: int | None) -> dict[str, float]:
        """One step on a batch; the losses by name.

        `turn`: None in the content phase. In the adversarial phase the number of the batch, counted through its
        epochs: even ones train the discriminator, odd ones the generator, one batch each.
        """
        if turn is None:
            return self.content_step(batch)
        if turn % 2 == 0:
            return self.discriminator_step(batch)
        return self.adversarial_step(batch)

    def content_step(self, batch: Batch) -> dict[str, float]:
        """Train the generator on the content loss alone."""
        loss = content_loss(self.config.loss, self.logits(batch), batch.truth)
        losses = finite(content=loss)
        self.painter.descend(self.fabric, loss)
        return losses

    def adversarial_step(self, batch: Batch) -> dict[str, float]:
        """Train the generator on alpha * content loss - log D(I, S_hat); the discriminator stays as it is."""
        critic = self.need_critic()
        critic.network.requires_grad_(False)
        logits = self.logits(batch)
        content = content_loss(self.config.loss, logits, batch.truth)
        adversarial = adversarial_loss(critic.run(torch.sigmoid(logits), batch.images))
        losses = finite(content=content, adversarial=adversarial)
        self.painter.descend(self.fabric, self.config.alpha * content + adversarial)
        critic.network.requires_grad_(True)
        return losses

    def discriminator_step(self, batch: Batch) -> dict[str, float]:
        """Train the discriminator to tell ground truth from predictions; the generator stays as it is."""
        critic = self.need_critic()
        with torch.no_grad():
            predicted = torch.sigmoid(self.logits(batch))
        loss = discriminator_loss(critic.run(batch.truth, batch.images), critic.run(predicted, batch.images))
        losses = finite(discriminator=loss)
        critic.descend(self.fabric, loss)
        return losses

    def logits(self, batch: Batch) -> Tensor:
        """The generator's (n, 1, H, W) answer to a batch."""
        logits: Tensor = self.painter.run(PREPROCESSING(batch.images))
        return logits

    def need_critic(self) -> Trained:
        """The discriminator. RuntimeError where the configuration has no adversarial epochs."""
        if self.critic is None:
            raise RuntimeError("an adversarial step without adversarial epochs")
        return self.critic

    def check_weights(self) -> None:
        """RunError unless every parameter is finite."""
        for name, tensor in self.generator.weights().items():
            if not tensor.isfinite().all():
                raise RunError(f"training diverged: {name} is no longer finite")

    def state_dict(self) -> dict[str, Any]:
        """Everything that a step depends on."""
        state = {"generator": self.painter.state_dict()}
        if self.critic is not None:
            state["discriminator"] = self.critic.state_dict()
        return state

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """What `state_dict` gave."""
        self.painter.load_state_dict(state["generator"])
        if self.critic is not None:
            self.critic.load_state_dict(state["discriminator"])


def fabric_on(device: torch.device, precision: str) -> Fabric:
    """Fabric for one device."""
    # Fabric counts CPU processes but numbers accelerators; torch's stubs hide that an index may be None.
    index: int | None = device.index
    devices = 1 if index is None or device.type == "cpu" else [index]
    return Fabric(accelerator=device.type, devices=devices, precision=PRECISION[precision])


def make_optimizer(network: nn.Module, config: SalGANConfig) -> torch.optim.Optimizer:
    """AdaGrad or Adam over what is not frozen; the decay adds `weight_decay * w` to the gradient of weights only."""
    parameters = [parameter for parameter in network.parameters() if parameter.requires_grad]
    groups = [
        {"params": [p for p in parameters if p.ndim > 1], "weight_decay": config.weight_decay},
        {"params": [p for p in parameters if p.ndim == 1], "weight_decay": 0.0},
    ]
    kind = torch.optim.Adagrad if config.optimizer == "adagrad" else torch.optim.Adam
    return kind(groups, lr=config.learning_rate)


def rise_over(steps: int, optimizer: torch.optim.Optimizer) -> LambdaLR:
    """A learning rate that rises in equal parts over the first `steps` steps and then stays."""
    return LambdaLR(optimizer, lambda done: min(1.0, (done + 1) / max(1, steps)))


def finite(**losses: Tensor) -> dict[str, float]:
    """The losses as numbers. RunError for one that is not finite, before any step is taken on it."""
    values = {name: float(loss.detach()) for name, loss in losses.items()}
    for name, loss in losses.items():
        if not torch.isfinite(loss.detach()):
            raise RunError(f"training diverged: the {name} loss is {values[name]}")
    return values
