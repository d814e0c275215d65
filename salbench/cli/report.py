"""`salbench report`."""

from pathlib import Path
from typing import Any

import click

from salbench.cli.options import ANY_PATH, EXISTING_FOLDER


@click.command()
@click.argument("runs", nargs=-1, required=True, metavar="RUN...", type=ANY_PATH)
@click.option("--dataset", metavar="NAME|FOLDER", help="What the runs were scored on.  [default: as they say]")
@click.option("--data", type=EXISTING_FOLDER, help="Folder where a named data set lies.")
@click.option("--out", "-o", required=True, type=ANY_PATH, metavar="FILE|DIR", help="Page (.html), or folder of one.")
def report(runs: tuple[Path, ...], out: Path, **options: Any) -> None:
    """Write a report of models that were scored on the same stimuli, for a browser.

    Summary with intervals, the distribution of every metric, a dot per stimulus, ROC curves, and the stimuli
    themselves: image, fixations, ground truth and maps with their level sets, best or worst first. Maps need
    `salbench score --save-maps`. FILE.html holds everything, with pictures of the best and worst stimuli; DIR gets a
    page with pictures of all of them beside it.

    \b
    Examples:
      salbench report runs/bce4 runs/gan4 --data ~/osie -o report.html
      salbench report runs/bce4 runs/gan4 --data ~/osie -o report
    """
    from salbench.cli.console import ConsoleProgress
    from salbench.report import write_report

    progress = ConsoleProgress()
    try:
        made = write_report(runs, out, progress=progress, **options)
    finally:
        progress.finish()
    for text in made.lost[:10]:
        click.echo(text, err=True)
    if len(made.lost) > 10:
        click.echo(f"and {len(made.lost) - 10} more", err=True)
    click.echo(f"report: {made.page} (pictures of {made.drawn} stimuli)")
