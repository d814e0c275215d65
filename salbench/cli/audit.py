"""`salbench audit`."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from salbench.cli.options import (
    ANY_PATH,
    EXISTING_FOLDER,
    dataset_options,
    ground_truth_options,
    metric_keys,
    run_options,
    with_ground_truth,
)

if TYPE_CHECKING:
    from salbench.audit import Audit, Effect


@click.command()
@dataset_options()
@click.option("--split", help="Split of the data set.  [default: test, or all of a folder]")
@click.option("--predictions", required=True, type=EXISTING_FOLDER, help="Folder with a map per stimulus.")
@click.option(
    "--protocol", default="mit300", show_default=True, help="Evaluation protocol (`salbench list protocols`)."
)
@click.option("--metrics", metavar="LIST", help="Metric keys, separated by commas.  [default: all of the protocol]")
@click.option("--limit", type=click.IntRange(min=1), metavar="N", help="Only the first N stimuli of the split.")
@ground_truth_options()
@run_options(device=False)
@click.option("--out", "-o", type=ANY_PATH, metavar="FILE", help="Write the figures to a CSV file, too.")
def audit(metrics: str | None, out: Path | None, **options: Any) -> int:
    """Tell how much storing maps in 8 bits, resizing them and JPEG each move every metric.

    Scores a folder of maps as given and after each treatment, on the same random draws, and prints the differences:
    a gain of this size over another model's figure may be a matter of file formats. "of half interval" compares the
    mean difference with half of the 95 % interval of the metric's own mean.
    Exit code 1: some stimuli could not be scored; they are left out everywhere.

    \b
    Examples:
      salbench audit --dataset my-data --predictions my-maps
      salbench audit --dataset osie-eye --data ~/osie --predictions maps --metrics nss,kl_divergence -o audit.csv
    """
    from salbench.scoring.preload import get_ready

    get_ready(options["jobs"])
    from salbench.atomic import check_writable, write_text
    from salbench.audit import audit as audit_maps
    from salbench.cli.console import ConsoleProgress

    if out is not None:
        check_writable(out)
    progress = ConsoleProgress()
    try:
        done = audit_maps(metrics=metric_keys(metrics), progress=progress, **with_ground_truth(options))
    finally:
        progress.finish()
    click.echo("\n".join(_lines(done)))
    if out is not None:
        write_text(out, done.to_csv())
        click.echo(f"figures: {out}", err=True)
    return 1 if done.errors else 0


def _lines(done: "Audit") -> list[str]:
    """A heading, a line per treatment and metric, and what was left out."""
    from salbench.audit import TREATMENTS
    from salbench.cli.text import columns

    titles = {treatment.key: treatment.title for treatment in TREATMENTS}
    table = [["treatment", "metric", "as given", "mean change", "mean |change|", "largest", "of half interval", "n"]]
    table += [_line(effect, titles[effect.treatment], done.symbols[effect.metric]) for effect in done.effects]
    heading = f"{done.predictions} on {done.dataset}, split {done.split}, protocol {done.protocol} ({done.blur})"
    return [heading, "", *columns(table), *_losses(done, titles)]


def _line(effect: "Effect", title: str, symbol: str) -> list[str]:
    return [
        title,
        symbol,
        "-" if effect.given is None else f"{effect.given:.4f}",
        _signed(effect.mean),
        "-" if effect.mean_absolute is None else f"{effect.mean_absolute:.2g}",
        _signed(effect.largest),
        _percent(effect.relative),
        str(effect.n),
    ]


def _signed(value: float | None) -> str:
    if value is None:
        return "-"
    return "0" if value == 0 else f"{value:+.2g}"


def _percent(share: float | None) -> str:
    if share is None:
        return "-"
    return f"{share:.0%}" if share >= 0.1 else f"{100 * share:.2g}%"


def _losses(done: "Audit", titles: dict[str, str]) -> list[str]:
    """One line for each kind of loss that happened."""
    lines = [
        f"{titles[key]}: left out for {count} maps whose values are not levels from 0 to 1"
        for key, count in done.left_out.items()
        if count
    ]
    undefined = sum(effect.undefined for effect in done.effects)
    if undefined:
        lines.append(f"{undefined} values are defined only before or only after a treatment, and not compared")
    if done.errors:
        lines.append(f"{len(done.errors)} of {done.n} stimuli could not be scored")
    return ["", *lines] if lines else []
