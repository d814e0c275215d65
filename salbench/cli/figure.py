"""`salbench figure`."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from salbench.cli.options import ANY_PATH, EXISTING_FOLDER

RUNS = click.argument("runs", nargs=-1, required=True, metavar="RUN...", type=ANY_PATH)
OUT = click.option(
    "--out", "-o", required=True, type=ANY_PATH, metavar="FILE", help="Picture to write: .png, .pdf or .svg."
)


def _places(command: Callable[..., Any]) -> Callable[..., Any]:
    command = click.option("--data", type=EXISTING_FOLDER, help="Folder where a named data set lies.")(command)
    return click.option(
        "--dataset", metavar="NAME|FOLDER", help="What the runs were scored on.  [default: as they say]"
    )(command)


@click.group()
def figure() -> None:
    """Pictures for papers, of runs that kept their maps (`salbench score --save-maps`)."""


@figure.command()
@RUNS
@click.option("--stimuli", metavar="LIST", help="Ids, separated by commas.  [default: spread evenly over the split]")
@click.option("--count", type=click.IntRange(min=1), help="How many without --stimuli.  [default: some]")
@_places
@OUT
def grid(runs: tuple[Path, ...], stimuli: str | None, count: int | None, out: Path, **options: Any) -> None:
    """Image, ground truth and the runs' maps side by side, as in the SalGAN paper's Figures 4 and 6.

    \b
    Example:
      salbench figure grid runs/bce4 runs/gan4 --data ~/osie --stimuli 1001,1002 -o grid.pdf
    """
    from salbench.run_pictures import COUNT, draw_grid

    draw_grid(out, runs, stimuli=_split(stimuli), count=COUNT if count is None else count, **options)
    click.echo(f"picture: {out}")


@figure.command()
@RUNS
@click.option("--stimulus", required=True, metavar="ID", help="Whose maps to draw.")
@click.option("--fixations/--no-fixations", default=True, show_default=True, help="Dots where viewers looked.")
@_places
@OUT
def overlay(runs: tuple[Path, ...], out: Path, **options: Any) -> None:
    """Maps as colours over their image.

    \b
    Example:
      salbench figure overlay runs/gan4 --data ~/osie --stimulus 1001 -o overlay.png
    """
    from salbench.run_pictures import draw_overlay

    draw_overlay(out, runs, **options)
    click.echo(f"picture: {out}")


@figure.command()
@RUNS
@click.option("--stimulus", required=True, metavar="ID", help="Whose maps to draw.")
@click.option("--window", metavar="LEFT,TOP,WIDTH,HEIGHT", help="Part of the image, in pixels.  [default: all of it]")
@_places
@OUT
def levelsets(runs: tuple[Path, ...], window: str | None, out: Path, **options: Any) -> None:
    """Level sets of the runs' maps: how smooth is each? As in the SalGAN paper's Figure 5.

    \b
    Example:
      salbench figure levelsets runs/bce4 runs/gan4 --data ~/osie --stimulus 1001 --window 200,100,300,225 -o levels.svg
    """
    from salbench.run_pictures import draw_level_sets

    draw_level_sets(out, runs, window=_window(window), **options)
    click.echo(f"picture: {out}")


def _window(text: str | None) -> tuple[int, int, int, int] | None:
    if text is None:
        return None
    parts = text.split(",")
    if len(parts) != 4 or not all(part.strip().isascii() and part.strip().isdigit() for part in parts):
        raise click.BadParameter(f"{text!r} is not LEFT,TOP,WIDTH,HEIGHT in pixels", param_hint="'--window'")
    left, top, width, height = (int(part) for part in parts)
    return left, top, width, height


@figure.command()
@click.argument("trainings", nargs=-1, required=True, metavar="TRAINING...", type=EXISTING_FOLDER)
@click.option("--model", default="salgan", show_default=True, help="The model whose trainings they are.")
@click.option("--names", metavar="LIST", help="Their names, separated by commas.  [default: the folders']")
@click.option("--metrics", metavar="LIST", help="Metric keys, separated by commas.  [default: those of Figure 3]")
@OUT
def curves(trainings: tuple[Path, ...], model: str, names: str | None, metrics: str | None, out: Path) -> None:
    """Validation metrics of trainings against epochs, as in the SalGAN paper's Figure 3.

    \b
    Example:
      salbench figure curves runs/osie/trainings/gan4 runs/osie/trainings/bce4 --names GAN+BCE,BCE -o curves.pdf
    """
    from salbench.curves import draw_curves

    draw_curves(out, trainings, model=model, names=_split(names), metrics=_split(metrics))
    click.echo(f"picture: {out}")


def _split(text: str | None) -> list[str] | None:
    return None if text is None else [part.strip() for part in text.split(",") if part.strip()]
