"""`salbench score`."""

from pathlib import Path
from typing import Any

import click

from salbench.cli.options import (
    ANY_PATH,
    EXISTING_FILE,
    EXISTING_PATH,
    dataset_options,
    executor_options,
    ground_truth_options,
    metric_keys,
    run_options,
    with_executor,
    with_ground_truth,
)


@click.command()
@dataset_options()
@click.option("--split", help="Split of the data set.  [default: test, or all of a folder]")
@click.option("--model", metavar="NAME", help="A registered model (`salbench list models`).")
@click.option("--checkpoint", type=EXISTING_FILE, help="Weights of the model.")
@click.option("--predictions", type=EXISTING_PATH, help="Folder with a map per stimulus, or a SALICON result file.")
@click.option("--log-density", is_flag=True, help="The predictions are natural logarithms of densities (.npy).")
@click.option("--name", help="Name in tables.  [default: the model's, or the folder's]")
@click.option(
    "--protocol", default="mit300", show_default=True, help="Evaluation protocol (`salbench list protocols`)."
)
@click.option(
    "--maps",
    type=click.Choice(["same", "metric-specific"]),
    default="same",
    show_default=True,
    help="What metrics get of a log density: the density, or each the map that suits it best.",
)
@click.option("--metrics", metavar="LIST", help="Metric keys, separated by commas.  [default: all of the protocol]")
@ground_truth_options()
@run_options()
@click.option(
    "--timeout",
    type=click.FloatRange(min=0, min_open=True),
    metavar="SECONDS",
    help="Give a stimulus up whose model and metrics take longer; it costs no other.  [default: never]",
)
@executor_options()
@click.option(
    "--shards",
    metavar="URL",
    help="Where workers put rows until the run is finished, such as s3://bucket/runs: any URL that fsspec knows, for "
    "workers that cannot write into the run folder.",
)
@click.option("--by", type=click.Choice(["category"]), help="Print the means of each category of the data set, too.")
@click.option("--save-maps", is_flag=True, help="Keep the model's maps in the run folder.")
@click.option("--strict", is_flag=True, help="Stop at the first stimulus that cannot be scored.")
@click.option("--overwrite", is_flag=True, help="Score anew where the run folder holds a run.")
@click.option("--out", "-o", type=ANY_PATH, help="Run folder.  [default: runs/MODEL-DATASET-SPLIT]")
def score(metrics: str | None, by: str | None, out: Path | None, **options: Any) -> int:
    """Score a model, or a folder of maps, on a data set.

    Prints each metric's mean over the stimuli with its 95 % bootstrap interval, and writes a run folder that
    `salbench table` reads. An interrupted run goes on with the same command.
    Exit code 1: some stimuli could not be scored (their rows tell why). Those that took longer than --timeout, or
    whose worker died, are tried again by the same command.

    \b
    Examples:
      salbench score --dataset my-data --predictions my-maps
      salbench score --dataset osie-eye --data ~/osie --model salgan --checkpoint salgan.safetensors
      salbench score --dataset synthetic --model centre --metrics nss,cc --out runs/centre
      salbench score --dataset osie-eye --data ~/osie --model centre-prior-cv --maps metric-specific
      salbench score --dataset cat2000-train --data ~/cat2000 --model centre --by category
      salbench score --dataset my-data --model my-model --timeout 60
      salbench score --dataset my-data --predictions my-maps --executor dask --scheduler tcp://head-node:8786
      salbench score --dataset my-data --predictions my-maps --executor dask --scheduler tcp://head-node:8786
        --shards s3://bucket/runs
    """
    from salbench.scoring.preload import get_ready

    options = with_executor(options)
    get_ready(options["jobs"], apart=options["timeout"] is not None)
    from salbench.cli.console import ConsoleProgress
    from salbench.cli.text import group_lines, summary_lines
    from salbench.scoring.groups import category_means, check_categories
    from salbench.scoring.runner import score as score_model

    rules = with_ground_truth(options)
    if by is not None:
        check_categories(rules["dataset"], rules["split"])
    progress = ConsoleProgress()
    try:
        run = score_model(metrics=metric_keys(metrics), out=out, progress=progress, **rules)
    finally:
        progress.finish()
    click.echo("\n".join(summary_lines(run)))
    if by is not None:
        click.echo("\n".join(["", *group_lines(run, category_means(run))]))
    return 1 if run.errors else 0
