from dataclasses import replace

import pytest
import torch

from salbench.errors import RunError, UsageError
from salbench_models.salgan import SalGANConfig
from salbench_models.salgan.data import Batch
from salbench_models.salgan.device import torch_device
from salbench_models.salgan.learner import Learner
from salbench_models.salgan.losses import content_loss
from salbench_models.salgan.networks import new_discriminator
from salbench_models.salgan.optimizers import make_optimizer
from salbench_models.salgan.preprocessing import TORCHVISION


def copies(network):
    return {name: tensor.clone() for name, tensor in network.state_dict().items()}


def changed(network, before):
    return {name for name, tensor in network.state_dict().items() if not torch.equal(tensor, before[name])}


@pytest.fixture
def batch():
    rng = torch.Generator().manual_seed(0)
    return Batch(torch.rand(2, 3, 16, 16, generator=rng), torch.rand(2, 1, 16, 16, generator=rng))


@pytest.fixture(scope="module")
def learner(vgg_file):
    config = SalGANConfig(size="16x16", epochs=1, adversarial_epochs=1, vgg_weights=str(vgg_file), loss="bce")
    return Learner(config, "cpu", seed=0)


def test_a_content_step_trains_all_but_conv1_to_conv3(learner, batch):
    """Catches frozen layers that move, and trained ones that do not: conv1-conv3 stay bit-identical."""
    before, critic = copies(learner.generator), copies(learner.critic.network)
    first = learner.step(batch, None)
    learner.step(batch, None)
    moved = changed(learner.generator, before)
    assert {name.partition(".")[0] for name in moved} == {"upper", "decoder"}
    assert {name for name in before if not name.startswith("lower")} - moved == set()
    assert changed(learner.critic.network, critic) == set()
    assert set(first.losses) == {"content"}


def test_the_turns_train_one_network_each(learner, batch):
    """Catches a discriminator that learns from the generator's step, or a generator from the discriminator's."""
    generator, critic = copies(learner.generator), copies(learner.critic.network)
    assert set(learner.step(batch, 0).losses) == {"discriminator"}
    assert changed(learner.generator, generator) == set()
    assert changed(learner.critic.network, critic)
    critic = copies(learner.critic.network)
    assert set(learner.step(batch, 1).losses) == {"content", "adversarial"}
    assert changed(learner.critic.network, critic) == set()
    assert changed(learner.generator, generator)
    assert all(parameter.requires_grad for parameter in learner.critic.network.parameters())


def test_the_generators_gradient_is_alpha_times_content_minus_log_d(learner, batch):
    """Catches alpha on the wrong term: the gradient of the output's bias against autograd of the paper's formula."""
    bias, optimizer = learner.generator.decoder.output.bias, learner.painter.optimizer
    logits = learner.generator(TORCHVISION(batch.images))
    verdict = torch.sigmoid(learner.critic.network(torch.sigmoid(logits), batch.images))
    loss = 0.05 * content_loss("bce", logits, batch.truth) - torch.log(verdict).mean()
    (wanted,) = torch.autograd.grad(loss, bias)
    learner.step(batch, 1)
    torch.testing.assert_close(bias.grad, wanted)
    assert optimizer.state[bias]["step"] > 0


def test_adagrad_with_l2_on_weights_only_by_hand():
    """Catches decay on biases, decoupled decay, another optimizer or rate: two steps against the formula."""
    network = torch.nn.Conv2d(1, 1, 1)
    weight, bias, total_w, total_b = 2.0, 3.0, 0.0, 0.0
    with torch.no_grad():
        network.weight.fill_(weight)
        network.bias.fill_(bias)
    optimizer = make_optimizer(network, SalGANConfig(weight_decay=0.5))
    assert isinstance(optimizer, torch.optim.Adagrad)
    for gradient_w, gradient_b in [(0.25, 0.0), (-2.0, 0.75)]:
        network.weight.grad = torch.full_like(network.weight, gradient_w)
        network.bias.grad = torch.full_like(network.bias, gradient_b)
        optimizer.step()
        decayed = gradient_w + 0.5 * weight
        total_w, total_b = total_w + decayed**2, total_b + gradient_b**2
        weight -= 3e-4 * decayed / (total_w**0.5 + 1e-10)
        bias -= 3e-4 * gradient_b / (total_b**0.5 + 1e-10)
        assert network.weight.item() == pytest.approx(weight, rel=1e-6)
        assert network.bias.item() == pytest.approx(bias, rel=1e-6)


def test_adam_is_adam_and_frozen_parameters_have_no_state():
    """Catches an option that is ignored, and 7 MB of optimizer state for what never moves."""
    network = new_discriminator((16, 16), seed=0)
    network.features.requires_grad_(False)
    optimizer = make_optimizer(network, SalGANConfig(optimizer="adam", learning_rate=1e-4))
    assert isinstance(optimizer, torch.optim.Adam)
    assert sum(len(group["params"]) for group in optimizer.param_groups) == len(list(network.classifier.parameters()))
    assert {group["lr"] for group in optimizer.param_groups} == {1e-4}


def test_a_loss_that_is_not_finite_stops_before_the_step(learner, batch):
    """Catches weights poisoned by the step that should not have been taken."""
    before = copies(learner.generator)
    with pytest.raises(RunError, match="the content loss is nan"):
        learner.step(replace(batch, truth=torch.full((2, 1, 16, 16), torch.nan)), None)
    assert changed(learner.generator, before) == set()


def test_bf16_steps_keep_float32_weights(full_width, batch):
    """Catches a precision option without effect, or one that stores half precision."""
    config = SalGANConfig(size="16x16", vgg_weights="none", init="he", loss="bce", precision="bf16")
    learner = Learner(config, "cpu", seed=0)
    exact = content_loss("bce", learner.generator(TORCHVISION(batch.images)), batch.truth).item()
    loss = learner.step(batch, None).losses["content"]
    assert loss == pytest.approx(exact, rel=0.05)
    assert loss != exact
    assert {tensor.dtype for tensor in learner.generator.weights().values()} == {torch.float32}


@pytest.mark.parametrize("name", ["tpu9000", "cuda:99", "cuda:256", "cuda:-1", "cpu:1", "meta", "xpu", ""])
def test_a_device_that_is_not_there_is_a_usage_error(name):
    """Catches errors of torch and Fabric for a mistyped device or one not to run on, and cuda:256, torch's cuda:0."""
    with pytest.raises(UsageError, match=f"device is '{name}'; wanted: one that torch finds here, which are cpu"):
        torch_device(name)


@pytest.mark.parametrize("there", [True, False])
def test_mps_is_taken_where_there_is_any(monkeypatch, there):
    """Catches a Mac's GPU refused, and Fabric's MisconfigurationException for `--device mps` on another machine."""
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: there)
    if there:
        assert torch_device("mps") == torch.device("mps")
    else:
        with pytest.raises(UsageError, match="device is 'mps'"):
            torch_device("mps")


def test_cuda_is_taken_up_to_the_last_there_is(monkeypatch):
    """Catches a second GPU refused, a third one made up, and a GPU left idle without a name."""
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    assert [str(torch_device(name)) for name in ("cpu", "cuda", "cuda:1", None)] == ["cpu", "cuda", "cuda:1", "cuda"]
    with pytest.raises(UsageError, match=r"device is 'cuda:2'; .* cpu, cuda, cuda:0, cuda:1"):
        torch_device("cuda:2")


def test_the_best_device_is_chosen_without_a_name():
    """Catches a GPU left idle, or asked for where there is none."""
    assert torch_device(None).type == ("cuda" if torch.cuda.is_available() else "cpu")


def test_the_learning_rate_rises_over_the_warmup_and_goes_on_from_a_saved_state(batch):
    """Catches a rise that starts at zero, never ends, or starts again after a resume."""
    config = SalGANConfig(size="16x16", vgg_weights="none", warmup=4)
    first, second = (Learner(config, "cpu", seed=0) for _ in range(2))

    def rate(learner: Learner) -> float:
        return learner.painter.optimizer.param_groups[0]["lr"]

    rates = []
    for _ in range(2):
        rates.append(rate(first))
        first.step(batch, None)
    second.load_state_dict(first.state_dict())
    for _ in range(4):
        rates.append(rate(second))
        second.step(batch, None)
    assert rates == pytest.approx([3e-4 * part for part in (0.25, 0.5, 0.75, 1, 1, 1)])
