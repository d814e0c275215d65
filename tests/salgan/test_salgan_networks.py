import pytest
import torch
from torchvision.models.vgg import cfgs, make_layers

from salbench_models.salgan.encoder import vgg_weights
from salbench_models.salgan.layers import GENERATOR_SHAPES
from salbench_models.salgan.networks import Discriminator, Generator, new_discriminator, new_generator

FULL_WIDTH = True


def count(parameters):
    return sum(parameter.numel() for parameter in parameters)


@pytest.fixture(scope="module")
def generator():
    return new_generator("he", seed=1, frozen=True)


def test_the_generator_has_the_papers_parameters(generator):
    """Catches a layer too many, too few, or of another width."""
    assert count(generator.parameters()) == 31_787_009
    assert count(generator.lower.parameters()) + count(generator.upper.parameters()) == 14_714_688


def test_conv1_to_conv3_are_frozen_and_nothing_else(generator):
    """Catches a split at another layer: conv1-conv3 of VGG-16 have 1,735,488 parameters."""
    assert count(p for p in generator.parameters() if not p.requires_grad) == 1_735_488
    assert all(p.requires_grad for p in new_generator("he", seed=1, frozen=False).parameters())


@pytest.mark.parametrize(("size", "parameters"), [((192, 256), 5_045_696), ((96, 128), 1_359_296), ((16, 16), 156_096)])
def test_the_discriminator_has_table_1s_parameters(size, parameters):
    """Catches a departure from Table 1: 130,496 for all sizes and 6400 for each 8x8 pixels of the input."""
    with torch.device("meta"):
        assert count(Discriminator(size).parameters()) == parameters


@pytest.mark.parametrize("size", [(16, 16), (16, 48), (32, 16)])
def test_maps_have_the_size_of_the_input(generator, size):
    """Catches a pooling without its upsampling."""
    with torch.inference_mode():
        assert generator(torch.zeros(2, 3, *size)).shape == (2, 1, *size)


@pytest.mark.parametrize("size", [(16, 16), (32, 48)])
def test_the_discriminator_gives_one_logit_an_image(size):
    """Catches an fc4 that does not fit what the poolings leave, for sides whose padded halves are odd."""
    discriminator = new_discriminator(size, seed=0)
    assert discriminator(torch.rand(2, 1, *size), torch.rand(2, 3, *size)).shape == (2,)


def test_the_encoder_is_torchvisions_vgg16(generator, vgg_file):
    """Catches a wrong order of layers, poolings or ReLUs: conv5_3's features equal those of torchvision's own net."""
    from safetensors.torch import load_file

    reference = make_layers(cfgs["D"], batch_norm=False)[:30]
    tensors = load_file(vgg_file)
    reference.load_state_dict({name.removeprefix("features."): tensor.float() for name, tensor in tensors.items()})
    ours = Generator()
    with torch.no_grad():
        ours.load(vgg_weights(str(vgg_file)))
        images = torch.randn(1, 3, 32, 48, generator=torch.Generator().manual_seed(0))
        features = ours.upper(ours.frozen_features(images))
        torch.testing.assert_close(features, reference(images), rtol=1e-4, atol=1e-5)


def test_the_two_halves_make_the_whole(generator):
    """Catches a split that a cache of frozen features could not stand on."""
    images = torch.rand(1, 3, 32, 16)
    features = generator.frozen_features(images)
    assert features.shape == (1, 256, 4, 2)
    assert not features.requires_grad
    assert torch.equal(generator.from_features(features), generator(images))


def test_the_output_convolution_is_a_convolution(generator):
    """Catches a transposed axis in the 1x1 convolution that is computed as a linear map."""
    pixels = torch.rand(2, 64, 5, 3)
    output = generator.decoder.output
    expected = torch.nn.functional.conv2d(pixels, output.weight, output.bias)
    torch.testing.assert_close(output(pixels), expected)


def test_the_output_does_not_depend_on_the_number_of_threads(generator):
    """Catches oneDNN's 1x1 convolution in its place: it sums 64 channels to one in an order of its threads."""
    pixels = torch.rand(1, 64, 32, 48, generator=torch.Generator().manual_seed(0))
    before = torch.get_num_threads()
    try:
        outputs = []
        for threads in (1, 2):
            torch.set_num_threads(threads)
            outputs.append(generator.decoder.output(pixels))
    finally:
        torch.set_num_threads(before)
    assert torch.equal(*outputs)


def test_checkpoint_names_are_the_papers_layers(generator):
    """Catches a renamed module, which would break every checkpoint in the world."""
    assert {name: tuple(tensor.shape) for name, tensor in generator.weights().items()} == GENERATOR_SHAPES
    assert list(GENERATOR_SHAPES)[26:28] == ["uconv5_3.weight", "uconv5_3.bias"]


def test_initialisation_has_the_promised_spread():
    """Catches the wrong fan or gain, and biases that are not zero."""
    glorot, he = (new_generator(init, seed=5, frozen=True).weights() for init in ("glorot", "he"))
    name, fan_in, fan_out = "uconv2_2.weight", 256 * 9, 128 * 9
    assert glorot[name].std().item() == pytest.approx((2 / (fan_in + fan_out)) ** 0.5, rel=0.01)
    assert glorot[name].abs().max().item() <= (6 / (fan_in + fan_out)) ** 0.5
    assert he[name].std().item() == pytest.approx((2 / fan_in) ** 0.5, rel=0.01)
    assert not any(tensor.any() for layer, tensor in he.items() if layer.endswith("bias"))


def test_initialisation_depends_on_its_seed_alone():
    """Catches a draw from the global random state, or one that changes it."""
    before = torch.random.get_rng_state()
    first = new_discriminator((16, 16), seed=4).state_dict()
    torch.rand(1)
    second = new_discriminator((16, 16), seed=4).state_dict()
    torch.random.set_rng_state(before)
    new_discriminator((16, 16), seed=4)
    assert all(torch.equal(first[name], second[name]) for name in first)
    assert torch.equal(torch.random.get_rng_state(), before)
