"""`salbench reproduce EXPERIMENT...`: the SalGAN paper's experiments; its options are those of the training."""

import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from click.core import ParameterSource

from salbench.cli.options import ANY_PATH, EXISTING_FOLDER, dataset_options, run_options
from salbench.experiments import BOOTSTRAP, EXPERIMENTS, MODEL

if TYPE_CHECKING:
    from salbench.reproduction import Reproduction


class ReproduceCommand(click.Command):
    """The command with the options of the training's configuration, which are found when they are first needed."""

    def get_params(self, ctx: click.Context) -> list[click.Parameter]:
        """Its own parameters, then the training's."""
        return [*super().get_params(ctx), *_training_options()]


@click.command(cls=ReproduceCommand)
@click.argument("experiments", nargs=-1, required=True, metavar="EXPERIMENT...", type=click.Choice(list(EXPERIMENTS)))
@dataset_options()
@click.option("--split", default="train", show_default=True, help="Split to train on.")
@click.option("--validation-split", default="val", show_default=True, help="Split that picks epochs and is scored.")
@click.option("--test-dataset", metavar="NAME|FOLDER", help="A data set that is scored beside the validation split.")
@click.option("--test-data", type=EXISTING_FOLDER, help="Folder where that lies.  [default: that of --data]")
@click.option("--test-split", help="Split of it.  [default: test, or all of a folder]")
@click.option(
    "--epochs", type=click.IntRange(min=1), help="Epochs of each training.  [default: the paper's, 15 or 120]"
)
@click.option(
    "--bootstrap",
    type=click.IntRange(min=1),
    default=BOOTSTRAP,
    show_default=True,
    help="Of these, epochs before adversarial training; Table 2 is measured after as many.",
)
@run_options()
@click.option("--out", "-o", required=True, type=ANY_PATH, metavar="DIR", help="Folder of trainings, runs and results.")
@click.pass_context
def reproduce(context: click.Context, /, experiments: tuple[str, ...], out: Path, **options: Any) -> int:
    """Repeat experiments of the SalGAN paper on a data set: table2, table3, figure3 or figure6, or several.

    Trains what is missing, picks each training's best epoch by validation NSS (table2: the one after the bootstrap),
    scores it, and writes tables with the paper's figures beside the measured ones, and pictures. Stop it at will: the
    same command goes on, and one with more experiments or epochs uses what is there.
    Exit code 1: something is missing from the results (notes tell why).

    \b
    Examples:
      salbench reproduce table2 table3 figure3 --dataset salicon2015 --data ~/salicon --out runs/paper
      salbench reproduce table3 --dataset osie-mouse-amt --data ~/osie --test-dataset osie-eye --size 128x96 \\
          --batch 10 --epochs 30 --cache-features --out runs/osie
    """
    from salbench.scoring.preload import get_ready

    get_ready(options["jobs"])
    from salbench.cli.console import ConsoleProgress
    from salbench.reproduction import reproduce as reproduce_experiments

    progress = ConsoleProgress()
    try:
        result = reproduce_experiments(experiments, out=out, progress=progress, **_given(context, options))
    finally:
        progress.finish()
    click.echo("\n".join(_lines(result)))
    return 1 if result.failures else 0


def _training_options() -> list[click.Option]:
    from salbench.cli.train import field_option
    from salbench.reproduction import DECIDED_HERE
    from salbench.training import trainable

    fields = dataclasses.fields(trainable(MODEL).config_class)
    return [field_option(item) for item in fields if item.name not in DECIDED_HERE]


def _given(context: click.Context, options: dict[str, Any]) -> dict[str, Any]:
    """The options without those of the training that were not given, whose defaults the presets may have changed."""
    training = {option.name for option in _training_options()}
    default = ParameterSource.DEFAULT
    return {
        name: value
        for name, value in options.items()
        if name not in training or context.get_parameter_source(name) is not default
    }


def _lines(result: "Reproduction") -> list[str]:
    lines = [f"result: {file}" for file in result.files]
    return lines + [f"left out: {preset}: {reason}" for preset, reason in result.failures.items()]
