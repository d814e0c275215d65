"""Options that several commands share, so that they read the same everywhere."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from salbench.ahead import cores

Command = TypeVar("Command", bound=Callable[..., Any])

EXISTING_FOLDER = click.Path(exists=True, file_okay=False, path_type=Path)
EXISTING_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)
EXISTING_PATH = click.Path(exists=True, path_type=Path)


class LocalPath(click.Path):
    """A path of this machine; what looks like an address would become a folder of its name."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """The path. A usage error for an address."""
        if isinstance(value, str) and "://" in value:
            self.fail(f"{value!r} is an address; wanted: a path of this machine.", param, ctx)
        return super().convert(value, param, ctx)


ANY_PATH = LocalPath(path_type=Path)


def metric_keys(metrics: str | None) -> list[str] | None:
    """The keys of `--metrics`, a list with commas; None where it is not given."""
    return None if metrics is None else [key.strip() for key in metrics.split(",") if key.strip()]


def dataset_options(required: bool = True) -> Callable[[Command], Command]:
    """`--dataset` and `--data`."""
    return _all(
        click.option(
            "--dataset",
            required=required,
            metavar="NAME|FOLDER",
            help="A data set's name (`salbench list datasets`), or a folder in the generic layout.",
        ),
        click.option(
            "--data",
            type=EXISTING_FOLDER,
            help="Folder where the named data set lies.  [default: $SALBENCH_HOME/datasets/...]",
        ),
    )


def ground_truth_options() -> Callable[[Command], Command]:
    """`--viewers`, `--first-fixation` and `--outside`, for a command that reads fixations; see `with_ground_truth`."""
    return _all(
        click.option(
            "--viewers", metavar="LIST", help="Count these viewers alone, separated by commas.  [default: all]"
        ),
        click.option(
            "--first-fixation",
            type=click.Choice(["kept", "dropped"]),
            help="Each viewer's first fixation on an image.  [default: the data set's own rule]",
        ),
        click.option(
            "--outside",
            type=click.Choice(["dropped", "clamped"]),
            help="Fixations outside the frame: left out, or moved to its nearest pixel.  [default: dropped]",
        ),
    )


def with_ground_truth(options: dict[str, Any]) -> dict[str, Any]:
    """The options of a command with the data set opened, and those that say which fixations count worked into it."""
    from salbench.datasets.registry import open_dataset

    rest = dict(options)
    opened = open_dataset(rest.pop("dataset"), rest.pop("data"))
    viewers = rest.pop("viewers")
    named = None if viewers is None else tuple(one.strip() for one in viewers.split(",") if one.strip())
    ruled = opened.with_rules(viewers=named, first=rest.pop("first_fixation"), outside=rest.pop("outside"))
    return {"dataset": ruled, **rest}


def run_options(jobs: bool = True, device: bool = True) -> Callable[[Command], Command]:
    """`--blur-sigma`, `--seed`, and `--device` and `--jobs` where a command has use for them."""
    options = [
        click.option(
            "--blur-sigma",
            type=click.FloatRange(min=0, min_open=True),
            metavar="PX",
            help="Blur fixations by a Gaussian of this many pixels instead of the protocol's own way.",
        ),
        click.option("--seed", type=int, default=0, show_default=True, help="Seed of everything that is random."),
    ]
    if device:
        options.append(
            click.option("--device", help="PyTorch device, such as cpu or cuda:0.  [default: cuda if there is one]")
        )
    if jobs:
        options.append(
            click.option(
                "--jobs",
                "-j",
                type=click.IntRange(min=1),
                default=cores,
                show_default="all cores",
                help="Worker processes. Results do not depend on it.",
            )
        )
    return _all(*options)


def executor_options() -> Callable[[Command], Command]:
    """`--executor` and `--scheduler`, for a command whose work a cluster can do; see `with_executor`."""
    return _all(
        click.option(
            "--executor",
            type=click.Choice(["local", "dask"]),
            default="local",
            show_default=True,
            help="Who works: processes of this machine, or those of a Dask cluster.",
        ),
        click.option(
            "--scheduler", metavar="ADDRESS", help="Scheduler of the Dask cluster, such as tcp://head-node:8786."
        ),
    )


def with_executor(options: dict[str, Any]) -> dict[str, Any]:
    """The options of a command, without the processes of this machine that nobody asked for beside a cluster's."""
    source = click.get_current_context().get_parameter_source("jobs")
    if options["executor"] == "local" or source is not click.core.ParameterSource.DEFAULT:
        return options
    return {**options, "jobs": 1}


def _all(*options: Callable[[Command], Command]) -> Callable[[Command], Command]:
    def apply(command: Command) -> Command:
        for option in reversed(options):
            command = option(command)
        return command

    return apply
