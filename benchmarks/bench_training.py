"""How near training and prediction of SalGAN come to the speed of their convolutions.

    python benchmarks/bench_training.py [--size 256x192] [--batch 8] [--rounds 5] [--device DEVICE] [--precision fp32]

Training: one step of the content phase (forward, backward, optimizer) on kept features of conv1-conv3. Prediction: the
whole generator without gradients on a batch of images, preprocessing and sigmoid included; and on one image, as
`salbench predict` and `salbench score` take them. Each is held against its
convolutions alone, measured in the same process on the same layers and shapes, in the same rounds: forward and backward
of each trained convolution, forward of all. Printed: images a second of both, and the ratio; medians of the rounds.

Random weights: they cost what trained ones do. A small run: --size 64x48 --batch 2 --rounds 2.
"""

import argparse
import time
from dataclasses import dataclass

import numpy as np
import torch
from torch import nn

from salbench_models.salgan import SalGANConfig
from salbench_models.salgan.config import PRECISIONS
from salbench_models.salgan.data import Batch
from salbench_models.salgan.learner import Learner


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", default="256x192", help="WIDTHxHEIGHT, both sides multiples of 16")
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--device", help="of torch; by default CUDA where there is any, else the CPU")
    parser.add_argument("--precision", default="fp32", choices=PRECISIONS)
    options = parser.parse_args()
    # A name of weights that are never loaded: it makes conv1-conv3 frozen.
    config = SalGANConfig(
        size=options.size, batch=options.batch, precision=options.precision, vgg_weights="torchvision"
    )
    learner = Learner(config, options.device, seed=0, fresh=False)
    where = f"{learner.device}, {torch.get_num_threads()} threads" if learner.device.type == "cpu" else learner.device
    print(f"{options.size}, batch {options.batch}, {options.precision}, {where}, medians of {options.rounds} rounds")
    compare(learner, random_batch(learner), options.rounds)


def random_batch(learner):
    height, width = learner.config.height_width
    rng = torch.Generator().manual_seed(0)
    images = torch.rand(learner.config.batch, height, width, 3, generator=rng).permute(0, 3, 1, 2)
    truth = torch.rand(learner.config.batch, 1, height, width, generator=rng)
    batch = Batch(images.to(learner.device), truth.to(learner.device))
    with torch.no_grad():
        features = learner.generator.frozen_features(learner.preprocessing(batch.images))
    return Batch(batch.images, batch.truth, features)


@dataclass
class Layer:
    """A convolution as it runs in the network: module, input, and for training a gradient of its output."""

    module: nn.Module
    inputs: torch.Tensor
    gradient: torch.Tensor | None

    def forward(self):
        with torch.no_grad():
            self.module(self.inputs)

    def forward_and_backward(self):
        wanted = [*self.module.parameters(), *([self.inputs] if self.inputs.requires_grad else [])]
        torch.autograd.grad(self.module(self.inputs), wanted, self.gradient)


def layers_of(network, run, *, backward):
    """The convolutions of a network, with inputs and outputs of the shapes and memory order that they have in a run.

    An input wants a gradient where it has one in training: all but the first, whose input are the kept features.
    """
    found = []

    def look(module, inputs, output):
        pixels = torch.rand_like(inputs[0]).requires_grad_(backward and bool(found))
        found.append(Layer(module, pixels, torch.rand_like(output) if backward else None))

    hooks = [module.register_forward_hook(look) for module in network.modules() if isinstance(module, nn.Conv2d)]
    with torch.no_grad():
        run()
    for hook in hooks:
        hook.remove()
    return found


def compare(learner, batch, rounds):
    predicted = Batch(batch.images, batch.truth)
    trained = layers_of(learner.generator, lambda: learner.logits(batch), backward=True)
    one = Batch(batch.images[:1], batch.truth[:1])
    autocast = learner.fabric.autocast

    def prediction(images):
        layers = layers_of(learner.generator, lambda: learner.logits(images), backward=False)

        def predict():
            with torch.inference_mode():
                torch.sigmoid(learner.logits(images))

        def forwards():
            with autocast():
                for layer in layers:
                    layer.forward()

        return predict, forwards

    def step():
        learner.step(batch, None)

    def passes():
        with autocast():
            for layer in trained:
                layer.forward_and_backward()

    pairs = {"training step": (step, passes), "prediction": prediction(predicted), "one image": prediction(one)}
    report(learner, rounds, pairs, {"one image": 1})


def report(learner, rounds, pairs, images):
    """Time each pair in turn, so that what else the machine does meets both alike.

    `images`: how many each of those takes that do not take a batch.
    """
    seconds = {name: ([], []) for name in pairs}
    for number in range(rounds + 1):
        for name, works in pairs.items():
            for work, spent in zip(works, seconds[name], strict=True):
                spent.append(timed(work, learner.device))
        if number == 0:  # the first calls choose algorithms and reserve memory
            seconds = {name: ([], []) for name in pairs}
    for name, (whole, alone) in seconds.items():
        count = images.get(name, learner.config.batch)
        speed, peak = (count / float(np.median(spent)) for spent in (whole, alone))
        print(f"{name:14} {speed:8.2f} images/s   its convolutions alone {peak:8.2f}   ratio {speed / peak:5.2f}")


def timed(work, device):
    synchronise(device)
    began = time.perf_counter()
    work()
    synchronise(device)
    return time.perf_counter() - began


def synchronise(device):
    if device.type == "cuda":
        torch.cuda.synchronize(device)


if __name__ == "__main__":
    main()
