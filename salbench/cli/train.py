"""`salbench train NAME`: a command per model that can be trained, made from the fields of its configuration."""

import dataclasses
from pathlib import Path
from typing import Any

import click

from salbench.cli.options import ANY_PATH, dataset_options, run_options


class TrainGroup(click.Group):
    """The models that can be trained, as subcommands."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Names of the models."""
        from salbench.training import trainable_names

        return trainable_names()

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command:
        """The command that trains one model."""
        from salbench.training import trainable

        return _train_command(cmd_name, trainable(cmd_name))


@click.group(cls=TrainGroup)
def train() -> None:
    """Train a model.

    \b
    Example:
      salbench train salgan --dataset osie-mouse-amt --data ~/osie --size 128x96 --out runs/salgan
    """


def _train_command(name: str, factory: Any) -> click.Command:
    @dataset_options()
    @click.option("--split", help="Split to train on.  [default: train, or all of a folder]")
    @click.option(
        "--validation-split", help="Split to validate on after each epoch.  [default: val where there is one]"
    )
    @run_options(jobs=False)
    @click.option("--out", "-o", type=ANY_PATH, help="Folder of the training.  [default: runs/train-MODEL-DATASET]")
    def command(out: Path | None, **options: Any) -> None:
        _train(name, out, options)

    made = click.command(name, help=_help(name, factory))(command)
    made.params[2:2] = [_option(item) for item in dataclasses.fields(factory.config_class)]
    return made


def _train(name: str, out: Path | None, options: dict[str, Any]) -> None:
    from salbench.cli.console import ConsoleProgress
    from salbench.training import train as train_model

    progress = ConsoleProgress()
    try:
        checkpoint = train_model(name, out=out, progress=progress, **options)
    finally:
        progress.finish()
    click.echo(f"checkpoint: {checkpoint}")


def _help(name: str, factory: Any) -> str:
    return (
        f"Train {factory.card.title} and write its checkpoint. "
        "An interrupted training goes on with the same command.\n\n"
        f"\b\nExample:\n  salbench train {name} --dataset synthetic --out runs/{name}"
    )


def _option(item: "dataclasses.Field[Any]") -> click.Option:
    flag = item.name.replace("_", "-")
    choices = item.metadata.get("choices")
    if item.type in (bool, "bool"):
        names = [f"--{flag}/--no-{flag}"]
        return click.Option(names, default=item.default, show_default=True, help=item.metadata.get("help"))
    kinds: dict[Any, Any] = {"int": int, "float": float, "str": str}
    kind = click.Choice(choices) if choices else kinds.get(item.type, item.type)
    return click.Option(
        [f"--{flag}"], type=kind, default=item.default, show_default=True, help=item.metadata.get("help")
    )
