"""SalGAN with fewer channels, for tests of what does not depend on how many there are.

A training of the real network spends its seconds on its 32 million weights, most of them on writing them down. What
is stopped, gone on with, counted, refused or sent to other processes is the same code whatever its width. What rests on
the real channels (their number, arithmetic to the last bit, weights of others) is tested without this.

    python tests/narrow.py WORD ...

is `salbench WORD ...` with such a SalGAN.
"""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager

from salbench_models.salgan import layers
from salbench_models.salgan.layers import ENCODER, ENCODER_SHAPES, GENERATOR, GENERATOR_SHAPES, Convolution

TIMES = 8
"""So many times fewer."""


def set_channels(layer: Convolution, inputs: int, outputs: int) -> None:
    """Change a layer in place: every module that knows it has it from `layers`."""
    object.__setattr__(layer, "inputs", inputs)
    object.__setattr__(layer, "outputs", outputs)


def update_shapes() -> None:
    """Make the tables of shapes those of the layers."""
    for table, all_layers in ((ENCODER_SHAPES, ENCODER), (GENERATOR_SHAPES, GENERATOR)):
        table.update({name: shape for layer in all_layers for name, shape in layer.shapes.items()})


FULL = tuple((layer.inputs, layer.outputs) for layer in GENERATOR)


def narrow() -> None:
    """From now on in this process, until `widen`."""
    for layer, (inputs, outputs) in zip(GENERATOR, FULL, strict=True):
        first, last = layer is GENERATOR[0], layer is layers.OUTPUT
        set_channels(layer, inputs if first else inputs // TIMES, outputs if last else outputs // TIMES)
    update_shapes()


def widen() -> None:
    """Back to the real channels."""
    for layer, (inputs, outputs) in zip(GENERATOR, FULL, strict=True):
        set_channels(layer, inputs, outputs)
    update_shapes()


def is_narrow() -> bool:
    """Whether this process's SalGAN is."""
    return GENERATOR[0].outputs != FULL[0][1]


@contextmanager
def of_width(change: Callable[[], None]) -> Iterator[None]:
    """Change it within, and back to what it was afterwards."""
    back = narrow if is_narrow() else widen
    change()
    try:
        yield
    finally:
        back()


def narrowed() -> AbstractContextManager[None]:
    """Fewer channels within, as before afterwards."""
    return of_width(narrow)


def widened() -> AbstractContextManager[None]:
    """The real channels within, as before afterwards."""
    return of_width(widen)


if __name__ == "__main__":
    from salbench.cli import run

    narrow()
    run()
