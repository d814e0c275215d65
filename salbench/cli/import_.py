"""`salbench import KIND`: a command per kind of foreign weights that some model can make its checkpoint of."""

import dataclasses
from pathlib import Path
from typing import Any

import click

from salbench.cli.options import ANY_PATH, EXISTING_FILE
from salbench.cli.train import field_option


class ImportGroup(click.Group):
    """The kinds that can be imported, as subcommands."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Names of the kinds."""
        from salbench.models import registry

        return sorted(registry().importers())

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command:
        """The command that imports one kind. UsageError, with the near names, for an unknown one."""
        from salbench.errors import UsageError
        from salbench.models import registry
        from salbench.names import unknown_name

        importers = registry().importers()
        if cmd_name not in importers:
            raise UsageError(unknown_name("kind of weights", cmd_name, sorted(importers)))
        return _import_command(cmd_name, importers[cmd_name])


@click.group("import", cls=ImportGroup)
def import_() -> None:
    """Make a checkpoint of weights that somebody else published.

    \b
    Example:
      salbench import salgan-theano gen_modelWeights0090.npz -o salgan.safetensors
    """


def _import_command(kind: str, importer: Any) -> click.Command:
    @click.argument("source", type=EXISTING_FILE)
    @click.option("--out", "-o", type=ANY_PATH, required=True, help="The checkpoint to write.")
    def command(source: Path, out: Path, **options: Any) -> None:
        click.echo(importer.run(source, out, importer.config_class(**options)))

    text = f"Import {importer.description}.\n\n\b\nExample:\n  salbench import {kind} FILE -o CHECKPOINT"
    made = click.command(kind, help=text, short_help=importer.description)(command)
    made.params[1:1] = [field_option(item) for item in dataclasses.fields(importer.config_class)]
    return made
