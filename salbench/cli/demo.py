"""`salbench demo`."""

from pathlib import Path

import click

from salbench.cli.options import ANY_PATH


@click.command()
@click.option("--out", "-o", type=ANY_PATH, default=Path("salbench-demo"), show_default=True, help="Folder to work in.")
def demo(out: Path) -> int:
    """Train a small SalGAN on the embedded scenes, score it, and print the table. Minutes, no download.

    Exit code 1: SalGAN did not learn to beat the centre.
    """
    from salbench.cli.console import ConsoleProgress
    from salbench.demo import run_demo

    progress = ConsoleProgress()
    try:
        result = run_demo(out, progress)
    finally:
        progress.finish()
    click.echo(result.table)
    click.echo(f"LaTeX: {result.latex}\npicture: {result.picture}\ncheckpoint: {result.checkpoint}")
    verdict = "above" if result.learned else "NOT above"
    click.echo(f"NSS: SalGAN {result.salgan_nss:.2f}, {verdict} the centre's {result.centre_nss:.2f}")
    return 0 if result.learned else 1
