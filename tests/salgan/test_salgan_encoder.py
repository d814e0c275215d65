import pytest
import torch
from safetensors.torch import load_file, save_file
from torchvision.models import VGG16_Weights

from salbench.errors import DataError
from salbench_models.salgan.encoder import vgg_weights
from salbench_models.salgan.layers import ENCODER_SHAPES

FULL_WIDTH = True


def test_a_half_precision_file_gives_float32_under_the_papers_names(vgg_file):
    """Catches a wrong index of torchvision's layers and weights left in half precision."""
    weights, tensors = vgg_weights(str(vgg_file)), load_file(vgg_file)
    assert {name: tuple(tensor.shape) for name, tensor in weights.items()} == ENCODER_SHAPES
    assert torch.equal(weights["conv3_1.weight"], tensors["features.10.weight"].float())
    assert torch.equal(weights["conv5_3.bias"], tensors["features.28.bias"].float())


def test_a_state_dict_with_a_classifier_is_read_too(vgg_file, tmp_path):
    """Catches a refusal of torchvision's own .pth, which holds more than the convolutions."""
    tensors = load_file(vgg_file) | {"classifier.0.bias": torch.zeros(4)}
    torch.save(tensors, tmp_path / "vgg16.pth")
    ours, theirs = vgg_weights(str(tmp_path / "vgg16.pth")), vgg_weights(str(vgg_file))
    assert all(torch.equal(ours[name], theirs[name]) for name in theirs)


def test_a_missing_file_is_named(tmp_path):
    """Catches an error that names neither file nor mend."""
    with pytest.raises(DataError, match=r"gone\.safetensors: no such file.*--vgg-weights none"):
        vgg_weights(str(tmp_path / "gone.safetensors"))


@pytest.mark.parametrize("name", ["noise.safetensors", "noise.pth", "empty.safetensors", "empty.pth"])
def test_noise_is_no_weights(tmp_path, name):
    """Catches a traceback out of a reader for a file that is something else."""
    (tmp_path / name).write_bytes(b"" if name.startswith("empty") else b"\x80\x04noise" * 50)
    with pytest.raises(DataError, match=name):
        vgg_weights(str(tmp_path / name))


def test_a_list_is_no_state_dict(tmp_path):
    """Catches an AttributeError for a .pth that holds something else."""
    torch.save([torch.zeros(1)], tmp_path / "list.pth")
    with pytest.raises(DataError, match="holds a list"):
        vgg_weights(str(tmp_path / "list.pth"))


class Trap:
    """What a hostile pickle would run."""

    def __reduce__(self):
        return (exec, ("raise SystemExit('code of a weights file was run')",))


def test_code_in_a_state_dict_is_not_run(tmp_path):
    """Catches an unrestricted unpickler."""
    torch.save({"features.0.weight": Trap()}, tmp_path / "trap.pth")
    with pytest.raises(DataError, match=r"trap\.pth"):
        vgg_weights(str(tmp_path / "trap.pth"))


@pytest.mark.parametrize(
    ("name", "tensor", "message"),
    [
        ("features.0.weight", torch.zeros(64, 3, 5, 5), r"wanted floats of \(64, 3, 3, 3\)"),
        ("features.0.bias", torch.zeros(64, dtype=torch.int32), "wanted floats of"),
        ("features.28.bias", torch.full((512,), torch.nan), "not finite"),
        ("features.28.bias", None, "no tensor 'features.28.bias'"),
    ],
)
def test_foreign_tensors_are_named(vgg_file, tmp_path, name, tensor, message):
    """Catches another network's weights, loaded because some of them fit."""
    tensors = load_file(vgg_file)
    tensors.pop(name)
    save_file(tensors if tensor is None else tensors | {name: tensor}, tmp_path / "odd.safetensors")
    with pytest.raises(DataError, match=rf"odd.safetensors: .*{message}"):
        vgg_weights(str(tmp_path / "odd.safetensors"))


def test_a_failed_download_says_what_to_pass(monkeypatch, tmp_path):
    """Catches a bare URLError; the address is one that answers nowhere, so torchvision's own download fails."""
    from dataclasses import replace

    from torchvision.models import vgg

    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    nowhere = replace(VGG16_Weights.IMAGENET1K_V1.value, url="http://127.0.0.1:9/vgg16-00000000.pth")
    monkeypatch.setattr(VGG16_Weights.IMAGENET1K_V1, "_value_", nowhere)
    assert vgg.VGG16_Weights.IMAGENET1K_V1.url.startswith("http://127.0.0.1:9/")
    with pytest.raises(DataError, match=r"could not download.*--vgg-weights FILE"):
        vgg_weights("torchvision")


@pytest.mark.data
def test_the_real_weights_load(real_vgg):
    """Catches a file of real weights that the made-up ones do not stand for."""
    weights = vgg_weights(str(real_vgg))
    assert weights["conv1_1.weight"].abs().mean().item() == pytest.approx(0.16, abs=0.05)
