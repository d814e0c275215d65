"""`salbench doctor`."""

from pathlib import Path

import click

from salbench.cli.options import EXISTING_FOLDER


@click.command()
@click.argument("runs", nargs=-1, required=True, metavar="RUN...", type=EXISTING_FOLDER)
def doctor(runs: tuple[Path, ...]) -> int:
    """Check the folders of runs and trainings: what is unfinished, half-written, damaged or missing, and the mend.

    Looks at nothing but the folder, changes nothing, and may be called while a process writes there.
    Exit code 0: whole; 1: something is wrong.

    \b
    Examples:
      salbench doctor runs/centre
      salbench doctor runs/*
    """
    from salbench.doctor import examine

    wrong = 0
    for folder in runs:
        found = examine(folder)
        wrong += bool(found.findings)
        click.echo(f"{folder}: {found.kind}, {found.state}; {'whole' if not found.findings else 'not whole:'}")
        for finding in found.findings:
            click.echo(f"  - {finding.what}\n    mend: {finding.mend}")
    return 1 if wrong else 0
