"""The options of the released code, and presets, in a training: not only made, but used."""

from dataclasses import replace

import pytest
import torch
from torchvision.models import VGG16_Weights

from salbench.errors import DataError, RunError
from salbench_models.salgan import SalGANConfig
from salbench_models.salgan.data import Batch
from salbench_models.salgan.encoder import vgg_weights
from salbench_models.salgan.learner import Learner
from salbench_models.salgan.networks import UnitConvolution
from salbench_models.salgan.preprocessing import CAFFE
from salbench_models.salgan.run_folder import Epoch, RunFolder
from salbench_models.salgan.training import header_of, identity


@pytest.fixture(scope="module")
def config(vgg_file):
    """The preset `original-code`, but for the download."""
    from salbench.models import with_preset
    from salbench_models.salgan import SalGAN

    options = {"preset": "original-code", "size": "16x16", "vgg_weights": str(vgg_file), "preprocessing": "caffe"}
    return SalGANConfig(**with_preset(SalGAN, options))


def test_a_learner_of_the_original_code_has_its_parts(config):
    """Catches a preset whose optimizer, discriminator or decay the training does not heed."""
    learner = Learner(config, "cpu", seed=0)
    assert learner.critic.network.features[4].kernel_size == 4
    assert sum(isinstance(module, UnitConvolution) for module in learner.critic.network.features) == 2
    for trained in (learner.painter, learner.critic):
        assert trained.optimizer.defaults["initial_accumulator_value"] == 1e-6
        assert {group["weight_decay"] for group in trained.optimizer.param_groups} == {0.0}


def test_images_are_preprocessed_as_the_weights_want(config):
    """Catches torchvision's preprocessing for Caffe's weights: the step's loss is that of Caffe's input."""
    learner = Learner(config, "cpu", seed=0)
    batch = Batch(torch.rand(2, 3, 16, 16), torch.rand(2, 1, 16, 16))
    with torch.no_grad():
        torch.testing.assert_close(learner.logits(batch), learner.generator(CAFFE(batch.images)))


def test_the_checkpoint_keeps_the_preprocessing(config, make_job, tmp_path):
    """Catches a model that predicts from other inputs than it was trained on."""
    header = header_of(make_job(tmp_path), config, Epoch(1, "content", {"content": 0.5}, {}, 1.0, 1.0))
    assert header.preprocessing == CAFFE


def test_a_preset_trains_from_python_too(tmp_path, monkeypatch):
    """Catches `salbench.train(..., preset=...)` that stores a name and trains the default."""
    import salbench.training
    from salbench_models.salgan import SalGAN

    seen = []
    monkeypatch.setattr(SalGAN, "train", lambda job, config: seen.append(config) or tmp_path)
    salbench.training.train("salgan", "synthetic", preset="gan4", batch=8, out=tmp_path)
    assert (seen[0].preset, seen[0].adversarial_epochs, seen[0].batch) == ("gan4", 75, 8)


def test_a_run_made_before_there_were_these_options_goes_on(make_job, config, tmp_path):
    """Catches a state that no longer fits because the configuration grew; other values are still refused."""
    job = make_job(tmp_path)
    new = {"preset", "momentum", "discriminator_pool1", "discriminator_pad", "discriminator_weight_norm"}
    new |= {"preprocessing", "flips", "accumulate", "cache_features", "compile"}
    ours = identity(job, SalGANConfig(loss="bce"))
    earlier = {name: value for name, value in ours.items() if name not in new}
    RunFolder(tmp_path, ours, "content").check(earlier)
    other = identity(job, SalGANConfig(loss="bce", discriminator_pad=0))
    with pytest.raises(RunError, match="discriminator_pad was 1, now 0"):
        RunFolder(tmp_path, other, "content").check(earlier)


def test_caffes_weights_are_downloaded_by_their_name(monkeypatch, tmp_path):
    """Catches the wrong weights under the name; the address answers nowhere, so the download fails and says so."""
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    nowhere = replace(VGG16_Weights.IMAGENET1K_FEATURES.value, url="http://127.0.0.1:9/vgg16-00000000.pth")
    monkeypatch.setattr(VGG16_Weights.IMAGENET1K_FEATURES, "_value_", nowhere)
    with pytest.raises(DataError, match=r"could not download.*--vgg-weights FILE"):
        vgg_weights("caffe")
