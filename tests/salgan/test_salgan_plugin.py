import pickle
import subprocess
import sys

import numpy as np
import pytest
import torch

from salbench.errors import DataError, UsageError
from salbench.models import LazyModel, registry
from salbench_models.salgan import SalGAN
from salbench_models.salgan.checkpoint import read_header

from .scenes import hollow_checkpoint, scene


@pytest.fixture(scope="module")
def model(finished):
    return SalGAN(checkpoint=finished.checkpoint, device="cpu")


def test_torch_stays_out_until_it_is_needed():
    """Catches an import that makes `salbench --help` take seconds, or fail without the torch extra."""
    code = (
        "import sys; from salbench_models.salgan import SalGAN; SalGAN.card.name; SalGAN.config_class()\n"
        "heavy = {'torch', 'torchvision', 'lightning_fabric', 'safetensors'} & sys.modules.keys()\n"
        "raise SystemExit(f'imported {heavy}' if heavy else 0)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_the_entry_point_names_it():
    """Catches a plugin that salbench does not find."""
    assert registry().factory("salgan") is SalGAN
    assert SalGAN.card.name == "salgan"
    assert SalGAN.card.needs_checkpoint


def test_without_a_checkpoint_the_user_hears_how_to_get_one():
    """Catches a model that predicts with random weights."""
    with pytest.raises(UsageError, match=r"--checkpoint FILE.*salbench train salgan"):
        SalGAN()


def test_without_torch_the_user_hears_what_to_install(monkeypatch, finished):
    """Catches a bare ImportError."""
    monkeypatch.setitem(sys.modules, "torchvision", None)
    with pytest.raises(DataError, match=r'needs torchvision: pip install "salbench\[torch\]"'):
        SalGAN(checkpoint=finished.checkpoint)


def test_a_bad_checkpoint_is_refused_at_once(tmp_path):
    """Catches an error that only a worker sees, an hour into a run."""
    with pytest.raises(DataError, match="no such checkpoint"):
        SalGAN(checkpoint=tmp_path / "gone.safetensors")


def test_the_card_tells_what_the_checkpoint_was_trained_on(model):
    """Catches overlap of training and test data that a table could not show; the class's own card stays empty."""
    assert model.card.trained_on == ("toy/train",)
    assert SalGAN.card.trained_on == ()


@pytest.mark.parametrize("size", [(1, 1), (7, 300), (61, 47), (32, 48)])
def test_maps_have_the_images_size_and_lie_in_0_to_1(model, size):
    """Catches exchanged sides, and cubic interpolation that overshoots."""
    image = np.random.default_rng(0).integers(0, 256, (*size, 3), dtype=np.uint8)
    saliency = model.predict(image)
    assert saliency.shape == size
    assert saliency.dtype == np.float32
    assert saliency.min() >= 0
    assert saliency.max() <= 1


def test_views_of_an_image_predict_as_their_copies(model):
    """Catches reading a mirrored or sliced array's memory in the wrong order."""
    image = scene(0)
    assert np.array_equal(model.predict(image[:, ::-1]), model.predict(image[:, ::-1].copy()))
    assert np.array_equal(model.predict(scene(0)[::2]), model.predict(scene(0)[::2].copy()))


def test_a_model_travels_light_and_predicts_the_same(model):
    """Catches 127 MB sent to every worker, and a copy that differs."""
    expected = model.predict(scene(1))
    parcel = pickle.dumps(model)
    assert len(parcel) < 10_000
    copy = pickle.loads(parcel)
    assert copy.card == model.card
    assert np.array_equal(copy.predict(scene(1)), expected)


def test_maps_do_not_depend_on_the_number_of_threads(full_width, full_checkpoint):
    """Catches a layer summed in another order by more threads; at the sizes of 1/16 that real inputs have."""
    from dataclasses import replace

    predictor = SalGAN(checkpoint=full_checkpoint, device="cpu").predictor
    predictor = replace(predictor, size=(96, 128))
    image = np.random.default_rng(0).integers(0, 256, (96, 128, 3), dtype=np.uint8)
    before = torch.get_num_threads()
    try:
        maps = []
        for count in (1, 2, 3):
            torch.set_num_threads(count)
            maps.append(predictor(image))
    finally:
        torch.set_num_threads(before)
    assert np.array_equal(maps[0], maps[1])
    assert np.array_equal(maps[0], maps[2])


def test_a_missing_device_is_a_usage_error(finished):
    """Catches a run that writes an error for every stimulus, where the first look at the device tells."""
    with pytest.raises(UsageError, match="device is 'cuda:99'") as caught:
        SalGAN(checkpoint=finished.checkpoint, device="cuda:99")
    assert caught.value.exit_code == 2


def test_the_weights_load_when_asked_to(model):
    """Catches a model that salbench does not know as lazy, so that its first map pays for the loading."""
    assert isinstance(model, LazyModel)
    model.load()
    assert "predictor" in vars(model)


def test_weights_that_cannot_be_read_are_named_on_loading(finished, tmp_path):
    """Catches tracebacks, and maps of NaN, from a checkpoint that was damaged or removed after its header was read."""
    path = tmp_path / "salgan.safetensors"
    metadata = read_header(finished.checkpoint).as_metadata()
    hollow_checkpoint(path, metadata, first=np.float32(np.nan).tobytes())
    model = SalGAN(checkpoint=path, device="cpu")
    with pytest.raises(DataError, match=r"salgan\.safetensors: .* holds values that are not finite"):
        model.load()
    with path.open("rb+") as file:
        file.truncate(1_000_000)
    with pytest.raises(DataError, match=r"salgan\.safetensors: not a whole safetensors file"):
        model.load()
    path.unlink()
    with pytest.raises(DataError, match=r"salgan\.safetensors: no such checkpoint"):
        model.load()
