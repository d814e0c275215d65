"""`salbench leaderboard`."""

from pathlib import Path

import click

from salbench.cli.options import ANY_PATH


@click.group()
def leaderboard() -> None:
    """Measured results that are worth keeping, with all that is needed to trust and repeat them."""


@leaderboard.command()
@click.argument("runs", nargs=-1, required=True, metavar="RUN...", type=ANY_PATH)
@click.option("--board", required=True, type=ANY_PATH, metavar="DIR", help="Folder of the entries, a JSON file each.")
def add(runs: tuple[Path, ...], board: Path) -> None:
    """Write the entry of each finished RUN into a board: its means, intervals and whole provenance.

    A run is refused whose rows are not those that its summary was made of.

    \b
    Example:
      salbench leaderboard add runs/salgan runs/centre --board leaderboards/measured
    """
    from salbench.leaderboard import add as add_run
    from salbench.scoring.run_folder import open_run

    for run in [open_run(folder) for folder in runs]:
        click.echo(f"entry: {add_run(run, board)}")
