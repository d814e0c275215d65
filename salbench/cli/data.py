"""`salbench data`."""

from pathlib import Path

import click

from salbench.cli.options import ANY_PATH, EXISTING_FILE, EXISTING_FOLDER


@click.group()
def data() -> None:
    """Prepare data sets."""


@data.command("make-folder")
@click.option("--images", type=EXISTING_FOLDER, required=True, help="Folder of the images.")
@click.option("--fixations", type=EXISTING_FILE, required=True, help="CSV file with a row per fixation.")
@click.option("--rename", multiple=True, metavar="OLD=NEW", help="Rename a column of the table; may be repeated.")
@click.option("--one-based", is_flag=True, help="The table's pixels count from 1, not from 0.")
@click.option("--out", "-o", type=ANY_PATH, required=True, help="Folder to make.")
def make_folder_command(images: Path, fixations: Path, rename: tuple[str, ...], one_based: bool, out: Path) -> None:
    """Turn images and a table of fixations into a data set in the generic layout.

    The table needs the columns image, x and y (pixels; x to the right, y down), and may have viewer and t.

    \b
    Example:
      salbench data make-folder --images stimuli --fixations fixations.csv --rename participant=viewer -o my-data
    """
    from salbench.datasets.make_folder import make_folder

    made = make_folder(images, fixations, out, rename=_pairs(rename), one_based=one_based)
    click.echo(f"{out}: {made}")


def _pairs(renames: tuple[str, ...]) -> dict[str, str]:
    pairs = {}
    for text in renames:
        old, separator, new = text.partition("=")
        if not (separator and old and new):
            raise click.BadParameter(f"{text!r}; wanted: OLD=NEW", param_hint="--rename")
        pairs[old] = new
    return pairs
