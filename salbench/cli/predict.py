"""`salbench predict`."""

from pathlib import Path
from typing import Any

import click

from salbench.cli.options import (
    ANY_PATH,
    EXISTING_FILE,
    EXISTING_FOLDER,
    dataset_options,
    executor_options,
    run_options,
    with_executor,
)


@click.command()
@click.option("--model", required=True, metavar="NAME", help="A registered model (`salbench list models`).")
@click.option("--checkpoint", type=EXISTING_FILE, help="Weights of the model.")
@dataset_options(required=False)
@click.option("--split", help="Split of the data set.  [default: test, or all of a folder]")
@click.option("--images", type=EXISTING_FOLDER, help="Folder of images, instead of a data set.")
@click.option(
    "--format",
    "form",
    type=click.Choice(["png", "png16", "npy"]),
    default="png",
    show_default=True,
    help="8-bit or 16-bit picture (each map stretched to its range), or the exact array.",
)
@run_options()
@executor_options()
@click.option("--out", "-o", type=ANY_PATH, required=True, help="Folder for the maps.")
def predict(out: Path, **options: Any) -> int:
    """Write a model's saliency maps into a folder.

    \b
    Examples:
      salbench predict --model salgan --checkpoint salgan.safetensors --images photos -o maps
      salbench predict --model centre --dataset synthetic --format npy -o maps
    """
    from salbench.scoring.preload import get_ready

    options = with_executor(options)
    get_ready(options["jobs"])
    from salbench.cli.console import ConsoleProgress
    from salbench.prediction import predict as predict_maps

    progress = ConsoleProgress()
    try:
        done = predict_maps(out=out, progress=progress, **options)
    finally:
        progress.finish()
    click.echo(f"{done.written} maps in {done.folder}" + (f", {len(done.errors)} failed" if done.errors else ""))
    return 1 if done.errors else 0
