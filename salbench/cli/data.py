"""`salbench data`."""

from pathlib import Path
from typing import Any

import click

from salbench.cli.options import ANY_PATH, EXISTING_FILE, EXISTING_FOLDER, dataset_options


@click.group()
def data() -> None:
    """Data sets: what there are, fetching, checking and making them."""


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


@data.command("list")
def list_command() -> None:
    """List the named data sets, and whether they lie where salbench looks for them."""
    from salbench.cli.text import columns
    from salbench.datasets.recipes import RECIPES
    from salbench.datasets.registry import DATASETS, salbench_home

    rows = [["name", "what", "fetched by `get`", "here"]]
    for record in DATASETS.values():
        here = "built in" if not record.home else _yes((salbench_home() / "datasets" / record.home).is_dir())
        rows.append([record.key, record.description, _yes(record.home in RECIPES), here])
    click.echo("\n".join(columns(rows)))


def _yes(value: bool) -> str:
    return "yes" if value else "no"


@data.command("info")
@click.argument("dataset")
def info(dataset: str) -> None:
    """Tell of a data set: layout on disk, splits, citation, licence, archives, ground truth.

    \b
    Example:
      salbench data info mit1003
    """
    from salbench.datasets.describing import describe

    click.echo("\n".join(describe(dataset)))


@data.command("get")
@click.argument("dataset")
@click.option("--out", "-o", type=ANY_PATH, metavar="DIR", help="Its folder.  [default: $SALBENCH_HOME/datasets/...]")
@click.option("--from", "local", type=EXISTING_FOLDER, help="Folder with archives that were fetched by hand.")
@click.option("--mirror", metavar="URL", help="Address below which the archives lie, instead of the authors'.")
@click.option("--keep-archives", is_flag=True, help="Keep downloaded archives beside the data.")
def get_command(dataset: str, **options: Any) -> None:
    """Fetch a public data set, check it and unpack it. An interrupted call goes on where it stopped.

    \b
    Examples:
      salbench data get mit1003
      salbench data get salicon2017-fixations --from ~/downloads -o ~/data/salicon
    """
    from salbench.cli.console import ConsoleProgress
    from salbench.datasets.describing import terms
    from salbench.getting import get

    click.echo("\n".join(terms(dataset)), err=True)
    progress = ConsoleProgress()
    try:
        got = get(dataset, progress=progress, **options)
    finally:
        progress.finish()
    brought = ", ".join(got.fetched) or "nothing, all was there"
    click.echo(f"{dataset}: {got.root} (fetched: {brought})")


@data.command("check")
@dataset_options()
@click.option("--images", is_flag=True, help="Decode every image, not only its header.")
def check_command(dataset: str, data: Path | None, images: bool) -> int:
    """Check that a data set lies as it should: counts, images, recordings; archives' files by their check sums.

    Exit code 1: something is missing or cannot be read.

    \b
    Example:
      salbench data check --dataset osie-eye --data ~/osie
    """
    from salbench.cli.console import ConsoleProgress
    from salbench.datasets.checking import check
    from salbench.datasets.registry import open_dataset

    progress = ConsoleProgress()
    opened = open_dataset(dataset, data)
    try:
        found = check(opened, images=images, progress=progress)
    finally:
        progress.finish()
    for fault in found.faults:
        click.echo(f"FAULT: {fault}")
    if found.counted > len(found.faults):
        click.echo(f"and {found.counted - len(found.faults):,} more")
    click.echo(
        f"{opened.key}: {found.stimuli:,} stimuli, {found.fixations:,} fixations inside the frame, "
        f"{found.outside:,} outside, {found.without:,} stimuli without any; {found.counted:,} faults"
    )
    return 1 if found.counted else 0


@data.command("prepare")
@dataset_options()
def prepare_command(dataset: str, data: Path | None) -> int:
    """Decode all recordings of a data set into one file in its folder, which later calls map instead of reading them.

    It is made anew by the same command after the data set changed; a file that no longer fits is not used.
    Exit code 1: some recordings could not be read.

    \b
    Example:
      salbench data prepare --dataset mit1003 --data ~/mit1003
    """
    from salbench.cli.console import ConsoleProgress
    from salbench.datasets.prepared import prepare
    from salbench.datasets.registry import folder_of, open_dataset

    folder = folder_of(dataset, data)
    if folder is None:
        raise click.UsageError(f"{dataset} needs no files, so there is nothing to prepare")
    progress = ConsoleProgress()
    try:
        path, count, lost = prepare(open_dataset(dataset, data), folder, progress)
    finally:
        progress.finish()
    for text in lost[:20]:
        click.echo(f"FAULT: {text}")
    click.echo(f"{path}: {count:,} fixations; {len(lost):,} recordings could not be read")
    return 1 if lost else 0
