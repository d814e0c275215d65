"""`salbench leaderboard`."""

from pathlib import Path
from typing import Any

import click

from salbench.cli.options import ANY_PATH, EXISTING_FOLDER


@click.group()
def leaderboard() -> None:
    """Measured results that are worth keeping, with all that is needed to trust and repeat them."""


@leaderboard.command()
@click.argument("runs", nargs=-1, required=True, metavar="RUN...", type=ANY_PATH)
@click.option("--board", required=True, type=ANY_PATH, metavar="DIR", help="Folder of the entries, a JSON file each.")
@click.option("--name", help="Name of the entry, of one run.  [default: that of its folder]")
def add(runs: tuple[Path, ...], board: Path, name: str | None) -> None:
    """Write the entry of each finished RUN into a board: its means, intervals and whole provenance.

    A run is refused whose rows are not those that its summary was made of.

    \b
    Example:
      salbench leaderboard add runs/salgan runs/centre --board leaderboards/measured
    """
    from salbench.leaderboard import add as add_run
    from salbench.scoring.run_folder import open_run

    if name is not None and len(runs) > 1:
        raise click.UsageError("--name is for one run")
    for run in [open_run(folder) for folder in runs]:
        click.echo(f"entry: {add_run(run, board, name)}")


@leaderboard.command()
@click.argument("run", metavar="RUN", type=ANY_PATH)
@click.option("--dataset", metavar="NAME|FOLDER", help="What it was scored on.  [default: as the run says]")
@click.option("--data", type=EXISTING_FOLDER, help="Folder where a named data set lies.")
@click.option("--sample", type=click.IntRange(min=1), default=20, show_default=True, help="Rows that are made anew.")
@click.option("--all", "every", is_flag=True, help="Make all rows anew.")
@click.option("--seed", type=int, default=0, show_default=True, help="Seed that draws the sample.")
def verify(run: Path, sample: int, every: bool, **options: Any) -> int:
    """Check RUN against its own maps, which `salbench score --save-maps` kept.

    Compares its files with their check sums, its means with its rows, and a sample of its rows with scores that are
    computed anew. Exit code 1: something does not hold.

    \b
    Example:
      salbench leaderboard verify runs/salgan --data ~/osie
    """
    from salbench.cli.console import ConsoleProgress
    from salbench.verification import verify as verify_run

    progress = ConsoleProgress()
    try:
        found = verify_run(run, sample=None if every else sample, progress=progress, **options)
    finally:
        progress.finish()
    for fault in found.faults:
        click.echo(f"FAULT: {fault}")
    verdict = f"{len(found.faults)} faults" if found.faults else "holds"
    click.echo(f"{run}: {verdict}; {len(found.checked)} of {found.run.summary['n']} rows made anew")
    return 1 if found.faults else 0


@leaderboard.command()
@click.argument("boards", nargs=-1, metavar="[BOARD|RUN]...", type=ANY_PATH)
@click.option("--out", "-o", required=True, type=ANY_PATH, metavar="FILE", help="The page to write.")
def site(boards: tuple[Path, ...], out: Path) -> None:
    """Write one self-contained page of measured and published results: sortable, filterable, with intervals drawn.

    Without boards, of the results that salbench ships.

    \b
    Example:
      salbench leaderboard site leaderboards/measured -o leaderboard.html
    """
    from salbench.leaderboard import shipped_entries
    from salbench.site import write_site

    write_site(out, boards or shipped_entries())
    click.echo(f"page: {out}")


@leaderboard.command()
@click.argument("boards", nargs=-1, metavar="[BOARD|RUN]...", type=ANY_PATH)
@click.option("--layout", type=click.Choice(["plain", "2", "3", "4"]), default="plain", show_default=True)
@click.option("--published/--no-published", default=True, show_default=True, help="Print the paper's own rows too.")
@click.option("--sort", metavar="METRIC", help="Order of the rows of each section, best first.")
@click.option("--emphasis", is_flag=True, help="Best values bold, the next underlined.")
def show(boards: tuple[Path, ...], layout: str, **options: Any) -> None:
    """Print measured results beside published ones: the entries of boards, and runs; by default those that salbench
    ships.

    \b
    Example:
      salbench leaderboard show leaderboards/measured --layout 4 --sort nss
    """
    from salbench.leaderboard import entries_of, shipped_entries
    from salbench.tables import make_table, render

    entries = [entry for board in boards for entry in entries_of(board)] or shipped_entries()
    click.echo(render(make_table(entries, layout=layout, **options), "markdown"), nl=False)
