import dataclasses

import pytest

from salbench.errors import UsageError
from salbench_models.salgan import SalGANConfig


def test_the_defaults_are_the_papers():
    """Catches a drift from section 4: BCE/4, 256x192, 15 epochs, batches of 32, AdaGrad 3e-4, L2 1e-4, alpha 0.05."""
    config = SalGANConfig()
    assert (config.loss, config.size, config.height_width) == ("bce4", "256x192", (192, 256))
    assert (config.epochs, config.batch, config.optimizer, config.learning_rate) == (15, 32, "adagrad", 3e-4)
    assert (config.weight_decay, config.alpha, config.init, config.vgg_weights) == (1e-4, 0.05, "glorot", "torchvision")


def test_every_field_can_become_an_option():
    """Catches a field without help or of a type that a command line cannot take."""
    for item in dataclasses.fields(SalGANConfig):
        assert item.metadata["help"]
        assert item.type in (str, int, float, bool)
        assert isinstance(item.default, item.type)
        assert item.default in item.metadata.get("choices", (item.default,))


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("loss", "bce3"),
        ("size", "250x192"),
        ("size", "256"),
        ("size", "256x192x3"),
        ("size", "-16x16"),
        ("size", "0x0"),
        ("size", "99999999999999x16"),
        ("size", "x"),
        ("epochs", -1),
        ("adversarial_epochs", -1),
        ("batch", 0),
        ("optimizer", "sgd"),
        ("learning_rate", 0.0),
        ("learning_rate", float("nan")),
        ("weight_decay", -1e-4),
        ("alpha", float("inf")),
        ("init", "zeros"),
        ("vgg_weights", ""),
        ("precision", "fp8"),
        ("memory_gb", 0.0),
    ],
)
def test_a_bad_value_is_named_with_its_field_and_the_mend(field, value):
    """Catches a value that would only fail hours later, or without saying why."""
    with pytest.raises(UsageError) as caught:
        SalGANConfig(**{field: value})
    assert str(caught.value).startswith(f"{field} is {value!r}; wanted: ")


def test_a_training_of_no_epochs_is_refused():
    """Catches a run that returns random weights as if they were trained."""
    with pytest.raises(UsageError, match="epochs is 0; wanted: at least one epoch"):
        SalGANConfig(epochs=0)


def test_phases_follow_each_other():
    """Catches an off-by-one between the content and the adversarial phase."""
    config = SalGANConfig(epochs=2, adversarial_epochs=1)
    assert [config.phase(epoch) for epoch in (1, 2, 3)] == ["content", "content", "adversarial"]


def test_a_random_encoder_is_not_frozen():
    """Catches freezing noise."""
    assert SalGANConfig().freezes
    assert not SalGANConfig(vgg_weights="none").freezes
