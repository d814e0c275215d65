"""`salbench train NAME`: a command per model that can be trained, made from the fields of its configuration.

Under torchrun every process runs the command; the first alone speaks.
"""

import dataclasses
import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import click
from click.core import ParameterSource

from salbench.cli.options import ANY_PATH, dataset_options, ground_truth_options, run_options, with_ground_truth
from salbench.environment import launch
from salbench.errors import SalbenchError

SECONDS_TO_BE_ENDED = 30.0
"""Within these torchrun ends a process after the first one failed, however busy the machine is."""


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

    def invoke(self, ctx: click.Context) -> Any:
        """Run a subcommand."""
        with _told_once():
            return super().invoke(ctx)


@click.group(cls=TrainGroup)
def train() -> None:
    """Train a model.

    \b
    Example:
      salbench train salgan --dataset osie-mouse-amt --data ~/osie --size 128x96 --out runs/salgan
    """


@contextmanager
def _told_once() -> Iterator[None]:
    """Keep an error that the first process has too from being told by each.

    The others give the launcher time to end them, as it does when the first has failed. Where they are still there
    after that, the error is theirs alone, and they tell it.
    """
    try:
        yield
    except (SalbenchError, click.ClickException):
        if launch().rank > 0:
            time.sleep(SECONDS_TO_BE_ENDED)
        raise


def _train_command(name: str, factory: Any) -> click.Command:
    @dataset_options(required=False)
    @click.option("--split", help="Split to train on.  [default: train, or all of a folder]")
    @click.option(
        "--validation-split", help="Split to validate on after each epoch.  [default: val where there is one]"
    )
    @ground_truth_options()
    @run_options()
    @click.option("--out", "-o", type=ANY_PATH, help="Folder of the training.  [default: runs/train-MODEL-DATASET]")
    @click.option("--print-config", is_flag=True, help="Print the whole configuration as JSON and train nothing.")
    @click.pass_context
    def command(context: click.Context, /, dataset: str | None, print_config: bool, **options: Any) -> None:
        chosen = _configuration(context, factory, options)
        if print_config:
            _print_config(name, factory.config_class(**chosen))
        elif dataset is None:
            raise click.MissingParameter(ctx=context, param_type="option", param_hint="'--dataset'")
        else:
            _train(name, with_ground_truth({"dataset": dataset, **options}) | chosen)

    made = click.command(name, help=_help(name, factory))(command)
    made.params[2:2] = _options(factory)
    return made


def _configuration(context: click.Context, factory: Any, options: dict[str, Any]) -> dict[str, Any]:
    """Take the configuration out of the options: what was given on the command line, over its preset's values."""
    from salbench.models import with_preset

    names = [item.name for item in dataclasses.fields(factory.config_class)]
    values = {name: options.pop(name) for name in dict.fromkeys([*names, *preset_option(factory)])}
    given = {
        name: value
        for name, value in values.items()
        if context.get_parameter_source(name) is not ParameterSource.DEFAULT
    }
    chosen = with_preset(factory, given)
    return {name: value for name, value in chosen.items() if name in names}


def _print_config(name: str, config: Any) -> None:
    _say(json.dumps({"model": name, **dataclasses.asdict(config)}, indent=2))


def _train(name: str, options: dict[str, Any]) -> None:
    from salbench.cli.console import ConsoleProgress
    from salbench.progress import Silent
    from salbench.training import train as train_model

    progress = ConsoleProgress() if launch().rank == 0 else Silent()
    try:
        checkpoint = train_model(name, progress=progress, **options)
    finally:
        progress.finish()
    _say(f"checkpoint: {checkpoint}")


def _say(text: str) -> None:
    if launch().rank == 0:
        click.echo(text)


def _help(name: str, factory: Any) -> str:
    return (
        f"Train {factory.card.title} and write its checkpoint. "
        "An interrupted training goes on with the same command.\n\n"
        f"\b\nExample:\n  salbench train {name} --dataset synthetic --out runs/{name}"
    )


def preset_option(factory: Any) -> list[str]:
    """`preset`, where the model has any: an option even where the configuration does not store its name."""
    from salbench.models import PresetFactory

    return ["preset"] if isinstance(factory, PresetFactory) else []


def _options(factory: Any) -> list[click.Option]:
    made = [field_option(item) for item in dataclasses.fields(factory.config_class)]
    if preset_option(factory):
        names = ", ".join(factory.presets)
        text = f"Start from a named configuration; options given beside it win. One of {names}."
        made = [option for option in made if option.name != "preset"]
        made.insert(0, click.Option(["--preset"], metavar="NAME", default="", help=text))
    return made


def field_option(item: "dataclasses.Field[Any]") -> click.Option:
    """The command-line option of a configuration's field, with the `help` and `choices` of its metadata."""
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
