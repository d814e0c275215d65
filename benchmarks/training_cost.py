"""What a training of SalGAN costs, by arithmetic: operations counted by PyTorch, memory by what a step keeps.

    python benchmarks/training_cost.py [--size 256x192] [--batch 32] [--images 10000] [--validation 5000]
        [--epochs 15] [--adversarial-epochs 75] [--tflops 40] [--devices 1]

Counted on one image: the floating-point operations of each kind of step (torch.utils.flop_counter, a multiplication and
an addition are two), and the bytes that forward passes keep for backward ones. All else is arithmetic from these: hours
of network time at `--tflops` reached by each of `--devices`, which is an assumption to be replaced by what
bench_training.py reaches on the machine. Validation is counted as predictions; its metrics run on the processor.
"""

import argparse
import contextlib
import io
import math
from dataclasses import replace

import torch
from torch.utils.flop_counter import FlopCounterMode

from salbench_models.salgan import SalGANConfig
from salbench_models.salgan.data import Batch
from salbench_models.salgan.learner import Learner

GIB = 2**30


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", default="256x192", help="WIDTHxHEIGHT, both sides multiples of 16")
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--images", type=int, default=10_000, help="training images; SALICON's train has 10,000")
    parser.add_argument("--validation", type=int, default=5_000, help="validation images after each epoch")
    parser.add_argument("--epochs", type=int, default=15, help="of content loss alone")
    parser.add_argument("--adversarial-epochs", type=int, default=75)
    parser.add_argument("--tflops", type=float, default=40.0, help="10^12 operations a second that a device reaches")
    parser.add_argument("--devices", type=int, default=1)
    options = parser.parse_args()
    # A name of weights that are never loaded: it makes conv1-conv3 frozen.
    config = SalGANConfig(size=options.size, batch=1, adversarial_epochs=1, vgg_weights="torchvision")
    learner = Learner(config, "cpu", seed=0, fresh=False)
    batch = random_image(learner)
    with torch.no_grad():
        kept = replace(batch, features=learner.generator.frozen_features(learner.preprocessing(batch.images)))
    flops = {
        "prediction": counted(lambda: predict(learner, batch)),
        "content step": counted(lambda: learner.step(batch, None)),
        "content step, features kept": counted(lambda: learner.step(kept, None)),
        "discriminator's step": counted(lambda: learner.step(batch, 0)),
        "generator's adversarial step": counted(lambda: learner.step(batch, 1)),
    }
    report_counts(learner, batch, flops, options)
    report_hours(flops, options)


def random_image(learner):
    height, width = learner.config.height_width
    rng = torch.Generator().manual_seed(0)
    images = torch.rand(1, height, width, 3, generator=rng).permute(0, 3, 1, 2)
    return Batch(images, torch.rand(1, 1, height, width, generator=rng))


def predict(learner, batch):
    with torch.no_grad():
        learner.generator(learner.preprocessing(batch.images))


def counted(work):
    """Floating-point operations of the convolutions and matrix products in a piece of work."""
    with FlopCounterMode(display=False) as counter, contextlib.redirect_stdout(io.StringIO()):
        work()
    return counter.get_total_flops()


def kept_bytes(learner, batch):
    """Bytes of the distinct tensors that the generator's adversarial step keeps for its backward pass; not weights."""
    weights = {parameter.data_ptr() for parameter in learner.generator.parameters()}
    weights |= {parameter.data_ptr() for parameter in learner.critic.network.parameters()}
    found = {}

    def pack(tensor):
        if tensor.data_ptr() not in weights:
            found[tensor.data_ptr()] = tensor.untyped_storage().nbytes()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        terms = learner.adversarial_terms(batch)
    del terms
    return sum(found.values())


def report_counts(learner, batch, flops, options):
    print(f"One image of {options.size}, floating-point operations (10^9):")
    for name, count in flops.items():
        print(f"  {name:30} {count / 1e9:8.1f}")
    networks = (learner.generator, learner.critic.network)
    parameters = sum(parameter.numel() for network in networks for parameter in network.parameters())
    trained = sum(p.numel() for network in networks for p in network.parameters() if p.requires_grad)
    fixed = 4 * (parameters + 2 * trained)  # the weights; and of those trained the gradient and AdaGrad's sum
    each = kept_bytes(learner, batch)
    print("Memory of training in fp32 (without the workspace of the convolutions):")
    print(f"  weights, gradients, optimizer  {fixed / GIB:8.2f} GiB")
    print(f"  kept for backward, an image    {each / GIB:8.3f} GiB")
    share = math.ceil(options.batch / options.devices)
    for images in sorted({options.batch, share}):
        print(f"  {images:4} images on a device       {(fixed + images * each) / GIB:8.2f} GiB")


def report_hours(flops, options):
    """Hours of network time, per phase; the assumption is printed with them."""
    content = options.epochs * options.images * flops["content step"]
    adversarial_image = (flops["discriminator's step"] + flops["generator's adversarial step"]) / 2
    adversarial = options.adversarial_epochs * options.images * adversarial_image
    epochs = options.epochs + options.adversarial_epochs
    validation = epochs * options.validation * flops["prediction"]
    print(
        f"ESTIMATE, arithmetic from these counts: {options.images} images, {options.epochs} epochs of content loss\n"
        f"and {options.adversarial_epochs} adversarial ones, {options.devices} device(s), each reaching "
        f"{options.tflops:g} TFLOP/s (an assumption: measure yours with bench_training.py):"
    )
    parts = {  # operations, and the devices that share them: the first alone validates
        "content epochs": (content, options.devices),
        "adversarial epochs": (adversarial, options.devices),
        f"{epochs} validations": (validation, 1),
    }
    hours = {name: total / (options.tflops * 1e12 * devices) / 3600 for name, (total, devices) in parts.items()}
    totals = {name: total for name, (total, _) in parts.items()}
    for name, total in {**totals, "together": sum(totals.values())}.items():
        taken = hours.get(name, sum(hours.values()))
        print(f"  {name:30} {total / 1e15:10.1f} 10^15 operations {taken:8.2f} h")


if __name__ == "__main__":
    main()
