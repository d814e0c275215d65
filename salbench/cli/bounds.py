"""`salbench bounds`."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from salbench.cli.options import (
    ANY_PATH,
    EXISTING_FOLDER,
    dataset_options,
    ground_truth_options,
    run_options,
    with_ground_truth,
)

if TYPE_CHECKING:
    from salbench.bounds import Bounds
    from salbench.scoring.run_folder import Run


@click.group()
def bounds() -> None:
    """Bounds that give a score its meaning: chance to gold standard, and the limit of many viewers."""


@bounds.command()
@dataset_options()
@click.option("--split", help="Split of the data set.  [default: test, or all of a folder]")
@click.option(
    "--protocol", default="mit300", show_default=True, help="Evaluation protocol (`salbench list protocols`)."
)
@click.option("--draws", type=click.IntRange(min=1), default=3, show_default=True, help="Draws of viewers an image.")
@ground_truth_options()
@run_options(device=False)
@click.option("--overwrite", is_flag=True, help="Score anew where the folder holds bounds.")
@click.option("--out", "-o", required=True, type=ANY_PATH, metavar="DIR", help="Folder for the bounds' runs.")
def make(**options: Any) -> int:
    """Score every bound on a split and fit the limit for infinitely many viewers.

    Each bound is a run of its own below DIR. An interrupted call goes on with the same command.

    \b
    Example:
      salbench bounds make --dataset osie-eye --data ~/osie --out runs/bounds
    """
    from salbench.scoring.preload import get_ready

    get_ready(options["jobs"])
    from salbench.bounds import make_bounds
    from salbench.cli.console import ConsoleProgress

    progress = ConsoleProgress()
    try:
        made = make_bounds(progress=progress, **with_ground_truth(options))
    finally:
        progress.finish()
    click.echo("\n".join(_bounds_lines(made)))
    return 1 if any(run.errors for run in made.runs.values()) else 0


@bounds.command()
@click.argument("folder", type=EXISTING_FOLDER, metavar="DIR")
@click.argument("runs", nargs=-1, metavar="[RUN]...", type=ANY_PATH)
@click.option(
    "--lower", default="centre-prior", show_default=True, help="The bound above which a gold standard's gain counts."
)
def show(folder: Path, runs: tuple[Path, ...], lower: str) -> None:
    """Print runs among the bounds of their split, with the per cent of the gold standard's gain.

    DIR is a folder that `salbench bounds make` filled, RUN one that `salbench score` made.

    \b
    Example:
      salbench bounds show runs/bounds runs/salgan
    """
    from salbench.bounds import open_bounds
    from salbench.scoring.run_folder import open_run

    found = open_bounds(folder)
    lines = _bounds_lines(found)
    for run in runs:
        lines += ["", *_run_lines(open_run(run), found, lower)]
    click.echo("\n".join(lines))


def _bounds_lines(bounds: "Bounds") -> list[str]:
    """A heading, a line per metric with every bound, and the power laws."""
    from salbench.bounds import LOWER
    from salbench.cli.text import columns, heading_of, symbol_of

    first = bounds.runs[LOWER[0]]
    table = [["metric", *bounds.runs, "limit of many viewers"]]
    for key in bounds.metrics:
        means = [f"{run.mean(key):z.3f}" if key in run.manifest["metrics"] else "-" for run in bounds.runs.values()]
        table.append([symbol_of(key, first), *means, _limit(bounds, key)])
    return [f"bounds on {heading_of(first)}", "", *columns(table), "", *_law_lines(bounds)]


def _limit(bounds: "Bounds", key: str) -> str:
    limit = bounds.limits.get(key)
    if limit is None or limit.law is None:
        return "-"
    return f"{limit.law.limit:z.3f}" + (" (by definition)" if limit.known else f" [{limit.low:.3f}, {limit.high:.3f}]")


def _law_lines(bounds: "Bounds") -> list[str]:
    from salbench.cli.text import columns, symbol_of

    run = next(iter(bounds.runs.values()))
    laws = [(key, limit.law) for key, limit in bounds.limits.items() if limit.law is not None]
    reasons = sorted({limit.why for limit in bounds.limits.values() if limit.why})
    missing = [f"no limit: {reason}" for reason in reasons]
    if not laws:
        return missing
    table = [["metric", "n viewers predict n others", "root mean square of the residual"]]
    for key, law in laws:
        text = f"{law.limit:z.3f} {law.scale:+.3f} n^{law.exponent:.2f}"
        table.append([symbol_of(key, run), text, f"{law.residual:.2g}"])
    heading = f"power laws through n = {', '.join(map(str, bounds.sizes))}"
    return [heading, "", *columns(table), *(["", *missing] if missing else [])]


def _run_lines(run: "Run", bounds: "Bounds", lower: str) -> list[str]:
    from salbench.bounds import relate
    from salbench.cli.text import columns, symbol_of

    table = [["metric", "lower bound", "", run.manifest["model"]["title"], "% of gold", "gold standard", ""]]
    for one in relate(run, bounds, lower=lower):
        share = "-" if one.share is None else f"{one.share:.0%}"
        low, gold = (f"{bounds.runs[name].mean(one.key):z.3f}" for name in (one.lower, one.gold))
        table.append([symbol_of(one.key, run), low, one.lower, f"{one.value:z.3f}", share, gold, one.gold])
    return [
        f"{run.manifest['model']['title']}: per cent of the gold standard's gain over the lower bound",
        "",
        *columns(table),
    ]
