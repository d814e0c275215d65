"""What is trained: two networks, their optimizers, and the three kinds of step."""

import math
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field
from typing import Any, Literal, cast

import torch
from lightning_fabric import Fabric
from torch import Tensor, nn
from torch.optim.lr_scheduler import LambdaLR

from salbench.errors import RunError, UsageError
from salbench_models.salgan.config import SalGANConfig
from salbench_models.salgan.data import Batch
from salbench_models.salgan.device import torch_device
from salbench_models.salgan.encoder import vgg_weights
from salbench_models.salgan.features import Painter
from salbench_models.salgan.losses import adversarial_loss, content_loss, discriminator_loss
from salbench_models.salgan.networks import new_discriminator, new_generator
from salbench_models.salgan.optimizers import make_optimizer
from salbench_models.salgan.processes import Processes
from salbench_models.salgan.reasons import first_line

ALONE = Processes()
PRECISION: Mapping[str, Literal["32-true", "bf16-mixed"]] = {"fp32": "32-true", "bf16": "bf16-mixed"}


class DivergenceError(RunError):
    """A loss or a weight that is not finite."""


@dataclass(frozen=True)
class Terms:
    """What a part of a batch gave: what to go down, the losses that it is made of, and what else is worth a look.

    All are scalars and means over the part's images.
    """

    objective: Tensor
    losses: Mapping[str, Tensor]
    figures: Mapping[str, Tensor] = field(default_factory=dict)


@dataclass(frozen=True)
class Step:
    """What one step gave, means over its batch.

    `losses`: by name, all finite. `figures`: the gradient's length (decay not counted) as `generator_gradient_norm` or
    `discriminator_gradient_norm`; of the discriminator's step also `d_real` and `d_fake`, its mean answers before it.
    """

    losses: dict[str, float]
    figures: dict[str, float]


@dataclass
class Trained:
    """A network as it is (`network`), as Fabric runs it (`run`), the optimizer in both shapes, and its rate's rise.

    `name`: `generator` or `discriminator`.
    """

    name: str
    network: nn.Module
    optimizer: torch.optim.Optimizer
    run: Any
    stepper: Any
    rise: LambdaLR

    @property
    def parameters(self) -> list[nn.Parameter]:
        """What is trained, in the optimizer's order."""
        return [parameter for group in self.optimizer.param_groups for parameter in group["params"]]

    def advance(self) -> None:
        """One step of the optimizer down the gradient that was gathered."""
        self.stepper.step()
        self.rise.step()

    def gradient_norm(self) -> float:
        """The length of the gradient that was gathered, over all trained parameters."""
        gradients = [parameter.grad for parameter in self.network.parameters() if parameter.grad is not None]
        return float(torch.stack([torch.linalg.vector_norm(gradient) for gradient in gradients]).norm())

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


@dataclass(frozen=True)
class Aim:
    """A kind of step: the network that takes it, what a part of a batch gives, and the names of that.

    The names are those of the terms' losses and figures, for a process whose share of a batch is empty.
    """

    trained: Trained
    terms: Callable[[Batch], Terms]
    losses: tuple[str, ...]
    figures: tuple[str, ...] = ()


class Learner:
    """Generator and, where adversarial epochs are asked for, discriminator. `seed` draws the weights not given.

    `fresh`: False where a saved state is loaded next, so that encoder weights need not be found again. `processes`:
    those that train together, each of which has a learner and gives it its share of every batch.
    Raises UsageError for a device that is not there, DataError for encoder weights that cannot be read.
    """

    def __init__(
        self,
        config: SalGANConfig,
        device: str | None,
        seed: int,
        *,
        fresh: bool = True,
        processes: Processes = ALONE,
    ) -> None:
        self.config = config
        self.processes = processes
        self.preprocessing = config.input_preprocessing
        self.fabric = fabric_on(torch_device(device), config.precision)
        self.generator = new_generator(config.init, seed, frozen=config.freezes)
        if fresh and config.freezes:
            with torch.no_grad():
                self.generator.load(vgg_weights(config.vgg_weights))
        self.painter = self.trained("generator", self.generator, Painter(self.generator))
        self.critic: Trained | None = None
        if config.adversarial_epochs:
            critic = new_discriminator(config.height_width, seed + 1, config.discriminator_form)
            self.critic = self.trained("discriminator", critic, critic)

    @property
    def device(self) -> torch.device:
        """Where the networks are."""
        return self.fabric.device

    @property
    def learning_rate(self) -> float:
        """The rate of the generator's next step."""
        return float(self.painter.optimizer.param_groups[0]["lr"])

    def trained(self, name: str, network: nn.Module, runner: nn.Module) -> Trained:
        """A network on the device with its optimizer, which AdaGrad's state makes a matter of order.

        `runner`: the module that is called in training, be it the network or one around it.
        """
        self.fabric.to_device(runner)
        optimizer = make_optimizer(network, self.config)
        runner = compiled(runner) if self.config.compile else runner
        run, stepper = self.fabric.setup(runner, optimizer, move_to_device=False)
        return Trained(name, network, optimizer, run, stepper, rise_over(self.config.warmup, optimizer))

    def step(self, batch: Batch, turn: int | None, whole: int | None = None) -> Step:
        """One step on a batch, in as many parts as the configuration's `accumulate` says.

        `turn`: None in the content phase. In the adversarial phase the number of the batch, counted through its
        epochs: even ones train the discriminator, odd ones the generator, one batch each.
        `whole`: the images of all processes' shares, of which `batch` is this one's; None where it is the whole batch.
        Raises DivergenceError for a loss that is not finite, before any weight is changed, and UsageError where the
        networks are to be compiled and cannot be.
        """
        with explained_compiler() if self.config.compile else nullcontext():
            return self.turn_step(batch, turn, len(batch) if whole is None else whole)

    def turn_step(self, batch: Batch, turn: int | None, whole: int) -> Step:
        """The kind of step that a turn asks for."""
        if turn is None:
            return self.descend(Aim(self.painter, self.content_terms, ("content",)), batch, whole)
        critic = self.need_critic()
        if turn % 2 == 0:
            aim = Aim(critic, self.discriminator_terms, ("discriminator",), ("d_real", "d_fake"))
            return self.descend(aim, batch, whole)
        # The discriminator stays as it is: it passes the gradient on and gathers none.
        critic.network.requires_grad_(False)
        try:
            return self.descend(Aim(self.painter, self.adversarial_terms, ("content", "adversarial")), batch, whole)
        finally:
            critic.network.requires_grad_(True)

    def descend(self, aim: Aim, batch: Batch, whole: int) -> Step:
        """One step of a network down the mean over `whole` images, of which a part at a time is in memory.

        Each part's mean counts by its share of the images, so that gradients and figures add up to the whole's.
        """
        sums = dict.fromkeys((*aim.losses, *aim.figures), 0.0)
        aim.trained.stepper.zero_grad(set_to_none=True)
        for part in batch.parts(self.config.accumulate):
            share = len(part) / whole
            terms = aim.terms(part)
            for name, value in (*terms.losses.items(), *terms.figures.items()):
                sums[name] += share * float(value.detach())
            self.fabric.backward(terms.objective * share)
        sums = self.processes.add_up(aim.trained.parameters, sums)
        losses = {name: sums[name] for name in aim.losses}
        check_finite(losses)
        norm = aim.trained.gradient_norm()
        aim.trained.advance()
        figures = {name: sums[name] for name in aim.figures}
        return Step(losses, {**figures, f"{aim.trained.name}_gradient_norm": norm})

    def content_terms(self, batch: Batch) -> Terms:
        """The content loss alone, for the generator."""
        content = content_loss(self.config.loss, self.logits(batch), batch.truth)
        return Terms(content, {"content": content})

    def adversarial_terms(self, batch: Batch) -> Terms:
        """alpha * content loss - log D(I, S_hat), for the generator."""
        logits = self.logits(batch)
        content = content_loss(self.config.loss, logits, batch.truth)
        adversarial = adversarial_loss(self.need_critic().run(torch.sigmoid(logits), batch.images))
        objective = self.config.alpha * content + adversarial
        return Terms(objective, {"content": content, "adversarial": adversarial})

    def discriminator_terms(self, batch: Batch) -> Terms:
        """How well the discriminator tells ground truth from predictions; the generator stays as it is."""
        critic = self.need_critic()
        with torch.no_grad():
            predicted = torch.sigmoid(self.logits(batch))
        real, fake = critic.run(batch.truth, batch.images), critic.run(predicted, batch.images)
        loss = discriminator_loss(real, fake)
        figures = {"d_real": mean_answer(real), "d_fake": mean_answer(fake)}
        return Terms(loss, {"discriminator": loss}, figures)

    def logits(self, batch: Batch) -> Tensor:
        """The generator's (n, 1, H, W) answer to a batch, from its features where it has them."""
        if batch.features is not None:
            logits: Tensor = self.painter.run(batch.features, from_features=True)
        else:
            logits = self.painter.run(self.preprocessing(batch.images))
        return logits

    def need_critic(self) -> Trained:
        """The discriminator. RuntimeError where the configuration has no adversarial epochs."""
        if self.critic is None:
            raise RuntimeError("an adversarial step without adversarial epochs")
        return self.critic

    def check_weights(self) -> None:
        """DivergenceError unless every parameter is finite."""
        for name in self.broken_weights():
            raise DivergenceError(f"training diverged: {name} is no longer finite")

    def broken_weights(self) -> Iterator[str]:
        """The names of the generator's parameters that are not finite."""
        return (name for name, tensor in self.generator.weights().items() if not tensor.isfinite().all())

    def state_dict(self) -> dict[str, Any]:
        """Everything that a step depends on."""
        state = {"generator": self.painter.state_dict()}
        if self.critic is not None:
            state["discriminator"] = self.critic.state_dict()
        return state

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """What `state_dict` gave; without a discriminator in it, which has not begun then, ours stays as it is."""
        self.painter.load_state_dict(state["generator"])
        if self.critic is not None and "discriminator" in state:
            self.critic.load_state_dict(state["discriminator"])


def fabric_on(device: torch.device, precision: str) -> Fabric:
    """Fabric for one device."""
    # Fabric counts CPU processes but numbers accelerators; torch's stubs hide that an index may be None.
    index: int | None = device.index
    devices = 1 if index is None or device.type == "cpu" else [index]
    return Fabric(accelerator=device.type, devices=devices, precision=PRECISION[precision])


def rise_over(steps: int, optimizer: torch.optim.Optimizer) -> LambdaLR:
    """A learning rate that rises in equal parts over the first `steps` steps and then stays."""
    return LambdaLR(optimizer, lambda done: min(1.0, (done + 1) / max(1, steps)))


def check_finite(losses: Mapping[str, float]) -> None:
    """DivergenceError for a loss that is not finite, before any step is taken on it."""
    for name, value in losses.items():
        if not math.isfinite(value):
            raise DivergenceError(f"training diverged: the {name} loss is {value}")


def mean_answer(verdict: Tensor) -> Tensor:
    """The mean of D over (N,) logits: 0 to 1, a scalar without gradient."""
    return torch.sigmoid(verdict.detach().float()).mean()


def compiled(module: nn.Module) -> nn.Module:
    """A module that torch compiles when it is first called. UsageError where torch has no compiler."""
    try:
        return cast(nn.Module, torch.compile(module))
    except RuntimeError as error:
        raise no_compiler(error) from error


@contextmanager
def explained_compiler() -> Iterator[None]:
    """UsageError, naming the option, for what torch's compiler raises in the block."""
    from torch._dynamo.exc import TorchDynamoException  # noqa: PLC0415 - slow to import, and for this option alone

    try:
        yield
    except TorchDynamoException as error:
        raise no_compiler(error) from error


def no_compiler(error: Exception) -> UsageError:
    """What to tell of a failed compiler; only the first line of what it said is for the user."""
    return UsageError(f"compile is True, but torch.compile failed ({first_line(error)}); train without --compile")
