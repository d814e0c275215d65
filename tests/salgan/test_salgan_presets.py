"""Named configurations: what they hold, and how the command line and any plugin use them."""

import dataclasses
import json
from importlib.metadata import EntryPoint
from typing import ClassVar

import pytest

from salbench.cli import main
from salbench.errors import UsageError
from salbench.models import ENTRY_POINT_GROUP, ImportingFactory, ModelCard, PresetFactory, Registry, with_preset
from salbench_models.salgan import SalGAN, SalGANConfig
from salbench_models.salgan.checkpoint import Header
from salbench_models.salgan.config import OPERATIONAL
from salbench_models.salgan.presets import PRESETS
from salbench_models.salgan.run_folder import Epoch
from salbench_models.salgan.training import header_of, identity

PAPER = {
    "mse": ("mse", 15, 0),
    "bce": ("bce", 15, 0),
    "bce2": ("bce2", 15, 0),
    "bce4": ("bce4", 15, 0),
    "bce8": ("bce8", 15, 0),
    "gan4": ("bce4", 15, 75),
}
"""Tables 2 and 3: content loss, its epochs, adversarial epochs (the released checkpoint is epoch 90)."""

RELEASED_CODE = {
    "optimizer": "adagrad-lasagne",
    "weight_decay": 0.0,
    "discriminator_pool1": 4,
    "discriminator_pad": 0,
    "discriminator_weight_norm": True,
    "vgg_weights": "caffe",
}
"""What PAPER.md says that the released code does otherwise."""


def config_of(**options):
    return SalGANConfig(**with_preset(SalGAN, options))


@pytest.mark.parametrize(("name", "wanted"), PAPER.items())
def test_presets_are_the_papers_experiments_and_nothing_else(name, wanted):
    """Catches a preset that trains another loss, too long, or with a setting that the paper does not have."""
    config = config_of(preset=name)
    assert (config.loss, config.epochs, config.adversarial_epochs, config.preset) == (*wanted, name)
    experiment = {"loss", "epochs", "adversarial_epochs", "preset"}
    rest, default = (
        {key: value for key, value in one.as_record().items() if key not in experiment}
        for one in (config, SalGANConfig())
    )
    assert rest == default


def test_original_code_is_gan4_with_every_difference_of_the_released_code():
    """Catches a difference forgotten, and one made up."""
    ours, paper = config_of(preset="original-code").as_record(), config_of(preset="gan4").as_record()
    changed = {name: value for name, value in ours.items() if value != paper[name]}
    assert changed == {**RELEASED_CODE, "preset": "original-code"}


def test_the_presets_are_all_of_them():
    """Catches a preset without a test."""
    assert set(PRESETS) == {*PAPER, "original-code"}


def test_an_option_overrides_its_preset_even_with_a_default():
    """Catches a preset that wins over what was asked for, and a default value taken for no value."""
    config = config_of(preset="gan4", batch=8, adversarial_epochs=0)
    assert (config.loss, config.batch, config.adversarial_epochs, config.preset) == ("bce4", 8, 0, "gan4")


def test_an_unknown_preset_is_named_with_the_near_ones():
    """Catches a mistyped preset that trains the default, from any side."""
    with pytest.raises(UsageError, match=r"unknown salgan preset 'gan'\. Did you mean gan4\?"):
        config_of(preset="gan")
    with pytest.raises(UsageError, match="preset is 'gan'; wanted: one of mse, bce"):
        SalGANConfig(preset="gan")


def test_a_preset_changes_no_caller():
    """Catches presets that one training's overrides leave changed for the next."""
    options = {"preset": "gan4", "batch": 8}
    with_preset(SalGAN, options)["loss"] = "mse"
    assert options == {"preset": "gan4", "batch": 8}
    assert PRESETS["gan4"]["loss"] == "bce4"


def test_checkpoint_and_run_keep_the_preset_and_all_that_it_gave(make_job, tmp_path):
    """Catches a checkpoint that cannot be repeated, and a run resumed with what another preset means."""
    config, job = config_of(preset="original-code", batch=8), make_job(tmp_path)
    header = header_of(job, config, Epoch(1, "content", {"content": 0.5}, {}, 1.0, 1.0))
    assert isinstance(header, Header)
    wanted = {**dataclasses.asdict(config), "preset": "original-code", "batch": 8, **RELEASED_CODE}
    assert {name: header.config[name] for name in wanted} == wanted
    assert {name: identity(job, config)[name] for name in wanted} == wanted


def test_a_name_alone_makes_no_other_run():
    """Catches a run that cannot go on because its options were once called by their preset's name."""
    assert "preset" in OPERATIONAL
    named, spelled = config_of(preset="mse").as_record(), SalGANConfig(loss="mse").as_record()
    assert {name for name in named if named[name] != spelled[name]} == {"preset"}


def test_print_config_prints_everything_and_trains_nothing(tmp_path, monkeypatch, capsys):
    """Catches output that a program cannot read, a missing field, an override lost, a folder made."""
    monkeypatch.chdir(tmp_path)
    assert main(["train", "salgan", "--preset", "gan4", "--batch", "8", "--print-config"]) == 0
    printed = json.loads(capsys.readouterr().out)
    assert printed == {"model": "salgan", **config_of(preset="gan4", batch=8).as_record()}
    assert SalGANConfig(**{name: value for name, value in printed.items() if name != "model"}).batch == 8
    assert list(tmp_path.iterdir()) == []


def test_print_config_checks_the_configuration(capsys):
    """Catches a configuration that is printed and could not be trained."""
    assert main(["train", "salgan", "--preset", "bce8", "--size", "100x96", "--print-config"]) == 2
    assert "size is '100x96'; wanted" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (["--preset", "gan5", "--print-config"], "Did you mean gan4?"),
        (["--preset", "gan5", "--dataset", "synthetic"], "Did you mean gan4?"),
        (["--preset", "gan4"], "Missing option '--dataset'"),
    ],
)
def test_wrong_usage_exits_with_2(arguments, text, tmp_path, monkeypatch, capsys):
    """Catches a training of the wrong thing, and a traceback where no data set is named."""
    monkeypatch.chdir(tmp_path)
    assert main(["train", "salgan", *arguments]) == 2
    assert text in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_the_help_names_the_presets(capsys):
    """Catches presets that only the source tells of, and an option that is there twice."""
    assert main(["train", "salgan", "--help"]) == 0
    text = " ".join(capsys.readouterr().out.split())
    assert "mse, bce, bce2, bce4, bce8, gan4, original-code" in text
    assert text.count("--preset") == 1


@dataclasses.dataclass(frozen=True)
class PlainConfig:
    width: int = 3


class Plain:
    """Somebody else's trainable model."""

    card = ModelCard(name="plain", title="Plain")
    config_class: ClassVar = PlainConfig
    trained: ClassVar[list] = []

    @classmethod
    def train(cls, job, config):
        cls.trained.append(config)
        return job.out / "checkpoint"


@dataclasses.dataclass(frozen=True)
class ToyConfig:
    width: int = 3
    depth: int = 1
    preset: str = ""


class Toy(Plain):
    """Somebody else's trainable model with a preset."""

    card = ModelCard(name="toy", title="Toy")
    config_class: ClassVar = ToyConfig
    presets: ClassVar = {"deep": {"depth": 9, "width": 5}}


class Rival(Plain):
    """Somebody else's model that takes SalGAN's files too."""

    importers: ClassVar = SalGAN.importers


@pytest.fixture
def plugins(monkeypatch):
    """A registry of these classes alone."""
    models = {"plain": Plain, "toy": Toy, "rival": Rival, "salgan": SalGAN}
    made = Registry({name: EntryPoint(name, f"somebody:{name}", ENTRY_POINT_GROUP) for name in models})
    monkeypatch.setattr(EntryPoint, "load", lambda self: models[self.name])
    monkeypatch.setattr("salbench.training.registry", lambda: made)
    return made


def test_any_plugin_can_have_presets(plugins, tmp_path):
    """Catches a contract that only SalGAN can keep: the command line hands preset and overrides to the plugin."""
    command = ["train", "toy", "--dataset", "synthetic", "--out", str(tmp_path), "--preset", "deep", "--width", "3"]
    assert main(command) == 0
    assert Toy.trained.pop() == ToyConfig(width=3, depth=9, preset="deep")


def test_a_plugin_without_presets_has_no_such_option(plugins, tmp_path, capsys):
    """Catches a `--preset` that is offered where there is none to name, and a plugin that can no longer be trained."""
    assert main(["train", "plain", "--help"]) == 0
    assert "--preset" not in capsys.readouterr().out
    with pytest.raises(UsageError, match=r"unknown plain preset 'deep'\. Known: none"):
        with_preset(Plain, {"preset": "deep"})
    assert main(["train", "plain", "--dataset", "synthetic", "--out", str(tmp_path), "--width", "4"]) == 0
    assert Plain.trained.pop() == PlainConfig(width=4)


def test_the_contracts_are_optional():
    """Catches a plugin asked for what it does not offer."""
    assert isinstance(SalGAN, PresetFactory)
    assert isinstance(SalGAN, ImportingFactory)
    assert not isinstance(Plain, PresetFactory)
    assert not isinstance(Plain, ImportingFactory)


def test_two_models_that_import_one_kind_are_named(plugins):
    """Catches an import by whichever model was found first."""
    with pytest.raises(UsageError, match="two models import the kind 'salgan-theano': rival and salgan"):
        plugins.importers()
    alone = {name: entry for name, entry in plugins.entries.items() if name != "rival"}
    assert list(Registry(alone).importers()) == ["salgan-theano"]


def test_a_broken_plugin_hides_no_importer():
    """Catches `import` ending with somebody else's traceback."""
    broken = EntryPoint("broken", "json:Nothing", ENTRY_POINT_GROUP)
    salgan = EntryPoint("salgan", "salbench_models.salgan:SalGAN", ENTRY_POINT_GROUP)
    assert list(Registry({"broken": broken, "salgan": salgan}).importers()) == ["salgan-theano"]


@pytest.mark.parametrize(
    ("field", "value", "text"),
    [
        ("accumulate", 0, "wanted: 1 or more"),
        ("accumulate", 33, "wanted: at most the 32 images of a batch"),
        ("discriminator_pool1", 3, "wanted: 2 or 4"),
        ("discriminator_pad", 2, "wanted: 0 or 1"),
        ("momentum", 1.0, "wanted: a number between 0 and 1"),
        ("momentum", float("nan"), "wanted: a number between 0 and 1"),
        ("preprocessing", "vgg", "wanted: one of auto, torchvision, caffe, caffe-bgr"),
    ],
)
def test_a_bad_value_of_the_new_options_is_named(field, value, text):
    """Catches a value that would only fail in the first batch, or never."""
    with pytest.raises(UsageError, match=f"{field} is {value!r}; {text}"):
        SalGANConfig(**{field: value})


def test_features_of_a_random_encoder_cannot_be_cached():
    """Catches features kept of layers that go on learning."""
    with pytest.raises(UsageError, match="cache_features is True; wanted: no, as a random encoder does not freeze"):
        SalGANConfig(vgg_weights="none", cache_features=True)
