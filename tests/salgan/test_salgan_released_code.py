"""The options by which the released code's discriminator and preprocessing differ from the paper's."""

import numpy as np
import pytest
import torch
from torchvision.models import VGG16_Weights

from salbench.errors import UsageError
from salbench_models.salgan import SalGANConfig
from salbench_models.salgan.layers import DiscriminatorForm
from salbench_models.salgan.networks import Discriminator, UnitConvolution, new_discriminator
from salbench_models.salgan.preprocessing import CAFFE, CAFFE_BGR, TORCHVISION

RELEASED = DiscriminatorForm(pool1=4, pad=0, weight_norm=True)


def parameters(size, form):
    with torch.device("meta"):
        return sum(parameter.numel() for parameter in Discriminator(size, form).parameters())


def test_the_released_discriminator_has_the_released_parameters():
    """Catches a pooling that does not shrink fc4: 1,359,296 parameters at 256x192 by PAPER.md, against 5,045,696."""
    assert parameters((192, 256), RELEASED) == 1_359_296
    assert parameters((192, 256), DiscriminatorForm()) == 5_045_696
    assert parameters((192, 256), DiscriminatorForm(pool1=4)) == 1_359_296
    assert parameters((192, 256), DiscriminatorForm(pad=0, weight_norm=True)) == 5_045_696


@pytest.mark.parametrize("size", [(16, 16), (32, 48)])
@pytest.mark.parametrize("pool1", [2, 4])
@pytest.mark.parametrize("pad", [0, 1])
def test_every_form_gives_one_logit_an_image(size, pool1, pad):
    """Catches an fc4 that does not fit what is left of a padded or unpadded, once or twice halved input."""
    discriminator = new_discriminator(size, 0, DiscriminatorForm(pool1, pad))
    assert discriminator(torch.rand(2, 1, *size), torch.rand(2, 3, *size)).shape == (2,)


def test_conv1_1_pads_or_not():
    """Catches a padding that is stored and not heeded."""
    pixels = torch.zeros(1, 4, 16, 16)
    shapes = [new_discriminator((16, 16), 0, DiscriminatorForm(pad=pad)).features[0](pixels).shape for pad in (0, 1)]
    assert [shape[2:] for shape in shapes] == [(16, 16), (18, 18)]


def test_weight_normalisation_is_that_of_conv3_alone():
    """Catches the option on another layer: conv3_1 and conv3_2 are the fourth and fifth of the 3x3 convolutions."""
    features = new_discriminator((16, 16), 0, RELEASED).features
    convolutions = [module for module in features if isinstance(module, torch.nn.Conv2d)]
    assert [isinstance(module, UnitConvolution) for module in convolutions] == [False] * 4 + [True] * 2


def test_a_normalised_kernel_has_length_1_whatever_its_weights():
    """Catches a norm over the wrong axes: output by hand, w / sqrt(sum over inputs, rows, columns of w^2 + 1e-6)."""
    layer = UnitConvolution(2, 3, 3, padding=1)
    pixels = torch.rand(1, 2, 4, 5)
    weight = layer.weight.detach().numpy().astype(np.float64)
    length = np.sqrt((weight**2).sum(axis=(1, 2, 3)) + 1e-6)
    unit = torch.from_numpy((weight / length[:, None, None, None]).astype(np.float32))
    expected = torch.nn.functional.conv2d(pixels, unit, layer.bias, padding=1)
    torch.testing.assert_close(layer(pixels), expected)
    with torch.no_grad():
        layer.weight *= 7
    torch.testing.assert_close(layer(pixels), expected, rtol=1e-4, atol=1e-5)


def test_the_papers_discriminator_is_what_it_was():
    """Catches a change of the default: weights drawn with and without naming the form, and what they give."""
    one, other = new_discriminator((16, 16), 3), new_discriminator((16, 16), 3, SalGANConfig().discriminator_form)
    maps, images = torch.rand(2, 1, 16, 16), torch.rand(2, 3, 16, 16)
    assert torch.equal(one(maps, images), other(maps, images))


def test_caffes_preprocessing_is_what_torchvision_gives_for_its_weights():
    """Catches means in another order or scale, against the transforms that come with IMAGENET1K_FEATURES."""
    transforms = VGG16_Weights.IMAGENET1K_FEATURES.transforms()
    images = torch.rand(1, 3, 4, 4)
    mean, std = (torch.tensor(values).view(1, 3, 1, 1) for values in (transforms.mean, transforms.std))
    torch.testing.assert_close(CAFFE(images), (images - mean) / std)


def test_caffes_own_preprocessing_by_hand():
    """Catches BGR means taken off RGB channels: a red pixel of 255 is (-103.939, -116.779, 131.32)."""
    red = torch.tensor([1.0, 0.0, 0.0]).view(1, 3, 1, 1)
    assert CAFFE_BGR(red).flatten().tolist() == pytest.approx([-103.939, -116.779, 255 - 123.68], abs=1e-4)
    assert CAFFE(red).flatten().tolist() == pytest.approx([255 - 123, -117, -104], abs=0.01)


@pytest.mark.parametrize(
    ("weights", "preprocessing", "wanted"),
    [
        ("torchvision", "auto", TORCHVISION),
        ("caffe", "auto", CAFFE),
        ("vgg16.safetensors", "auto", TORCHVISION),
        ("vgg16.safetensors", "caffe-bgr", CAFFE_BGR),
        ("none", "caffe", CAFFE),
        ("torchvision", "torchvision", TORCHVISION),
    ],
)
def test_the_preprocessing_follows_the_weights(weights, preprocessing, wanted):
    """Catches Caffe's input for torchvision's weights, or the other way round."""
    assert SalGANConfig(vgg_weights=weights, preprocessing=preprocessing).input_preprocessing == wanted


@pytest.mark.parametrize(("weights", "preprocessing"), [("torchvision", "caffe"), ("caffe", "caffe-bgr")])
def test_a_preprocessing_that_is_not_the_weights_is_refused(weights, preprocessing):
    """Catches a training that learns next to nothing from inputs of another scale or order."""
    with pytest.raises(UsageError, match=f"preprocessing is '{preprocessing}'; wanted: auto or {weights}"):
        SalGANConfig(vgg_weights=weights, preprocessing=preprocessing)
