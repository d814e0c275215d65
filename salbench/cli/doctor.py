"""`salbench doctor`."""

from pathlib import Path

import click

from salbench.cli.options import ANY_PATH


@click.command()
@click.argument("runs", nargs=-1, required=True, metavar="RUN...", type=ANY_PATH)
@click.option("--shards", is_flag=True, help="Look at rows that lie at a URL, too: the folder says which.")
def doctor(runs: tuple[Path, ...], shards: bool) -> int:
    """Check the folders of runs and trainings: what is unfinished, half-written, damaged or missing, and the mend.

    Looks at nothing but the folder, unless --shards is given, changes nothing, and may be called while a process
    writes there.
    Exit code 0: whole; 1: something is wrong, or is neither a run nor a training.

    \b
    Examples:
      salbench doctor runs/centre
      salbench doctor runs/*
    """
    return 1 if sum(_is_wrong(folder, shards) for folder in runs) else 0


def _is_wrong(folder: Path, shards: bool) -> bool:
    """Whether anything is to be told of a folder, once it is told."""
    from salbench.doctor import examine
    from salbench.errors import SalbenchError
    from salbench.plain_text import visible

    try:
        found = examine(folder, elsewhere=shards)
    except SalbenchError as error:
        click.echo(visible(str(error)))
        return True
    state = f"{folder}: {found.kind}, {found.state}; {'whole' if not found.findings else 'not whole:'}"
    click.echo(visible(state))
    for finding in found.findings:
        click.echo(f"  - {visible(finding.what)}\n    mend: {visible(finding.mend)}")
    return bool(found.findings)
